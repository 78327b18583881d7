#include "syncd/xfrin_udp.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/base/mem.h"
#include "lib/dns/response.h"
#include "syncd/tcpconn.h"

#define TRIES 2
#define DATAGRAM_MAX 4096    /* more than we say that we can take */
#define DATAGRAMS_AT_ONCE 16 /* looked at before others get their turn */

struct xfrin_udp {
    struct loop *loop;
    struct xfrin_udp_spec spec;
    xfrin_udp_done_fn *done;
    void *ctx;
    int fd;
    struct event *reading;
    struct event *timer;
    unsigned tries;
};

void xfrin_udp_cancel(struct xfrin_udp *u)
{
    if (!u)
        return;
    if (u->reading)
        event_free(u->reading);
    event_free(u->timer);
    if (u->fd >= 0)
        (void)close(u->fd);
    free(u);
}

static void finish(struct xfrin_udp *u, enum xfrin_udp_end end, const uint8_t *wire, size_t len)
{
    xfrin_udp_done_fn *done = u->done;
    void *ctx = u->ctx;

    xfrin_udp_cancel(u);
    done(ctx, end, wire, len);
}

static void on_datagram(evutil_socket_t fd, short what, void *ctx)
{
    struct xfrin_udp *u = ctx;
    uint8_t wire[DATAGRAM_MAX];

    (void)what;
    for (int i = 0; i < DATAGRAMS_AT_ONCE; i++) {
        ssize_t n = recv(fd, wire, sizeof(wire), 0);
        struct response resp;

        if (n < 0 && (errno == EAGAIN || errno == EINTR))
            return;
        if (n < 0) { /* the peer's host says that nobody listens */
            finish(u, XFRIN_UDP_SILENT, NULL, 0);
            return;
        }
        switch (response_check(&resp, RESPONSE_SINGLE, u->spec.query, u->spec.query_len, wire,
                               (size_t)n)) {
        case RESPONSE_OK:
            finish(u, XFRIN_UDP_ANSWER, wire, (size_t)n);
            return;
        case RESPONSE_TRUNCATED:
            finish(u, XFRIN_UDP_TRUNCATED, NULL, 0);
            return;
        case RESPONSE_FORMAT:
        case RESPONSE_NOT_RESPONSE:
        case RESPONSE_OTHER_ID:
        case RESPONSE_OTHER_OPCODE:
        case RESPONSE_OTHER_QUESTION:
            break; /* none of ours, perhaps a forgery */
        }
    }
}

static bool open_socket(struct xfrin_udp *u)
{
    struct sockaddr_storage ss;
    socklen_t n = addr_to_sockaddr(&ss, &u->spec.address);

    if (peer_socket(&u->fd, SOCK_DGRAM, &u->spec.address, &u->spec.source, NULL) != OK ||
        connect(u->fd, (struct sockaddr *)&ss, n) != 0)
        return false;
    u->reading = event_new(loop_base(u->loop), u->fd, EV_READ | EV_PERSIST, on_datagram, u);
    return u->reading && event_add(u->reading, NULL) == 0;
}

static void set_timer(struct xfrin_udp *u, uint32_t ms)
{
    struct timeval tv = {.tv_sec = ms / 1000, .tv_usec = (suseconds_t)(ms % 1000) * 1000};

    (void)evtimer_add(u->timer, &tv);
}

static void on_timer(evutil_socket_t fd, short what, void *ctx)
{
    struct xfrin_udp *u = ctx;

    (void)fd;
    (void)what;
    if (u->tries == TRIES || (u->tries == 0 && !open_socket(u))) {
        finish(u, XFRIN_UDP_SILENT, NULL, 0);
        return;
    }
    u->tries++;
    /* A lost or refused datagram is what the next try is for. */
    (void)!send(u->fd, u->spec.query, u->spec.query_len, MSG_NOSIGNAL);
    set_timer(u, u->spec.timeout_ms);
}

struct xfrin_udp *xfrin_udp_start(struct loop *loop, const struct xfrin_udp_spec *spec,
                                  xfrin_udp_done_fn *done, void *ctx)
{
    struct xfrin_udp *u = xcalloc(1, sizeof(*u));

    u->loop = loop;
    u->spec = *spec;
    u->done = done;
    u->ctx = ctx;
    u->fd = -1;
    u->timer = evtimer_new(loop_base(loop), on_timer, u);
    if (!u->timer)
        abort(); /* as for want of memory */
    set_timer(u, 0);
    return u;
}
