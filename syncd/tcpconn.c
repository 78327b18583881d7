#include "syncd/tcpconn.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/bytes.h"
#include "lib/base/descriptors.h"
#include "lib/base/mem.h"

#define IN_BYTES (256 * 1024) /* a few of the largest messages */
#define READS_AT_ONCE 32      /* before others get their turn */

struct tcpconn {
    int fd;
    struct tcpconn_spec spec;
    struct tcpconn_events events;
    void *ctx;

    struct event *reading;
    struct event *writing; /* connecting, then while octets wait to be sent */
    struct event *shaking; /* the time for the handshake of TLS */
    struct event *failing; /* tells of an error that happened in tcpconn_open */
    bool connected;
    struct tls_stream *tls; /* NULL: plain */
    bool ready;             /* the handshake is over, if there is one */
    enum err rc;
    struct errinfo error;

    struct buf out;
    size_t sent;
    uint64_t received;
    uint8_t *in;
    size_t in_start, in_end;
};

static struct timeval tv_of(uint32_t ms)
{
    return (struct timeval){.tv_sec = ms / 1000, .tv_usec = (suseconds_t)(ms % 1000) * 1000};
}

enum err peer_socket(int *fd, int type, const struct addr *peer, const struct addr *source,
                     struct errinfo *e)
{
    int s = socket(peer->family == 6 ? AF_INET6 : AF_INET, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    struct sockaddr_storage ss;
    char text[ADDR_TEXT_MAX];
    int one = 1;

    if (s < 0)
        return err_sys(errno, e, "socket");
    if (!descriptors_spare(s)) {
        (void)close(s);
        return err_set(ERR_LIMIT, e, "socket: no more descriptors for peers");
    }
    if (source->family != 0) {
        socklen_t n = addr_to_sockaddr(&ss, source);

        (void)setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
        if (bind(s, (struct sockaddr *)&ss, n) != 0) {
            int bound = errno;

            (void)close(s);
            addr_to_text(text, source);
            return err_sys(bound, e, "cannot use %s as source address", text);
        }
    }
    if (type == SOCK_STREAM)
        (void)setsockopt(s, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    *fd = s;
    return OK;
}

static void over(struct tcpconn *c, enum err rc)
{
    c->rc = rc;
    if (c->reading)
        (void)event_del(c->reading);
    if (c->writing)
        (void)event_del(c->writing);
    if (c->shaking)
        (void)event_del(c->shaking);
    c->events.over(c->ctx, rc, &c->error);
}

static void on_failing(evutil_socket_t fd, short what, void *ctx)
{
    struct tcpconn *c = ctx;

    (void)fd;
    (void)what;
    over(c, c->rc);
}

/* ---- Reading ---- */

/* Makes room for the largest message behind what is there. */
static void make_room(struct tcpconn *c)
{
    if (c->in_start == 0)
        return;
    memmove(c->in, c->in + c->in_start, c->in_end - c->in_start);
    c->in_end -= c->in_start;
    c->in_start = 0;
}

/* Hands out whole messages; false if the connection may be gone. */
static bool deliver(struct tcpconn *c)
{
    while (c->in_end - c->in_start >= 2) {
        const uint8_t *p = c->in + c->in_start;
        size_t len = get_u16(p);

        if (c->in_end - c->in_start < 2 + len)
            break;
        c->in_start += 2 + len;
        if (!c->events.message(c->ctx, p + 2, len))
            return false;
    }
    make_room(c);
    return true;
}

static void shake_hands(struct tcpconn *c);

static void ended(struct tcpconn *c)
{
    over(c, err_set(ERR_CLOSED, &c->error, "the primary closed the connection%s",
                    c->in_end ? " in the middle of a message" : ""));
}

/* Into the buffer. False: nothing more now, or the connection is over. */
static bool read_plain(struct tcpconn *c, size_t *n)
{
    ssize_t got = recv(c->fd, c->in + c->in_end, IN_BYTES - c->in_end, 0);

    if (got > 0)
        *n = (size_t)got;
    else if (got == 0)
        ended(c);
    else if (errno != EAGAIN && errno != EINTR)
        over(c, err_sys(errno, &c->error, "reading"));
    return got > 0;
}

static bool read_tls(struct tcpconn *c, size_t *n)
{
    switch (tls_stream_read(c->tls, c->in + c->in_end, IN_BYTES - c->in_end, n)) {
    case TLS_OK:
        return true;
    case TLS_WANT_READ:
        break;
    case TLS_WANT_WRITE: /* an answer of its own, to a new key say */
        (void)event_add(c->writing, NULL);
        break;
    case TLS_CLOSED:
        ended(c);
        break;
    case TLS_FAILED:
        tls_stream_explain(c->tls, &c->error);
        over(c, ERR_AUTH);
        break;
    }
    return false;
}

/* TLS may hold more than one turn takes, and no event of the socket would tell of it. */
static void read_on(struct tcpconn *c)
{
    for (int i = 0; i < READS_AT_ONCE; i++) {
        size_t n = 0;

        if (!(c->tls ? read_tls(c, &n) : read_plain(c, &n)))
            return;
        c->in_end += n;
        c->received += n;
        if (!deliver(c) || !c->tls)
            return;
    }
    event_active(c->reading, EV_READ, 0);
}

static void on_readable(evutil_socket_t fd, short what, void *ctx)
{
    struct tcpconn *c = ctx;

    (void)fd;
    if (what & EV_TIMEOUT)
        over(c,
             err_set(ERR_TIMEOUT, &c->error, "nothing came for %u ms", (unsigned)c->spec.idle_ms));
    else if (!c->ready)
        shake_hands(c);
    else
        read_on(c);
}

/* ---- Connecting and writing ---- */

/* How many octets went out; 0: the socket is full, or broken, which the reading side tells. */
static size_t send_some(struct tcpconn *c)
{
    const uint8_t *p = c->out.data + c->sent;
    size_t left = c->out.len - c->sent;
    size_t n = 0;
    ssize_t k;

    if (c->tls)
        return tls_stream_write(c->tls, p, left, &n) == TLS_OK ? n : 0;
    do
        k = send(c->fd, p, left, MSG_NOSIGNAL);
    while (k < 0 && errno == EINTR);
    return k > 0 ? (size_t)k : 0;
}

static void flush(struct tcpconn *c)
{
    size_t n = 1;

    while (c->sent < c->out.len && (n = send_some(c)) > 0)
        c->sent += n;
    if (c->sent == c->out.len)
        c->out.len = c->sent = 0;
    else
        (void)event_add(c->writing, NULL);
}

static void begin(struct tcpconn *c)
{
    struct timeval idle = tv_of(c->spec.idle_ms);

    c->ready = true;
    if (c->shaking)
        (void)event_del(c->shaking);
    (void)event_add(c->reading, &idle);
    c->events.ready(c->ctx);
}

static void shake_hands(struct tcpconn *c)
{
    switch (tls_stream_handshake(c->tls, &c->error)) {
    case TLS_OK:
        begin(c);
        return;
    case TLS_WANT_READ:
        (void)event_add(c->reading, NULL);
        return;
    case TLS_WANT_WRITE:
        (void)event_add(c->writing, NULL);
        return;
    case TLS_CLOSED:
        (void)err_set(ERR_AUTH, &c->error, "TLS: the primary closed the connection");
        break;
    case TLS_FAILED:
        break;
    }
    over(c, ERR_AUTH);
}

static void on_shaking(evutil_socket_t fd, short what, void *ctx)
{
    struct tcpconn *c = ctx;

    (void)fd;
    (void)what;
    over(c, err_set(ERR_TIMEOUT, &c->error, "TLS: no handshake within %u ms",
                    (unsigned)c->spec.connect_ms));
}

static void begin_tls(struct tcpconn *c)
{
    struct timeval tv = tv_of(c->spec.connect_ms);

    c->tls = tls_peer_stream(c->spec.tls, c->fd);
    c->shaking = evtimer_new(event_get_base(c->reading), on_shaking, c);
    if (!c->tls || !c->shaking || evtimer_add(c->shaking, &tv) != 0)
        over(c, err_set(ERR_LIMIT, &c->error, "TLS: no memory for a connection"));
    else
        shake_hands(c);
}

static void on_connected(struct tcpconn *c)
{
    socklen_t n = sizeof(int);
    int error = 0;

    if (getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &n) != 0)
        error = errno;
    if (error) {
        over(c, err_sys(error, &c->error, "connecting"));
        return;
    }
    c->connected = true;
    c->in = xmalloc(IN_BYTES);
    if (c->spec.tls)
        begin_tls(c);
    else
        begin(c);
}

static void on_writable(evutil_socket_t fd, short what, void *ctx)
{
    struct tcpconn *c = ctx;

    (void)fd;
    if (what & EV_TIMEOUT)
        over(c, err_set(ERR_TIMEOUT, &c->error, "no connection within %u ms",
                        (unsigned)c->spec.connect_ms));
    else if (!c->connected)
        on_connected(c);
    else if (!c->ready)
        shake_hands(c);
    else
        flush(c);
}

static enum err open_now(struct tcpconn *c, struct event_base *base)
{
    struct timeval tv = tv_of(c->spec.connect_ms);
    struct sockaddr_storage ss;
    socklen_t n = addr_to_sockaddr(&ss, &c->spec.peer);
    enum err rc = peer_socket(&c->fd, SOCK_STREAM, &c->spec.peer, &c->spec.source, &c->error);

