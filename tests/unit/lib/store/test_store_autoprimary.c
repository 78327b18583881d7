/* Autoprimaries that an operator added: rows, their order, limits that a group shares. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/base/mem.h"
#include "tests/tools/journal_fixture.h"
#include "tests/tools/store_fixture.h"

static struct errinfo e;

struct setup {
    char *dir;
    struct store *s;
};

static int setup(void **state)
{
    struct setup *t = xcalloc(1, sizeof(*t));

    t->dir = temp_dir_new();
    t->s = must_open_writer(t->dir);
    *state = t;
    return 0;
}

static int teardown(void **state)
{
    struct setup *t = *state;

    store_close(t->s);
    temp_dir_free(t->dir);
    free(t);
    return 0;
}

static struct store_autoprimary row(const char *ip, const char *ns, const char *account)
{
    struct store_autoprimary a = {.zones_max = 10, .zones_per_hour = 5, .added_at = {77}};

    (void)snprintf(a.ip, sizeof(a.ip), "%s", ip);
    assert_int_equal(name_from_text(a.nameserver, ns, strlen(ns), NULL, &e), OK);
    (void)snprintf(a.account, sizeof(a.account), "%s", account);
    (void)snprintf(a.added_by, sizeof(a.added_by), "alice");
    return a;
}

static enum err put(struct setup *t, const struct store_autoprimary *a)
{
    enum err rc;

    assert_int_equal(store_begin(t->s, &e), OK);
    rc = store_autoprimary_put(t->s, a, &e);
    assert_int_equal(store_commit(t->s, NULL), OK);
    return rc;
}

struct seen {
    struct store_autoprimary rows[8];
    size_t n;
};

static enum err on_row(void *ctx, const struct store_autoprimary *a, struct errinfo *err)
{
    struct seen *seen = ctx;

    (void)err;
    seen->rows[seen->n++] = *a;
    return OK;
}

static struct seen all(struct store *s)
{
    struct seen seen = {.n = 0};

    assert_int_equal(store_autoprimary_each(s, on_row, &seen, &e), OK);
    return seen;
}

static void test_rows(void **state)
{
    struct setup *t = *state;
    struct store_autoprimary a = row("192.0.2.2", "NS1.us.test", "one");
    struct store *r = must_open_reader(t->dir);
    struct seen seen;

    (void)snprintf(a.key, sizeof(a.key), "bound.test");
    (void)snprintf(a.suffixes, sizeof(a.suffixes), "one.test two.test");
    assert_int_equal(put(t, &a), OK);
    a = row("192.0.2.1", "ns1.us.test", "one");
    a.zones_max = 3;
    assert_int_equal(put(t, &a), OK);
    a = row("192.0.2.1", "ns0.us.test", "");
    assert_int_equal(put(t, &a), OK);
    seen = all(r);
    assert_int_equal(seen.n, 3);
    assert_string_equal(seen.rows[0].account, "");
    assert_int_equal(seen.rows[0].zones_max, 10);
    assert_string_equal(seen.rows[1].ip, "192.0.2.1");
    assert_string_equal(seen.rows[2].ip, "192.0.2.2");
    assert_memory_equal(seen.rows[2].nameserver, "\3ns1\2us\4test", 13); /* folded */
    assert_string_equal(seen.rows[2].key, "bound.test");
    assert_int_equal(seen.rows[2].added_at.s, 77);
    assert_string_equal(seen.rows[2].added_by, "alice");
    for (int i = 1; i <= 2; i++) { /* the limits that came last hold for the group */
        assert_int_equal(seen.rows[i].zones_max, 3);
        assert_string_equal(seen.rows[i].suffixes, "");
    }
    store_close(r);
}

static void test_one_of_each(void **state)
{
    struct setup *t = *state;
    struct store_autoprimary a = row("192.0.2.2", "ns1.us.test", "one");
    struct store_autoprimary twin = row("192.0.2.2", "NS1.US.test", "two");

    assert_int_equal(put(t, &a), OK);
    assert_int_equal(put(t, &twin), ERR_EXISTS);
    assert_int_equal(store_begin(t->s, &e), OK);
    assert_int_equal(store_autoprimary_remove(t->s, "192.0.2.3", a.nameserver, &e), ERR_NOT_FOUND);
    assert_int_equal(store_autoprimary_remove(t->s, "192.0.2.2", twin.nameserver, &e), OK);
    assert_int_equal(store_commit(t->s, &e), OK);
    assert_int_equal(all(t->s).n, 0);
    assert_int_equal(put(t, &twin), OK);
}

/* What brought zones stays their primary, until they are gone or it is added again. */
static void test_retired(void **state)
{
    struct setup *t = *state;
    struct store_autoprimary a = row("192.0.2.2", "ns1.us.test", "one");
    struct store_zone z = plain_row((const uint8_t *)"\7example\3com");
    struct seen seen;

    (void)name_copy(z.nameserver, a.nameserver);
    (void)snprintf(z.account, sizeof(z.account), "one");
    assert_int_equal(put(t, &a), OK);
    assert_int_equal(store_begin(t->s, &e), OK);
    assert_int_equal(store_zone_put(t->s, &z, &e), OK);
    assert_int_equal(store_autoprimary_remove(t->s, a.ip, a.nameserver, &e), OK);
    assert_int_equal(store_autoprimary_remove(t->s, a.ip, a.nameserver, &e), ERR_NOT_FOUND);
    assert_int_equal(store_commit(t->s, &e), OK);
    seen = all(t->s);
    assert_int_equal(seen.n, 1);
    assert_true(seen.rows[0].retired);
    a.zones_max = 99;
    assert_int_equal(put(t, &a), OK);
    seen = all(t->s);
    assert_false(seen.rows[0].retired);
    assert_int_equal(seen.rows[0].zones_max, 99);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {TEST(test_rows), TEST(test_one_of_each), TEST(test_retired)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
