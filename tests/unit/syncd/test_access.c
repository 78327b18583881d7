/* Who may transfer, tell, and change: every kind of rule against every kind of client. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
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
        struct access_client who = {.transport = HO_TCP, .key = table[i].key};
        struct errinfo e = {0};
        enum err rc;

        assert_int_equal(addr_from_text(&who.source, table[i].source, 1, NULL), OK);
        rc = access_may(c, section_of(c, table[i].zone), ACCESS_TRANSFER, &who, NULL, &e);
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
        struct access_client who = {.transport = HO_UDP, .key = changes[i].key};
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
        if ((access_may(c, z, ACCESS_UPDATE, &who, NULL, &e) == OK) != changes[i].client ||
            access_update_record(c, z, &who, apex, owner, type) != changes[i].may)
            fail_msg("case %zu: %s", i, e.text);
    }
    config_unref(c);
}

/* ---- The whole matrix: every rule, with every demand, against every client ---- */

enum key { KEY_NONE, KEY_RIGHT, KEY_OTHER, KEYS };
enum shown {
    SHOWN_NOTHING,
    SHOWN_NAME,     /* the name that is asked for, and somebody vouches for it */
    SHOWN_BARE,     /* the same name, and nobody does */
    SHOWN_STRANGER, /* another name that somebody vouches for */
    SHOWN_PIN,      /* the key that is asked for, in whatever certificate */
    SHOWNS,
};

struct client {
    enum ho_transport transport;
    enum key key;
    enum shown shown;
    bool here; /* at the address that is asked for */
};

typedef bool rule_fn(const struct client *k);

static bool never(const struct client *k)
{
    (void)k;
    return false;
}

static bool is_here(const struct client *k)
{
    return k->here;
}

static bool has_key(const struct client *k)
{
    return k->key == KEY_RIGHT;
}

static bool is_tls(const struct client *k)
{
    return k->transport == HO_TLS;
}

static bool has_name(const struct client *k)
{
    return is_tls(k) && k->shown == SHOWN_NAME;
}

static bool has_pin(const struct client *k)
{
    return is_tls(k) && k->shown == SHOWN_PIN;
}

static bool is_here_with_key(const struct client *k)
{
    return is_here(k) && has_key(k);
}

static bool is_here_by_tls(const struct client *k)
{
    return is_here(k) && is_tls(k);
}

static bool is_here_with_name(const struct client *k)
{
    return is_here(k) && has_name(k);
}

static bool is_here_with_all(const struct client *k)
{
    return is_here(k) && has_key(k) && has_name(k);
}

static bool has_key_and_tls(const struct client *k)
{
    return has_key(k) && is_tls(k);
}

static bool has_key_or_name(const struct client *k)
{
    return has_key(k) || has_name(k);
}

static bool is_here_or_has_pin(const struct client *k)
{
    return is_here(k) || has_pin(k);
}

static bool is_trusted(const struct client *k)
{
    return is_tls(k) &&
           (k->shown == SHOWN_NAME || k->shown == SHOWN_STRANGER || k->shown == SHOWN_PIN);
}

