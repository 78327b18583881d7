#include "syncd/xfrin.h"

#include <stdlib.h>

#include "lib/base/mem.h"
#include "syncd/question.h"
#include "syncd/tcpconn.h"
#include "syncd/xfrin_apply.h"
#include "syncd/xfrin_stream.h"
#include "syncd/xfrin_udp.h"

#define QUERY_MAX 1024
#define RATE_CHECK_S 300             /* in each such time ... */
#define RATE_MIN_OCTETS (10 * 1024u) /* ... at least so much must come */

struct xfrin {
    struct loop *loop;
    struct xfrin_spec spec;
    struct xfrin_events events;
    void *ctx;

    struct mono started;
    struct tcpconn_spec conn_spec;
    struct tcpconn *conn;
    bool reused;            /* and not answered yet */
    uint64_t octets_before; /* that had come by it when we got it */
    bool plain;             /* ask without EDNS: the primary does not know it */
    struct xfrin_udp *udp;
    struct event *timer;
    struct mono checked;     /* when the rate was last looked at, */
    uint64_t octets_checked; /* and what had come by then */
    struct tsig tsig;
    struct xfrin_stream *stream;
    uint8_t query[QUERY_MAX];
    size_t query_len;

    bool asked;                   /* the connection stood, the request went out */
    struct zone_builder *builder; /* the pool's, once it has begun ... */
    struct ixfr *changes;         /* ... or this */
    bool in_pool, cancelled;
    struct guard_check *check; /* a guard command is being asked ... */
    bool judged;               /* ... and has said what it thinks */
    struct xfrin_result result;
};

void xfrin_result_done(struct xfrin_result *r)
{
    zone_unref(r->served);
    zone_unref(r->old_zone);
    zone_unref(r->new_zone);
    changeset_free(r->changes);
    r->served = r->old_zone = NULL;
    r->new_zone = NULL;
    r->changes = NULL;
}

static void close_network(struct xfrin *x)
{
    tcpconn_close(x->conn);
    x->conn = NULL;
    xfrin_udp_cancel(x->udp);
    x->udp = NULL;
    if (x->timer)
        event_free(x->timer);
    x->timer = NULL;
}

static void xfrin_free(struct xfrin *x)
{
    close_network(x);
    xfrin_stream_free(x->stream);
    zone_builder_free(x->builder);
    ixfr_free(x->changes);
    xfrin_result_done(&x->result);
    tsig_done(&x->tsig);
    tsig_key_unref(x->spec.key);
    tls_peer_unref(x->spec.tls);
    guard_check_cancel(x->check);
    if (x->spec.config)
        config_unref(x->spec.config);
    free(x);
}

static int64_t elapsed_ms(const struct xfrin *x)
{
    return clock_mono(loop_clock(x->loop)).ms - x->started.ms;
}

static void finish(struct xfrin *x)
{
    x->result.ms = (uint32_t)elapsed_ms(x);
    x->events.done(x->ctx, &x->result);
    xfrin_free(x);
}

/* Takes the counters, and the SOA if it came, from the stream. */
static void note_stream(struct xfrin *x)
{
    struct xfrin_counts c = xfrin_stream_counts(x->stream);
    struct transfer_report *report = &x->result.report;
    struct soa soa;

    x->result.messages = c.messages;
    x->result.records = c.records;
    x->result.octets = c.octets;
    report->unserved = c.unserved;
    if (xfrin_stream_soa(x->stream, &soa)) {
        report->has_soa = true;
        report->serial = soa.serial;
        report->timers = (struct refresh_timers){
            .refresh_s = soa.refresh_s, .retry_s = soa.retry_s, .expire_s = soa.expire_s};
        report->has_left = c.has_left; /* never more than the SOA's own (RFC 7314 4) */
        report->left_s = c.left_s < soa.expire_s ? c.left_s : soa.expire_s;
    }
}

static void fail(struct xfrin *x, enum transfer_outcome outcome, enum xfrin_fault fault,
                 const struct errinfo *e)
{
    note_stream(x);
    x->result.fault = fault;
    if (x->spec.ixfr && x->asked)
        outcome = TRANSFER_NOT_INCREMENTAL;
    close_network(x);
    x->result.report.outcome = outcome;
    x->result.error = *e;
    finish(x);
}

