/* Names asked of a scripted resolver on loopback: who is told what, and how often it is asked. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/dns/msgwriter.h"
#include "lib/dns/query.h"
#include "syncd/resolve.h"
#include "tests/tools/config_fixture.h"

static const uint8_t both[] = "\4both\7example";     /* two A, one AAAA */
static const uint8_t four[] = "\4four\7example";     /* A alone */
static const uint8_t none[] = "\4none\7example";     /* does not exist */
static const uint8_t broken[] = "\6broken\7example"; /* SERVFAIL */
static const uint8_t odd[] = "\4o\\d!\7example";     /* no name of a host */

struct told {
    unsigned times;
    struct addr addresses[RESOLVE_ADDRESSES_MAX];
    size_t count;
    bool again; /* asks for another name when it is told */
};

struct server {
    int fd;
    struct addr address;
    struct event *reading;
    unsigned questions;
    struct loop *loop;
    struct config *config;
    struct resolver *r;
    unsigned waiting; /* who is still to be told */
    struct told told[8];
};

static void put_record(struct msg_writer *w, const struct query *q, uint8_t last)
{
    uint8_t rdata[16] = {192, 0, 2, last};
    struct rr rr = {.owner = q->qname_raw,
                    .type = q->qtype,
                    .rclass = CLASS_IN,
                    .ttl = 120,
                    .rdata = rdata,
                    .rdata_len = q->qtype == RR_A ? 4 : 16};

    assert_true(msgw_rr(w, SECTION_ANSWER, &rr));
}

static void on_question(evutil_socket_t fd, short what, void *ctx)
{
    struct server *s = ctx;
    struct sockaddr_storage from;
    socklen_t n = sizeof(from);
    uint8_t wire[512], out[512];
    ssize_t len = recvfrom(fd, wire, sizeof(wire), 0, (struct sockaddr *)&from, &n);
    struct msg_writer w;
    struct query q;
    size_t out_len;

    (void)what;
    assert_true(len > 0);
    assert_int_equal(query_parse(&q, wire, (size_t)len), QUERY_OK);
    assert_true(q.flags & MSG_RD);
    s->questions++;
    msgw_init(&w);
    msgw_begin(&w, out, sizeof(out), q.id, (uint16_t)(MSG_QR | MSG_RD | 0x80 /* RA */));
    assert_true(msgw_question(&w, q.qname_raw, q.qtype, q.qclass));
    if (name_eq(q.qname, none))
        msgw_set_rcode(&w, RCODE_NXDOMAIN);
    else if (name_eq(q.qname, broken))
        msgw_set_rcode(&w, RCODE_SERVFAIL);
    else if (q.qtype == RR_A)
        put_record(&w, &q, 1);
    if (name_eq(q.qname, both))
        put_record(&w, &q, 2);
    out_len = msgw_finish(&w);
    assert_true(sendto(fd, out, out_len, 0, (struct sockaddr *)&from, n) > 0);
}

static void start(struct server *s)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t n = sizeof(in);
    char text[200];

    *s = (struct server){.fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
    assert_int_equal(bind(s->fd, (struct sockaddr *)&in, n), 0);
    assert_int_equal(getsockname(s->fd, (struct sockaddr *)&in, &n), 0);
    assert_int_equal(loop_new(&s->loop, clock_real(), 1, NULL), OK);
    s->reading = event_new(loop_base(s->loop), s->fd, EV_READ | EV_PERSIST, on_question, s);
    assert_int_equal(event_add(s->reading, NULL), 0);
    (void)snprintf(text, sizeof(text), "syncd { resolvers = {\"127.0.0.1@%u\"} }\n",
                   (unsigned)ntohs(in.sin_port));
    s->config = text_config(text);
    s->r = resolver_new(s->loop, s->config);
}

static void stop(struct server *s)
{
    resolver_free(s->r);
    event_free(s->reading);
    (void)close(s->fd);
    loop_free(s->loop);
    config_unref(s->config);
}

static struct server *now; /* whom tellers belong to */

static void on_told(void *ctx, const struct addr *addresses, size_t count)
{
    struct told *t = ctx;

    t->times++;
    t->count = count;
    memcpy(t->addresses, addresses, count * sizeof(*addresses));
    if (t->again) {
        t->again = false;
        resolver_ask(now->r, four, on_told, t);
        return;
    }
    if (--now->waiting == 0)
        loop_stop(now->loop);
}

static void ask(struct server *s, unsigned i, const uint8_t *name)
{
    now = s;
    s->waiting++;
    resolver_ask(s->r, name, on_told, &s->told[i]);
}

/* Until all have been told. */
static void wait(struct server *s)
{
    if (s->waiting)
        loop_run(s->loop);
    assert_int_equal(s->waiting, 0);
}

static void test_names(void **state)
{
    struct server s;

    (void)state;
    start(&s);
    ask(&s, 0, both);
    ask(&s, 1, (const uint8_t *)"\4BOTH\7example"); /* the same name: no question of its own */
    ask(&s, 2, four);
    ask(&s, 3, none);
    ask(&s, 4, odd);
    assert_int_equal(s.told[4].times, 1); /* at once, and without a question */
    wait(&s);
    assert_int_equal(s.questions, 6);
    for (size_t i = 0; i < 5; i++)
        assert_int_equal(s.told[i].times, 1);
    assert_int_equal(s.told[0].count, 3);
    assert_int_equal(s.told[1].count, 3);
    assert_int_equal(s.told[2].count, 1);
    assert_int_equal(s.told[2].addresses[0].family, 4);
    assert_int_equal(s.told[2].addresses[0].ip[3], 1);
    assert_int_equal(s.told[3].count, 0);
    assert_int_equal(s.told[4].count, 0);

    ask(&s, 0, both); /* remembered, with and without addresses */
    ask(&s, 3, none);
    assert_int_equal(s.waiting, 0);
    assert_int_equal(s.questions, 6);
    assert_int_equal(s.told[0].times, 2);
    assert_int_equal(s.told[0].count, 3);

    resolver_reload(s.r, s.config);
    ask(&s, 2, four);
    wait(&s);
    assert_int_equal(s.questions, 8);
    assert_int_equal(s.told[2].count, 1);
    stop(&s);
}

/* Who is told may ask on at once; who is in trouble tells it. */
static void test_asking_from_within(void **state)
{
    struct server s;

    (void)state;
    start(&s);
    s.told[0].again = true;
    ask(&s, 0, none);
    ask(&s, 1, broken);
    wait(&s);
    assert_int_equal(s.told[0].times, 2);
    assert_int_equal(s.told[0].count, 1);
    assert_int_equal(s.told[1].count, 0);
    stop(&s);
}

static void test_ends_while_somebody_waits(void **state)
{
    struct server s;

    (void)state;
    start(&s);
    resolver_ask(s.r, both, on_told, &s.told[0]);
    stop(&s);
    assert_int_equal(s.told[0].times, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_asking_from_within),
        cmocka_unit_test(test_ends_while_somebody_waits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
