/* Probes against a scripted primary on loopback: what counts as an answer, and when TCP is asked.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/dns/message_build.h"
#include "lib/dns/msgwriter.h"
#include "lib/dns/query.h"
#include "syncd/probe.h"

static const uint8_t zone[] = "\7example";

enum act {
    ACT_SILENT,
    ACT_SOA,
    ACT_FORGED, /* other ID, other question, no response, garbage; then the right one */
    ACT_TC,
    ACT_REFUSED,
    ACT_SERVFAIL,
    ACT_NOT_AA,
    ACT_EMPTY,
    ACT_OTHER_OWNER,
    ACT_SHORT_SOA,
    ACT_UNSIGNED,
    ACT_BAD_MAC,
    ACT_CLOSE, /* TCP: closes at once */
};

struct primary {
    int udp, tcp, conn;
    struct addr address;
    enum act by_udp, by_tcp;
    unsigned udp_queries, tcp_queries;
    struct tsig_key *key;
    struct loop *loop;
    struct event *events[3];
    struct probe_report report;
    bool done;
};

static size_t answer(struct primary *p, uint8_t *out, size_t cap, const uint8_t *wire, size_t len,
                     enum act act)
{
    static const uint8_t other[] = "\5other";
    uint8_t rdata[22] = {0};
    struct rr soa = {.owner = zone,
                     .type = RR_SOA,
                     .rclass = CLASS_IN,
                     .rdata = rdata,
                     .rdata_len = sizeof(rdata)};
    struct wall now = clock_wall(clock_real());
    struct tsig t = {.key = NULL};
    struct msg_writer w;
    struct query q;
    size_t n;

    assert_int_equal(query_parse(&q, wire, len), QUERY_OK);
    assert_int_equal(q.qtype, RR_SOA);
    assert_int_equal(q.tsig != 0, p->key != NULL);
    if (p->key)
        assert_int_equal(tsig_verify_request(&t, p->key, wire, len, q.tsig, now), TSIG_OK);
    put_u32(rdata + 2, 4711);
    put_u32(rdata + 6, 7200);
    msgw_init(&w);
    msgw_begin(&w, out, cap, q.id, act == ACT_NOT_AA ? MSG_QR : MSG_QR | MSG_AA);
    assert_true(msgw_question(&w, q.qname_raw, q.qtype, q.qclass));
    if (act == ACT_TC)
        msgw_set_flags(&w, MSG_TC, 0);
    if (act == ACT_REFUSED)
        msgw_set_rcode(&w, RCODE_REFUSED);
    if (act == ACT_SERVFAIL)
        msgw_set_rcode(&w, RCODE_SERVFAIL);
    if (act == ACT_OTHER_OWNER)
        soa.owner = other;
    if (act == ACT_SHORT_SOA)
        soa.rdata_len = 21;
    if (act != ACT_EMPTY && act != ACT_TC && act != ACT_REFUSED && act != ACT_SERVFAIL &&
        act != ACT_SHORT_SOA)
        assert_true(msgw_rr(&w, SECTION_ANSWER, &soa));
    n = msgw_finish(&w);
    if (act == ACT_SHORT_SOA) { /* the root's SOA with one octet too few, by hand */
        out[7] = 1;
        memcpy(out + n, "\7example\0\0\6\0\1\0\0\0\0\0\25", 19);
        memset(out + n + 19, 0, 21);
        n += 19 + 21;
    }
    if (p->key && act != ACT_UNSIGNED)
        assert_true(tsig_sign_response(&t, out, &n, cap, now));
    if (act == ACT_BAD_MAC)
        out[n - 10] ^= 1; /* in the MAC: what follows is ID, error, other length */
    tsig_done(&t);
    return n;
}

static void send_forged(struct primary *p, const struct sockaddr *to, socklen_t to_len,
                        const uint8_t *good, size_t n)
{
    for (int i = 0; i < 4; i++) {
        uint8_t bad[1024];
        size_t len = n;

        memcpy(bad, good, n);
        if (i == 0)
            bad[1] ^= 1;
        if (i == 1)
            bad[14] ^= 1;
        if (i == 2)
            bad[2] &= 0x7f;
        if (i == 3)
            len = 5;
        assert_true(sendto(p->udp, bad, len, 0, to, to_len) > 0);
    }
}

