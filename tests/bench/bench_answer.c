/* What answering costs without any network: a zone of a million records in memory, queries in
 * batches as the UDP path makes them.
 *
 *     build/release/tests/bench/bench_answer [records [queries]]
 *
 * Under `valgrind --tool=callgrind --toggle-collect=answer_batch` it gives instructions a query,
 * which are the same in every run.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "lib/base/mem.h"
#include "tests/tools/answer_fixture.h"

#define BATCH 32
#define NAMES 65536 /* queries that are prepared, power of two */

struct sample {
    uint8_t wire[96];
    size_t len;
};

struct mix {
    const char *what;
    unsigned absent; /* in ten */
    unsigned names;  /* different ones; 0: any */
};

static const struct mix mixes[] = {
    {"random names, one in ten absent", 1, 0},
    {"random names that exist", 0, 0},
    {"random names that do not exist", 10, 0},
    {"100 hot names", 0, 100},
};

static double seconds(void)
{
    struct timespec ts;

    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static uint32_t draw(void)
{
    static uint64_t state = 4711;

    state = state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(state >> 33);
}

/* Owners lie in 500 subdomains, each with one address. */
static void owner_text(char *out, size_t size, const char *before, uint32_t i)
{
    (void)snprintf(out, size, "%shost-%07u.r%03u.big.test.", before, i, i * 7919 % 500);
}

static void add(struct zone_builder *b, const char *owner, uint16_t type, const char *rdata,
                uint16_t len)
{
    uint8_t name[NAME_MAX_OCTETS];
    struct errinfo e = {0};
    struct rr rr = {.owner = name,
                    .type = type,
                    .rclass = CLASS_IN,
                    .ttl = 3600,
                    .rdata = (const uint8_t *)rdata,
                    .rdata_len = len};

    if (name_from_text(name, owner, strlen(owner), NULL, &e) || zone_builder_add(b, &rr, &e)) {
        (void)fprintf(stderr, "%s: %s\n", owner, e.text);
        exit(1);
    }
}

static struct zone *big_zone(uint32_t records)
{
    static const char soa[] = "\3ns1\3big\4test\0\0\0\0\0\1\0\0\1\0\0\0\1\0\0\0\1\0\0\0\1";
    struct errinfo e = {0};
    struct zone_builder *b = zone_builder_new((const uint8_t *)"\3big\4test", NULL);
    struct zone *z = NULL;

    add(b, "big.test.", RR_SOA, soa, sizeof(soa));
    add(b, "big.test.", RR_NS, "\3ns1\3big\4test", 14);
    add(b, "ns1.big.test.", RR_A, "\300\0\2\1", 4);
    for (uint32_t i = 0; i < records; i++) {
        char text[64], a[4] = {10, (char)(i >> 16), (char)(i >> 8), (char)i};

        owner_text(text, sizeof(text), "", i);
        add(b, text, RR_A, a, 4);
    }
    if (zone_builder_finish(&z, b, NULL, &e)) {
        (void)fprintf(stderr, "%s\n", e.text);
        exit(1);
    }
    zone_builder_free(b);
    return z;
}

static void make_queries(struct sample *out, const struct mix *m, uint32_t records)
{
    for (size_t i = 0; i < NAMES; i++) {
        struct ask q = {.qtype = "A", .edns = true};
        static uint8_t wire[MSG_MAX_OCTETS];
        char text[64];
        uint32_t n = draw() % records;

        if (m->names)
            n = n % m->names * (records / m->names);
        owner_text(text, sizeof(text), draw() % 10 < m->absent ? "no" : "", n);
        q.qname = text;
        out[i].len = ask_build(wire, &q);
        memcpy(out[i].wire, wire, out[i].len);
    }
}

/* Not static and not inlined, so that callgrind knows it by name. */
size_t answer_batch(struct answerer *a, const struct sample *s, uint8_t *out);

__attribute__((noinline)) size_t answer_batch(struct answerer *a, const struct sample *s,
                                              uint8_t *out)
{
    static const struct addr source = {.family = 4, .ip = {192, 0, 2, 99}, .port = 4711};
    static struct answer_ahead ahead[BATCH];
    size_t at[BATCH];
    struct answer_client client = {.transport = HO_UDP, .source = &source};
    size_t octets = 0;

    for (size_t i = 0; i < BATCH; i++) {
        answer_look_ahead(&ahead[i], a->db, s[i].wire, s[i].len);
        at[i] = i;
    }
    answer_fetch(ahead, at, BATCH, a->db);
    for (size_t i = 0; i < BATCH; i++) {
        client.ahead = &ahead[i];
        octets +=
            answer_make(a, plain_config(), &client, s[i].wire, s[i].len, out + i * 4096, 4096).len;
    }
    return octets;
}

int main(int argc, char **argv)
{
    uint32_t records = argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 10) : 1000000;
    size_t queries = argc > 2 ? (size_t)strtoul(argv[2], NULL, 10) : 2000000;
    struct zonedb *db = zonedb_new(clock_real());
    struct answerer *a = answerer_new(db);
    struct sample *samples = xcalloc(NAMES, sizeof(*samples));
    uint8_t *out = xmalloc((size_t)BATCH * 4096);
    size_t octets = 0;
    double start = seconds();

    zonedb_put(db, big_zone(records), 1, 1, false);
    printf("zone of %u records made in %.2f s\n", records, seconds() - start);
    for (size_t m = 0; m < sizeof(mixes) / sizeof(mixes[0]); m++) {
        make_queries(samples, &mixes[m], records);
        start = seconds();
        for (size_t i = 0; i < queries; i += BATCH)
            octets += answer_batch(a, samples + i % NAMES, out);
        printf("%-44s %8.1f ns\n", mixes[m].what, (seconds() - start) * 1e9 / (double)queries);
    }
    free(samples);
    free(out);
    free(a);
    zonedb_free(db);
    return octets == 0;
}
