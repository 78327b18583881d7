#include "tests/tools/bench_zones.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "lib/base/clock.h"
#include "tests/tools/journal_fixture.h"

static const uint8_t ns_name[] = "\2ns\7example\3net";

void bench_must(enum err rc, const struct errinfo *e)
{
    if (rc == OK)
        return;
    (void)fprintf(stderr, "%s: %s\n", err_name(rc), e->text);
    exit(1);
}

void bench_zone_name(uint8_t out[NAME_MAX_OCTETS], unsigned i)
{
    char text[32];
    int n = snprintf(text, sizeof(text), "z%07u.test.", i);

    bench_must(name_from_text(out, text, (size_t)n, NULL, NULL), &(struct errinfo){"a name"});
}

static void soa_rdata(struct buf *out, uint32_t serial)
{
    buf_put(out, ns_name, sizeof(ns_name));
    buf_put(out, ns_name, sizeof(ns_name));
    buf_u32(out, serial);
    buf_u32(out, 7200);
    buf_u32(out, 3600);
    buf_u32(out, 1209600);
    buf_u32(out, 300);
}

static void host_name(uint8_t out[NAME_MAX_OCTETS + 32], const uint8_t *apex, uint64_t i)
{
    int n = snprintf((char *)out + 1, 31, "host-%" PRIu64, i);

    out[0] = (uint8_t)n;
    (void)name_copy(out + 1 + n, apex);
}

struct zone *bench_zone(const uint8_t *apex, uint64_t records)
{
    struct zone_builder *b = zone_builder_new(apex, NULL);
    struct zone_build_report report;
    struct buf soa = BUF_INIT;
    struct rr rr = {.owner = apex, .ttl = 3600, .type = RR_SOA, .rclass = CLASS_IN};
    struct zone *z = NULL;
    struct errinfo e = {0};

    soa_rdata(&soa, 1);
    rr.rdata = soa.data;
    rr.rdata_len = (uint16_t)soa.len;
    bench_must(zone_builder_add(b, &rr, &e), &e);
    rr = (struct rr){apex, ns_name, 3600, RR_NS, CLASS_IN, sizeof(ns_name)};
    bench_must(zone_builder_add(b, &rr, &e), &e);
    for (uint64_t i = 2; i < records; i++) {
        uint8_t owner[NAME_MAX_OCTETS + 32];
        uint8_t a[4];

        host_name(owner, apex, i / 2);
        put_u32(a, (uint32_t)(0x0a000000u + i));
        rr = (struct rr){owner, a, 300, RR_A, CLASS_IN, sizeof(a)};
        bench_must(zone_builder_add(b, &rr, &e), &e);
    }
    bench_must(zone_builder_finish(&z, b, &report, &e), &e);
    zone_builder_free(b);
    buf_free(&soa);
    return z;
}

struct changeset *bench_change(const uint8_t *apex, uint32_t v, uint64_t records)
{
    struct changeset *cs = changeset_new(apex);
    uint8_t owner[NAME_MAX_OCTETS + 32];
    uint8_t a[4];
    struct buf was = BUF_INIT;
    struct buf is = BUF_INIT;
    struct rng rng = {v};
    struct errinfo e = {0};
    struct rr rr;

    soa_rdata(&was, v);
    soa_rdata(&is, v + 1);
    rr = (struct rr){apex, was.data, 3600, RR_SOA, CLASS_IN, (uint16_t)was.len};
    bench_must(changeset_remove(cs, &rr, &e), &e);
    rr.rdata = is.data;
    bench_must(changeset_add(cs, &rr, &e), &e);
    host_name(owner, apex, 1 + rng_below(&rng, records / 2));
    put_u32(a, 0xc0000000u + v);
    rr = (struct rr){owner, a, 300, RR_A, CLASS_IN, sizeof(a)};
    bench_must(changeset_add(cs, &rr, &e), &e);
    changeset_finish(cs);
    buf_free(&was);
    buf_free(&is);
    return cs;
}

static int sample_cmp(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return (x > y) - (x < y);
}

uint64_t bench_percentile(uint64_t *samples, size_t n, unsigned of_1000)
{
    size_t at = n * of_1000 / 1000;

    if (n == 0)
        return 0;
    qsort(samples, n, sizeof(*samples), sample_cmp);
    return samples[at < n ? at : n - 1];
}

double bench_seconds(void)
{
    return (double)clock_mono_ns(clock_real()) / 1e9;
}

double bench_cpu_seconds(void)
{
    struct rusage u;

    (void)getrusage(RUSAGE_SELF, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
           (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}