static void on_udp(evutil_socket_t fd, short what, void *ctx)
{
    struct primary *p = ctx;
    struct sockaddr_storage from;
    socklen_t from_len = sizeof(from);
    uint8_t wire[1024];
    uint8_t out[1024];
    ssize_t n = recvfrom(fd, wire, sizeof(wire), 0, (struct sockaddr *)&from, &from_len);
    size_t len;

    (void)what;
    assert_true(n > 0);
    p->udp_queries++;
    if (p->by_udp == ACT_SILENT)
        return;
    len = answer(p, out, sizeof(out), wire, (size_t)n, p->by_udp);
    if (p->by_udp == ACT_FORGED)
        send_forged(p, (struct sockaddr *)&from, from_len, out, len);
    assert_true(sendto(fd, out, len, 0, (struct sockaddr *)&from, from_len) > 0);
}

static void on_conn(evutil_socket_t fd, short what, void *ctx)
{
    struct primary *p = ctx;
    uint8_t wire[1024];
    uint8_t out[1024];
    ssize_t n = recv(fd, wire, sizeof(wire), 0);
    size_t len;

    (void)what;
    if (n <= 2 || p->by_tcp == ACT_SILENT)
        return;
    p->tcp_queries++;
    len = answer(p, out + 2, sizeof(out) - 2, wire + 2, (size_t)n - 2, p->by_tcp);
    put_u16(out, (uint16_t)len);
    assert_int_equal(send(fd, out, 7, 0), 7); /* in two pieces */
    assert_int_equal(send(fd, out + 7, len - 5, 0), len - 5);
}

static void on_accept(evutil_socket_t fd, short what, void *ctx)
{
    struct primary *p = ctx;

    (void)what;
    p->conn = accept(fd, NULL, NULL);
    assert_true(p->conn >= 0);
    if (p->by_tcp == ACT_CLOSE) {
        (void)close(p->conn);
        p->conn = -1;
        return;
    }
    p->events[2] = event_new(loop_base(p->loop), p->conn, EV_READ | EV_PERSIST, on_conn, p);
    assert_int_equal(event_add(p->events[2], NULL), 0);
}

/* The same port for both; the one that UDP got may be taken for TCP, then another is tried. */
static void bind_both(struct primary *p)
{
    int one = 1;

    for (int tries = 0;; tries++) {
        struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
        socklen_t n = sizeof(in);

        p->udp = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        p->tcp = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_int_equal(setsockopt(p->tcp, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)), 0);
        assert_int_equal(bind(p->udp, (struct sockaddr *)&in, n), 0);
        assert_int_equal(getsockname(p->udp, (struct sockaddr *)&in, &n), 0);
        assert_true(addr_from_sockaddr(&p->address, (struct sockaddr *)&in));
        if (bind(p->tcp, (struct sockaddr *)&in, n) == 0)
            return;
        assert_true(tries < 20);
        (void)close(p->udp);
        (void)close(p->tcp);
    }
}

static void primary_start(struct primary *p, struct loop *loop)
{
    p->loop = loop;
    p->conn = -1;
    bind_both(p);
    assert_int_equal(listen(p->tcp, 5), 0);
    p->events[0] = event_new(loop_base(loop), p->udp, EV_READ | EV_PERSIST, on_udp, p);
    p->events[1] = event_new(loop_base(loop), p->tcp, EV_READ | EV_PERSIST, on_accept, p);
    assert_int_equal(event_add(p->events[0], NULL), 0);
    assert_int_equal(event_add(p->events[1], NULL), 0);
}

static void primary_stop(struct primary *p)
{
    for (int i = 0; i < 3; i++) {
        if (p->events[i])
            event_free(p->events[i]);
    }
    (void)close(p->udp);
    (void)close(p->tcp);
    if (p->conn >= 0)
        (void)close(p->conn);
    tsig_key_unref(p->key);
}

static void on_done(void *ctx, const struct probe_report *report)
{
    struct primary *p = ctx;

    p->report = *report;
    p->done = true;
    loop_stop(p->loop);
}

