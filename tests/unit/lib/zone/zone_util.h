/* Small helpers of the zone tests. Include after cmocka.h. */
#ifndef ZL_TESTS_ZONE_UTIL_H
#define ZL_TESTS_ZONE_UTIL_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/zone/changeset.h"
#include "lib/zone/zone.h"

/* A name as a C literal in wire form; its NUL is the root label. */
#define N(literal) ((const uint8_t *)(literal))
#define EXAMPLE N("\7example\3org")
#define ROOT N("")

#define assert_ok(call)                                                                            \
    do {                                                                                           \
        enum err rc_ = (call);                                                                     \
        if (rc_)                                                                                   \
            fail_msg("%s: %s: %s", #call, err_name(rc_), e.text);                                  \
    } while (0)

#define assert_text_has(e, part)                                                                   \
    do {                                                                                           \
        if (!strstr((e).text, part))                                                               \
            fail_msg("'%s' is not in '%s'", part, (e).text);                                       \
    } while (0)

/* One record, held by itself. */
struct test_rr {
    struct rr rr;
    uint8_t owner[NAME_MAX_OCTETS];
    struct buf rdata;
};

/* "owner TTL TYPE RDATA", names relative to the apex. */
static inline void test_rr_parse(struct test_rr *t, const char *line, const uint8_t *apex)
{
    struct errinfo e = {{0}};
    char owner[512];
    char type[32];
    unsigned long ttl = 0;
    int rdata_at = 0;

    *t = (struct test_rr){0};
    if (sscanf(line, "%511s %lu %31s %n", owner, &ttl, type, &rdata_at) < 3)
        fail_msg("test line '%s'", line);
    assert_ok(name_from_text(t->owner, owner, strlen(owner), apex, &e));
    if (!type_from_text(&t->rr.type, type, strlen(type)))
        fail_msg("test line '%s'", line);
    assert_ok(
        rdata_from_text(&t->rdata, t->rr.type, line + rdata_at, strlen(line + rdata_at), apex, &e));
    t->rr.owner = t->owner;
    t->rr.ttl = (uint32_t)ttl;
    t->rr.rclass = CLASS_IN;
    t->rr.rdata = t->rdata.data;
    t->rr.rdata_len = (uint16_t)t->rdata.len;
}

/* Calls f for each line of `text` that isn't empty. */
static inline void each_line(const char *text, const uint8_t *apex,
                             void (*f)(void *ctx, const struct rr *rr), void *ctx)
{
    while (*text) {
        size_t n = strcspn(text, "\n");
        char line[2048];

        if (n > 0) {
            struct test_rr t;

            assert_true(n < sizeof(line));
            memcpy(line, text, n);
            line[n] = 0;
            test_rr_parse(&t, line, apex);
            f(ctx, &t.rr);
            buf_free(&t.rdata);
        }
        text += n + (text[n] == '\n');
    }
}

static inline void add_to_builder(void *ctx, const struct rr *rr)
{
    struct errinfo e = {{0}};

    assert_ok(zone_builder_add(ctx, rr, &e));
}

static inline struct zone *zone_of(const char *text, const uint8_t *apex)
{
    struct zone_builder *b = zone_builder_new(apex, NULL);
    struct errinfo e = {{0}};
    struct zone *z = NULL;

    each_line(text, apex, add_to_builder, b);
    assert_ok(zone_builder_finish(&z, b, NULL, &e));
    zone_builder_free(b);
    return z;
}

/* "-owner TTL TYPE RDATA" and "+...", one a line. */
static inline struct changeset *changes_of(const char *text, const uint8_t *apex)
{
    struct changeset *cs = changeset_new(apex);
    struct errinfo e = {{0}};

    while (*text) {
        size_t n = strcspn(text, "\n");
        char line[2048];
        struct test_rr t;

        assert_true(n > 1 && n < sizeof(line));
        memcpy(line, text + 1, n - 1);
        line[n - 1] = 0;
        test_rr_parse(&t, line, apex);
        if (*text == '-')
            assert_ok(changeset_remove(cs, &t.rr, &e));
        else
            assert_ok(changeset_add(cs, &t.rr, &e));
        buf_free(&t.rdata);
        text += n + (text[n] == '\n');
    }
    changeset_finish(cs);
    return cs;
}

/* "-rr\n+rr\n" of all records, removed ones first; the caller frees. */
static inline char *changes_text(const struct changeset *cs)
{
    struct buf b = BUF_INIT;
    char *text;

    for (size_t i = 0; i < cs->removed.n; i++) {
        buf_str(&b, "-");
        rr_to_text(&b, &cs->removed.rrs[i]);
    }
    for (size_t i = 0; i < cs->added.n; i++) {
        buf_str(&b, "+");
        rr_to_text(&b, &cs->added.rrs[i]);
    }
    text = xstrdup(buf_cstr(&b));
    buf_free(&b);
    return text;
}

static inline void assert_changes(const struct changeset *cs, const char *expected)
{
    char *text = changes_text(cs);

    assert_string_equal(text, expected);
    free(text);
}

static inline char *zone_text(const struct zone *z)
{
    struct buf b = BUF_INIT;
    char *text;

    zone_to_text(&b, z);
    text = xstrdup(buf_cstr(&b));
    buf_free(&b);
    return text;
}

static inline void assert_zone_text(const struct zone *z, const char *expected)
{
    char *text = zone_text(z);

    assert_string_equal(text, expected);
    free(text);
}

/* Same records, TTLs and octets, by text and by digest. */
static inline void assert_zones_same(const struct zone *a, const struct zone *b)
{
    uint8_t da[32];
    uint8_t db[32];
    char *text = zone_text(b);

    assert_zone_text(a, text);
    free(text);
    zone_sha256(da, a);
    zone_sha256(db, b);
    assert_memory_equal(da, db, 32);
    assert_int_equal(zone_records(a), zone_records(b));
    assert_int_equal(zone_serial(a).v, zone_serial(b).v);
}

static inline struct zone *zone_applied(const struct zone *base, const struct changeset *cs)
{
    struct errinfo e = {{0}};
    struct zone *z = NULL;

    assert_ok(zone_apply(&z, base, cs, NULL, &e));
    return z;
}

static inline struct changeset *diff_of(const struct zone *a, const struct zone *b)
{
    struct errinfo e = {{0}};
    struct changeset *cs = NULL;

    assert_ok(zone_diff(&cs, a, b, &e));
    return cs;
}

/* ---- Random zones, the same in each run ---- */

static inline uint32_t dice(uint64_t *seed, uint32_t sides)
{
    *seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(*seed >> 33) % sides;
}

/* A name below the apex out of a small set, so that two zones meet often; some with hostile
 * octets. */
static inline void random_owner(uint64_t *seed, uint8_t out[NAME_MAX_OCTETS], const uint8_t *apex,
                                uint32_t spread)
{
    static const char *const labels[] = {"\1a",  "\1A",    "\1*",    "\3a.b", "\2\0\0", "\2\0\1",
                                         "\1\1", "\1\377", "\4_tcp", "\3WWW", "\2\\\\", "\1@"};
    uint32_t depth = dice(seed, 4);
    size_t n = 0;

    for (uint32_t i = 0; i < depth; i++) {
        if (dice(seed, 3) == 0) {
            const char *label = labels[dice(seed, sizeof(labels) / sizeof(labels[0]))];

            memcpy(out + n, label, (size_t)label[0] + 1);
            n += (size_t)label[0] + 1;
        } else {
            char text[32];
            int len = snprintf(text, sizeof(text), "host%u", dice(seed, spread));

            out[n++] = (uint8_t)len;
            memcpy(out + n, text, (size_t)len);
            n += (size_t)len;
        }
    }
    (void)name_copy(out + n, apex);
}

/* A record that may meet others of its RRset; RDATA is valid for its type. */
static inline void random_rr(uint64_t *seed, struct test_rr *t, const uint8_t *apex,
                             uint32_t spread)
{
    static const uint16_t types[] = {RR_A,     RR_NS,    RR_TXT, RR_MX, RR_AAAA,
                                     RR_RRSIG, RR_CNAME, 65280,  RR_A,  RR_TXT};
    static const uint16_t covered[] = {RR_A, RR_NS, RR_TXT};
    uint16_t type = types[dice(seed, 10)];
    uint8_t name[NAME_MAX_OCTETS];

    t->rdata.len = 0;
    random_owner(seed, t->owner, apex, spread);
    switch (type) {
    case RR_A:
        buf_u32(&t->rdata, dice(seed, 5));
        break;
    case RR_AAAA:
        buf_u64(&t->rdata, dice(seed, 3));
        buf_u64(&t->rdata, dice(seed, 3));
        break;
    case RR_MX:
        buf_u16(&t->rdata, (uint16_t)dice(seed, 2));
        /* fallthrough */
    case RR_NS:
    case RR_CNAME:
        random_owner(seed, name, apex, 2);
        buf_put(&t->rdata, name, name_len(name));
        break;
    case RR_TXT:
        buf_u8(&t->rdata, 3);
        buf_u8(&t->rdata, (uint8_t)dice(seed, 256));
        buf_u16(&t->rdata, (uint16_t)dice(seed, 3));
        break;
    case RR_RRSIG:
        buf_u16(&t->rdata, covered[dice(seed, 3)]);
        buf_u64(&t->rdata, dice(seed, 2));
        buf_u64(&t->rdata, 0);
        buf_put(&t->rdata, apex, name_len(apex));
        buf_u16(&t->rdata, (uint16_t)dice(seed, 2));
        break;
    default:
        for (uint32_t n = dice(seed, 4); n > 0; n--)
            buf_u8(&t->rdata, (uint8_t)dice(seed, 256));
        break;
    }
    t->rr = (struct rr){.owner = t->owner,
                        .rdata = t->rdata.data,
                        .rdata_len = (uint16_t)t->rdata.len,
                        .ttl = 60 * (1 + dice(seed, 3)),
                        .type = type,
                        .rclass = CLASS_IN};
}

static inline void add_soa(struct zone_builder *b, const uint8_t *apex, uint32_t serial)
{
    struct errinfo e = {{0}};
    char line[64];
    struct test_rr t;

    (void)snprintf(line, sizeof(line), "@ 300 SOA ns host %lu 1 2 3 4", (unsigned long)serial);
    test_rr_parse(&t, line, apex);
    assert_ok(zone_builder_add(b, &t.rr, &e));
    buf_free(&t.rdata);
}

/* The zone of the first `keep` records of `seed` and `more` of another seed. */
static inline struct zone *random_zone(uint64_t seed, uint64_t other_seed, uint32_t keep,
                                       uint32_t more, uint32_t serial, const uint8_t *apex)
{
    struct zone_builder *b = zone_builder_new(apex, NULL);
    struct errinfo e = {{0}};
    struct test_rr t = {0};
    struct zone *z = NULL;

    add_soa(b, apex, serial);
    for (uint32_t i = 0; i < keep + more; i++) {
        random_rr(i < keep ? &seed : &other_seed, &t, apex, 400);
        assert_ok(zone_builder_add(b, &t.rr, &e));
    }
    assert_ok(zone_builder_finish(&z, b, NULL, &e));
    zone_builder_free(b);
    buf_free(&t.rdata);
    return z;
}

#endif
