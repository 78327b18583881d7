/* Whole transfers against a scripted primary on loopback, up to what can be committed, with a real
 * store behind them. */
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
#include "syncd/xfrin.h"
#include "tests/tools/store_fixture.h"

static const uint8_t apex[] = "\7example";
static struct store_readers *readers;
static char dir[] = "/tmp/test_xfrin.XXXXXX";

enum act {
    ACT_WHOLE,
    ACT_CUT,      /* closes after `cut` octets */
    ACT_STALL,    /* goes silent after `cut` octets */
    ACT_LENGTH,   /* a length says more than comes; then it closes */
    ACT_GARBAGE,  /* a frame of noise */
    ACT_ENDLESS,  /* never a closing SOA */
    ACT_TRAILING, /* octets behind the end */
    ACT_REFUSED,
};

struct primary {
    struct loop *loop;
    int listener, conn;
    struct addr address;
    struct event *accepting, *reading, *writing;

    enum act act;
    size_t cut;
    struct zone *content;
    uint16_t id;
    struct buf out;
    size_t sent;

    bool received, done;
    struct xfrin_result result; /* owned */
};

/* ---- The primary ---- */

static void put_message(struct primary *p, const struct rr *rrs, size_t n, bool first)
{
    static uint8_t wire[65535];
    struct msg_writer w;
    size_t len;

    msgw_init(&w);
    msgw_begin(&w, wire, sizeof(wire), p->id, MSG_QR | MSG_AA);
    if (p->act == ACT_REFUSED)
        msgw_set_rcode(&w, RCODE_REFUSED);
    if (first)
        assert_true(msgw_question(&w, apex, RR_AXFR, CLASS_IN));
    for (size_t i = 0; i < n; i++)
        assert_true(msgw_rr(&w, SECTION_ANSWER, &rrs[i]));
    len = msgw_finish(&w);
    buf_u16(&p->out, (uint16_t)len);
    buf_put(&p->out, wire, len);
}

/* A message for each record but the SOA. */
static void put_records(struct primary *p)
{
    struct zone_rr_iter it;
    struct rr rr;

    zone_rr_iter_init(&it, p->content);
    while (zone_rr_next(&it, &rr)) {
        if (rr.type != RR_SOA)
            put_message(p, &rr, 1, false);
    }
}

static void put_zone(struct primary *p)
{
    struct soa fields;
    struct rr soa;

    assert_true(zone_soa(p->content, &soa, &fields));
    put_message(p, &soa, p->act == ACT_REFUSED ? 0 : 1, true);
    put_records(p);
    if (p->act != ACT_ENDLESS)
        put_message(p, &soa, 1, false);
}

static void on_writable(evutil_socket_t fd, short what, void *ctx)
{
    struct primary *p = ctx;
    size_t end = p->act == ACT_CUT || p->act == ACT_STALL ? p->cut : p->out.len;
    ssize_t n;

    (void)what;
    if (p->act == ACT_ENDLESS && p->sent == end) {
        p->out.len = p->sent = 0;
        put_records(p);
        end = p->out.len;
    }
    n = send(fd, p->out.data + p->sent, end - p->sent, MSG_NOSIGNAL);
    if (n > 0)
        p->sent += (size_t)n;
    if (n < 0 || (p->sent == end && p->act != ACT_ENDLESS)) {
        assert_int_equal(event_del(p->writing), 0);
        if (p->act != ACT_STALL) {
            (void)shutdown(fd, SHUT_WR);
            if (p->reading)
                (void)event_del(p->reading);
        }
    }
}

