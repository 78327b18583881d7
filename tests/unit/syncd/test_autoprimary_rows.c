/* Autoprimaries of the store as sections of the configuration. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/log.h"
#include "syncd/autoprimary.h"
#include "syncd/autoprimary_rows.h"
#include "tests/tools/config_fixture.h"

static const char text[] =
    "key \"Bound.test\" { secret-file = \"/x\" }\n"
    "primary \"hidden\" { address = \"192.0.2.1\" }\n"
    "autoprimary \"file\" { primaries = {\"hidden\"} nameservers = {\"ns1.us.test\"} }\n"
    "zone \"z.test\" { primaries = {\"hidden\"} }\n";

static void name_of(uint8_t out[NAME_MAX_OCTETS], const char *s)
{
    assert_int_equal(name_from_text(out, s, strlen(s), NULL, NULL), OK);
}

static struct store_autoprimary row(const char *ip, const char *ns, const char *account,
                                    const char *key)
{
    struct store_autoprimary a = {.zones_max = 7, .zones_per_hour = 5};

    (void)snprintf(a.ip, sizeof(a.ip), "%s", ip);
    name_of(a.nameserver, ns);
    (void)snprintf(a.account, sizeof(a.account), "%s", account);
    (void)snprintf(a.key, sizeof(a.key), "%s", key);
    return a;
}

static struct config *extended(struct config *base, const struct store_autoprimary *rows, size_t n)
{
    struct errinfo e = {{0}};
    struct config *c = NULL;

    if (autoprimary_rows_extend(&c, base, rows, n, &e) != OK)
        fail_msg("%s", e.text);
    return c;
}

static void test_groups(void **state)
{
    struct config *base = text_config(text);
    struct store_autoprimary rows[] = {
        row("192.0.2.1", "a.test", "", ""),
        row("2001:db8::1@5353", "a.test", "", "BOUND.test."),
        row("192.0.2.1", "a.test", "it's \\ ${HOME} \"x\"", ""), /* means nothing in the text */
        row("192.0.2.1", "ns\\.1.b\\'\\\"\\\\.test", "", ""),
    };
    struct config *c;
    const struct config_autoprimary *a;

    (void)state;
    (void)snprintf(rows[2].suffixes, sizeof(rows[2].suffixes), "x.test. \\\\'.test.");
    c = extended(base, rows, sizeof(rows) / sizeof(rows[0]));
    assert_int_equal(base->autoprimary_count, 1);
    assert_int_equal(c->autoprimary_count, 4);
    assert_int_equal(c->primary_count, 3);
    assert_ptr_equal(c->zones, base->zones);
    a = &c->autoprimaries[1];
    assert_true(a->added && !c->autoprimaries[0].added);
    assert_string_equal(a->account, "");
    assert_int_equal(a->zone.primary_count, 2);
    assert_int_equal(a->zones_max, 7);
    assert_int_equal(a->zone.refresh_min_s, c->zones[0].refresh_min_s); /* the same defaults */
    assert_int_equal(c->primaries[a->zone.primaries[0]].key, -1);
    assert_int_equal(c->primaries[a->zone.primaries[1]].key, 0);
    assert_int_equal(c->primaries[a->zone.primaries[1]].address.port, 5353);
    a = &c->autoprimaries[2];
    assert_string_equal(a->account, "it's \\ ${HOME} \"x\"");
    assert_int_equal(a->suffix_count, 2);
    assert_string_equal(a->suffixes[1], "\\\\'.test.");
    config_unref(base); /* the other one keeps it */

    assert_ptr_equal(autoprimary_find(c, "file", NULL), &c->autoprimaries[0]);
    assert_ptr_equal(autoprimary_find(c, "", rows[0].nameserver), &c->autoprimaries[1]);
    assert_ptr_equal(autoprimary_find(c, "", rows[3].nameserver), &c->autoprimaries[3]);
    assert_null(autoprimary_find(c, "file", rows[0].nameserver));
    assert_null(autoprimary_find(c, "", NULL));
    config_unref(c);
}

