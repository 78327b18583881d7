#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "syncd/watch_internal.h"

/* One on its way to the store. */
struct pending {
    struct watch *watch;
    struct watch_file *file; /* NULL: of a directory that is gone */
    struct watch_stamp stamp;
    enum watch_outcome outcome;
    struct errinfo error;
    struct mono began;
};

/* ---- What becomes of a file ---- */

/* It was read, or given up: what happened meanwhile is looked at. */
static void file_done(struct watch_file *f)
{
    f->state = FILE_IDLE;
    f->dir->under_way--;
    if (f->again && !f->writing)
        watch_file_touch(f);
    f->again = false;
}

/* Another file may have waited for this one's zone. */
static void odd_may_be_right(struct watch *w)
{
    for (struct watch_dir *d = w->dirs; d; d = d->next) {
        if (d->odd_count)
            watch_scan_soon(d);
    }
}

static void settled(struct watch_file *f, enum watch_outcome outcome,
                    const struct watch_stamp *stamp, const struct errinfo *e)
{
    f->tries = 0;
    f->known = *stamp;
    f->gone = outcome == READ_GONE;
    watch_file_error(f, outcome == READ_ERROR || (f->gone && e->text[0]) ? e->text : NULL);
    file_done(f);
    if (f->gone)
        odd_may_be_right(f->dir->watch);
    if (f->gone && !f->error && f->state == FILE_IDLE)
        watch_file_drop(f); /* and no zone is of it any more */
}

/* Its zone was changed by somebody else at the same moment. */
static void try_again(struct watch_file *f, const struct errinfo *e)
{
    const struct watch_stamp none = {.there = false};

    if (++f->tries >= WATCH_TRIES) {
        settled(f, READ_ERROR, &none, e);
        return;
    }
    f->seen = none;
    f->again = true;
    file_done(f);
}

static void log_committed(const struct pending *p, const struct commit_job *job)
{
    char zone[NAME_TEXT_MAX];

    (void)name_to_text(zone, job->row.name);
    if (job->kind == COMMIT_MARK)
        log_info(say("a zone is removed with its file; its history is kept"), kv_str("zone", zone),
                 kv_str("file", job->row.file));
    else if (job->kind == COMMIT_SERVED)
        log_info(say("a zone is read from a file from now on"), kv_str("zone", zone),
                 kv_str("file", job->row.file), kv_u64("serial", job->row.serial.v));
    else if (job->kind == COMMIT_CHANGE)
        log_info(
            say("a zone file is taken"), kv_str("zone", zone), kv_str("file", job->row.file),
            kv_str("who", job->origin.who),
            kv_i64("from", job->base.has_content ? (int64_t)job->base.serial.v : -1),
            kv_u64("to", job->row.serial.v), kv_u64("version", job->row.version),
            kv_u64("added", job->changes ? job->changes->added.n : zone_records(job->new_zone)),
            kv_u64("removed", job->changes ? job->changes->removed.n : 0),
            kv_u64("records", zone_records(job->new_zone)),
            kv_i64("ms", watch_now(p->watch).ms - p->began.ms));
}

static void committed(const struct pending *p, const struct commit_job *job)
{
    struct watch *w = p->watch;
    struct store_zone row;

    if (job->kind == COMMIT_CHANGE)
        zone_cache_put(w->ops.cache, job->new_zone, job->row.seq);
    if (job->kind != COMMIT_STATE) {
        w->ops.changed(w->ops.ctx, &job->row);
    } else if (w->ops.row(w->ops.ctx, job->row.name, &row)) {
        commit_copy_state(&row, &job->row); /* the rest may be newer there */
        w->ops.changed(w->ops.ctx, &row);
    }
    log_committed(p, job);
}

static void on_committed(void *ctx, struct commit_job *job)
{
    struct pending *p = ctx;
    struct watch *w = p->watch;
    struct watch_file *f = p->file;
    const struct watch_stamp none = {.there = false};

    if (watch_unref(w)) {
        w->commits--;
        if (job->rc == OK)
            committed(p, job);
        if (!f && job->rc != OK)
            log_error(say("the state of a zone cannot be stored"), kv_err(&job->error));
        else if (f && job->rc == OK)
            settled(f, p->outcome, &p->stamp, &p->error);
        else if (f && job->rc == ERR_CONFLICT)
            try_again(f, &job->error);
        else if (f) /* a full disk, say: the next look at everything tries again */
            settled(f, READ_ERROR, &none, &job->error);
        watch_settle(w);
    }
    free(p);
}

static void submit(struct watch *w, struct watch_file *f, const struct watch_task *t,
                   struct commit_job *job, struct mono began)
{
    struct pending *p = xcalloc(1, sizeof(*p));

