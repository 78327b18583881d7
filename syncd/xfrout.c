#include "syncd/xfrout.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/base/descriptors.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/dns/message_build.h"
#include "syncd/tsig_query.h"
#include "syncd/xfrout_internal.h"

#define OUT_FILL 65536u        /* octets that are made ahead of the socket */
#define MESSAGES_AT_ONCE 8     /* made before others get their turn */
#define DENIALS_PER_SECOND 10u /* that are logged */
#define REPLY_MAX 2048
#define READ_OCTETS 4096u

struct xfrout_conn {
    struct xfrout *server;
    struct xfrout_conn *prev, *next;
    int fd;
    struct event *readable, *writable, *timer;
    struct addr source;
    enum ho_transport transport;
    struct tls_identity *identity; /* NULL: no certificate */

    struct buf in;
    size_t in_pos;
    bool eof;
    struct buf out;
    size_t out_pos;
    struct mono moved; /* the last time the client took octets, or sent a whole message */

    struct query query; /* the one at work */
    struct tsig tsig;
    int key; /* that signed it, index into config.keys of that moment, or -1 */
    char key_name[NAME_TEXT_MAX];
    struct mono began;
    struct xfrout_wish wish;
    struct prepare *preparing;
    struct xfrout_stream *stream;
    enum xfrout_kind kind;
    struct serial serial;
    const struct zone *shared;
};

/* Outlives its connection, if that is closed meanwhile. */
struct prepare {
    struct xfrout_conn *conn; /* NULL: gone */
    struct xfrout_wish wish;
    struct xfrout_share *share;
    struct store_readers *readers; /* lent */
    struct xfrout_prepared result;
};

static void go_on(struct xfrout_conn *c);

static struct mono now_of(const struct xfrout *x)
{
    return clock_mono(loop_clock(x->loop));
}

static struct access_client client_of(const struct xfrout_conn *c)
{
    return (struct access_client){
        .source = c->source, .transport = c->transport, .key = c->key, .identity = c->identity};
}

/* ---- Log ---- */

static const char *kind_name(const struct xfrout_conn *c)
{
    if (c->wish.qtype == RR_SOA)
        return "soa";
    return c->kind == XFROUT_AXFR ? "axfr" : c->kind == XFROUT_IXFR ? "ixfr" : "current";
}

/* Counts and logs. */
static void refuse(struct xfrout_conn *c, const char *why)
{
    char zone[NAME_TEXT_MAX];
    char client[ADDR_TEXT_MAX];
    char shown[ACCESS_CLIENT_TEXT_MAX];
    struct access_client who = client_of(c);

    c->server->totals.refused++;
    if (!token_bucket_take(&c->server->denials, now_of(c->server)))
        return;
    (void)name_to_text(zone, c->query.qname);
    addr_to_text(client, &c->source);
    access_client_text(shown, &who);
    log_warning(say("a transfer is refused"), kv_str("zone", zone), kv_str("client", client),
                kv_str("transport", access_transport_text(c->transport)),
                kv_str("certificate", shown[0] ? shown : NULL),
                kv_str("key", c->key_name[0] ? c->key_name : NULL), kv_str("error", why));
}

/* `error` NULL: all of it was sent. */
static void log_stream(enum log_level level, const struct xfrout_conn *c, const char *sentence,
                       const char *error)
{
    struct xfrout_counts n = {.records = 0};
    char zone[NAME_TEXT_MAX];
    char client[ADDR_TEXT_MAX];
    char shown[ACCESS_CLIENT_TEXT_MAX];
    struct access_client who = client_of(c);

    if (c->stream)
        n = xfrout_stream_counts(c->stream);
    (void)name_to_text(zone, c->query.qname);
    addr_to_text(client, &c->source);
    access_client_text(shown, &who);
    log_write(level,
              LOG_KVS(say(sentence), kv_str("zone", zone), kv_str("client", client),
                      kv_str("transport", access_transport_text(c->transport)),
                      kv_str("certificate", shown[0] ? shown : NULL),
                      kv_str("key", c->key_name[0] ? c->key_name : NULL),
                      kv_str("kind", kind_name(c)),
                      kv_i64("from", c->wish.qtype == RR_IXFR ? (int64_t)c->wish.have.v : -1),
                      kv_u64("to", c->serial.v), kv_u64("records", n.records),
                      kv_u64("messages", n.messages), kv_u64("octets", n.octets),
                      kv_i64("ms", now_of(c->server).ms - c->began.ms), kv_str("error", error)));
}

