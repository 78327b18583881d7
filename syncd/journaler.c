#include "syncd/journaler_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "syncd/thinner.h"

#define BATCH_MAX 1024         /* versions in one pack */
#define BATCH_RECORDS 1000000u /* once so many are in it, a batch takes no further version */
#define PACE_MS 100
#define RETRY_SECONDS 5  /* after a failure */
#define REPACK_WRITES 64 /* packs written before merging is asked for */
#define LOOK_SECONDS 5   /* between looks whether the journal is still what it was */
#define DROP_AT_ONCE 8   /* merged packs that go before the next changes are looked at */

/* One drain: the changes as read from the log, and the entries made of them. */
struct batch {
    struct store_change changes[BATCH_MAX];
    struct journal_entry entries[BATCH_MAX];
    struct zone *contents[BATCH_MAX];
    size_t n;
    uint64_t records; /* that its changes name */
};

/* ---- The parent of a version ---- */

struct parent_search {
    bool waiting; /* the child is: any version will do; otherwise only a served one */
    bool found;
    struct store_version version;
};

static enum err on_version(void *ctx, const struct store_version *v, struct errinfo *e)
{
    struct parent_search *s = ctx;

    (void)e;
    if (!s->found && (s->waiting || !v->waiting)) {
        s->found = true;
        s->version = *v;
    }
    return OK;
}

/* The version whose content the change was made from: the newest one before it that was served
 * (for a waiting change: or waiting). Walks in small steps, since waiting ones are few. */
static enum err find_parent(struct parent_search *out, struct store *s,
                            const struct store_change *c, struct errinfo *e)
{
    struct parent_search search = {.waiting = c->waiting};
    uint64_t before = c->version;
    uint32_t step = 1; /* most often it is the first */
    enum err rc;

    for (; !search.found && before > 1; step = 16) {
        if ((rc = store_version_each(s, c->zone_id, before, step, on_version, &search, e)))
            return rc;
        before = before > step ? before - step : 1;
    }
    *out = search;
    return OK;
}

static int entry_of_version(const struct batch *b, int64_t zone_id, uint64_t version)
{
    for (size_t i = b->n; i-- > 0;) {
        if (b->changes[i].zone_id == zone_id && b->changes[i].version == version)
            return (int)i;
    }
    return -1;
}

/* The same among the changes of the batch, which are in the order of their versions: of a zone that
 * changes all the time it is there, and the store need not be asked. -1 if it isn't. */
static int parent_in_batch(const struct batch *b, size_t child)
{
    const struct store_change *c = &b->changes[child];

    for (size_t i = child; i-- > 0;) {
        const struct store_change *p = &b->changes[i];

        if (p->zone_id != c->zone_id)
            continue;
        if (p->version + 1 == c->version && (c->waiting || !p->waiting))
            return (int)i;
        break;
    }
    return -1;
}

/* ---- From change to entry ---- */

static void entry_describe(struct journal_entry *en, const struct store_change *c)
{
    *en = (struct journal_entry){
        .zone = c->zone,
        .parent_entry = -1,
        .changes = c->changes,
        .has_from = c->has_from,
        .from = c->from,
        .to = c->to,
        .ours = c->ours,
        .theirs = c->theirs,
        .seq = c->seq,
        .version = c->version,
        .added = c->added,
        .removed = c->removed,
        .at = c->at,
        .origin = origin_name(c->origin.kind),
        .who = c->origin.who,
        .source = c->origin.source,
        .key = c->origin.key,
        .transport = c->origin.transport,
        .reason = c->origin.reason,
        .waiting = c->waiting,
        .quarantined = c->quarantined,
    };
}

static enum err load_content(struct journaler *j, struct batch *b, size_t i, struct errinfo *e)
{
    struct store_zone row;
    enum err rc;

    if (b->contents[i])
        return OK;
    if ((rc = store_zone_get_id(j->store, b->changes[i].zone_id, &row, e)) ||
        (rc = store_zone_load_version(&b->contents[i], j->store, &row, b->changes[i].version, e)))
        return rc;
    b->entries[i].content = b->contents[i];
    b->entries[i].changes = NULL;
    return OK;
}

static enum err entry_prepare(struct journaler *j, struct batch *b, size_t i, struct errinfo *e)
{
    const struct store_change *c = &b->changes[i];
    struct journal_entry *en = &b->entries[i];
    struct parent_search parent;
    enum err rc;

