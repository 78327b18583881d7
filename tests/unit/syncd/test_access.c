/* Who may transfer, and who may change: every kind of rule against every kind of client. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <string.h>

#include "lib/dns/rr.h"
#include "syncd/access.h"
#include "tests/tools/config_fixture.h"

static const char text[] =
    "key \"one\" { secret-file = \"/x\" }\n"
    "key \"two\" { secret-file = \"/x\" }\n"
    "key \"three\" { secret-file = \"/x\" }\n"
    "secondary \"plain\" { address = \"192.0.2.1\" }\n"
    "secondary \"keyed\" { address = \"192.0.2.2@5353\" key = \"one\" }\n"
    "secondary \"six\" { address = \"2001:db8::1\" key = \"two\" }\n"
    "update-policy \"key\" { keys = {\"one\", \"two\"} types = {\"A\", \"NS\"} }\n"
    "update-policy \"net\" { from = {\"192.0.2.0/24\", \"2001:db8::/32\"} "
    "names = {\"@\", \"www\", \"*.dyn\", \"abs.up.test.\"} }\n"
    "update-policy \"both\" { keys = {\"three\"} from = {\"192.0.2.9\"} }\n"
    "zone \"up.test\" { update = {\"key\", \"net\"} }\n"
    "zone \"both.test\" { update = {\"both\"} }\n"
    "zone \"all.test\" { secondaries = {\"plain\", \"keyed\", \"six\"} }\n"
    "zone \"keys.test\" { transfer-keys = {\"two\", \"three\"} }\n"
    "zone \"net.test\" { transfer-from = {\"198.51.100.0/24\", \"2001:db8:1::/48\"} }\n"
    "zone \"mixed.test\" { secondaries = {\"keyed\"} transfer-keys = {\"three\"} }\n";

enum { ONE, TWO, THREE, NONE = -1 };

static const struct {
    const char *zone, *source;
    int key;
    const char *why; /* NULL: allowed */
} table[] = {
    {"all.test", "192.0.2.1", NONE, NULL},
    {"all.test", "192.0.2.1@40000", ONE, NULL}, /* signed where it need not be */
    {"all.test", "192.0.2.2", ONE, NULL},
    {"all.test", "192.0.2.2@1", NONE, "not signed with its key"},
    {"all.test", "192.0.2.2", TWO, "another key"},
    {"all.test", "2001:db8::1", TWO, NULL},
    {"all.test", "2001:db8::1", ONE, "another key"},
    {"all.test", "2001:db8::2", TWO, "in none"},
    {"all.test", "192.0.2.3", ONE, "in none"},
    {"all.test", "192.0.2.3", NONE, "in none"},
    {"keys.test", "203.0.113.9", TWO, NULL},
    {"keys.test", "2001:db8::9", THREE, NULL},
    {"keys.test", "203.0.113.9", ONE, "in none"},
    {"keys.test", "203.0.113.9", NONE, "in none"},
    {"keys.test", "192.0.2.1", NONE, "in none"}, /* a secondary of another zone */
    {"net.test", "198.51.100.255", NONE, NULL},
    {"net.test", "198.51.100.0", ONE, NULL},
    {"net.test", "2001:db8:1:ffff::1", NONE, NULL},
    {"net.test", "198.51.101.0", NONE, "in none"},
    {"net.test", "2001:db8:2::1", THREE, "in none"},
    {"mixed.test", "192.0.2.2", ONE, NULL},
    {"mixed.test", "192.0.2.2", THREE, NULL},
    {"mixed.test", "192.0.2.2", TWO, "another key"},
    {"mixed.test", "192.0.2.9", THREE, NULL},
    {"mixed.test", "192.0.2.9", ONE, "in none"},
    {"other.test", "192.0.2.1", ONE, "lets nobody"},
    {"www.all.test", "192.0.2.1", NONE, "lets nobody"},
    {"test", "192.0.2.1", NONE, "lets nobody"},
};