void xfrout_count_sent(struct xfrout *x, enum xfrout_kind kind, uint16_t qtype, uint64_t octets)
{
    switch (kind) {
    case XFROUT_AXFR:
        x->totals.whole++;
        break;
    case XFROUT_IXFR:
        x->totals.increments++;
        break;
    case XFROUT_SOA:
        if (qtype == RR_SOA)
            return; /* a question before a transfer, not one */
        x->totals.current++;
        break;
    }
    x->totals.octets += octets;
}

/* It went out to its end: counts and logs. */
static void sent(const struct xfrout_conn *c)
{
    xfrout_count_sent(c->server, c->kind, c->wish.qtype, xfrout_stream_counts(c->stream).octets);
    log_stream(c->kind == XFROUT_SOA ? LOG_DEBUG : LOG_INFO, c, "a zone is sent", NULL);
}

/* It did not: counts and logs. */
static void broke(const struct xfrout_conn *c, const char *why)
{
    c->server->totals.broken++;
    log_stream(LOG_WARNING, c, "sending a zone failed", why);
}

/* ---- Life of a connection ---- */

static void stream_end(struct xfrout_conn *c)
{
    if (c->shared)
        xfrout_share_end(c->server->share, c->shared);
    c->shared = NULL;
    xfrout_stream_free(c->stream);
    c->stream = NULL;
}

static void conn_close(struct xfrout_conn *c)
{
    struct xfrout *x = c->server;

    if (c->preparing)
        c->preparing->conn = NULL;
    stream_end(c);
    tsig_done(&c->tsig);
    if (c->readable)
        event_free(c->readable);
    if (c->writable)
        event_free(c->writable);
    if (c->timer)
        event_free(c->timer);
    (void)close(c->fd);
    free(c->identity);
    buf_free(&c->in);
    buf_free(&c->out);
    if (c->prev)
        c->prev->next = c->next;
    else
        x->conns = c->next;
    if (c->next)
        c->next->prev = c->prev;
    x->running--;
    free(c);
}

static size_t queued(const struct xfrout_conn *c)
{
    return c->out.len - c->out_pos;
}

static bool is_busy(const struct xfrout_conn *c)
{
    return c->preparing || c->stream;
}

static void watch(struct xfrout_conn *c)
{
    (void)(queued(c) || c->stream ? event_add(c->writable, NULL) : event_del(c->writable));
    /* Who takes no answers is not asked what else he wants. */
    (void)(!c->eof && !is_busy(c) && queued(c) < OUT_FILL ? event_add(c->readable, NULL)
                                                          : event_del(c->readable));
}

/* ---- Replies ---- */

static void put_message(struct xfrout_conn *c, const uint8_t *wire, size_t len)
{
    buf_u16(&c->out, (uint16_t)len);
    buf_put(&c->out, wire, len);
}

static void put_short(struct xfrout_conn *c, uint16_t rcode)
{
    uint8_t wire[REPLY_MAX];
    struct edns_reply opt = {.udp_size = EDNS_UDP_DEFAULT, .dnssec_ok = c->query.edns.dnssec_ok};
    size_t len = msg_build_reply(wire, sizeof(wire), &c->query, rcode, 0,
                                 c->query.edns.present ? &opt : NULL);

    if (len && tsig_sign_response(&c->tsig, wire, &len, sizeof(wire),
                                  clock_wall(loop_clock(c->server->loop))))
        put_message(c, wire, len);
    tsig_done(&c->tsig);
}

/* ---- The pool's part ---- */

static void on_pool_work(void *ctx)
{
    struct prepare *p = ctx;

    xfrout_prepare(&p->result, &p->wish, p->share, p->readers);
}

static void begin_stream(struct xfrout_conn *c, struct xfrout_prepared *r)
{
    c->kind = r->content.kind;
    c->serial = r->serial;
    c->shared = r->content.zone;
    if (r->fell_back) {
        char zone[NAME_TEXT_MAX];

        c->server->totals.whole_instead++;
        (void)name_to_text(zone, c->query.qname);
        log_info(say("increments are asked for, but the whole zone is sent"), kv_str("zone", zone),
                 kv_u64("from", c->wish.have.v), kv_err(&r->error));
    }
    c->stream = xfrout_stream_new(&r->content, &c->query, &c->tsig);
}