    entry_describe(en, c);
    if (c->changes && (en->parent_entry = parent_in_batch(b, i)) >= 0)
        return OK;
    if ((rc = find_parent(&parent, j->store, c, e)))
        return rc;
    if (parent.found) {
        if (parent.version.journaled)
            memcpy(en->parent.id, parent.version.oid, sizeof(en->parent.id));
        else
            en->parent_entry = entry_of_version(b, c->zone_id, parent.version.version);
        if (!parent.version.journaled && en->parent_entry < 0)
            return err_set(ERR_CORRUPT, e,
                           "version %llu has no commit, and no change to make it of",
                           (unsigned long long)parent.version.version);
    }
    return c->changes && parent.found ? OK : load_content(j, b, i, e);
}

static bool batch_is_full(const struct batch *b)
{
    return b->n == BATCH_MAX || b->records >= BATCH_RECORDS;
}

/* The change's row is lent for the call only; the batch takes what it owns. */
static enum err on_change(void *ctx, const struct store_change *c, struct errinfo *e)
{
    struct batch *b = ctx;
    struct changeset *copy = NULL;
    enum err rc;

    if (c->changes) {
        struct buf octets = BUF_INIT;
        changeset_encode(&octets, c->changes);
        rc = changeset_decode(&copy, octets.data, octets.len, c->zone, e);
        buf_free(&octets);
        if (rc)
            return rc;
    }
    b->changes[b->n] = *c;
    b->changes[b->n].changes = copy;
    b->n++;
    b->records += c->added + c->removed;
    return batch_is_full(b) ? err_set(ERR_BUSY, e, "the batch is full") : OK;
}

static void batch_done(struct batch *b)
{
    bool large = false;

    for (size_t i = 0; i < b->n; i++) {
        large = large || b->contents[i];
        store_change_done(&b->changes[i]);
        zone_unref(b->contents[i]);
    }
    free(b);
    if (large)
        mem_give_back();
}

/* ---- Writing ---- */

static _Noreturn void die_of_io(const struct errinfo *e)
{
    log_error(say("the journal cannot be written; stopping, the next start drains it again"),
              kv_err(e));
    _exit(74); /* EX_IOERR */
}

/* A damaged parent must not end the history: the version is written whole, from the store. */
static enum err write_one_by_one(struct journaler *j, struct batch *b, size_t *written,
                                 struct errinfo *e)
{
    for (size_t i = 0; i < b->n; i++) {
        struct journal_entry *en = &b->entries[i];
        enum err rc;

        if (en->parent_entry >= 0) {
            en->parent = b->entries[en->parent_entry].commit;
            en->parent_entry = -1;
        }
        rc = journal_write(j->journal, en, 1, e);
        if (rc == ERR_CORRUPT || rc == ERR_CONFLICT) {
            j->damaged = true;
            log_warning(say("journal: a version is written anew from the store"), kv_err(e));
            if ((rc = load_content(j, b, i, e)) == OK)
                rc = journal_write(j->journal, en, 1, e);
        }
        if (rc)
            return rc;
        *written = i + 1;
    }
    return OK;
}

static enum journal_line line_of(const struct store_change *c)
{
    if (!c->waiting)
        return LINE_SERVED;
    return c->quarantined ? LINE_QUARANTINE : LINE_WAITING;
}

/* A zone that is held once more gets a new line of waiting versions; the old one stays named. */
static enum err keep_waiting_line(struct journaler *j, const struct store_change *c,
                                  const struct journal_entry *en, struct errinfo *e)
{
    struct journal_oid old, at = en->commit;
    struct journal_commit tip, at_commit;
    enum err rc;

    if (journal_ref_get(j->journal, line_of(c), c->zone, &old, NULL) != OK ||
        journal_commit_get(j->journal, &old, &tip, NULL) != OK)
        return OK; /* there is none, or none that could be kept */
    while (memcmp(&at, &old, sizeof(at)) != 0) {
        if ((rc = journal_commit_get(j->journal, &at, &at_commit, e)))
            return rc;
        if (!at_commit.waiting || at_commit.version <= tip.version)
            return journal_ref_keep(j->journal, c->zone, tip.version, &old, e);
        at = at_commit.parent;
    }
    return OK;
}

