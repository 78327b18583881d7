#include "syncd/replicate_internal.h"

#include <stdio.h>
#include <stdlib.h>

#include "lib/base/log.h"
#include "lib/base/mem.h"

#define FLUSH_AFTER_MS 1000 /* state is stored so late at most: many zones, one transaction */
#define ROWS_AT_ONCE 256

/* ---- Rows ---- */

/* Seconds of the wall and milliseconds since the start do not begin at the same moment, so the same
 * deadline comes out a second earlier or later: that is no news. */
static struct wall steady(struct wall was, struct wall is)
{
    int64_t moved = is.s - was.s;

    return was.s && moved >= -1 && moved <= 1 ? was : is;
}

void replicate_full_row(struct store_zone *out, const struct zone_entry *z)
{
    struct replicator *r = z->replicator;
    const struct refresh *f = &z->refresh;
    struct mono now = replicate_now(r);
    struct wall wall = clock_wall(r->ops.clock);

    zone_row_get(out, &z->row);
    if (!z->scheduled)
        return;
    out->failures = f->failures;
    out->next_check = refresh_wall(f->due, now, wall);
    out->expires_at = (struct wall){0};
    /* Until the store knows that a zone has expired, it keeps the deadline: who begins anew with
     * this row, after a reload or a crash, comes to the same end. */
    if (f->has_expiry || (f->expired && !z->row.expired))
        out->expires_at = steady(z->row.expires_at, refresh_wall(f->expires, now, wall));
    out->unserved_since = f->has_unserved ? refresh_wall(f->unserved, now, wall) : (struct wall){0};
    if (f->has_answer)
        out->last_check = refresh_wall(f->last_answer, now, wall);
    if (f->has_current)
        out->last_success = refresh_wall(f->last_current, now, wall);
}

void replicate_take_row(struct zone_entry *z, const struct store_zone *stored)
{
    struct store_zone row = *stored;
    struct store_zone ours;

    replicate_full_row(&ours, z);
    commit_copy_state(&row, &ours);
    zone_row_set(&z->row, &row);
}

/* ---- Waiting for a commit ---- */

struct commit_wait *replicate_wait_new(struct zone_entry *z)
{
    struct replicator *r = z->replicator;
    struct commit_wait *w = xcalloc(1, sizeof(*w));

    w->replicator = r;
    w->zone = z;
    w->next = r->waits;
    if (w->next)
        w->next->prev = w;
    r->waits = w;
    return w;
}

bool replicate_wait_end(struct commit_wait *w)
{
    struct replicator *r = w->replicator;

    if (!r)
        return false;
    if (w->prev)
        w->prev->next = w->next;
    else
        r->waits = w->next;
    if (w->next)
        w->next->prev = w->prev;
    return true;
}

void replicate_abandon_commits(struct replicator *r)
{
    for (struct commit_wait *w = r->waits; w; w = w->next)
        w->replicator = NULL;
    r->waits = NULL;
}

void replicate_submit(struct replicator *r, struct commit_job *job, commit_done_fn *done, void *ctx)
{
    job->done = done;
    job->ctx = ctx;
    job->owns_state = true;
    r->ops.commit(r->ops.ctx, job);
}

/* ---- New versions ---- */

