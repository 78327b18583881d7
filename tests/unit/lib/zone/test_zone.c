#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lib/base/mem.h"
#include "tests/unit/lib/zone/zone_util.h"

#define SOA "@ 300 SOA ns host 7 1 2 3 4\n"

static void test_empty(void **state)
{
    struct zone *z = zone_of("", EXAMPLE);
    struct node n;
    struct zone_iter it;
    struct rr rr;
    struct soa soa;
    bool exact = true;

    (void)state;
    assert_int_equal(zone_records(z), 0);
    assert_int_equal(zone_bytes(z), 0);
    assert_int_equal(zone_page_count(z), 0);
    assert_false(zone_soa(z, &rr, &soa));
    assert_false(zone_find(z, EXAMPLE, &n));
    assert_false(zone_find_le(z, N("\1x\7example\3org"), &n, &exact));
    assert_false(exact);
    assert_false(zone_has_below(z, EXAMPLE));
    assert_false(zone_has_below(z, ROOT));
    zone_iter_init(&it, z);
    assert_false(zone_next(&it, &n));
    zone_iter_seek(&it, z, EXAMPLE);
    assert_false(zone_next(&it, &n));
    assert_zone_text(z, "");
    zone_unref(zone_ref(z));
    zone_unref(z);
    zone_unref(NULL);
}

static void test_soa(void **state)
{
    struct zone *z = zone_of(SOA "@ 5 A 192.0.2.1\n", N("\7eXample\3ORG"));
    struct rr rr;
    struct soa soa;

    (void)state;
    assert_memory_equal(zone_apex(z), EXAMPLE, 13);
    assert_true(zone_soa(z, &rr, &soa));
    assert_int_equal(rr.ttl, 300);
    assert_int_equal(rr.type, RR_SOA);
    assert_int_equal(rr.rclass, CLASS_IN);
    assert_true(name_eq(rr.owner, EXAMPLE));
    assert_int_equal(soa.serial.v, 7);
    assert_int_equal(soa.minimum_s, 4);
    assert_int_equal(zone_serial(z).v, 7);
    zone_unref(z);
}

static void test_find(void **state)
{
    static const struct {
        const uint8_t *name;
        bool there, below;
    } cases[] = {
        {EXAMPLE, true, true},
        {N("\7EXAMPLE\3Org"), true, true},
        {N("\3www\7example\3org"), true, false},
        {N("\3wWw\7eXample\3org"), true, false},
        {N("\2ww\7example\3org"), false, false},
        {N("\4wwww\7example\3org"), false, false},
        /* empty non-terminals, RFC 4592 2.2.2 */
        {N("\1c\7example\3org"), false, true},
        {N("\1b\1c\7example\3org"), false, true},
        {N("\1a\1b\1c\7example\3org"), true, false},
        {N("\1x\1b\1c\7example\3org"), false, false},
        /* a name that is there and has others below it */
        {N("\3sub\7example\3org"), true, true},
        {N("\3SUB\7example\3org"), true, true},
        /* labels that begin alike are not below each other */
        {N("\2su\7example\3org"), false, false},
        {N("\1u\7example\3org"), false, false},
        /* outside */
        {ROOT, false, true},
        {N("\3org"), false, true},
        {N("\3com"), false, false},
        {N("\7example\3com"), false, false},
        {N("\10xexample\3org"), false, false},
        /* the octets of the apex at the end, but inside a label */
        {N("\14\7example\3org\1x"), false, false},
        {N("\15x\7example\3org"), false, false},
    };
    struct zone *z = zone_of(SOA "www 5 A 192.0.2.1\n"
                                 "a.b.c 5 A 192.0.2.1\n"
                                 "sub 5 A 192.0.2.1\n"
                                 "x.sub 5 A 192.0.2.1\n",
                             EXAMPLE);

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct node n;

        if (zone_find(z, cases[i].name, &n) != cases[i].there ||
            zone_has_below(z, cases[i].name) != cases[i].below)
            fail_msg("case %zu", i);
    }
    zone_unref(z);
}

