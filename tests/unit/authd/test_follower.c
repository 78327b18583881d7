/* From the store into the zones served: at start, change by change, and when things go wrong. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <sqlite3.h>

#include "authd/follower.h"
#include "lib/base/log.h"
#include "tests/tools/store_fixture.h"

static const uint8_t apex_a[] = "\1a\7example";
static const uint8_t apex_b[] = "\1b\7example";

struct world {
    char dir[64];
    struct store *writer;
    struct zonedb *db;
    struct follower *f;
    int64_t now_ms;
    struct clock clock;
};

static struct mono fake_mono(void *ctx)
{
    return (struct mono){((struct world *)ctx)->now_ms};
}

static struct wall fake_wall(void *ctx)
{
    return (struct wall){1700000000 + ((struct world *)ctx)->now_ms / 1000};
}

static void fake_random(void *ctx, void *out, size_t n)
{
    (void)ctx;
    memset(out, 7, n);
}

static int setup(void **state)
{
    struct world *w = calloc(1, sizeof(*w));

    (void)snprintf(w->dir, sizeof(w->dir), "/tmp/zl-follower.XXXXXX");
    assert_non_null(mkdtemp(w->dir));
    w->clock =
        (struct clock){.mono = fake_mono, .wall = fake_wall, .random = fake_random, .ctx = w};
    w->db = zonedb_new(&w->clock);
    w->f = follower_new(w->db, w->dir, &w->clock);
    *state = w;
    return 0;
}

static void remove_file(const struct world *w, const char *name)
{
    char path[128];

    (void)snprintf(path, sizeof(path), "%s/%s", w->dir, name);
    (void)unlink(path);
}

static void remove_store(const struct world *w)
{
    remove_file(w, "zoneledger.db");
    remove_file(w, "zoneledger.db-wal");
    remove_file(w, "zoneledger.db-shm");
}

static int teardown(void **state)
{
    struct world *w = *state;

    follower_free(w->f);
    zonedb_free(w->db);
    store_close(w->writer);
    remove_store(w);
    remove_file(w, "lock");
    (void)rmdir(w->dir);
    free(w);
    return 0;
}

/* Steps until there is nothing to do at once. */
static void settle(struct world *w)
{
    w->now_ms += 1000;
    for (int i = 0; follower_step(w->f, 100); i++)
        assert_true(i < 100);
}

static void check_served(const struct world *w, const uint8_t *apex, const struct zone *want)
{
    const struct served_zone *z = zonedb_get(w->db, apex);
    struct ho_frame tell;
    uint8_t sha[32];

    assert_non_null(z);
    assert_true(same_content(z->zone, want));
    follower_tell(w->f, apex, &tell);
    zone_sha256(sha, want);
    assert_int_equal(tell.type, HO_TELL);
    assert_int_equal(tell.state, z->expired ? HO_EXPIRED : HO_SERVED);
    assert_memory_equal(tell.sha256, sha, sizeof(sha));
    assert_int_equal(tell.serial.v, zone_serial(want).v);
    assert_int_equal(tell.records, zone_records(want));
    assert_int_equal(tell.version, z->version);
}

static void check_absent(const struct world *w, const uint8_t *apex)
{
    struct ho_frame tell;

    assert_null(zonedb_get(w->db, apex));
    follower_tell(w->f, apex, &tell);
    assert_int_equal(tell.state, HO_ABSENT);
}

static void put_served(struct world *w, struct store_zone *z)
{
    struct errinfo e = {0};
    uint64_t seq = 0;

    assert_int_equal(store_begin(w->writer, &e), OK);
    assert_int_equal(store_zone_put_served(w->writer, z, (struct wall){1}, &seq, &e), OK);
    assert_int_equal(store_commit(w->writer, &e), OK);
}

/* Commits a version of apex_a with these hosts and gives the zone; `before` is dropped. */
static struct zone *next_version(struct world *w, struct store_zone *row, struct zone *before,
                                 uint32_t serial, uint32_t value)
{
    struct zone *z = plain_zone_but(row->name, serial, 300, 7, value);

    (void)must_commit(w->writer, row, before, z, serial);
    zone_unref(before);
    return z;
}

static void test_waits_for_the_store(void **state)
{
    struct world *w = *state;
    struct store_zone row = plain_row(apex_a);
    struct zone *z;

    settle(w);
    check_absent(w, apex_a);
    w->writer = must_open_writer(w->dir);
    settle(w);
    check_absent(w, apex_a);
    z = next_version(w, &row, NULL, 1, 1);
    settle(w);
    check_served(w, apex_a, z);
    zone_unref(z);
}

