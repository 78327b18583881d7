/* From plans to work, and from results to plans:
 *
 *    refresh ──plan──▶ follow ──▶ sched ──▶ start ──▶ probe / transfer ──result──▶ refresh
 */
#include "syncd/replicate_internal.h"

#include <string.h>

#include "lib/base/log.h"

static const uint8_t jitter_key[16] = "zoneledger-time"; /* the same at each start */

struct tls_peer *replicate_tls(const struct replicator *r, const struct config_primary *p)
{
    return keyring_tls(r->keys, (size_t)(p - r->config->primaries));
}

const struct config_primary *replicate_primary(const struct zone_entry *z, unsigned index)
{
    return &z->replicator->config->primaries[z->config->primaries[index]];
}

bool replicate_newest(const struct zone_entry *z, struct serial *out)
{
    *out = z->refresh.serial;
    return z->refresh.has_serial;
}

/* ---- Beginning and ending ---- */

static void stop_work(struct zone_entry *z)
{
    struct replicator *r = z->replicator;

    if (z->probe)
        r->ops.probe_cancel(r->ops.ctx, z->probe);
    if (z->transfer)
        r->ops.transfer_cancel(r->ops.ctx, z->transfer);
    z->probe = z->transfer = NULL;
    sched_remove(r->sched, &z->task);
}

void replicate_unschedule(struct zone_entry *z)
{
    struct store_zone row;

    if (!z->scheduled)
        return;
    stop_work(z);
    replicate_full_row(&row, z); /* the timers move from the schedule to the row */
    zone_row_set(&z->row, &row);
    refresh_done(&z->refresh);
    z->scheduled = false;
    z->commit = NULL;
}

static struct refresh_policy policy_of(const struct zone_entry *z)
{
    const struct config_zone *c = z->config;

    return (struct refresh_policy){.refresh_min_s = c->refresh_min_s,
                                   .refresh_max_s = c->refresh_max_s,
                                   .retry_min_s = c->retry_min_s,
                                   .retry_max_s = c->retry_max_s,
                                   .expire_max_s = c->expire_max_s,
                                   .tolerance_s = c->tolerance_s,
                                   .accept_back = c->guards.serial_back == CONFIG_BACK_ACCEPT,
                                   .back_s = c->guards.serial_back_s,
                                   .jitter = (uint16_t)name_hash(z->row.name, jitter_key)};
}

static void log_not_found_out(const struct zone_entry *z, const struct errinfo *e)
{
    char zone[NAME_TEXT_MAX];

    (void)name_to_text(zone, z->row.name);
    log_warning(say("where a zone came from cannot be found out, it may be fetched again"),
                kv_str("zone", zone), kv_err(e));
}

/* Is one of the zone's primaries called so? */
static bool primary_named(unsigned *out, const struct zone_entry *z, const char *name)
{
    for (unsigned i = 0; i < z->config->primary_count; i++) {
        if (strcmp(replicate_primary(z, i)->name, name) == 0) {
            *out = i;
            return true;
        }
    }
    return false;
}

/* The serial to compare primaries with: of what is served, or of the newest version that
 * waits for its time, or, while the zone is held, that ever came from a primary; and that primary,
 * if the zone stays with one. */
static void start_version(struct refresh_start *out, struct zone_entry *z)
{
    struct replicator *r = z->replicator;
    bool stays = z->config->tolerance_s && z->config->primary_count > 1 && z->row.has_content;
    struct replicator_fetched fetched;
    struct store_zone row;
    struct errinfo e;
    enum err rc;

    out->has_serial = z->row.has_content;
    out->serial = z->row.ours ? z->row.theirs : z->row.serial;
    if (!z->row.held)
        (void)replicate_staged_serial(z, &out->serial);
    if (!z->row.held && !stays)
        return;
    zone_row_get(&row, &z->row);
    rc = r->ops.fetched(r->ops.ctx, &row, &fetched, &e);
    if (rc == OK && z->row.held)
        out->serial = fetched.serial;
    if (rc == OK)
        out->has_pinned = primary_named(&out->pinned, z, fetched.primary);
    else if (rc != ERR_NOT_FOUND)
        log_not_found_out(z, &e);
}

