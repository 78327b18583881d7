/* RFC 3597: types that nobody knows are data like others. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/tools/answer_cases.h"

#define SOA "@ 3600 SOA ns1 host 7 3600 900 604800 300\n@ NS ns1\nns1 A 192.0.2.1\n"
#define SOA_OUT(zone) "ns " zone " 300 IN SOA ns1." zone " host." zone " 7 3600 900 604800 300\n"
#define FOUND "NOERROR aa\n"

static const char *const zones[][2] = {
    {"example.", SOA "odd TYPE65280 \\# 4 c00cc00c\nodd TYPE1 \\# 4 c0000250\n"
                     "odd TYPE65534 \\# 0\n*.w TYPE731 \\# 6 abcdef012345\nalias CNAME odd\n"},
};

static struct answer_world world;

static int setup(void **state)
{
    (void)state;
    world = answer_world_of(zones, sizeof(zones) / sizeof(zones[0]));
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    answer_world_done(&world);
    return 0;
}

/* 3: opaque, so what looks like a pointer stays; 5: TYPE1 is A. */
static void test_unknown_types(void **state)
{
    static const struct answer_case cases[] = {
        {"odd.example.", "TYPE65280", FOUND "an odd.example. 3600 IN TYPE65280 \\# 4 C00CC00C\n"},
        {"odd.example.", "TYPE65534", FOUND "an odd.example. 3600 IN TYPE65534 \\# 0\n"},
        {"odd.example.", "A", FOUND "an odd.example. 3600 IN A 192.0.2.80\n"},
        {"odd.example.", "TYPE1", FOUND "an odd.example. 3600 IN A 192.0.2.80\n"},
        {"x.w.example.", "TYPE731", FOUND "an x.w.example. 3600 IN TYPE731 \\# 6 ABCDEF012345\n"},
        {"alias.example.", "TYPE65280",
         FOUND "an alias.example. 3600 IN CNAME odd.example.\n"
               "an odd.example. 3600 IN TYPE65280 \\# 4 C00CC00C\n"},
        {"odd.example.", "TYPE65281", FOUND SOA_OUT("example.")},
        {"odd.example.", "TYPE0", FOUND SOA_OUT("example.")},
        {"no.example.", "TYPE65280", "NXDOMAIN aa\n" SOA_OUT("example.")},
    };

    (void)state;
    answer_check_all(&world, CASES(cases));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_unknown_types),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