/* ---- The pool's part ---- */

static void on_pool_work(void *ctx)
{
    struct xfrin *x = ctx;
    if (x->changes)
        xfrin_apply_ixfr(&x->result, &x->spec, x->changes);
    else
        xfrin_apply(&x->result, &x->spec, x->builder);
    zone_builder_free(x->builder);
    ixfr_free(x->changes);
    x->builder = NULL;
    x->changes = NULL;
}

static void on_pool_done(void *ctx);

static void on_pool_verdict(void *ctx)
{
    struct xfrin *x = ctx;

    xfrin_apply_verdict(&x->result, &x->spec);
}

static void on_checked(void *ctx, const struct guard_answer *answer)
{
    struct xfrin *x = ctx;

    x->check = NULL;
    x->judged = true;
    guard_command_judge(&x->result.guard, x->spec.command, answer);
    x->in_pool = true;
    loop_work(x->loop, on_pool_verdict, on_pool_done, x);
}

static void ask_command(struct xfrin *x)
{
    struct guard_check_spec spec = {
        .command = x->spec.command, .old_zone = x->result.old_zone, .new_zone = x->result.new_zone};

    (void)name_copy(spec.zone, x->spec.zone);
    x->check = guard_check_start(x->spec.commands, &spec, on_checked, x);
}

static void on_pool_done(void *ctx)
{
    struct xfrin *x = ctx;

    x->in_pool = false;
    if (x->cancelled)
        xfrin_free(x);
    else if (!x->judged && xfrin_wants_command(&x->result, &x->spec))
        ask_command(x);
    else
        finish(x);
}

/* ---- The network's part ---- */

/* The primary says that we have what it has. */
static void current(struct xfrin *x)
{
    x->result.report.outcome =
        serial_eq(x->result.report.serial, x->spec.newest) ? TRANSFER_SAME : TRANSFER_OLDER;
    (void)err_set(ERR_SERIAL, &x->result.error, "serial %u is not newer than ours, %u",
                  (unsigned)x->result.report.serial.v, (unsigned)x->spec.newest.v);
    finish(x);
}

static void received_all(struct xfrin *x)
{
    note_stream(x);
    x->builder = xfrin_stream_take(x->stream);
    x->changes = xfrin_stream_take_ixfr(x->stream);
    if (x->conn)
        conn_pool_give(x->spec.conns, x->conn);
    x->conn = NULL;
    close_network(x);
    if (!x->builder && !x->changes) {
        current(x);
        return;
    }
    x->in_pool = true;
    x->spec.now = clock_wall(loop_clock(x->loop));
    x->events.received(x->ctx);
    loop_work(x->loop, on_pool_work, on_pool_done, x);
}

static void make_query(struct xfrin *x)
{
    uint8_t soa[1 + 1 + 5 * 4] = {0}; /* of our SOA only the serial counts (RFC 1995 3) */
    struct question q = {.query = {.qname = x->spec.zone, .qtype = RR_AXFR},
                         .plain = x->plain,
                         .padded = x->spec.tls != NULL,
                         .key = x->spec.key};

    if (x->spec.ixfr) {
        q.query.qtype = RR_IXFR;
        soa_set_serial(soa, sizeof(soa), x->spec.newest);
        q.query.ixfr_soa = soa;
        q.query.ixfr_soa_len = sizeof(soa);
    }
    clock_random(loop_clock(x->loop), &q.query.id, sizeof(q.query.id));
    x->query_len =
        question_write(x->query, sizeof(x->query), &q, &x->tsig, clock_wall(loop_clock(x->loop)));
    if (!x->query_len)
        abort(); /* two names and a MAC always fit */
}

/* A new request, and what is to judge the answer to it. */
static void make_request(struct xfrin *x)
{
    make_query(x);
    xfrin_stream_free(x->stream);
    x->stream =
        xfrin_stream_new(x->spec.zone, x->query, x->query_len, x->spec.key ? &x->tsig : NULL,
                         &x->spec.limits, x->spec.ixfr ? &x->spec.newest : NULL);
}