/* Its change set is not read: the content is. */
static void test_big_change(void **state)
{
    struct world *w = *state;
    struct store_zone row = plain_row(apex_a);
    struct zone *small, *big;

    w->writer = must_open_writer(w->dir);
    small = next_version(w, &row, NULL, 1, 1);
    settle(w);
    big = plain_zone(apex_a, 2, 11000, 2);
    (void)must_commit(w->writer, &row, small, big, 2);
    settle(w);
    check_served(w, apex_a, big);
    zone_unref(small);
    zone_unref(big);
}

static void test_start_and_deltas(void **state)
{
    struct world *w = *state;
    struct store_zone a = plain_row(apex_a), b = plain_row(apex_b);
    struct zone *za, *zb;

    w->writer = must_open_writer(w->dir);
    za = next_version(w, &a, NULL, 1, 1);
    za = next_version(w, &a, za, 2, 2);
    settle(w);
    check_served(w, apex_a, za);
    za = next_version(w, &a, za, 3, 3);
    zb = next_version(w, &b, NULL, 10, 1);
    za = next_version(w, &a, za, 4, 4);
    zb = next_version(w, &b, zb, 11, 2);
    settle(w);
    check_served(w, apex_a, za);
    check_served(w, apex_b, zb);
    assert_int_equal(follower_seq(w->f), 6);
    zone_unref(za);
    zone_unref(zb);
}

/* A delta shares the pages that did not change: it was applied, not read from the store. */
static void test_delta_is_applied(void **state)
{
    struct world *w = *state;
    struct store_zone a = plain_row(apex_a);
    struct zone *before, *z;

    w->writer = must_open_writer(w->dir);
    z = next_version(w, &a, NULL, 1, 1);
    settle(w);
    before = zone_ref(zonedb_get(w->db, apex_a)->zone);
    z = next_version(w, &a, z, 2, 2);
    settle(w);
    {
        struct node x, y;
        uint8_t last[NAME_MAX_OCTETS] = "\x8h0000299\1a\7example";

        assert_true(zone_find(before, last, &x));
        assert_true(zone_find(zonedb_get(w->db, apex_a)->zone, last, &y));
        assert_ptr_equal(x.page, y.page);
    }
    check_served(w, apex_a, z);
    zone_unref(before);
    zone_unref(z);
}

static void test_states(void **state)
{
    struct world *w = *state;
    struct store_zone a = plain_row(apex_a);
    struct zone *z;

    w->writer = must_open_writer(w->dir);
    z = next_version(w, &a, NULL, 1, 1);
    settle(w);
    a.expired = true;
    put_served(w, &a);
    settle(w);
    check_served(w, apex_a, z);
    assert_true(zonedb_get(w->db, apex_a)->expired);
    z = next_version(w, &a, z, 2, 2); /* a transfer brings it back */
    settle(w);
    check_served(w, apex_a, z);
    assert_false(zonedb_get(w->db, apex_a)->expired);
    a.removed = true;
    put_served(w, &a);
    settle(w);
    check_absent(w, apex_a);
    a.removed = false;
    put_served(w, &a);
    settle(w);
    check_served(w, apex_a, z);
    zone_unref(z);
}

/* State and content change between two looks, in both orders. */
static void test_states_and_deltas_in_one_look(void **state)
{
    struct world *w = *state;
    struct store_zone a = plain_row(apex_a);
    struct zone *z;

    w->writer = must_open_writer(w->dir);
    z = next_version(w, &a, NULL, 1, 1);
    settle(w);
    a.expired = true;
    put_served(w, &a);
    z = next_version(w, &a, z, 2, 2);
    settle(w);
    check_served(w, apex_a, z);
    assert_false(zonedb_get(w->db, apex_a)->expired);
    z = next_version(w, &a, z, 3, 3);
    a.expired = true;
    put_served(w, &a);
    settle(w);
    check_served(w, apex_a, z);
    assert_true(zonedb_get(w->db, apex_a)->expired);
    zone_unref(z);
}

static void put_deadline(struct world *w, struct store_zone *z, int64_t seconds)
{
    struct errinfo e = {0};

    z->last_success = fake_wall(w);
    z->expires_at.s = z->last_success.s + seconds;
    assert_int_equal(store_begin(w->writer, &e), OK);
    assert_int_equal(store_zone_put_state(w->writer, z, &e), OK);
    assert_int_equal(store_commit(w->writer, &e), OK);
}

