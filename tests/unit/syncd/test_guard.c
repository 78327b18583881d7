/* Guards: what of a new version is found odd, and what is said of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/base/mem.h"
#include "syncd/guard.h"
#include "tests/tools/journal_fixture.h"
#include "tests/tools/sign_fixture.h"

#define NOW 1790000000

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
    struct guard_spec spec = {.guards = g, .now = {NOW}, .threads = 1};
    struct changeset *cs = NULL;
    struct guard_verdict v;
    struct errinfo e;

    assert_int_equal(zone_diff(&cs, was, is, &e), OK);
    guard_judge(&v, &spec, was, is, cs);
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

/* ---- DNSSEC ---- */

#define END (NOW + 864000)

static struct zone *signed_zone(uint32_t serial, uint8_t seed, uint8_t called)
{
    struct zone *plain = zone_with(serial, 3, "ns", 3600), *z;
    struct sign_key k;
    struct sign_spec s = {
        .keys = &k, .key_count = 1, .nsec = true, .inception = NOW - 86400, .expiration = END};

    sign_key_init(&k, 15, 257, seed);
    sign_key_set(&k, called, 257);
    z = zone_signed(plain, &s);
    sign_key_done(&k);
    zone_unref(plain);
    return z;
}

static char *anchor_of(const char *zone, uint8_t seed)
{
    struct buf b = BUF_INIT, rdata = BUF_INIT;
    struct sign_key k;
    char *text;

    sign_key_init(&k, 15, 257, seed);
    rdata_to_text(&rdata, RR_DNSKEY, k.dnskey.data, k.dnskey.len);
    buf_printf(&b, "%s 3600 IN DNSKEY %s", zone, buf_cstr(&rdata));
    text = xstrdup(buf_cstr(&b));
    buf_free(&b);
    buf_free(&rdata);
    sign_key_done(&k);
    return text;
}

static void expect_reason(struct config_guards g, struct zone *was, struct zone *is,
                          const char *reason)
{
    struct guard_verdict v = judge(&g, was, is);

    if (v.quarantine != (reason != NULL) || (reason && !strstr(v.reason, reason)))
        fail_msg("'%s', wanted '%s'", v.reason, reason ? reason : "");
    if (!v.quarantine && !v.alert)
        assert_int_equal(v.sound, g.dnssec != CONFIG_DNSSEC_OFF);
}

static void test_signatures_are_looked_at_if_so_configured(void **state)
{
    struct config_guards off = {.shrink_percent = 0};
    struct config_guards on = {.dnssec = CONFIG_DNSSEC_IF_SIGNED};
    struct config_guards must = {.dnssec = CONFIG_DNSSEC_REQUIRED};
    struct config_guards life = {.dnssec = CONFIG_DNSSEC_IF_SIGNED, .dnssec_life_s = END - NOW + 1};

    (void)state;
    expect_reason(off, signed_zone(1, 1, 15), zone_with(2, 3, "ns", 3600), NULL);
    expect_reason(on, signed_zone(1, 1, 15), signed_zone(2, 1, 15), NULL);
    expect_reason(on, signed_zone(1, 1, 15), signed_zone(2, 2, 15), NULL); /* other keys */
    expect_reason(on, signed_zone(1, 1, 15), zone_with(2, 3, "ns", 3600),
                  "it is not signed any more");
    expect_reason(must, signed_zone(1, 1, 15), signed_zone(2, 1, 15), NULL);
    expect_reason(must, zone_with(1, 3, "ns", 3600), zone_with(2, 3, "ns", 3600),
                  "it is not signed");
    expect_reason(must, signed_zone(1, 1, 15), signed_zone(2, 1, 200), "no algorithm");
    expect_reason(life, signed_zone(1, 1, 15), signed_zone(2, 1, 15), "for less than 864001 s");
}

static void test_an_unsigned_zone_may_stay_so(void **state)
{
    struct config_guards on = {.dnssec = CONFIG_DNSSEC_IF_SIGNED};
    struct guard_verdict v = judge(&on, zone_with(1, 3, "ns", 3600), zone_with(2, 3, "ns", 3600));

    (void)state;
    assert_false(v.quarantine || v.alert || v.sound);
}

static void test_what_cannot_be_checked_is_said(void **state)
{
    struct config_guards on = {.dnssec = CONFIG_DNSSEC_IF_SIGNED};
    struct guard_verdict v = judge(&on, signed_zone(1, 1, 200), signed_zone(2, 1, 200));

    (void)state;
    assert_false(v.quarantine);
    assert_true(v.alert);
    assert_false(v.sound);
    assert_non_null(strstr(v.reason, "no algorithm that is known here"));
}

static void test_anchors(void **state)
{
    char *ours = anchor_of("example.", 1), *other = anchor_of("other.", 9);
    char *both[] = {other, ours}, *stranger[] = {other};
    struct config_guards g = {
        .dnssec = CONFIG_DNSSEC_IF_SIGNED, .anchors = both, .anchor_count = 2};

    (void)state;
    expect_reason(g, signed_zone(1, 1, 15), signed_zone(2, 1, 15), NULL);
    expect_reason(g, signed_zone(1, 1, 15), signed_zone(2, 2, 15), "guard-dnssec-anchor");
    expect_reason(g, zone_with(1, 3, "ns", 3600), zone_with(2, 3, "ns", 3600), "is not signed");
    g.anchors = stranger;
    g.anchor_count = 1;
    expect_reason(g, signed_zone(1, 1, 15), signed_zone(2, 2, 15), NULL); /* not of this zone */
    free(ours);
    free(other);
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
        cmocka_unit_test(test_signatures_are_looked_at_if_so_configured),
        cmocka_unit_test(test_an_unsigned_zone_may_stay_so),
        cmocka_unit_test(test_what_cannot_be_checked_is_said),
        cmocka_unit_test(test_anchors),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
