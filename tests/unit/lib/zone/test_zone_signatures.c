/* Times of signatures: which have expired, and when the first does. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "lib/zone/zone_signatures.h"
#include "tests/tools/journal_fixture.h"

#define SIGNATURE(owner, type, end)                                                                \
    owner " 300 IN RRSIG " type " 13 1 300 " end " 20200101000000 1 example. AAAA"

static void test_a_zone_without(void **state)
{
    struct line_set l = {0};
    struct zone_signatures s;
    struct zone *z;

    (void)state;
    line_set_add(&l, "example. 300 IN SOA ns.example. h.example. 1 2 3 4 5");
    z = zone_of_lines("example.", &l);
    s = zone_signatures(z, (struct wall){1790000000});
    assert_int_equal(s.count, 0);
    assert_int_equal(s.expired, 0);
    zone_unref(z);
    line_set_free(&l);
}

static void test_all_are_counted(void **state)
{
    struct line_set l = {0};
    struct zone_signatures s;
    struct zone *z;

    (void)state;
    line_set_add(&l, "example. 300 IN SOA ns.example. h.example. 1 2 3 4 5");
    line_set_add(&l, SIGNATURE("example.", "SOA", "20380119031408")); /* beyond 2^31 */
    line_set_add(&l, SIGNATURE("example.", "NS", "20260921141320"));
    line_set_add(&l, SIGNATURE("a.example.", "A", "20260921141319"));
    line_set_add(&l, SIGNATURE("a.example.", "TXT", "20200202000000"));
    z = zone_of_lines("example.", &l);
    s = zone_signatures(z, (struct wall){1790000000}); /* 2026-09-21T14:13:20Z */
    assert_int_equal(s.count, 4);
    assert_int_equal(s.expired, 2); /* one that ends now is good now */
    assert_int_equal(s.first.s, 1580601600);
    zone_unref(z);
    line_set_free(&l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_zone_without),
        cmocka_unit_test(test_all_are_counted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
