/* RFC 4343: ASCII letters are equal in both cases, and nothing else is; what was asked comes back
 * as it was asked. */
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
    {"ExAmple.", SOA "WWW A 192.0.2.80\nc CNAME wWw\nd DNAME ExAmple.\n*.Star TXT \"*\"\n"
                     "\\225 A 192.0.2.1\n\\193 A 192.0.2.2\n@A A 192.0.2.3\n`a A 192.0.2.4\n"
                     "[ A 192.0.2.5\n"},
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

/* 3: matching; 4.1: the owner in the answer is the question's; targets are as in the zone. */
static void test_case(void **state)
{
    static const struct answer_case cases[] = {
        {"www.example.", "A", FOUND "an www.example. 3600 IN A 192.0.2.80\n"},
        {"wWw.EXAMPLE.", "A", FOUND "an wWw.EXAMPLE. 3600 IN A 192.0.2.80\n"},
        {"X.STAR.example.", "TXT", FOUND "an X.STAR.example. 3600 IN TXT \"*\"\n"},
        {"W\\087w.example.", "A",
         FOUND "an WWw.example. 3600 IN A 192.0.2.80\n"}, /* an escape is a letter */
        {"\\225.example.", "A", FOUND "an \\225.example. 3600 IN A 192.0.2.1\n"},
        {"\\193.example.", "A", FOUND "an \\193.example. 3600 IN A 192.0.2.2\n"}, /* 0xC1 is no A */
        {"\\@a.example.", "A", FOUND "an \\@a.example. 3600 IN A 192.0.2.3\n"},
        {"`A.example.", "A", FOUND "an `A.example. 3600 IN A 192.0.2.4\n"},
        {"[.example.", "A", FOUND "an [.example. 3600 IN A 192.0.2.5\n"},
        {"{.example.", "A",
         "NXDOMAIN aa\nns example. 300 IN SOA ns1.example. host.example. 7 3600 900 604800 300\n"},
    };

    (void)state;
    answer_check_all(&world, CASES(cases));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_case),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
