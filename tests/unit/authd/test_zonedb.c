/* Look-ups by one thread, and by several while the writer replaces, adds and removes zones. To be
 * run under ThreadSanitizer and AddressSanitizer as well. */
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "authd/grace.h"
#include "tests/tools/answer_fixture.h"
#include "tests/tools/store_fixture.h"

static const uint8_t *name_of(uint8_t out[NAME_MAX_OCTETS], const char *text)
{
    assert_int_equal(name_from_text(out, text, strlen(text), NULL, NULL), OK);
    return out;
}

static void put(struct zonedb *db, const char *apex, uint32_t serial)
{
    uint8_t name[NAME_MAX_OCTETS];

    zonedb_put(db, plain_zone(name_of(name, apex), serial, 2, serial), serial, serial, false);
}

/* The apex of the zone found, as text; "-" if there is none. */
static const char *find(const struct zonedb *db, const char *name_text)
{
    static char text[NAME_TEXT_MAX];
    uint8_t name[NAME_MAX_OCTETS];
    const struct served_zone *z = zonedb_find(db, name_of(name, name_text));

    if (!z)
        return "-";
    (void)name_to_text(text, zone_apex(z->zone));
    return text;
}

static void test_deepest(void **state)
{
    struct zonedb *db = zonedb_new(clock_real());
    uint8_t name[NAME_MAX_OCTETS];

    (void)state;
    assert_string_equal(find(db, "www.example."), "-");
    put(db, "example.", 1);
    put(db, "a.b.c.example.", 1);
    assert_string_equal(find(db, "example."), "example.");
    assert_string_equal(find(db, "WWW.EXAMPLE."), "example.");
    assert_string_equal(find(db, "b.c.example."), "example.");
    assert_string_equal(find(db, "x.A.b.c.example."), "a.b.c.example.");
    assert_string_equal(find(db, "anexample."), "-");
    assert_string_equal(find(db, "."), "-");
    put(db, ".", 1);
    assert_string_equal(find(db, "."), ".");
    assert_string_equal(find(db, "other."), ".");
    assert_null(zonedb_get(db, name_of(name, "b.c.example.")));
    assert_true(zonedb_remove(db, name_of(name, "A.b.c.example.")));
    assert_false(zonedb_remove(db, name));
    assert_string_equal(find(db, "x.a.b.c.example."), "example.");
    assert_true(zonedb_remove(db, name_of(name, "example.")));
    assert_true(zonedb_remove(db, name_of(name, ".")));
    assert_string_equal(find(db, "example."), "-");
    assert_int_equal(zonedb_count(db), 0);
    zonedb_free(db);
}

static void text_of(char out[32], unsigned i)
{
    (void)snprintf(out, 32, "z%u.%s", i, i % 3 ? "example." : "deep.er.example.");
}

static void count_zone(void *ctx, const struct served_zone *z)
{
    (void)z;
    ++*(unsigned *)ctx;
}

/* Through several sizes of the table, and with many removed ones in it. */
static void test_grows(void **state)
{
    struct zonedb *db = zonedb_new(clock_real());
    uint8_t name[NAME_MAX_OCTETS];
    char text[32];
    unsigned n = 0;

    (void)state;
    for (unsigned round = 0; round < 3; round++) {
        for (unsigned i = 0; i < 1000; i++) {
            text_of(text, i);
            put(db, text, i + 1);
        }
        for (unsigned i = 0; i < 1000; i++) {
            text_of(text, i);
            assert_string_equal(find(db, text), text);
            if (i % 2) {
                assert_true(zonedb_remove(db, name_of(name, text)));
                assert_string_equal(find(db, text), "-");
            }
        }
        assert_int_equal(zonedb_count(db), 500);
        zonedb_reclaim(db);
    }
    zonedb_each(db, count_zone, &n);
    assert_int_equal(n, 500);
    zonedb_free(db);
}

/* ---- Readers beside the writer ---- */

#define ZONES 40u
#define ROUNDS 60u
#define READERS 3

static atomic_bool done;
static atomic_uint hits;