static void on_ready(void *ctx)
{
    struct xfrin *x = ctx;

    x->asked = true;
    tcpconn_send(x->conn, x->query, x->query_len);
}

static void open_new(struct xfrin *x);

static void ask_plainly(struct xfrin *x)
{
    x->plain = true;
    make_request(x);
    tcpconn_close(x->conn);
    open_new(x);
}

static bool on_message(void *ctx, const uint8_t *wire, size_t len)
{
    struct xfrin *x = ctx;
    struct errinfo e = {0};
    enum xfrin_step step;

    x->reused = false;
    step = xfrin_stream_feed(x->stream, wire, len, clock_wall(loop_clock(x->loop)), &e);
    switch (step) {
    case XFRIN_MORE:
        return true;
    case XFRIN_DONE:
        if (tcpconn_buffered(x->conn) == 0) {
            received_all(x);
            return false;
        }
        (void)err_set(ERR_FORMAT, &e, "octets behind the end of the transfer");
        fail(x, TRANSFER_FAILED, XFRIN_FAULT_PROTOCOL, &e);
        return false;
    case XFRIN_REFUSED:
        fail(x, TRANSFER_REFUSED, xfrin_stream_counts(x->stream).fault, &e);
        return false;
    case XFRIN_FAILED:
        if (!x->plain && xfrin_stream_counts(x->stream).no_edns) {
            ask_plainly(x);
            return false;
        }
        break;
    }
    fail(x, TRANSFER_FAILED, xfrin_stream_counts(x->stream).fault, &e);
    return false;
}

static void on_over(void *ctx, enum err rc, const struct errinfo *e)
{
    struct xfrin *x = ctx;
    struct xfrin_counts c = xfrin_stream_counts(x->stream);
    struct errinfo text = *e;

    /* It was closed just then, or the primary allows one only; half an answer is neither. */
    if (x->reused && rc != ERR_TIMEOUT && tcpconn_received(x->conn) == x->octets_before) {
        conn_pool_failed(x->spec.conns, &x->conn_spec);
        tcpconn_close(x->conn);
        open_new(x);
        return;
    }
    if (c.messages)
        (void)err_wrap(rc, &text, "after %llu records, before the closing SOA",
                       (unsigned long long)c.records);
    fail(x, TRANSFER_FAILED, rc == ERR_TIMEOUT ? XFRIN_FAULT_TIMEOUT : XFRIN_FAULT_CONNECTION,
         &text);
}

static int64_t since_check_ms(const struct xfrin *x)
{
    return clock_mono(loop_clock(x->loop)).ms - x->checked.ms;
}

/* The next look at rate and total time. */
static void set_timer(struct xfrin *x)
{
    int64_t left = (int64_t)x->spec.max_s * 1000 - elapsed_ms(x);
    int64_t check = RATE_CHECK_S * 1000 - since_check_ms(x);
    struct timeval tv;

    if (left > check)
        left = check;
    if (left < 0)
        left = 0;
    tv = (struct timeval){.tv_sec = left / 1000, .tv_usec = (suseconds_t)(left % 1000) * 1000};
    (void)evtimer_add(x->timer, &tv);
}

static void on_timer(evutil_socket_t fd, short what, void *ctx)
{
    struct xfrin *x = ctx;
    uint64_t now = tcpconn_received(x->conn);
    struct errinfo e;

    (void)fd;
    (void)what;
    if (elapsed_ms(x) >= (int64_t)x->spec.max_s * 1000) {
        (void)err_set(ERR_TIMEOUT, &e, "not complete after %u s", (unsigned)x->spec.max_s);
        fail(x, TRANSFER_FAILED, XFRIN_FAULT_TIMEOUT, &e);
    } else if (since_check_ms(x) < RATE_CHECK_S * 1000) {
        set_timer(x); /* the last stretch is shorter, and timers may come a little early */
    } else if (now - x->octets_checked < RATE_MIN_OCTETS) {
        (void)err_set(ERR_TIMEOUT, &e, "only %llu octets in %u s",
                      (unsigned long long)(now - x->octets_checked), (unsigned)RATE_CHECK_S);
        fail(x, TRANSFER_FAILED, XFRIN_FAULT_TIMEOUT, &e);
    } else {
        x->checked = clock_mono(loop_clock(x->loop));
        x->octets_checked = now;
        set_timer(x);
    }
}

