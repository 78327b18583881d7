#include "lib/dns/message.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "msg_util.h"

static struct raw m;

static void reads_header_question_and_records(void **state)
{
    struct reader r;
    struct msg_header h;
    struct msg_question q;
    struct msg_rr rr;
    struct buf out = BUF_INIT;

    (void)state;
    raw_begin(&m, MSG_QR | OPCODE_NOTIFY << 11 | MSG_AA | RCODE_NOTAUTH, 1, 1, 0, 0);
    raw_question(&m, N("\3wWw\7Example\3com"), RR_NS);
    RAW_BYTES(&m, "\xc0\x10\0\2\0\1\xff\xff\xff\xff\0\6\3ns1\xc0\x10");
    r = reader_of(m.b, m.w.pos);
    assert_true(msg_read_header(&h, &r));
    assert_int_equal(h.id, 0x1234);
    assert_int_equal(msg_opcode(&h), OPCODE_NOTIFY);
    assert_int_equal(msg_rcode(&h), RCODE_NOTAUTH);
    assert_int_equal(h.counts[SECTION_QUESTION], 1);
    assert_int_equal(h.counts[SECTION_ANSWER], 1);
    assert_true(msg_read_question(&q, &r));
    assert_memory_equal(q.name, "\3wWw\7Example\3com", 17);
    assert_int_equal(q.type, RR_NS);
    assert_int_equal(q.qclass, CLASS_IN);
    assert_true(msg_read_rr(&rr, &r));
    assert_memory_equal(rr.owner, "\7Example\3com", 13);
    assert_int_equal(rr.ttl, 0); /* RFC 2181 8 */
    assert_int_equal(rr.rdlen, 6);
    assert_int_equal(reader_left(&rr.rdata), 6);
    assert_int_equal(rdata_read(&out, &rr.rdata, rr.type, rr.rdlen, NULL), OK);
    assert_int_equal(out.len, 17);
    assert_memory_equal(out.data, "\3ns1\7Example\3com", 17);
    assert_int_equal(reader_left(&r), 0);
    assert_false(msg_read_rr(&rr, &r));
    assert_true(r.failed);
    buf_free(&out);
}

/* Name at offset 24 behind "a.b." at 12 and 12 octets of other things. */
static const struct {
    const char *what;
    const char *bytes;
    size_t len;
    bool skip; /* msg_skip_name accepts it */
} names[] = {
    {"root", "\0", 1, true},
    {"labels", "\1x\1y\0", 5, true},
    {"pointer", "\xc0\x0c", 2, true},
    {"label, pointer", "\1x\xc0\x0e", 4, true},
    {"pointer to itself", "\xc0\x18", 2, false},
    {"pointer to its own first label", "\1x\xc0\x18", 4, false},
    {"pointer forward", "\xc0\x1a\0", 3, false},
    {"pointer into the header", "\xc0\x04", 2, false},
    {"pointer to the last octet of the header", "\xc0\x0b", 2, false},
    {"half a pointer", "\xc0", 1, false},
    {"label type 01", "\x41x\0", 3, false},
    {"label type 10", "\x81x\0", 3, false},
    {"label that is cut", "\5abc", 4, false},
    {"no root label", "\1x", 2, false},
    {"nothing", "", 0, false},
};

static void steps_over_names(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        struct reader r;

        raw_begin(&m, 0, 0, 0, 0, 0);
        RAW_BYTES(&m, "\1a\1b\0\0\0\0\0\0\0\0");
        assert_int_equal(m.w.pos, 24);
        write_bytes(&m.w, names[i].bytes, names[i].len);
        r = (struct reader){.msg = m.b, .pos = 24, .end = m.w.pos};
        if (msg_skip_name(&r) != names[i].skip)
            fail_msg("%s", names[i].what);
        if (names[i].skip)
            assert_int_equal(r.pos, 24 + names[i].len);
        else
            assert_true(r.failed);
    }
}

