/* What authd counts, as JSON and as Prometheus' text format; the rows of stats_rows.c make both.
 * More than one authd on this store: their sums.
 */
#include <stdio.h>
#include <string.h>

#include "lib/net/stats.h"
#include "syncd/api_internal.h"

#define AUTHDS_MAX 16

/* All authds that are connected. */
struct servers {
    const struct stats *of[AUTHDS_MAX];
    size_t n;
};

static void add_server(void *ctx, const struct stats *s)
{
    struct servers *all = ctx;

    if (all->n < AUTHDS_MAX)
        all->of[all->n++] = s;
}

static struct servers find_servers(const struct api_request *r)
{
    struct servers all = {.n = 0};

    front_each_stats(r->api->env.front, add_server, &all);
    return all;
}

static uint64_t value(const struct servers *all, size_t at)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < all->n; i++)
        sum += stats_sum(all->of[i], at);
    return sum;
}

/* ---- JSON ---- */

static json_t *number(uint64_t n)
{
    return json_integer((json_int_t)n);
}

/* Most response codes and types never come: what is zero there is left out. */
static bool is_sparse(enum stats_axis axis)
{
    return axis == AXIS_RCODE || axis == AXIS_TYPE;
}

static bool is_histogram(enum stats_axis axis)
{
    return axis == AXIS_SIZE || axis == AXIS_TIME;
}

static json_t *json_inner(const struct servers *all, const struct stats_row *row, size_t i)
{
    json_t *j = json_object();
    char label[STATS_LABEL_MAX];

    for (size_t k = 0; k < stats_axis_length(row->inner); k++) {
        uint64_t n = value(all, stats_at(row, i, k));

        stats_label(label, row->inner, k);
        if (n > 0 || !is_sparse(row->inner))
            (void)json_object_set_new(j, label, number(n));
    }
    return j;
}

static json_t *json_row(const struct servers *all, const struct stats_row *row)
{
    json_t *j;
    char label[STATS_LABEL_MAX];

    if (row->outer == AXIS_NONE)
        return row->inner == AXIS_NONE ? number(value(all, row->at)) : json_inner(all, row, 0);
    j = json_object();
    for (size_t i = 0; i < stats_axis_length(row->outer); i++) {
        uint64_t n = value(all, stats_at(row, i, 0));

        stats_label(label, row->outer, i);
        if (row->inner != AXIS_NONE)
            (void)json_object_set_new(j, label, json_inner(all, row, i));
        else if (n > 0 || !is_sparse(row->outer))
            (void)json_object_set_new(j, label, number(n));
    }
    return j;
}

static json_t *json_all(const struct servers *all, struct wall now)
{
    json_t *j = json_object();
    json_t *started = json_array();
    json_t *workers = json_array();
    size_t n;
    const struct stats_row *rows = stats_rows(&n);

    for (size_t i = 0; i < all->n; i++) {
        (void)json_array_append_new(started, api_json_time(stats_started(all->of[i])));
        (void)json_array_append_new(workers, number(stats_workers(all->of[i])));
    }
    (void)json_object_set_new(j, "now", api_json_time(now));
    (void)json_object_set_new(j, "started", started);
    (void)json_object_set_new(j, "workers", workers);
    for (size_t i = 0; i < n; i++)
        (void)json_object_set_new(j, rows[i].name, json_row(all, &rows[i]));
    return j;
}

/* ---- One zone ---- */

struct zone_sums {
    uint64_t kinds[ANSWER_KINDS];
    uint64_t truncated, rate_limited, octets;
};

static uint64_t load(_Atomic(uint64_t) *c)
{
    return atomic_load_explicit(c, memory_order_relaxed);
}

/* False: nobody has counters of this zone. */
static bool sum_zone(struct zone_sums *out, const struct servers *all, const uint8_t *zone)
{
    bool found = false;

    for (size_t i = 0; i < all->n; i++) {
        uint32_t slot = stats_zone_find(all->of[i], zone);

        for (size_t w = 0; slot != STATS_NO_ZONE && w < stats_workers(all->of[i]); w++) {
            struct zone_counters *c = stats_zone(all->of[i], w, slot);

            for (size_t k = 0; k < ANSWER_KINDS; k++)
                out->kinds[k] += load(&c->kinds[k]);
            out->truncated += load(&c->truncated);
            out->rate_limited += load(&c->rate_limited);
            out->octets += load(&c->octets);
            found = true;
        }
    }
    return found;
}

