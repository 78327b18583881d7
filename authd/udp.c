/* Datagrams in batches: one recvmmsg, all answers made under one grace period, one sendmmsg. The
 * control data that says where a datagram was sent to goes back with the answer, and so makes it
 * leave from there.
 */
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <unistd.h>

#include "authd/grace.h"
#include "authd/worker_internal.h"
#include "lib/base/mem.h"

#define BATCH 32
#define BATCHES_AT_ONCE 8  /* before TCP and syncd get their turn */
#define QUERY_OCTETS 4096  /* what is longer is cut, and so FORMERR */
#define ANSWER_OCTETS 4096 /* the most that udp-payload may be */

struct udp_batch {
    struct mmsghdr in[BATCH];
    struct mmsghdr out[BATCH];
    struct iovec in_iov[BATCH];
    struct iovec out_iov[BATCH];
    struct way_back back[BATCH];
    struct message message[BATCH];
    struct answer_ahead ahead[BATCH];
    size_t taken[BATCH];
    uint8_t query[BATCH][QUERY_OCTETS];
    uint8_t answer[BATCH][ANSWER_OCTETS];
};

struct udp_batch *udp_batch_new(void)
{
    return xcalloc(1, sizeof(struct udp_batch));
}

static void prepare(struct udp_batch *b)
{
    for (size_t i = 0; i < BATCH; i++) {
        b->in_iov[i] = (struct iovec){.iov_base = b->query[i], .iov_len = QUERY_OCTETS};
        b->in[i].msg_hdr = (struct msghdr){.msg_name = &b->back[i].peer,
                                           .msg_namelen = sizeof(b->back[i].peer),
                                           .msg_iov = &b->in_iov[i],
                                           .msg_iovlen = 1,
                                           .msg_control = b->back[i].control,
                                           .msg_controllen = sizeof(b->back[i].control)};
    }
}

/* The address that was asked, from the control data; it stays there as the source of the answer,
 * but without the interface: routing decides which way the answer goes. */
static void destination(struct addr *out, const struct udp_socket *s, struct msghdr *mh)
{
    *out = s->local;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(mh); c; c = CMSG_NXTHDR(mh, c)) {
        if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
            struct in_pktinfo p;

            memcpy(&p, CMSG_DATA(c), sizeof(p));
            p.ipi_ifindex = 0;
            memcpy(out->ip, &p.ipi_spec_dst, 4);
            memcpy(CMSG_DATA(c), &p, sizeof(p));
        } else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO) {
            struct in6_pktinfo p;

            memcpy(&p, CMSG_DATA(c), sizeof(p));
            if (!IN6_IS_ADDR_LINKLOCAL(&p.ipi6_addr))
                p.ipi6_ifindex = 0;
            memcpy(out->ip, &p.ipi6_addr, 16);
            memcpy(CMSG_DATA(c), &p, sizeof(p));
        }
    }
}

/* Takes datagram i as a message. False if it is not to be answered. */
static bool take_one(struct udp_socket *s, struct udp_batch *b, size_t i)
{
    struct msghdr *mh = &b->in[i].msg_hdr;
    struct way_back *back = &b->back[i];
    struct message *m = &b->message[i];

    *m = (struct message){.wire = b->query[i],
                          .len = b->in[i].msg_len,
                          .back = back,
                          .ahead = &b->ahead[i],
                          .mono = {(int64_t)(s->worker->batch_ns / 1000000)},
                          .wall = s->worker->batch_wall};
    if (!addr_from_sockaddr(&m->source, (struct sockaddr *)&back->peer) || m->source.port == 0)
        return false; /* nobody can be reached there (CVE-2012-0206's relatives) */
    destination(&m->destination, s, mh);
    back->transport = HO_UDP;
    back->socket = s;
    back->peer_len = mh->msg_namelen;
    back->control_len = (socklen_t)mh->msg_controllen;
    if (!balancer_unwrap(worker_config(s->worker), m)) {
        count_one(&s->worker->counters->proxy_refused);
        return false;
    }
    return true;
}