struct probe_case {
    const char *name;
    bool keyed;
    enum act by_udp, by_tcp;
    enum probe_outcome outcome;
    unsigned udp_queries, tcp_queries;
    const char *transport;
};

static const struct probe_case cases[] = {
    {"plain", false, ACT_SOA, ACT_SOA, PROBE_SOA, 1, 0, "udp"},
    {"signed", true, ACT_SOA, ACT_SOA, PROBE_SOA, 1, 0, "udp"},
    {"forged before the answer", false, ACT_FORGED, ACT_SOA, PROBE_SOA, 1, 0, "udp"},
    {"truncated", false, ACT_TC, ACT_SOA, PROBE_SOA, 1, 1, "tcp"},
    {"truncated, signed", true, ACT_TC, ACT_SOA, PROBE_SOA, 1, 1, "tcp"},
    {"truncated by TCP too", false, ACT_TC, ACT_TC, PROBE_BROKEN, 1, 1, "tcp"},
    {"silent by UDP", false, ACT_SILENT, ACT_SOA, PROBE_SOA, 2, 1, "tcp"},
    {"silent", false, ACT_SILENT, ACT_SILENT, PROBE_TIMEOUT, 2, 0, "tcp"},
    {"closes TCP", false, ACT_SILENT, ACT_CLOSE, PROBE_UNREACHABLE, 2, 0, "tcp"},
    {"refused", false, ACT_REFUSED, ACT_SOA, PROBE_REFUSED, 1, 0, "udp"},
    {"server failure", false, ACT_SERVFAIL, ACT_SOA, PROBE_SERVFAIL, 1, 0, "udp"},
    {"no AA", false, ACT_NOT_AA, ACT_SOA, PROBE_NOT_AUTH, 1, 0, "udp"},
    {"no answer records", false, ACT_EMPTY, ACT_SOA, PROBE_NOT_AUTH, 1, 0, "udp"},
    {"another owner", false, ACT_OTHER_OWNER, ACT_SOA, PROBE_BROKEN, 1, 0, "udp"},
    {"a short SOA", false, ACT_SHORT_SOA, ACT_SOA, PROBE_BROKEN, 1, 0, "udp"},
    {"unsigned by UDP only", true, ACT_UNSIGNED, ACT_SOA, PROBE_SOA, 1, 1, "tcp"},
    {"unsigned", true, ACT_UNSIGNED, ACT_UNSIGNED, PROBE_BAD_TSIG, 1, 1, "tcp"},
    {"bad MAC", true, ACT_BAD_MAC, ACT_BAD_MAC, PROBE_BAD_TSIG, 1, 1, "tcp"},
};

static void test_cases(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct probe_case *c = &cases[i];
        struct primary p = {.by_udp = c->by_udp, .by_tcp = c->by_tcp};
        struct probe_spec spec = {.timeout_ms = c->by_udp == ACT_SILENT ? 60 : 5000};
        struct loop *loop;

        assert_int_equal(loop_new(&loop, clock_real(), 1, NULL), OK);
        primary_start(&p, loop);
        if (c->keyed)
            assert_int_equal(tsig_key_new(&p.key, (const uint8_t *)"\1k", TSIG_HMAC_SHA256,
                                          "c2VjcmV0c2VjcmV0", 16, NULL),
                             OK);
        (void)name_copy(spec.zone, zone);
        spec.address = p.address;
        spec.key = p.key;
        assert_non_null(probe_start(loop, &spec, on_done, &p));
        assert_false(p.done); /* never from within the call */
        loop_run(loop);
        if (p.report.outcome != c->outcome)
            fail_msg("%s: %s, '%s'", c->name, probe_outcome_text(p.report.outcome),
                     p.report.error.text);
        assert_int_equal(p.udp_queries, c->udp_queries);
        assert_int_equal(p.tcp_queries, c->tcp_queries);
        assert_string_equal(p.report.transport, c->transport);
        if (c->outcome == PROBE_SOA) {
            assert_int_equal(p.report.serial.v, 4711);
            assert_int_equal(p.report.refresh_s, 7200);
        } else {
            assert_true(p.report.error.text[0] != 0);
        }
        primary_stop(&p);
        loop_free(loop);
    }
}