/* What stands in a zone's section, and who may what by it. */
static const struct {
    const char *items;
    rule_fn *transfer, *notify, *update;
} rules[] = {
    {"secondaries = {\"plain\"}", is_here, never, never},
    {"secondaries = {\"keyed\"}", is_here_with_key, never, never},
    {"secondaries = {\"tls\"}", is_here_by_tls, never, never},
    {"secondaries = {\"named\"}", is_here_with_name, never, never},
    {"secondaries = {\"all\"}", is_here_with_all, never, never},
    {"secondaries = {\"all\", \"tls\"}", is_here_by_tls, never, never},
    {"transfer-keys = {\"right\"}", has_key, never, never},
    {"transfer-clients = {\"name\"}", has_name, never, never},
    {"transfer-clients = {\"pin\"}", has_pin, never, never},
    {"transfer-from = {\"192.0.2.0/24\"}", is_here, never, never},
    {"transfer-from-tls = {\"192.0.2.0/24\"}", is_here_by_tls, never, never},
    {"transfer-keys = {\"right\"} transfer-clients = {\"name\"}", has_key_or_name, never, never},
    {"transfer-from = {\"192.0.2.0/24\"} transfer-clients = {\"pin\"}", is_here_or_has_pin, never,
     never},
    {"primaries = {\"plain\"}", never, is_here, never},
    {"primaries = {\"keyed\"}", never, is_here_with_key, never},
    {"primaries = {\"named\"}", never, is_here_with_name, never},
    {"primaries = {\"all\"}", never, is_here_with_all, never},
    {"primaries = {\"far\"} notify-keys = {\"right\"}", never, has_key, never},
    {"primaries = {\"far\"} notify-clients = {\"name\"}", never, has_name, never},
    {"primaries = {\"far\"} notify-clients = {\"pin\"}", never, has_pin, never},
    {"primaries = {\"plain\"} transfer-keys = {\"right\"}", has_key, is_here, never},
    {"update = {\"from\"}", never, never, is_here},
    {"update = {\"keys\"}", never, never, has_key},
    {"update = {\"clients\"}", never, never, has_name},
    {"update = {\"tls\"}", never, never, has_key_and_tls},
    {"update = {\"all\"}", never, never, is_here_with_all},
    {"update = {\"keys\", \"clients\"}", never, never, has_key_or_name},
};

static const char sections[] =
    "authd { listen-tls = {\"127.0.0.1\"} tls-certificate = \"/x\" tls-key = \"/x\"\n"
    "  tls-clients = accept tls-client-ca = \"/x\" }\n"
    "key \"right\" { secret-file = \"/x\" }\n"
    "key \"other\" { secret-file = \"/x\" }\n"
    "client \"name\" { names = {\"x.test\", \"NS2.test\"} }\n"
    "client \"pin\" { pins = {\"AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\",\n"
    "                        \"AgAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\"} }\n"
    "secondary \"plain\" { address = \"192.0.2.1\" }\n"
    "secondary \"keyed\" { address = \"192.0.2.1\" key = \"right\" }\n"
    "secondary \"tls\" { address = \"192.0.2.1\" tls = yes }\n"
    "secondary \"named\" { address = \"192.0.2.1\" client = \"name\" }\n"
    "secondary \"all\" { address = \"192.0.2.1\" client = \"name\" key = \"right\" tls = yes }\n"
    "primary \"plain\" { address = \"192.0.2.1\" }\n"
    "primary \"keyed\" { address = \"192.0.2.1\" key = \"right\" }\n"
    "primary \"named\" { address = \"192.0.2.1\" client = \"name\" }\n"
    "primary \"all\" { address = \"192.0.2.1\" client = \"name\" key = \"right\" }\n"
    "primary \"far\" { address = \"203.0.113.1\" }\n"
    "update-policy \"from\" { from = {\"192.0.2.0/24\"} }\n"
    "update-policy \"keys\" { keys = {\"right\"} }\n"
    "update-policy \"clients\" { clients = {\"name\"} }\n"
    "update-policy \"tls\" { keys = {\"right\"} tls = yes }\n"
    "update-policy \"all\" { keys = {\"right\"} clients = {\"name\"} from = {\"192.0.2.1\"} }\n"
    "zone \"z.test\" { ";

/* As it is seen: what a certificate shows counts only by TLS, and authd sends none without. */
static struct tls_identity identity_of(enum shown shown)
{
    static const char *const names[] = {
        [SHOWN_NAME] = "ns2.TEST", [SHOWN_BARE] = "ns2.test", [SHOWN_STRANGER] = "ns3.test"};
    struct tls_identity id = {.shown = shown != SHOWN_NOTHING};

    id.vouched = shown == SHOWN_NAME || shown == SHOWN_STRANGER;
    id.pin[0] = shown == SHOWN_PIN ? 2 : 9;
    if (shown == SHOWN_NAME || shown == SHOWN_BARE || shown == SHOWN_STRANGER)
        (void)strcpy(id.names[id.name_count++], names[shown]);
    return id;
}

