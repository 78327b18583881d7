#include "syncd/commit.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "lib/base/log.h"
#include "lib/base/mem.h"

#define GROUP_MAX 256          /* jobs in one transaction */
#define LARGE_BYTES (8u << 20) /* of a zone whose transfer took memory worth giving back */
#define PRUNE_ROWS 1024        /* pruning weighs the whole log: not for each change */
#define RECORD_BYTES 100       /* in a change set, about */
#define CHECKPOINT_COMMITS 200 /* at the latest; an idle second comes first */

/* The journal thread waits for this one. */
struct journaled_request {
    const struct commit_journaled *list;
    size_t n;
    const char *meta_key, *meta_value; /* NULL: none */
    commit_write_fn *write;            /* NULL: none */
    void *write_ctx;
    bool finished;
    enum err rc;
    struct errinfo error;
};

struct committer {
    struct loop *loop;
    struct store *store;
    const struct clock *clock;
    uint64_t change_log_bytes;
    commit_hint_fn *hint;
    void *hint_ctx;
    pthread_t thread;
    unsigned commits_since_checkpoint;      /* writer thread only, as these: */
    uint64_t unpruned_rows, unpruned_bytes; /* of the change log, about */

    /* Guards all below; no other lock is taken while it is held. */
    pthread_mutex_t lock;
    pthread_cond_t there;
    pthread_cond_t finished;
    struct commit_job *head;
    struct commit_job **tail;
    struct journaled_request *journaled;
    bool closing;
};

/* Carries one group of finished jobs to the loop thread. */
struct group_done {
    commit_hint_fn *hint; /* the committer itself may be gone by then */
    void *hint_ctx;
    struct commit_job *jobs;
    uint64_t last_seq;
};

struct commit_job *commit_job_new(enum commit_kind kind, const struct store_zone *row)
{
    struct commit_job *job = xcalloc(1, sizeof(*job));

    job->kind = kind;
    job->row = *row;
    job->base = *row;
    return job;
}

void commit_job_free(struct commit_job *job)
{
    if (!job)
        return;
    zone_unref(job->old_zone);
    zone_unref(job->new_zone);
    changeset_free(job->changes);
    free(job->act);
    free(job);
}

void commit_submit(struct committer *c, struct commit_job *job)
{
    job->next = NULL;
    pthread_mutex_lock(&c->lock);
    *c->tail = job;
    c->tail = &job->next;
    pthread_cond_signal(&c->there);
    pthread_mutex_unlock(&c->lock);
}

/* An I/O error while writing: what the kernel kept of it is unknown, so the process ends and the
 * next start reads the truth from the disk. authd goes on serving. */
static _Noreturn void die_of_io(const struct errinfo *e)
{
    log_error(say("the store cannot be written; stopping, the next start recovers from the disk"),
              kv_err(e));
    _exit(74); /* EX_IOERR */
}

void commit_copy_state(struct store_zone *to, const struct store_zone *from)
{
    to->has_primary_serial = from->has_primary_serial;
    to->primary_serial = from->primary_serial;
    to->last_check = from->last_check;
    to->last_success = from->last_success;
    to->next_check = from->next_check;
    to->expires_at = from->expires_at;
    to->failures = from->failures;
    to->unserved_since = from->unserved_since;
    to->orphan = from->orphan;
    memcpy(to->last_error, from->last_error, sizeof(to->last_error));
    memcpy(to->last_primary, from->last_primary, sizeof(to->last_primary));
}

static bool same_stage(const struct store_zone *a, const struct store_zone *b)
{
    return a->id == b->id && a->kind == b->kind && a->has_content == b->has_content &&
           a->version == b->version && a->last_version == b->last_version && a->held == b->held &&
           a->held_version == b->held_version && a->hold_has_serial == b->hold_has_serial &&
           serial_eq(a->hold_serial, b->hold_serial) && a->hold_until.s == b->hold_until.s &&
           a->expired == b->expired && a->removed == b->removed &&
           a->staged_rejected == b->staged_rejected;
}

/* The row to write: the stored one (whose commit id, say, the journal may have moved on) with what
 * the job is free to change. Timers and errors belong to the replicator alone. */
