/* Some file descriptors are kept back from peers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <limits.h>
#include <sys/resource.h>

#include "lib/base/descriptors.h"

static void any_may_be_kept_before_the_limit_is_known(void **state)
{
    (void)state;
    assert_true(descriptors_spare(INT_MAX - 1));
}

static void some_are_kept_back(void **state)
{
    static const struct {
        rlim_t limit;
        int first_kept_back;
    } cases[] = {{512, 512 - DESCRIPTORS_OWN}, {128, 64}, {100, 50}, {50, 25}};

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct rlimit r = {cases[i].limit, cases[i].limit};

        assert_int_equal(setrlimit(RLIMIT_NOFILE, &r), 0);
        descriptors_raise();
        assert_true(descriptors_spare(0));
        assert_true(descriptors_spare(cases[i].first_kept_back - 1));
        assert_false(descriptors_spare(cases[i].first_kept_back));
    }
}

static void the_limit_is_raised(void **state)
{
    struct rlimit r = {20, 40};

    (void)state;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &r), 0);
    descriptors_raise();
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &r), 0);
    assert_int_equal(r.rlim_cur, 40);
    assert_false(descriptors_spare(20));
    assert_true(descriptors_spare(19));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_may_be_kept_before_the_limit_is_known),
        cmocka_unit_test(some_are_kept_back),
        cmocka_unit_test(the_limit_is_raised),
    };

    return cmocka_run_group_tests_name("descriptors", tests, NULL, NULL);
}
