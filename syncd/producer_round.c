#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/log.h"
#include "syncd/producer_internal.h"

struct round *round_new(struct producer *p)
{
    struct round *r = xcalloc(1, sizeof(*r));
    size_t n = p->config->producer_count;

    r->producer = p;
    r->config = config_ref(p->config);
    r->readers = p->ops.readers;
    r->cache = p->ops.cache;
    r->now = clock_wall(loop_clock(p->ops.loop));
    arena_init(&r->arena, 0);
    r->plan.catalogs = xcalloc(n, sizeof(*r->plan.catalogs));
    r->plan.catalog_count = n;
    r->apexes = xcalloc(n, sizeof(*r->apexes));
    r->rows = xcalloc(n, sizeof(*r->rows));
    r->made_at = xcalloc(n, sizeof(*r->made_at));
    for (size_t i = 0; i < n; i++) {
        const char *name = p->config->producers[i].name;

        if (name_from_text(r->apexes[i], name, strlen(name), NULL, NULL) == OK) /* was checked */
            (void)name_fold(r->apexes[i], r->apexes[i]);
        r->plan.catalogs[i].apex = r->apexes[i];
    }
    return r;
}

static void touched_free(struct touched *t)
{
    while (t) {
        struct touched *next = t->next;

        free(t);
        t = next;
    }
}

static void round_free(struct round *r)
{
    producer_plan_done(&r->plan);
    for (size_t i = 0; i < r->plan.catalog_count; i++)
        zone_unref(r->plan.catalogs[i].base);
    free(r->plan.catalogs);
    touched_free(r->touched);
    arena_done(&r->arena);
    free(r->wants);
    free(r->leftovers);
    free(r->leftover_rows);
    free(r->apexes);
    free(r->rows);
    free(r->made_at);
    config_unref(r->config);
    free(r);
}

/* ---- In a thread of the pool, which has the round to itself ---- */

/* A row that a catalog of ours may have, or take. */
static bool is_free(const struct store_zone *row)
{
    return row->removed || (row->kind == ZONE_LOCAL && store_zone_is_catalog(row));
}

static enum err load_content(struct round *r, struct store *s, size_t i, struct errinfo *e)
{
    struct producer_catalog *c = &r->plan.catalogs[i];
    const struct store_zone *row = &r->rows[i];
    struct store_version v;
    enum err rc;

    c->foreign = row->kind != ZONE_LOCAL || !store_zone_is_catalog(row);
    c->version = row->last_version + 1;
    if (!row->has_content)
        return OK;
    c->base = zone_cache_get(r->cache, row->name, row->seq);
    if ((!c->base && (rc = store_zone_load(&c->base, s, row, e))) ||
        (rc = store_version_get(s, row->id, row->version, &v, e)))
        return rc;
    r->made_at[i] = v.at;
    return OK;
}

static enum err load_catalog(struct round *r, struct store *s, size_t i, struct errinfo *e)
{
    struct producer_catalog *c = &r->plan.catalogs[i];
    struct store_zone *row = &r->rows[i];
    enum err rc = store_zone_get(s, c->apex, row, e);

    /* The wall clock, so that a store that was lost and made anew goes on ahead of its own past. */
    c->first = (struct serial){(uint32_t)r->now.s};
    if (rc == ERR_NOT_FOUND) {
        *row = (struct store_zone){.kind = ZONE_LOCAL, .source = SOURCE_CONFIG};
        (void)name_copy(row->name, c->apex);
        c->version = 1;
        return OK;
    }
    if (rc)
        return rc;
    if (is_free(row))
        return load_content(r, s, i, e);
    c->blocked = true;
    return OK;
}

static enum err load(struct round *r, struct store *s, struct errinfo *e)
{
    enum err rc = OK;

    for (size_t i = 0; i < r->plan.catalog_count && !rc; i++)
        rc = load_catalog(r, s, i, e);
    r->leftover_rows = xcalloc(r->leftover_count, sizeof(*r->leftover_rows));
    for (size_t i = 0; i < r->leftover_count && !rc; i++)
        rc = store_zone_get(s, r->leftovers[i], &r->leftover_rows[i], e);
    return rc;
}

static void work(void *ctx)
{
    struct round *r = ctx;
    struct store *s = NULL;

    if ((r->rc = store_readers_take(r->readers, &s, &r->error)))
        return;
    if (!(r->rc = store_read_begin(s, &r->error))) {
        r->rc = load(r, s, &r->error);
        store_read_end(s);
    }
    store_readers_give(r->readers, s, r->rc);
    r->plan.wants = r->wants;
    r->plan.want_count = r->want_count;
    if (!r->rc)
        r->rc = producer_plan_make(&r->plan, &r->error);
}

/* ---- The commits ---- */

/* One commit of a round. */
struct round_commit {
    struct round *round;
    const struct producer_catalog *catalog; /* NULL: a leftover */
};

static void round_over(struct round *r)
{
    if (r->producer)
        producer_round_over(r->producer, r);
    round_free(r);
}

