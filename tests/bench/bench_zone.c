/* What a zone costs: building, finding, changing, comparing, and memory.
 *
 *     build/release/tests/bench/bench_zone [records]
 */
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "lib/zone/changeset.h"
#include "lib/zone/zone.h"

static const uint8_t apex[] = "\7example\3org";
static volatile size_t sink;

enum order { SORTED, TWO_RUNS, SHUFFLED };

static double seconds(void)
{
    struct timespec ts;

    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static void must(enum err rc, const struct errinfo *e)
{
    if (rc) {
        fprintf(stderr, "%s: %s\n", err_name(rc), e->text);
        exit(1);
    }
}

/* Owner i of n: seven digits, so that text order is canonical order. */
static void make_owner(uint8_t out[NAME_MAX_OCTETS], size_t i)
{
    char text[16];

    (void)snprintf(text, sizeof(text), "host%07zu", i);
    out[0] = 11;
    memcpy(out + 1, text, 11);
    memcpy(out + 12, apex, sizeof(apex));
}

static size_t place(size_t i, size_t n, enum order order)
{
    switch (order) {
    case SORTED:
        return i;
    case TWO_RUNS:
        return i < n / 2 ? 2 * i : 2 * (i - n / 2) + 1;
    case SHUFFLED:
        return (size_t)((unsigned long long)i * 700001u % n);
    }
    return i;
}

static void add_apex(struct zone_builder *b)
{
    static const uint8_t soa[] = "\2ns\0\4host\0\0\0\0\1\0\0\0\1\0\0\0\1\0\0\0\1\0\0\0\1";
    static const uint8_t ns[] = "\2ns";
    struct rr rr = {.owner = apex,
                    .rdata = soa,
                    .rdata_len = sizeof(soa) - 1,
                    .ttl = 300,
                    .type = RR_SOA,
                    .rclass = CLASS_IN};
    struct errinfo e;

    must(zone_builder_add(b, &rr, &e), &e);
    rr.type = RR_NS;
    rr.rdata = ns;
    rr.rdata_len = sizeof(ns);
    must(zone_builder_add(b, &rr, &e), &e);
}

static struct zone *build(size_t n, enum order order)
{
    struct zone_builder *b = zone_builder_new(apex, NULL);
    struct errinfo e = {{0}};
    struct zone *z = NULL;

    add_apex(b);
    for (size_t i = 0; i < n; i++) {
        uint8_t owner[NAME_MAX_OCTETS];
        uint8_t rdata[4];
        struct rr rr = {.owner = owner,
                        .rdata = rdata,
                        .rdata_len = 4,
                        .ttl = 300,
                        .type = RR_A,
                        .rclass = CLASS_IN};

        make_owner(owner, place(i, n, order));
        put_u32(rdata, (uint32_t)i);
        must(zone_builder_add(b, &rr, &e), &e);
    }
    must(zone_builder_finish(&z, b, NULL, &e), &e);
    zone_builder_free(b);
    return z;
}

static void bench_build(const char *what, size_t n, enum order order)
{
    double start = seconds();
    struct zone *z = build(n, order);
    double made = seconds() - start;
    double names;
    uint8_t owner[NAME_MAX_OCTETS];

    start = seconds(); /* making the names is not the builder's work */
    for (size_t i = 0; i < n; i++) {
        make_owner(owner, place(i, n, order));
        sink += owner[5];
    }
    names = seconds() - start;
    printf("%-44s %8.3f s\n", what, made - names);
    zone_unref(z);
}

static void bench_find(const struct zone *z, size_t n)
{
    enum { ROUNDS = 500000 };
    uint8_t(*owners)[32] = malloc(ROUNDS * sizeof(*owners));
    struct node node;
    bool exact;
    double start;

    if (!owners)
        exit(1);
    for (size_t i = 0; i < ROUNDS; i++) {
        uint8_t owner[NAME_MAX_OCTETS];

        make_owner(owner, place(i, n, SHUFFLED));
        memcpy(owners[i], owner, 32);
    }
    start = seconds();
    for (size_t i = 0; i < ROUNDS; i++)
        sink += zone_find(z, owners[i], &node);
    printf("%-44s %8.0f ns\n", "zone_find, random owners", (seconds() - start) * 1e9 / ROUNDS);
    start = seconds();
    for (size_t i = 0; i < ROUNDS; i++) {
        owners[i][1] = 'g'; /* absent */
        sink += zone_find_le(z, owners[i], &node, &exact);
    }
    printf("%-44s %8.0f ns\n", "zone_find_le, absent names", (seconds() - start) * 1e9 / ROUNDS);
    free(owners);
}

static struct changeset *one_record(const struct zone *z, size_t i, uint32_t serial)
{
    struct changeset *cs = changeset_new(apex);
    uint8_t owner[NAME_MAX_OCTETS];
    uint8_t rdata[4];
    uint8_t soa_rdata[128];
    struct errinfo e = {{0}};
    struct rr rr;
    struct soa soa;

    if (!zone_soa(z, &rr, &soa))
        exit(1);
    must(changeset_remove(cs, &rr, &e), &e);
    memcpy(soa_rdata, rr.rdata, rr.rdata_len);
    soa_set_serial(soa_rdata, rr.rdata_len, (struct serial){serial});
    rr.rdata = soa_rdata;
    must(changeset_add(cs, &rr, &e), &e);
    make_owner(owner, i);
    put_u32(rdata, UINT32_MAX - serial);
    rr = (struct rr){.owner = owner,
                     .rdata = rdata,
                     .rdata_len = 4,
                     .ttl = 300,
                     .type = RR_A,
                     .rclass = CLASS_IN};
    must(changeset_add(cs, &rr, &e), &e);
    changeset_finish(cs);
    return cs;
}

static enum err count_page(void *ctx, const struct page *p, struct errinfo *e)
{
    (void)p;
    (void)e;
    ++*(size_t *)ctx;
    return OK;
}

/* A change of one record, again and again, each on top of the one before. */
static void bench_change(const struct zone *first, size_t n)
{
    enum { ROUNDS = 1000 };
    struct zone **versions = calloc(ROUNDS + 1, sizeof(*versions));
    struct errinfo e = {{0}};
    double spent = 0;
    double start;
    size_t pages = 0;

    if (!versions)
        exit(1);
    for (size_t i = 0; i < ROUNDS; i++) {
        const struct zone *base = i ? versions[i] : first;
        struct changeset *cs = one_record(base, place(i, n, SHUFFLED), (uint32_t)i + 2);

        start = seconds();
        must(zone_apply(&versions[i + 1], base, cs, NULL, &e), &e);
        must(zone_check_change(versions[i + 1], cs, &e), &e);
        spent += seconds() - start;
        changeset_free(cs);
    }
    printf("%-44s %8.1f us\n", "zone_apply and check, one record and SOA", spent * 1e6 / ROUNDS);
    start = seconds();
    for (size_t i = 1; i < ROUNDS; i++) {
        struct changeset *cs = NULL;

        must(zone_diff(&cs, versions[i], versions[i + 1], &e), &e);
        sink += cs->added.n;
        changeset_free(cs);
    }
    printf("%-44s %8.1f us\n", "zone_diff after one record",
           (seconds() - start) * 1e6 / (ROUNDS - 1));
    start = seconds();
    for (size_t i = 1; i < ROUNDS; i++)
        must(zone_page_changes(versions[i], versions[i + 1], count_page, count_page, &pages, &e),
             &e);
    printf("%-44s %8.1f us, %.1f pages\n", "zone_page_changes after one record",
           (seconds() - start) * 1e6 / (ROUNDS - 1), (double)pages / (ROUNDS - 1));
    for (size_t i = 1; i <= ROUNDS; i++)
        zone_unref(versions[i]);
    free(versions);
}

static void bench_whole(const struct zone *z, const struct zone *other)
{
    struct errinfo e = {{0}};
    struct changeset *cs = NULL;
    uint8_t digest[32];
    struct buf text = BUF_INIT;
    double start = seconds();

    must(zone_check(z, &e), &e);
    printf("%-44s %8.3f s\n", "zone_check", seconds() - start);
    start = seconds();
    must(zone_diff(&cs, z, other, &e), &e);
    printf("%-44s %8.3f s, %zu records\n", "zone_diff, nothing shared by identity",
           seconds() - start, cs->added.n);
    changeset_free(cs);
    start = seconds();
    zone_sha256(digest, z);
    printf("%-44s %8.3f s\n", "zone_sha256", seconds() - start);
    start = seconds();
    zone_to_text(&text, z);
    printf("%-44s %8.3f s\n", "zone_to_text", seconds() - start);
    buf_free(&text);
}

int main(int argc, char **argv)
{
    size_t n = argc > 1 ? strtoul(argv[1], NULL, 10) : 1000000;
    struct zone *z;
    struct zone *other;
    size_t before;

    if (n < 2 || n > 10000000) {
        fprintf(stderr, "usage: bench_zone [records, 2 to 10000000]\n");
        return 2;
    }
    printf("%zu records, CPU time\n", n);
    bench_build("build, sorted", n, SORTED);
    bench_build("build, two sorted runs", n, TWO_RUNS);
    bench_build("build, shuffled", n, SHUFFLED);
    before = mallinfo2().uordblks + mallinfo2().hblkhd;
    z = build(n, SORTED);
    printf("%-44s %8.1f octets a record, %zu pages, %.1f with all overhead\n", "memory",
           (double)zone_bytes(z) / (double)zone_records(z), zone_page_count(z),
           (double)(mallinfo2().uordblks + mallinfo2().hblkhd - before) / (double)zone_records(z));
    other = build(n, TWO_RUNS);
    bench_find(z, n);
    bench_change(z, n);
    bench_whole(z, other);
    zone_unref(z);
    zone_unref(other);
    return 0;
}