static enum err set_refs(struct journaler *j, const struct batch *b, size_t n, struct errinfo *e)
{
    for (size_t i = 0; i < n; i++) {
        enum journal_line line = line_of(&b->changes[i]);
        bool newer = false;
        enum err rc;

        for (size_t k = i + 1; k < n && !newer; k++)
            newer =
                b->changes[k].zone_id == b->changes[i].zone_id && line_of(&b->changes[k]) == line;
        if (newer)
            continue;
        if (line != LINE_SERVED && (rc = keep_waiting_line(j, &b->changes[i], &b->entries[i], e)))
            return rc;
        rc = journal_ref_set(j->journal, line, b->changes[i].zone, &b->entries[i].commit, e);
        if (rc)
            return rc;
    }
    return OK;
}

static enum err batch_store_ids(struct journaler *j, const struct batch *b, size_t n,
                                struct errinfo *e)
{
    struct commit_journaled *list = xcalloc(n, sizeof(*list));
    enum err rc;

    for (size_t i = 0; i < n; i++) {
        list[i].seq = b->changes[i].seq;
        memcpy(list[i].oid, b->entries[i].commit.id, sizeof(list[i].oid));
        memcpy(list[i].content_oid, b->entries[i].content_id.id, sizeof(list[i].content_oid));
    }
    rc = commit_journaled(j->committer, list, n, e);
    free(list);
    return rc;
}

void journaler_settling(struct journaler *j, uint64_t n)
{
    pthread_mutex_lock(&j->lock);
    j->status.settling = n;
    pthread_mutex_unlock(&j->lock);
}

static enum err batch_write(struct journaler *j, struct batch *b, size_t *written,
                            struct errinfo *e)
{
    struct errinfo later = {0};
    enum err rc;

    checkpointer_prepare(j->checkpoints);
    rc = journal_write(j->journal, b->entries, b->n, e);

    *written = rc == OK ? b->n : 0;
    if (rc == ERR_CORRUPT || rc == ERR_CONFLICT)
        rc = write_one_by_one(j, b, written, e);
    if (rc == ERR_IO)
        die_of_io(e);
    if (*written == 0)
        return rc;
    /* Durable objects first, then their ids in the store, then the refs, which are derived. */
    journaler_settling(j, *written);
    if (batch_store_ids(j, b, *written, rc ? &later : e) != OK && rc == OK)
        rc = ERR_BUSY;
    else if (set_refs(j, b, *written, rc ? &later : e) != OK) {
        j->refs_owed = true;
        return rc ? rc : ERR_BUSY;
    }
    journaler_settling(j, 0);
    return rc;
}

static void note_seq(struct journaler *j, uint64_t seq, uint64_t lost)
{
    pthread_mutex_lock(&j->lock);
    j->status.seq = seq;
    j->status.lost = lost;
    pthread_mutex_unlock(&j->lock);
}

/* Drains one batch; *n is how many versions it recorded. */
static enum err drain(struct journaler *j, size_t *n, struct errinfo *e)
{
    struct batch *b = xcalloc(1, sizeof(*b));
    size_t written = 0;
    uint64_t last = 0, first = 0, lost = 0;
    enum err rc;

    *n = 0;
    if ((rc = journaler_heal(j, e)) || (rc = store_read_begin(j->store, e)))
        goto out;
    if ((rc = store_seq(j->store, &last, &first, e)) == OK &&
        (rc = store_lost_count(j->store, &lost, e)) == OK)
        rc = store_unjournaled_each(j->store, BATCH_MAX, on_change, b, e);
    if (rc == ERR_BUSY && batch_is_full(b))
        rc = OK;
    for (size_t i = 0; rc == OK && i < b->n; i++) {
        rc = entry_prepare(j, b, i, e);
        if (rc)
            (void)err_wrap(rc, e, "change %llu", (unsigned long long)b->changes[i].seq);
    }
    store_read_end(j->store);
    if (rc == OK && b->n > 0)
        rc = batch_write(j, b, &written, e);
    if (rc == OK) {
        note_seq(j, b->n > 0 ? b->changes[b->n - 1].seq : last, lost);
        checkpointer_note(j->checkpoints, b->n, b->n > 0 ? b->changes[b->n - 1].seq : last);
    }
    *n = written;
out:
    batch_done(b);
    return rc;
}

/* ---- The thread ---- */

static void note_packs(struct journaler *j)
{
    struct journal_stats stats = {0};

    if (j->journal)
        (void)!journal_stats(j->journal, &stats, NULL);
    pthread_mutex_lock(&j->lock);
    j->status.packs = stats.packs;
    j->status.pack_bytes = stats.pack_bytes;
    pthread_mutex_unlock(&j->lock);
}

