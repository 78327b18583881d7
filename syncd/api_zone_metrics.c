/* Each zone's own numbers for Prometheus: only where somebody asks for them, since a fleet has
 * many.
 */
#include "syncd/api_internal.h"

enum metric { SERIAL, LAG, RECORDS, LAST_SUCCESS, EXPIRES, FAILURES, STATE };
#define METRICS (STATE + 1)

static const struct {
    const char *name, *help;
} metrics[METRICS] = {
    [SERIAL] = {"serial", "Serial that is served."},
    [LAG] = {"serial_lag", "By how much the zone is behind its primary."},
    [RECORDS] = {"records", "Records that are served."},
    [LAST_SUCCESS] = {"last_success_timestamp_seconds",
                      "When the zone was last shown to be current."},
    [EXPIRES] = {"expires_timestamp_seconds", "When the zone expires, if nothing comes."},
    [FAILURES] = {"failures", "Rounds over its primaries that failed, in a row."},
    [STATE] = {"state", "1 for the state that the zone is in."},
};

/* The samples of one metric stand together, so each has a text of its own. */
struct zone_texts {
    struct buf of[METRICS];
};

static void put_name(struct buf *out, enum metric m, const char *zone)
{
    buf_printf(out, "zoneledger_zone_%s{zone=\"", metrics[m].name);
    for (const char *c = zone; *c; c++) { /* printable ASCII, by name_to_text */
        if (*c == '"' || *c == '\\')
            buf_str(out, "\\");
        buf_u8(out, (uint8_t)*c);
    }
    buf_str(out, "\"");
}

static void put(struct zone_texts *t, enum metric m, const char *zone, int64_t v)
{
    put_name(&t->of[m], m, zone);
    buf_printf(&t->of[m], "} %lld\n", (long long)v);
}

static void on_zone(void *ctx, const struct replicator_status *s)
{
    struct zone_texts *t = ctx;
    const struct store_zone *z = &s->row;
    char zone[NAME_TEXT_MAX];
    bool behind;

    if (z->removed || z->id == 0)
        return;
    (void)name_to_text(zone, z->name);
    if (z->has_content) {
        behind = z->has_primary_serial &&
                 serial_cmp(z->primary_serial, store_zone_theirs(z)) == SERIAL_NEWER;
        put(t, SERIAL, zone, z->serial.v);
        put(t, LAG, zone, behind ? z->primary_serial.v - store_zone_theirs(z).v : 0);
        put(t, RECORDS, zone, (int64_t)z->records);
    }
    if (z->last_success.s)
        put(t, LAST_SUCCESS, zone, z->last_success.s);
    if (z->expires_at.s && !z->held)
        put(t, EXPIRES, zone, z->expires_at.s);
    put(t, FAILURES, zone, z->failures);
    put_name(&t->of[STATE], STATE, zone);
    buf_printf(&t->of[STATE], ",state=\"%s\"} 1\n", api_zone_state(z));
}

void api_put_zone_metrics(struct buf *out, const struct api_request *r)
{
    struct zone_texts t = {{BUF_INIT}};

    replicator_each(r->api->env.replicator, on_zone, &t);
    for (int m = 0; m < METRICS; m++) {
        buf_printf(out, "# HELP zoneledger_zone_%s %s\n# TYPE zoneledger_zone_%s gauge\n",
                   metrics[m].name, metrics[m].help, metrics[m].name);
        if (t.of[m].len)
            buf_put(out, t.of[m].data, t.of[m].len);
        buf_free(&t.of[m]);
    }
}