static void on_pool_done(void *ctx)
{
    struct prepare *p = ctx;
    struct xfrout_conn *c = p->conn;

    if (!c) {
        if (p->result.content.zone)
            xfrout_share_end(p->share, p->result.content.zone);
        xfrout_content_done(&p->result.content);
    } else {
        c->preparing = NULL;
        c->moved = now_of(c->server);
        if (p->result.rcode == RCODE_NOERROR) {
            begin_stream(c, &p->result);
        } else {
            refuse(c, p->result.error.text[0] ? p->result.error.text : "no such zone");
            put_short(c, p->result.rcode);
        }
        go_on(c);
    }
    xfrout_share_unref(p->share);
    free(p);
}

static void prepare(struct xfrout_conn *c)
{
    struct prepare *p = xcalloc(1, sizeof(*p));

    p->conn = c;
    p->wish = c->wish;
    p->share = xfrout_share_ref(c->server->share);
    p->readers = c->server->readers;
    c->preparing = p;
    loop_work(c->server->loop, on_pool_work, on_pool_done, p);
}

/* ---- Messages ---- */

/* Sets c->key; false if the message is answered already. */
static bool check_signature(struct xfrout_conn *c, const uint8_t *wire, size_t len)
{
    struct xfrout *x = c->server;
    enum tsig_outcome o = keyring_verify(x->keys, &c->tsig, wire, len, c->query.tsig,
                                         clock_wall(loop_clock(x->loop)), &c->key);
    uint16_t rcode = tsig_rcode(o);

    c->key_name[0] = '\0';
    if (c->query.tsig)
        (void)name_to_text(c->key_name, c->tsig.key ? tsig_key_name(c->tsig.key) : c->tsig.bad_key);
    if (rcode == RCODE_NOERROR)
        return true;
    if (rcode == RCODE_NOTAUTH)
        refuse(c, "its signature does not hold");
    put_short(c, rcode);
    return false;
}

/* What the client may have; false if the message is answered already. */
static bool check_wish(struct xfrout_conn *c, const uint8_t *wire, size_t len)
{
    struct access_client who = client_of(c);
    struct xfrout *x = c->server;
    const struct query *q = &c->query;
    const struct config_zone *section = x->section(x->ctx, q->qname);
    struct errinfo e;

    if (q->opcode != OPCODE_QUERY || q->qclass != CLASS_IN ||
        (q->qtype != RR_AXFR && q->qtype != RR_IXFR && q->qtype != RR_SOA)) {
        put_short(c, q->opcode == OPCODE_QUERY ? RCODE_REFUSED : RCODE_NOTIMP);
        return false;
    }
    c->wish = (struct xfrout_wish){.qtype = q->qtype};
    (void)name_copy(c->wish.zone, q->qname);
    if (q->qtype != RR_SOA &&
        access_may(x->config, section, ACCESS_TRANSFER, &who, NULL, &e) != OK) {
        refuse(c, e.text);
        put_short(c, section ? RCODE_REFUSED : RCODE_NOTAUTH);
        return false;
    }
    if (q->qtype == RR_IXFR && !xfrout_have(&c->wish.have, q, wire, len)) {
        put_short(c, RCODE_FORMERR);
        return false;
    }
    return true;
}

/* False: close the connection. */
static bool take_message(struct xfrout_conn *c, const uint8_t *wire, size_t len)
{
    c->began = c->moved = now_of(c->server);
    tsig_done(&c->tsig);
    switch (query_parse(&c->query, wire, len)) {
    case QUERY_DROP:
        return false;
    case QUERY_FORMERR:
        put_short(c, RCODE_FORMERR);
        return true;
    case QUERY_NOTIMP:
        put_short(c, RCODE_NOTIMP);
        return true;
    case QUERY_BADVERS:
        put_short(c, RCODE_BADVERS);
        return true;
    case QUERY_OK:
        break;
    }
    if (check_signature(c, wire, len) && check_wish(c, wire, len))
        prepare(c);
    return true;
}

