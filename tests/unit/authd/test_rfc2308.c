/* RFC 2308: negative answers carry the SOA of the zone that knows, with the lesser of its TTL and
 * MINIMUM. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/tools/answer_cases.h"

#define SIG " 8 1 900 20300101000000 20200101000000 1 @ AAAA\n"

static const char *const zones[][2] = {
    {"example.", "@ 900 SOA ns1 host 7 3600 900 604800 300\n@ NS ns1\nns1 A 192.0.2.1\n"
                 "@ 900 RRSIG SOA" SIG "www A 192.0.2.80\na.b.ent A 192.0.2.3\n"
                 "gone CNAME no.www\nbare CNAME www\nother CNAME no.other.\n"
                 "other2 CNAME ns1.other.\n"},
    {"other.", "@ 60 SOA ns1 host 7 3600 900 604800 86400\n@ 3600 NS ns1\n"
               "ns1 3600 A 192.0.2.1\n"},
    {"zero.", "@ 60 SOA ns1 host 7 3600 900 604800 0\n@ 3600 NS ns1\nns1 3600 A 192.0.2.1\n"},
};

#define SOA_OUT "ns example. 300 IN SOA ns1.example. host.example. 7 3600 900 604800 300\n"
#define OTHER_OUT "ns other. 60 IN SOA ns1.other. host.other. 7 3600 900 604800 86400\n"

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

/* 2.1 and 3: type 2, SOA alone, no NS. */
static void test_no_name(void **state)
{
    static const struct answer_case cases[] = {
        {"no.example.", "A", "NXDOMAIN aa\n" SOA_OUT},
        {"no.www.example.", "SOA", "NXDOMAIN aa\n" SOA_OUT},
        {"no.other.", "A", "NXDOMAIN aa\n" OTHER_OUT}, /* the SOA's TTL is the lesser */
        {"no.zero.", "A",
         "NXDOMAIN aa\nns zero. 0 IN SOA ns1.zero. host.zero. 7 3600 900 604800 0\n"},
    };

    (void)state;
    answer_check_all(&world, CASES(cases));
}

/* 2.2: NODATA. */
static void test_no_type(void **state)
{
    static const struct answer_case cases[] = {
        {"www.example.", "AAAA", "NOERROR aa\n" SOA_OUT},
        {"www.example.", "SOA", "NOERROR aa\n" SOA_OUT},
        {"example.", "MX", "NOERROR aa\n" SOA_OUT},
        {"ent.example.", "A", "NOERROR aa\n" SOA_OUT},
        {"b.ent.example.", "NS", "NOERROR aa\n" SOA_OUT},
        {"ns1.other.", "AAAA", "NOERROR aa\n" OTHER_OUT},
        {"example.", "SOA", /* asked for, it has its own TTL */
         "NOERROR aa\nan example. 900 IN SOA ns1.example. host.example. 7 3600 900 604800 300\n"},
    };

    (void)state;
    answer_check_all(&world, CASES(cases));
}

/* 2.1 and 2.2: the SOA is of the zone where the last name would be. */
static void test_behind_aliases(void **state)
{
    static const struct answer_case cases[] = {
        {"gone.example.", "A",
         "NXDOMAIN aa\nan gone.example. 3600 IN CNAME no.www.example.\n" SOA_OUT},
        {"bare.example.", "MX",
         "NOERROR aa\nan bare.example. 3600 IN CNAME www.example.\n" SOA_OUT},
        {"other.example.", "A",
         "NXDOMAIN aa\nan other.example. 3600 IN CNAME no.other.\n" OTHER_OUT},
        {"other2.example.", "AAAA",
         "NOERROR aa\nan other2.example. 3600 IN CNAME ns1.other.\n" OTHER_OUT},
    };

    (void)state;
    answer_check_all(&world, CASES(cases));
}

/* An RRset and its signature have one TTL (RFC 4034 3). */
static void test_signature_too(void **state)
{
    (void)state;
    answer_check(
        &world,
        &(struct ask){
            .qname = "no.example.", .qtype = "A", .tcp = true, .edns = true, .dnssec = true},
        "NXDOMAIN aa\n" SOA_OUT "ns example. 300 IN RRSIG SOA 8 1 900 20300101000000 "
        "20200101000000 1 example. AAAA\nopt 1232 do\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_name),
        cmocka_unit_test(test_no_type),
        cmocka_unit_test(test_behind_aliases),
        cmocka_unit_test(test_signature_too),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