static void check_one(const struct config *c, size_t rule, unsigned demand, const struct client *k)
{
    static const int keys[KEYS] = {[KEY_NONE] = -1, [KEY_RIGHT] = 0, [KEY_OTHER] = 1};
    const struct config_zone *z = section_of(c, "z.test");
    struct tls_identity id = identity_of(k->shown);
    struct access_client who = {
        .transport = k->transport, .key = keys[k->key], .identity = id.shown ? &id : NULL};
    bool met = demand == 0 || (demand == 1 ? is_tls(k) : is_trusted(k));
    bool want[] = {[ACCESS_TRANSFER] = rules[rule].transfer(k) && met,
                   [ACCESS_NOTIFY] = rules[rule].notify(k),
                   [ACCESS_UPDATE] = rules[rule].update(k)};

    assert_int_equal(
        addr_from_text(&who.source, k->here ? "192.0.2.1" : "198.51.100.1", 4711, NULL), OK);
    for (unsigned right = ACCESS_TRANSFER; right <= ACCESS_UPDATE; right++) {
        struct errinfo e = {{0}};
        enum err rc = access_may(c, z, (enum access_right)right, &who, NULL, &e);

        if (rc != (want[right] ? OK : ERR_DENIED) || (rc && !e.text[0]))
            fail_msg("%s, demand %u, right %u, transport %u, key %u, shown %u, here %d: %d %s",
                     rules[rule].items, demand, right, (unsigned)k->transport, (unsigned)k->key,
                     (unsigned)k->shown, k->here, (int)rc, e.text);
        assert_int_equal(access_may(c, NULL, (enum access_right)right, &who, NULL, &e), ERR_DENIED);
    }
}

static void check_rule(const struct config *c, size_t rule, unsigned demand)
{
    for (unsigned n = 0; n < 3 * KEYS * SHOWNS * 2; n++) {
        struct client k = {.here = n % 2,
                           .transport = (enum ho_transport)(HO_UDP + n / 2 % 3),
                           .key = (enum key)(n / 6 % KEYS),
                           .shown = (enum shown)(n / 6 / KEYS)};

        check_one(c, rule, demand, &k);
    }
}

static void test_matrix(void **state)
{
    static const char *const demands[] = {"no", "yes", "certificate"};

    (void)state;
    for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
        for (unsigned demand = 0; demand < 3; demand++) {
            char file[4096];
            struct config *c;

            (void)snprintf(file, sizeof(file), "%s %s transfer-tls = %s }\n", sections,
                           rules[i].items, demands[demand]);
            c = text_config(file);
            check_rule(c, i, demand);
            config_unref(c);
        }
    }
}

/* Which primary it is, of several at one address. */
static void test_primary(void **state)
{
    char file[4096];
    struct access_client who = {.transport = HO_UDP, .key = 0};
    struct config *c;
    int primary = 7;

    (void)state;
    (void)snprintf(file, sizeof(file),
                   "%s primaries = {\"far\", \"named\", \"keyed\"} notify-keys = {\"other\"} }\n",
                   sections);
    c = text_config(file);
    assert_int_equal(addr_from_text(&who.source, "192.0.2.1", 53, NULL), OK);
    assert_int_equal(access_may(c, section_of(c, "z.test"), ACCESS_NOTIFY, &who, &primary, NULL),
                     OK);
    assert_int_equal(primary, 2);
    assert_int_equal(addr_from_text(&who.source, "198.51.100.1", 53, NULL), OK);
    who.key = 1;
    assert_int_equal(access_may(c, section_of(c, "z.test"), ACCESS_NOTIFY, &who, &primary, NULL),
                     OK);
    assert_int_equal(primary, -1);
    config_unref(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_transfer),
        cmocka_unit_test(test_update),
        cmocka_unit_test(test_matrix),
        cmocka_unit_test(test_primary),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
