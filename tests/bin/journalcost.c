/* What the journal costs by itself. Each command makes a journal of its own in DIR (which must not
 * be there) and prints lines of words, a name and a figure in turns:
 *
 *   journalcost single DIR RECORDS   import, one-record changes in packs of 1, 100 and 1,000,
 *                                    merging, diff and loading
 *   journalcost spread DIR ZONES     the same changes, each in another one of so many zones of 10
 *   journalcost stall DIR RECORDS [PACKS]
 *                                    how long packs of ten changes take to be durable, with
 * the thread that merges packs at work, and without (PACKS in between, 200)
 */
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "journal/journal.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "syncd/packmerge.h"
#include "tests/tools/bench_zones.h"
#include "tests/tools/journal_fixture.h"

#define TRY_S 2.0 /* how long to try a size of pack, at most */
#define TRY_CHANGES 2000
#define FIRST_CHANGES 200
#define PACKS_BEFORE 200 /* a merging */
#define DROP_AT_ONCE 8   /* as the journal thread does */

struct subject {
    uint8_t apex[NAME_MAX_OCTETS];
    struct journal_oid first, tip;
    uint32_t version;
};

struct bench {
    struct journal *j;
    struct subject *zones;
    unsigned zone_count;
    uint64_t records;
    unsigned next;    /* the zone whose turn it is */
    uint64_t changes; /* so far */
};

static uint64_t pack_bytes(struct bench *b, uint64_t *packs)
{
    struct journal_stats s;
    struct errinfo e = {0};

    bench_must(journal_stats(b->j, &s, &e), &e);
    if (packs)
        *packs = s.packs;
    return s.pack_bytes;
}

/* ---- Making versions ---- */

static struct journal_entry entry_plain(const struct subject *s)
{
    return (struct journal_entry){.zone = s->apex,
                                  .parent = s->tip,
                                  .parent_entry = -1,
                                  .to = {s->version + 1},
                                  .seq = s->version + 1,
                                  .version = s->version + 1,
                                  .at = {INT64_C(1790000000) + s->version},
                                  .origin = "ixfr",
                                  .who = "192.0.2.1@53",
                                  .source = "192.0.2.1@53",
                                  .key = "transfer.example.net.",
                                  .transport = "tcp",
                                  .reason = ""};
}

static void import(struct bench *b, unsigned from, unsigned n)
{
    struct journal_entry *list = xcalloc(n, sizeof(*list));
    struct zone **content = xcalloc(n, sizeof(struct zone *));
    struct errinfo e = {0};

    for (unsigned i = 0; i < n; i++) {
        struct subject *s = &b->zones[from + i];

        bench_zone_name(s->apex, from + i);
        content[i] = bench_zone(s->apex, b->records);
        list[i] = entry_plain(s);
        list[i].content = content[i];
        list[i].added = b->records;
    }
    bench_must(journal_write(b->j, list, n, &e), &e);
    for (unsigned i = 0; i < n; i++) {
        b->zones[from + i].first = b->zones[from + i].tip = list[i].commit;
        b->zones[from + i].version = 1;
        zone_unref(content[i]);
    }
    free(content);
    free(list);
}

static void bench_open(struct bench *b, const char *dir, unsigned zones, uint64_t records)
{
    struct errinfo e = {0};

    *b = (struct bench){.zone_count = zones, .records = records};
    b->zones = xcalloc(zones, sizeof(*b->zones));
    bench_must(journal_open(&b->j, dir, "bench", true, &e), &e);
}

static void bench_close(struct bench *b)
{
    journal_close(b->j);
    free(b->zones);
}

/* One pack of n changes; where there are several zones, each is of another one. */
static void write_batch(struct bench *b, unsigned n)
{
    struct journal_entry *list = xcalloc(n, sizeof(*list));
    struct errinfo e = {0};

    for (unsigned i = 0; i < n; i++) {
        struct subject *s = &b->zones[(b->next + i) % b->zone_count];

        list[i] = entry_plain(s);
        list[i].changes = bench_change(s->apex, s->version, b->records);
        if (i >= b->zone_count)
            list[i].parent_entry = (int)(i - b->zone_count);
        list[i].has_from = true;
        list[i].from.v = s->version++;
        list[i].added = 2;
        list[i].removed = 1;
    }
    bench_must(journal_write(b->j, list, n, &e), &e);
    for (unsigned i = 0; i < n; i++) {
        b->zones[(b->next + i) % b->zone_count].tip = list[i].commit;
        changeset_free((struct changeset *)(uintptr_t)list[i].changes);
    }
    b->next = (b->next + n) % b->zone_count;
    b->changes += n;
    free(list);
}

static void many_changes(struct bench *b, unsigned batch)
{
    uint64_t before = pack_bytes(b, NULL);
    uint64_t from = b->changes;
    double start = bench_seconds();
    double cpu = bench_cpu_seconds();
    double took, n;

    do
        write_batch(b, batch);
    while (bench_seconds() - start < TRY_S && b->changes - from < TRY_CHANGES);
    took = bench_seconds() - start;
    n = (double)(b->changes - from);
    (void)printf("changes batch %u per_s %.0f cpu_us %.0f octets %.0f\n", batch, n / took,
                 (bench_cpu_seconds() - cpu) * 1e6 / n, (double)(pack_bytes(b, NULL) - before) / n);
}