static void log_version(const struct zone_entry *z, const struct commit_wait *w,
                        const struct commit_job *job)
{
    bool waiting = job->kind == COMMIT_WAITING;
    char zone[NAME_TEXT_MAX];

    (void)name_to_text(zone, z->row.name);
    log_info(say(job->stage == COMMIT_STAGE_PUT ? "a new version waits for its time"
                 : waiting                      ? "a new version waits, since the zone is held"
                                                : "a new version is committed"),
             kv_str("zone", zone), kv_str("primary", job->origin.source),
             kv_str("address", job->origin.who), kv_str("transport", job->origin.transport),
             kv_str("key", job->origin.key[0] ? job->origin.key : NULL),
             kv_str("kind", w->facts.sequences ? "ixfr" : "axfr"),
             kv_u64("sequences", w->facts.sequences),
             kv_i64("from", job->base.has_content ? (int64_t)job->base.serial.v : -1),
             kv_u64("to", w->report.serial.v),
             job->row.ours && !waiting ? kv_u64("served_as", job->row.serial.v)
                                       : kv_str("served_as", NULL),
             kv_u64("version", waiting ? job->row.last_version : job->row.version),
             kv_u64("added", job->changes ? job->changes->added.n : 0),
             kv_u64("removed", job->changes ? job->changes->removed.n : 0),
             kv_u64("records", job->new_zone ? zone_records(job->new_zone) : job->row.records),
             kv_u64("duplicates", w->duplicates), kv_u64("octets", w->facts.octets),
             kv_u64("messages", w->facts.messages), kv_u64("ms", w->facts.ms));
}

static void log_guard(const struct zone_entry *z, const struct commit_wait *w,
                      const struct commit_job *job)
{
    char zone[NAME_TEXT_MAX];

    (void)name_to_text(zone, z->row.name);
    log_warning(say("a new version is quarantined, the old one stays: zonectl quarantine diff "
                    "shows what is new, approve or reject decides"),
                kv_str("zone", zone), kv_str("why", job->origin.reason),
                kv_str("primary", job->origin.source), kv_str("address", job->origin.who),
                kv_i64("from", (int64_t)z->row.serial.v), kv_u64("to", w->report.serial.v),
                kv_u64("version", z->row.quarantine_version));
}

static void log_revived(const struct zone_entry *z)
{
    char zone[NAME_TEXT_MAX];

    (void)name_to_text(zone, z->row.name);
    log_info(say("an expired zone is served again"), kv_str("zone", zone),
             kv_u64("serial", z->row.serial.v));
}

static void on_version_done(void *ctx, struct commit_job *job);

/* The version is current as of now: with it goes the deadline that its SOA gives, so that it is
 * never served, or refused, by that of the version before. */
static void set_deadline(struct store_zone *row, const struct commit_wait *w)
{
    struct replicator *r = w->replicator;
    struct mono now = replicate_now(r);

    if (!w->zone->scheduled)
        return;
    if (w->report.has_soa) { /* a kill before the state is written would show the one before */
        row->has_primary_serial = true;
        row->primary_serial = w->report.serial;
    }
    row->last_success = clock_wall(r->ops.clock);
    row->expires_at =
        refresh_wall(refresh_deadline(&w->zone->refresh, &w->report, now), now, row->last_success);
}

/* A row that only stops to be expired. */
static void submit_revival(struct commit_wait *w, const struct store_zone *row)
{
    struct commit_job *job = commit_job_new(COMMIT_SERVED, row);

    replicate_full_row(&job->row, w->zone);
    job->row.expired = false;
    set_deadline(&job->row, w);
    w->revive = true;
    replicate_submit(w->replicator, job, on_version_done, w);
}

/* Tells the schedule, unless it began anew while the commit was on its way. */
static void version_over(struct commit_wait *w, const struct commit_job *job)
{
    struct zone_entry *z = w->zone;

    struct errinfo error = job->error;

    (void)replicate_wait_end(w);
    z->committing = false;
    if (job->rc == OK && job->kind == COMMIT_QUARANTINE)
        (void)err_set(ERR_CHECK, &error, "quarantined: %s", job->origin.reason);
    if (z->commit == w) {
        z->commit = NULL;
        replicate_transferred(z, &w->report, &w->facts, error.text);
    } else if (z->scheduled) {
        if (job->rc == OK)
            refresh_set_zone(&z->refresh, z->row.held, z->row.expired, true, w->report.serial);
        replicate_follow(z, refresh_asked(&z->refresh, false, false, replicate_now(z->replicator)));
    }
}

