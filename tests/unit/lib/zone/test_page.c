#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lib/base/mem.h"
#include "tests/unit/lib/zone/zone_util.h"

/* The example of docs/page-format.md. */
#define EXAMPLE_ZONE                                                                               \
    "@ 3600 SOA ns host 2026112301 7200 900 1209600 300\n"                                         \
    "@ 3600 NS ns\n"                                                                               \
    "ns 300 A 192.0.2.53\n"                                                                        \
    "www 300 A 192.0.2.80\n"                                                                       \
    "www 300 A 192.0.2.81\n"

static const uint8_t example_page[] = {
    0x5a, 0x4c, 0x01, 0x00, 0x00, 0x00, 0x00, 0xb6, 0x00, 0x00, 0x00, 0x05, 0x00, 0x03, 0x00, 0x00,
    0x00, 0x1a, 0x00, 0x00, 0x00, 0x7f, 0x00, 0x00, 0x00, 0x97, 0x00, 0x00, 0x02, 0x00, 0x02, 0x00,
    0x00, 0x0e, 0x10, 0x00, 0x01, 0x00, 0x00, 0x00, 0x12, 0x00, 0x10, 0x02, 0x6e, 0x73, 0x07, 0x65,
    0x78, 0x61, 0x6d, 0x70, 0x6c, 0x65, 0x03, 0x6f, 0x72, 0x67, 0x00, 0x00, 0x06, 0x00, 0x00, 0x0e,
    0x10, 0x00, 0x01, 0x00, 0x00, 0x00, 0x38, 0x00, 0x36, 0x02, 0x6e, 0x73, 0x07, 0x65, 0x78, 0x61,
    0x6d, 0x70, 0x6c, 0x65, 0x03, 0x6f, 0x72, 0x67, 0x00, 0x04, 0x68, 0x6f, 0x73, 0x74, 0x07, 0x65,
    0x78, 0x61, 0x6d, 0x70, 0x6c, 0x65, 0x03, 0x6f, 0x72, 0x67, 0x00, 0x78, 0xc4, 0x05, 0x2d, 0x00,
    0x00, 0x1c, 0x20, 0x00, 0x00, 0x03, 0x84, 0x00, 0x12, 0x75, 0x00, 0x00, 0x00, 0x01, 0x2c, 0x03,
    0x02, 0x6e, 0x73, 0x00, 0x01, 0x00, 0x01, 0x00, 0x00, 0x01, 0x2c, 0x00, 0x01, 0x00, 0x00, 0x00,
    0x06, 0x00, 0x04, 0xc0, 0x00, 0x02, 0x35, 0x04, 0x03, 0x77, 0x77, 0x77, 0x00, 0x01, 0x00, 0x01,
    0x00, 0x00, 0x01, 0x2c, 0x00, 0x02, 0x00, 0x00, 0x00, 0x0c, 0x00, 0x04, 0xc0, 0x00, 0x02, 0x50,
    0x00, 0x04, 0xc0, 0x00, 0x02, 0x51};

#define EXAMPLE_LEN sizeof(example_page)

static const struct page *first_page(const struct zone *z)
{
    struct zone_iter it;
    struct node n;

    zone_iter_init(&it, z);
    assert_true(zone_next(&it, &n));
    return n.page;
}

static void test_octets(void **state)
{
    struct zone *z = zone_of(EXAMPLE_ZONE, EXAMPLE);
    const struct page *p = first_page(z);

    (void)state;
    assert_int_equal(zone_page_count(z), 1);
    assert_int_equal(p->len, EXAMPLE_LEN);
    assert_int_equal(p->records, 5);
    assert_int_equal(p->nodes, 3);
    assert_memory_equal(p->data, example_page, EXAMPLE_LEN);
    zone_unref(z);
}

static struct page *parsed(const void *data, size_t len, const uint8_t *apex)
{
    struct errinfo e = {{0}};
    struct page *p = NULL;

    assert_ok(page_parse(&p, data, len, apex, &e));
    return p;
}

static void test_parse_and_read(void **state)
{
    struct page *p = parsed(example_page, EXAMPLE_LEN, N("\7ExamplE\3org"));
    struct node n;
    struct rrset s;
    struct rrset_iter it;
    const uint8_t *rdata;
    uint16_t len;
    uint8_t owner[NAME_MAX_OCTETS];

    (void)state;
    page_node(p, 2, &n);
    assert_int_equal(node_owner(owner, &n, N("\7ExamplE\3org")), 17);
    assert_memory_equal(owner, "\3www\7example\3org", 17);
    assert_int_equal(n.rrsets, 1);
    assert_true(node_rrset(&n, RR_A, &s));
    assert_int_equal(s.ttl, 300);
    assert_int_equal(s.count, 2);
    assert_int_equal(s.covered, 0);
    rrset_iter_init(&it, &s);
    assert_true(rrset_next(&it, &rdata, &len));
    assert_memory_equal(rdata, "\300\0\2\120", 4);
    assert_true(rrset_next(&it, &rdata, &len));
    assert_int_equal(len, 4);
    assert_false(rrset_next(&it, &rdata, &len));
    assert_false(node_rrset(&n, RR_NS, &s));
    assert_false(node_rrset(&n, 0, &s));

    page_node(p, 0, &n);
    assert_int_equal(n.rel_len, 0);
    node_rrset_at(&n, 1, &s);
    assert_int_equal(s.type, RR_SOA);
    assert_ptr_equal(page_ref(p), p);
    page_unref(p);
    page_unref(p);
    page_unref(NULL);
}

