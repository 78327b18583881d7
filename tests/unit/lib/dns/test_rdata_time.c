#include "lib/dns/rdata_time.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

/* The C library's calendar is the judge. */
static void as_the_c_library_has_it(void **state)
{
    (void)state;
    for (uint64_t t = 0; t <= UINT32_MAX; t += 40009) { /* about each half day, all hours */
        time_t s = (time_t)t;
        struct tm tm;
        char want[32];
        char text[RDATA_TIME_TEXT];
        uint32_t back = 1;

        assert_non_null(gmtime_r(&s, &tm));
        assert_int_equal(strftime(want, sizeof(want), "%Y%m%d%H%M%S", &tm), RDATA_TIME_TEXT);
        rdata_time_put(text, (uint32_t)t);
        assert_memory_equal(text, want, RDATA_TIME_TEXT);
        assert_true(rdata_time_get(&back, text));
        assert_int_equal(back, t);
    }
}

static const struct {
    const char *text;
    int64_t t; /* -1: no time */
} cases[] = {
    {"19700101000000", 0},
    {"20000229000000", 951782400},
    {"20240229235959", 1709251199},
    {"21000228235959", 4107542399},
    {"21060207062815", 4294967295},
    {"21060207062816", 0}, /* once around */
    {"19691231235959", 4294967295},
    {"00010101000000", 0x886e0900},
    {"99991231235959", (253402300799 & UINT32_MAX)},
    {"00001231235959", -1},
    {"20230229000000", -1},
    {"21000229000000", -1},
    {"20240001000000", -1},
    {"20241301000000", -1},
    {"20240100000000", -1},
    {"20240132000000", -1},
    {"20240431000000", -1},
    {"20240101240000", -1},
    {"20240101006000", -1},
    {"20240101000060", -1},
    {"2024010100000x", -1},
    {" 2024010100000", -1},
    {"-0240101000000", -1},
};

static void odd_times(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint32_t t = 77;
        char exact[RDATA_TIME_TEXT];

        memcpy(exact, cases[i].text, sizeof(exact));
        if (rdata_time_get(&t, exact) != (cases[i].t >= 0))
            fail_msg("%s", cases[i].text);
        assert_int_equal(t, cases[i].t >= 0 ? cases[i].t : 77);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(as_the_c_library_has_it),
        cmocka_unit_test(odd_times),
    };

    return cmocka_run_group_tests_name("rdata time", tests, NULL, NULL);
}
