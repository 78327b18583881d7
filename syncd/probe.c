/*    UDP ──no answer──▶ UDP ──no answer──▶ TCP ──no answer──▶ TIMEOUT
 *     └──truncated, or an error that cannot be proven──▶ TCP
 *    TLS ──no answer──▶ TIMEOUT
 */
#include "syncd/probe.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/mem.h"
#include "syncd/question.h"
#include "syncd/tcpconn.h"

#define UDP_TRIES 2
#define QUERY_MAX 1024
#define DATAGRAMS_AT_ONCE 16 /* looked at before others get their turn */

struct probe {
    struct loop *loop;
    struct probe_spec spec;
    probe_done_fn *done;
    void *ctx;

    struct mono started;
    int fd;
    struct event *reading;
    struct event *timer;
    struct tcpconn_spec tcp_spec;
    struct tcpconn *tcp;
    bool reused; /* and not answered yet */
    unsigned tries;
    struct tsig tsig;
    uint8_t query[QUERY_MAX];
    size_t query_len;
    struct probe_report report;
};

const char *probe_outcome_text(enum probe_outcome o)
{
    switch (o) {
    case PROBE_SOA:
        return "SOA";
    case PROBE_NOT_AUTH:
        return "not authoritative";
    case PROBE_REFUSED:
        return "refused";
    case PROBE_SERVFAIL:
        return "server failure";
    case PROBE_BROKEN:
        return "broken answer";
    case PROBE_BAD_TSIG:
        return "bad signature";
    case PROBE_TIMEOUT:
        return "timeout";
    case PROBE_UNREACHABLE:
        return "unreachable";
    }
    return "?";
}

/* ---- What an answer says ---- */

static void say_outcome(struct probe_report *out, enum probe_outcome o, const char *text)
{
    out->outcome = o;
    (void)err_set(ERR_FORMAT, &out->error, "%s", text);
}

static void judge_rcode(struct probe_report *out, uint16_t rcode)
{
    char text[RCODE_TEXT_MAX];

    rcode_to_text(text, rcode);
    out->outcome = rcode == RCODE_REFUSED                              ? PROBE_REFUSED
                   : rcode == RCODE_SERVFAIL                           ? PROBE_SERVFAIL
                   : rcode == RCODE_NOTAUTH || rcode == RCODE_NXDOMAIN ? PROBE_NOT_AUTH
                                                                       : PROBE_BROKEN;
    (void)err_set(ERR_DENIED, &out->error, "the primary answers %s", text);
}

/* The zone's SOA among the answers. */
static bool find_soa(struct soa *soa, struct buf *rdata, const uint8_t *zone,
                     const struct response *response, const uint8_t *wire, size_t len)
{
    struct reader r = msg_section(&response->layout, wire, len, SECTION_ANSWER);
    struct msg_rr rr;

    for (unsigned n = response->layout.header.counts[SECTION_ANSWER]; n > 0; n--) {
        if (!msg_read_rr(&rr, &r))
            return false;
        if (rr.type == RR_SOA && rr.rclass == CLASS_IN && name_eq(rr.owner, zone))
            return rdata_read(rdata, &rr.rdata, RR_SOA, rr.rdlen, NULL) == OK &&
                   soa_parse(soa, rdata->data, rdata->len);
    }
    return false;
}

/* Never more than the SOA's own (RFC 7314 4). */
static void judge_expire(struct probe_report *out, const struct edns_option *o, const uint8_t *wire)
{
    out->has_left = o->present && o->len == 4;
    if (!out->has_left)
        return;
    out->left_s = get_u32(wire + o->at);
    if (out->left_s > out->expire_s)
        out->left_s = out->expire_s;
}

void probe_judge(struct probe_report *out, const uint8_t *zone, const struct response *response,
                 const uint8_t *wire, size_t len)
{
    const struct msg_header *h = &response->layout.header;
    struct buf rdata = BUF_INIT;
    struct soa soa;

    if (response->rcode != RCODE_NOERROR) {
        judge_rcode(out, response->rcode);
    } else if (!(h->flags & MSG_AA)) {
        say_outcome(out, PROBE_NOT_AUTH, "the primary is not authoritative for the zone");
    } else if (h->counts[SECTION_ANSWER] == 0) {
        say_outcome(out, PROBE_NOT_AUTH, "the primary has no SOA of the zone");
    } else if (!find_soa(&soa, &rdata, zone, response, wire, len)) {
        say_outcome(out, PROBE_BROKEN, "the answer holds no whole SOA of the zone");
    } else {
        out->outcome = PROBE_SOA;
        out->serial = soa.serial;
        out->refresh_s = soa.refresh_s;
        out->retry_s = soa.retry_s;
        out->expire_s = soa.expire_s;
        judge_expire(out, &response->layout.edns.expire, wire);
    }
    buf_free(&rdata);
}