void replicate_schedule(struct zone_entry *z)
{
    struct replicator *r = z->replicator;
    struct refresh_policy policy = policy_of(z);
    struct refresh_start start = {.has_content = z->row.has_content,
                                  .expired = z->row.expired,
                                  .held = z->row.held,
                                  .next_check = z->row.next_check,
                                  .expires_at = z->row.expires_at,
                                  .last_success = z->row.last_success,
                                  .unserved_since = z->row.unserved_since,
                                  .failures = z->row.failures};
    bool doubtful = false;

    start_version(&start, z);
    refresh_init(&z->refresh, &policy, (unsigned)z->config->primary_count, &start, replicate_now(r),
                 clock_wall(r->ops.clock), &doubtful);
    r->doubtful += doubtful;
    z->scheduled = true;
    replicate_follow(z, refresh_wake(&z->refresh, replicate_now(r)));
    if (z->fetch_anew)
        replicate_follow(z, refresh_asked(&z->refresh, true, false, replicate_now(r)));
}

/* ---- Doing what the plan says ---- */

static bool is_busy(const struct zone_entry *z)
{
    return z->probe || z->transfer || z->committing;
}

static void queue_work(struct zone_entry *z, enum sched_work work, const struct refresh_plan *plan)
{
    struct sched *s = z->replicator->sched;
    struct sched_peer *peer = sched_peer_get(s, &replicate_primary(z, plan->primary)->address);

    if (z->task.state == SCHED_QUEUED && z->task.work == work && z->task.peer == peer) {
        sched_raise(s, &z->task, plan->lane);
        return;
    }
    sched_finish(s, &z->task);
    sched_queue(s, &z->task, work, peer, plan->lane);
}

void replicate_alarm(struct zone_entry *z)
{
    struct sched *s = z->replicator->sched;
    struct mono at, staged;
    bool any = refresh_alarm(&z->refresh, &at);

    if (replicate_stage_alarm(z, &staged) && (!any || mono_cmp(staged, at) < 0)) {
        at = staged;
        any = true;
    }
    if (any)
        sched_alarm_set(s, &z->task, at);
    else
        sched_alarm_clear(s, &z->task);
}

void replicate_follow(struct zone_entry *z, struct refresh_plan plan)
{
    struct sched *s = z->replicator->sched;

    z->plan = plan;
    if (!is_busy(z)) {
        switch (plan.step) {
        case REFRESH_WAIT:
            sched_finish(s, &z->task);
            break;
        case REFRESH_PROBE:
            queue_work(z, WORK_PROBE, &plan);
            break;
        case REFRESH_TRANSFER:
            queue_work(z, WORK_TRANSFER, &plan);
            break;
        }
    }
    replicate_alarm(z);
    if (plan.expire)
        replicate_commit_expired(z);
}

/* ---- What is said about it ---- */

static void say_next_try(char out[WALL_TEXT_MAX], const struct zone_entry *z)
{
    struct replicator *r = z->replicator;
    struct mono now = replicate_now(r);

    /* Another primary, or what came meanwhile. */
    wall_to_text(out, z->plan.step == REFRESH_WAIT
                          ? refresh_wall(z->refresh.due, now, clock_wall(r->ops.clock))
                          : clock_wall(r->ops.clock));
}

static const char *key_of(const struct zone_entry *z, const struct config_primary *p)
{
    return p->key < 0 ? NULL : z->replicator->config->keys[p->key].name;
}