/* ---- Moving octets ---- */

/* Takes whole messages while nothing is at work. False: close it. */
static bool take_messages(struct xfrout_conn *c)
{
    bool ok = true;

    while (ok && !is_busy(c) && queued(c) < OUT_FILL && c->in.len - c->in_pos >= 2) {
        size_t len = get_u16(c->in.data + c->in_pos);

        if (c->in.len - c->in_pos - 2 < len)
            break;
        ok = take_message(c, c->in.data + c->in_pos + 2, len);
        c->in_pos += 2 + len;
    }
    if (c->in_pos == c->in.len) {
        buf_free(&c->in);
        c->in_pos = 0;
    }
    return ok;
}

/* Makes messages ahead of the socket. False: close it. */
static bool make_messages(struct xfrout_conn *c)
{
    struct xfrout *x = c->server;
    struct errinfo e;

    for (int i = 0; i < MESSAGES_AT_ONCE && c->stream && queued(c) < OUT_FILL; i++) {
        size_t len = 0;

        if (xfrout_stream_next(c->stream, x->message, &len, clock_wall(loop_clock(x->loop)), &e)) {
            broke(c, e.text);
            return false;
        }
        if (len > 0) {
            put_message(c, x->message, len);
        } else {
            sent(c);
            stream_end(c);
        }
    }
    return true;
}

/* False: the client is gone. */
static bool send_some(struct xfrout_conn *c)
{
    while (queued(c) > 0) {
        ssize_t n = send(c->fd, c->out.data + c->out_pos, queued(c), MSG_NOSIGNAL | MSG_DONTWAIT);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return errno == EAGAIN || errno == EWOULDBLOCK;
        c->out_pos += (size_t)n;
        c->moved = now_of(c->server);
    }
    c->out.len = c->out_pos = 0;
    if (!is_busy(c))
        buf_free(&c->out);
    return true;
}

/* Is there a whole message that nothing keeps from being taken? */
static bool has_message(const struct xfrout_conn *c)
{
    size_t n = c->in.len - c->in_pos;

    return !is_busy(c) && !queued(c) && n >= 2 && n - 2 >= get_u16(c->in.data + c->in_pos);
}

static void go_on(struct xfrout_conn *c)
{
    bool ok;

    do {
        ok = take_messages(c) && make_messages(c);
        if (ok && !send_some(c)) {
            if (c->stream)
                broke(c, "the client closed the connection");
            ok = false;
        }
    } while (ok && has_message(c));
    if (!ok || (c->eof && !is_busy(c) && !queued(c))) {
        conn_close(c);
        return;
    }
    watch(c);
}

static void on_writable(evutil_socket_t fd, short what, void *ctx)
{
    (void)fd;
    (void)what;
    go_on(ctx);
}

static void on_readable(evutil_socket_t fd, short what, void *ctx)
{
    struct xfrout_conn *c = ctx;
    uint8_t *at;
    ssize_t n;

    (void)what;
    if (c->in_pos > 0) {
        memmove(c->in.data, c->in.data + c->in_pos, c->in.len - c->in_pos);
        c->in.len -= c->in_pos;
        c->in_pos = 0;
    }
    at = buf_space(&c->in, READ_OCTETS);
    n = recv(fd, at, READ_OCTETS, MSG_DONTWAIT);
    c->in.len -= READ_OCTETS - (n > 0 ? (size_t)n : 0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n < 0) {
        conn_close(c);
        return;
    }
    c->eof = n == 0;
    go_on(c);
}

static void on_timer(evutil_socket_t fd, short what, void *ctx)
{
    struct xfrout_conn *c = ctx;
    const struct config *cfg = c->server->config;
    struct mono now = now_of(c->server);
    bool sends = c->stream || queued(c);
    int64_t idle_ms = sends ? cfg->transfer_idle_ms : cfg->tcp_idle_ms;

    (void)fd;
    (void)what;
    if (c->preparing || now.ms - c->moved.ms < idle_ms) {
        if (!c->stream || now.ms - c->began.ms < (int64_t)cfg->transfer_max_s * 1000)
            return;
    }
    if (sends)
        broke(c, "the client is too slow");
    conn_close(c);
}

/* ---- Arrival ---- */

