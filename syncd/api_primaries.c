/* How each primary does, and what replication has counted. */
#include "syncd/api_internal.h"

static const char *state_of(const struct primary_numbers *n)
{
    if (n->failing_since.s)
        return "failing";
    return n->last_answer.s ? "ok" : "not asked";
}

static json_int_t count(uint64_t n)
{
    return (json_int_t)n;
}

static void add_primary(void *ctx, const struct config_primary *p, const struct primary_numbers *n,
                        size_t zones)
{
    json_t *list = ctx;
    char address[ADDR_TEXT_MAX];

    addr_to_text(address, &p->address);
    (void)json_array_append_new(
        list,
        json_pack(
            "{s:s, s:s, s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:o, s:o, s:o}", "name",
            p->name, "address", address, "transport", p->tls.on ? "tls" : "tcp", "state",
            state_of(n), "zones", (json_int_t)zones, "probes", count(n->probes), "probes_failed",
            count(n->probes_failed), "transfers", count(n->transfers), "transfers_failed",
            count(n->transfers_failed), "octets", count(n->octets), "failures", count(n->failures),
            "last_ms", (json_int_t)n->last_ms, "last_answer", api_json_time(n->last_answer),
            "failing_since", api_json_time(n->failing_since), "last_error",
            n->failing_since.s && n->last_error ? api_json_text(n->last_error) : json_null()));
}

void api_get_primaries(struct api_request *r)
{
    r->result = json_array();
    replicator_each_primary(r->api->env.replicator, add_primary, r->result);
}

/* ---- Prometheus ---- */

static void put_head(struct buf *out, const char *name, const char *help, const char *type)
{
    buf_printf(out, "# HELP zoneledger_%s %s\n# TYPE zoneledger_%s %s\n", name, help, name, type);
}

static void put_transfers(struct buf *out, const struct replicator_counts *c)
{
    put_head(out, "transfers_in_total", "Transfers from primaries that came to an end.", "counter");
    for (int kind = 0; kind < 2; kind++) {
        for (int o = 0; o < TRANSFER_OUTCOMES; o++)
            buf_printf(out, "zoneledger_transfers_in_total{kind=\"%s\",outcome=\"%s\"} %llu\n",
                       kind ? "ixfr" : "axfr", transfer_outcome_text((enum transfer_outcome)o),
                       (unsigned long long)c->transfers[kind][o]);
    }
    put_head(out, "transfers_in_octets_total", "Octets of those transfers.", "counter");
    buf_printf(out, "zoneledger_transfers_in_octets_total %llu\n", (unsigned long long)c->octets);
}

static void put_probes(struct buf *out, const struct replicator_counts *c)
{
    put_head(out, "probes_total", "Questions to primaries for a zone's serial.", "counter");
    for (int o = 0; o < PROBE_OUTCOMES; o++)
        buf_printf(out, "zoneledger_probes_total{outcome=\"%s\"} %llu\n",
                   probe_outcome_text((enum probe_outcome)o), (unsigned long long)c->probes[o]);
}

static void put_notifies(struct buf *out, const struct replicator_counts *c)
{
    static const char *const verdicts[NOTIFY_VERDICTS] = {
        [NOTIFY_ACCEPTED] = "accepted", [NOTIFY_NEW_ZONE] = "new zone",
        [NOTIFY_REFUSED] = "refused",   [NOTIFY_NOT_OURS] = "not ours",
        [NOTIFY_BAD_TSIG] = "bad tsig", [NOTIFY_MALFORMED] = "malformed",
        [NOTIFY_DROPPED] = "no request"};

    put_head(out, "notifies_in_total", "NOTIFYs that came in.", "counter");
    for (int v = 0; v < NOTIFY_VERDICTS; v++)
        buf_printf(out, "zoneledger_notifies_in_total{verdict=\"%s\"} %llu\n", verdicts[v],
                   (unsigned long long)c->notifies[v]);
    buf_printf(out, "zoneledger_notifies_in_total{verdict=\"rate limited\"} %llu\n",
               (unsigned long long)c->notifies_limited);
}

static void put_primary(void *ctx, const struct config_primary *p, const struct primary_numbers *n,
                        size_t zones)
{
    (void)zones;
    buf_printf(ctx, "zoneledger_primary_failing{primary=\"");
    for (const char *c = p->name; *c; c++) {
        if (*c == '"' || *c == '\\')
            buf_str(ctx, "\\");
        buf_u8(ctx, *c == '\n' ? ' ' : (uint8_t)*c);
    }
    buf_printf(ctx, "\"} %d\n", n->failing_since.s != 0);
}

/* Zones by what an operator looks for, and the worst of each. */
struct zone_metrics {
    struct wall now;
    size_t total, expired, failing, held, lagging, empty;
    uint32_t lag;       /* largest */
    int64_t expires_in; /* soonest */
    bool expires;
};

static void on_zone(void *ctx, const struct replicator_status *s)
{
    struct zone_metrics *m = ctx;
    const struct store_zone *z = &s->row;
    uint32_t lag;

    if (z->removed || z->id == 0)
        return;
    m->total++;
    m->expired += z->expired;
    m->failing += z->failures > 0;
    m->held += z->held;
    m->empty += !z->has_content;
    if (z->has_content && z->has_primary_serial &&
        serial_cmp(z->primary_serial, z->serial) == SERIAL_NEWER) {
        lag = z->primary_serial.v - z->serial.v;
        m->lagging++;
        m->lag = lag > m->lag ? lag : m->lag;
    }
    if (z->expires_at.s && !z->held && !z->expired &&
        (!m->expires || z->expires_at.s - m->now.s < m->expires_in)) {
        m->expires = true;
        m->expires_in = z->expires_at.s - m->now.s;
    }
}

static void put_zones(struct buf *out, const struct zone_metrics *m)
{
    put_head(out, "zones", "Zones by state; one may be in several.", "gauge");
    buf_printf(out,
               "zoneledger_zones{state=\"all\"} %zu\nzoneledger_zones{state=\"expired\"} %zu\n"
               "zoneledger_zones{state=\"failing\"} %zu\nzoneledger_zones{state=\"held\"} %zu\n"
               "zoneledger_zones{state=\"lagging\"} %zu\nzoneledger_zones{state=\"new\"} %zu\n",
               m->total, m->expired, m->failing, m->held, m->lagging, m->empty);
    put_head(out, "serial_lag", "By how much the zone furthest behind its primary is so.", "gauge");
    buf_printf(out, "zoneledger_serial_lag %u\n", (unsigned)m->lag);
    if (!m->expires)
        return;
    put_head(out, "expires_in_seconds", "Until the first zone expires, if nothing comes.", "gauge");
    buf_printf(out, "zoneledger_expires_in_seconds %lld\n", (long long)m->expires_in);
}

void api_put_replication(struct buf *out, const struct api_request *r)
{
    struct replicator *rep = r->api->env.replicator;
    const struct replicator_counts *c = replicator_counts(rep);
    struct zone_metrics zones = {.now = r->now};

    put_transfers(out, c);
    put_probes(out, c);
    put_notifies(out, c);
    put_head(out, "primary_failing", "Whether a primary gives no answer.", "gauge");
    replicator_each_primary(rep, put_primary, out);
    replicator_each(rep, on_zone, &zones);
    put_zones(out, &zones);
}
