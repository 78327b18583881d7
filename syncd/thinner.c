#include "syncd/thinner.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/fault.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"

#define STEP_VERSIONS 500

struct thinner {
    struct store *reader;
    struct committer *committer;
    struct packmerge *merge;
    struct thin_wish *doing; /* journal thread's, as the next */
    size_t at;               /* of its zones */
    uint64_t done;           /* versions of this run */

    /* Guards all below; no other lock is taken while it is held. */
    pthread_mutex_t lock;
    struct thin_wish *wanted;
    struct thinner_status status;
};

void thin_wish_free(struct thin_wish *w)
{
    if (w)
        free(w->zones);
    free(w);
}

struct thinner *thinner_new(struct store *reader, struct committer *committer,
                            struct packmerge *merge)
{
    struct thinner *t = xcalloc(1, sizeof(*t));

    t->reader = reader;
    t->committer = committer;
    t->merge = merge;
    pthread_mutex_init(&t->lock, NULL);
    return t;
}

void thinner_free(struct thinner *t)
{
    if (!t)
        return;
    thin_wish_free(t->doing);
    thin_wish_free(t->wanted);
    pthread_mutex_destroy(&t->lock);
    free(t);
}

void thinner_want(struct thinner *t, struct thin_wish *wish)
{
    struct thin_wish *old;

    pthread_mutex_lock(&t->lock);
    old = t->wanted;
    t->wanted = wish;
    t->status.busy = true;
    pthread_mutex_unlock(&t->lock);
    thin_wish_free(old);
}

static bool take_wish(struct thinner *t)
{
    if (t->doing)
        return true;
    pthread_mutex_lock(&t->lock);
    t->doing = t->wanted;
    t->wanted = NULL;
    pthread_mutex_unlock(&t->lock);
    t->at = 0;
    t->done = 0;
    return t->doing;
}

/* ---- One zone, one step ---- */

struct marks {
    int64_t zone_id;
    const struct thin_plan *plan;
};

static enum err write_marks(void *ctx, struct store *s, struct errinfo *e)
{
    const struct marks *m = ctx;
    enum err rc = OK;

    for (size_t i = 0; i < m->plan->gone_count && rc == OK; i++)
        rc = store_thinned_put(s, m->zone_id, m->plan->gone[i].version, e);
    return rc;
}

/* The record first: what is marked can be found there. */
static enum err do_step(struct thinner *t, struct journal *j, const struct thin_zone *tz,
                        struct thin_plan *plan, struct errinfo *e)
{
    struct marks m = {tz->id, plan};
    struct store_zone z;
    enum err rc;

    if ((rc = store_zone_get_id(t->reader, tz->id, &z, e)) ||
        (rc = thin_plan_make(plan, t->reader, &z, &tz->policy, t->doing->now, STEP_VERSIONS, e)) ||
        plan->gone_count == 0)
        return rc;
    rc = journal_thin_record(j, z.name, plan->gone, plan->gone_count, plan->kept, plan->kept_count,
                             t->doing->now, e);
    FAULT("thin:recorded");
    if (rc == OK)
        rc = commit_write_now(t->committer, write_marks, &m, e);
    FAULT("thin:marked");
    return rc;
}

static void count(struct thinner *t, uint64_t n)
{
    t->done += n;
    pthread_mutex_lock(&t->lock);
    t->status.thinned += n;
    pthread_mutex_unlock(&t->lock);
}

/* Also when nothing was marked this time: a crash may have left packs as they were. */
static void end_run(struct thinner *t)
{
    if (t->done)
        log_info(say("history thinned; packs are made without what went"),
                 kv_u64("versions", t->done));
    thin_wish_free(t->doing);
    t->doing = NULL;
    packmerge_want_thin(t->merge);
}

bool thinner_step(struct thinner *t, struct journal *j)
{
    struct thin_plan plan = {.gone_count = 0};
    struct errinfo e = {0};
    enum err rc;

    if (!take_wish(t))
        return false;
    if (t->at == t->doing->n) {
        end_run(t);
        return false;
    }
    rc = do_step(t, j, &t->doing->zones[t->at], &plan, &e);
    if (rc == OK)
        count(t, plan.gone_count);
    else
        log_warning(say("a zone's history could not be thinned; it stays as it is"), kv_err(&e));
    if (rc || plan.more == 0)
        t->at++;
    thin_plan_done(&plan);
    return true;
}

void thinner_packed(struct thinner *t, enum err rc)
{
    if (rc == OK || rc == ERR_BUSY) /* there may be more; or a new version came in between */
        packmerge_want_thin(t->merge);
}

void thinner_look(struct thinner *t)
{
    if (!packmerge_thin_over(t->merge))
        return;
    pthread_mutex_lock(&t->lock);
    t->status.busy = t->wanted || t->doing;
    t->status.runs++;
    pthread_mutex_unlock(&t->lock);
}

void thinner_status(struct thinner *t, struct thinner_status *out)
{
    pthread_mutex_lock(&t->lock);
    *out = t->status;
    pthread_mutex_unlock(&t->lock);
}
