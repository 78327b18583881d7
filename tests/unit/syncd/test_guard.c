/* Guards: what of a new version is found odd, and what is said of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "syncd/guard.h"
#include "tests/tools/journal_fixture.h"

/* A zone with so many addresses and these nameservers ("a b"). */
static struct zone *zone_with(uint32_t serial, unsigned hosts, const char *nameservers,
                              uint32_t ttl)
{
    struct line_set l = {0};
    char names[64];
    struct zone *z;

    line_set_add(&l, "example. 3600 IN SOA ns.example. h.example. %u 2 3 4 5", (unsigned)serial);
    (void)snprintf(names, sizeof(names), "%s", nameservers);
    for (char *p = strtok(names, " "); p; p = strtok(NULL, " "))
        line_set_add(&l, "example. %u IN NS %s.example.", (unsigned)ttl, p);
    for (unsigned i = 0; i < hosts; i++)
        line_set_add(&l, "h%u.example. 3600 IN A 192.0.2.%u", i, i % 250);
    z = zone_of_lines("example.", &l);
    line_set_free(&l);
    return z;
}

static struct guard_verdict judge(const struct config_guards *g, struct zone *was, struct zone *is)
{
    struct changeset *cs = NULL;
    struct guard_verdict v;
    struct errinfo e;

    assert_int_equal(zone_diff(&cs, was, is, &e), OK);
    guard_judge(&v, g, was, is, cs);
    changeset_free(cs);
    zone_unref(was);
    zone_unref(is);
    return v;
}

/* One NS and the SOA make 2 records more. */
static bool quarantined(struct config_guards g, unsigned was, unsigned is)
{
    return judge(&g, zone_with(1, was, "ns", 3600), zone_with(2, is, "ns", 3600)).quarantine;
}

static void test_nothing_is_on_by_default(void **state)
{
    (void)state;
    assert_false(quarantined((struct config_guards){0}, 998, 0));
    assert_false(quarantined((struct config_guards){0}, 0, 998));
}

static void test_shrinking_is_measured_in_percent(void **state)
{
    struct config_guards g = {.shrink_percent = 50};

    (void)state;
    assert_false(quarantined(g, 98, 48)); /* 100 to 50: not more than half */
    assert_true(quarantined(g, 98, 47));
    assert_false(quarantined(g, 47, 98));
    g.shrink_percent = 100; /* nothing shrinks by more */
    assert_false(quarantined(g, 98, 0));
}

static void test_and_in_records(void **state)
{
    struct config_guards g = {.shrink_records = 10};

    (void)state;
    assert_false(quarantined(g, 98, 88));
    assert_true(quarantined(g, 98, 87));
}

static void test_both_limits_must_be_passed(void **state)
{
    struct config_guards g = {.shrink_percent = 10, .shrink_records = 20};

    (void)state;
    assert_false(quarantined(g, 18, 8));    /* half of a small zone, but ten records */
    assert_false(quarantined(g, 998, 970)); /* 28 records, but not a tenth */
    assert_true(quarantined(g, 98, 77));
}

static void test_growth(void **state)
{
    (void)state;
    assert_false(quarantined((struct config_guards){.growth_percent = 100}, 48, 98));
    assert_true(quarantined((struct config_guards){.growth_percent = 100}, 48, 99));
    assert_false(quarantined((struct config_guards){.growth_records = 5}, 10, 15));
    assert_true(quarantined((struct config_guards){.growth_records = 5}, 10, 16));
    assert_false(quarantined((struct config_guards){.growth_records = 5}, 98, 48));
}

static void test_serial_jumps(void **state)
{
    static const struct {
        uint32_t from, to;
        bool quarantine;
    } cases[] = {
        {1, 101, false},         {1, 102, true}, {UINT32_MAX, 99, false},
        {UINT32_MAX, 100, true}, {5, 4, false},
    };
    struct config_guards g = {.serial_jump = 100};

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_int_equal(judge(&g, zone_with(cases[i].from, 1, "ns", 3600),
                               zone_with(cases[i].to, 2, "ns", 3600))
                             .quarantine,
                         cases[i].quarantine);
}

static void test_nameservers(void **state)
{
    struct config_guards g = {.apex_ns = CONFIG_QUARANTINE};
    struct guard_verdict v;

    (void)state;
    v = judge(&g, zone_with(1, 1, "a b", 3600), zone_with(2, 2, "a b", 3600));
    assert_false(v.quarantine);
    v = judge(&g, zone_with(1, 1, "a b", 3600), zone_with(2, 1, "a b", 60));
    assert_false(v.quarantine); /* the TTL alone */
    v = judge(&g, zone_with(1, 1, "a b", 3600), zone_with(2, 1, "a", 3600));
    assert_true(v.quarantine);
    v = judge(&g, zone_with(1, 1, "a", 3600), zone_with(2, 1, "a b", 3600));
    assert_true(v.quarantine);
    assert_non_null(strstr(v.reason, "NS records"));
    g.apex_ns = CONFIG_ALERT;
    v = judge(&g, zone_with(1, 1, "a", 3600), zone_with(2, 1, "c", 3600));
    assert_false(v.quarantine);
    assert_true(v.alert);
}

static void test_all_that_is_odd_is_said(void **state)
{
    struct config_guards g = {
        .shrink_percent = 10, .serial_jump = 10, .apex_ns = CONFIG_QUARANTINE};
    struct guard_verdict v =
        judge(&g, zone_with(1, 97, "a b", 3600), zone_with(1000, 9, "c", 3600));

    (void)state;
    assert_true(v.quarantine);
    assert_string_equal(v.reason, "it has 11 of 100 records left; its serial is 999 ahead; "
                                  "the NS records of the zone's own name are others");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing_is_on_by_default),
        cmocka_unit_test(test_shrinking_is_measured_in_percent),
        cmocka_unit_test(test_and_in_records),
        cmocka_unit_test(test_both_limits_must_be_passed),
        cmocka_unit_test(test_growth),
        cmocka_unit_test(test_serial_jumps),
        cmocka_unit_test(test_nameservers),
        cmocka_unit_test(test_all_that_is_odd_is_said),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