static void note(struct journaler *j, enum err rc, const struct errinfo *e, size_t written)
{
    bool was_failing;

    note_packs(j);
    pthread_mutex_lock(&j->lock);
    was_failing = j->status.failing;
    j->status.written += written;
    j->status.failing = rc != OK;
    memcpy(j->status.last_error, rc ? e->text : "", rc ? sizeof(e->text) : 1);
    pthread_mutex_unlock(&j->lock);
    if (rc)
        log_error(say("journal is behind; the store keeps the changes and it tries again"),
                  kv_err(e), kv_u64("retry_s", RETRY_SECONDS));
    else if (was_failing)
        log_info(say("journal has caught up"), kv_u64("versions", written));
}

/* The old packs go, a few at a time, once a new one has been made of them. */
static void drop_merged(struct journaler *j)
{
    struct errinfo e = {0};
    bool done = false, thins = journal_merge_thins(j->merged);
    enum err rc = journal_merge_some(j->journal, j->merged, DROP_AT_ONCE, &done, &e);

    if (thins && (rc || done))
        thinner_packed(j->thinner, rc);
    if (rc && !(thins && rc == ERR_BUSY))
        log_warning(say("journal: a merged pack could not take the place of the old ones, all "
                        "stays readable"),
                    kv_err(&e));
    if (!rc && !done)
        return;
    journal_merge_free(j->merged);
    j->merged = NULL;
    note_packs(j);
}

/* ... and now and then another is wanted. True if there is more to do. */
static bool merge_packs(struct journaler *j, bool written)
{
    thinner_look(j->thinner);
    if (!j->merged)
        j->merged = packmerge_take(j->merge);
    if (j->merged && j->journal) {
        drop_merged(j);
    } else {
        journal_merge_free(j->merged);
        j->merged = NULL;
    }
    if (written && ++j->writes_since_repack >= REPACK_WRITES && !j->merged) {
        j->writes_since_repack = 0;
        packmerge_want(j->merge);
    }
    return j->merged != NULL;
}

static void run_checkpoints(struct journaler *j, bool at_once)
{
    uint64_t number, uncovered;
    struct errinfo e = {0};
    enum err rc = checkpointer_run(j->checkpoints, at_once, &e);

    if (rc == ERR_IO)
        die_of_io(&e);
    if (rc)
        log_error(say("journal: no checkpoint could be made; it tries again"), kv_err(&e));
    checkpointer_state(j->checkpoints, &number, &uncovered);
    pthread_mutex_lock(&j->lock);
    j->status.checkpoint = number;
    j->status.uncovered = uncovered;
    pthread_mutex_unlock(&j->lock);
}

/* Waits until woken, for the retry, for the next look, or until a checkpoint is due; false when it
 * is time to stop. */
static bool wait_awake(struct journaler *j, bool failing)
{
    int64_t due_ms = checkpointer_due_ms(j->checkpoints);
    int64_t wait_ms = (failing ? RETRY_SECONDS : LOOK_SECONDS) * 1000;
    struct mono until = mono_add_ms(clock_mono(clock_real()),
                                    !failing && due_ms >= 0 && due_ms < wait_ms ? due_ms : wait_ms);
    struct timespec ts = {.tv_sec = until.ms / 1000, .tv_nsec = (until.ms % 1000) * 1000000};
    bool go_on;

    pthread_mutex_lock(&j->lock);
    while (!j->closing && !j->asked && (failing || !j->awake)) {
        if (pthread_cond_timedwait(&j->there, &j->lock, &ts) == ETIMEDOUT)
            break;
    }
    j->awake = false;
    go_on = !j->closing;
    pthread_mutex_unlock(&j->lock);
    return go_on;
}

/* While changes keep coming, a pack holds those of a little while, since each costs several fsyncs;
 * a single change never waits, nor does the stop. */
static void pace(struct journaler *j, size_t written)
{
    struct mono until = mono_add_ms(clock_mono(clock_real()), PACE_MS);
    struct timespec ts = {.tv_sec = until.ms / 1000, .tv_nsec = (until.ms % 1000) * 1000000};

    pthread_mutex_lock(&j->lock);
    while (written < BATCH_MAX / 2 && !j->closing && mono_cmp(clock_mono(clock_real()), until) < 0)
        (void)pthread_cond_timedwait(&j->there, &j->lock, &ts);
    pthread_mutex_unlock(&j->lock);
}