/* Zone i is always there if i is even; its serial and its content are of one version. */
static void *read_zones(void *ctx)
{
    const struct zonedb *db = ctx;
    uint8_t name[NAME_MAX_OCTETS];
    char text[32];

    grace_register();
    for (unsigned i = 0; !atomic_load(&done); i = (i + 1) % ZONES) {
        const struct served_zone *z;
        struct rr rr;
        struct soa soa;

        text_of(text, i);
        grace_enter();
        z = name_from_text(name, text, strlen(text), NULL, NULL) == OK ? zonedb_find(db, name)
                                                                       : NULL;
        if (z && zone_soa(z->zone, &rr, &soa) && soa.serial.v == z->version &&
            name_eq(zone_apex(z->zone), name)) {
            (void)atomic_fetch_add(&hits, 1);
        } else if (z || i % 2 == 0) {
            (void)fprintf(stderr, "zone %s: wrong or missing\n", text);
            atomic_store(&done, true);
        }
        grace_leave();
    }
    grace_unregister();
    return NULL;
}

static void write_zones(struct zonedb *db)
{
    uint8_t name[NAME_MAX_OCTETS];
    char text[32];

    for (unsigned round = 2; round < ROUNDS && !atomic_load(&done); round++) {
        for (unsigned i = 0; i < ZONES; i++) {
            text_of(text, i);
            if (i % 2 && round % 2)
                (void)zonedb_remove(db, name_of(name, text));
            else
                put(db, text, round);
        }
        for (unsigned i = 0; i < 20; i++) { /* makes new tables */
            (void)snprintf(text, sizeof(text), "x%u.%u.", i, round);
            put(db, text, round);
        }
        zonedb_reclaim(db);
    }
}

static void test_threads(void **state)
{
    struct zonedb *db = zonedb_new(clock_real());
    pthread_t readers[READERS];
    bool early;

    (void)state;
    for (unsigned i = 0; i < ZONES; i++) {
        char text[32];

        text_of(text, i);
        put(db, text, 1);
    }
    for (size_t i = 0; i < READERS; i++)
        assert_int_equal(pthread_create(&readers[i], NULL, read_zones, db), 0);
    while (atomic_load(&hits) < 100 && !atomic_load(&done))
        (void)sched_yield();
    write_zones(db);
    early = atomic_exchange(&done, true);
    for (size_t i = 0; i < READERS; i++)
        (void)pthread_join(readers[i], NULL);
    assert_false(early);
    assert_true(atomic_load(&hits) >= 100);
    zonedb_free(db);
}

static void test_deadline(void **state)
{
    struct zonedb *db = zonedb_new(clock_real());
    const struct mono now = {.ms = 5000000};
    uint8_t name[NAME_MAX_OCTETS];
    uint32_t left = 77;

    (void)state;
    name_of(name, "example.");
    assert_false(zonedb_set_deadline(db, name, (struct wall){1}, 1, 1));
    assert_false(zonedb_set_lapsed(db, name, true));
    put(db, "example.", 1);
    assert_false(served_expires_in(&left, zonedb_get(db, name), now));
    assert_int_equal(left, 77);
    assert_true(zonedb_set_deadline(db, name, (struct wall){1000}, 2, now.ms + 59999));
    put(db, "example.", 2); /* the next version has no deadline of its own */
    assert_int_equal(zonedb_get(db, name)->expires_at.s, 1000);
    assert_true(served_expires_in(&left, zonedb_get(db, name), now));
    assert_int_equal(left, 59);
    assert_true(served_expires_in(&left, zonedb_get(db, name), mono_add_ms(now, 60000)));
    assert_int_equal(left, 0);
    assert_true(zonedb_set_deadline(db, name, (struct wall){0}, 3, INT64_MAX - 1));
    assert_true(served_expires_in(&left, zonedb_get(db, name), now));
    assert_int_equal(left, UINT32_MAX);
    assert_true(zonedb_set_lapsed(db, name, true));
    put(db, "example.", 3); /* ... nor does it renew the old one */
    assert_true(zonedb_get(db, name)->expired);
    assert_true(served_expires_in(&left, zonedb_get(db, name), now));
    assert_int_equal(left, 0);
    assert_true(zonedb_set_lapsed(db, name, false));
    assert_false(zonedb_get(db, name)->expired);
    zonedb_put(db, plain_zone(name, 4, 2, 4), 4, 4, true);
    assert_true(zonedb_set_lapsed(db, name, true));
    assert_true(zonedb_set_lapsed(db, name, false));
    assert_true(zonedb_get(db, name)->expired); /* the store says so */
    zonedb_free(db);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_deepest),
        cmocka_unit_test(test_grows),
        cmocka_unit_test(test_deadline),
        cmocka_unit_test(test_threads),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
