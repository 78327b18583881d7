/* Accepting connections. */
#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "authd/grace.h"
#include "authd/worker_internal.h"
#include "lib/base/log.h"

#define ACCEPTS_AT_ONCE 16
#define PAUSE_MS 250
#define WARN_EVERY_MS 60000

/* Out of descriptors or memory, most likely: the listening socket would stay readable and eat the
 * processor, so it is left alone for a while. */
static void pause_accept(struct tcp_listener *l, int errnum)
{
    struct worker *w = l->worker;
    struct timeval tv = {.tv_usec = PAUSE_MS * 1000};
    struct mono now = clock_mono(w->shared->clock);

    (void)event_del(l->event);
    (void)event_add(l->resume, &tv);
    if (now.ms - w->accept_warned.ms >= WARN_EVERY_MS) {
        struct errinfo e;

        (void)err_sys(errnum, &e, "accept");
        log_warning(say("TCP connections wait until there are descriptors again"), kv_err(&e));
        w->accept_warned = now;
    }
}

static void on_resume(evutil_socket_t fd, short what, void *ctx)
{
    struct tcp_listener *l = ctx;

    (void)fd;
    (void)what;
    (void)event_add(l->event, NULL);
}

/* What went wrong with one connection before it was accepted (accept(2)); others may wait behind.
 */
static bool only_this_one(int errnum)
{
    switch (errnum) {
    case ECONNABORTED:
    case EINTR:
    case EPROTO:
    case EPERM:
    case ENETDOWN:
    case ENOPROTOOPT:
    case EHOSTDOWN:
    case ENONET:
    case EHOSTUNREACH:
    case EOPNOTSUPP:
    case ENETUNREACH:
    case ETIMEDOUT:
        return true;
    default:
        return false;
    }
}

static bool is_from_balancer(const struct worker *w, const struct addr *source)
{
    bool is;

    grace_enter();
    is = balancer_is(worker_config(w), source);
    grace_leave();
    return is;
}

static void welcome(struct tcp_listener *l, int fd, const struct sockaddr_storage *peer)
{
    struct worker *w = l->worker;
    struct tcp_arrival a = {.fd = fd, .is_tls = l->is_tls};
    struct sockaddr_storage local;
    socklen_t len = sizeof(local);

    if (!addr_from_sockaddr(&a.source, (const struct sockaddr *)peer) ||
        getsockname(fd, (struct sockaddr *)&local, &len) != 0 ||
        !addr_from_sockaddr(&a.destination, (struct sockaddr *)&local)) {
        (void)close(fd);
        return;
    }
    a.from_balancer = is_from_balancer(w, &a.source);
    if (!a.from_balancer)
        a.place = a.source;
    if (!tcp_idle_take_place(w, &a.place)) {
        count_one(&w->counters->tcp_refused);
        (void)close(fd);
        return;
    }
    count_one(&w->counters->tcp_accepted);
    if (a.is_tls)
        count_one(&w->counters->tls_accepted);
    tcp_conn_open(w, &a);
}

static void on_connect(evutil_socket_t fd, short what, void *ctx)
{
    struct tcp_listener *l = ctx;

    (void)what;
    for (int i = 0; i < ACCEPTS_AT_ONCE; i++) {
        struct sockaddr_storage peer;
        socklen_t len = sizeof(peer);
        int s = accept4(fd, (struct sockaddr *)&peer, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);

        if (s >= 0) {
            welcome(l, s, &peer);
        } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
            return;
        } else if (!only_this_one(errno)) {
            pause_accept(l, errno);
            return;
        }
    }
}

bool tcp_start(struct tcp_listener *l)
{
    l->event = event_new(l->worker->base, l->fd, EV_READ | EV_PERSIST, on_connect, l);
    l->resume = evtimer_new(l->worker->base, on_resume, l);
    return l->event && l->resume && event_add(l->event, NULL) == 0;
}

void tcp_stop(struct tcp_listener *l)
{
    if (l->event)
        event_free(l->event);
    if (l->resume)
        event_free(l->resume);
    l->event = l->resume = NULL;
    (void)close(l->fd);
}
