#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lib/base/mem.h"
#include "tests/unit/lib/zone/zone_util.h"

#define SOA1 "@ 300 SOA ns host 1 1 2 3 4\n"
#define SOA2 "@ 300 SOA ns host 2 1 2 3 4\n"
#define SOA1_TEXT "example.org. 300 IN SOA ns.example.org. host.example.org. 1 1 2 3 4\n"
#define SOA2_TEXT "example.org. 300 IN SOA ns.example.org. host.example.org. 2 1 2 3 4\n"

static void test_table(void **state)
{
    static const struct {
        const char *a, *b, *changes;
    } cases[] = {
        {SOA1, SOA1, ""},
        {SOA1, SOA2, "-" SOA1_TEXT "+" SOA2_TEXT},
        {SOA1 "w 1 A 1.1.1.1\n", SOA1, "-w.example.org. 1 IN A 1.1.1.1\n"},
        {SOA1, SOA1 "w 1 A 1.1.1.1\n", "+w.example.org. 1 IN A 1.1.1.1\n"},
        /* in the middle of an RRset */
        {SOA1 "w 1 A 1.1.1.1\nw 1 A 1.1.1.2\nw 1 A 1.1.1.4",
         SOA1 "w 1 A 1.1.1.1\nw 1 A 1.1.1.3\nw 1 A 1.1.1.4",
         "-w.example.org. 1 IN A 1.1.1.2\n+w.example.org. 1 IN A 1.1.1.3\n"},
        /* a TTL alone */
        {SOA1 "w 1 A 1.1.1.1\nw 1 A 1.1.1.2", SOA1 "w 2 A 1.1.1.1\nw 2 A 1.1.1.2",
         "-w.example.org. 1 IN A 1.1.1.1\n-w.example.org. 1 IN A 1.1.1.2\n"
         "+w.example.org. 2 IN A 1.1.1.1\n+w.example.org. 2 IN A 1.1.1.2\n"},
        /* the case of a name in RDATA alone */
        {SOA1 "w 1 NS a.b.\n", SOA1 "w 1 NS A.b.\n",
         "-w.example.org. 1 IN NS a.b.\n+w.example.org. 1 IN NS A.b.\n"},
        /* one type goes, another comes */
        {SOA1 "w 1 A 1.1.1.1\n", SOA1 "w 1 TXT x\n",
         "-w.example.org. 1 IN A 1.1.1.1\n+w.example.org. 1 IN TXT \"x\"\n"},
        /* TTLs of signatures go by the type they cover */
        {SOA1 "w 1 RRSIG A 13 3 1 20300101000000 20200101000000 1 @ AAAA\n"
              "w 2 RRSIG TXT 13 3 2 20300101000000 20200101000000 1 @ AAAA\n",
         SOA1 "w 1 RRSIG A 13 3 1 20300101000000 20200101000000 1 @ AAAA\n"
              "w 3 RRSIG TXT 13 3 2 20300101000000 20200101000000 1 @ AAAA\n",
         "-w.example.org. 2 IN RRSIG TXT 13 3 2 20300101000000 20200101000000 1 example.org. AAAA\n"
         "+w.example.org. 3 IN RRSIG TXT 13 3 2 20300101000000 20200101000000 1 example.org. "
         "AAAA\n"},
        {"", "", ""},
        {"", "w 1 A 1.1.1.1\n", "+w.example.org. 1 IN A 1.1.1.1\n"},
        {"w 1 A 1.1.1.1\n", "", "-w.example.org. 1 IN A 1.1.1.1\n"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct zone *a = zone_of(cases[i].a, EXAMPLE);
        struct zone *b = zone_of(cases[i].b, EXAMPLE);
        struct changeset *cs = diff_of(a, b);
        struct zone *c = zone_applied(a, cs);

        assert_true(cs->has_from);
        assert_changes(cs, cases[i].changes);
        assert_zones_same(c, b);
        zone_unref(c);
        changeset_free(cs);
        zone_unref(a);
        zone_unref(b);
    }
}

static void test_first_version(void **state)
{
    struct zone *b = zone_of(SOA2 "w 1 A 1.1.1.1\n", EXAMPLE);
    struct changeset *cs = diff_of(NULL, b);
    struct zone *c = zone_applied(NULL, cs);

    (void)state;
    assert_false(cs->has_from);
    assert_int_equal(cs->to.v, 2);
    assert_int_equal(cs->removed.n, 0);
    assert_int_equal(cs->added.n, 2);
    assert_zones_same(c, b);
    zone_unref(c);
    changeset_free(cs);
    zone_unref(b);
}

static void test_other_zone(void **state)
{
    struct zone *a = zone_of(SOA1, EXAMPLE);
    struct zone *b = zone_of(SOA1, ROOT);
    struct changeset *cs = NULL;
    struct errinfo e = {{0}};

    (void)state;
    assert_int_equal(zone_diff(&cs, a, b, &e), ERR_CONFLICT);
    assert_null(cs);
    zone_unref(a);
    zone_unref(b);
}

static void assert_changesets_same(const struct changeset *a, const struct changeset *b)
{
    struct buf ea = BUF_INIT;
    struct buf eb = BUF_INIT;

    changeset_encode(&ea, a);
    changeset_encode(&eb, b);
    assert_int_equal(ea.len, eb.len);
    assert_memory_equal(ea.data, eb.data, ea.len);
    buf_free(&ea);
    buf_free(&eb);
}

static void assert_code_identity(const struct changeset *cs)
{
    struct buf code = BUF_INIT;
    struct changeset *back = NULL;
    struct errinfo e = {{0}};

    changeset_encode(&code, cs);
    assert_ok(changeset_decode(&back, code.data, code.len, cs->apex, &e));
    assert_changesets_same(cs, back);
    changeset_free(back);
    buf_free(&code);
}

/* All pages in one pool of octets, so that the next zone has to share by octets, not identity. */
static struct zone *zone_reparsed(const struct zone *z)
{
    struct page *pages[2000];
    struct zone_iter it;
    struct node n;
    const struct page *last = NULL;
    size_t count = 0;
    struct zone *out = NULL;
    struct errinfo e = {{0}};

    zone_iter_init(&it, z);
    while (zone_next(&it, &n)) {
        if (n.page == last)
            continue;
        last = n.page;
        assert_true(count < 2000);
        assert_ok(page_parse(&pages[count++], last->data, last->len, zone_apex(z), &e));
    }
    assert_int_equal(count, zone_page_count(z));
    assert_ok(zone_from_pages(&out, zone_apex(z), pages, count, &e));
    return out;
}

/* a to b to c: apply, invert, join, code. */
static void check_properties(struct zone *a, struct zone *b, struct zone *c)
{
    struct changeset *ab = diff_of(a, b);
    struct changeset *bc = diff_of(b, c);
    struct changeset *ac = diff_of(a, c);
    struct changeset *ba = NULL;
    struct changeset *joined = NULL;
    struct changeset *nothing;
    struct zone *z;
    struct zone *again;
    struct errinfo e = {{0}};

    z = zone_applied(a, ab);
    assert_zones_same(z, b);
    again = zone_reparsed(z);
    assert_zones_same(again, b);
    nothing = diff_of(again, b); /* the same content in other pages */
    assert_int_equal(nothing->removed.n + nothing->added.n, 0);
    changeset_free(nothing);
    nothing = diff_of(z, again);
    assert_int_equal(nothing->removed.n + nothing->added.n, 0);
    changeset_free(nothing);
    zone_unref(again);

    again = zone_applied(z, bc);
    assert_zones_same(again, c);
    zone_unref(again);

    assert_ok(changeset_invert(&ba, ab, &e));
    again = zone_applied(z, ba);
    assert_zones_same(again, a);
    zone_unref(again);
    zone_unref(z);

    assert_ok(changeset_join(&joined, ab, bc, &e));
    assert_changesets_same(joined, ac);
    assert_code_identity(ab);
    assert_code_identity(joined);
    changeset_free(ab);
    changeset_free(bc);
    changeset_free(ac);
    changeset_free(ba);
    changeset_free(joined);
}

static void test_random(void **state)
{
    static const struct {
        uint32_t keep, more;
    } sizes[] = {{0, 1},     {3, 2},    {40, 10},    {300, 5},
                 {300, 300}, {3000, 3}, {3000, 400}, {10, 3000}};
    static const uint8_t *const apexes[] = {EXAMPLE, ROOT, N("\1\0\3a.b")};

    (void)state;
    for (uint64_t seed = 1; seed <= 6; seed++) {
        for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
            const uint8_t *apex = apexes[(seed + i) % 3];
            struct zone *a = random_zone(seed, seed + 100, sizes[i].keep, sizes[i].more, 1, apex);
            struct zone *b = random_zone(seed, seed + 200, sizes[i].keep, sizes[i].more, 2, apex);
            struct zone *c =
                random_zone(seed, seed + 300, sizes[i].keep / 2, sizes[i].more, 2, apex);

            check_properties(a, b, c);
            zone_unref(a);
            zone_unref(b);
            zone_unref(c);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table),
        cmocka_unit_test(test_first_version),
        cmocka_unit_test(test_other_zone),
        cmocka_unit_test(test_random),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
