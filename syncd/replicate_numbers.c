/* What operators count: transfers, NOTIFYs, and how each primary does. */
#include <stdlib.h>
#include <string.h>

#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "syncd/replicate_internal.h"

/* The numbers of a primary, which keep its place in the configuration; NULL before the first one.
 */
static struct primary_numbers *numbers_of(struct replicator *r, const struct config_primary *p)
{
    size_t i = (size_t)(p - r->config->primaries);

    return i < r->primary_count ? &r->primaries[i] : NULL;
}

void replicate_numbers_configure(struct replicator *r, const struct config *old)
{
    const struct config *c = r->config;
    struct primary_numbers *next = xcalloc(c->primary_count, sizeof(*next));

    for (size_t i = 0; i < c->primary_count; i++) {
        for (size_t k = 0; old && k < r->primary_count; k++) {
            if (strcmp(old->primaries[k].name, c->primaries[i].name) == 0 &&
                addr_eq(&old->primaries[k].address, &c->primaries[i].address)) {
                next[i] = r->primaries[k];
                r->primaries[k].last_error = NULL;
            }
        }
    }
    replicate_numbers_free(r);
    r->primaries = next;
    r->primary_count = c->primary_count;
}

void replicate_numbers_free(struct replicator *r)
{
    for (size_t i = 0; i < r->primary_count; i++)
        free(r->primaries[i].last_error);
    free(r->primaries);
    r->primaries = NULL;
    r->primary_count = 0;
}

/* So many failures in a row, of whichever zones, and it is silent; then one zone that has another
 * primary finds out now and then whether it still is. */
#define SILENT_FAILURES 5
#define SILENT_PAUSE_MS 30000

static bool is_silent(const struct primary_numbers *n)
{
    return n->failures >= SILENT_FAILURES;
}

uint64_t replicate_silent(const struct replicator *r, const struct zone_entry *z)
{
    struct mono now = replicate_now(r);
    uint64_t silent = 0;

    for (size_t i = 0; i < z->config->primary_count && i < 64; i++) {
        size_t at = (size_t)z->config->primaries[i];

        if (at < r->primary_count && is_silent(&r->primaries[at]) &&
            mono_cmp(r->primaries[at].ask_again, now) > 0)
            silent |= UINT64_C(1) << i;
    }
    return silent;
}

void replicate_scout(struct replicator *r, const struct config_primary *p)
{
    struct primary_numbers *n = numbers_of(r, p);

    if (n && is_silent(n))
        n->ask_again = mono_add_ms(replicate_now(r), SILENT_PAUSE_MS);
}

static void say_silent(const struct config_primary *p, const struct primary_numbers *n,
                       const char *error)
{
    char address[ADDR_TEXT_MAX];

    addr_to_text(address, &p->address);
    if (error)
        log_warning(
            say("a primary gives no answer, whichever zone asks: zones that have others ask "
                "those first"),
            kv_str("primary", p->name), kv_str("address", address), kv_u64("failures", n->failures),
            kv_str("error", error));
    else
        log_info(say("a primary answers again"), kv_str("primary", p->name),
                 kv_str("address", address), kv_u64("failures", n->failures));
}

static void note(struct replicator *r, const struct config_primary *p, struct primary_numbers *n,
                 const char *error)
{
    struct wall now = clock_wall(r->ops.clock);

    if (!error) {
        if (is_silent(n))
            say_silent(p, n, NULL);
        n->last_answer = now;
        n->failing_since = (struct wall){0};
        n->failures = 0;
        return;
    }
    if (++n->failures == SILENT_FAILURES) {
        say_silent(p, n, error);
        replicate_scout(r, p);
    }
    if (n->failing_since.s == 0)
        n->failing_since = now;
    if (n->last_error && strcmp(n->last_error, error) == 0)
        return;
    free(n->last_error);
    n->last_error = xstrdup(error);
}

/* An answer is an answer, even one that says no to one zone: the primary is there. */
static bool is_there(enum probe_outcome o)
{
    return o != PROBE_TIMEOUT && o != PROBE_UNREACHABLE;
}

void replicate_count_probe(struct replicator *r, const struct config_primary *p,
                           const struct probe_report *report)
{
    struct primary_numbers *n = numbers_of(r, p);

    r->counts.probes[report->outcome]++;
    if (!n)
        return;
    n->probes++;
    n->probes_failed += report->outcome != PROBE_SOA;
    if (report->outcome == PROBE_SOA)
        n->last_ms = report->ms;
    note(r, p, n, is_there(report->outcome) ? NULL : report->error.text);
}

void replicate_count_transfer(struct replicator *r, const struct config_primary *p,
                              const struct xfrin_result *result)
{
    struct primary_numbers *n = numbers_of(r, p);
    bool good = result->report.outcome == TRANSFER_NEW || result->report.outcome == TRANSFER_SAME;

    r->counts.transfers[result->incremental][result->report.outcome]++;
    r->counts.octets += result->octets;
    r->counts.datagrams[result->datagram]++;
    if (result->report.outcome == TRANSFER_NOT_INCREMENTAL)
        r->counts.fallbacks[result->fault]++;
    else if (result->report.outcome == TRANSFER_FAILED ||
             result->report.outcome == TRANSFER_REFUSED)
        r->counts.faults[result->fault]++;
    if (!n)
        return;
    n->transfers++;
    n->fallbacks += result->report.outcome == TRANSFER_NOT_INCREMENTAL;
    n->transfers_failed += !good && result->report.outcome != TRANSFER_OLDER;
    n->octets += result->octets;
    note(r, p, n, result->octets > 0 || good ? NULL : result->error.text);
}

const struct replicator_counts *replicator_counts(const struct replicator *r)
{
    return &r->counts;
}

void replicator_queues(const struct replicator *r, struct sched_counts *out)
{
    sched_count(r->sched, out);
}

void replicator_each_primary(struct replicator *r, replicator_primary_fn *f, void *ctx)
{
    size_t *zones = xcalloc(r->primary_count, sizeof(*zones));

    for (size_t i = 0; i < r->bucket_count; i++) {
        for (const struct zone_entry *z = r->buckets[i]; z; z = z->next) {
            for (size_t k = 0; z->config && k < z->config->primary_count; k++)
                zones[z->config->primaries[k]]++;
        }
    }
    for (size_t i = 0; i < r->primary_count; i++)
        f(ctx, &r->config->primaries[i], &r->primaries[i], zones[i]);
    free(zones);
}
