/* Backwards over a chain of denial: the same as a walk over all nodes gives, in zones of one page
 * and of many chunks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/lib/zone/zone_util.h"

#define SOA "@ 300 SOA ns host 7 1 2 3 4\n"
#define SOA2 "@ 300 SOA ns host 8 1 2 3 4\n"
#define NAMES 16000
#define FILLER                                                                                     \
    "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"

/* The owners of one type in order, found the plain way. */
struct owners {
    uint8_t (*names)[NAME_MAX_OCTETS];
    size_t n;
};

static struct owners owners_of(const struct zone *z, uint16_t type)
{
    struct owners o = {.names = calloc(NAMES + 1, sizeof(*o.names))};
    struct zone_iter it;
    struct node node;
    struct rrset s;

    assert_non_null(o.names);
    zone_iter_init(&it, z);
    while (zone_next(&it, &node)) {
        if (node_rrset(&node, type, &s))
            (void)node_owner(o.names[o.n++], &node, zone_apex(z));
    }
    return o;
}

/* Walks back from `name` and compares the first `most` owners. */
static void check_from(const struct zone *z, const struct owners *o, uint16_t type,
                       const uint8_t *name, size_t most)
{
    struct zone_back it;
    struct node node;
    size_t i = o->n;

    while (name && i > 0 && name_cmp(o->names[i - 1], name) > 0)
        i--;
    zone_back_init(&it, z, type, name);
    for (; i > 0 && most > 0; most--) {
        uint8_t owner[NAME_MAX_OCTETS];

        assert_true(zone_back_next(&it, &node));
        (void)node_owner(owner, &node, zone_apex(z));
        assert_true(name_eq(owner, o->names[--i]));
    }
    if (i == 0 && most > 0)
        assert_false(zone_back_next(&it, &node));
}

static void check_zone(const struct zone *z, uint16_t type)
{
    static const char *const names[] = {
        "example.org",        "a.example.org",      "a.example.com",      "z.example.zz",
        "n.example.org",      "n00255.example.org", "n04000.example.org", "x.n08001.example.org",
        "n15999.example.org", "zz.example.org"};
    struct owners o = owners_of(z, type);

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        uint8_t name[NAME_MAX_OCTETS];

        assert_int_equal(name_from_text(name, names[i], strlen(names[i]), NULL, NULL), OK);
        check_from(z, &o, type, name, 100);
    }
    check_from(z, &o, type, NULL, o.n + 1);
    free(o.names);
}

static void test_small(void **state)
{
    static const char *const texts[] = {
        "", SOA, SOA "@ 1 NSEC b A\na 1 A 192.0.2.1\nb 1 NSEC @ A\nc 1 A 192.0.2.1\n",
        SOA "n 1 NSEC3 1 0 0 - 2T7B4G4VSA5SMI47K61MV5BV1A22BOJR A\n"};

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct zone *z = zone_of(texts[i], EXAMPLE);

        check_zone(z, RR_NSEC);
        check_zone(z, RR_NSEC3);
        zone_unref(z);
    }
}

/* A zone of several chunks of pages, where name i owns an NSEC if `every` divides it. */
static struct zone *large_zone(unsigned every)
{
    struct buf b = BUF_INIT;
    struct zone *z;

    buf_str(&b, SOA);
    for (unsigned i = 0; i < NAMES; i++) {
        buf_printf(&b, "n%05u 1 TXT " FILLER "\n", i);
        if (every > 0 && i % every == 1 % every)
            buf_printf(&b, "n%05u 1 NSEC n%05u A\n", i, i + 1);
    }
    z = zone_of(buf_cstr(&b), EXAMPLE);
    buf_free(&b);
    assert_true(zone_page_count(z) > 300);
    return z;
}

static void test_large(void **state)
{
    static const unsigned every[] = {1, 7, 1000, 7000, 0};

    (void)state;
    for (size_t i = 0; i < sizeof(every) / sizeof(every[0]); i++) {
        struct zone *z = large_zone(every[i]);

        check_zone(z, RR_NSEC);
        check_zone(z, RR_NSEC3);
        zone_unref(z);
    }
}

/* Pages that a change makes know what they hold, as those from the store do. */
static void test_changed(void **state)
{
    struct zone *z = large_zone(7000);
    struct changeset *cs =
        changes_of("-" SOA "+" SOA2 "+n04000 1 NSEC n04001 A\n-n07001 1 NSEC n07002 A\n", EXAMPLE);
    struct zone *next = NULL;
    struct errinfo e = {{0}};

    (void)state;
    assert_ok(zone_apply(&next, z, cs, NULL, &e));
    check_zone(next, RR_NSEC);
    zone_unref(next);
    changeset_free(cs);
    zone_unref(z);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_small),
        cmocka_unit_test(test_large),
        cmocka_unit_test(test_changed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
