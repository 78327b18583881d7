/* RFC 8906 8: the questions by which servers are tried, and what is to come back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/dns/message_build.h"
#include "tests/tools/answer_cases.h"

static const char *const zones[][2] = {
    {"example.", "@ 3600 SOA ns1 host 7 3600 900 604800 300\n@ NS ns1\nns1 A 192.0.2.1\n"},
};

#define SOA_RR "SOA ns1.example. host.example. 7 3600 900 604800 300\n"
#define SOA_AN "an example. 3600 IN " SOA_RR
#define FOUND "NOERROR aa\n" SOA_AN

static uint8_t query[MSG_MAX_OCTETS], out[MSG_MAX_OCTETS];

/* The question, behind it an OPT with this TTL field and these options. */
static size_t with_opt(uint32_t ttl, const void *options, uint16_t n)
{
    size_t len = ask_build(query, &(struct ask){.qname = "example.", .qtype = "SOA", .edns = true});

    put_u32(query + len - 6, ttl);
    put_u16(query + len - 2, n);
    if (n > 0)
        memcpy(query + len, options, n);
    return len + n;
}

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

static void check_octets(size_t len, const char *want)
{
    for (unsigned stream = 0; stream < 2; stream++) { /* 8.1.6: TCP gives the same */
        struct answer_made made =
            answer_octets(world.a, plain_config(), query, len, stream, out, sizeof(out));
        char *got;

        assert_int_equal(made.action, ANSWER_SEND);
        got = answer_text(out, made.len);
        assert_string_equal(got, want);
        free(got);
    }
}

/* 8.1.1 to 8.1.4: a zone's SOA, a type that nobody knows, and flags. */
static void test_basic(void **state)
{
    struct ask q = {.qname = "example.", .qtype = "SOA"};

    (void)state;
    answer_check(&world, &q, FOUND);
    q.flags = MSG_RD;
    answer_check(&world, &q, "NOERROR aa rd\n" SOA_AN);
    q.flags = MSG_CD;
    answer_check(&world, &q, "NOERROR aa cd\n" SOA_AN);
    q.flags = MSG_AD;
    answer_check(&world, &q, FOUND);
    q.flags = MSG_Z; /* the last bit that means nothing: not answered with */
    answer_check(&world, &q, FOUND);
    q = (struct ask){.qname = "example.", .qtype = "TYPE1000"};
    answer_check(&world, &q, "NOERROR aa\nns example. 300 IN " SOA_RR);
}

/* 8.1.5 */
static void test_unknown_opcodes(void **state)
{
    size_t len = ask_build(query, &(struct ask){.qname = "example.", .qtype = "SOA"});

    (void)state;
    for (uint16_t opcode = 7; opcode < 16; opcode++) {
        put_u16(query + 2, (uint16_t)(opcode << 11));
        check_octets(len, "NOTIMP\n");
    }
    put_u16(query + 4, 0); /* the header alone is enough to tell */
    check_octets(12, "NOTIMP\n");
}

/* 8.2.1, 8.2.7, 8.2.8 */
static void test_edns(void **state)
{
    (void)state;
    check_octets(with_opt(0, NULL, 0), FOUND "opt 1232\n");
    check_octets(with_opt(0x8000, NULL, 0), FOUND "opt 1232 do\n");
}

/* 8.2.2, and with options and flags 8.2.5, 8.2.6: BADVERS, our version, and nothing else. */
static void test_edns_version(void **state)
{
    static const uint8_t unknown[] = {0, 100, 0, 0};

    (void)state;
    check_octets(with_opt(1 << 16, NULL, 0), "BADVERS\nopt 1232\n");
    check_octets(with_opt(100 << 16, NULL, 0), "BADVERS\nopt 1232\n");
    check_octets(with_opt(100 << 16, unknown, sizeof(unknown)), "BADVERS\nopt 1232\n");
    check_octets(with_opt(100 << 16 | 0x80, NULL, 0), "BADVERS\nopt 1232\n");
    check_octets(with_opt(100 << 16 | 0x8000, NULL, 0), "BADVERS\nopt 1232 do\n");
    assert_int_equal(get_u32(out + 12 + 13 + 5), 0x01008000); /* extended rcode 1, version 0 */
}

/* 8.2.3: nothing of it comes back. */
static void test_unknown_option(void **state)
{
    static const uint8_t option[] = {0, 100, 0, 0}, longer[] = {0xff, 0xfe, 0, 3, 1, 2, 3};

    (void)state;
    check_octets(with_opt(0, option, sizeof(option)), FOUND "opt 1232\n");
    check_octets(with_opt(0, longer, sizeof(longer)), FOUND "opt 1232\n");
}

/* 8.2.9: NSID, COOKIE, EXPIRE and a client subnet in one question. */
static void test_defined_options(void **state)
{
    static const uint8_t options[] = {0, 3, 0, 0, 0, 10, 0, 8, 1, 2, 3,  4, 5,   6, 7, 8,
                                      0, 9, 0, 0, 0, 8,  0, 7, 0, 1, 24, 0, 192, 0, 2};

    (void)state;
    check_octets(with_opt(0, options, sizeof(options)), FOUND "opt 1232\n");
}

/* 8.2.4: flags that nobody knows are not answered with. */
static void test_unknown_flags(void **state)
{
    (void)state;
    check_octets(with_opt(0x0080, NULL, 0), FOUND "opt 1232\n");
    check_octets(with_opt(0x7fff, NULL, 0), FOUND "opt 1232\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_basic),          cmocka_unit_test(test_unknown_opcodes),
        cmocka_unit_test(test_edns),           cmocka_unit_test(test_edns_version),
        cmocka_unit_test(test_unknown_option), cmocka_unit_test(test_defined_options),
        cmocka_unit_test(test_unknown_flags),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
