#include "lib/dns/query.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "msg_util.h"

static struct raw m;
static struct query q;

static enum query_outcome parse(void)
{
    memset(&q, 0xa5, sizeof(q)); /* nothing may be left as it was */
    return query_parse(&q, m.b, m.w.pos);
}

static const uint8_t qname[] = "\3WwW\7eXample\3com";

static void plain(uint16_t flags, uint16_t an, uint16_t ns, uint16_t ar)
{
    raw_begin(&m, flags, 1, an, ns, ar);
    raw_question(&m, qname, RR_A);
}

static void reads_a_query(void **state)
{
    (void)state;
    plain(MSG_RD | MSG_CD, 0, 0, 0);
    assert_int_equal(parse(), QUERY_OK);
    assert_int_equal(q.id, 0x1234);
    assert_int_equal(q.flags, MSG_RD | MSG_CD);
    assert_int_equal(q.opcode, OPCODE_QUERY);
    assert_true(q.has_question);
    assert_int_equal(q.qname_len, 17);
    assert_memory_equal(q.qname_raw, qname, 17);
    assert_memory_equal(q.qname, "\3www\7example\3com", 17);
    assert_int_equal(q.qtype, RR_A);
    assert_int_equal(q.qclass, CLASS_IN);
    assert_int_equal(q.question_end, m.w.pos);
    assert_int_equal(q.tsig, 0);
    assert_false(q.edns.present);
    assert_false(q.edns.cookie.present);
}

static void reads_edns(void **state)
{
    (void)state;
    plain(0, 0, 0, 1);
    raw_opt(&m, EDNS_FLAG_DO,
            "\0\12\0\10abcdefgh\0\12\0\10ABCDEFGH\xff\xff\0\2xx\0\11\0\0"
            "\0\13\0\2\0\1\0\10\0\4\0\1\0\0\0\14\0\3\0\0\0\0\23\0\0\0\3\0\0",
            12 + 12 + 6 + 4 + 6 + 8 + 7 + 4 + 4);
    assert_int_equal(parse(), QUERY_OK);
    assert_true(q.edns.present);
    assert_true(q.edns.dnssec_ok);
    assert_int_equal(q.edns.udp_size, 1232);
    assert_int_equal(q.edns.version, 0);
    assert_int_equal(q.edns.options_at + q.edns.options_len, m.w.pos);
    assert_memory_equal(m.b + q.edns.cookie.at, "abcdefgh", 8);
    assert_true(q.edns.expire.present);
    assert_int_equal(q.edns.tcp_keepalive.len, 2);
    assert_int_equal(q.edns.client_subnet.len, 4);
    assert_int_equal(q.edns.padding.len, 3);
    assert_true(q.edns.zoneversion.present);
    assert_true(q.edns.nsid.present);
}

static void drops_what_must_not_be_answered(void **state)
{
    (void)state;
    plain(MSG_QR, 0, 0, 0);
    assert_int_equal(parse(), QUERY_DROP);
    plain(MSG_QR | OPCODE_NOTIFY << 11, 0, 0, 0);
    assert_int_equal(parse(), QUERY_DROP);
    plain(0, 0, 0, 0);
    for (m.w.pos = 0; m.w.pos < 12; m.w.pos++)
        assert_int_equal(parse(), QUERY_DROP);
    assert_int_equal(query_parse(&q, NULL, 0), QUERY_DROP);
}

/* RFC 8906 3.1.4 and 8.1.4: an unknown opcode may come with the header alone. */
static void does_not_implement_other_opcodes(void **state)
{
    (void)state;
    for (unsigned op = 0; op < 16; op++) {
        bool known = op == OPCODE_QUERY || op == OPCODE_NOTIFY || op == OPCODE_UPDATE;

        raw_begin(&m, (uint16_t)(op << 11), 0, 0, 0, 0);
        assert_int_equal(parse(), known ? QUERY_FORMERR : QUERY_NOTIMP);
        assert_false(q.has_question);
        assert_int_equal(q.opcode, op);
        plain((uint16_t)(op << 11), 0, 0, 0);
        assert_int_equal(parse(), known ? QUERY_OK : QUERY_NOTIMP);
        assert_int_equal(q.id, 0x1234);
    }
}