static void merge_row(struct commit_job *job, const struct store_zone *stored)
{
    struct store_zone want = job->row;
    struct store_zone *row = &job->row;

    *row = *stored;
    row->kind = want.kind;
    row->source = want.source;
    memcpy(row->account, want.account, sizeof(row->account));
    memcpy(row->catalog, want.catalog, sizeof(row->catalog));
    memcpy(row->member, want.member, sizeof(row->member));
    memcpy(row->nameserver, want.nameserver, sizeof(row->nameserver));
    memcpy(row->file, want.file, sizeof(row->file));
    row->expired = want.expired;
    row->removed = want.removed;
    row->held = want.held;
    row->held_version = want.held_version;
    row->held_at = want.held_at;
    memcpy(row->held_by, want.held_by, sizeof(row->held_by));
    memcpy(row->held_reason, want.held_reason, sizeof(row->held_reason));
    row->hold_has_serial = want.hold_has_serial;
    row->hold_serial = want.hold_serial;
    row->hold_until = want.hold_until;
    row->ours = want.ours;
    row->theirs = want.theirs;
    row->quarantine_rejected = want.quarantine_rejected;
    if (job->owns_state)
        commit_copy_state(row, &want);
}

/* ERR_CONFLICT if somebody else changed the zone since the job's maker read its row. */
static enum err job_guard(struct committer *c, struct commit_job *job)
{
    struct store_zone stored;
    enum err rc = store_zone_get(c->store, job->row.name, &stored, &job->error);

    if (rc == ERR_NOT_FOUND && job->base.id == 0)
        return OK;
    if (rc)
        return rc;
    if (!same_stage(&stored, &job->base))
        return err_set(ERR_CONFLICT, &job->error, "the zone was changed at the same moment");
    merge_row(job, &stored);
    return OK;
}

static enum err job_stage(struct committer *c, struct commit_job *job)
{
    switch (job->stage) {
    case COMMIT_STAGE_AS_IT_IS:
        return OK;
    case COMMIT_STAGE_PUT:
        return store_staged_put(c->store, &job->row, job->row.last_version, job->staged_since,
                                &job->error);
    case COMMIT_STAGE_REJECT:
        return store_staged_reject(c->store, &job->row, &job->error);
    }
    return ERR_UNSUPPORTED;
}

static enum err job_kind(struct committer *c, struct commit_job *job, struct wall now)
{
    switch (job->kind) {
    case COMMIT_CHANGE:
        return store_change_put(c->store, &job->row, job->old_zone, job->new_zone, job->changes,
                                &job->origin, now, &job->seq, &job->error);
    case COMMIT_WAITING:
    case COMMIT_QUARANTINE:
        return store_waiting_put(c->store, &job->row, job->new_zone, job->changes, &job->origin,
                                 now, job->kind == COMMIT_QUARANTINE, &job->seq, &job->error);
    case COMMIT_STATE:
        return store_zone_put_state(c->store, &job->row, &job->error);
    case COMMIT_SERVED:
        return store_zone_put_served(c->store, &job->row, now, &job->seq, &job->error);
    case COMMIT_MARK:
        return store_mark_put(c->store, &job->row, &job->origin, now, &job->seq, &job->error);
    case COMMIT_WRITE:
        break; /* done above */
    }
    return ERR_UNSUPPORTED;
}

static enum err job_do(struct committer *c, struct commit_job *job)
{
    enum err rc;

    if (job->kind == COMMIT_WRITE)
        return job->write(job->write_ctx, c->store, &job->error);
    if (job->kind != COMMIT_STATE && (rc = job_guard(c, job)))
        return rc;
    /* A zone that is new to the store gets its row first. */
    if (job->row.id == 0 && (rc = store_zone_put(c->store, &job->row, &job->error)))
        return rc;
    rc = job_kind(c, job, clock_wall(c->clock));
    return rc ? rc : job_stage(c, job);
}

static enum err act_do(struct committer *c, struct commit_job *job)
{
    if (job->kind != COMMIT_WRITE && job->row.version != job->base.version)
        job->act->version = job->row.version;
    return store_act_put(c->store, job->act, &job->error);
}