static void merge(struct bench *b, uint64_t base, const char *what)
{
    uint64_t packs = 0;
    double start = bench_seconds();
    struct errinfo e = {0};

    bench_must(journal_repack(b->j, &e), &e);
    start = bench_seconds() - start;
    (void)printf("merged %s seconds %.3f changes %" PRIu64 " octets %.0f", what, start, b->changes,
                 ((double)pack_bytes(b, &packs) - (double)base) / (double)b->changes);
    (void)printf(" packs %" PRIu64 "\n", packs);
}

static void reading(struct bench *b)
{
    const struct subject *s = &b->zones[0];
    struct changeset *cs = NULL;
    struct zone *z = NULL;
    struct errinfo e = {0};
    double start = bench_seconds();

    bench_must(journal_diff(&cs, b->j, s->apex, &s->first, &s->tip, &e), &e);
    (void)printf("diff seconds %.4f versions %" PRIu32 " added %zu\n", bench_seconds() - start,
                 s->version - 1, cs->added.n);
    start = bench_seconds();
    bench_must(journal_zone_load(&z, b->j, s->apex, &s->tip, &e), &e);
    (void)printf("load seconds %.4f records %" PRIu64 "\n", bench_seconds() - start,
                 zone_records(z));
    changeset_free(cs);
    zone_unref(z);
}

/* ---- Commands ---- */

static void single(const char *dir, uint64_t records)
{
    static const unsigned batches[] = {1, 100, 1000};
    struct bench b;
    uint64_t base;
    double start;

    bench_open(&b, dir, 1, records);
    start = bench_seconds();
    import(&b, 0, 1);
    base = pack_bytes(&b, NULL);
    (void)printf("import seconds %.3f octets %" PRIu64 "\n", bench_seconds() - start, base);
    for (unsigned i = 0; i < 10; i++)
        write_batch(&b, FIRST_CHANGES / 10);
    merge(&b, base, "first");
    for (size_t i = 0; i < sizeof(batches) / sizeof(batches[0]); i++)
        many_changes(&b, batches[i]);
    merge(&b, base, "all");
    reading(&b);
    bench_close(&b);
}

static void spread(const char *dir, unsigned zones)
{
    static const unsigned batches[] = {1, 100, 1000};
    const unsigned at_once = 1000;
    struct bench b;
    double start = bench_seconds();
    uint64_t base;

    bench_open(&b, dir, zones, 10);
    for (unsigned i = 0; i < zones; i += at_once)
        import(&b, i, zones - i < at_once ? zones - i : at_once);
    base = pack_bytes(&b, NULL);
    (void)printf("import seconds %.3f octets %" PRIu64 "\n", bench_seconds() - start, base);
    for (size_t i = 0; i < sizeof(batches) / sizeof(batches[0]); i++)
        many_changes(&b, batches[i]);
    merge(&b, base, "all");
    bench_close(&b);
}

static void made(void *ctx)
{
    atomic_store((atomic_bool *)ctx, true);
}

struct samples {
    uint64_t list[20000]; /* nanoseconds */
    size_t n;
};

/* A pack; old packs go before it, if there are some to go. NULL when all are gone. */
static struct journal_merge *sample(struct samples *s, struct bench *b, struct journal_merge *m)
{
    uint64_t start = clock_mono_ns(clock_real());
    struct errinfo e = {0};
    bool done = false;

    if (m)
        bench_must(journal_merge_some(b->j, m, DROP_AT_ONCE, &done, &e), &e);
    write_batch(b, 10);
    if (s->n < sizeof(s->list) / sizeof(s->list[0]))
        s->list[s->n++] = clock_mono_ns(clock_real()) - start;
    if (!done)
        return m;
    journal_merge_free(m);
    return NULL;
}

static void samples_print(struct samples *s, const char *what)
{
    (void)printf("stall %s samples %zu p50_us %" PRIu64 " p99_us %" PRIu64 " max_us %" PRIu64 "\n",
                 what, s->n, bench_percentile(s->list, s->n, 500) / 1000,
                 bench_percentile(s->list, s->n, 990) / 1000,
                 bench_percentile(s->list, s->n, 1000) / 1000);
}

/* As syncd does it: the short part of merging is the writer's, and counts. */
static void stall(const char *dir, uint64_t records, unsigned packs)
{
    static struct samples alone, beside;
    struct packmerge *m = NULL;
    struct errinfo e = {0};
    atomic_bool ready = false;
    struct bench b;

    bench_open(&b, dir, 1, records);
    import(&b, 0, 1);
    bench_must(packmerge_start(&m, dir, NULL, made, &ready, &e), &e);
    for (unsigned round = 0; round < 5; round++) {
        struct journal_merge *merge;

        for (unsigned i = 0; i < packs; i++)
            (void)sample(&alone, &b, NULL);
        atomic_store(&ready, false);
        packmerge_want(m);
        while (!atomic_load(&ready))
            (void)sample(&beside, &b, NULL);
        for (merge = packmerge_take(m); merge;)
            merge = sample(&beside, &b, merge);
    }
    packmerge_stop(m);
    samples_print(&alone, "alone");
    samples_print(&beside, "merging");
    bench_close(&b);
}

int main(int argc, char **argv)
{
    uint64_t n = argc == 4 || argc == 5 ? strtoull(argv[3], NULL, 10) : 0;

    log_init("journalcost", LOG_ERROR, LOG_TEXT);
    if (n && strcmp(argv[1], "single") == 0)
        single(argv[2], n);
    else if (n && strcmp(argv[1], "spread") == 0)
        spread(argv[2], (unsigned)n);
    else if (n && strcmp(argv[1], "stall") == 0)
        stall(argv[2], n, argc == 5 ? (unsigned)strtoul(argv[4], NULL, 10) : PACKS_BEFORE);
    else
        return 2;
    return 0;
}
