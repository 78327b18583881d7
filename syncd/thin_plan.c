#include "syncd/thin_plan.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "lib/base/mem.h"

#define DAY_S 86400
#define ROWS_AT_ONCE 1000
#define EPOCH_WEEKDAY 3 /* 1970-01-01 was a Thursday */

struct walk {
    struct thin_plan *plan;
    const struct store_zone *z;
    const struct config_retention *policy;
    struct wall now;
    uint64_t last;                    /* number of the last row */
    size_t rows;                      /* of this batch */
    bool has_newer;                   /* the next newer version that was served, */
    struct wall newer;                /* ... when it was made */
    bool below;                       /* a version above has gone, or goes */
    struct journal_thin_version *all; /* that go, newest first */
    size_t n, cap;
};

static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

int64_t thin_period(enum config_thin to, struct wall at)
{
    int64_t day = floor_div(at.s, DAY_S);
    time_t t = (time_t)at.s;
    struct tm tm;

    switch (to) {
    case CONFIG_THIN_DAY:
        return day;
    case CONFIG_THIN_WEEK:
        return floor_div(day + EPOCH_WEEKDAY, 7);
    case CONFIG_THIN_MONTH:
        return gmtime_r(&t, &tm) ? (int64_t)tm.tm_year * 12 + tm.tm_mon : 0;
    }
    return 0;
}

static bool may_go(const struct walk *w, const struct store_version *v)
{
    const struct config_retention *p = w->policy;
    int64_t age = w->now.s - v->at.s;
    enum config_thin to =
        p->later_days && age > (int64_t)p->later_days * DAY_S ? p->later_to : p->to;

    return p->days && age > (int64_t)p->days * DAY_S && v->journaled && !v->thinned &&
           v->version < w->z->version && !(w->z->held && v->version == w->z->held_version) &&
           w->has_newer && thin_period(to, v->at) == thin_period(to, w->newer);
}

static void add(struct journal_thin_version **list, size_t *n, size_t *cap,
                const struct store_version *v)
{
    struct journal_thin_version t = {.version = v->version};

    memcpy(t.commit.id, v->oid, sizeof(t.commit.id));
    *list = xgrow(*list, cap, *n + 1, sizeof(**list));
    (*list)[(*n)++] = t;
}

static enum err on_version(void *ctx, const struct store_version *v, struct errinfo *e)
{
    struct walk *w = ctx;

    (void)e;
    w->rows++;
    w->last = v->version;
    if (v->waiting)
        return OK;
    if (v->thinned) {
        w->below = true;
    } else if (may_go(w, v)) {
        add(&w->all, &w->n, &w->cap, v);
        w->below = true;
    } else if (w->below && v->journaled) {
        add(&w->plan->kept, &w->plan->kept_count, &w->plan->kept_cap, v);
    }
    if (!v->thinned) {
        w->has_newer = true;
        w->newer = v->at;
    }
    return OK;
}

/* The oldest ones first: what is left for a later step hangs on the branch still. */
static void take_step(struct walk *w, size_t max)
{
    struct thin_plan *p = w->plan;
    size_t step = w->n < max ? w->n : max;

    p->more = w->n - step;
    for (size_t i = w->n; i-- > w->n - step;) {
        p->gone = xgrow(p->gone, &p->gone_cap, p->gone_count + 1, sizeof(*p->gone));
        p->gone[p->gone_count++] = w->all[i];
    }
}

enum err thin_plan_make(struct thin_plan *out, struct store *s, const struct store_zone *z,
                        const struct config_retention *policy, struct wall now, size_t max,
                        struct errinfo *e)
{
    struct walk w = {.plan = out, .z = z, .policy = policy, .now = now};
    uint64_t before = 0;
    enum err rc = OK;

    *out = (struct thin_plan){.gone_count = 0};
    do {
        w.rows = 0;
        rc = store_version_each(s, z->id, before, ROWS_AT_ONCE, on_version, &w, e);
        before = w.last;
    } while (rc == OK && w.rows == ROWS_AT_ONCE && before > 1);
    if (rc == OK)
        take_step(&w, max);
    else
        thin_plan_done(out);
    free(w.all);
    return rc;
}

void thin_plan_done(struct thin_plan *p)
{
    free(p->gone);
    free(p->kept);
    *p = (struct thin_plan){.gone_count = 0};
}