    if (rc)
        return rc;
    if (connect(c->fd, (struct sockaddr *)&ss, n) != 0 && errno != EINPROGRESS)
        return err_sys(errno, &c->error, "connecting");
    c->reading = event_new(base, c->fd, EV_READ | EV_PERSIST, on_readable, c);
    c->writing = event_new(base, c->fd, EV_WRITE, on_writable, c);
    if (!c->reading || !c->writing || event_add(c->writing, &tv) != 0)
        return err_set(ERR_LIMIT, &c->error, "the event loop is full");
    return OK;
}

struct tcpconn *tcpconn_open(struct event_base *base, const struct tcpconn_spec *spec,
                             const struct tcpconn_events *events, void *ctx)
{
    struct tcpconn *c = xcalloc(1, sizeof(*c));

    c->fd = -1;
    c->spec = *spec;
    c->events = *events;
    c->ctx = ctx;
    c->rc = open_now(c, base);
    if (c->rc) {
        struct timeval now = {0};

        c->failing = evtimer_new(base, on_failing, c);
        if (!c->failing || evtimer_add(c->failing, &now) != 0)
            abort(); /* as for want of memory */
    }
    return c;
}

void tcpconn_close(struct tcpconn *c)
{
    if (!c)
        return;
    if (c->reading)
        event_free(c->reading);
    if (c->writing)
        event_free(c->writing);
    if (c->failing)
        event_free(c->failing);
    if (c->shaking)
        event_free(c->shaking);
    if (c->tls)
        tls_stream_close(c->tls);
    tls_stream_free(c->tls);
    if (c->fd >= 0)
        (void)close(c->fd);
    buf_free(&c->out);
    free(c->in);
    free(c);
}

void tcpconn_send(struct tcpconn *c, const uint8_t *wire, size_t len)
{
    buf_u16(&c->out, (uint16_t)len);
    buf_put(&c->out, wire, len);
    flush(c);
}

void tcpconn_pass(struct tcpconn *c, const struct tcpconn_events *events, void *ctx,
                  uint32_t idle_ms)
{
    struct timeval idle = tv_of(idle_ms);

    make_room(c);
    c->events = *events;
    c->ctx = ctx;
    c->spec.idle_ms = idle_ms;
    (void)event_add(c->reading, &idle);
}

const struct tcpconn_spec *tcpconn_spec_of(const struct tcpconn *c)
{
    return &c->spec;
}

uint64_t tcpconn_received(const struct tcpconn *c)
{
    return c->received;
}

size_t tcpconn_buffered(const struct tcpconn *c)
{
    return c->in_end - c->in_start;
}
