/* bench_zonefile [RECORDS]: reading and writing a zone of hosts, delegations, mail and text, and a
 * signed one. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/mem.h"
#include "lib/dns/zonefile.h"

#define ROUNDS 3

/* Delegations as a signed TLD has them. */
static void make_signed(struct buf *out, unsigned records)
{
    static const char signature[] =
        "RSd3vCVrGqfNBcz4Q1ZqQ2gAO2cJ0gXgDIOCZbEKcYhGY0eyLKgZ5bnYFxQPzgFv"
        "f8iMpTdSvHTJT2J5B3pEiHm4U2nyLOVS5YFzBrvZ2mIBqvY2yYd0x2H+GG6X3xXw";

    buf_str(out, "$ORIGIN example.\n$TTL 3600\n"
                 "@ IN SOA ns1 hostmaster 1 7200 3600 1209600 300\n");
    for (unsigned i = 1; i < records; i++) {
        unsigned n = i / 4;

        switch (i % 4) {
        case 0:
            buf_printf(out, "child%u.example. 3600 IN NS ns.child%u.example.\n", n, n);
            break;
        case 1:
            buf_printf(out,
                       "child%u.example. 3600 IN DS %u 8 2 "
                       "%08X37C1C0BFE65F8BBDC7C43F9B8E0F3A1E2D4C5B6A798897A6B5C4D3E2\n",
                       n, i & 0xffff, i);
            break;
        case 2:
            buf_printf(out,
                       "child%u.example. 3600 IN RRSIG DS 8 2 3600 20261231235959 20261201000000 "
                       "%u example. %s\n",
                       n, i & 0xffff, signature);
            break;
        default:
            buf_printf(out, "child%u.example. 300 IN NSEC child%u.example. NS DS RRSIG NSEC\n", n,
                       n + 1);
            break;
        }
    }
}

static void make_zone(struct buf *out, unsigned records)
{
    buf_str(out, "$ORIGIN example.com.\n$TTL 3600\n"
                 "@ IN SOA ns1 hostmaster 1 7200 3600 1209600 300\n");
    for (unsigned i = 1; i < records; i++) {
        switch (i % 10) {
        case 0:
            buf_printf(out, "host%u 300 IN AAAA 2001:db8:%x::%x\n", i / 10, i >> 16, i & 0xffff);
            break;
        case 1:
            buf_printf(out, "mail%u IN MX 10 mx%u.example.net.\n", i / 10, i % 7);
            break;
        case 2:
            buf_printf(out, "text%u 600 IN TXT \"v=spf1 include:_spf%u.example.net -all\"\n", i,
                       i % 9);
            break;
        case 3:
        case 4:
            buf_printf(out, "child%u 86400 IN NS ns%u.dns.example.org.\n", i / 10, i % 10);
            break;
        case 5:
            buf_printf(out, "www%u IN CNAME host%u\n", i, i / 10);
            break;
        default:
            buf_printf(out, "host%u.dc%u 300 IN A 10.%u.%u.%u\n", i, i % 5, i >> 16 & 255,
                       i >> 8 & 255, i & 255);
            break;
        }
    }
}

struct records {
    struct arena arena;
    struct rr *list;
    size_t count;
    size_t cap;
};

static enum err keep(void *ctx, const struct rr *rr, struct errinfo *e)
{
    struct records *all = ctx;

    (void)e;
    if (all->count == all->cap)
        all->list = xgrow(all->list, &all->cap, all->count + 1, sizeof(*all->list));
    all->list[all->count] = *rr;
    all->list[all->count].owner = arena_dup(&all->arena, rr->owner, name_len(rr->owner));
    all->list[all->count].rdata = arena_dup(&all->arena, rr->rdata, rr->rdata_len);
    all->count++;
    return OK;
}

static enum err count(void *ctx, const struct rr *rr, struct errinfo *e)
{
    uint64_t *n = ctx;

    (void)e;
    *n += rr->rdata_len > 0;
    return OK;
}

static void show(const char *what, uint64_t records, size_t octets, struct mono from,
                 struct mono to)
{
    double s = (double)(to.ms - from.ms) / 1e3;

    printf("%-6s %9" PRIu64 " records %7.3f s %6.2f M records/s %7.1f MB/s\n", what, records, s,
           (double)records / s / 1e6, (double)octets / s / 1e6);
}

static void bench_write(const struct records *all)
{
    struct buf out = BUF_INIT;
    size_t octets = 0;
    struct mono from = clock_mono(clock_real());

    for (size_t i = 0; i < all->count; i++) {
        zonefile_write_rr(&out, &all->list[i], NULL);
        if (out.len > 1u << 20) {
            octets += out.len;
            out.len = 0;
        }
    }
    show("write", all->count, octets + out.len, from, clock_mono(clock_real()));
    buf_free(&out);
}

static int bench(const char *name, const struct buf *zone)
{
    struct records all = {.count = 0};
    struct errinfo e = {0};
    int failed = 1;

    printf("%s\n", name);
    for (int i = 0; i < ROUNDS; i++) {
        uint64_t n = 0;
        struct mono from = clock_mono(clock_real());

        if (zonefile_read_mem(zone->data, zone->len, NULL, count, &n, &e))
            goto out;
        show("read", n, zone->len, from, clock_mono(clock_real()));
    }
    if (zonefile_read_mem(zone->data, zone->len, NULL, keep, &all, &e))
        goto out;
    for (int i = 0; i < ROUNDS; i++)
        bench_write(&all);
    failed = 0;
out:
    if (failed)
        (void)fprintf(stderr, "bench_zonefile: %s\n", e.text);
    free(all.list);
    arena_done(&all.arena);
    return failed;
}

int main(int argc, char **argv)
{
    unsigned records = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 1000000;
    struct buf zone = BUF_INIT;
    int failed;

    make_zone(&zone, records);
    failed = bench("hosts", &zone);
    zone.len = 0;
    make_signed(&zone, records);
    failed |= bench("signed", &zone);
    buf_free(&zone);
    return failed;
}