    p->watch = w;
    p->file = f;
    p->began = began;
    if (t) {
        p->stamp = t->stamp;
        p->outcome = t->outcome;
        p->error = t->error;
    }
    job->done = on_committed;
    job->ctx = p;
    w->commits++;
    watch_ref(w);
    w->ops.commit(w->ops.ctx, job);
}

void watch_forget_errors(struct watch_dir *d)
{
    struct watch *w = d->watch;

    for (struct watch_file *f = d->files; f; f = f->next) {
        struct store_zone row;
        struct commit_job *job;

        if (!f->error || !w->ops.row(w->ops.ctx, f->zone, &row) || row.kind != ZONE_LOCAL ||
            !row.failures)
            continue;
        job = commit_job_new(COMMIT_STATE, &row);
        job->row.failures = 0;
        job->row.last_error[0] = 0;
        job->owns_state = true;
        submit(w, NULL, NULL, job, watch_now(w));
    }
}

/* ---- Batches ---- */

static void batch_free(struct watch_batch *b)
{
    for (size_t i = 0; i < b->n; i++) {
        free(b->tasks[i].name);
        commit_job_free(b->tasks[i].job);
    }
    config_unref(b->config);
    free(b);
}

static void take_result(struct watch_batch *b, struct watch_task *t, struct mono began)
{
    struct watch_file *f = t->file;

    if (!b->dir->config) { /* not configured any more */
        file_done(f);
        return;
    }
    f->includes = t->includes;
    switch (t->outcome) {
    case READ_UNSETTLED:
        f->seen = t->stamp;
        f->again = true;
        file_done(f);
        return;
    case READ_LATER:
        file_done(f);
        watch_queue_take(f); /* if it was touched meanwhile */
        watch_queue_put(&b->watch->ready, f, FILE_READY);
        return;
    case READ_SAME:
    case READ_CHANGE:
    case READ_ERROR:
    case READ_GONE:
        break;
    }
    if (t->job) {
        submit(b->watch, f, t, t->job, began);
        t->job = NULL;
    } else {
        settled(f, t->outcome, &t->stamp, &t->error);
    }
}

static void on_read(void *ctx)
{
    struct watch_batch *b = ctx;
    struct watch *w = b->watch;

    if (watch_unref(w)) {
        w->batch_running = false;
        for (size_t i = 0; i < b->n; i++)
            take_result(b, &b->tasks[i], b->began);
        watch_settle(w);
    }
    batch_free(b);
}

/* A zone has one source of changes. */
static void refuse(struct watch_task *t, const struct config_zone *c)
{
    const char *why = NULL;

    if (!c || !c->name)
        return;
    if (c->primary_count)
        why = "the configuration has primaries for the zone";
    else if (c->producer)
        why = "the zone is a catalog that we make";
    else if (c->update_count)
        why = "the configuration lets UPDATE change the zone, so that a file may not";
    if (why)
        (void)snprintf(t->refused, sizeof(t->refused), "%s (line %d)", why, c->line);
}

static void add_task(struct watch_batch *b, struct watch_file *f)
{
    struct watch *w = b->watch;
    struct watch_task *t = &b->tasks[b->n++];

    t->file = f;
    t->name = xstrdup(f->name);
    (void)name_copy(t->zone, f->zone);
    t->expected = f->seen;
    refuse(t, w->ops.section(w->ops.ctx, f->zone));
    f->seen = (struct watch_stamp){.there = false};
    f->again = false;
    f->state = FILE_BUSY;
    f->dir->under_way++;
}

static size_t files_there(const struct watch_dir *d)
{
    size_t n = 0;

    for (const struct watch_file *f = d->files; f; f = f->next)
        n += !f->gone;
    return n;
}

void watch_batch_start(struct watch *w)
{
    struct watch_batch *b;
    struct watch_dir *d;
    struct watch_file *f;

    while ((f = w->ready.head) && !f->dir->config)
        watch_queue_take(f); /* its directory ends */
    if (!f || w->batch_running || w->commits >= WATCH_COMMITS)
        return;
    d = f->dir;
    b = xcalloc(1, sizeof(*b));
    b->watch = w;
    b->dir = d;
    b->config = config_ref(w->config);
    b->directory = d->config;
    b->readers = w->ops.readers;
    b->cache = w->ops.cache;
    b->now = clock_wall(loop_clock(w->ops.loop));
    b->began = watch_now(w);
    b->known = files_there(d);
    while ((f = w->ready.head) && f->dir == d && b->n < WATCH_BATCH_FILES) {
        watch_queue_take(f);
        add_task(b, f);
    }
    w->batch_running = true;
    watch_ref(w);
    loop_work(w->ops.loop, watch_read, on_read, b);
}
