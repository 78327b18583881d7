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
            "{s:s, s:s, s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:o, s:o, s:o}",
            "name", p->name, "address", address, "transport", p->tls.on ? "tls" : "tcp", "state",
            state_of(n), "zones", (json_int_t)zones, "probes", count(n->probes), "probes_failed",
            count(n->probes_failed), "transfers", count(n->transfers), "transfers_failed",
            count(n->transfers_failed), "fallbacks", count(n->fallbacks), "octets",
            count(n->octets), "failures", count(n->failures), "last_ms", (json_int_t)n->last_ms,
            "last_answer", api_json_time(n->last_answer), "failing_since",
            api_json_time(n->failing_since), "last_error",
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

static void put_faults(struct buf *out, const struct replicator_counts *c)
{
    static const char *const ends[DATAGRAM_ENDS] = {[DATAGRAM_TAKEN] = "taken",
                                                    [DATAGRAM_TRUNCATED] = "too large",
                                                    [DATAGRAM_UNUSABLE] = "unusable",
                                                    [DATAGRAM_SILENT] = "no answer"};

    put_head(out, "transfers_in_failed_total", "Transfers that failed or were refused, by reason.",
             "counter");
    for (int f = XFRIN_SOUND + 1; f < XFRIN_FAULTS; f++)
        buf_printf(out, "zoneledger_transfers_in_failed_total{reason=\"%s\"} %llu\n",
                   xfrin_fault_text((enum xfrin_fault)f), (unsigned long long)c->faults[f]);
    put_head(out, "transfers_in_fallbacks_total",
             "Increments that could not be used, so that the whole zone was fetched, by reason.",
             "counter");
    for (int f = XFRIN_SOUND + 1; f < XFRIN_FAULTS; f++)
        buf_printf(out, "zoneledger_transfers_in_fallbacks_total{reason=\"%s\"} %llu\n",
                   xfrin_fault_text((enum xfrin_fault)f), (unsigned long long)c->fallbacks[f]);
    put_head(out, "ixfr_udp_total",
             "Increments asked for by UDP; all but those taken were asked for by TCP then.",
             "counter");
    for (int d = DATAGRAM_NOT_ASKED + 1; d < DATAGRAM_ENDS; d++)
        buf_printf(out, "zoneledger_ixfr_udp_total{outcome=\"%s\"} %llu\n", ends[d],
                   (unsigned long long)c->datagrams[d]);
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

static void put_value(struct buf *out, const char *name, const char *label, uint64_t v)
{
    buf_printf(out, "zoneledger_%s{%s} %llu\n", name, label, (unsigned long long)v);
}

static void put_out(struct buf *out, const struct api_env *env)
{
    const struct notify_out_counts *n = notify_out_counts(env->notify);
    struct xfrout_totals t;

    xfrout_count(env->xfrout, &t);
    put_head(out, "transfers_out_total", "Transfers to secondaries that came to an end.",
             "counter");
    put_value(out, "transfers_out_total", "kind=\"axfr\",outcome=\"sent\"", t.whole);
    put_value(out, "transfers_out_total", "kind=\"ixfr\",outcome=\"sent\"", t.increments);
    put_value(out, "transfers_out_total", "kind=\"soa\",outcome=\"sent\"", t.current);
    put_value(out, "transfers_out_total", "kind=\"any\",outcome=\"refused\"", t.refused);
    put_value(out, "transfers_out_total", "kind=\"any\",outcome=\"broken\"", t.broken);
    put_head(out, "transfers_out_octets_total", "Octets of those that were sent to their end.",
             "counter");
    buf_printf(out, "zoneledger_transfers_out_octets_total %llu\n", (unsigned long long)t.octets);
    put_head(out, "transfers_out_fallbacks_total",
             "Whole zones that were sent where increments were asked for.", "counter");
    buf_printf(out, "zoneledger_transfers_out_fallbacks_total %llu\n",
               (unsigned long long)t.whole_instead);
    put_head(out, "transfers_out_connections", "Connections of secondaries that are open.",
             "gauge");
    buf_printf(out, "zoneledger_transfers_out_connections %zu\n", t.connections);
    put_head(out, "notifies_out_sent_total", "NOTIFYs to secondaries, repeated ones too.",
             "counter");
    buf_printf(out, "zoneledger_notifies_out_sent_total %llu\n", (unsigned long long)n->sent);
    put_head(out, "notifies_out_total", "What became of telling secondaries.", "counter");
    put_value(out, "notifies_out_total", "outcome=\"acknowledged\"", n->acknowledged);
    put_value(out, "notifies_out_total", "outcome=\"refused\"", n->refused);
    put_value(out, "notifies_out_total", "outcome=\"given up\"", n->given_up);
    put_head(out, "notifies_out_waiting", "Secondaries to be told, or told again, of a zone.",
             "gauge");
    buf_printf(out, "zoneledger_notifies_out_waiting %zu\n", n->waiting);
}

static void put_queues(struct buf *out, const struct replicator *r)
{
    static const char *const works[WORKS] = {[WORK_PROBE] = "probe", [WORK_TRANSFER] = "transfer"};
    static const char *const lanes[LANES] = {[LANE_OPERATOR] = "operator",
                                             [LANE_URGENT] = "urgent",
                                             [LANE_FIRST] = "first",
                                             [LANE_ROUTINE] = "routine"};
    struct sched_counts c;

    replicator_queues(r, &c);
    put_head(out, "queued", "Probes and transfers that wait for their turn, by lane.", "gauge");
    for (int w = 0; w < WORKS; w++) {
        for (int l = 0; l < LANES; l++)
            buf_printf(out, "zoneledger_queued{work=\"%s\",lane=\"%s\"} %zu\n", works[w], lanes[l],
                       c.lanes[w][l]);
    }
    put_head(out, "running", "Probes and transfers that run.", "gauge");
    for (int w = 0; w < WORKS; w++)
        buf_printf(out, "zoneledger_running{work=\"%s\"} %zu\n", works[w], c.running[w]);
}

static void put_commands(struct buf *out, const struct guard_commands *g)
{
    struct guard_command_counts c;

    guard_commands_count(g, &c);
    put_head(out, "guard_commands", "Guard commands that wait for their turn, and that run.",
             "gauge");
    put_value(out, "guard_commands", "state=\"queued\"", c.queued);
    put_value(out, "guard_commands", "state=\"running\"", c.running);
    put_head(out, "guard_commands_total", "How guard commands ended.", "counter");
    put_value(out, "guard_commands_total", "result=\"passed\"", c.passed);
    put_value(out, "guard_commands_total", "result=\"rejected\"", c.rejected);
    put_value(out, "guard_commands_total", "result=\"failed\"", c.failed);
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
    size_t total, expired, failing, held, waiting, lagging, empty, orphan, quarantined, staged,
        back;
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
    m->waiting += z->held && z->last_version > z->version;
    m->staged += !z->held && store_zone_is_staged(z);
    m->orphan += z->orphan;
    m->quarantined += s->quarantined;
    m->back += s->serial_back;
    m->empty += !z->has_content;
    if (z->has_content && z->has_primary_serial &&
        serial_cmp(z->primary_serial, store_zone_theirs(z)) == SERIAL_NEWER) {
        lag = z->primary_serial.v - store_zone_theirs(z).v;
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
               "zoneledger_zones{state=\"lagging\"} %zu\nzoneledger_zones{state=\"new\"} %zu\n"
               "zoneledger_zones{state=\"orphan\"} %zu\n"
               "zoneledger_zones{state=\"quarantined\"} %zu\n"
               "zoneledger_zones{state=\"serial-back\"} %zu\n"
               "zoneledger_zones{state=\"staged\"} %zu\n"
               "zoneledger_zones{state=\"waiting\"} %zu\n",
               m->total, m->expired, m->failing, m->held, m->lagging, m->empty, m->orphan,
               m->quarantined, m->back, m->staged, m->waiting);
    put_head(out, "serial_lag", "By how much the zone furthest behind its primary is so.", "gauge");
    buf_printf(out, "zoneledger_serial_lag %u\n", (unsigned)m->lag);
    if (!m->expires)
        return;
    put_head(out, "expires_in_seconds", "Until the first zone expires, if nothing comes.", "gauge");
    buf_printf(out, "zoneledger_expires_in_seconds %lld\n", (long long)m->expires_in);
}

static void put_signatures(struct buf *out, const struct api_request *r)
{
    struct wall end;

    if (!signature_ends_first(r->api->env.ends, &end))
        return;
    put_head(out, "signatures_end_in_seconds",
             "Until the first signatures end of what a zone serves that is held, or has a "
             "quarantined version.",
             "gauge");
    buf_printf(out, "zoneledger_signatures_end_in_seconds %lld\n", (long long)(end.s - r->now.s));
}

void api_put_replication(struct buf *out, const struct api_request *r)
{
    struct replicator *rep = r->api->env.replicator;
    const struct replicator_counts *c = replicator_counts(rep);
    struct zone_metrics zones = {.now = r->now};

    put_transfers(out, c);
    put_faults(out, c);
    put_probes(out, c);
    put_notifies(out, c);
    put_out(out, &r->api->env);
    put_queues(out, rep);
    put_commands(out, r->api->env.guards);
    put_head(out, "primary_failing", "Whether a primary gives no answer.", "gauge");
    replicator_each_primary(rep, put_primary, out);
    replicator_each(rep, on_zone, &zones);
    put_zones(out, &zones);
    put_signatures(out, r);
}