/* `facts` NULL: it was no transfer. */
static void log_failure(enum log_level level, const struct zone_entry *z,
                        const struct config_primary *p, const char *sentence,
                        const struct transfer_facts *facts, const char *error)
{
    struct transfer_facts f = {.transport = p->tls.on ? "tls" : NULL};
    char zone[NAME_TEXT_MAX];
    char address[ADDR_TEXT_MAX];
    char next[WALL_TEXT_MAX];

    if (facts)
        f = *facts;
    (void)name_to_text(zone, z->row.name);
    addr_to_text(address, &p->address);
    say_next_try(next, z);
    log_write(level, LOG_KVS(say(sentence), kv_str("zone", zone), kv_str("primary", p->name),
                             kv_str("address", address), kv_str("transport", f.transport),
                             kv_str("key", key_of(z, p)),
                             kv_str("kind", !facts          ? NULL
                                            : f.incremental ? "ixfr"
                                                            : "axfr"),
                             kv_str("reason", f.reason), kv_str("error", error),
                             facts ? kv_u64("records", f.records) : kv_str("records", NULL),
                             facts ? kv_u64("octets", f.octets) : kv_str("octets", NULL),
                             facts ? kv_u64("ms", f.ms) : kv_str("ms", NULL),
                             kv_u64("failures", z->refresh.failures), kv_str("next_try", next)));
}

static void note_error(struct zone_entry *z, const struct config_primary *p, const char *error)
{
    struct errinfo text;

    (void)err_set(ERR_FORMAT, &text, "%s: %s", p->name, error);
    zone_row_text(&z->row.last_error, text.text);
}

static void log_behind(const struct zone_entry *z, const struct config_primary *p,
                       struct serial theirs)
{
    char zone[NAME_TEXT_MAX];

    (void)name_to_text(zone, z->row.name);
    log_warning(say("a primary is behind us; its version is not taken"), kv_str("zone", zone),
                kv_str("primary", p->name), kv_u64("serial", z->refresh.serial.v),
                kv_u64("primary_serial", theirs.v));
}

static void say_back(struct zone_entry *z)
{
    struct refresh *f = &z->refresh;
    char zone[NAME_TEXT_MAX];

    if (!f->back_is_new)
        return;
    f->back_is_new = false;
    if (z->config->guards.serial_back == CONFIG_BACK_IGNORE)
        return;
    (void)name_to_text(zone, z->row.name);
    log_warning(say(z->config->guards.serial_back == CONFIG_BACK_ACCEPT
                        ? "the serial at all primaries that answer is behind ours: if it stays so, "
                          "their version is taken"
                        : "the serial at all primaries that answer is behind ours: zonectl "
                          "retransfer takes their version"),
                kv_str("zone", zone), kv_u64("serial", f->serial.v),
                kv_u64("primary_serial", z->row.primary_serial.v),
                kv_u64("after_s", z->config->guards.serial_back_s));
}

/* What a round left behind, into the row. */
static void note_state(struct zone_entry *z)
{
    const struct refresh *f = &z->refresh;

    if (f->step == REFRESH_WAIT && f->current && f->failures == 0)
        zone_row_text(&z->row.last_error, "");
    say_back(z);
    replicate_retry_expired(z);
    replicate_look_orphan(z);
    replicate_dirty(z);
}

/* ---- Probes ---- */

static void note_answer(struct zone_entry *z, const struct config_primary *p, struct serial serial)
{
    z->row.has_primary_serial = true;
    z->row.primary_serial = serial;
    if (!z->row.last_primary || strcmp(z->row.last_primary, p->name) != 0)
        zone_row_text(&z->row.last_primary, p->name);
}

static void after_probe(struct zone_entry *z, const struct config_primary *p, unsigned asked,
                        const struct probe_report *report)
{
    struct errinfo text;

    if (report->outcome != PROBE_SOA) {
        uint32_t failures = z->refresh.primaries[asked].failures;

        log_failure(failures == 1 ? LOG_WARNING : LOG_DEBUG, z, p, "a primary cannot be asked",
                    NULL, report->error.text);
    } else if (z->plan.behind) {
        log_behind(z, p, report->serial);
        (void)err_set(ERR_SERIAL, &text, "its serial %u is behind ours, %u",
                      (unsigned)report->serial.v, (unsigned)z->refresh.serial.v);
        note_error(z, p, text.text);
    } else if (z->plan.refused) {
        log_failure(LOG_DEBUG, z, p, "a primary still has the version that is refused here", NULL,
                    z->row.last_error);
    }
}