static uint32_t expires_in(const struct world *w, const uint8_t *apex)
{
    uint32_t left = UINT32_MAX;

    (void)served_expires_in(&left, zonedb_get(w->db, apex), clock_mono(&w->clock));
    return left;
}

/* Refreshes move the deadlines, without a change of the log; nobody does when syncd is away. */
static void test_deadlines(void **state)
{
    struct world *w = *state;
    struct store_zone a = plain_row(apex_a), b = plain_row(apex_b);
    struct zone *za, *zb;

    a.kind = b.kind = ZONE_SECONDARY;
    w->writer = must_open_writer(w->dir);
    za = next_version(w, &a, NULL, 1, 1);
    put_deadline(w, &a, 100);
    settle(w);
    assert_int_equal(expires_in(w, apex_a), 99); /* at start, with all else */
    zb = next_version(w, &b, NULL, 1, 1);
    settle(w);
    assert_int_equal(expires_in(w, apex_b), UINT32_MAX);
    put_deadline(w, &b, 50);
    put_deadline(w, &a, 70);
    settle(w);
    assert_int_equal(expires_in(w, apex_a), 69);
    assert_int_equal(expires_in(w, apex_b), 49);
    za = next_version(w, &a, za, 2, 2);
    a.held = true;
    a.held_version = a.version;
    put_served(w, &a);
    settle(w);
    assert_int_equal(expires_in(w, apex_a), UINT32_MAX);
    assert_int_equal(expires_in(w, apex_b), 48);

    w->now_ms += 47000;
    settle(w);
    assert_true(zonedb_get(w->db, apex_b)->expired);
    assert_false(zonedb_get(w->db, apex_a)->expired);
    follower_syncd(w->f, true);
    zb = next_version(w, &b, zb, 2, 2);
    put_deadline(w, &b, 50);
    settle(w);
    check_served(w, apex_b, zb);
    assert_false(zonedb_get(w->db, apex_b)->expired);
    follower_syncd(w->f, false);
    store_close(w->writer); /* all is away: the end comes none the less */
    w->writer = NULL;
    remove_store(w);
    w->now_ms += 49000;
    settle(w);
    assert_true(zonedb_get(w->db, apex_b)->expired);
    assert_false(zonedb_get(w->db, apex_a)->expired);
    zone_unref(za);
    zone_unref(zb);
}

static void test_waiting_is_not_served(void **state)
{
    struct world *w = *state;
    struct store_zone a = plain_row(apex_a);
    struct zone *z, *newer;

    w->writer = must_open_writer(w->dir);
    z = next_version(w, &a, NULL, 1, 1);
    settle(w);
    a.held = true;
    a.held_version = a.version;
    put_served(w, &a);
    newer = plain_zone_but(apex_a, 2, 300, 7, 2);
    (void)must_commit_waiting(w->writer, &a, z, newer, 2);
    settle(w);
    check_served(w, apex_a, z);
    a.held = false; /* the release: one change from the held content to the newest */
    (void)must_commit(w->writer, &a, z, newer, 3);
    settle(w);
    check_served(w, apex_a, newer);
    zone_unref(z);
    zone_unref(newer);
}

/* Everything we had not read yet was pruned. */
static void test_gap(void **state)
{
    struct world *w = *state;
    struct store_zone a = plain_row(apex_a), b = plain_row(apex_b);
    struct zone *za, *zb;
    struct errinfo e = {0};
    uint64_t dropped = 0;

    w->writer = must_open_writer(w->dir);
    za = next_version(w, &a, NULL, 1, 1);
    zb = next_version(w, &b, NULL, 1, 1);
    settle(w);
    za = next_version(w, &a, za, 2, 2);
    za = next_version(w, &a, za, 3, 3);
    b.removed = true;
    put_served(w, &b);
    for (uint64_t seq = 1; seq <= 4; seq++)
        must_journal(w->writer, seq);
    assert_int_equal(store_begin(w->writer, &e), OK);
    assert_int_equal(store_prune(w->writer, 0, &dropped, &e), OK);
    assert_int_equal(store_commit(w->writer, &e), OK);
    assert_true(dropped > 2);
    settle(w);
    check_served(w, apex_a, za);
    check_absent(w, apex_b);
    assert_int_equal(follower_seq(w->f), 5);
    zone_unref(za);
    zone_unref(zb);
}

static void sql(const struct world *w, const char *text)
{
    char path[128];
    sqlite3 *db = NULL;

    (void)snprintf(path, sizeof(path), "%s/zoneledger.db", w->dir);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, text, NULL, NULL, NULL), SQLITE_OK);
    (void)sqlite3_close(db);
}

