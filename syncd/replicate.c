#include "syncd/replicate_internal.h"

#include <stdlib.h>

#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/dns/message.h"
#include "syncd/tsig_query.h"

#define PROBES_RUNNING 256 /* a socket each */
#define PROBES_PER_PEER 192
#define WARNINGS_PER_SECOND 5

/* ---- The table of zones ---- */

static size_t slot_of(const struct replicator *r, const uint8_t *zone)
{
    return name_hash(zone, r->hash_key) & (r->bucket_count - 1);
}

struct zone_entry *replicate_find(const struct replicator *r, const uint8_t *zone)
{
    struct zone_entry *z;

    if (r->bucket_count == 0)
        return NULL;
    for (z = r->buckets[slot_of(r, zone)]; z; z = z->next) {
        if (name_eq(z->row.name, zone))
            return z;
    }
    return NULL;
}

static void table_grow(struct replicator *r)
{
    struct zone_entry **old = r->buckets;
    size_t n = r->bucket_count;

    r->bucket_count = n ? n * 2 : 64;
    r->buckets = xcalloc(r->bucket_count, sizeof(struct zone_entry *));
    for (size_t i = 0; i < n; i++) {
        while (old[i]) {
            struct zone_entry *z = old[i];
            size_t slot = slot_of(r, z->row.name);

            old[i] = z->next;
            z->next = r->buckets[slot];
            r->buckets[slot] = z;
        }
    }
    free(old);
}

struct zone_entry *replicate_add(struct replicator *r, const struct store_zone *row)
{
    struct zone_entry *z = xcalloc(1, sizeof(*z));
    size_t slot;

    if (r->zone_count >= r->bucket_count)
        table_grow(r);
    z->replicator = r;
    zone_row_set(&z->row, row);
    replicate_count_orphan(z);
    slot = slot_of(r, row->name);
    z->next = r->buckets[slot];
    r->buckets[slot] = z;
    r->zone_count++;
    return z;
}

static enum err on_row(void *ctx, const struct store_zone *row, struct errinfo *e)
{
    (void)e;
    (void)replicate_add(ctx, row);
    return OK;
}

/* ---- Life ---- */

static struct sched_limits limits_of(const struct config *c)
{
    return (struct sched_limits){
        .running = {[WORK_PROBE] = PROBES_RUNNING, [WORK_TRANSFER] = c->transfers_in},
        .per_peer = {[WORK_PROBE] = PROBES_PER_PEER, [WORK_TRANSFER] = c->transfers_per_primary},
        .probe_rate = c->probe_rate,
        .probe_rate_peer = c->probe_rate_per_primary};
}

enum err replicator_new(struct replicator **out, const struct replicator_ops *ops,
                        struct config *config, struct keyring *keys, struct errinfo *e)
{
    struct replicator *r = xcalloc(1, sizeof(*r));
    struct sched_limits limits = limits_of(config);
    uint8_t key[16];
    enum err rc;

    r->ops = *ops;
    r->keys = keyring_ref(keys);
    r->sched = sched_new(&limits, replicate_now(r));
    clock_random(ops->clock, r->hash_key, sizeof(r->hash_key));
    clock_random(ops->clock, key, sizeof(key));
    r->limiter = notify_limiter_new(key);
    token_bucket_init(&r->warnings, WARNINGS_PER_SECOND, WARNINGS_PER_SECOND, replicate_now(r));
    if ((rc = ops->rows(ops->ctx, on_row, r, e))) {
        replicator_free(r);
        return rc;
    }
    replicate_configure(r, config);
    replicate_settle(r);
    *out = r;
    return OK;
}

static void entry_free(struct zone_entry *z)
{
    zone_row_done(&z->row);
    free(z->removal);
    replicate_stage_free(z);
    free(z);
}