static void on_probed(void *ctx, const struct probe_report *report)
{
    struct zone_entry *z = ctx;
    struct replicator *r = z->replicator;
    unsigned asked = z->refresh.at;
    const struct config_primary *p = replicate_primary(z, asked);

    z->probe = NULL;
    replicate_count_probe(r, p, report);
    sched_finish(r->sched, &z->task);
    if (report->outcome == PROBE_SOA)
        note_answer(z, p, report->serial);
    else
        note_error(z, p, report->error.text);
    refresh_set_silent(&z->refresh, replicate_silent(r, z));
    replicate_follow(z, refresh_probed(&z->refresh, report, replicate_now(r)));
    after_probe(z, p, asked, report);
    note_state(z);
    replicate_settle(r);
}

static void start_probe(struct zone_entry *z)
{
    struct replicator *r = z->replicator;
    const struct config_primary *p = replicate_primary(z, z->plan.primary);
    struct probe_spec spec = {.address = p->address,
                              .source = p->source,
                              .key = keyring_get(r->keys, p->key),
                              .tls = replicate_tls(r, p),
                              .timeout_ms = r->config->probe_timeout_ms,
                              /* Knot shows catalogs only to who may transfer them, by TCP. */
                              .tcp = replicate_catalog_of(z) != NULL};

    (void)name_copy(spec.zone, z->row.name);
    z->probe = r->ops.probe(r->ops.ctx, &spec, on_probed, z);
}

/* ---- Transfers ---- */

struct transfer_facts replicate_facts(const struct xfrin_result *result)
{
    return (struct transfer_facts){
        .incremental = result->incremental ||
                       (result->asked_ixfr && result->report.outcome == TRANSFER_NOT_INCREMENTAL),
        .transport = result->transport,
        .reason = result->fault == XFRIN_SOUND ? NULL : xfrin_fault_text(result->fault),
        .sequences = result->sequences,
        .messages = result->messages,
        .records = result->records,
        .octets = result->octets,
        .ms = result->ms};
}

void replicate_transferred(struct zone_entry *z, const struct transfer_report *report,
                           const struct transfer_facts *facts, const char *error)
{
    struct replicator *r = z->replicator;
    unsigned asked = z->refresh.at;
    const struct config_primary *p = replicate_primary(z, asked);

    if (report->has_soa)
        note_answer(z, p, report->serial);
    if (report->outcome != TRANSFER_NEW && report->outcome != TRANSFER_SAME &&
        report->outcome != TRANSFER_NOT_INCREMENTAL && report->outcome != TRANSFER_CONFLICT)
        note_error(z, p, error);
    refresh_set_silent(&z->refresh, replicate_silent(r, z));
    replicate_follow(z, refresh_transferred(&z->refresh, report, replicate_now(r)));
    switch (report->outcome) {
    case TRANSFER_NEW:
    case TRANSFER_SAME:
        zone_row_text(&z->row.last_error, "");
        if (z->fetch_anew && !z->refresh.any_serial && !z->refresh.want_retransfer)
            replicate_fetched_anew(z);
        break;
    case TRANSFER_NOT_INCREMENTAL:
        log_failure(LOG_WARNING, z, p,
                    "an incremental transfer cannot be used, the whole zone is fetched", facts,
                    error);
        break;
    case TRANSFER_CONFLICT:
        log_failure(LOG_INFO, z, p, "a zone was changed by somebody else during its transfer",
                    facts, error);
        break;
    case TRANSFER_UNSTORED:
        log_failure(LOG_ERROR, z, p,
                    "a version came, but the store cannot take it; it is fetched again", facts,
                    error);
        break;
    case TRANSFER_OLDER:
        if (z->plan.behind)
            log_behind(z, p, report->serial);
        break;
    case TRANSFER_REFUSED:
        log_failure(LOG_WARNING, z, p, "a version is refused, the old one stays", facts, error);
        break;
    case TRANSFER_FAILED:
        log_failure(LOG_WARNING, z, p, "a transfer failed, the old version stays", facts, error);
        break;
    }
    note_state(z);
}