/* PowerDNS' order: the nameservers as the answer has them; a row is an address and a nameserver. */
static void test_choice(void **state)
{
    struct config *base = text_config(text);
    const struct store_autoprimary rows[] = {
        row("192.0.2.5", "a.test", "one", ""),
        row("192.0.2.6", "a.test", "two", ""),
        row("192.0.2.5", "b.test", "three", ""),
        row("192.0.2.1", "c.test", "four", ""),
    };
    static const struct {
        const char *source, *ns[2], *account; /* NULL: refused */
    } table[] = {
        {"192.0.2.5", {"a.test", "b.test"}, "one"},
        {"192.0.2.5", {"B.test", "a.test"}, "three"},
        {"192.0.2.6", {"b.test", "a.test"}, "two"},
        {"192.0.2.6", {"b.test", "c.test"}, NULL},
        {"192.0.2.1", {"c.test", "ns1.us.test"}, "file"}, /* the file's sections come first */
        {"192.0.2.1", {"c.test", "x.test"}, "four"},
    };
    struct config *c = extended(base, rows, sizeof(rows) / sizeof(rows[0]));

    (void)state;
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        struct announcement a = {.zone = "\1z\4test", .key = -1};
        uint8_t names[2][NAME_MAX_OCTETS];
        int primary = -1;
        int section = -1;
        enum err rc;

        assert_int_equal(addr_from_text(&a.source, table[i].source, 4711, NULL), OK);
        name_of(names[0], table[i].ns[0]);
        name_of(names[1], table[i].ns[1]);
        assert_int_equal(autoprimary_may(c, &a, &primary, NULL, NULL), OK);
        rc = autoprimary_choose(c, &a, (const uint8_t(*)[NAME_MAX_OCTETS])names, 2, &section, NULL,
                                NULL);
        if (!table[i].account)
            assert_int_equal(rc, ERR_DENIED);
        else
            assert_string_equal(c->autoprimaries[section].account, table[i].account);
    }
    config_unref(base);
    config_unref(c);
}

/* A retired row is a primary still, but speaks for nothing new; one whose key is gone is not there.
 */
static void test_not_in_force(void **state)
{
    struct config *base = text_config(text);
    struct store_autoprimary rows[] = {
        row("192.0.2.7", "a.test", "x", ""),
        row("192.0.2.8", "a.test", "x", ""),
        row("192.0.2.9", "a.test", "x", "lost.test"),
    };
    struct announcement a = {.zone = "\1z\4test", .key = -1};
    struct config *c;
    int primary;

    (void)state;
    rows[0].retired = true;
    c = extended(base, rows, 3);
    assert_int_equal(c->autoprimary_count, 2);
    assert_int_equal(c->autoprimaries[1].zone.primary_count, 2);
    assert_int_equal(c->autoprimaries[1].speaker_count, 1);
    assert_int_equal(addr_from_text(&a.source, "192.0.2.7", 53, NULL), OK);
    assert_int_equal(autoprimary_may(c, &a, &primary, NULL, NULL), ERR_DENIED);
    assert_int_equal(addr_from_text(&a.source, "192.0.2.8", 53, NULL), OK);
    assert_int_equal(autoprimary_may(c, &a, &primary, NULL, NULL), OK);
    assert_int_equal(addr_from_text(&a.source, "192.0.2.9", 53, NULL), OK);
    assert_int_equal(autoprimary_may(c, &a, &primary, NULL, NULL), ERR_DENIED);
    config_unref(c);
    c = extended(base, &rows[2], 1); /* nothing in force: the file's configuration itself */
    assert_ptr_equal(c, base);
    config_unref(c);
    config_unref(base);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_groups),
        cmocka_unit_test(test_choice),
        cmocka_unit_test(test_not_in_force),
    };

    log_init("test", LOG_ERROR, LOG_TEXT);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
