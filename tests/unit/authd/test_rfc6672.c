/* RFC 6672: DNAME and the CNAMEs it makes. */
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

#define LONG                                                                                       \
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa."                              \
    "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb."                              \
    "cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc."
#define SIG " 8 2 60 20300101000000 20200101000000 1 example. AAAA\n"

static const char *const zones[][2] = {
    {"example.", SOA "frobozz 60 DNAME target.\nfrobozz 60 RRSIG DNAME" SIG "frobozz A 192.0.2.5\n"
                     "long DNAME " LONG "\nfirst DNAME frobozz\nhere DNAME ns1\nroot DNAME .\n"
                     "deep.er DNAME target.\nself DNAME x.self\n*.w DNAME target.\n"},
    {"target.", SOA "www A 192.0.2.80\nalias CNAME www\n*.star A 192.0.2.81\na.b A 192.0.2.82\n"},
    {"apex.", "@ 3600 SOA ns1.target. host 7 3600 900 604800 300\n@ NS ns1.target.\n@ 60 DNAME "
              "target.\n@ A 192.0.2.7\n"},
};

#define DNAME_OUT "an frobozz.example. 60 IN DNAME target.\n"

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

/* 2.2 and 3.1: the CNAME has the DNAME's TTL; nothing is below the owner (2.4). */
static void test_synthesis(void **state)
{
    static const struct answer_case cases[] = {
        {"www.frobozz.example.", "A",
         FOUND DNAME_OUT "an www.frobozz.example. 60 IN CNAME www.target.\n"
                         "an www.target. 3600 IN A 192.0.2.80\n"},
        {"WwW.frobozz.example.", "A", /* 3.1: the part in front stays as it is */
         FOUND DNAME_OUT "an WwW.frobozz.example. 60 IN CNAME WwW.target.\n"
                         "an WwW.target. 3600 IN A 192.0.2.80\n"},
        {"a.b.frobozz.example.", "A",
         FOUND DNAME_OUT "an a.b.frobozz.example. 60 IN CNAME a.b.target.\n"
                         "an a.b.target. 3600 IN A 192.0.2.82\n"},
        {"no.frobozz.example.", "NS",
         "NXDOMAIN aa\n" DNAME_OUT
         "an no.frobozz.example. 60 IN CNAME no.target.\n" SOA_OUT("target.")},
        {"x.star.frobozz.example.", "A",
         FOUND DNAME_OUT "an x.star.frobozz.example. 60 IN CNAME x.star.target.\n"
                         "an x.star.target. 3600 IN A 192.0.2.81\n"},
        {"www.frobozz.example.", "CNAME",
         FOUND DNAME_OUT "an www.frobozz.example. 60 IN CNAME www.target.\n"},
        {"www.frobozz.example.", "DNAME",
         FOUND DNAME_OUT "an www.frobozz.example. 60 IN CNAME www.target.\n" SOA_OUT("target.")},
        {"www.deep.er.example.", "A",
         FOUND "an deep.er.example. 3600 IN DNAME target.\n"
               "an www.deep.er.example. 3600 IN CNAME www.target.\n"
               "an www.target. 3600 IN A 192.0.2.80\n"},
    };

    (void)state;
    answer_check_all(&world, CASES(cases));
}

/* 2.3: the owner itself is not redirected. */
static void test_owner(void **state)
{
    static const struct answer_case cases[] = {
        {"frobozz.example.", "A", FOUND "an frobozz.example. 3600 IN A 192.0.2.5\n"},
        {"frobozz.example.", "MX", FOUND SOA_OUT("example.")},
        {"frobozz.example.", "DNAME", FOUND DNAME_OUT},
        {"er.example.", "A", FOUND SOA_OUT("example.")},
        {"x.er.example.", "A", "NXDOMAIN aa\n" SOA_OUT("example.")},
        /* 3.3: of a wildcard it is data like other data. */
        {"x.w.example.", "DNAME", FOUND "an x.w.example. 3600 IN DNAME target.\n"},
        {"x.w.example.", "A", FOUND SOA_OUT("example.")},
    };

    (void)state;
    answer_check_all(&world, CASES(cases));
}