static void on_received(void *ctx)
{
    struct zone_entry *z = ctx;

    sched_finish(z->replicator->sched, &z->task);
    replicate_settle(z->replicator);
}

static void on_transferred(void *ctx, struct xfrin_result *result)
{
    struct zone_entry *z = ctx;
    struct replicator *r = z->replicator;
    struct transfer_facts facts = replicate_facts(result);
    bool revives = result->report.outcome == TRANSFER_SAME && z->row.expired;

    z->transfer = NULL;
    replicate_count_transfer(r, replicate_primary(z, z->refresh.at), result);
    sched_finish(r->sched, &z->task);
    if (result->report.outcome == TRANSFER_NEW || result->quarantine || revives)
        replicate_commit_version(z, result);
    else
        replicate_transferred(z, &result->report, &facts, result->error.text);
    replicate_settle(r);
}

static void start_transfer(struct zone_entry *z)
{
    static const struct xfrin_events events = {on_received, on_transferred};
    struct replicator *r = z->replicator;
    const struct config *c = r->config;
    const struct config_primary *p = replicate_primary(z, z->plan.primary);
    struct xfrin_spec spec = {.address = p->address,
                              .source = p->source,
                              .key = keyring_get(r->keys, p->key),
                              .tls = replicate_tls(r, p),
                              .connect_ms = 2 * c->probe_timeout_ms,
                              .idle_ms = c->transfer_idle_ms,
                              .max_s = c->transfer_max_s,
                              .limits = {.max_bytes = c->max_zone_bytes,
                                         .max_records = c->max_zone_records,
                                         .max_rrset = c->max_rrset_records,
                                         .max_types = c->max_owner_types},
                              .any_serial = z->refresh.any_serial,
                              .catalog = replicate_catalog_of(z) != NULL,
                              .guards = z->config->guards,
                              .command = z->config->command.arg_count ? &z->config->command : NULL,
                              .config = r->config,
                              .stage = z->config->stage_s > 0,
                              .guard_threads = c->pool_threads,
                              .sound = z->sound};

    (void)name_copy(spec.zone, z->row.name);
    spec.has_newest = replicate_newest(z, &spec.newest);
    /* Increments need their base: not after a rollback, nor where an operator wants it anew. */
    spec.ixfr = p->ixfr && !z->plan.whole && !spec.any_serial && !z->row.held &&
                z->row.has_content && spec.has_newest &&
                (serial_eq(spec.newest, z->row.ours ? z->row.theirs : z->row.serial) ||
                 replicate_is_staged(z));
    spec.udp = p->ixfr_udp;
    spec.udp_ms = c->probe_timeout_ms;
    z->transfer = r->ops.transfer(r->ops.ctx, &spec, &events, z);
}

/* ---- The pump ---- */

/* What was queued for a primary that has turned out to be silent since goes to another one. */
static bool asks_elsewhere(struct zone_entry *z, struct mono now)
{
    struct replicator *r = z->replicator;
    struct refresh_plan plan;

    refresh_set_silent(&z->refresh, replicate_silent(r, z));
    if (refresh_elsewhere(&z->refresh, &plan, now)) {
        sched_finish(r->sched, &z->task);
        replicate_follow(z, plan);
        return true;
    }
    replicate_scout(r, replicate_primary(z, z->refresh.at));
    return false;
}

void replicate_settle(struct replicator *r)
{
    struct mono now = replicate_now(r);
    struct sched_task *t;
    struct mono at;
    bool any;

    if (r->stopping)
        return;
    replicate_submit_rows(r);
    while ((t = sched_start(r->sched, now))) {
        struct zone_entry *z = (struct zone_entry *)t;

        if (asks_elsewhere(z, now))
            continue;
        refresh_started(&z->refresh);
        if (t->work == WORK_PROBE)
            start_probe(z);
        else
            start_transfer(z);
    }
    any = sched_next_time(r->sched, now, &at);
    if (r->dirty.head && (!any || mono_cmp(r->flush_at, at) < 0)) {
        at = r->flush_at;
        any = true;
    }
    if (any)
        r->ops.alarm(r->ops.ctx, at);
}
