/* RFC 6604: behind aliases AA is of the first name, the rcode of the last. */
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
    {"example.", SOA "www A 192.0.2.80\na CNAME b\nb CNAME no\nc CNAME www\n"
                     "d CNAME no.other.\ne CNAME x.far\nfar NS ns.invalid.\nf CNAME x.invalid.\n"
                     "g DNAME other.\nh CNAME no.g\n*.i CNAME no\n"},
    {"other.", SOA "back CNAME no.example.\n"},
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

static void test_rcode(void **state)
{
    static const struct answer_case cases[] = {
        {"a.example.", "A",
         "NXDOMAIN aa\nan a.example. 3600 IN CNAME b.example.\n"
         "an b.example. 3600 IN CNAME no.example.\n" SOA_OUT("example.")},
        {"c.example.", "A",
         FOUND "an c.example. 3600 IN CNAME www.example.\n"
               "an www.example. 3600 IN A 192.0.2.80\n"},
        {"c.example.", "MX",
         FOUND "an c.example. 3600 IN CNAME www.example.\n" SOA_OUT("example.")},
        {"d.example.", "A",
         "NXDOMAIN aa\nan d.example. 3600 IN CNAME no.other.\n" SOA_OUT("other.")},
        {"back.other.", "A",
         "NXDOMAIN aa\nan back.other. 3600 IN CNAME no.example.\n" SOA_OUT("example.")},
        {"e.example.", "A", /* whether it exists, others know */
         FOUND "an e.example. 3600 IN CNAME x.far.example.\n"
               "ns far.example. 3600 IN NS ns.invalid.\n"},
        {"f.example.", "A", FOUND "an f.example. 3600 IN CNAME x.invalid.\n"},
        {"no.g.example.", "A",
         "NXDOMAIN aa\nan g.example. 3600 IN DNAME other.\n"
         "an no.g.example. 3600 IN CNAME no.other.\n" SOA_OUT("other.")},
        {"h.example.", "A",
         "NXDOMAIN aa\nan h.example. 3600 IN CNAME no.g.example.\n"
         "an g.example. 3600 IN DNAME other.\n"
         "an no.g.example. 3600 IN CNAME no.other.\n" SOA_OUT("other.")},
        {"x.i.example.", "A",
         "NXDOMAIN aa\nan x.i.example. 3600 IN CNAME no.example.\n" SOA_OUT("example.")},
    };

    (void)state;
    answer_check_all(&world, CASES(cases));
}

static void test_types_that_end_at_the_alias(void **state)
{
    static const struct answer_case cases[] = {
        {"b.example.", "CNAME", FOUND "an b.example. 3600 IN CNAME no.example.\n"},
        {"b.example.", "ANY", FOUND "an b.example. 3600 IN CNAME no.example.\n"},
        {"no.g.example.", "CNAME",
         FOUND "an g.example. 3600 IN DNAME other.\nan no.g.example. 3600 IN CNAME no.other.\n"},
    };

    (void)state;
    answer_check_all(&world, CASES(cases));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rcode),
        cmocka_unit_test(test_types_that_end_at_the_alias),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
