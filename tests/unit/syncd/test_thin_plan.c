/* Which versions lose their content. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/base/mem.h"
#include "syncd/thin_plan.h"
#include "tests/tools/journal_fixture.h"
#include "tests/tools/store_fixture.h"

#define DAY 86400
#define HOUR 3600
#define MANY 1000000

static const uint8_t example[] = "\7example\3com";
static const struct config_retention daily = {true, 10, CONFIG_THIN_DAY, 0, 0};
static struct errinfo e;

struct setup {
    char *dir;
    struct store *s;
    struct store_zone z;
    struct zone *last;
    uint32_t serial;
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

    zone_unref(t->last);
    store_close(t->s);
    temp_dir_free(t->dir);
    free(t);
    return 0;
}

/* The next version, made at this time; gives its seq. */
static uint64_t version_unjournaled(struct setup *t, int64_t at)
{
    uint32_t serial = ++t->serial;
    struct zone *next = plain_zone(example, serial, 2, serial);
    uint64_t seq = must_commit(t->s, &t->z, t->last, next, at);

    zone_unref(t->last);
    t->last = next;
    return seq;
}

static void version(struct setup *t, int64_t at)
{
    must_journal(t->s, version_unjournaled(t, at));
}

static void list_text(struct buf *out, const struct journal_thin_version *list, size_t n)
{
    for (size_t i = 0; i < n; i++)
        buf_printf(out, "%s%llu", i ? " " : "", (unsigned long long)list[i].version);
}

/* The plan as text: "1 2 | 4 3 | 0" are those that go, those that stay and are below one that
 * goes, and how many more there are. Each has the commit that the store knows. */
static void assert_plan(struct setup *t, const struct config_retention *policy, int64_t now,
                        size_t max, const char *want)
{
    struct thin_plan p;
    struct buf b = BUF_INIT;
    struct store_version v;

    assert_int_equal(thin_plan_make(&p, t->s, &t->z, policy, (struct wall){.s = now}, max, &e), OK);
    list_text(&b, p.gone, p.gone_count);
    buf_str(&b, " | ");
    list_text(&b, p.kept, p.kept_count);
    buf_printf(&b, " | %llu", (unsigned long long)p.more);
    assert_string_equal(buf_cstr(&b), want);
    for (size_t i = 0; i < p.gone_count; i++) {
        assert_int_equal(store_version_get(t->s, t->z.id, p.gone[i].version, &v, &e), OK);
        assert_memory_equal(p.gone[i].commit.id, v.oid, sizeof(v.oid));
    }
    thin_plan_done(&p);
    buf_free(&b);
}

static void periods(void **state)
{
    static const struct {
        enum config_thin to;
        int64_t a, b;
        bool same;
    } cases[] = {
        {CONFIG_THIN_DAY, 0, DAY - 1, true},
        {CONFIG_THIN_DAY, DAY - 1, DAY, false},
        {CONFIG_THIN_DAY, -1, 0, false},
        {CONFIG_THIN_DAY, -DAY, -1, true},
        {CONFIG_THIN_WEEK, 4 * DAY, 11 * DAY - 1, true},    /* Monday 1970-01-05 to Sunday */
        {CONFIG_THIN_WEEK, 4 * DAY - 1, 4 * DAY, false},    /* Sunday, Monday */
        {CONFIG_THIN_WEEK, -3 * DAY, 4 * DAY - 1, true},    /* from Monday 1969-12-29 */
        {CONFIG_THIN_MONTH, 1709164800, 1709251199, true},  /* 2024-02-29 */
        {CONFIG_THIN_MONTH, 1709251199, 1709251200, false}, /* 2024-03-01 */
        {CONFIG_THIN_MONTH, 1704067199, 1704067200, false}, /* 2023-12-31, 2024-01-01 */
        {CONFIG_THIN_MONTH, 1704067200, 1735689600, false}, /* January, a year later */
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        int64_t a = thin_period(cases[i].to, (struct wall){.s = cases[i].a});
        int64_t b = thin_period(cases[i].to, (struct wall){.s = cases[i].b});

        if ((a == b) != cases[i].same || a > b)
            fail_msg("case %zu: periods %lld and %lld", i, (long long)a, (long long)b);
    }
}

