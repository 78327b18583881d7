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
#include "lib/zone/changeset.h"
#include "lib/zone/zone_look.h"
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

static const struct served_zone *zone_above(const struct zonedb *db, const uint8_t *name)
{
    struct name_steps steps;

    name_steps_init(&steps, zonedb_key(db), name);
    return zonedb_find(db, &steps, 0);
}

/* The apex of the zone found, as text; "-" if there is none. */
static const char *find(const struct zonedb *db, const char *name_text)
{
    static char text[NAME_TEXT_MAX];
    uint8_t name[NAME_MAX_OCTETS];
    const struct served_zone *z = zone_above(db, name_of(name, name_text));

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
        z = name_from_text(name, text, strlen(text), NULL, NULL) == OK ? zone_above(db, name)
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

/* ---- Readers of one large zone, beside its changes ---- */

#define HOSTS 3000u
#define VERSIONS 200u

static void host_name(uint8_t out[NAME_MAX_OCTETS], const char *kind, uint32_t n)
{
    char text[48];

    (void)snprintf(text, sizeof(text), "%s%u.big.", kind, (unsigned)n);
    (void)name_of(out, text);
}

static bool is_there(const struct zonedb *db, const struct served_zone *z, const char *kind,
                     uint32_t n)
{
    uint8_t name[NAME_MAX_OCTETS];
    struct name_steps steps;
    struct zone_path path;
    struct node node;

    host_name(name, kind, n);
    name_steps_init(&steps, zonedb_key(db), name);
    return zone_path_init(&path, z->zone, &steps) && zone_look(&path, 0, &node) == ZONE_HAS_NODE;
}

/* Version v has the hosts and, of the others, v alone. */
static void *read_versions(void *ctx)
{
    const struct zonedb *db = ctx;
    uint8_t apex[NAME_MAX_OCTETS];

    grace_register();
    (void)name_of(apex, "big.");
    for (uint32_t i = 0; !atomic_load(&done); i = (i + 1) % HOSTS) {
        const struct served_zone *z;
        uint32_t v;

        grace_enter();
        z = zonedb_get(db, apex);
        v = zone_serial(z->zone).v;
        if (is_there(db, z, "host", i) && is_there(db, z, "v", v) && !is_there(db, z, "v", v - 1) &&
            !is_there(db, z, "v", v + 1)) {
            (void)atomic_fetch_add(&hits, 1);
        } else {
            (void)fprintf(stderr, "version %u: wrong or missing\n", (unsigned)v);
            atomic_store(&done, true);
        }
        grace_leave();
    }
    grace_unregister();
    return NULL;
}

static struct rr address_rr(const uint8_t *owner)
{
    return (struct rr){.owner = owner,
                       .type = RR_A,
                       .rclass = CLASS_IN,
                       .ttl = 60,
                       .rdata = (const uint8_t *)"\300\0\2\1",
                       .rdata_len = 4};
}

static struct zone *first_version(void)
{
    uint8_t name[NAME_MAX_OCTETS];
    struct errinfo e = {{0}};
    struct zone *base = plain_zone(name_of(name, "big."), 1, 2, 1), *z = NULL;
    struct zone_builder *b = zone_builder_new(name, NULL);
    struct zone_rr_iter it;
    struct rr rr;

    zone_rr_iter_init(&it, base);
    while (zone_rr_next(&it, &rr))
        assert_int_equal(zone_builder_add(b, &rr, &e), OK);
    for (uint32_t i = 0; i <= HOSTS; i++) {
        host_name(name, i < HOSTS ? "host" : "v", i < HOSTS ? i : 1);
        rr = address_rr(name);
        assert_int_equal(zone_builder_add(b, &rr, &e), OK);
    }
    assert_int_equal(zone_builder_finish(&z, b, NULL, &e), OK);
    zone_builder_free(b);
    zone_unref(base);
    return z;
}

static struct zone *next_version(const struct zone *z)
{
    struct changeset *cs = changeset_new(zone_apex(z));
    struct errinfo e = {{0}};
    uint8_t name[NAME_MAX_OCTETS], rdata[600];
    struct zone *next = NULL;
    struct soa soa;
    struct rr rr;

    assert_true(zone_soa(z, &rr, &soa));
    assert_int_equal(changeset_remove(cs, &rr, &e), OK);
    memcpy(rdata, rr.rdata, rr.rdata_len);
    put_u32(rdata + rr.rdata_len - 20, soa.serial.v + 1);
    rr.rdata = rdata;
    assert_int_equal(changeset_add(cs, &rr, &e), OK);
    host_name(name, "v", soa.serial.v);
    rr = address_rr(name);
    assert_int_equal(changeset_remove(cs, &rr, &e), OK);
    host_name(name, "v", soa.serial.v + 1);
    assert_int_equal(changeset_add(cs, &rr, &e), OK);
    changeset_finish(cs);
    assert_int_equal(zone_apply(&next, z, cs, NULL, &e), OK);
    changeset_free(cs);
    return next;
}

static void test_threads_in_a_large_zone(void **state)
{
    struct zonedb *db = zonedb_new(clock_real());
    struct zone *z = first_version();
    pthread_t readers[READERS];
    bool early;

    (void)state;
    atomic_store(&done, false);
    atomic_store(&hits, 0);
    zonedb_put(db, z, 1, 1, false);
    for (size_t i = 0; i < READERS; i++)
        assert_int_equal(pthread_create(&readers[i], NULL, read_versions, db), 0);
    while (atomic_load(&hits) < 100 && !atomic_load(&done))
        (void)sched_yield();
    for (uint32_t v = 2; v < VERSIONS && !atomic_load(&done); v++) {
        z = next_version(z);
        zonedb_put(db, z, v, v, false);
        if (v % 3 == 0)
            zonedb_reclaim(db);
    }
    early = atomic_exchange(&done, true);
    for (size_t i = 0; i < READERS; i++)
        (void)pthread_join(readers[i], NULL);
    assert_false(early);
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

/* Only what knows the zone's row says that it is private, or not any more. */
static void test_private(void **state)
{
    struct zonedb *db = zonedb_new(clock_real());
    uint8_t name[NAME_MAX_OCTETS];

    (void)state;
    put(db, "example.", 1);
    (void)name_of(name, "example.");
    assert_false(zonedb_get(db, name)->private);
    zonedb_put_as(db, plain_zone(name, 2, 2, 2), 2, 2, false, true);
    put(db, "example.", 3);
    assert_true(zonedb_get(db, name)->private);
    zonedb_put_as(db, plain_zone(name, 4, 2, 4), 4, 4, false, false);
    assert_false(zonedb_get(db, name)->private);
    zonedb_free(db);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_deepest),  cmocka_unit_test(test_grows),
        cmocka_unit_test(test_deadline), cmocka_unit_test(test_private),
        cmocka_unit_test(test_threads),  cmocka_unit_test(test_threads_in_a_large_zone),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
