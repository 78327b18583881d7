/* Signatures that end while a zone waits for an operator: when the log has a line. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "syncd/signature_ends.h"

static void test_each_news_once(void **state)
{
    static const struct {
        int64_t end, now;
        enum end_news said, news;
    } cases[] = {
        {1000, 0, END_NOTHING, END_NOTHING}, {1000, 899, END_NOTHING, END_NOTHING},
        {1000, 900, END_NOTHING, END_NEAR},  {1000, 900, END_NEAR, END_NOTHING},
        {1000, 1000, END_NEAR, END_NOTHING}, {1000, 1001, END_NEAR, END_OVER},
        {1000, 1001, END_NOTHING, END_OVER}, {1000, 5000, END_OVER, END_NOTHING},
        {1000, 950, END_OVER, END_NOTHING}, /* a clock that goes back */
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_int_equal(signature_end_news((struct wall){cases[i].end},
                                            (struct wall){cases[i].now}, 100, cases[i].said),
                         cases[i].news);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_news_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