/* ---- The way of a probe ---- */

static void probe_free(struct probe *p)
{
    if (p->reading)
        event_free(p->reading);
    if (p->timer)
        event_free(p->timer);
    if (p->fd >= 0)
        (void)close(p->fd);
    tcpconn_close(p->tcp);
    tsig_done(&p->tsig);
    tsig_key_unref(p->spec.key);
    tls_peer_unref(p->spec.tls);
    free(p);
}

static void finish(struct probe *p)
{
    struct probe_report report = p->report;
    probe_done_fn *done = p->done;
    void *ctx = p->ctx;

    report.ms = (uint32_t)(clock_mono(loop_clock(p->loop)).ms - p->started.ms);
    probe_free(p);
    done(ctx, &report);
}

static void fail(struct probe *p, enum probe_outcome o, const struct errinfo *e)
{
    p->report.outcome = o;
    p->report.error = *e;
    finish(p);
}

/* A new query with an ID of its own. */
static bool make_query(struct probe *p)
{
    struct question q = {.query = {.qname = p->spec.zone, .qtype = RR_SOA},
                         .padded = p->spec.tls != NULL,
                         .key = p->spec.key};

    clock_random(loop_clock(p->loop), &q.query.id, sizeof(q.query.id));
    p->query_len =
        question_write(p->query, sizeof(p->query), &q, &p->tsig, clock_wall(loop_clock(p->loop)));
    return p->query_len > 0;
}

/* Judges one message. False if it is none of ours, or cannot be believed; the report then says why
 * if the latter. */
static bool take_answer(struct probe *p, const uint8_t *wire, size_t len, bool *truncated)
{
    struct response resp;
    enum response_outcome o =
        response_check(&resp, RESPONSE_SINGLE, p->query, p->query_len, wire, len);
    enum tsig_outcome signature;

    *truncated = o == RESPONSE_TRUNCATED;
    if (o != RESPONSE_OK && o != RESPONSE_TRUNCATED)
        return false;
    if (p->spec.key) {
        signature = tsig_verify_response(&p->tsig, wire, len, resp.layout.tsig,
                                         clock_wall(loop_clock(p->loop)));
        if (signature == TSIG_PEER) {
            p->report.outcome = PROBE_BAD_TSIG;
            (void)err_set(ERR_AUTH, &p->report.error,
                          "the primary refuses our signature (TSIG error %u)",
                          (unsigned)p->tsig.peer_error);
            return false;
        }
        if (signature == TSIG_MISSING && resp.rcode != RCODE_NOERROR) {
            judge_rcode(&p->report, resp.rcode); /* unsigned: only believed by TCP */
            return false;
        }
        if (signature != TSIG_OK) {
            p->report.outcome = PROBE_BAD_TSIG;
            (void)err_set(ERR_AUTH, &p->report.error, "the answer's signature: TSIG %s",
                          tsig_outcome_text(signature));
            return false;
        }
    }
    if (!*truncated)
        probe_judge(&p->report, p->spec.zone, &resp, wire, len);
    return true;
}

/* ---- TCP ---- */

static void on_tcp_ready(void *ctx)
{
    struct probe *p = ctx;

    tcpconn_send(p->tcp, p->query, p->query_len);
}

static bool on_tcp_message(void *ctx, const uint8_t *wire, size_t len)
{
    struct probe *p = ctx;
    bool truncated;

    p->report.outcome = PROBE_BROKEN;
    (void)err_set(ERR_FORMAT, &p->report.error, "the answer by TCP is not one to our question");
    if (take_answer(p, wire, len, &truncated) && truncated)
        say_outcome(&p->report, PROBE_BROKEN, "the answer is truncated by TCP too");
    if (p->report.outcome == PROBE_SOA) {
        conn_pool_give(p->spec.conns, p->tcp);
        p->tcp = NULL;
    }
    finish(p);
    return false;
}

static void open_tcp(struct probe *p, bool again);

static void on_tcp_over(void *ctx, enum err rc, const struct errinfo *e)
{
    struct probe *p = ctx;

    if (p->reused &&
        rc != ERR_TIMEOUT) { /* it was closed just then, or the primary allows one only */
        conn_pool_failed(p->spec.conns, &p->tcp_spec);
        tcpconn_close(p->tcp);
        p->reused = false;
        open_tcp(p, true);
        return;
    }
    fail(ctx, rc == ERR_TIMEOUT ? PROBE_TIMEOUT : PROBE_UNREACHABLE, e);
}