static void on_version_done(void *ctx, struct commit_job *job)
{
    struct commit_wait *w = ctx;
    struct zone_entry *z = w->zone;

    if (!w->replicator) {
        free(w);
        return;
    }
    if (job->rc == OK) {
        replicate_take_row(z, &job->row);
        if (job->stage == COMMIT_STAGE_PUT)
            replicate_staged(z, job->row.staged_version, w->report.serial, job->staged_since);
        if (w->revive)
            log_revived(z);
        else if (job->kind == COMMIT_QUARANTINE)
            log_guard(z, w, job);
        else
            log_version(z, w, job);
        if (job->kind == COMMIT_CHANGE && !w->revive && w->sound)
            z->sound = (struct soundness){job->row.seq, w->sound_until};
        if (job->kind == COMMIT_CHANGE && w->facts.sequences > 0 && w->replicator->ops.keep)
            w->replicator->ops.keep(w->replicator->ops.ctx, job->new_zone, job->row.seq);
        if (job->kind == COMMIT_CHANGE && !w->revive && replicate_catalog_of(z))
            replicate_catalog_changed(replicate_catalog_of(z), job->new_zone);
        if (job->kind == COMMIT_WAITING && job->row.expired) {
            submit_revival(w, &job->row); /* it is fresh, whichever version it serves */
            return;
        }
    } else {
        w->report.outcome = job->rc == ERR_CONFLICT ? TRANSFER_CONFLICT
                            : job->rc == ERR_LIMIT  ? TRANSFER_UNSTORED
                                                    : TRANSFER_FAILED;
        w->facts.reason = xfrin_fault_text(XFRIN_FAULT_STORE);
    }
    version_over(w, job);
    replicate_settle(z->replicator);
    free(w);
}

static void set_origin(struct origin *o, const struct zone_entry *z,
                       const struct xfrin_result *result)
{
    const struct config_primary *p = replicate_primary(z, z->refresh.at);
    char address[ADDR_TEXT_MAX];

    addr_to_text(address, &p->address);
    o->kind = result->incremental ? ORIGIN_IXFR : ORIGIN_AXFR;
    (void)snprintf(o->who, sizeof(o->who), "%s", address);
    (void)snprintf(o->source, sizeof(o->source), "%s", p->name);
    if (p->key >= 0)
        (void)snprintf(o->key, sizeof(o->key), "%s", z->replicator->config->keys[p->key].name);
    (void)snprintf(o->transport, sizeof(o->transport), "%s", result->transport);
}

static void warn_odd_serial(const struct zone_entry *z, const struct xfrin_result *result)
{
    char zone[NAME_TEXT_MAX];

    (void)name_to_text(zone, z->row.name);
    if (result->same_serial || result->older_serial)
        log_warning(say(result->same_serial ? "other content under the same serial is taken"
                                            : "a version with an older serial is taken"),
                    kv_str("zone", zone), kv_u64("from", result->row.serial.v),
                    kv_u64("to", result->report.serial.v));
    if (result->forward_ended)
        log_warning(say("the serial goes back, and the zone is signed or has a digest: secondaries "
                        "that follow this server must fetch the whole zone anew"),
                    kv_str("zone", zone), kv_u64("from", result->row.serial.v),
                    kv_u64("to", result->report.serial.v));
}

static void warn_alert(const struct zone_entry *z, const struct xfrin_result *result)
{
    char zone[NAME_TEXT_MAX];

    if (!result->guard.alert || result->guard.quarantine)
        return;
    (void)name_to_text(zone, z->row.name);
    log_warning(say("a version that looks odd is taken"), kv_str("zone", zone),
                kv_str("what", result->guard.reason), kv_u64("to", result->report.serial.v));
}

static void tell_signatures(const struct zone_entry *z, const struct guard_verdict *v)
{
    char zone[NAME_TEXT_MAX], until[WALL_TEXT_MAX];

    if (!v->sound)
        return;
    (void)name_to_text(zone, z->row.name);
    wall_to_text(until, v->until);
    log_debug(say("signatures of a new version are sound"), kv_str("zone", zone),
              kv_str("looked_at", v->whole ? "all" : "changes"), kv_u64("rrsets", v->rrsets),
              kv_str("until", until));
}