static void log_catalog(const struct commit_job *job, const struct producer_catalog *c)
{
    char zone[NAME_TEXT_MAX];

    (void)name_to_text(zone, job->row.name);
    if (!c) {
        log_info(say("a catalog zone is not made any more; its history is kept"),
                 kv_str("zone", zone));
        return;
    }
    log_info(say("a catalog zone has a new version"), kv_str("zone", zone),
             kv_i64("from", job->base.has_content ? (int64_t)job->base.serial.v : -1),
             kv_u64("to", job->row.serial.v), kv_u64("joined", c->joined), kv_u64("left", c->left),
             kv_u64("moved", c->moved), kv_u64("records", job->row.records));
}

static void on_committed(void *ctx, struct commit_job *job)
{
    struct round_commit *k = ctx;
    struct round *r = k->round;

    if (job->rc == OK && r->producer) {
        if (k->catalog)
            zone_cache_put(r->cache, job->new_zone, job->row.seq);
        r->producer->ops.changed(r->producer->ops.ctx, &job->row);
        log_catalog(job, k->catalog);
    } else if (job->rc == ERR_CONFLICT) {
        r->end = ROUND_AGAIN;
    } else if (job->rc != OK) {
        log_error(say("a catalog zone cannot be stored"), kv_err(&job->error));
        r->end = ROUND_LATER;
    }
    free(k);
    if (--r->pending == 0)
        round_over(r);
}

static void submit(struct round *r, struct commit_job *job, const struct producer_catalog *c)
{
    struct round_commit *k = xcalloc(1, sizeof(*k));

    *k = (struct round_commit){.round = r, .catalog = c};
    job->origin.kind = ORIGIN_CATALOG;
    (void)snprintf(job->origin.who, sizeof(job->origin.who), "syncd");
    (void)snprintf(job->origin.source, sizeof(job->origin.source), "zones of this server");
    job->done = on_committed;
    job->ctx = k;
    r->pending++;
    r->producer->ops.commit(r->producer->ops.ctx, job);
}

bool round_made(const struct commit_job *job)
{
    return job->done == on_committed;
}

static void submit_catalog(struct round *r, size_t i)
{
    static const struct store_zone none;
    struct producer_catalog *c = &r->plan.catalogs[i];
    struct commit_job *job = commit_job_new(COMMIT_CHANGE, &r->rows[i]);
    struct store_zone *row = &job->row;

    row->kind = ZONE_LOCAL;
    row->source = SOURCE_CONFIG;
    row->removed = row->held = false;
    row->account[0] = 0;
    (void)name_copy(row->catalog, row->name);
    row->member[0] = 0;
    commit_copy_state(row, &none); /* of a secondary zone that once had the name */
    job->owns_state = true;
    job->old_zone = c->base;
    job->new_zone = c->next;
    job->changes = c->changes;
    c->base = c->next = NULL;
    c->changes = NULL;
    (void)snprintf(job->origin.reason, sizeof(job->origin.reason),
                   "%zu joined, %zu left, %zu moved to another catalog", c->joined, c->left,
                   c->moved);
    submit(r, job, c);
}

/* One that is here, right as it is, but was removed, is served again. */
static void submit_row(struct round *r, size_t i)
{
    struct commit_job *job = commit_job_new(COMMIT_SERVED, &r->rows[i]);

    job->row.removed = false;
    submit(r, job, &r->plan.catalogs[i]);
}

static void submit_leftover(struct round *r, size_t i)
{
    struct commit_job *job = commit_job_new(COMMIT_SERVED, &r->leftover_rows[i]);

    job->row.removed = true;
    submit(r, job, NULL);
}

static void complain_of_blocked(const struct round *r)
{
    for (size_t i = 0; i < r->plan.catalog_count; i++) {
        if (r->plan.catalogs[i].blocked && r->rows[i].id && !is_free(&r->rows[i]))
            log_error(say("a catalog zone cannot be made, since there is another zone with its "
                          "name"),
                      kv_str("zone", r->config->producers[i].name),
                      kv_i64("line", r->config->producers[i].line));
    }
}

static void worked(void *ctx)
{
    struct round *r = ctx;

    if (!r->producer) {
        round_free(r);
        return;
    }
    if (r->rc) {
        log_error(say("catalog zones cannot be made"), kv_err(&r->error));
        r->end = ROUND_LATER;
        round_over(r);
        return;
    }
    if (r->plan.incomplete)
        r->end = ROUND_AGAIN;
    if (r->plan.all)
        complain_of_blocked(r);
    r->pending = 1; /* so that it ends once, behind the last of them */
    for (size_t i = 0; i < r->plan.catalog_count; i++) {
        if (r->plan.catalogs[i].next)
            submit_catalog(r, i);
        else if (r->rows[i].removed && !r->plan.catalogs[i].blocked)
            submit_row(r, i);
    }
    for (size_t i = 0; i < r->leftover_count; i++)
        submit_leftover(r, i);
    if (--r->pending == 0)
        round_over(r);
}

void round_start(struct round *r)
{
    loop_work(r->producer->ops.loop, work, worked, r);
}
