/* What a message costs, in instructions: twice the message, twice the work, whatever it holds
 * (CVE-2015-1868, CVE-2016-7068, CVE-2023-4408, CVE-2024-11187).
 *
 * A child does the work step by step under ptrace, so the figures are the same on each run and on
 * each machine, however busy.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <signal.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/base/mem.h"
#include "lib/dns/message_build.h"
#include "tests/tools/answer_cases.h"

static struct answer_world world;
static uint8_t query[MSG_MAX_OCTETS], out[MSG_MAX_OCTETS];
static size_t query_len;

/* ---- Counting ---- */

/* Steps until the child stops itself again; 0: it ended. */
static unsigned long steps_to_stop(pid_t child)
{
    unsigned long n = 0;
    int status;

    for (;; n++) {
        if (ptrace(PTRACE_SINGLESTEP, child, NULL, NULL) || waitpid(child, &status, 0) != child ||
            !WIFSTOPPED(status))
            return 0;
        if (WSTOPSIG(status) == SIGSTOP)
            return n;
    }
}

/* Instructions that `work` takes. Skips the test where nobody may trace. */
static unsigned long instructions(void (*work)(void))
{
    unsigned long n = 0;
    int status;
    pid_t child = fork();

    assert_true(child >= 0);
    if (child == 0) {
        work(); /* whatever is done only once */
        if (ptrace(PTRACE_TRACEME, 0, NULL, NULL))
            _exit(1);
        (void)raise(SIGSTOP);
        work();
        (void)raise(SIGSTOP);
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    if (!WIFSTOPPED(status)) {
        print_message("skipped: ptrace is not allowed here\n");
        skip();
    }
    n = steps_to_stop(child);
    assert_int_equal(kill(child, SIGKILL), 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(n > 0);
    return n;
}

/* ---- Messages ---- */

static void answer_it(void)
{
    (void)answer_octets(world.a, plain_config(), query, query_len, true, out, sizeof(out));
}

/* A query with `n` records behind the question, and room for what they say. */
static struct writer begin(uint16_t opcode, enum section section, unsigned n)
{
    struct writer w = writer_of(query, sizeof(query));

    w.pos = ask_build(query, &(struct ask){.qname = "example.", .qtype = "SOA"});
    put_u16(query + 2, (uint16_t)(opcode << 11));
    put_u16(query + 4 + 2 * section, (uint16_t)n);
    return w;
}

static void write_rest(struct writer *w)
{
    write_u16(w, RR_A);
    write_u16(w, CLASS_IN);
    write_u32(w, 0);
    write_u16(w, 0);
}

/* Names of which no two are alike, nor share anything. */
static void distinct_names(uint16_t opcode, enum section section, unsigned n)
{
    struct writer w = begin(opcode, section, n);

    for (unsigned i = 0; i < n; i++) {
        write_u8(&w, 4);
        write_u32(&w, 0x61616161 + i);
        write_u8(&w, 0);
        write_rest(&w);
    }
    query_len = w.pos;
}

/* Each owner is a label and a pointer to the owner before; as long as the name is short enough. */
static void pointers(uint16_t opcode, enum section section, unsigned n)
{
    struct writer w = begin(opcode, section, n);
    size_t before = MSG_HEADER_OCTETS;

    for (unsigned i = 0; i < n; i++) {
        size_t here = w.pos;

        if (i % 100 > 0) {
            write_u8(&w, 1);
            write_u8(&w, 'a');
        }
        write_u16(&w, (uint16_t)(0xc000 | (i % 100 > 0 ? before : MSG_HEADER_OCTETS)));
        write_rest(&w);
        before = here;
    }
    query_len = w.pos;
}

/* ---- Tests ---- */

typedef void make_fn(uint16_t opcode, enum section section, unsigned n);

static void test_messages(void **state)
{
    static make_fn *const makes[] = {distinct_names, pointers};
    static const struct {
        uint16_t opcode;
        enum section section;
    } places[] = {{OPCODE_UPDATE, SECTION_AUTHORITY}, {OPCODE_QUERY, SECTION_ADDITIONAL}};

    (void)state;
    for (size_t m = 0; m < sizeof(makes) / sizeof(makes[0]); m++) {
        for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
            unsigned long once, twice;

            makes[m](places[i].opcode, places[i].section, 25);
            once = instructions(answer_it);
            makes[m](places[i].opcode, places[i].section, 50);
            twice = instructions(answer_it);
            if (twice > 2 * once + once / 10)
                fail_msg("make %zu, place %zu: %lu, then %lu", m, i, once, twice);
        }
    }
}

/* What has no business in a message is not looked at: 64 KB of names cost what none cost. */
static void test_64_kb(void **state)
{
    static const struct {
        uint16_t opcode;
        enum section section;
    } places[] = {{OPCODE_QUERY, SECTION_ANSWER}, {OPCODE_STATUS, SECTION_ADDITIONAL}};

    (void)state;
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        unsigned long one, all;

        distinct_names(places[i].opcode, places[i].section, 1);
        one = instructions(answer_it);
        distinct_names(places[i].opcode, places[i].section, 4000);
        assert_in_range(query_len, 60000, 65535);
        all = instructions(answer_it);
        if (all > one + one / 10)
            fail_msg("place %zu: %lu, then %lu", i, one, all);
    }
}

/* An RRset of many names, each to be compressed, and each with addresses to be looked for. */
static void test_answers(void **state)
{
    unsigned long once, twice;

    (void)state;
    query_len = ask_build(query, &(struct ask){.qname = "few.example.", .qtype = "NS"});
    once = instructions(answer_it);
    query_len = ask_build(query, &(struct ask){.qname = "many.example.", .qtype = "NS"});
    twice = instructions(answer_it);
    if (twice > 2 * once + once / 10)
        fail_msg("%lu, then %lu", once, twice);
}

/* A name costs what its labels cost, there or not. */
static void test_labels(void **state)
{
    char name[256] = "";
    unsigned long once, twice;

    (void)state;
    for (unsigned i = 0; i < 20; i++)
        memcpy(name + 2 * i, "a.", 2);
    (void)snprintf(name + 40, sizeof(name) - 40, "example.");
    query_len = ask_build(query, &(struct ask){.qname = name, .qtype = "A"});
    once = instructions(answer_it);
    for (unsigned i = 0; i < 40; i++)
        memcpy(name + 2 * i, "a.", 2);
    (void)snprintf(name + 80, sizeof(name) - 80, "example.");
    query_len = ask_build(query, &(struct ask){.qname = name, .qtype = "A"});
    twice = instructions(answer_it);
    if (twice > 2 * once + once / 10)
        fail_msg("%lu, then %lu", once, twice);
}

static int setup(void **state)
{
    static const char zone[] = "@ 3600 SOA ns1 host 7 3600 900 604800 300\n@ NS ns1\n"
                               "ns1 A 192.0.2.1\n"
                               "$GENERATE 1-3 few NS host$.a$.test.\n"
                               "$GENERATE 1-6 many NS host$.a$.test.\n";

    (void)state;
    world = answer_world_of_text(zone);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    answer_world_done(&world);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_messages),
        cmocka_unit_test(test_64_kb),
        cmocka_unit_test(test_answers),
        cmocka_unit_test(test_labels),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
