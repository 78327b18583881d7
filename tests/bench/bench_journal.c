/* The journal: first import, small changes, merging, reading.
 *
 *     bench_journal [RECORDS [DIRECTORY]]        100000 records by default; 1000000 is the target's
 * size
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "journal/journal.h"
#include "lib/base/clock.h"
#include "lib/base/mem.h"
#include "tests/tools/journal_fixture.h"

#define APEX "example.com."
#define SMALL_RECORDS 1000
#define BATCHES_S 2.0 /* how long to try a size of batch, at most */

static void must(enum err rc, const struct errinfo *e)
{
    if (rc) {
        (void)fprintf(stderr, "%s: %s\n", err_name(rc), e->text);
        exit(1);
    }
}

static double now_s(void)
{
    return (double)clock_mono(clock_real()).ms / 1000.0;
}

static uint64_t pack_bytes(struct journal *j, uint64_t *packs)
{
    struct journal_stats s;
    struct errinfo e = {0};

    must(journal_stats(j, &s, &e), &e);
    if (packs)
        *packs = s.packs;
    return s.pack_bytes;
}

/* ---- Zones ---- */

static void soa_rdata(struct buf *out, uint32_t serial)
{
    static const uint8_t names[] = "\2ns\7example\3com\0\4host\7example\3com";

    buf_put(out, names, sizeof(names));
    buf_u32(out, serial);
    buf_u32(out, 7200);
    buf_u32(out, 3600);
    buf_u32(out, 1209600);
    buf_u32(out, 300);
}

static void owner_of(uint8_t out[NAME_MAX_OCTETS], uint64_t i)
{
    char text[64];
    int n = snprintf(text, sizeof(text), "host-%" PRIu64 "." APEX, i);

    (void)!name_from_text(out, text, (size_t)n, NULL, NULL);
}

static struct zone *zone_make(uint64_t records)
{
    uint8_t apex[NAME_MAX_OCTETS];
    struct zone_build_report report;
    struct zone_builder *b;
    struct buf soa = BUF_INIT;
    struct rr rr = {.owner = apex, .ttl = 3600, .type = RR_SOA, .rclass = CLASS_IN};
    struct zone *z = NULL;
    struct errinfo e = {0};

    name_of(apex, APEX);
    b = zone_builder_new(apex, NULL);
    soa_rdata(&soa, 1);
    rr.rdata = soa.data;
    rr.rdata_len = (uint16_t)soa.len;
    must(zone_builder_add(b, &rr, &e), &e);
    for (uint64_t i = 1; i < records; i++) {
        uint8_t owner[NAME_MAX_OCTETS];
        uint8_t a[4];

        owner_of(owner, i / 2); /* two records each */
        put_u32(a, (uint32_t)(0x0a000000u + i));
        rr = (struct rr){owner, a, 300, RR_A, CLASS_IN, sizeof(a)};
        must(zone_builder_add(b, &rr, &e), &e);
    }
    must(zone_builder_finish(&z, b, &report, &e), &e);
    zone_builder_free(b);
    buf_free(&soa);
    return z;
}

/* The change from version v to v + 1: a new address somewhere, and the serial. */
static struct changeset *change_make(const uint8_t *apex, uint32_t v, uint64_t records)
{
    struct changeset *cs = changeset_new(apex);
    uint8_t owner[NAME_MAX_OCTETS];
    uint8_t a[4];
    struct buf was = BUF_INIT;
    struct buf is = BUF_INIT;
    struct rng rng = {v};
    struct errinfo e = {0};
    struct rr rr;

    soa_rdata(&was, v);
    soa_rdata(&is, v + 1);
    rr = (struct rr){apex, was.data, 3600, RR_SOA, CLASS_IN, (uint16_t)was.len};
    must(changeset_remove(cs, &rr, &e), &e);
    rr.rdata = is.data;
    must(changeset_add(cs, &rr, &e), &e);
    owner_of(owner, rng_below(&rng, records / 2));
    put_u32(a, 0xc0000000u + v);
    rr = (struct rr){owner, a, 300, RR_A, CLASS_IN, sizeof(a)};
    must(changeset_add(cs, &rr, &e), &e);
    changeset_finish(cs);
    buf_free(&was);
    buf_free(&is);
    return cs;
}

/* ---- Runs ---- */

struct bench {
    struct journal *j;
    const struct zone *zone;
    uint64_t records;
    struct journal_oid first, tip;
    uint32_t version;
};

static void import(struct bench *b)
{
    struct journal_entry en = entry_of(b->zone, 1);
    double start = now_s();
    double took;
    struct errinfo e = {0};

    must(journal_write(b->j, &en, 1, &e), &e);
    took = now_s() - start;
    b->first = b->tip = en.commit;
    b->version = 1;
    (void)printf("import   %8" PRIu64 " records  %8.3f s  %10.0f records/s  %" PRIu64 " octets\n",
                 b->records, took, (double)b->records / (took > 0 ? took : 0.001),
                 pack_bytes(b->j, NULL));
}

static void write_batch(struct bench *b, unsigned n)
{
    struct journal_entry *list = xcalloc(n, sizeof(*list));
    struct errinfo e = {0};

    for (unsigned i = 0; i < n; i++) {
        list[i] = entry_of(b->zone, b->version + 1);
        list[i].changes = change_make(zone_apex(b->zone), b->version, b->records);
        list[i].content = NULL;
        list[i].parent = b->tip;
        list[i].parent_entry = (int)i - 1;
        list[i].to.v = ++b->version;
        list[i].has_from = true;
        list[i].from.v = b->version - 1;
        list[i].added = 2;
        list[i].removed = 1;
    }
    must(journal_write(b->j, list, n, &e), &e);
    b->tip = list[n - 1].commit;
    for (unsigned i = 0; i < n; i++)
        changeset_free((struct changeset *)(uintptr_t)list[i].changes);
    free(list);
}