/* One step of thinning; false if there is none to do, or it is time to stop. */
static bool thin_some(struct journaler *j)
{
    bool closing;

    pthread_mutex_lock(&j->lock);
    closing = j->closing;
    pthread_mutex_unlock(&j->lock);
    if (closing || !j->journal)
        return false;
    checkpointer_prepare(j->checkpoints);
    return thinner_step(j->thinner, j->journal);
}

static void *journaler_main(void *ctx)
{
    struct journaler *j = ctx;
    bool go_on = true;

    while (go_on) {
        struct errinfo e = {0};
        size_t written = 0;
        bool merging, thinned;
        enum err rc;

        do {
            journaler_answer(j, false);
            rc = drain(j, &written, &e);
            if (rc || written || j->status.failing) /* which only this thread changes */
                note(j, rc, &e, written);
            merging = merge_packs(j, written > 0);
            run_checkpoints(j, false);
            thinned = rc == OK && thin_some(j);
            if (rc == OK && written)
                pace(j, written);
        } while (rc == OK && (written || merging || thinned));
        go_on = wait_awake(j, rc != OK);
    }
    journaler_answer(j, true);
    run_checkpoints(j, true); /* what is left at rest is vouched for */
    return NULL;
}

/* ---- Start and stop ---- */

/* In the merger's thread. */
static void merge_made(void *ctx)
{
    journaler_wake(ctx);
}

static void journaler_free(struct journaler *j)
{
    packmerge_stop(j->merge);
    journal_merge_free(j->merged);
    thinner_free(j->thinner);
    checkpointer_free(j->checkpoints);
    journal_close(j->journal);
    store_close(j->store);
    pthread_cond_destroy(&j->there);
    pthread_mutex_destroy(&j->lock);
    free(j->path);
    free(j->node);
    free(j);
}

enum err journaler_start(struct journaler **out, struct committer *committer, const char *data_dir,
                         const char *node, struct signing *signing, const struct config *config,
                         struct errinfo *e)
{
    struct journaler *j = xcalloc(1, sizeof(*j));
    pthread_condattr_t attr;
    enum err rc;
    int failed;

    j->committer = committer;
    j->path = xasprintf("%s/journal.git", data_dir);
    j->node = xstrdup(node);
    j->signing = signing;
    j->awake = true;
    pthread_mutex_init(&j->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&j->there, &attr);
    pthread_condattr_destroy(&attr);
    if ((rc = store_open_reader(&j->store, data_dir, e)) || (rc = journaler_open(j, e)))
        goto out;
    if ((j->journal && (rc = journaler_heal_refs(j, e))) ||
        (rc = checkpointer_new(&j->checkpoints, j->journal, j->store, committer, signing, config,
                               e)))
        goto out;
    if ((rc = packmerge_start(&j->merge, j->path, data_dir, merge_made, j, e)))
        goto out;
    j->thinner = thinner_new(j->store, committer, j->merge);
    failed = pthread_create(&j->thread, NULL, journaler_main, j);
    if (failed)
        rc = err_sys(failed, e, "starting the journal thread");
out:
    if (rc)
        journaler_free(j);
    else
        *out = j;
    return rc;
}

void journaler_configure(struct journaler *j, const struct config *config)
{
    checkpointer_configure(j->checkpoints, config);
    journaler_wake(j);
}

void journaler_thin(struct journaler *j, struct thin_wish *wish)
{
    thinner_want(j->thinner, wish);
    journaler_wake(j);
}

void journaler_wake(struct journaler *j)
{
    pthread_mutex_lock(&j->lock);
    j->awake = true;
    pthread_cond_signal(&j->there);
    pthread_mutex_unlock(&j->lock);
}

void journaler_stop(struct journaler *j)
{
    if (!j)
        return;
    pthread_mutex_lock(&j->lock);
    j->closing = true;
    pthread_cond_signal(&j->there);
    pthread_mutex_unlock(&j->lock);
    pthread_join(j->thread, NULL);
    journaler_free(j);
}

void journaler_status(struct journaler *j, struct journaler_status *out)
{
    pthread_mutex_lock(&j->lock);
    *out = j->status;
    pthread_mutex_unlock(&j->lock);
    thinner_status(j->thinner, &out->thinning);
}
