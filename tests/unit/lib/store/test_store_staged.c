/* Versions that wait for their time: what the store knows of them, and for how long. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/base/mem.h"
#include "tests/tools/journal_fixture.h"
#include "tests/tools/store_fixture.h"

static const uint8_t example[] = "\7example";
static struct errinfo e;

struct seen {
    struct store_staged list[8];
    size_t n;
};

static void on_staged(void *ctx, const struct store_staged *v)
{
    struct seen *s = ctx;

    assert_true(s->n < 8);
    s->list[s->n++] = *v;
}

static struct seen staged(struct store *s, const struct store_zone *z)
{
    struct seen seen = {.n = 0};

    assert_int_equal(store_staged_each(s, z, on_staged, &seen, &e), OK);
    return seen;
}

static void must_stage(struct store *s, struct store_zone *z, const struct zone *before,
                       const struct zone *next, int64_t since_ms)
{
    (void)must_commit_waiting(s, z, before, next, 5000);
    assert_int_equal(store_begin(s, &e), OK);
    assert_int_equal(store_staged_put(s, z, z->last_version, (struct mono){since_ms}, &e), OK);
    assert_int_equal(store_commit(s, &e), OK);
}

static void test_they_are_remembered_until_something_newer_is_served(void **state)
{
    char *dir = temp_dir_new();
    struct store *s = must_open_writer(dir);
    struct store_zone z = plain_row(example);
    struct zone *v[5];
    struct seen seen;

    (void)state;
    for (uint32_t i = 0; i < 5; i++)
        v[i] = plain_zone(example, i + 1, 3, i);
    (void)must_commit(s, &z, NULL, v[0], 1000);
    assert_false(store_zone_is_staged(&z));
    must_stage(s, &z, v[0], v[1], 111);
    must_stage(s, &z, v[1], v[2], INT64_C(9000000000));
    assert_true(store_zone_is_staged(&z));
    assert_int_equal(z.staged_version, 3);
    assert_int_equal(z.version, 1);
    store_close(s);

    s = must_open_writer(dir); /* a restart */
    assert_int_equal(store_zone_get(s, example, &z, &e), OK);
    seen = staged(s, &z);
    assert_int_equal(seen.n, 2);
    assert_int_equal(seen.list[0].version, 2);
    assert_int_equal(seen.list[0].serial.v, 2);
    assert_int_equal(seen.list[0].since.ms, 111);
    assert_int_equal(seen.list[1].version, 3);
    assert_true(seen.list[1].since.ms == INT64_C(9000000000));

    assert_int_equal(store_begin(s, &e), OK);
    assert_int_equal(store_staged_reject(s, &z, &e), OK);
    assert_int_equal(store_commit(s, &e), OK);
    assert_true(z.staged_rejected && !store_zone_is_staged(&z));
    assert_int_equal(staged(s, &z).n, 2);

    (void)must_commit(s, &z, v[0], v[3], 6000); /* v4: newer than both */
    assert_int_equal(staged(s, &z).n, 0);
    must_stage(s, &z, v[3], v[4], 222); /* another one is not rejected */
    assert_true(store_zone_is_staged(&z));
    assert_int_equal(staged(s, &z).n, 1);
    assert_int_equal(verify_faults(s, NULL), 0);
    store_close(s);
    for (uint32_t i = 0; i < 5; i++)
        zone_unref(v[i]);
    temp_dir_free(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_they_are_remembered_until_something_newer_is_served),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