void replicate_commit_version(struct zone_entry *z, struct xfrin_result *result)
{
    struct replicator *r = z->replicator;
    struct commit_wait *w = replicate_wait_new(z);
    struct commit_job *job;

    w->report = result->report;
    w->facts = replicate_facts(result);
    w->duplicates = result->duplicates;
    w->sound = result->guard.sound;
    w->sound_until = result->guard.until;
    z->committing = true;
    z->commit = w;
    if (result->report.outcome == TRANSFER_SAME) {
        submit_revival(w, &result->row);
        return;
    }
    warn_odd_serial(z, result);
    warn_alert(z, result);
    tell_signatures(z, &result->guard);
    job = commit_job_new(result->quarantine                   ? COMMIT_QUARANTINE
                         : result->row.held || result->staged ? COMMIT_WAITING
                                                              : COMMIT_CHANGE,
                         &result->row);
    if (result->staged && !result->quarantine) {
        job->stage = COMMIT_STAGE_PUT;
        job->staged_since = replicate_now(r);
    }
    job->old_zone = result->old_zone;
    job->new_zone = result->new_zone;
    job->changes = result->changes;
    result->old_zone = result->new_zone = NULL;
    result->changes = NULL;
    set_origin(&job->origin, z, result);
    if (job->kind == COMMIT_CHANGE) {
        job->row.ours = result->ours;
        job->row.theirs = result->theirs;
    }
    if (result->quarantine)
        (void)snprintf(job->origin.reason, sizeof(job->origin.reason), "%s", result->guard.reason);
    else
        set_deadline(&job->row, w);
    replicate_submit(r, job, on_version_done, w);
}

/* ---- Expiry ---- */

static void expired_stored(struct zone_entry *z, const struct store_zone *stored)
{
    struct serial newest = z->row.ours ? z->row.theirs : z->row.serial;
    bool has;

    replicate_take_row(z, stored);
    if (!z->scheduled)
        return;
    /* A reload may have begun the schedule anew meanwhile, from a row that was not expired yet. */
    has = replicate_newest(z, &newest);
    refresh_set_zone(&z->refresh, z->row.held, z->row.expired, has, newest);
}

static void on_expired_done(void *ctx, struct commit_job *job)
{
    struct commit_wait *w = ctx;
    struct zone_entry *z = w->zone;

    if (replicate_wait_end(w)) {
        z->expiring = false;
        if (job->rc == OK)
            expired_stored(z, &job->row);
        else if (job->rc == ERR_CONFLICT) /* somebody changed the zone, and has told us how */
            replicate_retry_expired(z);
        else /* a full disk, say: the end of the next round tries again */
            log_error(say("a zone has expired, but that cannot be stored"), kv_err(&job->error));
        replicate_settle(z->replicator);
    }
    free(w);
}

void replicate_commit_expired(struct zone_entry *z)
{
    struct store_zone row;
    struct commit_job *job;
    char zone[NAME_TEXT_MAX];

    (void)name_to_text(zone, z->row.name);
    log_error(say("a zone has expired: no primary could be asked for too long"),
              kv_str("zone", zone), kv_u64("serial", z->row.serial.v),
              kv_str("error", z->row.last_error));
    zone_row_get(&row, &z->row);
    job = commit_job_new(COMMIT_SERVED, &row);
    replicate_full_row(&job->row, z);
    job->row.expired = true;
    job->row.expires_at = (struct wall){0};
    z->expiring = true;
    replicate_submit(z->replicator, job, on_expired_done, replicate_wait_new(z));
}

void replicate_retry_expired(struct zone_entry *z)
{
    if (z->scheduled && z->refresh.expired && !z->row.expired && !z->expiring)
        replicate_commit_expired(z);
}

/* ---- Rows that come and go with the configuration ---- */