/* Names of 255 octets, at an apex that leaves room for just one label of one octet. */
static void test_longest_names(void **state)
{
    uint8_t apex[NAME_MAX_OCTETS];
    uint8_t owner[NAME_MAX_OCTETS + 2];
    struct zone_builder *b;
    struct test_rr t;
    struct zone *z = NULL;
    struct errinfo e = {{0}};
    struct node n;
    bool exact;
    size_t len = 0;

    (void)state;
    for (; len < 252; len += 2) {
        apex[len] = 1;
        apex[len + 1] = 'x';
    }
    apex[len] = 0; /* 253 octets, 126 labels */
    test_rr_parse(&t, "@ 1 A 192.0.2.1", apex);
    b = zone_builder_new(apex, NULL);
    assert_ok(zone_builder_add(b, &t.rr, &e));
    for (unsigned c = 256; c-- > 0;) {
        owner[0] = 1;
        owner[1] = (uint8_t)c;
        (void)name_copy(owner + 2, apex);
        t.rr.owner = owner;
        assert_ok(zone_builder_add(b, &t.rr, &e));
    }
    assert_ok(zone_builder_finish(&z, b, NULL, &e));
    zone_builder_free(b);
    assert_int_equal(zone_records(z), 256 - 26 + 1);
    for (unsigned c = 0; c < 256; c++) {
        owner[1] = (uint8_t)c;
        assert_true(zone_find(z, owner, &n));
        assert_true(zone_find_le(z, owner, &n, &exact) && exact);
        assert_int_equal(n.rel_len, 2);
    }
    assert_true(zone_has_below(z, apex));
    assert_false(zone_has_below(z, owner));
    zone_unref(z);
    buf_free(&t.rdata);
}

/* Walks and searches of random zones of many pages, against the plain list of their owners. */
static void check_walks(const struct zone *z)
{
    uint8_t(*owners)[NAME_MAX_OCTETS] = xmalloc(zone_records(z) * sizeof(*owners));
    struct zone_iter it;
    struct node n;
    struct node got;
    size_t count = 0;
    bool exact;

    zone_iter_init(&it, z);
    while (zone_next(&it, &n))
        (void)node_owner(owners[count++], &n, zone_apex(z));
    for (size_t i = 0; i < count; i++) {
        uint8_t gap[NAME_MAX_OCTETS + 2] = {1, 0};
        bool below = i + 1 < count && name_within(owners[i + 1], owners[i]);

        assert_true(i == 0 || name_cmp(owners[i - 1], owners[i]) < 0);
        assert_true(zone_find(z, owners[i], &got));
        assert_true(zone_find_le(z, owners[i], &got, &exact) && exact);
        assert_int_equal(zone_has_below(z, owners[i]), below);
        zone_iter_seek(&it, z, owners[i]);
        assert_true(zone_next(&it, &n));
        assert_ptr_equal(n.body, got.body);

        /* "\0." in front of a name is the first one behind it */
        (void)name_copy(gap + 2, owners[i]);
        if (i + 1 < count && name_eq(gap, owners[i + 1]))
            continue;
        assert_false(zone_find(z, gap, &got));
        assert_true(zone_find_le(z, gap, &got, &exact));
        assert_false(exact);
        assert_ptr_equal(got.body, n.body);
        zone_iter_seek(&it, z, gap);
        assert_int_equal(zone_next(&it, &n), i + 1 < count);
        if (i + 1 < count) {
            uint8_t next[NAME_MAX_OCTETS];

            (void)node_owner(next, &n, zone_apex(z));
            assert_true(name_eq(next, owners[i + 1]));
        }
    }
    free(owners);
}

static void test_walks(void **state)
{
    static const uint8_t *const apexes[] = {EXAMPLE, ROOT, N("\1\0\3a.b")};

    (void)state;
    for (uint64_t seed = 1; seed <= 9; seed++) {
        struct zone *z = random_zone(seed, 0, seed % 3 ? 200 : 6000, 0, 1, apexes[seed % 3]);

        check_walks(z);
        zone_unref(z);
    }
}

static void test_outside(void **state)
{
    struct zone *z = random_zone(3, 0, 1000, 0, 1, EXAMPLE);
    struct zone_iter it;
    struct node n;
    struct node last = {0};
    bool exact = true;

    (void)state;
    zone_iter_init(&it, z);
    while (zone_next(&it, &n))
        last = n;
    assert_false(zone_find_le(z, ROOT, &n, &exact));
    assert_false(zone_find_le(z, N("\3com"), &n, &exact));
    assert_false(exact);
    assert_true(zone_find_le(z, N("\1f\3org"), &n, &exact));
    assert_false(exact);
    assert_ptr_equal(n.body, last.body);
    zone_iter_seek(&it, z, N("\3com"));
    assert_true(zone_next(&it, &n));
    assert_int_equal(n.rel_len, 0);
    zone_iter_seek(&it, z, N("\3ovh"));
    assert_false(zone_next(&it, &n));
    zone_unref(z);
}