static void small_changes(struct bench *b, unsigned batch)
{
    uint64_t before = pack_bytes(b->j, NULL);
    double start = now_s();
    uint32_t from = b->version;
    double took;
    uint32_t n;

    do
        write_batch(b, batch);
    while (now_s() - start < BATCHES_S && b->version - from < 2000);
    took = now_s() - start;
    n = b->version - from;
    (void)printf("changes  %8" PRIu64
                 " records  batch %4u  %7.0f commits/s  %6.0f octets a change\n",
                 b->records, batch, n / took, (double)(pack_bytes(b->j, NULL) - before) / n);
}

/* Every address gets another TTL: twice as many entries as records, all parts are touched. */
static void big_change(struct bench *b)
{
    struct journal_entry en = entry_of(b->zone, b->version + 1);
    struct changeset *cs = changeset_new(zone_apex(b->zone));
    struct zone_rr_iter it;
    struct rr rr;
    struct errinfo e = {0};
    double start;

    zone_rr_iter_init(&it, b->zone);
    while (zone_rr_next(&it, &rr)) {
        if (rr.type == RR_SOA)
            continue;
        must(changeset_remove(cs, &rr, &e), &e);
        rr.ttl++;
        must(changeset_add(cs, &rr, &e), &e);
    }
    changeset_finish(cs);
    en.parent = b->first;
    en.changes = cs;
    en.content = NULL;
    start = now_s();
    must(journal_write(b->j, &en, 1, &e), &e);
    (void)printf("change   %8" PRIu64 " records  %8.3f s  all TTLs, by change set\n", b->records,
                 now_s() - start);
    changeset_free(cs);
}

static void merge(struct bench *b)
{
    uint64_t packs = 0;
    uint64_t after = 0;
    uint64_t before = pack_bytes(b->j, &packs);
    double start = now_s();
    struct errinfo e = {0};

    must(journal_repack(b->j, &e), &e);
    (void)pack_bytes(b->j, &after);
    (void)printf("repack   %8.3f s  %" PRIu64 " -> %" PRIu64 " packs  %" PRIu64 " -> %" PRIu64
                 " octets\n",
                 now_s() - start, packs, after, before, pack_bytes(b->j, NULL));
}

static void reading(struct bench *b)
{
    struct changeset *cs = NULL;
    struct zone *z = NULL;
    struct journal_oid id;
    struct errinfo e = {0};
    double start = now_s();

    must(journal_diff(&cs, b->j, zone_apex(b->zone), &b->first, &b->tip, &e), &e);
    (void)printf("diff     %8.3f s  +%zu -%zu over %" PRIu32 " versions\n", now_s() - start,
                 cs->added.n, cs->removed.n, b->version - 1);
    start = now_s();
    must(journal_zone_load(&z, b->j, zone_apex(b->zone), &b->tip, &e), &e);
    (void)printf("load     %8.3f s  %" PRIu64 " records\n", now_s() - start, zone_records(z));
    start = now_s();
    must(journal_content_id(&id, z, &e), &e);
    (void)printf("id       %8.3f s\n", now_s() - start);
    changeset_free(cs);
    zone_unref(z);
}

/* What a small change weighs once packs are merged: among themselves first, as happens after a few
 * of them, then with the import, as happens when they weigh half as much. */
static void merged_weight(struct bench *b, uint64_t base, uint32_t from, const char *what)
{
    uint64_t packs = 0;
    uint64_t octets;

    merge(b);
    octets = pack_bytes(b->j, &packs) - base;
    (void)printf("merged   %8" PRIu64 " records  %5" PRIu32 " changes, %-22s  %6.0f octets a change"
                 "  (%" PRIu64 " packs)\n",
                 b->records, b->version - from, what, (double)octets / (b->version - from), packs);
}

static void run(const char *dir, uint64_t records)
{
    static const unsigned batches[] = {1, 100, 1000};
    struct bench b = {.records = records};
    uint64_t base;
    struct zone *z = zone_make(records);
    struct errinfo e = {0};

    b.zone = z;
    must(journal_open(&b.j, dir, "bench", true, &e), &e);
    import(&b);
    base = pack_bytes(b.j, NULL);
    for (unsigned i = 0; i < 10; i++)
        write_batch(&b, 20);
    merged_weight(&b, base, 1, "the first 200");
    for (size_t i = 0; i < sizeof(batches) / sizeof(batches[0]); i++)
        small_changes(&b, batches[i]);
    merged_weight(&b, base, 1, "all");
    big_change(&b);
    reading(&b);
    journal_close(b.j);
    zone_unref(z);
}

int main(int argc, char **argv)
{
    uint64_t records = argc > 1 ? strtoull(argv[1], NULL, 10) : 100000;
    char *small = temp_dir_new();
    char *large = argc > 2 ? xstrdup(argv[2]) : temp_dir_new();
    struct rusage use;

    run(small, SMALL_RECORDS);
    if (records > SMALL_RECORDS)
        run(large, records);
    (void)getrusage(RUSAGE_SELF, &use);
    (void)printf("memory   %8ld MiB at most\n", use.ru_maxrss / 1024);
    temp_dir_free(small);
    if (argc > 2)
        free(large);
    else
        temp_dir_free(large);
    return 0;
}
