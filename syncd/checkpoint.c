#include "syncd/checkpoint.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/fault.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"

#define ROWS_AT_ONCE 1000
#define RETRY_MS 5000
#define COMPACT_MIN 65536

struct checkpointer {
    struct journal *journal;
    struct store *store;
    struct committer *committer;
    struct signing *signing;

    bool has_last;
    struct journal_checkpoint last;
    uint64_t seq;     /* all versions by changes up to this one are in the journal */
    uint64_t pending; /* unsigned ones that no checkpoint covers, about */
    bool signs_all;   /* as the versions of this batch are */
    struct mono since, not_before;

    pthread_mutex_t lock; /* of these; no other lock is taken while it is held */
    bool on;
    uint32_t commits, time_s;
};

struct rule {
    bool on;
    uint32_t commits, time_s;
};

static struct rule rule_of(struct checkpointer *c)
{
    struct rule r;

    pthread_mutex_lock(&c->lock);
    r = (struct rule){c->on, c->commits, c->time_s};
    pthread_mutex_unlock(&c->lock);
    return r;
}

void checkpointer_configure(struct checkpointer *c, const struct config *config)
{
    pthread_mutex_lock(&c->lock);
    c->on = config->checkpoints;
    c->commits = config->checkpoint_commits;
    c->time_s = config->checkpoint_time_s;
    pthread_mutex_unlock(&c->lock);
}

/* ---- What is newest ---- */

struct row {
    int64_t zone_id;
    uint64_t version;
    struct journal_oid commit;
};

struct walk {
    struct checkpointer *c;
    struct row *rows;
    size_t n, cap, compact_at;
    uint64_t before; /* seq of the last one seen */
    uint64_t last_seq;
    struct wall at; /* of the newest */
    size_t seen;    /* in this batch */
    bool done;
};

static int by_zone(const void *a, const void *b)
{
    const struct row *x = a, *y = b;

    if (x->zone_id != y->zone_id)
        return x->zone_id < y->zone_id ? -1 : 1;
    return x->version > y->version ? -1 : x->version < y->version;
}

/* Of each zone the newest stays. */
static void compact(struct walk *w)
{
    size_t kept = 0;

    if (w->n)
        qsort(w->rows, w->n, sizeof(*w->rows), by_zone);
    for (size_t i = 0; i < w->n; i++) {
        if (kept == 0 || w->rows[kept - 1].zone_id != w->rows[i].zone_id)
            w->rows[kept++] = w->rows[i];
    }
    w->n = kept;
    w->compact_at = 2 * kept > COMPACT_MIN ? 2 * kept : COMPACT_MIN;
}

static enum err on_version(void *ctx, int64_t zone_id, const struct store_version *v,
                           struct errinfo *e)
{
    struct walk *w = ctx;
    struct row *row;

    (void)e;
    w->seen++;
    w->before = v->seq;
    if (w->c->has_last && v->seq <= w->c->last.seq) {
        w->done = true;
        return OK;
    }
    if (v->seq > w->c->seq || !v->journaled)
        return OK;
    if (v->seq > w->last_seq) {
        w->last_seq = v->seq;
        w->at = v->at;
    }
    if (v->waiting)
        return OK;
    if (w->n >= w->compact_at)
        compact(w);
    w->rows = xgrow(w->rows, &w->cap, w->n + 1, sizeof(*w->rows));
    row = &w->rows[w->n++];
    *row = (struct row){.zone_id = zone_id, .version = v->version};
    memcpy(row->commit.id, v->oid, sizeof(row->commit.id));
    return OK;
}

/* From the newest version back to what the last checkpoint covers, each batch a short look. */
static enum err walk_versions(struct walk *w, struct errinfo *e)
{
    do {
        enum err rc;

        w->seen = 0;
        rc = store_version_all_each(w->c->store, w->before, ROWS_AT_ONCE, on_version, w, e);
        if (rc)
            return rc;
    } while (!w->done && w->seen == ROWS_AT_ONCE);
    compact(w);
    return OK;
}

/* ---- Making one ---- */

static enum err set_names(struct journal_tip *tips, struct arena *names, const struct walk *w,
                          struct errinfo *e)
{
    for (size_t i = 0; i < w->n; i++) {
        struct store_zone z;
        enum err rc = store_zone_get_id(w->c->store, w->rows[i].zone_id, &z, e);

        if (rc)
            return rc;
        tips[i] = (struct journal_tip){.zone = arena_dup(names, z.name, name_len(z.name)),
                                       .version = w->rows[i].version,
                                       .commit = w->rows[i].commit};
    }
    return OK;
}

static enum err remember(struct checkpointer *c, const struct journal_checkpoint *made,
                         struct errinfo *e)
{
    char hex[JOURNAL_HEX_MAX];
    enum err rc;

    journal_oid_hex(hex, &made->commit);
    FAULT("checkpoint:before_meta");
    if ((rc = commit_meta(c->committer, CHECKPOINT_META, hex, e)))
        return rc;
    return journal_checkpoint_set(c->journal, &made->commit, e);
}

static enum err make(struct checkpointer *c, const struct journal_key *key, struct errinfo *e)
{
    struct walk w = {.c = c, .compact_at = COMPACT_MIN};
    struct journal_checkpoint made;
    struct journal_tip *tips = NULL;
    struct arena names;
    enum err rc;

