/* Versions that wait for their time, and their publication:
 *
 *    a version passed ──▶ stored as waiting ──its time is over──▶ pool: content ──▶ stored as
 * served ▲                                                        │ └───── the newest of those
 * behind it waits on ◀──────────┘
 */
#include "syncd/replicate_internal.h"

#include <stdio.h>
#include <stdlib.h>

#include "lib/base/log.h"
#include "lib/base/mem.h"

#define RETRY_MS 10000 /* after trouble in the store */

/* Those that wait now; a version that was served ends it for all before it. */
static struct stage_list *list_of(const struct zone_entry *z)
{
    if (z->stage)
        stage_drop(&z->stage->list, z->row.version);
    return z->stage && !z->row.staged_rejected ? &z->stage->list : NULL;
}

bool replicate_is_staged(const struct zone_entry *z)
{
    return z->row.staged_version > z->row.version && !z->row.staged_rejected;
}

static void on_staged(void *ctx, const struct store_staged *v)
{
    struct zone_entry *z = ctx;

    stage_add(&z->stage->list, v, replicate_now(z->replicator));
}

/* After a start, or for a zone that had no primaries for a while. */
static void read_list(struct zone_entry *z)
{
    struct replicator *r = z->replicator;
    struct store_zone row;
    struct errinfo e;

    z->stage = xcalloc(1, sizeof(*z->stage));
    zone_row_get(&row, &z->row);
    if (r->ops.staged && r->ops.staged(r->ops.ctx, &row, on_staged, z, &e) != OK)
        log_warning(say("which versions wait for their time cannot be found out; they are fetched "
                        "again"),
                    kv_err(&e));
}

bool replicate_staged_serial(struct zone_entry *z, struct serial *out)
{
    if (z->row.staged_version <= z->row.version)
        return false;
    if (!z->stage)
        read_list(z);
    for (size_t i = z->stage->list.n; i-- > 0;) {
        if (z->stage->list.versions[i].version == z->row.staged_version) {
            *out = z->stage->list.versions[i].serial;
            return true;
        }
    }
    return false;
}

void replicate_staged(struct zone_entry *z, uint64_t version, struct serial serial,
                      struct mono since)
{
    struct store_staged v = {.version = version, .serial = serial, .since = since};

    if (!z->stage)
        z->stage = xcalloc(1, sizeof(*z->stage));
    stage_drop(&z->stage->list, z->row.version);
    stage_add(&z->stage->list, &v, replicate_now(z->replicator));
}

void replicate_stage_free(struct zone_entry *z)
{
    if (z->stage) {
        stage_done(&z->stage->list);
        publication_done(&z->stage->result);
    }
    free(z->stage);
    z->stage = NULL;
}

/* ---- When ---- */

/* What keeps all of them from being served now: an operator's hold; that nothing may be served for
 * want of a primary; other work on the zone, which looks here again. */
static bool is_blocked(const struct zone_entry *z)
{
    return !z->scheduled || z->row.held || z->row.expired || z->row.removed || z->committing ||
           z->stage->publishing;
}

const struct store_staged *replicate_stage_next(const struct zone_entry *z, struct mono *at)
{
    const struct stage_list *l = list_of(z);

    return l && z->config ? stage_next(l, z->config->stage_s, at) : NULL;
}

bool replicate_stage_alarm(const struct zone_entry *z, struct mono *at)
{
    if (!replicate_stage_next(z, at) || is_blocked(z))
        return false;
    if (mono_cmp(*at, z->stage->retry_at) < 0)
        *at = z->stage->retry_at;
    return true;
}

/* ---- Publication ---- */

static void log_published(const struct zone_entry *z, const struct commit_job *job)
{
    char zone[NAME_TEXT_MAX];

    (void)name_to_text(zone, z->row.name);
    log_info(say("a version is served, its time is over"), kv_str("zone", zone),
             kv_str("staged", job->origin.source), kv_u64("from", job->base.serial.v),
             kv_u64("to", z->row.serial.v), kv_u64("version", z->row.version));
}

static void stage_over(struct zone_entry *z)
{
    z->stage->publishing = false;
    if (z->scheduled)
        replicate_follow(z, refresh_wake(&z->refresh, replicate_now(z->replicator)));
    replicate_settle(z->replicator);
}

/* What waited behind it is not there: the primary has it still. */
static void fetch_rest(struct zone_entry *z)
{
    struct mono now = replicate_now(z->replicator);

    if (!z->scheduled)
        return;
    refresh_set_zone(&z->refresh, z->row.held, z->row.expired, true,
                     z->row.ours ? z->row.theirs : z->row.serial);
    replicate_follow(z, refresh_asked(&z->refresh, false, false, now));
}

