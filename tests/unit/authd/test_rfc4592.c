/* RFC 4592: what wildcards stand for. The zone is that of 2.2.1, with an address for its servers
 * and with what 4.x adds. */
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
    {"example.", SOA "* TXT \"this is a wildcard\"\n* MX 10 host1\n"
                     "sub.* TXT \"this is not a wildcard\"\nhost1 A 192.0.2.2\n"
                     "_ssh._tcp.host1 SRV 0 0 22 host1\n_ssh._tcp.host2 SRV 0 0 22 host2\n"
                     "subdel NS ns1\nsubdel NS ns.example.net.\n"
                     /* 4.4, 4.5 and wildcards that are deeper */
                     "*.alias CNAME host1\n*.chain CNAME x.alias\n*.self CNAME y.self\n"
                     "there.alias TXT \"there\"\n*.*.two A 192.0.2.3\n*.a.*.mid A 192.0.2.4\n"
                     "xx*yy.odd A 192.0.2.5\n**.odd A 192.0.2.6\n"},
};

#define STAR_MX(name)                                                                              \
    "an " name " 3600 IN MX 10 host1.example.\nar host1.example. 3600 IN A 192.0.2.2\n"

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

/* 2.2.1: the seven and one of the text. */
static void test_examples(void **state)
{
    static const struct answer_case cases[] = {
        {"host3.example.", "MX", FOUND STAR_MX("host3.example.")},
        {"host3.example.", "A", FOUND SOA_OUT("example.")},
        {"foo.bar.example.", "TXT",
         FOUND "an foo.bar.example. 3600 IN TXT \"this is a wildcard\"\n"},
        {"host1.example.", "MX", FOUND SOA_OUT("example.")},
        {"sub.*.example.", "MX", FOUND SOA_OUT("example.")},
        {"_telnet._tcp.host1.example.", "SRV", "NXDOMAIN aa\n" SOA_OUT("example.")},
        {"host.subdel.example.", "A",
         "NOERROR\nns subdel.example. 3600 IN NS ns.example.net.\n"
         "ns subdel.example. 3600 IN NS ns1.example.\nar ns1.example. 3600 IN A 192.0.2.1\n"},
        {"ghost.*.example.", "MX", "NXDOMAIN aa\n" SOA_OUT("example.")},
    };

    (void)state;
    answer_check_all(&world, CASES(cases));
}

/* 2.2.2 and 2.2.3: a name exists if anything is at or below it, and then no wildcard stands for it.
 */
static void test_existence(void **state)
{
    static const struct answer_case cases[] = {
        {"host2.example.", "MX", FOUND SOA_OUT("example.")},
        {"_tcp.host2.example.", "TXT", FOUND SOA_OUT("example.")},
        {"x.host2.example.", "MX", "NXDOMAIN aa\n" SOA_OUT("example.")},
        {"two.example.", "MX", FOUND SOA_OUT("example.")},
        {"*.two.example.", "A", FOUND SOA_OUT("example.")},
        {"x.two.example.", "A", FOUND SOA_OUT("example.")}, /* "*.two" owns nothing */
        {"x.*.two.example.", "A", FOUND "an x.*.two.example. 3600 IN A 192.0.2.3\n"},
        {"x.y.two.example.", "A", FOUND SOA_OUT("example.")},
        {"x.mid.example.", "A", FOUND SOA_OUT("example.")},
        {"b.a.*.mid.example.", "A", FOUND "an b.a.*.mid.example. 3600 IN A 192.0.2.4\n"},
        {"*.example.", "MX", FOUND STAR_MX("*.example.")}, /* 2.1.3: as any other name */
        {"*.host3.example.", "MX", FOUND STAR_MX("*.host3.example.")},
        {"x.*.host3.example.", "MX", FOUND STAR_MX("x.*.host3.example.")},
    };

    (void)state;
    answer_check_all(&world, CASES(cases));
}

/* 4.4: the owner of the CNAME becomes the name that was asked for, and the search goes on. */
static void test_aliases(void **state)
{
    static const struct answer_case cases[] = {
        {"x.alias.example.", "A",
         FOUND "an x.alias.example. 3600 IN CNAME host1.example.\n"
               "an host1.example. 3600 IN A 192.0.2.2\n"},
        {"x.alias.example.", "CNAME", FOUND "an x.alias.example. 3600 IN CNAME host1.example.\n"},
        {"y.chain.example.", "A",
         FOUND "an y.chain.example. 3600 IN CNAME x.alias.example.\n"
               "an x.alias.example. 3600 IN CNAME host1.example.\n"
               "an host1.example. 3600 IN A 192.0.2.2\n"},
        {"there.alias.example.", "A", FOUND SOA_OUT("example.")},
        {"q.self.example.", "A",
         FOUND "an q.self.example. 3600 IN CNAME y.self.example.\n"
               "an y.self.example. 3600 IN CNAME y.self.example.\n"},
    };

    (void)state;
    answer_check_all(&world, CASES(cases));
}

/* 2.1.1: the asterisk is a whole label. */
static void test_only_the_leftmost_label(void **state)
{
    static const struct answer_case cases[] = {
        {"xxzyy.odd.example.", "A", "NXDOMAIN aa\n" SOA_OUT("example.")},
        {"xx*yy.odd.example.", "A", FOUND "an xx*yy.odd.example. 3600 IN A 192.0.2.5\n"},
        {"a.odd.example.", "A", "NXDOMAIN aa\n" SOA_OUT("example.")},
        {"**.odd.example.", "A", FOUND "an **.odd.example. 3600 IN A 192.0.2.6\n"},
    };

    (void)state;
    answer_check_all(&world, CASES(cases));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_examples),
        cmocka_unit_test(test_existence),
        cmocka_unit_test(test_aliases),
        cmocka_unit_test(test_only_the_leftmost_label),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