void replicator_free(struct replicator *r)
{
    if (!r)
        return;
    r->stopping = true;
    replicate_flush(r, true);
    for (size_t i = 0; i < r->bucket_count; i++) {
        while (r->buckets[i]) {
            struct zone_entry *z = r->buckets[i];

            r->buckets[i] = z->next;
            replicate_unschedule(z);
            entry_free(z);
        }
    }
    replicate_abandon_commits(r);
    replicate_provision_free(r);
    replicate_catalogs_free(r);
    replicate_numbers_free(r);
    free(r->buckets);
    notify_limiter_free(r->limiter);
    sched_free(r->sched);
    keyring_unref(r->keys);
    config_unref(r->config);
    free(r);
}

void replicator_reload(struct replicator *r, struct config *config, struct keyring *keys)
{
    struct sched_limits limits = limits_of(config);

    replicate_configure(r, config);
    keyring_unref(r->keys);
    r->keys = keyring_ref(keys);
    sched_set_limits(r->sched, &limits);
    replicate_stages_again(r);
    replicate_provision_again(r);
    replicate_settle(r);
}

void replicator_run(struct replicator *r)
{
    struct mono now = replicate_now(r);
    struct sched_task *t;

    while ((t = sched_alarm_pop(r->sched, now))) {
        struct zone_entry *z = (struct zone_entry *)t;

        if (!z->scheduled)
            continue;
        replicate_stage_run(z);
        refresh_set_silent(&z->refresh, replicate_silent(r, z));
        replicate_follow(z, refresh_wake(&z->refresh, now));
    }
    replicate_flush(r, false);
    replicate_settle(r);
}

/* ---- What operators ask ---- */

static enum err find_scheduled(struct zone_entry **out, struct replicator *r, const uint8_t *zone,
                               struct errinfo *e)
{
    struct zone_entry *z = replicate_find(r, zone);
    char text[NAME_TEXT_MAX];

    (void)name_to_text(text, zone);
    if (!z || z->row.removed || (z->row.id == 0 && !z->config))
        return err_set(ERR_NOT_FOUND, e, "there is no zone %s; 'zonectl zone list' shows all",
                       text);
    if (!z->scheduled)
        return err_set(ERR_CONFLICT, e, "zone %s has no primaries here", text);
    *out = z;
    return OK;
}

static enum err ask(struct replicator *r, const uint8_t *zone, bool retransfer, struct errinfo *e)
{
    struct zone_entry *z = NULL;
    enum err rc = find_scheduled(&z, r, zone, e);

    if (rc)
        return rc;
    replicate_follow(z, refresh_asked(&z->refresh, retransfer, true, replicate_now(r)));
    replicate_settle(r);
    return OK;
}

enum err replicator_refresh(struct replicator *r, const uint8_t *zone, struct errinfo *e)
{
    return ask(r, zone, false, e);
}

enum err replicator_retransfer(struct replicator *r, const uint8_t *zone, struct errinfo *e)
{
    return ask(r, zone, true, e);
}

void replicator_row_changed(struct replicator *r, const struct store_zone *row)
{
    struct zone_entry *z = replicate_find(r, row->name);
    struct store_zone merged = *row;
    struct store_zone was;
    bool released;
    struct serial newest = store_zone_theirs(row);
    bool has_newest = row->has_content;
    bool other_content, hidden;

    if (!z)
        z = replicate_add(r, row);
    replicate_full_row(&was, z);
    released = (was.held && !row->held) ||
               (was.quarantine_version > was.version && row->quarantine_version <= row->version) ||
               (store_zone_is_staged(&was) && row->staged_version <= row->version);
    /* What waited was made from a version that is not served any more: it is fetched once more. */
    hidden = (was.held || store_zone_is_staged(&was)) && row->held &&
             was.last_version > was.version && row->version != was.version;
    other_content = was.version != row->version || was.removed != row->removed;
    if (z->scheduled) {
        commit_copy_state(&merged, &was); /* ours is newer */
        if (row->held || row->staged_version > row->version)
            has_newest = replicate_newest(z, &newest);
    }
    zone_row_set(&z->row, &merged);
    if (row->removed && !was.removed)
        replicate_gone(z);
    else if (was.removed && !row->removed)
        replicate_back(z);
    replicate_directory(z);
    if (z->scheduled && !replicate_row_fits(z)) {
        replicate_unschedule(z);
    } else if (z->scheduled) {
        refresh_set_zone(&z->refresh, row->held, row->expired, has_newest, newest);
        if (released || hidden)
            replicate_follow(z, refresh_asked(&z->refresh, hidden, true, replicate_now(r)));
        else
            replicate_alarm(z);
    } else if (z->config && replicate_row_fits(z)) {
        replicate_schedule(z);
    }
    if (other_content && row->has_content && !row->removed && replicate_catalog_of(z))
        replicate_catalog_changed(replicate_catalog_of(z), NULL);
    replicate_settle(r);
}