static void open_tcp(struct probe *p, bool again)
{
    static const struct tcpconn_events events = {on_tcp_ready, on_tcp_message, on_tcp_over};
    struct tcpconn_spec spec = {.peer = p->spec.address,
                                .source = p->spec.source,
                                .tls = p->spec.tls,
                                .connect_ms = p->spec.timeout_ms,
                                .idle_ms = p->spec.timeout_ms};

    (void)event_del(p->timer);
    if (p->reading) {
        event_free(p->reading);
        p->reading = NULL;
        (void)close(p->fd);
        p->fd = -1;
    }
    p->report.transport = p->spec.tls ? "tls" : "tcp";
    if (!make_query(p)) {
        p->report.outcome = PROBE_UNREACHABLE;
        (void)err_set(ERR_LIMIT, &p->report.error, "the question has no room for its signature");
        finish(p);
        return;
    }
    p->tcp_spec = spec;
    p->tcp = again ? tcpconn_open(loop_base(p->loop), &spec, &events, p)
                   : conn_pool_take(p->spec.conns, p->loop, &spec, &events, p, &p->reused);
    if (p->reused)
        on_tcp_ready(p);
}

static void go_tcp(struct probe *p)
{
    open_tcp(p, false);
}

/* ---- UDP ---- */

static void set_timer(struct probe *p, uint32_t ms)
{
    struct timeval tv = {.tv_sec = ms / 1000, .tv_usec = (suseconds_t)(ms % 1000) * 1000};

    (void)evtimer_add(p->timer, &tv);
}

static void send_udp(struct probe *p)
{
    p->tries++;
    /* A lost or refused datagram is what the next try is for. */
    (void)!send(p->fd, p->query, p->query_len, MSG_NOSIGNAL);
    set_timer(p, p->spec.timeout_ms);
}

static void on_datagram(evutil_socket_t fd, short what, void *ctx)
{
    struct probe *p = ctx;
    uint8_t wire[4096];

    (void)what;
    for (int i = 0; i < DATAGRAMS_AT_ONCE; i++) {
        enum probe_outcome before = p->report.outcome;
        ssize_t n = recv(fd, wire, sizeof(wire), 0);
        bool truncated = false;

        if (n < 0 && (errno == EAGAIN || errno == EINTR))
            return;
        if (n < 0) { /* the peer's host says that nobody listens: perhaps by TCP */
            go_tcp(p);
            return;
        }
        if (take_answer(p, wire, (size_t)n, &truncated) && !truncated) {
            finish(p);
            return;
        }
        if (truncated || p->report.outcome != before) {
            go_tcp(p);
            return;
        }
    }
}

static enum err open_udp(struct probe *p)
{
    struct sockaddr_storage ss;
    socklen_t n = addr_to_sockaddr(&ss, &p->spec.address);
    struct errinfo *e = &p->report.error;
    enum err rc = peer_socket(&p->fd, SOCK_DGRAM, &p->spec.address, &p->spec.source, e);

    if (rc)
        return rc;
    /* Connected: the kernel drops what comes from other addresses or ports. */
    if (connect(p->fd, (struct sockaddr *)&ss, n) != 0)
        return err_sys(errno, e, "connecting");
    p->reading = event_new(loop_base(p->loop), p->fd, EV_READ | EV_PERSIST, on_datagram, p);
    if (!p->reading || event_add(p->reading, NULL) != 0)
        return err_set(ERR_LIMIT, e, "the event loop is full");
    return OK;
}

static void on_timer(evutil_socket_t fd, short what, void *ctx)
{
    struct probe *p = ctx;

    (void)fd;
    (void)what;
    if (p->spec.tls || p->spec.tcp) {
        go_tcp(p);
    } else if (p->tries == 0 && (!make_query(p) || open_udp(p) != OK)) {
        p->report.outcome = PROBE_UNREACHABLE;
        finish(p);
    } else if (p->tries < UDP_TRIES) {
        send_udp(p);
    } else {
        go_tcp(p);
    }
}

struct probe *probe_start(struct loop *loop, const struct probe_spec *spec, probe_done_fn *done,
                          void *ctx)
{
    struct probe *p = xcalloc(1, sizeof(*p));

    p->loop = loop;
    p->spec = *spec;
    if (spec->key)
        p->spec.key = tsig_key_ref(spec->key);
    if (spec->tls)
        p->spec.tls = tls_peer_ref(spec->tls);
    p->done = done;
    p->ctx = ctx;
    p->fd = -1;
    p->started = clock_mono(loop_clock(loop));
    p->report = (struct probe_report){.outcome = PROBE_TIMEOUT, .transport = "udp"};
    p->timer = evtimer_new(loop_base(loop), on_timer, p);
    if (!p->timer)
        abort(); /* as for want of memory */
    set_timer(p, 0);
    return p;
}

void probe_cancel(struct probe *p)
{
    probe_free(p);
}