static void test_pages_out_of_order(void **state)
{
    struct zone *z = random_zone(5, 0, 3000, 0, 1, EXAMPLE);
    struct page *pages[4];
    struct zone_iter it;
    struct node n;
    struct zone *out = NULL;
    struct errinfo e = {{0}};
    const struct page *last = NULL;
    size_t count = 0;

    (void)state;
    zone_iter_init(&it, z);
    while (count < 3 && zone_next(&it, &n)) {
        if (n.page != last)
            assert_ok(page_parse(&pages[count++], n.page->data, n.page->len, EXAMPLE, &e));
        last = n.page;
    }
    assert_int_equal(count, 3);
    pages[3] = pages[1];
    pages[1] = pages[2];
    pages[2] = pages[3];
    assert_int_equal(zone_from_pages(&out, EXAMPLE, pages, 3, &e), ERR_CORRUPT);
    assert_text_has(e, "page 3 of 3");
    assert_null(out); /* and the references to the pages are gone: LeakSanitizer watches */
    zone_unref(z);
}

/* The digest and text of content, whatever the pages. */
static void test_digest(void **state)
{
    struct zone *a = zone_of(SOA "w 5 NS A.b.\n", EXAMPLE);
    struct zone *b = zone_of(SOA "W 5 NS a.B.\n", EXAMPLE);
    struct zone *c = zone_of(SOA "w 6 NS a.b.\n", EXAMPLE);
    uint8_t da[32];
    uint8_t db[32];
    uint8_t dc[32];

    (void)state;
    zone_sha256(da, a);
    zone_sha256(db, b);
    zone_sha256(dc, c);
    assert_memory_equal(da, db, 32); /* canonical form folds names in RDATA */
    assert_true(memcmp(da, dc, 32) != 0);
    zone_unref(a);
    zone_unref(b);
    zone_unref(c);
}

struct page_calls {
    size_t gone, came;
    bool fail;
};

static enum err on_gone(void *ctx, const struct page *p, struct errinfo *e)
{
    struct page_calls *calls = ctx;

    assert_non_null(p);
    assert_int_equal(calls->came, 0);
    calls->gone++;
    return calls->fail ? err_set(ERR_IO, e, "no") : OK;
}

static enum err on_came(void *ctx, const struct page *p, struct errinfo *e)
{
    struct page_calls *calls = ctx;

    assert_non_null(p);
    (void)e;
    calls->came++;
    return OK;
}

static void test_page_changes(void **state)
{
    struct zone *a = random_zone(5, 6, 5000, 0, 1, EXAMPLE);
    struct zone *same = random_zone(5, 6, 5000, 0, 1, EXAMPLE);
    struct zone *next = NULL;
    struct page_calls calls = {0};
    struct errinfo e = {{0}};

    (void)state;
    assert_true(zone_page_count(a) > 20);
    assert_ok(zone_page_changes(a, same, on_gone, on_came, &calls, &e));
    assert_int_equal(calls.gone + calls.came, 0);
    assert_ok(zone_page_changes(NULL, a, on_gone, on_came, &calls, &e));
    assert_int_equal(calls.came, zone_page_count(a));
    calls = (struct page_calls){0};
    assert_ok(zone_page_changes(a, NULL, on_gone, on_came, &calls, &e));
    assert_int_equal(calls.gone, zone_page_count(a));
    assert_int_equal(calls.came, 0);

    assert_ok(zone_with_serial(&next, a, (struct serial){2}, &e));
    assert_int_equal(zone_serial(next).v, 2);
    calls = (struct page_calls){0};
    assert_ok(zone_page_changes(a, next, on_gone, on_came, &calls, &e));
    assert_int_equal(calls.gone, 1);
    assert_int_equal(calls.came, 1);
    calls = (struct page_calls){.fail = true};
    assert_int_equal(zone_page_changes(a, next, on_gone, on_came, &calls, &e), ERR_IO);
    assert_int_equal(calls.came, 0);
    zone_unref(a);
    zone_unref(same);
    zone_unref(next);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_empty),
        cmocka_unit_test(test_soa),
        cmocka_unit_test(test_find),
        cmocka_unit_test(test_longest_names),
        cmocka_unit_test(test_walks),
        cmocka_unit_test(test_outside),
        cmocka_unit_test(test_pages_out_of_order),
        cmocka_unit_test(test_digest),
        cmocka_unit_test(test_page_changes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
