#include "lib/dns/message_build.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lib/dns/query.h"
#include "msg_util.h"

static const uint8_t soa[] = "\3ns1\7example\3com\0\4host\7example\3com\0"
                             "\0\0\0\1\0\0\0\2\0\0\0\3\0\0\0\4\0\0\0\5";
#define SOA_LEN (sizeof(soa) - 1)

static uint8_t buf[512];

/* What we build, our own server understands; and each bound below the length is refused. */
static void builds_queries(void **state)
{
    const struct edns_reply opt = {.udp_size = EDNS_UDP_DEFAULT};
    struct msg_query_spec spec = {.qname = N("\7Example\3com"), .qtype = RR_SOA, .id = 0xabcd};
    struct query q;
    size_t len;

    (void)state;
    len = msg_build_query(buf, sizeof(buf), &spec);
    assert_int_equal(len, 29);
    assert_memory_equal(buf, "\xab\xcd\0\0\0\1\0\0\0\0\0\0\7Example\3com\0\0\6\0\1", 29);
    spec.qtype = RR_IXFR;
    spec.opt = &opt;
    spec.ixfr_soa = soa;
    spec.ixfr_soa_len = SOA_LEN;
    spec.recursion_desired = true;
    len = msg_build_query(buf, sizeof(buf), &spec);
    assert_int_equal(query_parse(&q, buf, len), QUERY_OK);
    assert_int_equal(q.qtype, RR_IXFR);
    assert_int_equal(q.qclass, CLASS_IN);
    assert_int_equal(q.flags, MSG_RD);
    assert_int_equal(q.authority_count, 1);
    assert_int_equal(q.edns.udp_size, EDNS_UDP_DEFAULT);
    for (size_t cap = 0; cap < len; cap++)
        assert_int_equal(msg_build_query(buf, cap, &spec), 0);
    assert_int_equal(msg_build_query(buf, len, &spec), len);
}

static void builds_notify(void **state)
{
    struct query q;
    struct reader r;
    struct msg_rr rr;
    struct buf rdata = BUF_INIT;
    size_t len;

    (void)state;
    len = msg_build_notify(buf, sizeof(buf), 7, N("\7example\3com"), soa, SOA_LEN, 3600);
    assert_int_equal(query_parse(&q, buf, len), QUERY_OK);
    assert_int_equal(q.id, 7);
    assert_int_equal(q.opcode, OPCODE_NOTIFY);
    assert_int_equal(q.qtype, RR_SOA);
    assert_true(q.flags & MSG_AA);
    r = (struct reader){.msg = buf, .pos = q.answer, .end = len};
    assert_true(msg_read_rr(&rr, &r));
    assert_int_equal(rr.ttl, 3600);
    assert_true(rr.rdlen < SOA_LEN);
    assert_int_equal(rdata_read(&rdata, &rr.rdata, rr.type, rr.rdlen, NULL), OK);
    assert_int_equal(rdata.len, SOA_LEN);
    assert_memory_equal(rdata.data, soa, SOA_LEN);
    buf_free(&rdata);
    for (size_t cap = 0; cap < len; cap++)
        assert_int_equal(msg_build_notify(buf, cap, 7, N("\7example\3com"), soa, SOA_LEN, 3600), 0);
    len = msg_build_notify(buf, sizeof(buf), 7, N("\7example\3com"), NULL, 0, 0);
    assert_int_equal(query_parse(&q, buf, len), QUERY_OK);
    assert_int_equal(q.answer_count, 0);
}

static void builds_replies(void **state)
{
    const struct edns_reply opt = {.udp_size = EDNS_UDP_DEFAULT, .dnssec_ok = true};
    static struct raw m;
    struct query q;
    struct msg_layout l;
    size_t len;

    (void)state;
    raw_begin(&m, OPCODE_NOTIFY << 11 | MSG_RD | MSG_AD | MSG_TC, 1, 0, 0, 0);
    raw_question(&m, N("\7eXample\3com"), RR_SOA);
    assert_int_equal(query_parse(&q, m.b, m.w.pos), QUERY_OK);
    len = msg_build_reply(buf, sizeof(buf), &q, RCODE_NOERROR, MSG_AA, NULL);
    assert_int_equal(len, m.w.pos);
    assert_int_equal(get_u16(buf), 0x1234);
    assert_int_equal(get_u16(buf + 2), MSG_QR | OPCODE_NOTIFY << 11 | MSG_AA | MSG_RD);
    assert_memory_equal(buf + 4, m.b + 4, len - 4);
    len = msg_build_reply(buf, sizeof(buf), &q, RCODE_BADVERS, 0, &opt);
    assert_true(msg_layout_read(&l, buf, len));
    assert_int_equal(l.edns.ext_rcode, 1);
    assert_true(l.edns.dnssec_ok);
    for (size_t cap = 0; cap < len; cap++)
        assert_int_equal(msg_build_reply(buf, cap, &q, RCODE_BADVERS, 0, &opt), 0);

    raw_begin(&m, 9 << 11, 0, 0, 0, 0); /* the header alone */
    assert_int_equal(query_parse(&q, m.b, m.w.pos), QUERY_NOTIMP);
    len = msg_build_reply(buf, sizeof(buf), &q, RCODE_NOTIMP, 0, NULL);
    assert_int_equal(len, 12);
    assert_int_equal(get_u16(buf + 2), MSG_QR | 9 << 11 | RCODE_NOTIMP);
    assert_memory_equal(buf + 4, zeros, 8);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(builds_queries),
        cmocka_unit_test(builds_notify),
        cmocka_unit_test(builds_replies),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
