/* Which versions touched which owner. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/base/mem.h"
#include "tests/tools/journal_fixture.h"
#include "tests/tools/store_fixture.h"

#define HOSTS 1500

static const uint8_t example[] = "\7example\3com";
static struct errinfo e;

struct setup {
    char *dir;
    struct store *s;
    struct store_zone z;
    struct zone *now;
};

static int setup(void **state)
{
    struct setup *t = xcalloc(1, sizeof(*t));

    t->dir = temp_dir_new();
    t->s = must_open_writer(t->dir);
    t->z = plain_row(example);
    *state = t;
    return 0;
}

static int teardown(void **state)
{
    struct setup *t = *state;

    assert_int_equal(verify_faults(t->s, NULL), 0);
    zone_unref(t->now);
    store_close(t->s);
    temp_dir_free(t->dir);
    free(t);
    return 0;
}

/* The next version: host `i` has another address than all others; -1: the serial alone changes. */
static void step(struct setup *t, int i)
{
    uint32_t serial = (uint32_t)t->z.last_version + 1;
    struct zone *next = i < 0 ? plain_zone(example, serial, HOSTS, 1)
                              : plain_zone_but(example, serial, HOSTS, (uint32_t)i, serial);

    (void)must_commit(t->s, &t->z, t->now, next, serial);
    zone_unref(t->now);
    t->now = next;
}

struct found {
    uint64_t versions[16];
    bool sure[16];
    size_t n;
};

static enum err on_found(void *ctx, uint64_t version, bool sure, struct errinfo *err)
{
    struct found *f = ctx;

    (void)err;
    assert_true(f->n < 16);
    f->versions[f->n] = version;
    f->sure[f->n++] = sure;
    return OK;
}

static struct found of_type(struct setup *t, const char *name, uint16_t type, uint64_t before,
                            uint32_t max)
{
    uint8_t owner[NAME_MAX_OCTETS];
    struct found f = {.n = 0};

    name_of(owner, name);
    assert_int_equal(store_touched_each(t->s, t->z.id, owner, type, before, max, on_found, &f, &e),
                     OK);
    return f;
}

static struct found of(struct setup *t, const char *name, uint64_t before, uint32_t max)
{
    return of_type(t, name, 0, before, max);
}

static void test_each_owner_has_its_versions(void **state)
{
    struct setup *t = *state;
    struct found f;

    step(t, -1); /* 1: the first */
    step(t, 7);  /* 2 */
    step(t, -1); /* 3: it goes back */
    step(t, 8);  /* 4 */
    f = of(t, "H0000007.example.com.", 0, 10);
    assert_int_equal(f.n, 3);
    assert_int_equal(f.versions[0], 3);
    assert_int_equal(f.versions[1], 2);
    assert_int_equal(f.versions[2], 1);
    assert_true(f.sure[0] && f.sure[1] && !f.sure[2]);
    assert_int_equal(of(t, "h0000007.example.com.", 3, 10).n, 2);
    assert_int_equal(of(t, "h0000007.example.com.", 0, 1).n, 1);
    f = of(t, "h0000009.example.com.", 0, 10);
    assert_int_equal(f.n, 1); /* the first version, which may have brought anything */
}

static void test_each_type_has_its_versions(void **state)
{
    struct setup *t = *state;
    struct found f;

    step(t, -1);
    step(t, 7);
    assert_int_equal(of_type(t, "h0000007.example.com.", RR_A, 0, 10).n, 2);
    f = of_type(t, "h0000007.example.com.", RR_TXT, 0, 10);
    assert_int_equal(f.n, 1); /* the first, which may have brought anything */
    assert_false(f.sure[0]);
}

static void test_the_soa_does_not_count(void **state)
{
    struct setup *t = *state;

    step(t, -1);
    step(t, -1);
    step(t, -1);
    assert_int_equal(of(t, "example.com.", 0, 10).n, 1);
}

/* Too many hosts come: one row says so for any of them. */
static void test_a_large_change_is_one_row(void **state)
{
    struct setup *t = *state;
    struct zone *next;
    struct found f;

    step(t, -1);
    next = plain_zone(example, 2, 3 * HOSTS, 1);
    (void)must_commit(t->s, &t->z, t->now, next, 2);
    zone_unref(t->now);
    t->now = next;
    f = of(t, "h0000009.example.com.", 0, 10);
    assert_int_equal(f.n, 2);
    assert_false(f.sure[0]);
    assert_int_equal(of(t, "never.example.com.", 0, 10).n, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_each_owner_has_its_versions, setup, teardown),
        cmocka_unit_test_setup_teardown(test_each_type_has_its_versions, setup, teardown),
        cmocka_unit_test_setup_teardown(test_the_soa_does_not_count, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_large_change_is_one_row, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
