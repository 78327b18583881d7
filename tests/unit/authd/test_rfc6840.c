/* RFC 6840 5: what a server makes of AD, CD and DO; 4.x: what it must not prove with. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/tools/answer_cases.h"

static const char *const zones[][2] = {
    {"example.", "@ 3600 SOA ns1 host 7 3600 900 604800 300\n@ NS ns1\nns1 A 192.0.2.1\n"
                 "@ NSEC ns1 NS SOA RRSIG NSEC\nns1 NSEC sub A RRSIG NSEC\n"
                 "sub NS ns1\nsub NSEC x NS RRSIG NSEC\nx DNAME ns1\nx NSEC @ DNAME RRSIG NSEC\n"
                 "ns1 RRSIG A 8 2 3600 20300101000000 20200101000000 1 @ AAAA\n"},
};

#define NS1 "an ns1.example. 3600 IN A 192.0.2.1\n"
#define NS1_SIG                                                                                    \
    "an ns1.example. 3600 IN RRSIG A 8 2 3600 20300101000000 20200101000000 1 example. AAAA\n"

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

/* 5.7 to 5.9: AD is a validator's to set, CD and DO come back as they were asked with. */
static void test_flags(void **state)
{
    struct ask q = {.qname = "ns1.example.", .qtype = "A", .flags = MSG_AD};

    (void)state;
    answer_check(&world, &q, "NOERROR aa\n" NS1);
    q.flags = MSG_AD | MSG_CD;
    answer_check(&world, &q, "NOERROR aa cd\n" NS1);
    q.edns = true;
    answer_check(&world, &q, "NOERROR aa cd\n" NS1 "opt 1232\n");
    q.dnssec = true;
    answer_check(&world, &q, "NOERROR aa cd\n" NS1 NS1_SIG "opt 1232 do\n");
    q.flags = MSG_AD;
    answer_check(&world, &q, "NOERROR aa\n" NS1 NS1_SIG "opt 1232 do\n");
}

/* 4.1: the NSEC of a cut or of a DNAME shows nothing about what is below it, and is not used so. */
static void test_ancestors(void **state)
{
    static const struct answer_case cases[] = {
        {"y.sub.example.", "A", "NOERROR sub"},  /* a referral: there is no DS */
        {"sub.example.", "DS", "NOERROR sub"},   /* from the parent, with AA */
        {"y.x.example.", "A", "NXDOMAIN ns1"},   /* redirected: what is denied is y.ns1 */
        {"suc.example.", "A", "NXDOMAIN sub @"}, /* behind it, not below it */
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        answer_check_proofs(&world, &cases[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_flags),
        cmocka_unit_test(test_ancestors),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