    arena_init(&names, 0);
    if ((rc = walk_versions(&w, e)) || w.n == 0)
        goto out;
    tips = xcalloc(w.n, sizeof(*tips));
    if ((rc = set_names(tips, &names, &w, e)) ||
        (rc = journal_checkpoint_write(&made, c->journal, c->has_last ? &c->last : NULL, tips, w.n,
                                       w.last_seq, w.at, key, e)) ||
        (rc = remember(c, &made, e)))
        goto out;
    c->last = made;
    c->has_last = true;
    log_debug(say("a checkpoint vouches for the history"), kv_u64("checkpoint", made.number),
              kv_u64("seq", made.seq), kv_u64("zones", w.n));
out:
    free(tips);
    free(w.rows);
    arena_done(&names);
    return rc;
}

static const struct journal_key *key_of(const struct checkpointer *c)
{
    return c->signing ? signing_current(c->signing) : NULL;
}

static struct mono now(void)
{
    return clock_mono(clock_real());
}

static void note_pending(struct checkpointer *c, uint64_t versions)
{
    if (versions && !c->pending)
        c->since = now();
    c->pending += versions;
}

void checkpointer_prepare(struct checkpointer *c)
{
    struct rule r = rule_of(c);

    c->signs_all = key_of(c) && !r.on;
    journal_sign_with(c->journal, key_of(c));
    journal_sign_waiting_only(c->journal, r.on);
}

void checkpointer_note(struct checkpointer *c, size_t versions, uint64_t seq)
{
    c->seq = seq;
    if (!c->signs_all)
        note_pending(c, versions);
}

/* Where checkpoints are made no more, a last one covers what they left unsigned. */
int64_t checkpointer_due_ms(struct checkpointer *c)
{
    struct rule r = rule_of(c);
    int64_t due = 0;
    int64_t wait = c->not_before.ms - now().ms;

    if (!c->journal || !c->pending || !key_of(c) || (!r.on && !c->has_last))
        return -1;
    if (r.on && c->pending < r.commits)
        due = c->since.ms + (int64_t)r.time_s * 1000 - now().ms;
    if (due < wait)
        due = wait;
    return due < 0 ? 0 : due;
}

void checkpointer_state(struct checkpointer *c, uint64_t *number, uint64_t *uncovered)
{
    *number = c->has_last ? c->last.number : 0;
    *uncovered = key_of(c) && rule_of(c).on ? c->pending : 0;
}

enum err checkpointer_run(struct checkpointer *c, bool at_once, struct errinfo *e)
{
    int64_t due = checkpointer_due_ms(c);
    enum err rc;

    if (due < 0 || (due > 0 && !at_once))
        return OK;
    if ((rc = make(c, key_of(c), e)) == OK)
        c->pending = 0;
    else
        c->not_before = mono_add_ms(now(), RETRY_MS);
    return rc;
}

/* ---- Start ---- */

static bool take(struct checkpointer *c, const struct journal_oid *commit, struct errinfo *e)
{
    c->has_last = journal_checkpoint_get(&c->last, c->journal, commit, e) == OK;
    return c->has_last;
}

/* The one that the store knows; a store that was made anew knows none, and takes the ref's. */
static enum err find_last(struct checkpointer *c, struct errinfo *e)
{
    struct buf hex = BUF_INIT;
    struct journal_oid known, ref;
    struct errinfo why = {0};
    bool has_ref = journal_checkpoint_tip(c->journal, &ref, NULL) == OK;
    enum err rc = store_meta_get(c->store, CHECKPOINT_META, &hex, e);

    if (rc == OK && journal_oid_read(&known, buf_cstr(&hex)) && take(c, &known, &why)) {
        if (!has_ref || memcmp(ref.id, known.id, sizeof(ref.id)) != 0) {
            log_warning(say("journal: the ref of checkpoints was set again from the store"));
            rc = journal_checkpoint_set(c->journal, &known, e);
        }
    } else if (rc == OK || rc == ERR_NOT_FOUND) {
        if (rc == OK)
            log_error(say("journal: the newest checkpoint is missing; zonectl verify tells more"),
                      kv_str("commit", buf_cstr(&hex)), kv_err(&why));
        if (has_ref && !take(c, &ref, &why))
            log_error(say("journal: the newest checkpoint is damaged"), kv_err(&why));
        rc = OK;
    }
    buf_free(&hex);
    return rc;
}

enum err checkpointer_new(struct checkpointer **out, struct journal *j, struct store *reader,
                          struct committer *committer, struct signing *signing,
                          const struct config *config, struct errinfo *e)
{
    struct checkpointer *c = xcalloc(1, sizeof(*c));
    uint64_t first = 0;
    enum err rc;

    c->store = reader;
    c->committer = committer;
    c->signing = signing;
    pthread_mutex_init(&c->lock, NULL);
    if (config)
        checkpointer_configure(c, config);
    if ((rc = store_seq(reader, &c->seq, &first, e)) || (rc = checkpointer_journal(c, j, e))) {
        checkpointer_free(c);
        return rc;
    }
    *out = c;
    return OK;
}

enum err checkpointer_journal(struct checkpointer *c, struct journal *j, struct errinfo *e)
{
    enum err rc;

    c->journal = j;
    if (!j)
        return OK;
    if ((rc = find_last(c, e)))
        return rc;
    /* What was not journaled yet is noted when it is. */
    if (c->seq > (c->has_last ? c->last.seq : 0))
        note_pending(c, 1);
    return OK;
}

void checkpointer_free(struct checkpointer *c)
{
    if (!c)
        return;
    pthread_mutex_destroy(&c->lock);
    free(c);
}