static void on_query(evutil_socket_t fd, short what, void *ctx)
{
    struct primary *p = ctx;
    uint8_t wire[1024];
    struct query q;
    ssize_t n = recv(fd, wire, sizeof(wire), 0);

    (void)what;
    if (n <= 2) {
        (void)event_del(p->reading);
        if (p->writing)
            (void)event_del(p->writing);
        return;
    }
    assert_int_equal(query_parse(&q, wire + 2, (size_t)n - 2), QUERY_OK);
    assert_int_equal(q.qtype, RR_AXFR);
    p->id = q.id;
    put_zone(p);
    if (p->act == ACT_LENGTH)
        put_u16(p->out.data, 60000);
    if (p->act == ACT_TRAILING)
        buf_str(&p->out, "behind the end");
    if (p->act == ACT_GARBAGE) {
        p->out.len = 0;
        buf_u16(&p->out, 300);
        memset(buf_space(&p->out, 300), 0xa5, 300);
    }
    assert_int_equal(event_add(p->writing, NULL), 0);
}

static void on_accept(evutil_socket_t fd, short what, void *ctx)
{
    struct primary *p = ctx;

    (void)what;
    p->conn = accept4(fd, NULL, NULL, SOCK_NONBLOCK);
    assert_true(p->conn >= 0);
    p->reading = event_new(loop_base(p->loop), p->conn, EV_READ | EV_PERSIST, on_query, p);
    p->writing = event_new(loop_base(p->loop), p->conn, EV_WRITE | EV_PERSIST, on_writable, p);
    assert_int_equal(event_add(p->reading, NULL), 0);
}

static void primary_start(struct primary *p)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t n = sizeof(in);

    assert_int_equal(loop_new(&p->loop, clock_real(), 1, NULL), OK);
    p->conn = -1;
    p->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(p->listener, (struct sockaddr *)&in, n), 0);
    assert_int_equal(listen(p->listener, 5), 0);
    assert_int_equal(getsockname(p->listener, (struct sockaddr *)&in, &n), 0);
    assert_true(addr_from_sockaddr(&p->address, (struct sockaddr *)&in));
    p->accepting = event_new(loop_base(p->loop), p->listener, EV_READ | EV_PERSIST, on_accept, p);
    assert_int_equal(event_add(p->accepting, NULL), 0);
}

static void primary_stop(struct primary *p)
{
    event_free(p->accepting);
    if (p->reading)
        event_free(p->reading);
    if (p->writing)
        event_free(p->writing);
    if (p->conn >= 0)
        (void)close(p->conn);
    (void)close(p->listener);
    buf_free(&p->out);
    zone_unref(p->content);
    xfrin_result_done(&p->result);
    loop_free(p->loop);
}

/* ---- The transfer ---- */

static void on_received(void *ctx)
{
    struct primary *p = ctx;

    assert_false(p->received || p->done);
    p->received = true;
}

static void on_done(void *ctx, struct xfrin_result *result)
{
    struct primary *p = ctx;

    assert_false(p->done);
    p->done = true;
    p->result = *result;
    result->old_zone = result->new_zone = NULL;
    result->changes = NULL;
    loop_stop(p->loop);
}

static const struct xfrin_events events = {on_received, on_done};

static struct xfrin_spec spec_for(const struct primary *p)
{
    struct xfrin_spec spec = {.address = p->address,
                              .connect_ms = 5000,
                              .idle_ms = p->act == ACT_STALL ? 60 : 5000,
                              .max_s = 60,
                              .limits = {.max_records = 5000},
                              .readers = readers,
                              .has_newest = true,
                              .newest = {10}};

    (void)name_copy(spec.zone, apex);
    return spec;
}

static void transfer(struct primary *p, const struct xfrin_spec *spec)
{
    assert_non_null(xfrin_start(p->loop, spec, &events, p));
    assert_false(p->done);
    loop_run(p->loop);
    assert_true(p->done);
}

struct xfrin_case {
    const char *name;
    enum act act;
    size_t cut;
    uint32_t serial;
    uint32_t value; /* of its addresses */
    bool any_serial;
    enum transfer_outcome outcome;
    const char *says;
};

