#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lib/base/mem.h"
#include "tests/unit/lib/zone/zone_util.h"

#define SOA1 "@ 300 SOA ns host 1 1 2 3 4\n"
#define SOA2 "@ 300 SOA ns host 2 1 2 3 4\n"
#define UP "-" SOA1 "+" SOA2

static void test_table(void **state)
{
    static const struct {
        const char *base, *changes, *result;
    } cases[] = {
        {"", "", ""},
        {"w 1 A 1.1.1.1\n", "+w 1 A 1.1.1.2\n", "w 1 A 1.1.1.1\nw 1 A 1.1.1.2\n"},
        {"w 1 A 1.1.1.2\n", "+w 1 A 1.1.1.1\n", "w 1 A 1.1.1.1\nw 1 A 1.1.1.2\n"},
        {"w 1 A 1.1.1.1\nw 1 A 1.1.1.2\nw 1 A 1.1.1.3\n",
         "-w 1 A 1.1.1.2\n+w 1 A 1.1.1.0\n+w 1 A 1.1.1.9\n",
         "w 1 A 1.1.1.0\nw 1 A 1.1.1.1\nw 1 A 1.1.1.3\nw 1 A 1.1.1.9\n"},
        /* the last record of an RRset, of an owner */
        {"w 1 A 1.1.1.1\nw 1 TXT x\n", "-w 1 A 1.1.1.1\n", "w 1 TXT x\n"},
        {"w 1 A 1.1.1.1\n", "-w 1 A 1.1.1.1\n", ""},
        /* RRsets in front of, between and behind others */
        {"w 1 TXT x\n", "+w 1 A 1.1.1.1\n+w 1 AAAA ::1\n+w 1 CAA 0 issue \"x\"\n",
         "w 1 A 1.1.1.1\nw 1 TXT x\nw 1 AAAA ::1\nw 1 CAA 0 issue \"x\"\n"},
        /* a TTL */
        {"w 1 A 1.1.1.1\nw 1 A 1.1.1.2\n",
         "-w 1 A 1.1.1.1\n-w 1 A 1.1.1.2\n+w 9 A 1.1.1.1\n+w 9 A 1.1.1.2\n",
         "w 9 A 1.1.1.1\nw 9 A 1.1.1.2\n"},
        /* the case of a name in RDATA; what is removed is found in any case */
        {"w 1 NS a.\n", "-w 1 NS a.\n+w 1 NS A.\n", "w 1 NS A.\n"},
        {"w 1 NS a.\n", "-w 1 NS A.\n", ""},
        /* owners in any case */
        {"w 1 A 1.1.1.1\n", "-W 1 A 1.1.1.1\n+W 1 A 1.1.1.2\n", "w 1 A 1.1.1.2\n"},
        /* new owners in front of, between and behind others */
        {"m 1 A 1.1.1.1\nx.m 1 A 1.1.1.1\n",
         "+\\000 1 A 1.1.1.1\n+a.m 1 A 1.1.1.1\n+z 1 A 1.1.1.1\n",
         "\\000 1 A 1.1.1.1\nm 1 A 1.1.1.1\na.m 1 A 1.1.1.1\nx.m 1 A 1.1.1.1\nz 1 A 1.1.1.1\n"},
        /* a signature of one type more, with a TTL of its own */
        {"w 1 RRSIG A 13 3 1 20300101000000 20200101000000 1 @ AAAA\n",
         "+w 7 RRSIG TXT 13 3 1 20300101000000 20200101000000 1 @ AAAA\n",
         "w 1 RRSIG A 13 3 1 20300101000000 20200101000000 1 @ AAAA\n"
         "w 7 RRSIG TXT 13 3 1 20300101000000 20200101000000 1 @ AAAA\n"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char *base_text = xasprintf(SOA1 "%s", cases[i].base);
        char *changes = xasprintf(UP "%s", cases[i].changes);
        char *result = xasprintf(SOA2 "%s", cases[i].result);
        struct zone *base = zone_of(base_text, EXAMPLE);
        struct zone *expected = zone_of(result, EXAMPLE);
        struct changeset *cs = changes_of(changes, EXAMPLE);
        struct zone *z = zone_applied(base, cs);

        assert_zones_same(z, expected);
        zone_unref(base);
        zone_unref(z);
        zone_unref(expected);
        changeset_free(cs);
        free(base_text);
        free(changes);
        free(result);
    }
}

static void test_conflicts(void **state)
{
    static const struct {
        const char *base, *changes;
        enum err rc;
        const char *says;
    } cases[] = {
        {SOA1, UP "-w 1 A 1.1.1.1\n", ERR_CONFLICT,
         "w.example.org. A: removes a record that isn't there"},
        {SOA1 "w 1 A 1.1.1.2\n", UP "-w 1 A 1.1.1.1\n", ERR_CONFLICT, "w.example.org. A: removes"},
        {SOA1 "w 1 A 1.1.1.2\n", UP "-w 1 A 1.1.1.3\n", ERR_CONFLICT, "w.example.org. A: removes"},
        {SOA1 "w 1 A 1.1.1.2\n", UP "-w 1 TXT x\n", ERR_CONFLICT, "w.example.org. TXT: removes"},
        {SOA1 "w 1 TXT x\n", UP "-w 1 A 1.1.1.1\n", ERR_CONFLICT, "w.example.org. A: removes"},
        {SOA1 "w 2 A 1.1.1.1\n", UP "-w 1 A 1.1.1.1\n", ERR_CONFLICT,
         "w.example.org. A: removes a record with TTL 1, but it has 2"},
        {SOA1 "w 1 A 1.1.1.1\n", UP "+w 1 A 1.1.1.1\n", ERR_CONFLICT,
         "w.example.org. A: adds a record that is there already"},
        {SOA1 "w 1 NS a.\n", UP "+w 1 NS A.\n", ERR_CONFLICT, "w.example.org. NS: adds a record"},
        {SOA1 "w 1 A 1.1.1.1\n", UP "+w 2 A 1.1.1.2\n", ERR_CONFLICT,
         "w.example.org. A: adds a record with TTL 2 to others with TTL 1"},
        {SOA1, UP "+w 1 A 1.1.1.1\n+w 2 A 1.1.1.2\n", ERR_CONFLICT,
         "w.example.org. A: adds a record with TTL 2 to others with TTL 1"},
        {SOA1 "w 1 A 1.1.1.1\nw 1 A 1.1.1.2\n", UP "-w 1 A 1.1.1.1\n+w 2 A 1.1.1.1\n", ERR_CONFLICT,
         "with TTL 2 to others with TTL 1"},
        {SOA2, UP, ERR_SERIAL, "a change from serial 1, but 2 is there"},
        {SOA1, "+" SOA2, ERR_SERIAL, "a first version, but serial 1 is there"},
        {"", "+" SOA2, ERR_SERIAL, "a first version"},
        {SOA1, "-" SOA1, ERR_SERIAL, "" /* has_from, to serial 0: see below */},
        /* a second SOA, so that the first one's serial stays */
        {SOA1, "-@ 300 SOA ns host 1 9 9 9 9\n+" SOA2, ERR_CONFLICT, "example.org. SOA: removes"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct zone *base = zone_of(cases[i].base, EXAMPLE);
        struct changeset *cs = changes_of(cases[i].changes, EXAMPLE);
        struct zone *z = NULL;
        struct errinfo e = {{0}};
        enum err rc;

        if (!*cases[i].says)
            cs->to = (struct serial){5}; /* not what results */
        rc = zone_apply(&z, base, cs, NULL, &e);
        if (rc != cases[i].rc)
            fail_msg("case %zu: %s: %s", i, err_name(rc), e.text);
        assert_text_has(e, cases[i].says);
        assert_null(z);
        changeset_free(cs);
        zone_unref(base);
    }
}

static void test_other_base(void **state)
{
    struct zone *base = zone_of("@ 300 SOA ns host 1 1 2 3 4\n", ROOT);
    struct changeset *cs = changes_of(UP, EXAMPLE);
    struct zone *z = NULL;
    struct errinfo e = {{0}};

    (void)state;
    assert_int_equal(zone_apply(&z, base, cs, NULL, &e), ERR_CONFLICT);
    assert_text_has(e, "another zone");
    assert_int_equal(zone_apply(&z, NULL, cs, NULL, &e), ERR_SERIAL);
    assert_null(z);
    changeset_free(cs);
    zone_unref(base);
}

static void test_limits(void **state)
{
    static const struct {
        struct zone_limits limits;
        const char *says;
    } cases[] = {
        {{.max_records = 3}, "the zone has 4 records"},
        {{.max_bytes = 120}, "at most 0 in 120"},
        {{.max_rrset = 2}, "w.example.org. A: 3 records; at most 2"},
        {{.max_types = 0}, NULL},
        {{.max_records = 4, .max_bytes = 1000, .max_rrset = 3, .max_types = 1}, NULL},
    };
    struct zone *base = zone_of(SOA1 "w 1 A 1.1.1.1\n", EXAMPLE);
    struct changeset *cs = changes_of(UP "+w 1 A 1.1.1.2\n+w 1 A 1.1.1.3\n", EXAMPLE);
    struct changeset *types = changes_of(UP "+w 1 TXT a\n", EXAMPLE);
    struct zone_limits one_type = {.max_types = 1};
    struct zone *z = NULL;
    struct errinfo e = {{0}};

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        enum err rc = zone_apply(&z, base, cs, &cases[i].limits, &e);

        assert_int_equal(rc, cases[i].says ? ERR_LIMIT : OK);
        if (cases[i].says)
            assert_text_has(e, cases[i].says);
        zone_unref(z);
        z = NULL;
    }
    assert_int_equal(zone_apply(&z, base, types, &one_type, &e), ERR_LIMIT);
    assert_text_has(e, "w.example.org. TXT: 2 types; at most 1");
    changeset_free(cs);
    changeset_free(types);
    zone_unref(base);
}

/* An RRset at the edge of what a count can say. */
static void test_large_rrset(void **state)
{
    struct changeset *cs = changeset_new(EXAMPLE);
    struct zone *z = NULL;
    struct errinfo e = {{0}};
    uint8_t rdata[4];
    struct rr rr = {
        .owner = EXAMPLE, .rdata = rdata, .rdata_len = 4, .type = RR_A, .rclass = CLASS_IN};

    (void)state;
    for (uint32_t i = 0; i < 65535; i++) {
        put_u32(rdata, i);
        assert_ok(changeset_add(cs, &rr, &e));
    }
    changeset_finish(cs);
    assert_ok(zone_apply(&z, NULL, cs, NULL, &e));
    assert_int_equal(zone_records(z), 65535);
    zone_unref(z);
    z = NULL;
    put_u32(rdata, 65535);
    assert_ok(changeset_add(cs, &rr, &e));
    changeset_finish(cs);
    assert_int_equal(zone_apply(&z, NULL, cs, NULL, &e), ERR_LIMIT);
    assert_text_has(e, "example.org. A: 65536 records; at most 65535");
    assert_null(z);
    changeset_free(cs);
}

/* A large node beside small ones is cut apart from them. */
static void test_large_node(void **state)
{
    struct zone *base = random_zone(4, 0, 2000, 0, 1, EXAMPLE);
    struct changeset *cs = changeset_new(EXAMPLE);
    struct zone *z = NULL;
    struct zone *back = NULL;
    struct changeset *undo = NULL;
    struct node n;
    struct errinfo e = {{0}};
    uint8_t rdata[5000] = {0};

    (void)state;
    for (uint32_t i = 0; i < 100; i++) {
        struct rr rr = {.owner = N("\10host100x\7example\3org"),
                        .rdata = rdata,
                        .rdata_len = sizeof(rdata),
                        .type = 65281,
                        .rclass = CLASS_IN};

        put_u32(rdata, i);
        assert_ok(changeset_add(cs, &rr, &e));
    }
    changeset_finish(cs);
    cs->has_from = true;
    cs->from = cs->to = (struct serial){1};
    z = zone_applied(base, cs);
    assert_true(zone_find(z, N("\10host100x\7example\3org"), &n));
    assert_in_range(n.page->len, 500000, 500000 + 4 * PAGE_TARGET_BYTES);
    assert_in_range(zone_page_count(z), zone_page_count(base), zone_page_count(base) + 3);
    assert_ok(changeset_invert(&undo, cs, &e));
    back = zone_applied(z, undo);
    assert_zones_same(back, base);
    changeset_free(undo);
    changeset_free(cs);
    zone_unref(base);
    zone_unref(z);
    zone_unref(back);
}

static enum err count_page(void *ctx, const struct page *p, struct errinfo *e)
{
    (void)p;
    (void)e;
    ++*(size_t *)ctx;
    return OK;
}

static size_t changed_pages(const struct zone *a, const struct zone *b)
{
    size_t gone = 0;
    size_t both = 0;
    struct errinfo e = {{0}};

    assert_ok(zone_page_changes(a, b, count_page, count_page, &both, &e));
    assert_ok(zone_page_changes(a, NULL, count_page, count_page, &gone, &e));
    assert_int_equal(gone, zone_page_count(a));
    return both;
}

/* Pages that did not change are the same pages: by identity, not by octets. */
static void test_shared_pages(void **state)
{
    struct zone *base = random_zone(31, 0, 20000, 0, 1, EXAMPLE);
    struct changeset *cs = changes_of("+host7.new 1 A 1.1.1.1\n", EXAMPLE);
    struct zone_iter ia;
    struct zone_iter ib;
    struct node a;
    struct node b;
    struct zone *z;
    size_t differ = 0;
    const struct page *last = NULL;

    (void)state;
    cs->has_from = true;
    cs->from = cs->to = (struct serial){1};
    z = zone_applied(base, cs);
    assert_true(zone_page_count(base) > 100);
    assert_in_range(changed_pages(base, z), 2, 3); /* one is new or was cut in two */
    zone_iter_init(&ia, base);
    zone_iter_init(&ib, z);
    while (zone_next(&ib, &b)) {
        if (b.rel_len == 10 && memcmp(b.rel_owner, "\5host7\3new", 10) == 0)
            continue;
        assert_true(zone_next(&ia, &a));
        if (a.page != b.page && b.page != last) {
            differ++;
            last = b.page;
        }
    }
    assert_in_range(differ, 1, 2);
    changeset_free(cs);
    zone_unref(base);
    zone_unref(z);
}

static void check_page_sizes(const struct zone *z)
{
    size_t pages = zone_page_count(z);

    if (pages > 3)
        assert_in_range(zone_bytes(z) / pages, PAGE_TARGET_BYTES / 2, PAGE_TARGET_BYTES * 3);
}

/* Thousands of versions, each a little different from the one before: the pages must neither wither
 * nor swell, and each version must be what a builder makes of the same records. */
static void test_long_history(void **state)
{
    struct zone *z = random_zone(41, 0, 4000, 0, 0, EXAMPLE);
    struct zone *target = NULL;
    struct changeset *cs;
    struct errinfo e = {{0}};
    uint64_t seed = 5;
    struct test_rr t = {0};

    (void)state;
    for (uint32_t version = 1; version <= 1500; version++) {
        struct zone *next = NULL;
        struct node n;
        struct rrset s;

        cs = changeset_new(EXAMPLE);
        cs->has_from = true;
        for (uint32_t i = dice(&seed, 4) + 1; i > 0; i--) {
            random_rr(&seed, &t, EXAMPLE, 3000);
            if (zone_find(z, t.owner, &n) && node_rrset(&n, t.rr.type, &s)) {
                struct rr gone = t.rr; /* take what is there instead */

                if (t.rr.type == RR_RRSIG)
                    continue;
                gone.rdata = s.rdatas + 2;
                gone.rdata_len = get_u16(s.rdatas);
                gone.ttl = s.ttl;
                assert_ok(changeset_remove(cs, &gone, &e));
            } else {
                t.rr.ttl = 60;
                assert_ok(changeset_add(cs, &t.rr, &e));
            }
        }
        changeset_finish(cs);
        next = zone_applied(z, cs);
        changeset_free(cs);
        zone_unref(z);
        z = next;
        if (version % 300 == 0)
            check_page_sizes(z);
    }
    /* away with nearly everything, a part at a time, and then the rest */
    for (uint32_t keep = 2000; keep >= 1; keep /= 4) {
        struct zone *next;

        target = random_zone(41, 0, keep, 0, 0, EXAMPLE);
        cs = diff_of(z, target);
        next = zone_applied(z, cs);
        assert_zones_same(next, target);
        check_page_sizes(next);
        changeset_free(cs);
        zone_unref(target);
        zone_unref(z);
        z = next;
    }
    zone_unref(z);
    buf_free(&t.rdata);
}

static void test_with_serial(void **state)
{
    struct zone *a = zone_of("@ 300 SOA ns host 4294967295 1 2 3 4\nw 1 A 1.1.1.1\n", EXAMPLE);
    struct zone *none = zone_of("w 1 A 1.1.1.1\n", EXAMPLE);
    struct zone *b = NULL;
    struct zone *same = NULL;
    struct errinfo e = {{0}};

    (void)state;
    assert_ok(zone_with_serial(&b, a, (struct serial){1}, &e));
    assert_zone_text(b, "example.org. 300 IN SOA ns.example.org. host.example.org. 1 1 2 3 4\n"
                        "w.example.org. 1 IN A 1.1.1.1\n");
    assert_ok(zone_with_serial(&same, b, (struct serial){1}, &e));
    assert_zones_same(same, b);
    zone_unref(b);
    zone_unref(same);
    assert_int_equal(zone_with_serial(&b, none, (struct serial){1}, &e), ERR_CHECK);
    assert_text_has(e, "no SOA");
    zone_unref(a);
    zone_unref(none);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table),        cmocka_unit_test(test_conflicts),
        cmocka_unit_test(test_other_base),   cmocka_unit_test(test_limits),
        cmocka_unit_test(test_large_rrset),  cmocka_unit_test(test_large_node),
        cmocka_unit_test(test_shared_pages), cmocka_unit_test(test_long_history),
        cmocka_unit_test(test_with_serial),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
