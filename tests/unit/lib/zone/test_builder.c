#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lib/base/mem.h"
#include "tests/unit/lib/zone/zone_util.h"

#define SOA "@ 300 SOA ns host 1 1 2 3 4\n"
#define SOA_TEXT "example.org. 300 IN SOA ns.example.org. host.example.org. 1 1 2 3 4\n"

static void test_order_and_duplicates(void **state)
{
    static const struct {
        const char *lines, *text;
        uint64_t duplicates, ttls_changed;
    } cases[] = {
        {"", "", 0, 0},
        {SOA, SOA_TEXT, 0, 0},
        {SOA "w 1 A 1.1.1.1\n" SOA, SOA_TEXT "w.example.org. 1 IN A 1.1.1.1\n", 1, 0},
        /* owners differ in case only; a later one with the same RDATA */
        {"w 1 A 1.1.1.1\nW 1 A 1.1.1.2\nw 1 A 1.1.1.1\n",
         "w.example.org. 1 IN A 1.1.1.1\nw.example.org. 1 IN A 1.1.1.2\n", 1, 0},
        /* unsorted owners, one in two places */
        {"c 1 A 1.1.1.1\na 1 A 1.1.1.1\nb 1 A 1.1.1.1\na 1 A 1.1.1.2\n",
         "a.example.org. 1 IN A 1.1.1.1\na.example.org. 1 IN A 1.1.1.2\n"
         "b.example.org. 1 IN A 1.1.1.1\nc.example.org. 1 IN A 1.1.1.1\n",
         0, 0},
        /* types and RDATA unsorted at one owner */
        {"a 1 TXT b\na 1 A 1.1.1.2\na 1 TXT a\na 1 A 1.1.1.1\n",
         "a.example.org. 1 IN A 1.1.1.1\na.example.org. 1 IN A 1.1.1.2\n"
         "a.example.org. 1 IN TXT \"a\"\na.example.org. 1 IN TXT \"b\"\n",
         0, 0},
        /* RFC 2181 5.2: the lowest TTL; each type for itself */
        {"a 3 A 1.1.1.1\na 2 A 1.1.1.2\na 9 TXT a\n",
         "a.example.org. 2 IN A 1.1.1.1\na.example.org. 2 IN A 1.1.1.2\n"
         "a.example.org. 9 IN TXT \"a\"\n",
         0, 1},
        /* the TTL of a duplicate counts */
        {"a 3 A 1.1.1.1\na 2 A 1.1.1.1\n", "a.example.org. 2 IN A 1.1.1.1\n", 1, 1},
        /* names in RDATA in another case: one record, the lowest octets stay */
        {"a 1 NS b.c.\na 1 NS B.c.\n", "a.example.org. 1 IN NS B.c.\n", 1, 0},
        {"a 1 NS B.c.\na 1 NS b.c.\n", "a.example.org. 1 IN NS B.c.\n", 1, 0},
        {"\\000 1 A 1.1.1.1\n@ 1 A 1.1.1.1\n\\001 1 A 1.1.1.1\n* 1 A 1.1.1.1\na\\.b 1 A 1.1.1.1\n"
         "b.a 1 A 1.1.1.1\na 1 A 1.1.1.1\n",
         "example.org. 1 IN A 1.1.1.1\n\\000.example.org. 1 IN A 1.1.1.1\n"
         "\\001.example.org. 1 IN A 1.1.1.1\n*.example.org. 1 IN A 1.1.1.1\n"
         "a.example.org. 1 IN A 1.1.1.1\nb.a.example.org. 1 IN A 1.1.1.1\n"
         "a\\.b.example.org. 1 IN A 1.1.1.1\n",
         0, 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct zone_builder *b = zone_builder_new(EXAMPLE, NULL);
        struct zone_build_report report;
        struct errinfo e = {{0}};
        struct zone *z = NULL;

        each_line(cases[i].lines, EXAMPLE, add_to_builder, b);
        assert_ok(zone_builder_finish(&z, b, &report, &e));
        assert_zone_text(z, cases[i].text);
        assert_int_equal(report.duplicates, cases[i].duplicates);
        assert_int_equal(report.ttls_changed, cases[i].ttls_changed);
        zone_builder_free(b);
        zone_unref(z);
    }
    zone_builder_free(NULL);
}

static void test_refused(void **state)
{
    static const struct {
        const uint8_t *owner;
        uint32_t ttl;
        uint16_t type, rclass;
        const char *says;
    } cases[] = {
        {N("\3www\7example\3com"), 1, RR_A, CLASS_IN, "www.example.com. A: outside the zone"},
        {N("\3org"), 1, RR_A, CLASS_IN, "org. A: outside the zone"},
        {ROOT, 1, RR_A, CLASS_IN, "outside the zone"},
        {N("\10xexample\3org"), 1, RR_A, CLASS_IN, "outside the zone"},
        /* the apex's octets, begun inside a label */
        {N("\15x\7example\3org"), 1, RR_A, CLASS_IN, "outside the zone"},
        {EXAMPLE, 1, RR_A, CLASS_CH, "example.org. A: class CH"},
        {EXAMPLE, 1, RR_A, CLASS_ANY, "class ANY"},
        {EXAMPLE, 1, RR_A, CLASS_NONE, "class NONE"},
        {EXAMPLE, 1, RR_OPT, CLASS_IN, "example.org. OPT: this type"},
        {EXAMPLE, 1, RR_TSIG, CLASS_IN, "this type"},
        {EXAMPLE, 1, RR_AXFR, CLASS_IN, "this type"},
        {EXAMPLE, 1, RR_ANY, CLASS_IN, "this type"},
        {EXAMPLE, 1, 0, CLASS_IN, "this type"},
        {EXAMPLE, UINT32_C(0x80000000), RR_A, CLASS_IN, "TTL 2147483648"},
    };
    struct zone_builder *b = zone_builder_new(EXAMPLE, NULL);
    struct errinfo e = {{0}};
    struct zone *z = NULL;

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct rr rr = {.owner = cases[i].owner,
                        .rdata = (const uint8_t *)"\1\2\3\4",
                        .rdata_len = 4,
                        .ttl = cases[i].ttl,
                        .type = cases[i].type,
                        .rclass = cases[i].rclass};

        assert_int_equal(zone_builder_add(b, &rr, &e), ERR_CHECK);
        assert_text_has(e, cases[i].says);
    }
    assert_ok(zone_builder_finish(&z, b, NULL, &e));
    assert_int_equal(zone_records(z), 0);
    zone_builder_free(b);
    zone_unref(z);
}