/* The store has serial 10, value 1. */
static const struct xfrin_case cases[] = {
    {"newer", ACT_WHOLE, 0, 11, 2, false, TRANSFER_NEW, NULL},
    {"the same", ACT_WHOLE, 0, 10, 1, false, TRANSFER_SAME, NULL},
    {"older", ACT_WHOLE, 0, 9, 1, false, TRANSFER_OLDER, "not newer"},
    {"older, but wanted", ACT_WHOLE, 0, 9, 1, true, TRANSFER_NEW, NULL},
    {"the same, though wanted", ACT_WHOLE, 0, 10, 1, true, TRANSFER_SAME, NULL},
    {"other content, same serial", ACT_WHOLE, 0, 10, 2, true, TRANSFER_NEW, NULL},
    {"other content, same serial, unwanted", ACT_WHOLE, 0, 10, 2, false, TRANSFER_SAME, NULL},
    {"cut at once", ACT_CUT, 0, 11, 2, false, TRANSFER_FAILED, "closed"},
    {"cut in a length", ACT_CUT, 1, 11, 2, false, TRANSFER_FAILED, "middle of a message"},
    {"cut in a message", ACT_CUT, 40, 11, 2, false, TRANSFER_FAILED, "middle of a message"},
    {"cut later", ACT_CUT, 150, 11, 2, false, TRANSFER_FAILED, "before the closing SOA"},
    {"stalls at once", ACT_STALL, 0, 11, 2, false, TRANSFER_FAILED, "nothing came"},
    {"stalls later", ACT_STALL, 150, 11, 2, false, TRANSFER_FAILED, "nothing came"},
    {"lies about a length", ACT_LENGTH, 0, 11, 2, false, TRANSFER_FAILED, "closed"},
    {"garbage", ACT_GARBAGE, 0, 11, 2, false, TRANSFER_FAILED, "message 1"},
    {"endless", ACT_ENDLESS, 0, 11, 2, false, TRANSFER_REFUSED, "5000"},
    {"octets behind the end", ACT_TRAILING, 0, 11, 2, false, TRANSFER_FAILED, "behind the end"},
    {"refused", ACT_REFUSED, 0, 11, 2, false, TRANSFER_FAILED, "REFUSED"},
};

static void check_new(const struct xfrin_case *c, const struct primary *p)
{
    const struct xfrin_result *r = &p->result;

    assert_true(p->received);
    assert_int_equal(r->row.serial.v, 10);
    assert_int_equal(zone_serial(r->old_zone).v, 10);
    assert_true(same_content(r->new_zone, p->content));
    assert_non_null(r->changes);
    assert_int_equal(r->records, zone_records(p->content));
    assert_int_equal(r->same_serial, c->serial == 10);
    assert_int_equal(r->older_serial, c->serial < 10);
    assert_true(r->octets > 100);
}

static void test_cases(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct xfrin_case *c = &cases[i];
        struct primary p = {.act = c->act, .cut = c->cut};
        struct xfrin_spec spec;

        p.content = plain_zone(apex, c->serial, 20, c->value);
        primary_start(&p);
        spec = spec_for(&p);
        spec.any_serial = c->any_serial;
        transfer(&p, &spec);
        if (p.result.report.outcome != c->outcome ||
            (c->says && !strstr(p.result.error.text, c->says)))
            fail_msg("%s: %s, '%s'", c->name, transfer_outcome_text(p.result.report.outcome),
                     p.result.error.text);
        if (c->outcome == TRANSFER_NEW)
            check_new(c, &p);
        else if (c->outcome == TRANSFER_FAILED || c->outcome == TRANSFER_REFUSED)
            assert_null(p.result.new_zone);
        primary_stop(&p);
    }
}

/* A transfer that is cut after each of its octets, but the last. */
static void test_cut_after_every_octet(void **state)
{
    size_t whole = 1;

    (void)state;
    for (size_t cut = 0; cut < whole; cut++) {
        struct primary p = {.act = ACT_CUT, .cut = cut, .content = plain_zone(apex, 11, 2, 1)};
        struct xfrin_spec spec;

        primary_start(&p);
        spec = spec_for(&p);
        transfer(&p, &spec);
        whole = p.out.len;
        if (p.result.report.outcome != TRANSFER_FAILED || p.result.new_zone)
            fail_msg("cut after %zu of %zu octets: outcome %d", cut, whole,
                     (int)p.result.report.outcome);
        assert_string_not_equal(p.result.error.text, "");
        primary_stop(&p);
    }
    assert_in_range(whole, 200, 2000);
}

