/* Names and messages that broke other servers; each here once, with what must come instead. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/tools/answer_cases.h"

/* Apexes of 223 and 255 octets: no hash fits in front of them (NSD 4.15.1). The longest below one
 * of 222 fits exactly. */
#define APEX_222                                                                                   \
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa."                                          \
    "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb."                                          \
    "cccccccccccccccccccccccccccccccccccccccccccccccccc."                                          \
    "dddddddddddddddddddddddddddddddddddddddddddddddddd.eeeeeeeeeeeeeeee."
#define APEX_223                                                                                   \
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa."                                          \
    "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb."                                          \
    "cccccccccccccccccccccccccccccccccccccccccccccccccc."                                          \
    "dddddddddddddddddddddddddddddddddddddddddddddddddd.eeeeeeeeeeeeeeeee."
#define LABEL_63(c) c c c c c c c c c c c c c c c c c c c c c
#define APEX_255                                                                                   \
    LABEL_63("aaa")                                                                                \
    "." LABEL_63("bbb") "." LABEL_63(                                                              \
        "ccc") "."                                                                                 \
               "ddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd."

#define SOA "@ 3600 SOA ns.invalid. h. 1 2 3 4 5\n@ NS ns.invalid.\n"
#define NSEC3_1 "NSEC3 1 0 0 - 00000000000000000000000000000001 A RRSIG\n"
#define NSEC3S "@ NSEC3PARAM 1 0 0 -\n00000000000000000000000000000000 " NSEC3_1

static const char *const zones[][2] = {
    {"example.", SOA NSEC3S
     "www A 192.0.2.80\n"
     /* owners of NSEC3 that are no hashes: other digits, other lengths, deeper */
     "zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz " NSEC3_1 "wwww0000000000000000000000000000 " NSEC3_1
     "0000000000000000000000000000000 " NSEC3_1 "000000000000000000000000000000000 " NSEC3_1
     "\\000\\255!.x " NSEC3_1 "0 " NSEC3_1 "00000000000000000000000000000000.sub " NSEC3_1
     "$GENERATE 1-40 mx MX $ host$\n$GENERATE 1-40 host$ A 192.0.2.$\n"
     "$GENERATE 1-30 chain$ CNAME chain${1}\n"},
    {APEX_222, SOA NSEC3S "w A 192.0.2.1\n"},
    {APEX_223, SOA "@ NSEC3PARAM 1 0 0 -\nw A 192.0.2.1\n"},
    {APEX_255, SOA "@ NSEC3PARAM 1 0 0 -\n"},
};

static char *ask(struct answer_world *w, const char *qname, const char *qtype)
{
    return ask_text(
        w->a,
        &(struct ask){.qname = qname, .qtype = qtype, .tcp = true, .edns = true, .dnssec = true});
}

static void check_rcode(struct answer_world *w, const char *qname, const char *want)
{
    char *text = ask(w, qname, "A");

    if (strncmp(text, want, strlen(want)) != 0)
        fail_msg("%s: wanted %s, got %s", qname, want, text);
    free(text);
}

static unsigned lines_with(const char *text, const char *what)
{
    unsigned n = 0;

    for (const char *p = text; (p = strstr(p, what)); p++)
        n++;
    return n;
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

static void test_apexes_without_room_for_a_hash(void **state)
{
    (void)state;
    check_rcode(&world, "x." APEX_222, "NXDOMAIN aa\n");
    check_rcode(&world, "w." APEX_222, "NOERROR aa\n");
    check_rcode(&world, "x." APEX_223, "NXDOMAIN aa\n");
    check_rcode(&world, "x.y." APEX_223, "NXDOMAIN aa\n");
    check_rcode(&world, APEX_223, "NOERROR aa\n");
    check_rcode(&world, APEX_255, "NOERROR aa\n");
}

/* NXDOMAIN below a name to which no asterisk can be put in front (NSD 4.15.0). */
static void test_longest_names(void **state)
{
    char name[300];

    (void)state;
    for (size_t len = 240; len <= 253;
         len++) { /* octets of text, as long as the name but for one */
        memset(name, 'x', sizeof(name));
        for (size_t i = 60; i < len - 10; i += 60)
            name[i] = '.';
        if (name[len - 10] == '.')
            name[len - 10] = 'x';
        memcpy(name + len - 9, ".example.", 10);
        check_rcode(&world, name, "NXDOMAIN aa\n");
    }
    for (size_t i = 0; i < 246; i++)
        name[i] = i % 2 ? '.' : 'a';
    memcpy(name + 246, "example.", 9);
    check_rcode(&world, name, "NXDOMAIN aa\n"); /* 124 labels */
}

/* They are as if they were not there, and break nothing. */
static void test_owners_that_are_no_hashes(void **state)
{
    static const char *const names[] = {"zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz.example.",
                                        "0.example.",
                                        "wwww0000000000000000000000000000.example.",
                                        "sub.example.",
                                        "000000000000000000000000000000000.example.",
                                        "\\000\\255!.x.example.",
                                        "nothing.example."};

    (void)state;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        char *text = ask(&world, names[i], "TXT");

        assert_non_null(strstr(text, " SOA "));
        assert_null(strstr(text, "zzzz IN NSEC3"));
        free(text);
    }
}

/* Knot 3.4.2. */
static void test_root_and_terminal_labels(void **state)
{
    static const char *const types[] = {"A", "NS", "DS", "ANY", "NSEC", "TYPE65535", "TYPE0"};

    (void)state;
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        answer_check(&world, &(struct ask){.qname = ".", .qtype = types[i]}, "REFUSED\n");
        answer_check(&world, &(struct ask){.qname = "*.", .qtype = types[i]}, "REFUSED\n");
        answer_check(&world, &(struct ask){.qname = "\\000.", .qtype = types[i]}, "REFUSED\n");
    }
}

/* NSD 4.15.0: a chain ends at a bound, with what is known by then. */
static void test_endless_aliases(void **state)
{
    char *text = ask(&world, "chain1.example.", "A");

    (void)state;
    assert_memory_equal(text, "NOERROR aa\n", 11);
    assert_int_equal(lines_with(text, " IN CNAME "), ANSWER_CHAIN_MAX);
    free(text);
}

/* CVE-2024-11187: 13 of 40 names are looked for. */
static void test_additional_names_are_bounded(void **state)
{
    char *text = ask(&world, "mx.example.", "MX");

    (void)state;
    assert_int_equal(lines_with(text, "\nan mx.example."), 40);
    assert_int_equal(lines_with(text, "\nar host"), 13);
    free(text);
}

/* CVE-2016-2776, CVE-2021-25218: whatever little room a client says it has, 512 octets are the
 * least, and the answer is never longer than what was agreed. */
static void test_tiny_sizes(void **state)
{
    static const char *const names[] = {"mx.example.", "chain1.example.", "no.example.",
                                        "x." APEX_222};

    (void)state;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        for (uint16_t size = 1; size < 700; size++) { /* ask_text checks the length */
            char *text = ask_text(world.a, &(struct ask){.qname = names[i],
                                                         .qtype = "MX",
                                                         .edns = true,
                                                         .dnssec = size % 2 == 0,
                                                         .udp_size = size});

            assert_non_null(strstr(text, "\nopt 1232"));
            free(text);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_apexes_without_room_for_a_hash),
        cmocka_unit_test(test_longest_names),
        cmocka_unit_test(test_owners_that_are_no_hashes),
        cmocka_unit_test(test_root_and_terminal_labels),
        cmocka_unit_test(test_endless_aliases),
        cmocka_unit_test(test_additional_names_are_bounded),
        cmocka_unit_test(test_tiny_sizes),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
