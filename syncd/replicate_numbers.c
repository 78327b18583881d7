/* What operators count: transfers, NOTIFYs, and how each primary does. */
#include <stdlib.h>
#include <string.h>

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

static void note(struct replicator *r, struct primary_numbers *n, const char *error)
{
    struct wall now = clock_wall(r->ops.clock);

    if (!error) {
        n->last_answer = now;
        n->failing_since = (struct wall){0};
        n->failures = 0;
        return;
    }
    n->failures++;
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
    note(r, n, is_there(report->outcome) ? NULL : report->error.text);
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
    note(r, n, result->octets > 0 || good ? NULL : result->error.text);
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