static void refuses_long_names(void **state)
{
    struct reader r;

    (void)state;
    for (unsigned last = 61; last <= 62; last++) { /* 3 * 64 + 1 + last + 1 = 255 or 256 */
        raw_begin(&m, 0, 0, 0, 0, 0);
        for (unsigned k = 0; k < 3; k++) {
            write_u8(&m.w, 63);
            memset(write_space(&m.w, 63), 'x', 63);
        }
        write_u8(&m.w, (uint8_t)last);
        memset(write_space(&m.w, last), 'y', last);
        write_u8(&m.w, 0);
        r = (struct reader){.msg = m.b, .pos = 12, .end = m.w.pos};
        assert_int_equal(msg_skip_name(&r), last == 61);
        r = (struct reader){.msg = m.b, .pos = 12, .end = m.w.pos};
        assert_int_equal(read_name(&r, (uint8_t[NAME_MAX_OCTETS]){0}), last == 61);
    }
}

/* Each pointer alone points backwards, but together they would never end. */
static void owners_in_a_loop_end(void **state)
{
    struct reader r;
    struct msg_rr rr;

    (void)state;
    raw_begin(&m, 0, 0, 1, 0, 0);
    RAW_BYTES(&m, "\xc0\x0e\xc0\x0c\xc0\x0e\0\1\0\1\0\0\0\0\0\0");
    r = (struct reader){.msg = m.b, .pos = 16, .end = m.w.pos};
    assert_false(msg_read_rr(&rr, &r));
    assert_true(r.failed);
}

/* NOTIFY-like message with all kinds of records in it. */
static void write_full(struct raw *x)
{
    raw_begin(x, MSG_QR, 1, 2, 1, 3);
    raw_question(x, N("\7example\3com"), RR_SOA);
    raw_rr(x, N("\7example\3com"), RR_A, CLASS_IN, 60, "\1\2\3\4", 4);
    raw_rr(x, N("\7example\3com"), RR_TXT, CLASS_IN, 60, "\1x", 2);
    raw_rr(x, N(""), RR_NS, CLASS_IN, 60, "\xc0\x0c", 2);
    raw_rr(x, N("\1a"), RR_A, CLASS_IN, 60, "\1\2\3\4", 4);
    raw_opt(x, EDNS_FLAG_DO, "\0\12\0\10abcdefgh\0\3\0\0", 16);
    raw_tsig(x);
}

static void finds_the_sections(void **state)
{
    struct msg_layout l;
    struct reader r;
    struct msg_rr rr;

    (void)state;
    write_full(&m);
    assert_true(msg_layout_read(&l, m.b, m.w.pos));
    assert_int_equal(l.sections[SECTION_QUESTION], 12);
    assert_int_equal(l.sections[SECTION_ANSWER], 12 + 17);
    assert_int_equal(get_u16(m.b + l.opt + 1), RR_OPT);
    assert_int_equal(l.records_end, l.tsig);
    assert_true(l.edns.present);
    assert_true(l.edns.dnssec_ok);
    assert_true(l.edns.cookie.present);
    assert_int_equal(l.edns.cookie.len, 8);
    assert_memory_equal(m.b + l.edns.cookie.at, "abcdefgh", 8);
    assert_true(l.edns.nsid.present);
    r = msg_section(&l, m.b, m.w.pos, SECTION_AUTHORITY);
    assert_true(msg_read_rr(&rr, &r));
    assert_int_equal(rr.type, RR_NS);
    assert_int_equal(r.pos, l.sections[SECTION_ADDITIONAL]);
    r = (struct reader){.msg = m.b, .pos = l.tsig, .end = m.w.pos};
    assert_true(msg_read_rr(&rr, &r));
    assert_int_equal(rr.type, RR_TSIG);
    assert_int_equal(reader_left(&r), 0);
}

static void refuses_each_truncation_and_each_excess(void **state)
{
    struct msg_layout l;
    size_t len;

    (void)state;
    write_full(&m);
    len = m.w.pos;
    for (size_t n = 0; n < len; n++) {
        uint8_t *copy = malloc(n ? n : 1); /* exact, so that a sanitizer sees a read past it */

        assert_non_null(copy);
        memcpy(copy, m.b, n);
        assert_false(msg_layout_read(&l, copy, n));
        free(copy);
    }
    write_u8(&m.w, 0);
    assert_false(msg_layout_read(&l, m.b, len + 1));
}

static void case_opt_in_answer(void)
{
    raw_begin(&m, 0, 0, 1, 0, 0);
    raw_opt(&m, 0, "", 0);
}

static void case_two_opts(void)
{
    raw_begin(&m, 0, 0, 0, 0, 2);
    raw_opt(&m, 0, "", 0);
    raw_opt(&m, 0, "", 0);
}