/* ---- What is asked about zones ---- */

const struct config_zone *replicator_section(const struct replicator *r, const uint8_t *zone)
{
    const struct zone_entry *z = replicate_find(r, zone);

    return z ? z->section : NULL;
}

bool replicator_zone(const struct replicator *r, const uint8_t *zone, struct replicator_zone *out)
{
    const struct zone_entry *z = replicate_find(r, zone);

    if (z)
        *out = (struct replicator_zone){.row = &z->row, .section = z->section};
    return z != NULL;
}

void replicator_each_zone(const struct replicator *r, replicator_zone_fn *f, void *ctx)
{
    for (size_t i = 0; i < r->bucket_count; i++) {
        for (const struct zone_entry *z = r->buckets[i]; z; z = z->next) {
            struct replicator_zone zone = {.row = &z->row, .section = z->section};

            f(ctx, &zone);
        }
    }
}

enum err replicator_row(struct replicator *r, const uint8_t *zone, struct store_zone *out,
                        struct errinfo *e)
{
    struct zone_entry *z = replicate_find(r, zone);
    char text[NAME_TEXT_MAX];

    if (!z || z->row.id == 0) {
        (void)name_to_text(text, zone);
        return err_set(ERR_NOT_FOUND, e, "there is no zone %s", text);
    }
    replicate_full_row(out, z);
    return OK;
}

static void status_of(struct replicator_status *out, const struct zone_entry *z)
{
    *out = (struct replicator_status){.configured = z->config != NULL, .doing = "waiting"};
    replicate_full_row(&out->row, z);
    for (unsigned i = 0; z->scheduled && i < z->refresh.primary_count; i++)
        out->quarantined |= z->refresh.primaries[i].refused_times > 0;
    out->serial_back = z->scheduled && z->refresh.has_back;
    if (!z->scheduled || (z->plan.step == REFRESH_WAIT && !z->committing))
        return;
    if (z->committing)
        out->doing = "committing";
    else if (z->probe)
        out->doing = "probing";
    else if (z->transfer)
        out->doing = "transferring";
    else
        out->doing = z->plan.step == REFRESH_PROBE ? "probe queued" : "transfer queued";
    out->primary = replicate_primary(z, z->plan.primary)->name;
}

enum err replicator_status(struct replicator *r, const uint8_t *zone, struct replicator_status *out,
                           struct errinfo *e)
{
    enum err rc = replicator_row(r, zone, &out->row, e);

    if (rc == OK)
        status_of(out, replicate_find(r, zone));
    return rc;
}

void replicator_each(struct replicator *r, replicator_status_fn *f, void *ctx)
{
    for (size_t i = 0; i < r->bucket_count; i++) {
        for (struct zone_entry *z = r->buckets[i]; z; z = z->next) {
            struct replicator_status status;

            status_of(&status, z);
            f(ctx, &status);
        }
    }
}

/* ---- Messages from outside ---- */

static const struct config_zone *find_config(void *ctx, const uint8_t *zone)
{
    struct zone_entry *z = replicate_find(ctx, zone);

    return z && z->scheduled ? z->config : NULL;
}

