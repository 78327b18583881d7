/* RFC 9471: a referral has all glue below its cut, or TC. */
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
                 "@ RRSIG SOA 8 1 3600 20300101000000 20200101000000 1 @ AAAA\n"
                 /* in-domain, 2.1: below the cut, at any depth, and the cut itself */
                 "in NS ns.in\nin NS a.b.in\nin NS in\nns.in A 192.0.2.2\n"
                 "ns.in AAAA 2001:db8::2\na.b.in A 192.0.2.3\nin A 192.0.2.4\n"
                 /* siblings, 2.2 and 2.3: each is the other's */
                 "bar NS ns.foo\nfoo NS ns.bar\nns.foo A 192.0.2.5\nns.bar A 192.0.2.6\n"
                 "none NS ns.none\nfar NS ns.far.invalid.\n"
                 "many NS many\nmany A 192.0.2.7\n$GENERATE 1-10 many NS ns$.many\n"
                 "$GENERATE 1-10 ns$.many A 192.0.2.1$\n"
                 "$GENERATE 1-10 ns$.many AAAA 2001:db8::$\n"
                 "$GENERATE 1-10 sib NS ns$.many\n"},
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

static void test_in_domain(void **state)
{
    static const struct answer_case cases[] = {
        {"www.in.example.", "A",
         "NOERROR\nns in.example. 3600 IN NS a.b.in.example.\nns in.example. 3600 IN NS "
         "in.example.\n"
         "ns in.example. 3600 IN NS ns.in.example.\nar a.b.in.example. 3600 IN A 192.0.2.3\n"
         "ar in.example. 3600 IN A 192.0.2.4\nar ns.in.example. 3600 IN A 192.0.2.2\n"
         "ar ns.in.example. 3600 IN AAAA 2001:db8::2\n"},
        {"x.none.example.", "A", /* there is none to give */
         "NOERROR\nns none.example. 3600 IN NS ns.none.example.\n"},
        {"x.far.example.", "A", "NOERROR\nns far.example. 3600 IN NS ns.far.invalid.\n"},
    };

    (void)state;
    answer_check_all(&world, CASES(cases));
}

/* 3.2: optional, but without it nobody finds either of these two. */
static void test_siblings(void **state)
{
    static const struct answer_case cases[] = {
        {"x.bar.example.", "A",
         "NOERROR\nns bar.example. 3600 IN NS ns.foo.example.\n"
         "ar ns.foo.example. 3600 IN A 192.0.2.5\n"},
        {"x.foo.example.", "A",
         "NOERROR\nns foo.example. 3600 IN NS ns.bar.example.\n"
         "ar ns.bar.example. 3600 IN A 192.0.2.6\n"},
    };

    (void)state;
    answer_check_all(&world, CASES(cases));
}

static unsigned lines_with(const char *text, const char *what)
{
    unsigned n = 0;

    for (const char *p = text; (p = strstr(p, what)); p++)
        n++;
    return n;
}

/* 3.1: at each size all 21 addresses, or TC. */
static void test_room(void **state)
{
    struct ask q = {.qname = "x.many.example.", .qtype = "A", .edns = true};
    unsigned whole = 0, cut_off = 0;

    (void)state;
    for (q.udp_size = 512; q.udp_size <= 1232; q.udp_size++) {
        char *text = ask_text(world.a, &q);
        bool tc = strncmp(text, "NOERROR tc\n", 11) == 0;

        assert_int_equal(lines_with(text, "\nns many.example."), 11);
        if (!tc)
            assert_int_equal(lines_with(text, "\nar "), 21);
        whole += !tc;
        cut_off += tc;
        free(text);
    }
    assert_true(whole > 100 && cut_off > 10);
}

/* 3.2: a sibling's addresses may be missing, without TC. */
static void test_priority(void **state)
{
    struct ask q = {.qname = "x.sib.example.", .qtype = "A", .edns = true};

    (void)state;
    for (q.udp_size = 512; q.udp_size <= 1232; q.udp_size += 8) {
        char *text = ask_text(world.a, &q);

        assert_memory_equal(text, "NOERROR\n", 8);
        assert_int_equal(lines_with(text, "\nns sib.example."), 10);
        free(text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_in_domain),
        cmocka_unit_test(test_siblings),
        cmocka_unit_test(test_room),
        cmocka_unit_test(test_priority),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