/* Looks at all messages before any is answered, so that what they need from memory is under way. */
static size_t take_all(struct udp_socket *s, struct udp_batch *b, size_t n)
{
    const struct zonedb *db = s->worker->answerer->db;
    size_t taken = 0;

    for (size_t i = 0; i < n; i++) {
        if (!take_one(s, b, i))
            continue;
        answer_look_ahead(&b->ahead[i], db, b->message[i].wire, b->message[i].len);
        b->taken[taken++] = i;
    }
    answer_fetch(b->ahead, b->taken, taken, db);
    return taken;
}

static size_t answer_all(struct udp_socket *s, struct udp_batch *b, size_t n)
{
    size_t out = 0;

    grace_enter();
    n = take_all(s, b, n);
    for (size_t k = 0; k < n; k++) {
        size_t i = b->taken[k];
        struct way_back *back = &b->back[i];
        size_t len = 0;

        if (worker_message(s->worker, &b->message[i], b->answer[i], ANSWER_OCTETS, &len) !=
            MESSAGE_ANSWERED)
            continue;
        b->out_iov[out] = (struct iovec){.iov_base = b->answer[i], .iov_len = len};
        b->out[out].msg_hdr = (struct msghdr){.msg_name = &back->peer,
                                              .msg_namelen = back->peer_len,
                                              .msg_iov = &b->out_iov[out],
                                              .msg_iovlen = 1,
                                              .msg_control = back->control,
                                              .msg_controllen = back->control_len};
        out++;
    }
    grace_leave();
    return out;
}

/* What the system does not take is lost, as any datagram may be; the first of the rest is stepped
 * over then, since it may be the one that can't be sent. */
static void send_all(struct udp_socket *s, struct udp_batch *b, size_t n)
{
    size_t sent = 0;

    while (sent < n) {
        int k = sendmmsg(s->fd, b->out + sent, (unsigned)(n - sent), MSG_DONTWAIT);

        if (k > 0) {
            sent += (size_t)k;
        } else if (errno != EINTR) {
            count_one(&s->worker->counters->unsent);
            sent++;
        }
    }
}

/* Looks at clocks once a batch: for limits, cookies and the histogram of times. */
static void answer_batch(struct udp_socket *s, struct udp_batch *b, size_t n)
{
    struct worker *w = s->worker;

    w->batch_ns = clock_mono_ns(w->shared->clock);
    w->batch_wall = clock_wall(w->shared->clock);
    n = answer_all(s, b, n);
    if (n == 0)
        return;
    send_all(s, b, n);
    count_time(w->counters, clock_mono_ns(w->shared->clock) - w->batch_ns, n);
}

static void on_readable(evutil_socket_t fd, short what, void *ctx)
{
    struct udp_socket *s = ctx;
    struct udp_batch *b = s->worker->batch;
    int n = BATCH;

    (void)what;
    for (int i = 0; i < BATCHES_AT_ONCE && n == BATCH; i++) {
        prepare(b);
        n = recvmmsg(fd, b->in, BATCH, MSG_DONTWAIT, NULL);
        if (n > 0)
            answer_batch(s, b, (size_t)n);
    }
}

bool udp_start(struct udp_socket *s)
{
    s->event = event_new(s->worker->base, s->fd, EV_READ | EV_PERSIST, on_readable, s);
    return s->event && event_add(s->event, NULL) == 0;
}

void udp_stop(struct udp_socket *s)
{
    if (s->event)
        event_free(s->event);
    s->event = NULL;
    (void)close(s->fd);
}

void udp_reply(const struct way_back *back, const uint8_t *wire, size_t len)
{
    struct way_back w = *back; /* sendmsg takes no const */
    struct iovec iov = {.iov_base = (void *)(uintptr_t)wire, .iov_len = len};
    struct msghdr mh = {.msg_name = &w.peer,
                        .msg_namelen = w.peer_len,
                        .msg_iov = &iov,
                        .msg_iovlen = 1,
                        .msg_control = w.control,
                        .msg_controllen = w.control_len};

    if (sendmsg(back->socket->fd, &mh, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
        count_one(&back->socket->worker->counters->unsent);
}