static const struct tcpconn_events conn_events = {on_ready, on_message, on_over};

static void open_new(struct xfrin *x)
{
    x->reused = false;
    x->octets_checked = 0;
    x->conn = tcpconn_open(loop_base(x->loop), &x->conn_spec, &conn_events, x);
}

/* ---- How it begins ---- */

static void open_tcp(struct xfrin *x)
{
    x->result.transport = x->spec.tls ? "tls" : "tcp";
    x->checked = clock_mono(loop_clock(x->loop));
    make_request(x);
    set_timer(x);
    x->conn = conn_pool_take(x->spec.conns, x->loop, &x->conn_spec, &conn_events, x, &x->reused);
    x->octets_before = x->octets_checked = tcpconn_received(x->conn);
    if (x->reused)
        on_ready(x);
}

/* Is the whole answer in this datagram? */
static enum xfrin_datagram judge_datagram(struct xfrin *x, const uint8_t *wire, size_t len)
{
    struct errinfo e;
    struct soa soa;

    switch (xfrin_stream_feed(x->stream, wire, len, clock_wall(loop_clock(x->loop)), &e)) {
    case XFRIN_DONE:
        return DATAGRAM_TAKEN;
    case XFRIN_MORE: /* RFC 1995 2: the newer SOA alone means that it has no room for more */
        return xfrin_stream_soa(x->stream, &soa) && xfrin_stream_counts(x->stream).records == 1
                   ? DATAGRAM_TRUNCATED
                   : DATAGRAM_UNUSABLE;
    case XFRIN_FAILED:
    case XFRIN_REFUSED:
        break;
    }
    return DATAGRAM_UNUSABLE;
}

static void on_udp_done(void *ctx, enum xfrin_udp_end end, const uint8_t *wire, size_t len)
{
    struct xfrin *x = ctx;
    enum xfrin_datagram *d = &x->result.datagram;

    x->udp = NULL;
    *d = end == XFRIN_UDP_ANSWER      ? judge_datagram(x, wire, len)
         : end == XFRIN_UDP_TRUNCATED ? DATAGRAM_TRUNCATED
                                      : DATAGRAM_SILENT;
    if (*d == DATAGRAM_TAKEN)
        received_all(x);
    else
        open_tcp(x);
}

static void ask_by_udp(struct xfrin *x)
{
    struct xfrin_udp_spec spec = {.address = x->spec.address,
                                  .source = x->spec.source,
                                  .timeout_ms = x->spec.udp_ms,
                                  .query = x->query};

    x->result.transport = "udp";
    make_request(x);
    spec.query_len = x->query_len;
    x->udp = xfrin_udp_start(x->loop, &spec, on_udp_done, x);
}

struct xfrin *xfrin_start(struct loop *loop, const struct xfrin_spec *spec,
                          const struct xfrin_events *events, void *ctx)
{
    struct xfrin *x = xcalloc(1, sizeof(*x));

    x->loop = loop;
    x->spec = *spec;
    if (spec->key)
        x->spec.key = tsig_key_ref(spec->key);
    if (spec->tls)
        x->spec.tls = tls_peer_ref(spec->tls);
    if (spec->config)
        x->spec.config = config_ref(spec->config);
    x->events = *events;
    x->ctx = ctx;
    x->result.asked_ixfr = spec->ixfr;
    x->started = clock_mono(loop_clock(loop));
    x->conn_spec = (struct tcpconn_spec){.peer = spec->address,
                                         .source = spec->source,
                                         .tls = spec->tls,
                                         .connect_ms = spec->connect_ms,
                                         .idle_ms = spec->idle_ms};
    x->timer = evtimer_new(loop_base(loop), on_timer, x);
    if (!x->timer)
        abort(); /* as for want of memory */
    if (spec->udp && spec->ixfr && !spec->tls)
        ask_by_udp(x);
    else
        open_tcp(x);
    return x;
}

void xfrin_cancel(struct xfrin *x)
{
    if (x->in_pool)
        x->cancelled = true;
    else
        xfrin_free(x);
}
