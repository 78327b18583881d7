/* The list of versions, and the ways to name one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/base/mem.h"
#include "tests/tools/journal_fixture.h"
#include "tests/tools/store_fixture.h"

static const uint8_t example[] = "\7example\3com";
static struct errinfo e;

/* Serials that a signed or a 31-bit column would spoil; version i + 1 is made at time 100 * i. */
static const uint32_t serials[] = {0,          0x7fffffff, 0x80000000, 0x80000001,
                                   0xffffffff, 5,          0x80000000};
#define VERSIONS (sizeof(serials) / sizeof(serials[0]))

struct setup {
    char *dir;
    struct store *s;
    struct store_zone z;
};

static int setup(void **state)
{
    struct setup *t = xcalloc(1, sizeof(*t));
    struct zone *old = NULL;

    t->dir = temp_dir_new();
    t->s = must_open_writer(t->dir);
    t->z = plain_row(example);
    for (size_t i = 0; i < VERSIONS; i++) {
        struct zone *next = plain_zone(example, serials[i], 5, (uint32_t)i);

        (void)must_commit(t->s, &t->z, old, next, 100 * (int64_t)i);
        zone_unref(old);
        old = next;
    }
    zone_unref(old);
    *state = t;
    return 0;
}

static int teardown(void **state)
{
    struct setup *t = *state;

    assert_int_equal(verify_faults(t->s, NULL), 0);
    store_close(t->s);
    temp_dir_free(t->dir);
    free(t);
    return 0;
}

static enum err look_at(void *ctx, const struct store_version *v, struct errinfo *err)
{
    uint64_t *next = ctx;
    size_t i = (size_t)v->version - 1;

    (void)err;
    assert_int_equal(v->version, *next);
    assert_int_equal(v->serial.v, serials[i]);
    assert_int_equal(v->has_from, i > 0);
    if (i > 0)
        assert_int_equal(v->from.v, serials[i - 1]);
    assert_int_equal(v->at.s, 100 * (int64_t)i);
    assert_int_equal(v->records, 7);
    assert_string_equal(v->origin.reason, "because");
    assert_int_equal(v->journaled, false);
    --*next;
    return OK;
}

static void test_each(void **state)
{
    struct setup *t = *state;
    uint64_t next = VERSIONS;

    assert_int_equal(store_version_each(t->s, t->z.id, 0, 3, look_at, &next, &e), OK);
    assert_int_equal(next, VERSIONS - 3);
    assert_int_equal(store_version_each(t->s, t->z.id, next + 1, 100, look_at, &next, &e), OK);
    assert_int_equal(next, 0);
    assert_int_equal(store_version_each(t->s, t->z.id + 1, 0, 3, look_at, &next, &e), OK);
}

static void test_by_serial(void **state)
{
    struct setup *t = *state;
    struct store_version v;

    for (size_t i = 0; i < VERSIONS; i++) {
        struct serial s = {serials[i]};

        assert_int_equal(store_version_by_serial(t->s, t->z.id, s, &v, &e), OK);
        assert_int_equal(v.version, i == 2 ? VERSIONS : i + 1); /* the newest with this serial */
    }
    assert_int_equal(store_version_by_serial(t->s, t->z.id, (struct serial){6}, &v, &e),
                     ERR_NOT_FOUND);
    assert_string_equal(e.text, "serial 6: there is no such version");
}

static void test_by_time(void **state)
{
    struct setup *t = *state;
    struct zone *last = plain_zone(example, 0x80000000, 5, 6), *next = plain_zone(example, 9, 5, 9);
    struct store_version v;
    static const struct {
        int64_t at;
        uint64_t version; /* 0: none */
    } cases[] = {{-1, 0}, {0, 1}, {99, 1}, {100, 2}, {599, 6}, {600, 7}, {INT64_MAX, 7}};

    (void)must_commit_waiting(t->s, &t->z, last, next, 610); /* never served: not an answer */
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        enum err rc = store_version_by_time(t->s, t->z.id, (struct wall){cases[i].at}, &v, &e);

        assert_int_equal(rc, cases[i].version ? OK : ERR_NOT_FOUND);
        if (!rc)
            assert_int_equal(v.version, cases[i].version);
    }
    zone_unref(last);
    zone_unref(next);
}

