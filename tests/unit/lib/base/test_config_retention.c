/* What `retention` may say. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "lib/base/config.h"

static const struct {
    const char *text;
    struct config_retention want;
} good[] = {
    {"", {.set = false}},
    {"all", {.set = true}},
    {"1d then day", {true, 1, CONFIG_THIN_DAY, 0, 0}},
    {"90d then week", {true, 90, CONFIG_THIN_WEEK, 0, 0}},
    {"100000d then month", {true, 100000, CONFIG_THIN_MONTH, 0, 0}},
    {"90d then day, 730d then month", {true, 90, CONFIG_THIN_DAY, 730, CONFIG_THIN_MONTH}},
    {"90d then day, 91d then week", {true, 90, CONFIG_THIN_DAY, 91, CONFIG_THIN_WEEK}},
    {"7d then week, 100000d then month", {true, 7, CONFIG_THIN_WEEK, 100000, CONFIG_THIN_MONTH}},
};

static void what_is_meant_is_read(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        const struct config_retention *want = &good[i].want;
        struct config_retention r = {true, 5, CONFIG_THIN_MONTH, 6, CONFIG_THIN_MONTH};

        if (!config_retention_read(&r, good[i].text))
            fail_msg("'%s' is refused", good[i].text);
        if (r.set != want->set || r.days != want->days || r.to != want->to ||
            r.later_days != want->later_days || r.later_to != want->later_to)
            fail_msg("'%s' is read as %d, %u then %d, %u then %d", good[i].text, r.set,
                     (unsigned)r.days, (int)r.to, (unsigned)r.later_days, (int)r.later_to);
    }
}

static const char *const wrong[] = {
    " ",
    "ALL",
    "all ",
    "all, 730d then month",
    "90d",
    "90d then",
    "90d then ",
    "90d then year",
    "90d then days",
    "90d then day ",
    " 90d then day",
    "90 then day",
    "90d  then day",
    "d then day",
    "0d then day",
    "090d then day",
    "-1d then day",
    "+1d then day",
    "100001d then day",
    "4294967297d then day",           /* not 1 */
    "18446744073709551617d then day", /* nor here */
    "90d then day,",
    "90d then day, ",
    "90d then day,730d then month",
    "90d then day; 730d then month",
    "90d then day, all",
    "90d then day, 90d then month", /* the later step is no later */
    "90d then day, 30d then month",
    "90d then day, 730d then day", /* ... or keeps no less */
    "90d then month, 730d then week",
    "90d then day, 100001d then month",
    "1d then day, 2d then week, 3d then month",
};

static void anything_else_is_refused_and_changes_nothing(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        struct config_retention r = {true, 5, CONFIG_THIN_WEEK, 6, CONFIG_THIN_MONTH};

        if (config_retention_read(&r, wrong[i]))
            fail_msg("'%s' is taken", wrong[i]);
        assert_true(r.set && r.days == 5 && r.to == CONFIG_THIN_WEEK && r.later_days == 6 &&
                    r.later_to == CONFIG_THIN_MONTH);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_meant_is_read),
        cmocka_unit_test(anything_else_is_refused_and_changes_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
