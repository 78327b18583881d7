/* Two series of serials, and the rules of holds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "lib/dns/name.h"
#include "syncd/hold_rules.h"
#include "syncd/import.h"
#include "syncd/series.h"

static struct zone *zone_of(uint32_t serial, const char *more)
{
    struct zonefile_opts opts = {.path = "zone"};
    uint8_t apex[NAME_MAX_OCTETS];
    struct zone *z = NULL;
    struct errinfo e;
    char text[512];

    assert_int_equal(name_from_text(apex, "example.", 8, NULL, NULL), OK);
    opts.origin = apex;
    (void)snprintf(text, sizeof(text),
                   "$TTL 60\n@ SOA ns host %u 5 6 7 8\n@ NS ns\nns A 192.0.2.1\n%s",
                   (unsigned)serial, more);
    if (import_zone(&z, text, strlen(text), &opts, NULL, &e) != OK)
        fail_msg("%s", e.text);
    return z;
}

struct step {
    bool ours; /* the row before */
    uint32_t theirs, served;
    uint32_t comes;
    bool forward;
    uint32_t want; /* served then */
    bool want_ours;
};

static void test_what_comes_is_served_ahead(void **state)
{
    static const struct step steps[] = {
        {false, 0, 12, 13, false, 13, false},              /* one series */
        {false, 0, 12, 5, false, 5, false},                /* an operator's retransfer: as it is */
        {false, 0, 12, 5, true, 13, true},                 /* the policy: ours goes forward */
        {false, 0, 12, 12, true, 12, false},               /* other content under the same serial */
        {true, 10, 13, 13, false, 14, true},               /* theirs has not overtaken ours */
        {true, 10, 13, 14, false, 14, false},              /* now it has */
        {true, 10, 13, 11, false, 14, true},               /* behind ours */
        {true, 4, UINT32_MAX, 5, false, 5, false},         /* over the edge: 5 is newer */
        {true, 4, UINT32_MAX, 4294967000, false, 1, true}, /* 0 is skipped */
        {true, 1, 10, 10 + 0x80000000u, false, 11, true},  /* undefined is not newer */
    };

    (void)state;
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        const struct step *s = &steps[i];
        struct store_zone row = {
            .has_content = true, .serial = {s->served}, .ours = s->ours, .theirs = {s->theirs}};
        struct zone *z = zone_of(s->comes, "");
        struct zone *back = NULL;
        struct zone *next = NULL;
        bool ended;

        assert_int_equal(series_follow(&next, &row, z, s->forward, &ended, NULL), OK);
        if (zone_serial(next).v != s->want || row.ours != s->want_ours || ended)
            fail_msg("step %zu: serial %u", i, (unsigned)zone_serial(next).v);
        row.serial = zone_serial(next);
        assert_int_equal(store_zone_theirs(&row).v, s->comes);
        assert_int_equal(series_theirs(&back, &row, next, NULL), OK);
        assert_int_equal(zone_serial(back).v, s->comes);
        zone_unref(back);
        zone_unref(next);
        zone_unref(z);
    }
}

static void test_what_bears_no_serial_of_ours_ends_it(void **state)
{
    struct store_zone row = {.has_content = true, .serial = {13}, .ours = true, .theirs = {10}};
    struct zone *z = zone_of(11, "@ ZONEMD 1 1 1 00000000000000000000000000000000000000000000000000"
                                 "0000000000000000000000000000000000000000000000\n");
    struct zone *next = NULL;
    bool ended = false;

    (void)state;
    assert_int_equal(series_bears(z, NULL), ERR_CHECK);
    assert_int_equal(series_follow(&next, &row, z, false, &ended, NULL), OK);
    assert_true(ended && !row.ours);
    assert_int_equal(zone_serial(next).v, 11);
    zone_unref(next);
    zone_unref(z);
}

static void test_rules(void **state)
{
    struct store_zone row = {.held = true};
    struct serial eleven = {11}, twelve = {12}, wrapped = {11u + 0x80000000u};
    char why[HOLD_RULE_WHY_MAX];

    (void)state;
    assert_false(store_zone_has_rule(&row));
    assert_false(hold_rule_true(why, &row, &twelve, true));
    row.hold_has_serial = true;
    row.hold_serial = eleven;
    assert_true(store_zone_has_rule(&row));
    assert_false(hold_rule_true(why, &row, NULL, true));
    assert_false(hold_rule_true(why, &row, &eleven, true));
    assert_false(hold_rule_true(why, &row, &wrapped, true));
    assert_true(hold_rule_true(why, &row, &twelve, false));
    assert_string_equal(why, "until newer than 11: 12 came");
    row.hold_until.s = 86400;
    assert_false(hold_rule_true(why, &row, &eleven, false));
    assert_true(hold_rule_true(why, &row, NULL, true));
    assert_string_equal(why, "until 1970-01-02T00:00:00Z");
    row.held = false;
    assert_false(store_zone_has_rule(&row));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_comes_is_served_ahead),
        cmocka_unit_test(test_what_bears_no_serial_of_ours_ends_it),
        cmocka_unit_test(test_rules),
    };

    return cmocka_run_group_tests_name("syncd/series", tests, NULL, NULL);
}