static unsigned running_from(const struct xfrout *x, const struct addr *source)
{
    unsigned n = 0;

    for (const struct xfrout_conn *c = x->conns; c; c = c->next)
        n += addr_ip_eq(&c->source, source);
    return n;
}

/* The one that has had nothing to do for longest; NULL if all are at work. `source` NULL: any. */
static struct xfrout_conn *longest_idle(const struct xfrout *x, const struct addr *source)
{
    struct xfrout_conn *found = NULL;

    for (struct xfrout_conn *c = x->conns; c; c = c->next)
        if (!is_busy(c) && !queued(c) && (!source || addr_ip_eq(&c->source, source)) &&
            (!found || mono_cmp(c->moved, found->moved) < 0))
            found = c;
    return found;
}

/* Those who only wait, refused ones too, make room for who asks now. */
static bool has_place(struct xfrout *x, const struct addr *source, int fd)
{
    bool own_full = running_from(x, source) >= x->config->transfers_per_client;
    char client[ADDR_TEXT_MAX];

    if (own_full || x->running >= x->config->transfers_out || !descriptors_spare(fd)) {
        struct xfrout_conn *idle = longest_idle(x, own_full ? source : NULL);

        if (idle) {
            conn_close(idle);
            return true;
        }
        addr_to_text(client, source);
        if (token_bucket_take(&x->denials, now_of(x)))
            log_warning(say("too many transfers at the same time, a connection is closed"),
                        kv_str("client", client), kv_u64("running", x->running));
        return false;
    }
    return true;
}

void xfrout_take(struct xfrout *x, const struct ho_frame *f, int fd)
{
    static const struct timeval look = {.tv_sec = 1};
    struct event_base *base = loop_base(x->loop);
    struct xfrout_conn *c;

    if (!has_place(x, &f->source, fd)) {
        (void)close(fd);
        return;
    }
    c = xcalloc(1, sizeof(*c));
    c->server = x;
    c->fd = fd;
    c->source = f->source;
    c->transport = f->transport;
    if (f->identity_len) {
        c->identity = xcalloc(1, sizeof(*c->identity));
        ho_identity(c->identity, f);
    }
    c->next = x->conns;
    if (x->conns)
        x->conns->prev = c;
    x->conns = c;
    x->running++;
    c->moved = c->began = now_of(x);
    buf_put(&c->in, f->wire, f->wire_len);
    (void)evutil_make_socket_nonblocking(fd);
    c->readable = event_new(base, fd, EV_READ | EV_PERSIST, on_readable, c);
    c->writable = event_new(base, fd, EV_WRITE | EV_PERSIST, on_writable, c);
    c->timer = event_new(base, -1, EV_PERSIST, on_timer, c);
    if (!c->readable || !c->writable || !c->timer || event_add(c->timer, &look) != 0) {
        conn_close(c);
        return;
    }
    go_on(c);
}

/* ---- ---- */

struct xfrout *xfrout_new(struct loop *loop, struct config *config, struct keyring *keys,
                          struct store_readers *readers, xfrout_section_fn *section,
                          xfrout_later_fn *later, void *ctx)
{
    struct xfrout *x = xcalloc(1, sizeof(*x));

    x->readers = readers;
    x->loop = loop;
    x->section = section;
    x->later = later;
    x->ctx = ctx;
    x->share = xfrout_share_new();
    token_bucket_init(&x->denials, DENIALS_PER_SECOND, DENIALS_PER_SECOND, now_of(x));
    xfrout_reload(x, config, keys);
    return x;
}

void xfrout_reload(struct xfrout *x, struct config *config, struct keyring *keys)
{
    struct config *old_config = x->config;
    struct keyring *old_keys = x->keys;

    x->config = config_ref(config);
    x->keys = keyring_ref(keys);
    config_unref(old_config);
    keyring_unref(old_keys);
}

void xfrout_count(const struct xfrout *x, struct xfrout_totals *out)
{
    *out = x->totals;
    out->connections = x->running;
}

void xfrout_free(struct xfrout *x)
{
    if (!x)
        return;
    while (x->conns)
        conn_close(x->conns);
    xfrout_datagrams_end(x);
    keyring_unref(x->keys);
    config_unref(x->config);
    xfrout_share_unref(x->share);
    free(x);
}
