/* RFC 1034 4.3.2: the algorithm of a name server, over zones that lie inside one another. */
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
    {"example.",
     SOA "www A 192.0.2.80\n"
         "child NS ns.child\nns.child A 192.0.2.66\nwww.child A 192.0.2.67\n"
         "far NS ns.far\nns.far A 192.0.2.68\nunder.ns.far A 192.0.2.69\n"
         "a CNAME b\nb CNAME www\nto-child CNAME www.child\nto-far CNAME x.far\n"
         "to-below CNAME www.grand.child\nround CNAME square\nsquare CNAME round\n"
         "mx MX 10 www\nmx MX 20 ns.child\nmx MX 30 ns.far\nmx MX 40 nowhere.invalid.\n"},
    {"child.example.", SOA "www A 192.0.2.81\nns A 192.0.2.82\nup CNAME a.example.\n"},
    {"grand.child.example.", SOA "www A 192.0.2.83\n"},
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

/* Step 2: the zone is the nearest ancestor of the name, whatever the ones above say about it. */
static void test_nearest_zone(void **state)
{
    static const struct answer_case cases[] = {
        {"www.example.", "A", FOUND "an www.example. 3600 IN A 192.0.2.80\n"},
        {"www.child.example.", "A", FOUND "an www.child.example. 3600 IN A 192.0.2.81\n"},
        {"ns.child.example.", "A", FOUND "an ns.child.example. 3600 IN A 192.0.2.82\n"},
        {"www.grand.child.example.", "A",
         FOUND "an www.grand.child.example. 3600 IN A 192.0.2.83\n"},
        {"child.example.", "SOA",
         FOUND "an child.example. 3600 IN SOA ns1.child.example. host.child.example. 7 3600 900 "
               "604800 300\n"},
        {"no.child.example.", "A", "NXDOMAIN aa\n" SOA_OUT("child.example.")},
        {"no.grand.child.example.", "A", "NXDOMAIN aa\n" SOA_OUT("grand.child.example.")},
        {"grand.child.example.", "A", FOUND SOA_OUT("grand.child.example.")},
        {"example.test.", "A", "REFUSED\n"},
        {".", "SOA", "REFUSED\n"},
    };

    (void)state;
    answer_check_all(&world, CASES(cases));
}

/* Step 3b: at a cut and below it there is a referral, glue included, and no data. */
static void test_cuts(void **state)
{
    static const struct answer_case cases[] = {
        {"far.example.", "A",
         "NOERROR\nns far.example. 3600 IN NS ns.far.example.\n"
         "ar ns.far.example. 3600 IN A 192.0.2.68\n"},
        {"ns.far.example.", "A",
         "NOERROR\nns far.example. 3600 IN NS ns.far.example.\n"
         "ar ns.far.example. 3600 IN A 192.0.2.68\n"},
        {"under.ns.far.example.", "A",
         "NOERROR\nns far.example. 3600 IN NS ns.far.example.\n"
         "ar ns.far.example. 3600 IN A 192.0.2.68\n"},
        {"far.example.", "NS",
         "NOERROR\nns far.example. 3600 IN NS ns.far.example.\n"
         "ar ns.far.example. 3600 IN A 192.0.2.68\n"},
        {"no.far.example.", "ANY",
         "NOERROR\nns far.example. 3600 IN NS ns.far.example.\n"
         "ar ns.far.example. 3600 IN A 192.0.2.68\n"},
    };

    (void)state;
    answer_check_all(&world, CASES(cases));
}

/* Step 3a: an alias begins the search again, in all zones; 3.6.2: once round a circle. */
static void test_aliases(void **state)
{
    static const struct answer_case cases[] = {
        {"a.example.", "A",
         FOUND "an a.example. 3600 IN CNAME b.example.\nan b.example. 3600 IN CNAME "
               "www.example.\nan www.example. 3600 IN A 192.0.2.80\n"},
        {"a.example.", "CNAME", FOUND "an a.example. 3600 IN CNAME b.example.\n"},
        {"to-child.example.", "A",
         FOUND "an to-child.example. 3600 IN CNAME www.child.example.\n"
               "an www.child.example. 3600 IN A 192.0.2.81\n"},
        {"to-below.example.", "A",
         FOUND "an to-below.example. 3600 IN CNAME www.grand.child.example.\n"
               "an www.grand.child.example. 3600 IN A 192.0.2.83\n"},
        {"up.child.example.", "A",
         FOUND "an up.child.example. 3600 IN CNAME a.example.\nan a.example. 3600 IN CNAME "
               "b.example.\nan b.example. 3600 IN CNAME www.example.\n"
               "an www.example. 3600 IN A 192.0.2.80\n"},
        {"to-far.example.", "A", /* 4.1.1: AA is of the first name */
         FOUND "an to-far.example. 3600 IN CNAME x.far.example.\n"
               "ns far.example. 3600 IN NS ns.far.example.\n"
               "ar ns.far.example. 3600 IN A 192.0.2.68\n"},
        {"round.example.", "A",
         FOUND "an round.example. 3600 IN CNAME square.example.\n"
               "an square.example. 3600 IN CNAME round.example.\n"},
    };

    (void)state;
    answer_check_all(&world, CASES(cases));
}

/* Step 6: addresses from the zone that has the name, not from glue; nothing for names we lack. */
static void test_additional(void **state)
{
    static const struct answer_case cases[] = {
        {"mx.example.", "MX",
         FOUND "an mx.example. 3600 IN MX 10 www.example.\nan mx.example. 3600 IN MX 20 "
               "ns.child.example.\nan mx.example. 3600 IN MX 30 ns.far.example.\n"
               "an mx.example. 3600 IN MX 40 nowhere.invalid.\n"
               "ar www.example. 3600 IN A 192.0.2.80\nar ns.child.example. 3600 IN A 192.0.2.82\n"
               "ar ns.far.example. 3600 IN A 192.0.2.68\n"},
        {"child.example.", "NS",
         FOUND "an child.example. 3600 IN NS ns1.child.example.\n"
               "ar ns1.child.example. 3600 IN A 192.0.2.1\n"},
    };

    (void)state;
    answer_check_all(&world, CASES(cases));
}

/* 4.3.1: no recursion here, whatever is desired. */
static void test_header(void **state)
{
    struct ask q = {.qname = "www.example.", .qtype = "A", .flags = MSG_RD};

    (void)state;
    answer_check(&world, &q, "NOERROR aa rd\nan www.example. 3600 IN A 192.0.2.80\n");
    q.flags = MSG_RD | MSG_RA | MSG_AA;
    answer_check(&world, &q, "NOERROR aa rd\nan www.example. 3600 IN A 192.0.2.80\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nearest_zone), cmocka_unit_test(test_cuts),
        cmocka_unit_test(test_aliases),      cmocka_unit_test(test_additional),
        cmocka_unit_test(test_header),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