static void test_signatures(void **state)
{
    struct zone *z = zone_of("@ 300 SOA ns host 1 1 2 3 4\n"
                             "@ 600 NS ns\n"
                             "@ 100 RRSIG SOA 13 2 300 20300101000000 20200101000000 2 @ AAAA\n"
                             "@ 100 RRSIG SOA 13 2 300 20300101000000 20200101000000 1 @ AAAA\n"
                             "@ 200 RRSIG NS 13 2 600 20300101000000 20200101000000 1 @ AAAA\n"
                             "@ 50 TYPE65280 \\# 0\n",
                             EXAMPLE);
    struct node n;
    struct rrset s;

    (void)state;
    assert_true(zone_find(z, EXAMPLE, &n));
    assert_int_equal(n.rrsets, 5);
    assert_true(node_rrsigs(&n, RR_NS, &s));
    assert_int_equal(s.ttl, 200);
    assert_int_equal(s.count, 1);
    assert_int_equal(s.covered, RR_NS);
    assert_true(node_rrsigs(&n, RR_SOA, &s));
    assert_int_equal(s.ttl, 100);
    assert_int_equal(s.count, 2);
    assert_false(node_rrsigs(&n, RR_A, &s));
    assert_false(node_rrsigs(&n, 65280, &s));
    assert_true(node_rrset(&n, RR_RRSIG, &s));
    assert_int_equal(s.covered, RR_NS);
    zone_unref(z);
}

