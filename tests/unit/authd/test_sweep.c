/* Every type with every opcode in every kind of class, once, and what holds of each answer
 * (CVE-2021-36754, CVE-2012-2978, RFC 8906): it is a message that can be read to its end, with the
 * query's ID, opcode and question, within its limit.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/tools/answer_fixture.h"

#define SIG " 8 2 3600 20300101000000 20200101000000 1 example. AAAA\n"

static const char *const zones[][2] = {
    {"example.", "@ SOA ns1 host 7 3600 900 604800 300\n@ NS ns1\nns1 A 192.0.2.1\n"
                 "@ RRSIG SOA" SIG "@ NSEC w A NS SOA RRSIG NSEC\n@ RRSIG NSEC" SIG
                 "*.w A 192.0.2.9\n*.w NSEC @ A RRSIG NSEC\n*.w RRSIG NSEC" SIG},
};

static const uint16_t classes[] = {CLASS_IN, CLASS_CH, 4, CLASS_NONE, CLASS_ANY, 0, 2, 65280};

#define OPT_OCTETS 11 /* at the end of a query with EDNS, without options */

/* The apex, a wildcard's, none at all, and one that is not ours. */
static const char *const names[] = {"EXAMPLE.", "q.w.example.", "none.example.", "other."};

static struct zonedb *db;
static struct answerer *answerer;
static uint8_t query[MSG_MAX_OCTETS], out[MSG_MAX_OCTETS];

static int setup(void **state)
{
    (void)state;
    db = text_zonedb(zones, 1);
    answerer = answerer_new(db);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    free(answerer);
    zonedb_free(db);
    return 0;
}

static bool records_are_read(const struct msg_layout *m, size_t len)
{
    for (enum section s = SECTION_ANSWER; s <= SECTION_ADDITIONAL; s++) {
        struct reader r = msg_section(m, out, len, s);
        struct msg_rr rr;

        for (unsigned i = 0; i < m->header.counts[s]; i++) {
            if (!msg_read_rr(&rr, &r))
                return false;
        }
    }
    return true;
}

/* What the one who asked may rely on, whatever was asked. `question_end`: offset in the query. */
static void check_message(size_t len, size_t question_end, size_t limit)
{
    struct msg_layout m;

    assert_in_range(len, MSG_HEADER_OCTETS, limit);
    assert_true(msg_layout_read(&m, out, len));
    assert_memory_equal(out, query, 2);
    assert_true(m.header.flags & MSG_QR);
    assert_int_equal(m.header.flags & (MSG_OPCODE_MASK | MSG_RD),
                     get_u16(query + 2) & (MSG_OPCODE_MASK | MSG_RD));
    assert_int_equal(m.header.flags & (MSG_RA | MSG_Z | MSG_AD), 0);
    assert_in_range(m.header.counts[SECTION_QUESTION], 0, 1);
    if (m.header.counts[SECTION_QUESTION] == 1)
        assert_memory_equal(out + MSG_HEADER_OCTETS, query + MSG_HEADER_OCTETS,
                            question_end - MSG_HEADER_OCTETS);
    else
        assert_int_equal(len, MSG_HEADER_OCTETS);
    assert_true(records_are_read(&m, len));
}

/* What the rcode must be. */
static void check_meaning(const struct answer_made *made, unsigned type, unsigned opcode,
                          uint16_t qclass, bool ours)
{
    bool zone_work = opcode == OPCODE_NOTIFY || opcode == OPCODE_UPDATE;

    if (opcode != OPCODE_QUERY && !zone_work) {
        assert_int_equal(made->rcode, RCODE_NOTIMP);
        assert_int_equal(made->len, MSG_HEADER_OCTETS);
    } else if (zone_work && qclass == CLASS_IN) {
        assert_int_equal(made->action, ANSWER_HAND_OVER);
        assert_int_equal(made->len, 0);
    } else if (qclass != CLASS_IN) {
        assert_int_equal(made->rcode, RCODE_REFUSED);
    } else if (type == RR_OPT || type == RR_TSIG) {
        assert_int_equal(made->rcode, RCODE_FORMERR);
    } else if (type == RR_TKEY || type == RR_MAILA || type == RR_MAILB) {
        assert_int_equal(made->rcode, RCODE_NOTIMP);
    } else if (type == RR_AXFR || !ours) {
        assert_int_equal(made->rcode, RCODE_REFUSED);
    } else {
        assert_in_range(made->rcode, 0, RCODE_NXDOMAIN);
    }
}

static void check_one(size_t len, size_t question_end, unsigned type, unsigned opcode,
                      uint16_t qclass, bool ours)
{
    struct answer_made made;

    /* RD and CD by turns, so that they are tried with everything */
    put_u16(query + 2,
            (uint16_t)(opcode << 11 | (type & 1 ? MSG_RD : 0) | (type & 2 ? MSG_CD : 0)));
    put_u16(query + question_end - 4, (uint16_t)type);
    made = answer_octets(answerer, plain_config(), query, len, false, out, sizeof(out));
    assert_int_not_equal(made.action, ANSWER_DROP);
    if (made.len > 0)
        check_message(made.len, question_end, len > question_end ? 1232 : 512);
    check_meaning(&made, type, opcode, qclass, ours);
}

/* Opcode QUERY with all names; the others do not look at the name. */
static void test_types_opcodes_classes(void **state)
{
    (void)state;
    for (size_t c = 0; c < sizeof(classes) / sizeof(classes[0]); c++) {
        for (unsigned n = 0; n < sizeof(names) / sizeof(names[0]); n++) {
            bool edns = n % 2 == 0;
            struct ask q = {.qname = names[n], .qtype = "A", .edns = edns, .dnssec = edns};
            size_t len = ask_build(query, &q);
            size_t question_end = edns ? len - OPT_OCTETS : len;

            put_u16(query + question_end - 2, classes[c]);
            for (unsigned opcode = 0; opcode < (n == 0 ? 16 : 1); opcode++) {
                for (unsigned type = 0; type <= UINT16_MAX; type++)
                    check_one(len, question_end, type, opcode, classes[c], n < 3);
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_types_opcodes_classes)};

    return cmocka_run_group_tests(tests, setup, teardown);
}