static void put_oid(struct store *s, uint64_t seq, uint8_t a, uint8_t b)
{
    uint8_t oid[STORE_OID_BYTES] = {a, b}, tree[STORE_OID_BYTES] = {b, a};

    assert_int_equal(store_begin(s, &e), OK);
    assert_int_equal(store_journaled_put(s, seq, oid, tree, &e), OK);
    assert_int_equal(store_commit(s, &e), OK);
}

static void test_by_oid(void **state)
{
    struct setup *t = *state;
    struct store_version v;
    static const struct {
        const char *hex;
        enum err rc;
        uint64_t version;
    } cases[] = {
        {"abc1", OK, 1},
        {"ABC", ERR_CONFLICT, 0},
        {"abc2", OK, 2},
        {"ab", ERR_CONFLICT, 0},
        {"abd", OK, 3},
        {"f", OK, 4},
        {"ff00000000000000000000000000000000000000", OK, 4},
        {"ff000000000000000000000000000000000000000", ERR_NOT_FOUND, 0},
        {"ff00000000000000000000000000000000000001", ERR_NOT_FOUND, 0},
        {"", ERR_NOT_FOUND, 0},
        {"xyz", ERR_NOT_FOUND, 0},
        {"0", ERR_NOT_FOUND, 0},
    };

    put_oid(t->s, 1, 0xab, 0xc1);
    put_oid(t->s, 2, 0xab, 0xc2);
    put_oid(t->s, 3, 0xab, 0xd0);
    put_oid(t->s, 4, 0xff, 0x00);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(store_version_by_oid(t->s, t->z.id, cases[i].hex, &v, &e), cases[i].rc);
        if (!cases[i].rc)
            assert_int_equal(v.version, cases[i].version);
    }
}

static enum err first_seq(void *ctx, const struct store_change *c, struct errinfo *err)
{
    (void)err;
    *(uint64_t *)ctx = c->seq;
    return OK;
}

/* Ids may come in any order and again: the tip only moves forward. */
static void test_journaled(void **state)
{
    struct setup *t = *state;
    struct store_version v;
    uint64_t n = 0, seq = 0;
    uint8_t oid[STORE_OID_BYTES] = {1};

    put_oid(t->s, 1, 0x11, 1);
    assert_int_equal(store_unjournaled_each(t->s, 1, first_seq, &seq, &e), OK);
    assert_int_equal(seq, 2);
    put_oid(t->s, 3, 0x33, 3);
    put_oid(t->s, 2, 0x22, 2);
    put_oid(t->s, 2, 0x22, 2);
    assert_int_equal(store_zone_get(t->s, example, &t->z, &e), OK);
    assert_int_equal(t->z.tip_oid[0], 0x33);
    assert_int_equal(store_unjournaled_count(t->s, &n, &e), OK);
    assert_int_equal(n, VERSIONS - 3);
    assert_int_equal(store_version_get(t->s, t->z.id, 2, &v, &e), OK);
    assert_true(v.journaled);
    assert_int_equal(v.oid[0], 0x22);
    assert_int_equal(v.content_oid[0], 2);
    assert_int_equal(store_begin(t->s, &e), OK);
    assert_int_equal(store_journaled_put(t->s, 99, oid, oid, &e), ERR_NOT_FOUND);
    store_rollback(t->s);
}

static void test_origin_names(void **state)
{
    (void)state;
    assert_string_equal(origin_name(ORIGIN_AXFR), "axfr");
    assert_string_equal(origin_name(ORIGIN_CATALOG), "catalog");
    assert_string_equal(origin_name(ORIGIN_REMOVE), "remove");
    assert_string_equal(origin_name(ORIGIN_UNDELETE), "undelete");
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_each),   TEST(test_by_serial), TEST(test_by_time),
        TEST(test_by_oid), TEST(test_journaled), cmocka_unit_test(test_origin_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