/* One octet of the example set to something else. */
static void test_damage_named(void **state)
{
    static const struct {
        size_t at;
        uint8_t octet;
        const char *says;
    } cases[] = {
        {0x00, 0x5b, "no page"},
        {0x02, 2, "no page"},
        {0x03, 1, "no page"},
        {0x07, 0xb5, "no page"},
        {0x0b, 6, "5 records"},
        {0x0d, 0, "no page"},
        {0x0d, 4, "directory"},
        {0x11, 0x1b, "directory"},
        {0x15, 0x1a, "out of order"},
        {0x15, 0x7e, "owner"},
        {0x1a, 1, "owner"},
        {0x1c, 3, "inside an RRset"},
        {0x1c, 1, "too many"},
        {0x1c, 0, "without RRsets"},
        {0x1e, 0, "TYPE0"},
        {0x1e, 41, "OPT"},
        {0x1e, 6, "SOA"},
        {0x1f, 0x80, "TTL"},
        {0x24, 0, "0 records"},
        {0x24, 2, "record 1"},
        {0x28, 0x13, "NS"},
        {0x2a, 0x0f, "record 0"},
        {0x2b, 0xc0, "record 0"},
        {0x80, 0, "label"},
        {0x80, 64, "label"},
        {0x80, 3, "label"},
        {0x81, 'N', "lower case"},
        {0x81, 'z', "owners out of order"},
        {0xb5, 0x50, "record 1"},
        {0xb5, 0x4f, "record 1 is out of order"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint8_t copy[EXAMPLE_LEN];
        struct errinfo e = {{0}};
        struct page *p = NULL;

        memcpy(copy, example_page, EXAMPLE_LEN);
        copy[cases[i].at] = cases[i].octet;
        if (page_parse(&p, copy, EXAMPLE_LEN, EXAMPLE, &e) != ERR_CORRUPT)
            fail_msg("octet %zu set to %u is accepted", cases[i].at, cases[i].octet);
        assert_null(p);
        assert_text_has(e, cases[i].says);
    }
}

/* Exactly as large as it says, so that AddressSanitizer sees a step too far. */
static enum err parse_exact(const uint8_t *data, size_t len)
{
    uint8_t *copy = xmemdup(data, len);
    struct errinfo e = {{0}};
    struct page *p = NULL;
    enum err rc = page_parse(&p, copy, len, EXAMPLE, &e);

    if (!rc) { /* still a page: every record of it can be read */
        struct zone *z = NULL;
        char *text;

        assert_ok(zone_from_pages(&z, EXAMPLE, &p, 1, &e));
        text = zone_text(z);
        free(text);
        zone_unref(z);
    }
    free(copy);
    return rc;
}

static void test_truncated(void **state)
{
    (void)state;
    for (size_t n = 0; n < EXAMPLE_LEN; n++)
        assert_int_equal(parse_exact(example_page, n), ERR_CORRUPT);
    assert_int_equal(parse_exact(example_page, EXAMPLE_LEN), OK);
}

static void test_flipped(void **state)
{
    struct zone *z = random_zone(11, 12, 60, 0, 1, EXAMPLE);
    const struct page *p = first_page(z);
    uint64_t seed = 99;
    uint8_t *copy = xmemdup(p->data, p->len);

    (void)state;
    for (size_t bit = 0; bit < 8 * EXAMPLE_LEN; bit++) {
        uint8_t small[EXAMPLE_LEN];

        memcpy(small, example_page, EXAMPLE_LEN);
        small[bit / 8] ^= (uint8_t)(1u << bit % 8);
        (void)parse_exact(small, EXAMPLE_LEN);
    }
    for (unsigned i = 0; i < 3000; i++) {
        uint32_t at = dice(&seed, p->len);
        uint8_t was = copy[at];

        copy[at] = (uint8_t)dice(&seed, 256);
        (void)parse_exact(copy, p->len);
        copy[at] = was;
    }
    free(copy);
    zone_unref(z);
}

/* An owner that is too long together with the apex, but not by itself. */
static void test_long_apex(void **state)
{
    uint8_t apex[NAME_MAX_OCTETS];
    struct errinfo e = {{0}};
    struct page *p = NULL;
    size_t n = 0;

    (void)state;
    for (; n < 192; n += 64) {
        apex[n] = 63;
        memset(apex + n + 1, 'x', 63);
    }
    apex[n] = 57; /* 192 + 58 + 1 octets: 4 are left, for "www" it just fits */
    memset(apex + n + 1, 'y', 57);
    apex[n + 58] = 0;
    assert_ok(page_parse(&p, example_page, EXAMPLE_LEN, apex, &e));
    page_unref(p);
    p = NULL;
    apex[n] = 58;
    memset(apex + n + 1, 'y', 58);
    apex[n + 59] = 0;
    assert_int_equal(page_parse(&p, example_page, EXAMPLE_LEN, apex, &e), ERR_CORRUPT);
    assert_text_has(e, "256 octets");
}

static void test_order_of_relative_names(void **state)
{
    /* in canonical order, RFC 4034 6.1 and beyond */
    static const struct {
        const char *name;
        size_t len;
    } names[] = {
        {"", 0},       {"\1\0", 2},          {"\1a\1\0", 4}, {"\2\0\0", 3},
        {"\1\1", 2},   {"\1*", 2},           {"\1a", 2},     {"\1\0\1a", 4},
        {"\1*\1a", 4}, {"\7yljkjlk\1a", 10}, {"\2a\0", 3},   {"\3a.b", 4},
        {"\2ab", 3},   {"\1b", 2},           {"\1\377", 2},  {"\2\377\377", 3},
    };
    size_t n = sizeof(names) / sizeof(names[0]);

    (void)state;
    for (size_t i = 0; i < n; i++) {
        for (size_t k = 0; k < n; k++) {
            int d = rel_name_cmp((const uint8_t *)names[i].name, names[i].len,
                                 (const uint8_t *)names[k].name, names[k].len);
            uint8_t a[16] = {0};
            uint8_t b[16] = {0};

            assert_int_equal((d > 0) - (d < 0), (i > k) - (i < k));
            memcpy(a, names[i].name, names[i].len);
            memcpy(b, names[k].name, names[k].len);
            d = name_cmp(a, b);
            assert_int_equal((d > 0) - (d < 0), (i > k) - (i < k));
        }
    }
}

static void test_search(void **state)
{
    struct page *p = parsed(example_page, EXAMPLE_LEN, EXAMPLE);
    static const struct {
        const char *rel;
        uint32_t at;
        bool exact;
    } cases[] = {
        {"", 0, true},         {"\1a", 1, false},  {"\2ns", 1, true},
        {"\1x\2ns", 2, false}, {"\3www", 2, true}, {"\1x\3www", 3, false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        bool exact = !cases[i].exact;

        assert_int_equal(page_search(p, N(cases[i].rel), strlen(cases[i].rel), &exact),
                         cases[i].at);
        assert_int_equal(exact, cases[i].exact);
        assert_int_equal(page_search(p, N(cases[i].rel), strlen(cases[i].rel), NULL), cases[i].at);
    }
    page_unref(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_octets),     cmocka_unit_test(test_parse_and_read),
        cmocka_unit_test(test_signatures), cmocka_unit_test(test_damage_named),
        cmocka_unit_test(test_truncated),  cmocka_unit_test(test_flipped),
        cmocka_unit_test(test_long_apex),  cmocka_unit_test(test_order_of_relative_names),
        cmocka_unit_test(test_search),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
