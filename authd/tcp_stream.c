/* Moving octets between a connection and its socket, with and without TLS. */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "authd/tcp_internal.h"

#define KEEP_BYTES 4096     /* an empty queue's buffer above this is freed */
#define COMPACT_BYTES 65536 /* sent octets in front of a queue that never gets empty */

static bool try_later(int errnum)
{
    return errnum == EAGAIN || errnum == EWOULDBLOCK || errnum == EINTR;
}

/* ---- Input ---- */

static enum tcp_input read_plain(struct tcp_conn *c, uint8_t *buf, size_t cap, size_t *n)
{
    ssize_t k = recv(c->fd, buf, cap, MSG_DONTWAIT);

    if (k < 0)
        return try_later(errno) ? TCP_INPUT_LATER : TCP_INPUT_FAILED;
    *n = (size_t)k;
    return k > 0 ? TCP_INPUT_SOME : TCP_INPUT_END;
}

static enum tcp_input read_tls(struct tcp_conn *c, uint8_t *buf, size_t cap, size_t *n)
{
    switch (tls_stream_read(c->tls, buf, cap, n)) {
    case TLS_OK:
        return TCP_INPUT_SOME;
    case TLS_WANT_WRITE:
        c->want_write = true;
        return TCP_INPUT_LATER;
    case TLS_WANT_READ:
        return TCP_INPUT_LATER;
    case TLS_CLOSED:
        return TCP_INPUT_END;
    case TLS_FAILED:
        break;
    }
    return TCP_INPUT_FAILED;
}

enum tcp_input tcp_stream_read(struct tcp_conn *c, uint8_t *buf, size_t cap, size_t *n)
{
    return c->tls ? read_tls(c, buf, cap, n) : read_plain(c, buf, cap, n);
}

bool tcp_stream_holds_input(const struct tcp_conn *c)
{
    return c->tls && tls_stream_holds_input(c->tls);
}

/* ---- Output ---- */

enum sent { SENT_SOME, SENT_LATER, SENT_FAILED };

static enum sent send_plain(struct tcp_conn *c, size_t *n)
{
    ssize_t k = send(c->fd, c->out.data + c->out_pos, tcp_queued(c), MSG_NOSIGNAL | MSG_DONTWAIT);

    if (k < 0)
        return try_later(errno) ? SENT_LATER : SENT_FAILED;
    *n = (size_t)k;
    return SENT_SOME;
}

static enum sent send_tls(struct tcp_conn *c, size_t *n)
{
    switch (tls_stream_write(c->tls, c->out.data + c->out_pos, tcp_queued(c), n)) {
    case TLS_OK:
        return SENT_SOME;
    case TLS_WANT_READ: /* the peer owes us something: reading goes on anyway */
    case TLS_WANT_WRITE:
        return SENT_LATER;
    case TLS_CLOSED:
    case TLS_FAILED:
        break;
    }
    return SENT_FAILED;
}

/* Frees what was sent. */
static void tidy(struct tcp_conn *c)
{
    if (tcp_queued(c) == 0) {
        c->out.len = c->out_pos = 0;
        if (c->out.cap > KEEP_BYTES)
            buf_free(&c->out);
    } else if (c->out_pos >= COMPACT_BYTES && c->out_pos >= tcp_queued(c)) {
        memmove(c->out.data, c->out.data + c->out_pos, tcp_queued(c));
        c->out.len -= c->out_pos;
        c->out_pos = 0;
    }
}

bool tcp_stream_flush(struct tcp_conn *c)
{
    enum sent r = SENT_SOME;

    while (tcp_queued(c) > 0 && r == SENT_SOME) {
        size_t n = 0;

        r = c->tls ? send_tls(c, &n) : send_plain(c, &n);
        c->out_pos += n;
        c->sent += n;
    }
    tidy(c);
    return r != SENT_FAILED && tcp_queued(c) <= TCP_QUEUE_MAX_BYTES;
}

void tcp_stream_end(struct tcp_conn *c)
{
    if (c->tls)
        tls_stream_close(c->tls);
    (void)shutdown(c->fd, SHUT_WR);
}
