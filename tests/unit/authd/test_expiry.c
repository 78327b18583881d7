/* Zones end being served at their deadline when syncd is away, whatever the clock does. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "authd/expiry.h"
#include "lib/base/log.h"
#include "tests/tools/store_fixture.h"

#define T0 INT64_C(1700000000) /* wall time at start */
#define ZONES 20
#define AWAY_S (EXPIRY_SYNCD_AWAY_MS / 1000)

struct world {
    int64_t mono_ms, wall_s;
    struct clock clock;
    struct zonedb *db;
    struct expiry x;
    struct store_zone row;
};

static struct mono fake_mono(void *ctx)
{
    return (struct mono){((struct world *)ctx)->mono_ms};
}

static struct wall fake_wall(void *ctx)
{
    return (struct wall){((struct world *)ctx)->wall_s};
}

static void fake_random(void *ctx, void *out, size_t n)
{
    (void)ctx;
    memset(out, 7, n);
}

static const uint8_t apex[] = "\7example";

static int setup(void **state)
{
    struct world *w = calloc(1, sizeof(*w));

    w->mono_ms = 500000;
    w->wall_s = T0;
    w->clock =
        (struct clock){.mono = fake_mono, .wall = fake_wall, .random = fake_random, .ctx = w};
    w->db = zonedb_new(&w->clock);
    expiry_init(&w->x, w->db, &w->clock);
    zonedb_put(w->db, plain_zone(apex, 1, 2, 1), 1, 1, false);
    w->row = plain_row(apex);
    w->row.kind = ZONE_SECONDARY;
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;

    zonedb_free(w->db);
    free(w);
    return 0;
}

/* The seconds pass, and expiry_run is called in each, as the updater does it. */
static void pass(struct world *w, int64_t seconds)
{
    for (int64_t i = 0; i < seconds; i++) {
        w->mono_ms += 1000;
        w->wall_s++;
        expiry_run(&w->x);
    }
}

/* A refresh has succeeded just now, and the zone may live so long from now on. */
static void renew(struct world *w, int64_t seconds)
{
    w->row.renewal++;
    w->row.last_success.s = w->wall_s;
    w->row.expires_at.s = w->wall_s + seconds;
    expiry_learn(&w->x, &w->row);
}

static bool expired(const struct world *w)
{
    return zonedb_get(w->db, apex)->expired;
}

static void test_syncd_is_away(void **state)
{
    struct world *w = *state;

    renew(w, 100);
    pass(w, 99);
    assert_false(expired(w));
    pass(w, 1);
    assert_true(expired(w));
    pass(w, 1000);
    assert_true(expired(w));
    zonedb_put(w->db, plain_zone(apex, 2, 2, 1), 2, 2, false); /* not current for that */
    assert_true(expired(w));
    expiry_syncd(&w->x, true); /* which alone proves nothing */
    pass(w, 1);
    assert_true(expired(w));
    renew(w, 100);
    assert_false(expired(w));
    pass(w, 50);
    renew(w, 100);
    expiry_syncd(&w->x, false);
    pass(w, 99);
    assert_false(expired(w));
    pass(w, 1);
    assert_true(expired(w));
}

static void test_syncd_judges_while_it_is_there(void **state)
{
    struct world *w = *state;

    expiry_syncd(&w->x, true);
    renew(w, 5);
    pass(w, 500);
    assert_false(expired(w));
    expiry_syncd(&w->x, false); /* a restart takes a moment, too */
    pass(w, AWAY_S - 1);
    expiry_syncd(&w->x, true);
    pass(w, 500);
    assert_false(expired(w));
    expiry_syncd(&w->x, false);
    expiry_syncd(&w->x, false);
    pass(w, AWAY_S - 1);
    assert_false(expired(w));
    pass(w, 1);
    assert_true(expired(w));
}

/* Its verdict and ours do not undo each other. */
static void test_both_judges(void **state)
{
    struct world *w = *state;

    renew(w, 30);
    pass(w, 30);
    assert_true(expired(w));
    expiry_syncd(&w->x, true);
    w->row.expired = true; /* it comes to the same verdict, and stores no deadline with it */
    w->row.expires_at.s = 0;
    expiry_learn(&w->x, &w->row);
    assert_true(expired(w));
    zonedb_put(w->db, zone_ref(zonedb_get(w->db, apex)->zone), 1, 1, true);
    assert_true(expired(w));
    w->row.expired = false;
    renew(w, 30);
    assert_true(expired(w)); /* the row has been read, but its change not yet */
    zonedb_put(w->db, zone_ref(zonedb_get(w->db, apex)->zone), 1, 1, false);
    assert_false(expired(w));
}