static void the_last_of_each_day_stays(void **state)
{
    struct setup *t = *state;

    version(t, 0);             /* 1 */
    version(t, HOUR);          /* 2 */
    version(t, 23 * HOUR);     /* 3: the day's last */
    version(t, DAY);           /* 4 */
    version(t, DAY + HOUR);    /* 5: the day's last */
    version(t, 20 * DAY);      /* 6: young */
    version(t, 20 * DAY + 60); /* 7: served */
    assert_plan(t, &daily, 21 * DAY, MANY, "1 2 4 | 3 | 0");
    /* in steps the oldest go first */
    assert_plan(t, &daily, 21 * DAY, 2, "1 2 | 3 | 1");
    /* a day's end is not the policy's: just as old as it says is not older */
    assert_plan(t, &daily, 10 * DAY, MANY, " |  | 0");
    assert_plan(t, &daily, 10 * DAY + 1, MANY, "1 |  | 0");
    assert_plan(t, &(struct config_retention){.set = true}, 9999 * (int64_t)DAY, MANY, " |  | 0");
}

static void the_second_step_is_for_the_oldest(void **state)
{
    static const struct config_retention two = {true, 10, CONFIG_THIN_DAY, 60, CONFIG_THIN_MONTH};
    struct setup *t = *state;

    version(t, 0);               /* 1: January */
    version(t, 30 * DAY);        /* 2: its last */
    version(t, 70 * DAY);        /* 3: March */
    version(t, 70 * DAY + HOUR); /* 4: the same day */
    version(t, 80 * DAY);        /* 5: the same month, served */
    assert_plan(t, &two, 100 * DAY, MANY, "1 3 | 2 | 0");
    assert_plan(t, &two, 140 * DAY, MANY, "1 3 4 | 2 | 0");
}

static void what_is_served_or_held_stays(void **state)
{
    struct setup *t = *state;

    for (int64_t i = 0; i < 4; i++)
        version(t, i);
    assert_plan(t, &daily, 30 * DAY, MANY, "1 2 3 |  | 0");
    t->z.held = true;
    t->z.held_version = 2;
    assert_plan(t, &daily, 30 * DAY, MANY, "1 3 | 2 | 0");
    t->z.version = 3; /* the newer one waits */
    assert_plan(t, &daily, 30 * DAY, MANY, "1 |  | 0");
}

static void what_waited_is_no_version_of_the_day(void **state)
{
    struct setup *t = *state;
    struct zone *next = plain_zone(example, 9, 2, 9);

    version(t, 0);
    version(t, HOUR);
    must_journal(t->s, must_commit_waiting(t->s, &t->z, t->last, next, 2 * HOUR)); /* 3 */
    zone_unref(next);
    assert_plan(t, &daily, 30 * DAY, MANY, "1 |  | 0");
}

static void what_the_journal_lacks_stays(void **state)
{
    struct setup *t = *state;

    version(t, 0);
    (void)version_unjournaled(t, 1);
    (void)version_unjournaled(t, 2);
    assert_plan(t, &daily, 30 * DAY, MANY, "1 |  | 0");
}

/* What went already does not go twice, and is not the last of its day. */
static void a_second_time_goes_on(void **state)
{
    struct setup *t = *state;

    for (int64_t i = 0; i < 5; i++)
        version(t, i);
    assert_plan(t, &daily, 30 * DAY, 2, "1 2 |  | 2");
    assert_int_equal(store_begin(t->s, &e), OK);
    assert_int_equal(store_thinned_put(t->s, t->z.id, 1, &e), OK);
    assert_int_equal(store_thinned_put(t->s, t->z.id, 2, &e), OK);
    assert_int_equal(store_commit(t->s, &e), OK);
    assert_plan(t, &daily, 30 * DAY, 2, "3 4 |  | 0");
}

/* More than one read of the store. */
static void a_long_history(void **state)
{
    struct setup *t = *state;
    struct thin_plan p;

    for (int64_t i = 0; i < 2001; i++)
        version(t, i);
    assert_int_equal(
        thin_plan_make(&p, t->s, &t->z, &daily, (struct wall){.s = 30 * DAY}, MANY, &e), OK);
    assert_int_equal(p.gone_count, 2000);
    for (size_t i = 0; i < p.gone_count; i++)
        assert_int_equal(p.gone[i].version, i + 1);
    assert_true(p.kept_count == 0 && p.more == 0);
    thin_plan_done(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(periods),
        cmocka_unit_test_setup_teardown(the_last_of_each_day_stays, setup, teardown),
        cmocka_unit_test_setup_teardown(the_second_step_is_for_the_oldest, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_served_or_held_stays, setup, teardown),
        cmocka_unit_test_setup_teardown(what_waited_is_no_version_of_the_day, setup, teardown),
        cmocka_unit_test_setup_teardown(what_the_journal_lacks_stays, setup, teardown),
        cmocka_unit_test_setup_teardown(a_second_time_goes_on, setup, teardown),
        cmocka_unit_test_setup_teardown(a_long_history, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