static bool counts_zones(const struct servers *all)
{
    for (size_t i = 0; i < all->n; i++) {
        if (stats_counts_zones(all->of[i]))
            return true;
    }
    return false;
}

static enum err zone_stats(struct api_request *r, const struct servers *all, const char *text)
{
    struct zone_sums z = {.octets = 0};
    uint8_t zone[NAME_MAX_OCTETS];
    char label[STATS_LABEL_MAX];
    json_t *kinds;

    if (name_from_text(zone, text, strlen(text), NULL, &r->error) != OK)
        return err_wrap(ERR_FORMAT, &r->error, "zone name");
    (void)name_fold(zone, zone);
    if (!counts_zones(all))
        return err_set(ERR_UNSUPPORTED, &r->error,
                       "zones are not counted: set zone-counters = yes in section authd and "
                       "restart authd");
    if (!sum_zone(&z, all, zone))
        return err_set(ERR_NOT_FOUND, &r->error, "authd has no counters of this zone");
    kinds = json_object();
    for (size_t k = 0; k < ANSWER_KINDS; k++) {
        stats_label(label, AXIS_KIND, k);
        (void)json_object_set_new(kinds, label, number(z.kinds[k]));
    }
    r->result = json_pack("{s:o, s:o, s:o, s:o, s:o, s:o}", "zone", api_json_name(zone), "started",
                          api_json_time(stats_started(all->of[0])), "outcomes", kinds, "truncated",
                          number(z.truncated), "rate_limited", number(z.rate_limited), "octets",
                          number(z.octets));
    return OK;
}

void api_get_stats(struct api_request *r)
{
    struct servers all = find_servers(r);
    const char *zone = api_arg(r, "zone");

    if (all.n == 0)
        r->rc = err_set(ERR_CLOSED, &r->error, "authd is not connected, so nobody knows");
    else if (*zone)
        r->rc = zone_stats(r, &all, zone);
    else
        r->result = json_all(&all, r->now);
}

/* ---- Prometheus ---- */