static void test_never_expires(void **state)
{
    struct world *w = *state;
    uint32_t left;

    pass(w, 1000); /* no deadline is known */
    assert_false(expired(w));
    renew(w, 30);
    w->row.held = true;
    w->row.renewal++;
    expiry_learn(&w->x, &w->row);
    pass(w, 1000);
    assert_false(expired(w));
    assert_false(served_expires_in(&left, zonedb_get(w->db, apex), fake_mono(w)));
    w->row.held = false;
    w->row.renewal++;
    expiry_learn(&w->x, &w->row); /* the old deadline counts again */
    pass(w, 1);
    assert_true(expired(w));
    w->row.held = true;
    w->row.renewal++;
    expiry_learn(&w->x, &w->row); /* an operator wants it served */
    assert_false(expired(w));
    w->row.held = false;
    w->row.renewal++;
    w->row.kind = ZONE_LOCAL;
    expiry_learn(&w->x, &w->row);
    pass(w, 1000);
    assert_false(expired(w));
}

/* The wall clock is set while we run: what was learnt before keeps its time. */
static void test_clock_steps(void **state)
{
    static const int64_t steps[] = {3600, -3600, 315360000, -315360000, -T0, INT64_C(4000000000)};
    struct world *w = *state;

    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        renew(w, 100);
        assert_false(expired(w));
        pass(w, 50);
        w->wall_s += steps[i];
        pass(w, 49);
        expiry_learn(&w->x, &w->row); /* the same row once more, as after a gap in the log */
        assert_false(expired(w));
        pass(w, 1);
        assert_true(expired(w));
        w->wall_s = T0 + (int64_t)i * 1000;
    }
}

/* At start the clock is all there is to go by. */
static void test_clock_at_start(void **state)
{
    struct world *w = *state;
    uint32_t left = 0;

    w->row.last_success.s = T0 - 100;
    w->row.expires_at.s = T0 + 100;
    w->wall_s = T0 + 315360000; /* ten years ahead: all seems to have expired */
    w->x.wall_ms = w->wall_s * 1000 - w->mono_ms;
    expiry_learn(&w->x, &w->row);
    pass(w, AWAY_S - 1);
    assert_false(expired(w));
    assert_true(served_expires_in(&left, zonedb_get(w->db, apex), fake_mono(w)));
    assert_int_equal(left, 0);
    pass(w, 1);
    assert_true(expired(w));
    w->wall_s = T0 + AWAY_S; /* somebody sets it right */
    pass(w, 1);
    assert_false(expired(w));
    pass(w, 100 - AWAY_S - 2);
    assert_false(expired(w));
    pass(w, 1);
    assert_true(expired(w));
}

static void test_clock_far_back_at_start(void **state)
{
    struct world *w = *state;

    w->wall_s = 1000;
    w->x.wall_ms = w->wall_s * 1000 - w->mono_ms;
    w->row.last_success.s = T0 - 100;
    w->row.expires_at.s = T0 + 100;
    expiry_learn(&w->x, &w->row);
    pass(w, 199); /* one whole time of expiry, and no more */
    assert_false(expired(w));
    pass(w, 1);
    assert_true(expired(w));
}

/* Each at its own time. */
static void test_many(void **state)
{
    struct world *w = *state;
    uint8_t name[] = "\3z00\7example";

    for (unsigned i = 0; i < ZONES; i++) {
        name[2] = (uint8_t)('0' + i / 10);
        name[3] = (uint8_t)('0' + i % 10);
        zonedb_put(w->db, plain_zone(name, 1, 2, 1), 1, 1, false);
        (void)name_copy(w->row.name, name);
        renew(w, 20 + (int64_t)i * 7 % ZONES);
    }
    pass(w, 19);
    for (unsigned t = 0; t < ZONES; t++) {
        pass(w, 1);
        for (unsigned i = 0; i < ZONES; i++) {
            name[2] = (uint8_t)('0' + i / 10);
            name[3] = (uint8_t)('0' + i % 10);
            assert_int_equal(zonedb_get(w->db, name)->expired, i * 7 % ZONES <= t);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_syncd_is_away, setup, teardown),
        cmocka_unit_test_setup_teardown(test_syncd_judges_while_it_is_there, setup, teardown),
        cmocka_unit_test_setup_teardown(test_both_judges, setup, teardown),
        cmocka_unit_test_setup_teardown(test_never_expires, setup, teardown),
        cmocka_unit_test_setup_teardown(test_clock_steps, setup, teardown),
        cmocka_unit_test_setup_teardown(test_clock_at_start, setup, teardown),
        cmocka_unit_test_setup_teardown(test_clock_far_back_at_start, setup, teardown),
        cmocka_unit_test_setup_teardown(test_many, setup, teardown),
    };

    log_init("test", LOG_ERROR, LOG_TEXT);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
