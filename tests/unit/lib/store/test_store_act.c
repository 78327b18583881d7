/* What operators did, as the store keeps it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/store/store_internal.h"
#include "tests/tools/journal_fixture.h"
#include "tests/tools/store_fixture.h"

static struct errinfo e;

struct found {
    struct store_act acts[8];
    size_t n;
};

static enum err on_act(void *ctx, const struct store_act *a, struct errinfo *why)
{
    struct found *f = ctx;

    (void)why;
    assert_true(f->n < 8);
    f->acts[f->n++] = *a;
    return OK;
}

static void put(struct store *s, const char *action, const uint8_t *zone, const char *reason)
{
    struct store_act a = {.at = {1000}, .version = zone ? 7 : 0, .has_zone = zone != NULL};

    (void)snprintf(a.who, sizeof(a.who), "anna");
    (void)snprintf(a.action, sizeof(a.action), "%s", action);
    (void)snprintf(a.detail, sizeof(a.detail), "to=v3");
    (void)snprintf(a.reason, sizeof(a.reason), "%s", reason);
    if (zone)
        (void)name_copy(a.zone, zone);
    assert_int_equal(store_begin(s, &e), OK);
    assert_int_equal(store_act_put(s, &a, &e), OK);
    assert_int_equal(store_commit(s, &e), OK);
}

static struct found acts(struct store *s, uint64_t before, uint32_t max)
{
    struct found f = {.n = 0};

    assert_int_equal(store_act_each(s, before, max, on_act, &f, &e), OK);
    return f;
}

static void test_newest_first_and_in_parts(void **state)
{
    char *dir = temp_dir_new();
    struct store *s = must_open_writer(dir);
    struct found f;

    (void)state;
    put(s, "rollback", (const uint8_t *)"\7example\3com", "INC-1");
    put(s, "journal key rotate", NULL, "");
    put(s, "refresh", (const uint8_t *)"", "it's \"late\"");
    f = acts(s, 0, 8);
    assert_int_equal(f.n, 3);
    assert_string_equal(f.acts[0].action, "refresh");
    assert_string_equal(f.acts[0].reason, "it's \"late\"");
    assert_true(f.acts[0].has_zone && f.acts[0].zone[0] == 0);
    assert_false(f.acts[1].has_zone);
    assert_string_equal(f.acts[2].who, "anna");
    assert_string_equal(f.acts[2].detail, "to=v3");
    assert_int_equal(f.acts[2].version, 7);
    assert_int_equal(f.acts[2].at.s, 1000);
    f = acts(s, f.acts[1].id, 8);
    assert_int_equal(f.n, 1);
    assert_string_equal(f.acts[0].action, "rollback");
    assert_int_equal(acts(s, 0, 2).n, 2);
    assert_int_equal(verify_faults(s, NULL), 0);
    store_close(s);
    temp_dir_free(dir);
}

/* Rows of long ago go, and numbers are not given twice. */
static void test_it_does_not_grow_without_end(void **state)
{
    char *dir = temp_dir_new();
    struct store *s = must_open_writer(dir);
    struct found f;

    (void)state;
    put(s, "refresh", NULL, "old");
    assert_int_equal(store_begin(s, &e), OK);
    assert_int_equal(sql_exec(s, "UPDATE sqlite_sequence SET seq = 200000", &e), OK);
    assert_int_equal(store_commit(s, &e), OK);
    put(s, "refresh", NULL, "new");
    f = acts(s, 0, 8);
    assert_int_equal(f.n, 1);
    assert_string_equal(f.acts[0].reason, "new");
    assert_int_equal(f.acts[0].id, 200001);
    store_close(s);
    temp_dir_free(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_newest_first_and_in_parts),
        cmocka_unit_test(test_it_does_not_grow_without_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
