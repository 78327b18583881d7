/* Every type with every opcode and many classes, by datagram and by stream: what comes back is a
 * whole message within its bound that answers the question asked, or nothing. All types for one
 * name, and for the others a part of them, spread evenly; all of them with ZL_SWEEP=all. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "lib/dns/response.h"
#include "tests/tools/answer_fixture.h"

#define PART_STEP 37 /* of the types, in a part; no common factor with what types come in */

static const char *const zones[][2] = {
    {"example.", "@ SOA ns1 host 7 3600 900 604800 300\n@ NS ns1\n@ MX 1 www\nns1 A 192.0.2.1\n"
                 "www A 192.0.2.80\nwww TXT text\n* TXT wild\nsub NS ns.sub\nns.sub A 192.0.2.5\n"},
};

static const char *const names[] = {"example.",   "www.example.",   "none.www.example.",
                                    "x.example.", "a.sub.example.", "elsewhere."};
static const uint16_t classes[] = {1, 3, 4, 254, 255, 0, 2, 65535};

static uint8_t query[512], out[MSG_MAX_OCTETS];

static void check(struct answerer *a, size_t len, uint8_t opcode, uint16_t type, bool stream)
{
    struct answer_made made = answer_make(a, plain_config(), query, len, stream, out, sizeof(out));
    struct msg_layout l;

    if (made.action == ANSWER_TRANSFER) {
        assert_true(stream && opcode == OPCODE_QUERY && (type == RR_AXFR || type == RR_IXFR));
        return;
    }
    if (made.action == ANSWER_HAND_OVER && made.len == 0) {
        assert_true(opcode == OPCODE_NOTIFY || opcode == OPCODE_UPDATE);
        return;
    }
    assert_in_range(made.len, MSG_HEADER_OCTETS, stream ? MSG_MAX_OCTETS : 512);
    assert_true(msg_layout_read(&l, out, made.len));
    assert_memory_equal(out, query, 2);
    assert_true(l.header.flags & MSG_QR);
    assert_int_equal(l.header.flags & MSG_OPCODE_MASK, opcode << 11);
    assert_false(l.header.flags & (MSG_RA | MSG_Z | MSG_AD));
    if (l.header.counts[0] > 0)
        assert_memory_equal(out + MSG_HEADER_OCTETS, query + MSG_HEADER_OCTETS,
                            len - MSG_HEADER_OCTETS);
    else
        assert_true(made.rcode == RCODE_NOTIMP || made.rcode == RCODE_FORMERR);
}

static void test_sweep(void **state)
{
    struct zonedb *db = text_zonedb(zones, 1);
    struct answerer *a = answerer_new(db);
    const char *all = getenv("ZL_SWEEP");

    (void)state;
    for (size_t n = 0; n < sizeof(names) / sizeof(names[0]); n++) {
        struct ask q = {.qname = names[n], .qtype = "A"};
        size_t len = ask_build(query, &q);
        unsigned step = n == 0 || (all && strcmp(all, "all") == 0) ? 1 : PART_STEP;

        for (unsigned type = 0; type <= 65535; type += type < 300 ? 1 : step) {
            for (unsigned at = 0; at < 16 * sizeof(classes) / sizeof(classes[0]); at++) {
                uint8_t opcode = at % 16;

                query[2] = (uint8_t)(opcode << 3);
                put_u16(query + len - 4, (uint16_t)type);
                put_u16(query + len - 2, classes[at / 16]);
                check(a, len, opcode, (uint16_t)type, false);
                check(a, len, opcode, (uint16_t)type, true);
            }
        }
    }
    free(a);
    zonedb_free(db);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_sweep)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
