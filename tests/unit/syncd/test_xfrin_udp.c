/* A question by UDP against a scripted peer on loopback: what counts as an answer to it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/dns/message_build.h"
#include "lib/dns/rr.h"
#include "syncd/xfrin_udp.h"

static const uint8_t zone[] = "\7example";

enum act {
    ACT_ANSWER,
    ACT_FORGED, /* another ID, another question, no response, noise, from another port; then right
                 */
    ACT_FORGED_ONLY,
    ACT_TC,
    ACT_ERROR,  /* an rcode is an answer too */
    ACT_SECOND, /* the first question is lost */
    ACT_SILENT,
    ACT_CLOSED, /* nobody listens */
};

struct peer {
    enum act act;
    int fd;
    struct addr address;
    struct loop *loop;
    unsigned questions;
    bool done;
    enum xfrin_udp_end end;
    uint8_t wire[512];
    size_t len;
};

static void send_to(int fd, const uint8_t *wire, size_t len, const struct sockaddr *to, socklen_t n)
{
    assert_int_equal(sendto(fd, wire, len, 0, to, n), len);
}

static void send_forged(struct peer *p, const uint8_t *good, size_t len, const struct sockaddr *to,
                        socklen_t n)
{
    int elsewhere = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    static const size_t spoilt[] = {1, 14, 2};
    uint8_t bad[512];

    for (size_t i = 0; i < 3; i++) {
        memcpy(bad, good, len);
        bad[spoilt[i]] ^= spoilt[i] == 2 ? 0x80 : 1;
        send_to(p->fd, bad, len, to, n);
    }
    send_to(p->fd, good, 5, to, n);
    send_to(elsewhere, good, len, to, n);
    (void)close(elsewhere);
}

static void on_question(evutil_socket_t fd, short what, void *ctx)
{
    struct peer *p = ctx;
    struct sockaddr_storage from;
    socklen_t n = sizeof(from);
    uint8_t wire[512];
    ssize_t len = recvfrom(fd, wire, sizeof(wire), 0, (struct sockaddr *)&from, &n);

    (void)what;
    assert_true(len > 12);
    p->questions++;
    wire[2] |= 0x80;
    if (p->act == ACT_TC)
        wire[2] |= 0x02;
    if (p->act == ACT_ERROR)
        wire[3] |= 5;
    if (p->act == ACT_SILENT || (p->act == ACT_SECOND && p->questions == 1))
        return;
    if (p->act == ACT_FORGED || p->act == ACT_FORGED_ONLY)
        send_forged(p, wire, (size_t)len, (struct sockaddr *)&from, n);
    if (p->act != ACT_FORGED_ONLY)
        send_to(fd, wire, (size_t)len, (struct sockaddr *)&from, n);
}

static void on_done(void *ctx, enum xfrin_udp_end end, const uint8_t *wire, size_t len)
{
    struct peer *p = ctx;

    assert_false(p->done);
    p->done = true;
    p->end = end;
    p->len = len;
    assert_int_equal(wire != NULL, end == XFRIN_UDP_ANSWER);
    if (wire)
        memcpy(p->wire, wire, len);
    loop_stop(p->loop);
}

static void peer_open(struct peer *p)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t n = sizeof(in);

    p->fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(p->fd, (struct sockaddr *)&in, n), 0);
    assert_int_equal(getsockname(p->fd, (struct sockaddr *)&in, &n), 0);
    assert_true(addr_from_sockaddr(&p->address, (struct sockaddr *)&in));
}

struct udp_case {
    const char *name;
    enum act act;
    enum xfrin_udp_end end;
    unsigned questions;
};

static const struct udp_case cases[] = {
    {"an answer", ACT_ANSWER, XFRIN_UDP_ANSWER, 1},
    {"forgeries before it", ACT_FORGED, XFRIN_UDP_ANSWER, 1},
    {"forgeries alone", ACT_FORGED_ONLY, XFRIN_UDP_SILENT, 2},
    {"truncated", ACT_TC, XFRIN_UDP_TRUNCATED, 1},
    {"an error", ACT_ERROR, XFRIN_UDP_ANSWER, 1},
    {"the first one is lost", ACT_SECOND, XFRIN_UDP_ANSWER, 2},
    {"silence", ACT_SILENT, XFRIN_UDP_SILENT, 2},
    {"nobody listens", ACT_CLOSED, XFRIN_UDP_SILENT, 0},
};

static void test_cases(void **state)
{
    uint8_t query[512];
    struct msg_query_spec q = {.qname = zone, .qtype = RR_SOA, .id = 0x1234};
    size_t query_len = msg_build_query(query, sizeof(query), &q);

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct udp_case *c = &cases[i];
        struct peer p = {.act = c->act};
        bool waits = c->end == XFRIN_UDP_SILENT || c->act == ACT_SECOND;
        struct xfrin_udp_spec spec = {
            .timeout_ms = waits ? 60 : 60000, .query = query, .query_len = query_len};
        struct event *reading;

        assert_int_equal(loop_new(&p.loop, clock_real(), 1, NULL), OK);
        peer_open(&p);
        spec.address = p.address;
        reading = event_new(loop_base(p.loop), p.fd, EV_READ | EV_PERSIST, on_question, &p);
        if (c->act == ACT_CLOSED)
            (void)close(p.fd);
        else
            assert_int_equal(event_add(reading, NULL), 0);
        assert_non_null(xfrin_udp_start(p.loop, &spec, on_done, &p));
        assert_false(p.done); /* never from within the call */
        loop_run(p.loop);
        if (p.end != c->end || p.questions != c->questions)
            fail_msg("%s: %d after %u questions", c->name, (int)p.end, p.questions);
        if (p.end == XFRIN_UDP_ANSWER) {
            assert_int_equal(p.len, query_len);
            assert_memory_equal(p.wire, query, 2);
            assert_memory_equal(p.wire + 12, query + 12, query_len - 12);
        }
        event_free(reading);
        if (c->act != ACT_CLOSED)
            (void)close(p.fd);
        loop_free(p.loop);
    }
}

static void test_cancel(void **state)
{
    uint8_t query[512] = {0};
    struct xfrin_udp_spec spec = {.timeout_ms = 10, .query = query, .query_len = 12};
    struct loop *loop;
    struct xfrin_udp *u;

    (void)state;
    assert_int_equal(loop_new(&loop, clock_real(), 1, NULL), OK);
    u = xfrin_udp_start(loop, &spec, on_done, NULL);
    xfrin_udp_cancel(u);
    xfrin_udp_cancel(NULL);
    loop_free(loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cases),
        cmocka_unit_test(test_cancel),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