/* One zone's page is damaged: it keeps its old version, others go on, and it heals by itself. */
static void test_damaged_zone(void **state)
{
    struct world *w = *state;
    struct store_zone a = plain_row(apex_a), b = plain_row(apex_b);
    struct zone *za, *zb, *old;

    w->writer = must_open_writer(w->dir);
    za = next_version(w, &a, NULL, 1, 1);
    zb = next_version(w, &b, NULL, 1, 1);
    settle(w);
    old = zone_ref(za);
    za = next_version(w, &a, za, 2, 2);
    zb = next_version(w, &b, zb, 2, 2);
    /* The change set cannot be read, so zones are read from their pages; nor can those of a. */
    sql(w, "UPDATE change SET sum = sum + 1 WHERE seq = 3;"
           "UPDATE page SET sum = sum + 1 WHERE zone_id = (SELECT min(id) FROM zone);");
    settle(w);
    check_served(w, apex_a, old);
    check_served(w, apex_b, zb);
    zb = next_version(w, &b, zb, 3, 3);
    settle(w);
    check_served(w, apex_a, old);
    check_served(w, apex_b, zb);
    sql(w, "UPDATE page SET sum = sum - 1 WHERE zone_id = (SELECT min(id) FROM zone)");
    w->now_ms += 10000;
    settle(w);
    check_served(w, apex_a, za);
    zone_unref(za);
    zone_unref(zb);
    zone_unref(old);
}

/* The file goes away, and another comes. */
static void test_replaced_store(void **state)
{
    struct world *w = *state;
    struct store_zone a = plain_row(apex_a), b = plain_row(apex_b), a2 = plain_row(apex_a);
    struct zone *za, *zb;

    w->writer = must_open_writer(w->dir);
    za = next_version(w, &a, NULL, 1, 1);
    zb = next_version(w, &b, NULL, 1, 1);
    settle(w);
    store_close(w->writer);
    remove_store(w);
    settle(w);
    check_served(w, apex_a, za);
    check_served(w, apex_b, zb);
    w->writer = must_open_writer(w->dir);
    zone_unref(za);
    za = next_version(w, &a2, NULL, 9, 9); /* same seq and version number, other content */
    settle(w);
    check_served(w, apex_a, za);
    check_absent(w, apex_b);
    zone_unref(za);
    zone_unref(zb);
}

static void test_many_zones(void **state)
{
    struct world *w = *state;
    struct errinfo e = {0};
    uint8_t apex[NAME_MAX_OCTETS];
    uint64_t seq = 0;

    w->writer = must_open_writer(w->dir);
    assert_int_equal(store_begin(w->writer, &e), OK);
    for (unsigned i = 0; i < 1500; i++) {
        struct store_zone row;
        struct zone *z;

        (void)snprintf((char *)apex, 16, "\4z%03u\4many", i % 1000);
        if (i >= 1000)
            apex[1] = 'y';
        row = plain_row(apex);
        z = plain_zone(apex, 1, 1, i);
        assert_int_equal(put_change(w->writer, &row, NULL, z, 1, &seq, &e), OK);
        zone_unref(z);
    }
    assert_int_equal(store_commit(w->writer, &e), OK);
    settle(w);
    assert_int_equal(zonedb_count(w->db), 1500);
    assert_int_equal(follower_seq(w->f), 1500);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_waits_for_the_store, setup, teardown),
        cmocka_unit_test_setup_teardown(test_big_change, setup, teardown),
        cmocka_unit_test_setup_teardown(test_start_and_deltas, setup, teardown),
        cmocka_unit_test_setup_teardown(test_delta_is_applied, setup, teardown),
        cmocka_unit_test_setup_teardown(test_states, setup, teardown),
        cmocka_unit_test_setup_teardown(test_states_and_deltas_in_one_look, setup, teardown),
        cmocka_unit_test_setup_teardown(test_deadlines, setup, teardown),
        cmocka_unit_test_setup_teardown(test_waiting_is_not_served, setup, teardown),
        cmocka_unit_test_setup_teardown(test_gap, setup, teardown),
        cmocka_unit_test_setup_teardown(test_damaged_zone, setup, teardown),
        cmocka_unit_test_setup_teardown(test_replaced_store, setup, teardown),
        cmocka_unit_test_setup_teardown(test_many_zones, setup, teardown),
    };

    log_init("test", LOG_ERROR, LOG_TEXT);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