struct rest {
    struct commit_wait *wait;
    struct serial serial;
    struct mono since;
};

static void on_rest_done(void *ctx, struct commit_job *job)
{
    struct rest rest = *(struct rest *)ctx;
    struct zone_entry *z = rest.wait->zone;

    free(ctx);
    if (replicate_wait_end(rest.wait)) {
        if (job->rc == OK) {
            replicate_take_row(z, &job->row);
            replicate_staged(z, job->row.staged_version, rest.serial, rest.since);
        } else {
            fetch_rest(z);
        }
        stage_over(z);
    }
    free(rest.wait);
}

static void submit_rest(struct zone_entry *z, struct commit_wait *w, const struct store_zone *row)
{
    struct publication *p = &z->stage->result;
    struct rest *rest = xcalloc(1, sizeof(*rest));
    struct commit_job *job = commit_job_new(COMMIT_WAITING, row);

    replicate_full_row(&job->row, z);
    job->old_zone = p->served;
    job->new_zone = p->rest;
    job->changes = p->changes;
    job->origin = p->origin;
    job->stage = COMMIT_STAGE_PUT;
    job->staged_since = z->stage->rest_since;
    *rest = (struct rest){w, zone_serial(p->rest), z->stage->rest_since};
    *p = (struct publication){.rc = OK};
    replicate_submit(z->replicator, job, on_rest_done, rest);
}

static void on_published(void *ctx, struct commit_job *job)
{
    struct commit_wait *w = ctx;
    struct zone_entry *z = w->zone;

    if (!w->replicator) {
        free(w);
        return;
    }
    if (job->rc != OK) {
        if (job->rc !=
            ERR_CONFLICT) { /* else somebody changed the zone, and it is looked at anew */
            log_warning(say("a version whose time is over cannot be served yet"),
                        kv_err(&job->error));
            z->stage->retry_at = mono_add_ms(replicate_now(z->replicator), RETRY_MS);
        }
        publication_done(&z->stage->result);
        goto over;
    }
    replicate_take_row(z, &job->row);
    log_published(z, job);
    if (replicate_catalog_of(z))
        replicate_catalog_changed(replicate_catalog_of(z), job->new_zone);
    if (z->stage->result.rest) {
        submit_rest(z, w, &job->row);
        return;
    }
    publication_done(&z->stage->result);
over:
    (void)replicate_wait_end(w);
    stage_over(z);
    free(w);
}

static void on_made(void *ctx, struct publication *p)
{
    struct commit_wait *w = ctx;
    struct zone_entry *z = w->zone;
    struct commit_job *job = p->job;
    struct store_zone row;

    if (!w->replicator) {
        free(w);
        return;
    }
    if (p->rc) {
        log_warning(say("a version whose time is over cannot be served yet"), kv_err(&p->error));
        z->stage->retry_at = mono_add_ms(replicate_now(z->replicator), RETRY_MS);
        (void)replicate_wait_end(w);
        stage_over(z);
        free(w);
        return;
    }
    p->job = NULL;
    z->stage->result = *p;
    *p = (struct publication){.rc = OK};
    replicate_full_row(&row, z);
    commit_copy_state(&job->row, &row);
    replicate_submit(z->replicator, job, on_published, w);
}

void replicate_stage_run(struct zone_entry *z)
{
    struct replicator *r = z->replicator;
    struct stage_list *l = list_of(z);
    const struct store_staged *due, *newest;
    struct publish_spec spec;

    if (!l || !z->config || is_blocked(z) || !r->ops.publish ||
        mono_cmp(z->stage->retry_at, replicate_now(r)) > 0 ||
        !(due = stage_due(l, z->config->stage_s, replicate_now(r))))
        return;
    newest = &l->versions[l->n - 1];
    zone_row_get(&spec.row, &z->row);
    spec.version = due->version;
    spec.newest = newest->version;
    spec.stage_s = z->config->stage_s;
    spec.forward = z->config->guards.serial_back == CONFIG_BACK_ACCEPT;
    z->stage->rest_since = newest->since;
    z->stage->publishing = true;
    r->ops.publish(r->ops.ctx, &spec, on_made, replicate_wait_new(z));
}

void replicate_stages_again(struct replicator *r)
{
    for (size_t i = 0; i < r->bucket_count; i++) {
        for (struct zone_entry *z = r->buckets[i]; z; z = z->next) {
            if (z->scheduled && z->stage)
                replicate_alarm(z);
        }
    }
}