/* One job in a part of its own: its failure takes nothing else with it. */
static void job_run(struct committer *c, struct commit_job *job)
{
    struct store_zone before = job->row;
    struct errinfo e = {0};

    if ((job->rc = store_part_begin(c->store, &job->error)) == OK) {
        job->rc = job_do(c, job);
        if (job->rc == OK && job->act)
            job->rc = act_do(c, job);
        if (store_part_end(c->store, job->rc == OK, &e) != OK && job->rc == OK) {
            job->rc = ERR_IO;
            job->error = e;
        }
    }
    if (job->rc == ERR_IO)
        die_of_io(&job->error);
    if (job->rc != OK)
        job->row = before;
    c->unpruned_rows++;
    if (job->changes)
        c->unpruned_bytes += (job->changes->added.n + job->changes->removed.n) * RECORD_BYTES;
}

static enum err journaled_do(struct committer *c, struct journaled_request *r, struct errinfo *e)
{
    uint64_t dropped = 0;
    enum err rc;

    if (r->write)
        return r->write(r->write_ctx, c->store, e);
    for (size_t i = 0; i < r->n; i++) {
        rc = store_journaled_put(c->store, r->list[i].seq, r->list[i].oid, r->list[i].content_oid,
                                 e);
        if (rc)
            return rc;
    }
    if (r->meta_key)
        return store_meta_put(c->store, r->meta_key, r->meta_value, e);
    if (c->unpruned_rows < PRUNE_ROWS && c->unpruned_bytes < c->change_log_bytes / 16)
        return OK;
    c->unpruned_rows = c->unpruned_bytes = 0;
    return store_prune(c->store, c->change_log_bytes, &dropped, e);
}

static void group_fail(struct commit_job *jobs, enum err rc, const struct errinfo *e)
{
    for (struct commit_job *j = jobs; j; j = j->next) {
        if (j->rc == OK) {
            j->rc = rc;
            j->error = *e;
        }
    }
}

/* The whole group is one transaction: one fsync for all. */
static void group_run(struct committer *c, struct commit_job *jobs, struct journaled_request *r)
{
    struct errinfo e = {0};
    enum err rc = store_begin(c->store, &e);

    if (rc == OK) {
        for (struct commit_job *j = jobs; j; j = j->next)
            job_run(c, j);
        if (r)
            rc = journaled_do(c, r, &e);
        if (rc == OK)
            rc = store_commit(c->store, &e);
    }
    if (rc == ERR_IO)
        die_of_io(&e);
    if (rc != OK) {
        store_rollback(c->store);
        group_fail(jobs, rc, &e);
    }
    if (r) {
        r->rc = rc;
        r->error = e;
    }
    c->commits_since_checkpoint++;
}

static void on_group_done(void *ctx)
{
    struct group_done *g = ctx;
    struct commit_job *j = g->jobs;
    bool large = false;

    if (g->last_seq && g->hint)
        g->hint(g->hint_ctx, g->last_seq, g->jobs);
    while (j) {
        struct commit_job *next = j->next;
        large = large || (j->new_zone && zone_bytes(j->new_zone) > LARGE_BYTES);
        if (j->done)
            j->done(j->ctx, j);
        commit_job_free(j);
        j = next;
    }
    if (large)
        mem_give_back();
    free(g);
}

static void group_tell(struct committer *c, struct commit_job *jobs)
{
    struct group_done *g;

    if (!jobs)
        return;
    g = xcalloc(1, sizeof(*g));
    g->hint = c->hint;
    g->hint_ctx = c->hint_ctx;
    g->jobs = jobs;
    for (struct commit_job *j = jobs; j; j = j->next) {
        if (j->rc == OK && j->seq > g->last_seq)
            g->last_seq = j->seq;
    }
    loop_post(c->loop, on_group_done, g);
}

static void checkpoint(struct committer *c)
{
    struct errinfo e = {0};
    enum err rc = store_checkpoint(c->store, &e);

    c->commits_since_checkpoint = 0;
    if (rc == ERR_IO)
        die_of_io(&e);
    if (rc != OK && rc != ERR_BUSY)
        log_warning(say("checkpoint failed, the write-ahead log grows"), kv_err(&e));
}

/* Takes up to GROUP_MAX jobs; the lock is held. */
static struct commit_job *group_take(struct committer *c)
{
    struct commit_job *first = c->head;
    struct commit_job *last = first;

    for (unsigned n = 1; last && last->next && n < GROUP_MAX; n++)
        last = last->next;
    if (!last)
        return NULL;
    c->head = last->next;
    if (!c->head)
        c->tail = &c->head;
    last->next = NULL;
    return first;
}