static bool is_primary(const struct config *c, const struct addr *source)
{
    for (size_t i = 0; i < c->primary_count; i++) {
        if (addr_ip_eq(&c->primaries[i].address, source))
            return true;
    }
    return false;
}

static bool source_may_speak(struct replicator *r, const struct addr *source)
{
    struct mono now = replicate_now(r);

    return notify_limiter_take(r->limiter, source, false, now) ||
           (is_primary(r->config, source) && notify_limiter_take(r->limiter, source, true, now));
}

static void log_refused(struct replicator *r, const struct notify_result *n,
                        const struct ho_frame *m)
{
    char zone[NAME_TEXT_MAX] = "-";
    char source[ADDR_TEXT_MAX];
    char shown[TLS_IDENTITY_TEXT_MAX];
    struct tls_identity identity;

    if (!token_bucket_take(&r->warnings, replicate_now(r)))
        return;
    if (n->has_zone)
        (void)name_to_text(zone, n->zone);
    addr_to_text(source, &m->source);
    ho_identity(&identity, m);
    tls_identity_text(shown, &identity);
    log_warning(say("a NOTIFY is refused"), kv_str("zone", zone), kv_str("source", source),
                kv_str("transport", access_transport_text(m->transport)),
                kv_str("certificate", shown[0] ? shown : NULL),
                kv_str("key", n->key < 0 ? NULL : r->config->keys[n->key].name), kv_err(&n->why));
}

static void announced(struct replicator *r, const struct notify_result *n, const struct ho_frame *m)
{
    struct tls_identity identity;
    struct access_client who = {
        .source = m->source, .transport = m->transport, .key = n->key, .identity = &identity};

    ho_identity(&identity, m);
    replicate_announced(r, n->zone, &who);
}

void replicator_notify(struct replicator *r, const struct ho_frame *message, struct buf *reply)
{
    struct notify_env env = {.config = r->config,
                             .keys = r->keys,
                             .find = find_config,
                             .may_appear = replicate_may_appear,
                             .ctx = r,
                             .now = clock_wall(r->ops.clock)};
    struct notify_result n;
    struct zone_entry *z;

    if (!source_may_speak(r, &message->source)) {
        r->counts.notifies_limited++;
        /* Nobody forges the address of a connection, and who waits for an answer on it gets one. */
        if (message->transport != HO_UDP)
            tsig_query_refuse(r->keys, message, RCODE_REFUSED, r->config->udp_payload, env.now,
                              reply);
        return;
    }
    notify_in(&n, &env, message, reply);
    r->counts.notifies[n.verdict]++;
    if (n.verdict == NOTIFY_NEW_ZONE) {
        announced(r, &n, message);
        return;
    }
    if (n.verdict != NOTIFY_ACCEPTED) {
        if (n.verdict != NOTIFY_DROPPED)
            log_refused(r, &n, message);
        return;
    }
    z = replicate_find(r, n.zone);
    refresh_set_silent(&z->refresh, replicate_silent(r, z));
    replicate_follow(z, refresh_notified(&z->refresh, n.primary, n.has_serial ? &n.serial : NULL,
                                         replicate_now(r)));
    replicate_settle(r);
}

void replicator_message(struct replicator *r, const struct ho_frame *message, struct buf *reply)
{
    struct reader rd = reader_of(message->wire, message->wire_len);
    struct msg_header h;
    struct wall now = clock_wall(r->ops.clock);

    if (!msg_read_header(&h, &rd))
        return;
    if (msg_opcode(&h) == OPCODE_NOTIFY)
        replicator_notify(r, message, reply);
    else if (msg_opcode(&h) == OPCODE_QUERY)
        tsig_query_answer(r->keys, message, r->config->udp_payload, now, reply);
    else
        tsig_query_refuse(r->keys, message, RCODE_NOTIMP, r->config->udp_payload, now, reply);
}