static void put_head(struct buf *out, const char *name, const char *help, const char *type)
{
    buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

/* {a="x",b="y"}, without what is AXIS_NONE. */
static void put_labels(struct buf *out, const struct stats_row *row, size_t i, size_t j)
{
    char label[STATS_LABEL_MAX];

    if (row->outer == AXIS_NONE && row->inner == AXIS_NONE)
        return;
    buf_str(out, "{");
    if (row->outer != AXIS_NONE) {
        stats_label(label, row->outer, i);
        buf_printf(out, "%s=\"%s\"%s", stats_axis_name(row->outer), label,
                   row->inner != AXIS_NONE ? "," : "");
    }
    if (row->inner != AXIS_NONE) {
        stats_label(label, row->inner, j);
        buf_printf(out, "%s=\"%s\"", stats_axis_name(row->inner), label);
    }
    buf_str(out, "}");
}

static void put_counters(struct buf *out, const struct servers *all, const struct stats_row *row)
{
    char name[96];

    (void)snprintf(name, sizeof(name), "zoneledger_authd_%s_total", row->name);
    put_head(out, name, row->help, "counter");
    for (size_t i = 0; i < stats_axis_length(row->outer); i++) {
        for (size_t j = 0; j < stats_axis_length(row->inner); j++) {
            uint64_t n = value(all, stats_at(row, i, j));

            if (n == 0 && (is_sparse(row->inner) || is_sparse(row->outer)))
                continue;
            buf_str(out, name);
            put_labels(out, row, i, j);
            buf_printf(out, " %llu\n", (unsigned long long)n);
        }
    }
}

/* Sums are counted in octets and nanoseconds; what is shown is in octets and seconds. */
static void put_sum(struct buf *out, const struct stats_row *row, uint64_t sum)
{
    if (row->inner == AXIS_TIME)
        buf_printf(out, " %llu.%09llu\n", (unsigned long long)(sum / 1000000000),
                   (unsigned long long)(sum % 1000000000));
    else
        buf_printf(out, " %llu\n", (unsigned long long)sum);
}

static void put_outer(struct buf *out, const struct stats_row *row, size_t i)
{
    char label[STATS_LABEL_MAX];

    if (row->outer == AXIS_NONE)
        return;
    stats_label(label, row->outer, i);
    buf_printf(out, "{%s=\"%s\"}", stats_axis_name(row->outer), label);
}

static void put_histogram(struct buf *out, const struct servers *all, const struct stats_row *row)
{
    char name[96], label[STATS_LABEL_MAX];
    size_t n = stats_axis_length(row->inner);

    (void)snprintf(name, sizeof(name), "zoneledger_authd_%s", row->name);
    put_head(out, name, row->help, "histogram");
    for (size_t i = 0; i < stats_axis_length(row->outer); i++) {
        uint64_t below = 0;

        for (size_t j = 0; j < n; j++) {
            below += value(all, stats_at(row, i, j));
            buf_printf(out, "%s_bucket", name);
            put_labels(out, row, i, j);
            buf_printf(out, " %llu\n", (unsigned long long)below);
        }
        if (row->inner == AXIS_SIZE) { /* no answer is larger than its last bucket */
            buf_printf(out, "%s_bucket{", name);
            stats_label(label, row->outer, i);
            buf_printf(out, "%s=\"%s\",le=\"+Inf\"} %llu\n", stats_axis_name(row->outer), label,
                       (unsigned long long)below);
        }
        buf_printf(out, "%s_sum", name);
        put_outer(out, row, i);
        put_sum(out, row, value(all, row->sum + i * sizeof(uint64_t)));
        buf_printf(out, "%s_count", name);
        put_outer(out, row, i);
        buf_printf(out, " %llu\n", (unsigned long long)below);
    }
}

static void put_authd(struct buf *out, const struct servers *all)
{
    size_t n;
    const struct stats_row *rows = stats_rows(&n);

    put_head(out, "zoneledger_authd_start_time_seconds",
             "When authd started; its counters began then.", "gauge");
    buf_printf(out, "zoneledger_authd_start_time_seconds %lld\n",
               (long long)stats_started(all->of[0]).s);
    for (size_t i = 0; i < n; i++) {
        if (is_histogram(rows[i].inner))
            put_histogram(out, all, &rows[i]);
        else
            put_counters(out, all, &rows[i]);
    }
}

void api_get_metrics(struct api_request *r)
{
    struct servers all = find_servers(r);
    struct buf *out = &r->text;

    put_head(out, "zoneledger_authd_up", "Whether authd is connected to syncd.", "gauge");
    buf_printf(out, "zoneledger_authd_up %d\n", all.n > 0);
    put_head(out, "zoneledger_journal_commits_total", "Commits since syncd started.", "counter");
    buf_printf(out, "zoneledger_journal_commits_total %llu\n",
               (unsigned long long)r->journal.written);
    put_head(out, "zoneledger_journal_packs", "Packs in the journal.", "gauge");
    buf_printf(out, "zoneledger_journal_packs %llu\n", (unsigned long long)r->journal.packs);
    put_head(out, "zoneledger_journal_octets", "Size of its packs.", "gauge");
    buf_printf(out, "zoneledger_journal_octets %llu\n", (unsigned long long)r->journal.pack_bytes);
    put_head(out, "zoneledger_journal_checkpoint", "Number of the newest checkpoint.", "gauge");
    buf_printf(out, "zoneledger_journal_checkpoint %llu\n",
               (unsigned long long)r->journal.checkpoint);
    put_head(out, "zoneledger_journal_uncovered",
             "Versions that wait for a checkpoint to vouch for them.", "gauge");
    buf_printf(out, "zoneledger_journal_uncovered %llu\n",
               (unsigned long long)r->journal.uncovered);
    put_head(out, "zoneledger_journal_failing", "Whether the journal cannot be written.", "gauge");
    buf_printf(out, "zoneledger_journal_failing %d\n", r->journal.failing);
    put_head(out, "zoneledger_journal_lost", "Versions that the journal has lost.", "gauge");
    buf_printf(out, "zoneledger_journal_lost %llu\n", (unsigned long long)r->journal.lost);
    put_head(out, "zoneledger_zones_orphaned",
             "Zones that none of their primaries serves any more.", "gauge");
    buf_printf(out, "zoneledger_zones_orphaned %zu\n", replicator_orphans(r->api->env.replicator));
    api_put_replication(out, r);
    api_put_remotes(out, r);
    if (api_arg_true(r, "zones"))
        api_put_zone_metrics(out, r);
    if (all.n > 0)
        put_authd(out, &all);
}