/* Waits for work; with a checkpoint due, at most a second. The lock is held. */
static void wait_for_work(struct committer *c)
{
    struct mono at = mono_add_ms(clock_mono(clock_real()), 1000);
    struct timespec until = {.tv_sec = at.ms / 1000, .tv_nsec = (at.ms % 1000) * 1000000};

    if (!c->commits_since_checkpoint) {
        pthread_cond_wait(&c->there, &c->lock);
        return;
    }
    if (pthread_cond_timedwait(&c->there, &c->lock, &until) == ETIMEDOUT && !c->head) {
        pthread_mutex_unlock(&c->lock);
        checkpoint(c);
        pthread_mutex_lock(&c->lock);
    }
}

static void *writer_main(void *ctx)
{
    struct committer *c = ctx;

    pthread_mutex_lock(&c->lock);
    for (;;) {
        struct commit_job *jobs = group_take(c);
        struct journaled_request *r = c->journaled;

        if (!jobs && !r && c->closing)
            break;
        if (!jobs && !r) {
            wait_for_work(c);
            continue;
        }
        c->journaled = NULL;
        pthread_mutex_unlock(&c->lock);
        group_run(c, jobs, r);
        group_tell(c, jobs);
        if (c->commits_since_checkpoint >= CHECKPOINT_COMMITS)
            checkpoint(c);
        pthread_mutex_lock(&c->lock);
        if (r) {
            r->finished = true;
            pthread_cond_broadcast(&c->finished);
        }
    }
    pthread_mutex_unlock(&c->lock);
    checkpoint(c);
    return NULL;
}

static enum err request_do(struct committer *c, struct journaled_request *r, struct errinfo *e)
{
    pthread_mutex_lock(&c->lock);
    c->journaled = r;
    pthread_cond_signal(&c->there);
    while (!r->finished)
        pthread_cond_wait(&c->finished, &c->lock);
    pthread_mutex_unlock(&c->lock);
    if (r->rc && e)
        *e = r->error;
    return r->rc;
}

enum err commit_journaled(struct committer *c, const struct commit_journaled *list, size_t n,
                          struct errinfo *e)
{
    struct journaled_request r = {.list = list, .n = n};

    return request_do(c, &r, e);
}

enum err commit_meta(struct committer *c, const char *key, const char *value, struct errinfo *e)
{
    struct journaled_request r = {.meta_key = key, .meta_value = value};

    return request_do(c, &r, e);
}

enum err commit_write_now(struct committer *c, commit_write_fn *write, void *ctx, struct errinfo *e)
{
    struct journaled_request r = {.write = write, .write_ctx = ctx};

    return request_do(c, &r, e);
}

enum err committer_start(struct committer **out, struct loop *loop, const char *data_dir,
                         const struct clock *clock, uint64_t change_log_bytes, commit_hint_fn *hint,
                         void *ctx, struct errinfo *e)
{
    struct committer *c = xcalloc(1, sizeof(*c));
    pthread_condattr_t attr;
    enum err rc;
    int failed;

    c->loop = loop;
    c->clock = clock;
    c->change_log_bytes = change_log_bytes;
    c->hint = hint;
    c->hint_ctx = ctx;
    c->tail = &c->head;
    c->unpruned_rows = PRUNE_ROWS; /* what the last run left */
    if ((rc = store_open_writer(&c->store, data_dir, e))) {
        free(c);
        return rc;
    }
    pthread_mutex_init(&c->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&c->there, &attr);
    pthread_cond_init(&c->finished, NULL);
    pthread_condattr_destroy(&attr);
    failed = pthread_create(&c->thread, NULL, writer_main, c);
    if (failed) {
        store_close(c->store);
        free(c);
        return err_sys(failed, e, "starting the writer thread");
    }
    *out = c;
    return OK;
}

void committer_stop(struct committer *c)
{
    if (!c)
        return;
    pthread_mutex_lock(&c->lock);
    c->closing = true;
    pthread_cond_signal(&c->there);
    pthread_mutex_unlock(&c->lock);
    pthread_join(c->thread, NULL);
    store_close(c->store);
    pthread_cond_destroy(&c->there);
    pthread_cond_destroy(&c->finished);
    pthread_mutex_destroy(&c->lock);
    free(c);
}