static enum err build_n(uint32_t n, uint16_t type, uint16_t types, const struct zone_limits *limits,
                        struct errinfo *e)
{
    struct zone_builder *b = zone_builder_new(EXAMPLE, limits);
    struct zone *z = NULL;
    enum err rc = OK;

    for (uint32_t i = 0; i < n && !rc; i++) {
        uint8_t rdata[4];
        struct rr rr = {.owner = N("\3big\7example\3org"),
                        .rdata = rdata,
                        .rdata_len = 4,
                        .ttl = 1,
                        .type = (uint16_t)(type + i % types),
                        .rclass = CLASS_IN};

        put_u32(rdata, i);
        rc = zone_builder_add(b, &rr, e);
    }
    if (!rc)
        rc = zone_builder_finish(&z, b, NULL, e);
    if (!rc)
        assert_int_equal(zone_records(z), n);
    zone_builder_free(b);
    zone_unref(z);
    return rc;
}

static void test_limits(void **state)
{
    static const struct {
        uint32_t n;
        uint16_t type, types;
        struct zone_limits limits;
        enum err rc;
        const char *says;
    } cases[] = {
        {65535, RR_A, 1, {0}, OK, ""},
        {65536, RR_A, 1, {0}, ERR_LIMIT, "big.example.org. A: 65536 records; at most 65535"},
        {100, RR_A, 1, {.max_rrset = 100}, OK, ""},
        {101, RR_A, 1, {.max_rrset = 100}, ERR_LIMIT, "big.example.org. A: 101 records"},
        {65536, RR_A, 1, {.max_rrset = 70000}, ERR_LIMIT, "at most 65535"},
        {50, 65280, 50, {.max_types = 50}, OK, ""},
        {51, 65280, 51, {.max_types = 50}, ERR_LIMIT, "big.example.org. TYPE65330: 51 types"},
        {20, RR_A, 1, {.max_records = 20}, OK, ""},
        {21, RR_A, 1, {.max_records = 20}, ERR_LIMIT, "more than 20 records"},
        {20, RR_A, 1, {.max_bytes = 200}, OK, ""},
        {40, RR_A, 1, {.max_bytes = 200}, ERR_LIMIT, "more than 200 octets"},
        /* found only when the pages are there */
        {30, RR_A, 1, {.max_bytes = 200}, ERR_LIMIT, "at most 0 in 200"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct errinfo e = {{0}};

        assert_int_equal(build_n(cases[i].n, cases[i].type, cases[i].types, &cases[i].limits, &e),
                         cases[i].rc);
        assert_text_has(e, cases[i].says);
    }
}

/* RRSIGs that cover several types count as one type. */
static void test_signatures_are_one_type(void **state)
{
    struct zone_limits limits = {.max_types = 3};
    struct zone_builder *b = zone_builder_new(EXAMPLE, &limits);
    struct errinfo e = {{0}};
    struct zone *z = NULL;

    (void)state;
    each_line(SOA "@ 1 RRSIG SOA 13 2 300 20300101000000 20200101000000 2 @ AAAA\n"
                  "@ 2 RRSIG NS 13 2 300 20300101000000 20200101000000 1 @ AAAA\n"
                  "@ 3 RRSIG A 13 2 600 20300101000000 20200101000000 1 @ AAAA\n"
                  "@ 3 A 192.0.2.1\n",
              EXAMPLE, add_to_builder, b);
    assert_ok(zone_builder_finish(&z, b, NULL, &e));
    assert_int_equal(zone_records(z), 5);
    zone_builder_free(b);
    zone_unref(z);
}

static struct zone *many_owners(unsigned n)
{
    struct zone_builder *b = zone_builder_new(EXAMPLE, NULL);
    struct errinfo e = {{0}};
    struct zone *z = NULL;

    for (unsigned i = 0; i < n; i++) {
        char line[64];
        struct test_rr t;

        (void)snprintf(line, sizeof(line), "h%u 1 TXT %.*s", i, (int)(i % 30),
                       "012345678901234567890123456789");
        if (i % 30 == 0)
            (void)snprintf(line, sizeof(line), "h%u 1 A 1.1.1.1", i);
        test_rr_parse(&t, line, EXAMPLE);
        assert_ok(zone_builder_add(b, &t.rr, &e));
        buf_free(&t.rdata);
    }
    assert_ok(zone_builder_finish(&z, b, NULL, &e));
    zone_builder_free(b);
    return z;
}

static void test_page_sizes(void **state)
{
    struct zone *z = many_owners(3000);
    struct zone_iter it;
    struct node n;
    const struct page *last = NULL;
    size_t pages = 0;

    (void)state;
    zone_iter_init(&it, z);
    while (zone_next(&it, &n)) {
        if (n.page == last)
            continue;
        last = n.page;
        if (++pages == zone_page_count(z)) /* what is left at the end */
            assert_in_range(n.page->len, PAGE_TARGET_BYTES / 2, PAGE_TARGET_BYTES * 3 / 2);
        else
            assert_in_range(n.page->len, PAGE_TARGET_BYTES * 3 / 4, PAGE_TARGET_BYTES * 5 / 4);
    }
    assert_int_equal(pages, zone_page_count(z));
    zone_unref(z);
}

static struct rr *all_records(const struct zone *z, struct arena *a)
{
    struct rr *rrs = arena_alloc(a, (size_t)zone_records(z) * sizeof(*rrs));
    struct zone_rr_iter it;
    struct rr rr;
    size_t n = 0;

    zone_rr_iter_init(&it, z);
    while (zone_rr_next(&it, &rr)) {
        rrs[n] = rr;
        rrs[n++].owner = arena_dup(a, rr.owner, name_len(rr.owner));
    }
    assert_int_equal(n, zone_records(z));
    return rrs;
}

enum shape { FORWARD, BACKWARD, TWO_RUNS, SHUFFLED, SHAPES };

static size_t shaped(size_t i, size_t n, enum shape shape)
{
    switch (shape) {
    case BACKWARD:
        return n - 1 - i;
    case TWO_RUNS:
        return i < (n + 1) / 2 ? 2 * i : 2 * (i - (n + 1) / 2) + 1;
    case SHUFFLED:
        return (size_t)((uint64_t)i * 1000003u % n);
    case FORWARD:
    case SHAPES:
        break;
    }
    return i;
}

static void test_any_order(void **state)
{
    static const uint8_t *const apexes[] = {EXAMPLE, ROOT, N("\1\0\3a.b")};

    (void)state;
    for (uint64_t seed = 1; seed <= 9; seed++) {
        struct zone *z = random_zone(seed, 0, seed % 2 ? 40 : 4000, 0, 1, apexes[seed % 3]);
        struct arena arena = {0};
        struct rr *rrs = all_records(z, &arena);
        size_t n = (size_t)zone_records(z);

        for (enum shape shape = FORWARD; shape < SHAPES; shape++) {
            struct zone_builder *b = zone_builder_new(zone_apex(z), NULL);
            struct zone_build_report report;
            struct errinfo e = {{0}};
            struct zone *again = NULL;

            for (size_t i = 0; i < n; i++)
                assert_ok(zone_builder_add(b, &rrs[shaped(i, n, shape)], &e));
            assert_ok(zone_builder_finish(&again, b, &report, &e));
            assert_int_equal(report.duplicates + report.ttls_changed, 0);
            assert_zones_same(z, again);
            zone_builder_free(b);
            zone_unref(again);
        }
        arena_done(&arena);
        zone_unref(z);
    }
}

/* Keys that agree in many octets, and that end just where the next eight begin. */
static void test_deep_names(void **state)
{
    struct zone_builder *b = zone_builder_new(ROOT, NULL);
    struct errinfo e = {{0}};
    struct zone *z = NULL;
    uint8_t last[NAME_MAX_OCTETS];
    struct zone_iter it;
    struct node n;
    size_t count = 0;

    (void)state;
    /* "a.a.a...": longest first; a label of seven octets makes a key of eight */
    for (size_t step = 2; step <= 8; step += 6) {
        for (size_t depth = 254 / step; depth > 0; depth--) {
            uint8_t owner[NAME_MAX_OCTETS];
            struct rr rr = {.owner = owner,
                            .rdata = (const uint8_t *)"\1\2\3\4",
                            .rdata_len = 4,
                            .ttl = 1,
                            .type = RR_A,
                            .rclass = CLASS_IN};

            memset(owner, 'a', sizeof(owner));
            for (size_t i = 0; i < depth; i++)
                owner[i * step] = (uint8_t)(step - 1);
            owner[depth * step] = 0;
            assert_ok(zone_builder_add(b, &rr, &e));
        }
    }
    assert_ok(zone_builder_finish(&z, b, NULL, &e));
    zone_builder_free(b);
    zone_iter_init(&it, z);
    while (zone_next(&it, &n)) {
        uint8_t owner[NAME_MAX_OCTETS];

        (void)node_owner(owner, &n, ROOT);
        assert_true(count == 0 || name_cmp(last, owner) < 0);
        (void)name_copy(last, owner);
        count++;
    }
    assert_int_equal(count, 127 + 31);
    zone_unref(z);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order_and_duplicates),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_signatures_are_one_type),
        cmocka_unit_test(test_page_sizes),
        cmocka_unit_test(test_any_order),
        cmocka_unit_test(test_deep_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