static void case_opt_with_owner(void)
{
    raw_begin(&m, 0, 0, 0, 0, 1);
    raw_rr(&m, N("\1a"), RR_OPT, 1232, 0, "", 0);
}

static void case_option_too_long(void)
{
    raw_begin(&m, 0, 0, 0, 0, 1);
    raw_opt(&m, 0, "\0\12\0\5abcd", 8);
}

static void case_option_header_cut(void)
{
    raw_begin(&m, 0, 0, 0, 0, 1);
    raw_opt(&m, 0, "\0\12\0", 3);
}

static void case_tsig_in_answer(void)
{
    raw_begin(&m, 0, 0, 1, 0, 0);
    raw_tsig(&m);
}

static void case_tsig_not_last(void)
{
    raw_begin(&m, 0, 0, 0, 0, 2);
    raw_tsig(&m);
    raw_opt(&m, 0, "", 0);
}

static void case_tsig_twice(void)
{
    raw_begin(&m, 0, 0, 0, 0, 2);
    raw_tsig(&m);
    raw_tsig(&m);
}

static void case_rdlen_past_the_end(void)
{
    raw_begin(&m, 0, 0, 1, 0, 0);
    RAW_BYTES(&m, "\0\0\1\0\1\0\0\0\0\0\5\1\2\3\4");
}

static void refuses_misplaced_records(void **state)
{
    static void (*const cases[])(void) = {
        case_opt_in_answer,   case_two_opts,          case_opt_with_owner,
        case_option_too_long, case_option_header_cut, case_tsig_in_answer,
        case_tsig_not_last,   case_tsig_twice,        case_rdlen_past_the_end,
    };
    struct msg_layout l;

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        cases[i]();
        if (msg_layout_read(&l, m.b, m.w.pos))
            fail_msg("case %zu is accepted", i);
    }
}

static void takes_64_kib_and_not_more(void **state)
{
    struct msg_layout l;

    (void)state;
    for (size_t len = 65534; len <= 65536; len++) {
        raw_begin(&m, MSG_QR, 0, 2, 0, 0);
        raw_rr(&m, N(""), RR_NULL, CLASS_IN, 0, zeros, 60000);
        raw_rr(&m, N(""), RR_NULL, CLASS_IN, 0, zeros, (uint16_t)(len - m.w.pos - 11));
        assert_int_equal(m.w.pos, len);
        assert_int_equal(msg_layout_read(&l, m.b, len), len <= 65535);
    }
    raw_begin(&m, MSG_QR, 0, 1, 0, 0); /* what follows begins at 65535 - 0 */
    raw_rr(&m, N(""), RR_NULL, CLASS_IN, 0, zeros, (uint16_t)(65535 - 12 - 11));
    assert_true(msg_layout_read(&l, m.b, 65535));
    assert_int_equal(l.sections[SECTION_ADDITIONAL], 65535);
    assert_int_equal(l.records_end, 65535);
    put_u16(m.b + 6, 65535); /* counts that lie */
    assert_false(msg_layout_read(&l, m.b, 65535));
}

static void names_codes(void **state)
{
    char t[RCODE_TEXT_MAX];

    (void)state;
    rcode_to_text(t, RCODE_REFUSED);
    assert_string_equal(t, "REFUSED");
    rcode_to_text(t, RCODE_BADVERS);
    assert_string_equal(t, "BADVERS");
    rcode_to_text(t, 14);
    assert_string_equal(t, "RCODE14");
    rcode_to_text(t, 65535);
    assert_string_equal(t, "RCODE65535");
    opcode_to_text(t, OPCODE_UPDATE);
    assert_string_equal(t, "UPDATE");
    opcode_to_text(t, 3);
    assert_string_equal(t, "OPCODE3");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_header_question_and_records),
        cmocka_unit_test(steps_over_names),
        cmocka_unit_test(refuses_long_names),
        cmocka_unit_test(owners_in_a_loop_end),
        cmocka_unit_test(finds_the_sections),
        cmocka_unit_test(refuses_each_truncation_and_each_excess),
        cmocka_unit_test(refuses_misplaced_records),
        cmocka_unit_test(takes_64_kib_and_not_more),
        cmocka_unit_test(names_codes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