static void on_stop(void *ctx)
{
    loop_stop(ctx);
}

/* Nobody listens; a bad source address; cancelled. */
static void test_unreachable(void **state)
{
    struct primary p = {.by_udp = ACT_SOA};
    struct primary gone;
    struct probe_spec spec = {.timeout_ms = 1000};
    struct loop *loop;

    (void)state;
    assert_int_equal(loop_new(&loop, clock_real(), 1, NULL), OK);
    primary_start(&p, loop);
    gone = p;
    primary_stop(&p);
    p = (struct primary){.loop = loop};
    (void)name_copy(spec.zone, zone);
    spec.address = gone.address;
    (void)probe_start(loop, &spec, on_done, &p);
    loop_run(loop);
    assert_int_equal(p.report.outcome, PROBE_UNREACHABLE);

    spec.source = (struct addr){.ip = {192, 0, 2, 1}, .family = 4};
    (void)probe_start(loop, &spec, on_done, &p);
    loop_run(loop);
    assert_int_equal(p.report.outcome, PROBE_UNREACHABLE);
    assert_non_null(strstr(p.report.error.text, "192.0.2.1"));

    p.done = false;
    probe_cancel(probe_start(loop, &spec, on_done, &p));
    loop_post(loop, on_stop, loop);
    loop_run(loop);
    assert_false(p.done);
    loop_free(loop);
}

/* What a primary says of the time that is left to it (RFC 7314). */
static void test_time_left(void **state)
{
    static const struct {
        uint8_t option[10];
        uint16_t len;
        bool has;
        uint32_t left;
    } words[] = {
        {{0}, 0, false, 0},
        {{0, 9, 0, 4, 0, 0, 0, 100}, 8, true, 100},
        {{0, 9, 0, 4, 0, 0, 0, 0}, 8, true, 0},
        {{0, 9, 0, 4, 255, 255, 255, 255}, 8, true, 5000}, /* no more than the SOA's own */
        {{0, 9, 0, 0}, 4, false, 0},
        {{0, 9, 0, 3, 0, 0, 1}, 7, false, 0},
        {{0, 9, 0, 5, 0, 0, 0, 1, 0}, 9, false, 0},
        {{0, 10, 0, 4, 0, 0, 0, 1}, 8, false, 0},
    };
    uint8_t query[512], wire[512], rdata[22] = {0};
    struct msg_query_spec q = {.qname = zone, .qtype = RR_SOA};
    size_t query_len = msg_build_query(query, sizeof(query), &q);

    (void)state;
    put_u32(rdata + 14, 5000);
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        static struct msg_writer w;
        struct edns_reply opt = {
            .udp_size = 1232, .options = words[i].option, .options_len = words[i].len};
        struct rr soa = {.owner = zone,
                         .type = RR_SOA,
                         .rclass = CLASS_IN,
                         .rdata = rdata,
                         .rdata_len = sizeof(rdata)};
        struct probe_report report = {.outcome = PROBE_TIMEOUT};
        struct response response;
        size_t len;

        msgw_init(&w);
        msgw_begin(&w, wire, sizeof(wire), 0, MSG_QR | MSG_AA);
        assert_true(msgw_question(&w, zone, RR_SOA, CLASS_IN));
        assert_true(msgw_rr(&w, SECTION_ANSWER, &soa));
        assert_true(msgw_opt(&w, &opt, RCODE_NOERROR));
        len = msgw_finish(&w);
        assert_int_equal(response_check(&response, RESPONSE_SINGLE, query, query_len, wire, len),
                         RESPONSE_OK);
        probe_judge(&report, zone, &response, wire, len);
        assert_int_equal(report.outcome, PROBE_SOA);
        assert_int_equal(report.expire_s, 5000);
        assert_int_equal(report.has_left, words[i].has);
        assert_int_equal(report.left_s, words[i].left);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_time_left),
        cmocka_unit_test(test_cases),
        cmocka_unit_test(test_unreachable),
    };

    return cmocka_run_group_tests_name("syncd/probe", tests, NULL, NULL);
}
