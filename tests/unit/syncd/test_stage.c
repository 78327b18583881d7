/* When versions that wait for their time are served. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "syncd/stage.h"

static void add(struct stage_list *l, uint64_t version, int64_t since_ms, int64_t now_ms)
{
    struct store_staged v = {.version = version, .since = {since_ms}};

    stage_add(l, &v, (struct mono){now_ms});
}

static uint64_t due(const struct stage_list *l, uint32_t stage_s, int64_t now_ms)
{
    const struct store_staged *v = stage_due(l, stage_s, (struct mono){now_ms});

    return v ? v->version : 0;
}

static void test_each_has_a_time_of_its_own(void **state)
{
    struct stage_list l = {.n = 0};
    struct mono at;

    (void)state;
    assert_int_equal(due(&l, 10, 1000000), 0);
    assert_null(stage_next(&l, 10, &at));
    add(&l, 2, 1000, 1000);
    add(&l, 3, 4000, 4000);
    add(&l, 5, 9000, 9000);
    assert_int_equal(due(&l, 10, 10999), 0);
    assert_int_equal(due(&l, 10, 11000), 2);
    assert_int_equal(due(&l, 10, 14000), 3); /* the newest, if several are due */
    assert_int_equal(due(&l, 10, 1000000), 5);
    assert_int_equal(due(&l, 0, 9000), 5);
    assert_int_equal(stage_next(&l, 10, &at)->version, 2);
    assert_int_equal(at.ms, 11000);
    stage_drop(&l, 2);
    assert_int_equal(stage_next(&l, 10, &at)->version, 3);
    assert_int_equal(at.ms, 14000);
    stage_drop(&l, 7);
    assert_null(stage_next(&l, 10, &at));
    stage_done(&l);
}

static void test_a_time_from_before_a_reboot_is_no_longer_ago_than_now(void **state)
{
    struct stage_list l = {.n = 0};
    struct mono at;

    (void)state;
    add(&l, 2, 5000000, 3000); /* the clock says 3 s now */
    assert_int_equal(due(&l, 10, 12999), 0);
    assert_int_equal(due(&l, 10, 13000), 2);
    assert_int_equal(stage_next(&l, 10, &at)->version, 2);
    assert_int_equal(at.ms, 13000);
    stage_done(&l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_has_a_time_of_its_own),
        cmocka_unit_test(test_a_time_from_before_a_reboot_is_no_longer_ago_than_now),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
