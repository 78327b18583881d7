/* What is kept for the next increment, and what goes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "syncd/zone_cache.h"
#include "tests/tools/store_fixture.h"

static struct zone *zone_named(const char *text, uint32_t records)
{
    uint8_t name[NAME_MAX_OCTETS];

    assert_int_equal(name_from_text(name, text, strlen(text), NULL, NULL), OK);
    return plain_zone(name, 1, records, 1);
}

static bool has(struct zone_cache *c, const struct zone *z, uint64_t seq)
{
    struct zone *found = zone_cache_get(c, zone_apex(z), seq);

    if (found)
        assert_ptr_equal(found, z);
    zone_unref(found);
    return found != NULL;
}

static void test_one_version_a_zone(void **state)
{
    struct zone_cache *c = zone_cache_new(1 << 20);
    struct zone *a = zone_named("a.example.", 10), *next = zone_named("A.example.", 11);
    struct zone *b = zone_named("b.example.", 10);

    (void)state;
    assert_false(has(c, a, 1));
    zone_cache_put(c, a, 1);
    assert_true(has(c, a, 1));
    assert_false(has(c, a, 2)); /* somebody else has changed it */
    assert_false(has(c, b, 1));
    zone_cache_put(c, b, 2);
    zone_cache_put(c, next, 3);
    assert_false(has(c, a, 1));
    assert_true(has(c, next, 3));
    assert_true(has(c, b, 2));
    zone_cache_free(c);
    zone_cache_free(NULL);
    zone_unref(a); /* they were only borrowed */
    zone_unref(next);
    zone_unref(b);
}

/* Room for four of them: who has not been used goes. */
static void test_octets(void **state)
{
    struct zone *z[6];
    struct zone_cache *c;
    static const char *const names[] = {"a.", "b.", "c.", "d.", "e.", "f."};

    (void)state;
    for (unsigned i = 0; i < 6; i++)
        z[i] = zone_named(names[i], 50);
    c = zone_cache_new(zone_bytes(z[0]) * 4);
    for (unsigned i = 0; i < 4; i++)
        zone_cache_put(c, z[i], i);
    assert_true(has(c, z[0], 0));
    zone_cache_put(c, z[4], 4);
    assert_false(has(c, z[1], 1));
    assert_true(has(c, z[0], 0));
    zone_cache_put(c, z[5], 5);
    assert_false(has(c, z[2], 2));
    for (unsigned i = 0; i < 6; i++)
        assert_int_equal(has(c, z[i], i), i != 1 && i != 2);
    zone_cache_free(c);
    c = zone_cache_new(zone_bytes(z[0]) * 2 - 1); /* too large to be worth it */
    zone_cache_put(c, z[0], 0);
    assert_false(has(c, z[0], 0));
    zone_cache_free(c);
    c = zone_cache_new(0);
    zone_cache_put(c, z[0], 0);
    assert_false(has(c, z[0], 0));
    zone_cache_free(c);
    for (unsigned i = 0; i < 6; i++)
        zone_unref(z[i]);
}

static void test_places(void **state)
{
    struct zone_cache *c = zone_cache_new(1 << 30);
    struct zone *z[100];

    (void)state;
    for (unsigned i = 0; i < 100; i++) {
        char text[16];

        (void)snprintf(text, sizeof(text), "z%u.", i);
        z[i] = zone_named(text, 2);
        zone_cache_put(c, z[i], i);
        assert_true(has(c, z[0], 0));
    }
    assert_false(has(c, z[1], 1));
    assert_true(has(c, z[99], 99));
    zone_cache_free(c);
    for (unsigned i = 0; i < 100; i++)
        zone_unref(z[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_version_a_zone),
        cmocka_unit_test(test_octets),
        cmocka_unit_test(test_places),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