static void is_lenient_about_flags_types_and_classes(void **state)
{
    static const uint16_t flags[] = {MSG_AA, MSG_TC, MSG_RD, MSG_RA, MSG_Z, MSG_AD, MSG_CD, 0xf};

    (void)state;
    for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
        plain(flags[i], 0, 0, 0);
        assert_int_equal(parse(), QUERY_OK);
        assert_int_equal(q.flags, flags[i]);
    }
    for (unsigned type = 0; type < 65536; type++) {
        plain(0, 0, 0, 0);
        put_u16(m.b + m.w.pos - 4, (uint16_t)type);
        put_u16(m.b + m.w.pos - 2, (uint16_t)(65535 - type));
        assert_int_equal(parse(), QUERY_OK);
        assert_int_equal(q.qtype, type);
        assert_int_equal(q.qclass, 65535 - type);
    }
}

static void wants_one_question(void **state)
{
    (void)state;
    raw_begin(&m, 0, 0, 0, 0, 0); /* header alone */
    assert_int_equal(parse(), QUERY_FORMERR);
    assert_false(q.has_question);
    raw_begin(&m, 0, 2, 0, 0, 0); /* RFC 9619 */
    raw_question(&m, qname, RR_A);
    raw_question(&m, qname, RR_AAAA);
    assert_int_equal(parse(), QUERY_FORMERR);
    raw_begin(&m, 0, 1, 0, 0, 0); /* a pointer has nothing to point at */
    RAW_BYTES(&m, "\xc0\x0c\0\1\0\1");
    assert_int_equal(parse(), QUERY_FORMERR);
    raw_begin(&m, 0, 1, 0, 0, 0);
    RAW_BYTES(&m, "\1a\xc0\x0c\0\1\0\1");
    assert_int_equal(parse(), QUERY_FORMERR);
    raw_begin(&m, 0, 1, 0, 0, 0);
    RAW_BYTES(&m, "\1a\xc0\x04\0\1\0\1");
    assert_int_equal(parse(), QUERY_FORMERR);
}

static void refuses_records_where_none_belong(void **state)
{
    static const uint8_t soa[22] = {0};

    (void)state;
    plain(0, 1, 0, 0);
    raw_rr(&m, N("\1a"), RR_A, CLASS_IN, 0, "\1\2\3\4", 4);
    assert_int_equal(parse(), QUERY_FORMERR);
    assert_true(q.has_question);
    plain(0, 0, 1, 0);
    raw_rr(&m, N("\1a"), RR_A, CLASS_IN, 0, "\1\2\3\4", 4);
    assert_int_equal(parse(), QUERY_FORMERR);
    raw_begin(&m, 0, 1, 0, 1, 0); /* IXFR brings its SOA, RFC 1995 3 */
    raw_question(&m, qname, RR_IXFR);
    raw_rr(&m, qname, RR_SOA, CLASS_IN, 0, soa, 22);
    assert_int_equal(parse(), QUERY_OK);
    assert_int_equal(q.authority_count, 1);
    assert_int_equal(q.authority, q.question_end);
    assert_int_equal(q.additional, m.w.pos);
    raw_begin(&m, OPCODE_NOTIFY << 11, 1, 1, 0, 0); /* NOTIFY may bring the new SOA */
    raw_question(&m, qname, RR_SOA);
    raw_rr(&m, qname, RR_SOA, CLASS_IN, 0, soa, 22);
    assert_int_equal(parse(), QUERY_OK);
    assert_int_equal(q.answer_count, 1);
    assert_int_equal(q.answer, q.question_end);
    plain(0, 0, 0, 1); /* a stranger in the additional section is not looked at */
    raw_rr(&m, N("\1a"), RR_A, CLASS_IN, 0, "\1\2\3\4", 4);
    assert_int_equal(parse(), QUERY_OK);
}