/* The section of a zone, as replicator_section finds it. */
static const struct config_zone *section_of(const struct config *c, const char *zone)
{
    for (size_t i = 0; i < c->zone_count; i++) {
        if (strcmp(c->zones[i].name, zone) == 0)
            return &c->zones[i];
    }
    return NULL;
}

static void test_transfer(void **state)
{
    struct config *c = text_config(text);

    (void)state;
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        struct access_client who = {.key = table[i].key};
        struct errinfo e = {0};
        enum err rc;

        assert_int_equal(addr_from_text(&who.source, table[i].source, 1, NULL), OK);
        rc = access_transfer(c, section_of(c, table[i].zone), &who, &e);
        if (rc != (table[i].why ? ERR_DENIED : OK) ||
            (table[i].why && !strstr(e.text, table[i].why)))
            fail_msg("%s from %s, key %d: %d %s", table[i].zone, table[i].source, table[i].key,
                     (int)rc, e.text);
    }
    config_unref(c);
}

static const struct {
    const char *zone, *source;
    int key;
    const char *owner, *type;
    bool may, client; /* change this; change anything */
} changes[] = {
    {"up.test", "203.0.113.1", ONE, "any.up.test.", "A", true, true},
    {"up.test", "203.0.113.1", TWO, "up.test.", "NS", true, true},
    {"up.test", "203.0.113.1", ONE, "any.up.test.", "TXT", false, true},
    {"up.test", "203.0.113.1", THREE, "any.up.test.", "A", false, false},
    {"up.test", "203.0.113.1", NONE, "any.up.test.", "A", false, false},
    {"up.test", "192.0.2.1", NONE, "WWW.up.test.", "TXT", true, true},
    {"up.test", "192.0.2.1", NONE, "x.www.up.test.", "TXT", false, true},
    {"up.test", "192.0.2.1", THREE, "up.test.", "MX", true, true}, /* signed where it need not be */
    {"up.test", "192.0.2.1", NONE, "up.test.", "SOA", false, true},
    {"up.test", "192.0.2.1", NONE, "up.test.", "NS", false, true},
    {"up.test", "192.0.2.1", NONE, "www.up.test.", "RRSIG", false, true},
    {"up.test", "2001:db8::7", NONE, "a.b.dyn.up.test.", "A", true, true},
    {"up.test", "2001:db8::7", NONE, "dyn.up.test.", "A", false, true},
    {"up.test", "2001:db8::7", NONE, "abs.up.test.", "A", true, true},
    {"up.test", "192.0.2.1", ONE, "other.up.test.", "A", true, true}, /* two policies are for it */
    {"both.test", "192.0.2.9", THREE, "x.both.test.", "A", true, true},
    {"both.test", "192.0.2.9", NONE, "x.both.test.", "A", false, false},
    {"both.test", "192.0.2.8", THREE, "x.both.test.", "A", false, false},
    {"all.test", "192.0.2.1", ONE, "x.all.test.", "A", false, false},
};

static void test_update(void **state)
{
    struct config *c = text_config(text);

    (void)state;
    for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
        struct access_client who = {.key = changes[i].key};
        const struct config_zone *z = section_of(c, changes[i].zone);
        uint8_t apex[NAME_MAX_OCTETS], owner[NAME_MAX_OCTETS];
        struct errinfo e = {0};
        uint16_t type = 0;

        assert_int_equal(addr_from_text(&who.source, changes[i].source, 1, NULL), OK);
        assert_int_equal(name_from_text(apex, changes[i].zone, strlen(changes[i].zone), NULL, NULL),
                         OK);
        assert_int_equal(
            name_from_text(owner, changes[i].owner, strlen(changes[i].owner), NULL, NULL), OK);
        assert_true(type_from_text(&type, changes[i].type, strlen(changes[i].type)));
        if ((access_update(c, z, &who, &e) == OK) != changes[i].client ||
            access_update_record(c, z, &who, apex, owner, type) != changes[i].may)
            fail_msg("case %zu: %s", i, e.text);
    }
    assert_int_equal(access_update(c, NULL, &(struct access_client){.key = ONE}, NULL), ERR_DENIED);
    config_unref(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_transfer),
        cmocka_unit_test(test_update),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
