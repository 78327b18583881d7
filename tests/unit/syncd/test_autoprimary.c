/* Who may bring zones: every rule by itself, and which section takes what. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <string.h>

#include "syncd/autoprimary.h"
#include "tests/tools/config_fixture.h"

static const char text[] =
    "key \"one\" { secret-file = \"/x\" }\n"
    "key \"two\" { secret-file = \"/x\" }\n"
    "primary \"plain\" { address = \"192.0.2.1\" }\n"
    "primary \"keyed\" { address = \"192.0.2.2@5353\" key = \"one\" }\n"
    "primary \"twin\" { address = \"192.0.2.2\" key = \"two\" }\n"
    "autoprimary \"a\" { primaries = {\"plain\"} nameservers = {\"ns1.us.test\", \"ns2.us.test\"} "
    "}\n"
    "autoprimary \"b\" { primaries = {\"plain\", \"keyed\"} nameservers = {\"ns3.us.test\"}\n"
    "  suffixes = {\"customer.test\", \"other.test\"} }\n"
    "autoprimary \"c\" { primaries = {\"twin\"} nameservers = {\"NS1.us.test\"} }\n";

static const struct {
    const char *zone, *source;
    int key;
    const char *ns;      /* the one name of the NS RRset besides ns.elsewhere.test */
    const char *account; /* NULL: not taken ... */
    const char *why;     /* ... for this reason */
} table[] = {
    {"x.test", "192.0.2.1", -1, "ns1.us.test", "a", NULL},
    {"x.test", "192.0.2.1", 0, "NS2.US.test", "a", NULL},
    {"x.test", "192.0.2.1", -1, "ns9.us.test", NULL, "none of our nameservers"},
    {"x.test", "192.0.2.1", -1, "ns3.us.test", NULL, "none of our nameservers"},
    {"x.customer.test", "192.0.2.1", -1, "ns3.us.test", "b", NULL},
    {"customer.test", "192.0.2.1", -1, "ns3.us.test", "b", NULL},
    {"xcustomer.test", "192.0.2.1", -1, "ns3.us.test", NULL, "none of our"},
    {"x.test", "192.0.2.2", 0, "ns3.us.test", NULL, "this suffix"},
    {"x.customer.test", "192.0.2.1", -1, "ns1.us.test", "a", NULL},
    {"x.other.test", "192.0.2.2", 0, "ns3.us.test", "b", NULL},
    {"x.other.test", "192.0.2.2", -1, "ns3.us.test", NULL, "not signed with its key"},
    {"x.other.test", "192.0.2.2", 1, "ns3.us.test", NULL, "none of our nameservers"}, /* c's key */
    {"x.other.test", "192.0.2.2", 1, "ns1.us.test", "c", NULL},
    {"x.other.test", "192.0.2.2", 0, "ns1.us.test", NULL, "none of our nameservers"},

    {"x.test", "192.0.2.3", -1, "ns1.us.test", NULL, "no autoprimary"},
    {"x.test", "2001:db8::1", 0, "ns1.us.test", NULL, "no autoprimary"},
};

static void name_of(uint8_t out[NAME_MAX_OCTETS], const char *s)
{
    assert_int_equal(name_from_text(out, s, strlen(s), NULL, NULL), OK);
}

static void test_rules(void **state)
{
    struct config *c = text_config(text);

    (void)state;
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        struct announcement a = {.key = table[i].key};
        uint8_t names[2][NAME_MAX_OCTETS];
        struct errinfo e = {0};
        int primary = -1;
        int section = -1;
        enum err rc;

        name_of(a.zone, table[i].zone);
        assert_int_equal(addr_from_text(&a.source, table[i].source, 5300, NULL), OK);
        name_of(names[0], "ns.elsewhere.test");
        name_of(names[1], table[i].ns);
        rc = autoprimary_may(c, &a, &primary, NULL, &e);
        if (rc == OK) {
            assert_true(addr_ip_eq(&c->primaries[primary].address, &a.source));
            rc = autoprimary_choose(c, &a, (const uint8_t(*)[NAME_MAX_OCTETS])names, 2, &section,
                                    NULL, &e);
        }
        if (table[i].account
                ? rc != OK || strcmp(c->autoprimaries[section].account, table[i].account) != 0
                : rc != ERR_DENIED || !strstr(e.text, table[i].why))
            fail_msg("%s from %s with %s: %d %s", table[i].zone, table[i].source, table[i].ns,
                     (int)rc, e.text);
    }
    config_unref(c);
}

static void test_sections_by_account(void **state)
{
    struct config *c = text_config(text);

    (void)state;
    assert_ptr_equal(autoprimary_find(c, "b", NULL), &c->autoprimaries[1]);
    assert_null(autoprimary_find(c, "B", NULL));
    assert_null(autoprimary_find(c, "", NULL));
    config_unref(c);
}

/* A primary with a client: its address alone, its key alone, or UDP is not it. */
static void test_certificate(void **state)
{
    static const struct {
        enum ho_transport transport;
        bool shown;
        const char *why; /* NULL: it may */
    } cases[] = {{HO_UDP, false, "not by TLS"},
                 {HO_TCP, true, "not by TLS"}, /* authd never says so */
                 {HO_TLS, false, "does not show its certificate"},
                 {HO_TLS, true, NULL}};
    struct tls_identity id = {.shown = true, .pin = {1}};
    struct config *c = text_config(
        "authd { listen-tls = {\"127.0.0.1\"} tls-certificate = \"/x\" tls-key = \"/x\"\n"
        "  tls-clients = accept }\n"
        "client \"c\" { pins = {\"AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\"} }\n"
        "primary \"p\" { address = \"192.0.2.1\" client = \"c\" }\n"
        "autoprimary \"a\" { primaries = {\"p\"} nameservers = {\"ns.us.test\"} }\n");

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct announcement a = {
            .key = -1, .transport = cases[i].transport, .identity = cases[i].shown ? &id : NULL};
        struct errinfo e = {0};
        int primary = -1;
        enum err rc;

        name_of(a.zone, "x.test");
        assert_int_equal(addr_from_text(&a.source, "192.0.2.1", 5300, NULL), OK);
        rc = autoprimary_may(c, &a, &primary, NULL, &e);
        assert_int_equal(rc, cases[i].why ? ERR_DENIED : OK);
        if (cases[i].why && !strstr(e.text, cases[i].why))
            fail_msg("case %zu: %s", i, e.text);
    }
    config_unref(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rules),
        cmocka_unit_test(test_certificate),
        cmocka_unit_test(test_sections_by_account),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