static void checks_the_edns_version(void **state)
{
    (void)state;
    plain(0, 0, 0, 1);
    raw_opt(&m, 1u << 16 | EDNS_FLAG_DO, "", 0);
    assert_int_equal(parse(), QUERY_BADVERS);
    assert_int_equal(q.edns.version, 1);
    assert_true(q.edns.dnssec_ok);
    assert_true(q.has_question);
    plain(0, 0, 0, 1); /* the options of another version are not ours to judge */
    raw_opt(&m, 100u << 16, "\1\2\3", 3);
    assert_int_equal(parse(), QUERY_BADVERS);
    plain(0, 0, 0, 1); /* unknown flags are ignored, RFC 6891 6.1.4 */
    raw_opt(&m, 0x7fff, "", 0);
    assert_int_equal(parse(), QUERY_OK);
    assert_false(q.edns.dnssec_ok);
}

static void knows_the_place_of_tsig(void **state)
{
    size_t at;

    (void)state;
    plain(0, 0, 0, 2);
    raw_opt(&m, 0, "", 0);
    at = m.w.pos;
    raw_tsig(&m);
    assert_int_equal(parse(), QUERY_OK);
    assert_int_equal(q.tsig, at);
    write_u8(&m.w, 0); /* octets that nobody signed */
    assert_int_equal(parse(), QUERY_FORMERR);
    assert_int_equal(q.tsig, 0);
    assert_true(q.edns.present);
    plain(0, 0, 0, 2);
    raw_tsig(&m);
    raw_opt(&m, 0, "", 0);
    assert_int_equal(parse(), QUERY_FORMERR);
    plain(0, 0, 0, 2);
    raw_tsig(&m);
    raw_tsig(&m);
    assert_int_equal(parse(), QUERY_FORMERR);
    raw_begin(&m, OPCODE_UPDATE << 11, 1, 0, 1, 0);
    raw_question(&m, qname, RR_SOA);
    raw_tsig(&m);
    assert_int_equal(parse(), QUERY_FORMERR);
}

static void refuses_each_truncation(void **state)
{
    size_t len;

    (void)state;
    plain(0, 0, 0, 2);
    raw_opt(&m, 0, "\0\12\0\10abcdefgh", 12);
    raw_tsig(&m);
    len = m.w.pos;
    for (size_t n = 12; n < len; n++) {
        uint8_t *copy = malloc(n);

        assert_non_null(copy);
        memcpy(copy, m.b, n);
        assert_int_equal(query_parse(&q, copy, n), QUERY_FORMERR);
        assert_int_equal(q.has_question, n >= 12 + 21);
        free(copy);
    }
}

static void takes_the_longest_qname_and_64_kib(void **state)
{
    (void)state;
    raw_begin(&m, 0, 1, 0, 0, 0);
    for (unsigned i = 0; i < 127; i++)
        RAW_BYTES(&m, "\1Z");
    RAW_BYTES(&m, "\0\0\1\0\1");
    assert_int_equal(parse(), QUERY_OK);
    assert_int_equal(q.qname_len, 255);
    assert_memory_equal(q.qname, "\1z\1z", 4);
    raw_begin(&m, 0, 1, 0, 0, 0);
    for (unsigned i = 0; i < 128; i++)
        RAW_BYTES(&m, "\1Z");
    RAW_BYTES(&m, "\0\0\1\0\1");
    assert_int_equal(parse(), QUERY_FORMERR);
    plain(0, 0, 0, 0);
    while (m.w.pos + 11 <= 65535) {
        raw_rr(&m, N(""), 1, 1, 0, "", 0);
        put_u16(m.b + 10, (uint16_t)(get_u16(m.b + 10) + 1));
    }
    assert_int_equal(parse(), QUERY_OK);
    plain(0, 0, 0, 2);
    raw_rr(&m, N(""), 1, 1, 0, zeros, 60000);
    raw_rr(&m, N(""), 1, 1, 0, zeros, 6000);
    assert_int_equal(parse(), QUERY_FORMERR);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_a_query),
        cmocka_unit_test(reads_edns),
        cmocka_unit_test(drops_what_must_not_be_answered),
        cmocka_unit_test(does_not_implement_other_opcodes),
        cmocka_unit_test(is_lenient_about_flags_types_and_classes),
        cmocka_unit_test(wants_one_question),
        cmocka_unit_test(refuses_records_where_none_belong),
        cmocka_unit_test(checks_the_edns_version),
        cmocka_unit_test(knows_the_place_of_tsig),
        cmocka_unit_test(refuses_each_truncation),
        cmocka_unit_test(takes_the_longest_qname_and_64_kib),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