static void list_put(struct zone_list *l, struct zone_entry *z, struct zone_entry **next)
{
    *next = NULL;
    if (!l->head)
        l->head = z;
    l->tail = z;
}

void replicate_commit_row(struct zone_entry *z)
{
    struct zone_list *l = &z->replicator->rows;

    if (z->row_busy)
        return; /* it is looked at again when that is done */
    z->row_busy = true;
    if (l->tail && l->head)
        l->tail->next_row = z;
    list_put(l, z, &z->next_row);
}

static void log_row(const struct zone_entry *z)
{
    char zone[NAME_TEXT_MAX];

    (void)name_to_text(zone, z->row.name);
    log_info(say(z->row.removed ? "a zone is not served any more; its history is kept"
                                : "a zone is added"),
             kv_str("zone", zone));
}

static void on_row_done(void *ctx, struct commit_job *job)
{
    struct commit_wait *w = ctx;
    struct zone_entry *z = w->zone;
    struct replicator *r = w->replicator;

    if (!replicate_wait_end(w)) {
        free(w);
        return;
    }
    free(w);
    r->rows_under_way--;
    z->row_busy = false;
    if (job->rc == OK) {
        replicate_take_row(z, &job->row);
        log_row(z);
    } else if (job->rc != ERR_CONFLICT) {
        log_error(say("a zone cannot be stored"), kv_err(&job->error));
        return;
    }
    if (!replicate_row_fits(z))
        replicate_commit_row(z); /* the configuration changed meanwhile, or the row did */
    else if (z->config && !z->scheduled)
        replicate_schedule(z);
    replicate_settle(r);
}

static void submit_row(struct zone_entry *z)
{
    struct store_zone row;
    struct commit_job *job;

    zone_row_get(&row, &z->row);
    job = commit_job_new(COMMIT_SERVED, &row);
    if (z->config) {
        job->row.kind = ZONE_SECONDARY;
        if (job->row.source != SOURCE_AUTOPRIMARY && job->row.source != SOURCE_CATALOG)
            job->row.source = SOURCE_CONFIG;
        replicate_owner_row(&job->row, z);
        job->row.removed = false;
    } else {
        job->row.removed = true;
    }
    z->replicator->rows_under_way++;
    replicate_submit(z->replicator, job, on_row_done, replicate_wait_new(z));
}

void replicate_submit_rows(struct replicator *r)
{
    while (r->rows.head && r->rows_under_way < ROWS_AT_ONCE) {
        struct zone_entry *z = r->rows.head;

        r->rows.head = z->next_row;
        if (replicate_row_fits(z)) { /* changed back while it waited */
            z->row_busy = false;
            if (z->config && !z->scheduled)
                replicate_schedule(z);
            continue;
        }
        submit_row(z);
    }
}

/* ---- State ---- */

void replicate_dirty(struct zone_entry *z)
{
    struct replicator *r = z->replicator;

    if (z->dirty)
        return;
    z->dirty = true;
    if (!r->dirty.head)
        r->flush_at = mono_add_ms(replicate_now(r), FLUSH_AFTER_MS);
    else
        r->dirty.tail->next_dirty = z;
    list_put(&r->dirty, z, &z->next_dirty);
}

static void on_state_done(void *ctx, struct commit_job *job)
{
    (void)ctx;
    if (job->rc != OK)
        log_error(say("the state of a zone cannot be stored"), kv_err(&job->error));
}

void replicate_flush(struct replicator *r, bool all)
{
    if (r->dirty.head && !all && mono_cmp(r->flush_at, replicate_now(r)) > 0)
        return;
    while (r->dirty.head) {
        struct zone_entry *z = r->dirty.head;
        struct store_zone row;

        r->dirty.head = z->next_dirty;
        z->dirty = false;
        if (z->row.id == 0)
            continue;
        replicate_full_row(&row, z);
        z->row.expires_at = row.expires_at;
        replicate_submit(r, commit_job_new(COMMIT_STATE, &row), on_state_done, NULL);
    }
}
