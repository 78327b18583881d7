/* A connection on which a transfer is asked for: syncd goes on with it.
 *
 * Without TLS it gets the connection itself. With TLS it gets one end of a pair of sockets, and so
 * sees a plain stream too; we keep the TLS side and carry octets between the two:
 *
 *   client ◀─TLS─▶ [out, `up`] ◀─pair─▶ syncd
 *
 * Both directions are bounded: nothing more is read on one side before the other has taken what
 * there is. So a client that does not read stops syncd, which has its own limits for that; ours
 * begin when syncd has said all and closed its end.
 */
#include "authd/tcp_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/base/mem.h"

#define ROUNDS_AT_ONCE 16 /* of TCP_READ_BYTES each way, before others get their turn */
#define DOWN_BYTES (64u << 10)

struct tcp_relay {
    int fd; /* our end of the pair */
    struct event *readable, *writable;
    bool reading, writing; /* the events are added */
    struct buf up;         /* from the client, for syncd */
    size_t up_pos;
    bool up_ended;   /* the client has sent all, and syncd knows */
    bool down_ended; /* syncd has */
};

static bool try_later(int errnum)
{
    return errnum == EAGAIN || errnum == EWOULDBLOCK || errnum == EINTR;
}

static size_t up_left(const struct tcp_relay *r)
{
    return r->up.len - r->up_pos;
}

/* ---- Up: client to syncd ---- */

/* False: syncd is gone. */
static bool push_up(struct tcp_relay *r)
{
    while (up_left(r) > 0) {
        ssize_t k = send(r->fd, r->up.data + r->up_pos, up_left(r), MSG_NOSIGNAL | MSG_DONTWAIT);

        if (k < 0)
            return try_later(errno);
        r->up_pos += (size_t)k;
    }
    r->up.len = r->up_pos = 0;
    return true;
}

/* False: the client is gone. */
static bool pull_up(struct tcp_conn *c, bool *moved)
{
    struct tcp_relay *r = c->relay;
    size_t n = 0;

    if (c->eof || up_left(r) > 0)
        return true;
    switch (tcp_stream_read(c, c->worker->input, TCP_READ_BYTES, &n)) {
    case TCP_INPUT_SOME:
        buf_put(&r->up, c->worker->input, n);
        *moved = true;
        return true;
    case TCP_INPUT_LATER:
        return true;
    case TCP_INPUT_END:
        c->eof = true;
        return true;
    case TCP_INPUT_FAILED:
        break;
    }
    return false;
}

/* Once syncd has all that the client sent, it is told that nothing follows. */
static void end_up(struct tcp_conn *c)
{
    struct tcp_relay *r = c->relay;

    if (c->eof && up_left(r) == 0 && !r->up_ended) {
        (void)shutdown(r->fd, SHUT_WR);
        r->up_ended = true;
    }
}

/* ---- Down: syncd to client ---- */

static void pull_down(struct tcp_conn *c, bool *moved)
{
    struct tcp_relay *r = c->relay;
    ssize_t k;

    if (r->down_ended || tcp_queued(c) >= DOWN_BYTES)
        return;
    k = recv(r->fd, c->worker->input, TCP_READ_BYTES, MSG_DONTWAIT);
    if (k > 0) {
        buf_put(&c->out, c->worker->input, (size_t)k);
        *moved = true;
    } else if (k == 0 || !try_later(errno)) {
        r->down_ended = true;
    }
}

/* ---- Both ---- */

static void set_event(struct event *e, bool *is, bool want)
{
    if (want != *is)
        (void)(want ? event_add(e, NULL) : event_del(e));
    *is = want;
}

bool tcp_relay_wants_input(const struct tcp_conn *c)
{
    return !c->eof && up_left(c->relay) == 0;
}

bool tcp_relay_is_ending(const struct tcp_conn *c)
{
    return c->relay->down_ended;
}

bool tcp_relay_move(struct tcp_conn *c)
{
    struct tcp_relay *r = c->relay;
    bool moved = true;

    for (int i = 0; moved && i < ROUNDS_AT_ONCE; i++) {
        moved = false;
        if (!pull_up(c, &moved) || !push_up(r))
            return false;
        pull_down(c, &moved);
        if (!tcp_stream_flush(c))
            return false;
    }
    end_up(c);
    set_event(r->readable, &r->reading, !r->down_ended && tcp_queued(c) < DOWN_BYTES);
    set_event(r->writable, &r->writing, up_left(r) > 0);
    if (moved)
        event_active(c->readable, EV_READ, 0); /* there is more than one turn's worth */
    return true;
}

static void on_pair(evutil_socket_t fd, short what, void *ctx)
{
    (void)fd;
    (void)what;
    tcp_conn_relay(ctx);
}

bool tcp_relay_start(struct tcp_conn *c, int ours)
{
    struct event_base *base = c->worker->base;
    struct tcp_relay *r = xcalloc(1, sizeof(*r));

    r->fd = ours;
    r->readable = event_new(base, ours, EV_READ | EV_PERSIST, on_pair, c);
    r->writable = event_new(base, ours, EV_WRITE | EV_PERSIST, on_pair, c);
    c->relay = r;
    c->phase = TCP_RELAY;
    c->began = tcp_now(c);
    if (!r->readable || !r->writable)
        return false;
    event_active(c->readable, EV_READ, 0); /* TLS may hold input, or the client be through */
    return true;
}

void tcp_relay_free(struct tcp_relay *r)
{
    if (!r)
        return;
    if (r->readable)
        event_free(r->readable);
    if (r->writable)
        event_free(r->writable);
    (void)close(r->fd);
    buf_free(&r->up);
    free(r);
}

/* ---- Giving it ---- */

/* A pair of sockets; what it returns is for syncd. -1: there are no more descriptors. */
static int make_pair(int *ours)
{
    int ends[2];

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) != 0)
        return -1;
    *ours = ends[0];
    return ends[1];
}

static enum tcp_gift give_relayed(struct tcp_conn *c, const struct ho_frame *f, size_t *len)
{
    struct worker *w = c->worker;
    int ours = -1;
    int theirs = make_pair(&ours);
    bool taken = worker_give(w, f, theirs, w->answer, sizeof(w->answer), len);

    if (theirs >= 0)
        (void)close(theirs);
    if (taken)
        return tcp_relay_start(c, ours) ? TCP_GIFT_RELAYED : TCP_GIFT_TAKEN;
    if (ours >= 0)
        (void)close(ours);
    return TCP_GIFT_REFUSED;
}

enum tcp_gift tcp_transfer_give(struct tcp_conn *c, const uint8_t *p, size_t n, size_t *len)
{
    struct worker *w = c->worker;
    struct ho_frame f = {.type = HO_STREAM,
                         .transport = c->is_tls ? HO_TLS : HO_TCP,
                         .source = c->source,
                         .destination = c->destination,
                         .identity = c->identity.data,
                         .identity_len = (uint32_t)c->identity.len,
                         .wire = p,
                         .wire_len = (uint32_t)n};

    if (c->is_tls && !tls_stream_is_xot(c->tls)) {
        *len = worker_refuse(w, &f, RCODE_REFUSED, w->answer, sizeof(w->answer));
        return TCP_GIFT_REFUSED;
    }
    if (c->is_tls)
        return give_relayed(c, &f, len);
    return worker_give(w, &f, c->fd, w->answer, sizeof(w->answer), len) ? TCP_GIFT_TAKEN
                                                                        : TCP_GIFT_REFUSED;
}