static void test_apex(void **state)
{
    static const struct answer_case cases[] = {
        {"apex.", "A", FOUND "an apex. 3600 IN A 192.0.2.7\n"},
        {"apex.", "SOA",
         FOUND "an apex. 3600 IN SOA ns1.target. host.apex. 7 3600 900 604800 300\n"},
        {"www.apex.", "A",
         FOUND "an apex. 60 IN DNAME target.\nan www.apex. 60 IN CNAME www.target.\n"
               "an www.target. 3600 IN A 192.0.2.80\n"},
        {"apex.", "NS", /* 2.3: beside the DNAME */
         FOUND "an apex. 3600 IN NS ns1.target.\nar ns1.target. 3600 IN A 192.0.2.1\n"},
    };

    (void)state;
    answer_check_all(&world, CASES(cases));
}

static void test_chains(void **state)
{
    static const struct answer_case cases[] = {
        {"alias.first.example.", "A",
         FOUND "an first.example. 3600 IN DNAME frobozz.example.\n"
               "an alias.first.example. 3600 IN CNAME alias.frobozz.example.\n" DNAME_OUT
               "an alias.frobozz.example. 60 IN CNAME alias.target.\n"
               "an alias.target. 3600 IN CNAME www.target.\n"
               "an www.target. 3600 IN A 192.0.2.80\n"},
        {"x.here.example.", "A",
         "NXDOMAIN aa\nan here.example. 3600 IN DNAME ns1.example.\n"
         "an x.here.example. 3600 IN CNAME x.ns1.example.\n" SOA_OUT("example.")},
    };

    (void)state;
    answer_check_all(&world, CASES(cases));
}

static void test_names_that_fit(void **state)
{
    static const struct answer_case cases[] = {
        {"www.target.root.example.", "A",
         FOUND "an root.example. 3600 IN DNAME .\n"
               "an www.target.root.example. 3600 IN CNAME www.target.\n"
               "an www.target. 3600 IN A 192.0.2.80\n"},
        {"wwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwww.long.example.",
         "A", /* 61 + 1 + 189 + 1: the longest name there can be has 255 */
         FOUND "an long.example. 3600 IN DNAME " LONG "\n"
               "an wwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwww.long.example. "
               "3600 IN CNAME "
               "wwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwww." LONG "\n"},
    };

    (void)state;
    answer_check_all(&world, CASES(cases));
}

/* 2.2: YXDOMAIN, with the DNAME that is to blame. */
static void test_too_long(void **state)
{
    static const struct answer_case cases[] = {
        {"x.wwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwww.long.example.", "A",
         "YXDOMAIN aa\nan long.example. 3600 IN DNAME " LONG "\n"},
        {"wwwwwwwwwwwwwwwwwwwwwwwwwwwwwwww.wwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwww.long.example.",
         "CNAME", "YXDOMAIN aa\nan long.example. 3600 IN DNAME " LONG "\n"},
    };

    (void)state;
    answer_check_all(&world, CASES(cases));
}

/* 5.3.1: the CNAME has no signature, the DNAME has. */
static void test_signed(void **state)
{
    (void)state;
    answer_check(&world,
                 &(struct ask){.qname = "www.frobozz.example.",
                               .qtype = "A",
                               .tcp = true,
                               .edns = true,
                               .dnssec = true},
                 FOUND DNAME_OUT "an frobozz.example. 60 IN RRSIG DNAME 8 2 60 20300101000000 "
                                 "20200101000000 1 example. AAAA\n"
                                 "an www.frobozz.example. 60 IN CNAME www.target.\n"
                                 "an www.target. 3600 IN A 192.0.2.80\nopt 1232 do\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_synthesis),      cmocka_unit_test(test_owner),
        cmocka_unit_test(test_apex),           cmocka_unit_test(test_chains),
        cmocka_unit_test(test_names_that_fit), cmocka_unit_test(test_too_long),
        cmocka_unit_test(test_signed),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
