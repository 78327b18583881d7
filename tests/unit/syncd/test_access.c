/* Who may transfer: every kind of rule against every kind of client. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "syncd/access.h"

static const char text[] =
    "key \"one\" { secret-file = \"/x\" }\n"
    "key \"two\" { secret-file = \"/x\" }\n"
    "key \"three\" { secret-file = \"/x\" }\n"
    "secondary \"plain\" { address = \"192.0.2.1\" }\n"
    "secondary \"keyed\" { address = \"192.0.2.2@5353\" key = \"one\" }\n"
    "secondary \"six\" { address = \"2001:db8::1\" key = \"two\" }\n"
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
    {"ALL.Test", "192.0.2.1@40000", ONE, NULL}, /* signed where it need not be */
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

static struct config *config_of(const char *words)
{
    char path[] = "/tmp/test_access.XXXXXX";
    struct config *c = NULL;
    struct errinfo e;
    int fd = mkstemp(path);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, words, strlen(words)), strlen(words));
    (void)close(fd);
    if (config_load(&c, path, &e) != OK)
        fail_msg("%s", e.text);
    (void)unlink(path);
    return c;
}

static void test_transfer(void **state)
{
    struct config *c = config_of(text);
    struct access *a = access_new(c);

    (void)state;
    config_unref(c);
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        struct access_client who = {.key = table[i].key};
        uint8_t zone[NAME_MAX_OCTETS];
        struct errinfo e = {0};
        enum err rc;

        assert_int_equal(addr_from_text(&who.source, table[i].source, 1, NULL), OK);
        assert_int_equal(name_from_text(zone, table[i].zone, strlen(table[i].zone), NULL, NULL),
                         OK);
        rc = access_transfer(a, zone, &who, &e);
        if (rc != (table[i].why ? ERR_DENIED : OK) ||
            (table[i].why && !strstr(e.text, table[i].why)))
            fail_msg("%s from %s, key %d: %d %s", table[i].zone, table[i].source, table[i].key,
                     (int)rc, e.text);
    }
    access_free(a);
}

static void test_sections_are_found(void **state)
{
    struct config *c = config_of(text);
    struct access *a = access_new(c);
    static const uint8_t mixed[] = "\5MIXED\4test";
    static const uint8_t root[] = "";

    (void)state;
    assert_ptr_equal(access_zone(a, mixed), &c->zones[3]);
    assert_null(access_zone(a, root));
    access_free(a);
    config_unref(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_transfer),
        cmocka_unit_test(test_sections_are_found),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