/* What zone_check refuses is refused by serial. */
static void test_content_without_ns(void **state)
{
    struct zone_builder *b = zone_builder_new(apex, NULL);
    struct zone *good = plain_zone(apex, 12, 1, 1);
    struct zone_build_report report;
    struct primary p = {.act = ACT_WHOLE};
    struct xfrin_spec spec;
    struct soa fields;
    struct rr soa;

    (void)state;
    assert_true(zone_soa(good, &soa, &fields));
    assert_int_equal(zone_builder_add(b, &soa, NULL), OK);
    assert_int_equal(zone_builder_finish(&p.content, b, &report, NULL), OK);
    zone_builder_free(b);
    zone_unref(good);
    primary_start(&p);
    spec = spec_for(&p);
    transfer(&p, &spec);
    assert_int_equal(p.result.report.outcome, TRANSFER_REFUSED);
    assert_true(p.result.report.has_soa);
    assert_int_equal(p.result.report.serial.v, 12);
    assert_non_null(strstr(p.result.error.text, "NS"));
    primary_stop(&p);
}

static void test_nobody_there(void **state)
{
    struct primary p = {.act = ACT_WHOLE};
    struct primary gone = {.act = ACT_WHOLE};
    struct xfrin_spec spec;

    (void)state;
    primary_start(&gone);
    spec = spec_for(&gone);
    primary_stop(&gone);
    primary_start(&p);
    transfer(&p, &spec);
    assert_int_equal(p.result.report.outcome, TRANSFER_FAILED);
    assert_non_null(strstr(p.result.error.text, "refused"));
    primary_stop(&p);
}

static void on_cancel(evutil_socket_t fd, short what, void *ctx)
{
    struct primary *p = *(struct primary **)ctx;
    struct xfrin *x = ((void **)ctx)[1];

    (void)fd;
    (void)what;
    if (!p->done)
        xfrin_cancel(x);
    loop_stop(p->loop);
}

/* Cancelled at any moment: no event afterwards, nothing leaks, the pool's part too. */
static void test_cancel(void **state)
{
    (void)state;
    for (int us = 0; us < 4000; us += 100) {
        struct primary p = {.act = ACT_WHOLE};
        struct timeval tv = {.tv_usec = us};
        struct xfrin_spec spec;
        struct event *timer;
        void *both[2] = {&p, NULL};

        p.content = plain_zone(apex, 11, 200, 2);
        primary_start(&p);
        spec = spec_for(&p);
        both[1] = xfrin_start(p.loop, &spec, &events, &p);
        timer = evtimer_new(loop_base(p.loop), on_cancel, both);
        assert_int_equal(evtimer_add(timer, &tv), 0);
        loop_run(p.loop);
        event_free(timer);
        primary_stop(&p);
    }
}

static int make_store(void **state)
{
    struct store_zone row = plain_row(apex);
    struct zone *z = plain_zone(apex, 10, 20, 1);
    struct store *s;

    (void)state;
    if (!mkdtemp(dir))
        return -1;
    s = must_open_writer(dir);
    readers = store_readers_new(dir);
    (void)must_commit(s, &row, NULL, z, 1700000000);
    zone_unref(z);
    store_close(s);
    return 0;
}

static int remove_store(void **state)
{
    static const char *const files[] = {"zoneledger.db", "zoneledger.db-wal", "zoneledger.db-shm",
                                        "lock"};
    char path[128];

    (void)state;
    store_readers_free(readers);
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        (void)snprintf(path, sizeof(path), "%s/%s", dir, files[i]);
        (void)unlink(path);
    }
    return rmdir(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cases),
        cmocka_unit_test(test_cut_after_every_octet),
        cmocka_unit_test(test_content_without_ns),
        cmocka_unit_test(test_nobody_there),
        cmocka_unit_test(test_cancel),
    };

    return cmocka_run_group_tests_name("syncd/xfrin", tests, make_store, remove_store);
}
