/* RFC 8482: ANY gives one RRset of those that are there. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/tools/answer_cases.h"

#define SIG " 8 2 3600 20300101000000 20200101000000 1 @ AAAA\n"

static const char *const zones[][2] = {
    {"example.", "@ 3600 SOA ns1 host 7 3600 900 604800 300\n@ NS ns1\nns1 A 192.0.2.1\n"
                 "@ NSEC ns1 NS SOA RRSIG NSEC\n"
                 "www A 192.0.2.80\nwww A 192.0.2.81\nwww AAAA 2001:db8::80\nwww TXT \"t\"\n"
                 "www RRSIG A" SIG "www RRSIG AAAA" SIG "www RRSIG TXT" SIG
                 "www NSEC @ A AAAA TXT RRSIG NSEC\nns1 NSEC www A RRSIG NSEC\n"
                 "sec RRSIG NSEC" SIG "sec NSEC www RRSIG NSEC\n"
                 "c CNAME www\n*.w MX 1 www\n*.w TXT \"star\"\na.ent A 192.0.2.3\n"
                 "sub NS ns.invalid.\nd DNAME w\n"},
};

#define SOA_OUT "ns example. 300 IN SOA ns1.example. host.example. 7 3600 900 604800 300\n"
#define WWW "an www.example. 3600 IN A 192.0.2.80\nan www.example. 3600 IN A 192.0.2.81\n"

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

static void test_one_rrset(void **state)
{
    static const struct answer_case cases[] = {
        {"www.example.", "ANY", "NOERROR aa\n" WWW}, /* 4.1 */
        {"c.example.", "ANY", "NOERROR aa\nan c.example. 3600 IN CNAME www.example.\n"},
        {"x.w.example.", "ANY",
         "NOERROR aa\nan x.w.example. 3600 IN MX 1 www.example.\n"
         "ar www.example. 3600 IN A 192.0.2.80\nar www.example. 3600 IN A 192.0.2.81\n"
         "ar www.example. 3600 IN AAAA 2001:db8::80\n"},
        {"d.example.", "ANY", "NOERROR aa\nan d.example. 3600 IN DNAME w.example.\n"},
        /* What is not there is denied as ever. */
        {"no.example.", "ANY", "NXDOMAIN aa\n" SOA_OUT},
        {"ent.example.", "ANY", "NOERROR aa\n" SOA_OUT},
        {"sub.example.", "ANY", "NOERROR\nns sub.example. 3600 IN NS ns.invalid.\n"},
        {"x.invalid.", "ANY", "REFUSED\n"},
        /* Proofs are what is left if a name has nothing else. */
        {"sec.example.", "ANY",
         "NOERROR aa\nan sec.example. 3600 IN RRSIG NSEC 8 2 3600 20300101000000 20200101000000 1 "
         "example. AAAA\n"},
    };

    (void)state;
    answer_check_all(&world, CASES(cases));
}

/* 4.4: nothing more by TCP; with DO the RRset's signature. */
static void test_both_transports_and_do(void **state)
{
    struct ask q = {.qname = "www.example.", .qtype = "ANY"};

    (void)state;
    answer_check(&world, &q, "NOERROR aa\n" WWW);
    q.edns = q.dnssec = true;
    answer_check(&world, &q,
                 "NOERROR aa\n" WWW "an www.example. 3600 IN RRSIG A 8 2 3600 20300101000000 "
                 "20200101000000 1 example. AAAA\nopt 1232 do\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_rrset),
        cmocka_unit_test(test_both_transports_and_do),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
