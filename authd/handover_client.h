/* A worker's messages for syncd, and the way back to their clients.
 *
 * Each message gets a ticket with the way its reply must take and a SERVFAIL to send if no reply
 * comes: when syncd is away, when it goes away, after TICKET_MS. The tickets are a table of fixed
 * size, so that a flood of NOTIFY costs no more than that. Threads: the worker's own.
 */
#ifndef ZL_AUTHD_HANDOVER_CLIENT_H
#define ZL_AUTHD_HANDOVER_CLIENT_H

#include <event2/event.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "lib/base/clock.h"
#include "lib/net/handover.h"

#define HANDOVER_TICKETS 4096
#define HANDOVER_TICKET_MS 5000
#define HANDOVER_SERVFAIL_MAX 576

struct udp_socket;
struct tcp_conn;

#define UDP_CONTROL_MAX CMSG_SPACE(sizeof(struct in6_pktinfo))

/* Where an answer has to go. */
struct way_back {
    enum ho_transport transport;
    struct tcp_conn *conn; /* TCP: lives until all its tickets are answered */

    struct udp_socket *socket; /* UDP: from here, from this address, to the peer */
    struct sockaddr_storage peer;
    socklen_t peer_len;
    _Alignas(struct cmsghdr) uint8_t control[UDP_CONTROL_MAX];
    socklen_t control_len;
};

/* Called once for each ticket; len 0: the client gets no answer. `failed`: it is our SERVFAIL. */
typedef void handover_reply_fn(void *ctx, const struct way_back *back, const uint8_t *wire,
                               size_t len, bool failed);

struct handover_client;

/* NULL if libevent has no more timers. `run_dir` is lent. */
struct handover_client *handover_client_new(struct event_base *base, const char *run_dir,
                                            const struct clock *clock, handover_reply_fn *reply,
                                            void *ctx);
/* Unanswered tickets get no reply any more. */
void handover_client_free(struct handover_client *c);

/* Hands a message over (f is a MESSAGE; its id is given here). False if that is not possible now:
 * the caller answers itself, and there is no callback. */
bool handover_client_ask(struct handover_client *c, const struct ho_frame *f,
                         const struct way_back *back, const uint8_t *servfail, size_t servfail_len);

/* Hands a connection over that asks for a transfer (f is a STREAM). False if that is not possible
 * now; if it is, the caller closes its own descriptor: the connection is syncd's. */
bool handover_client_give(struct handover_client *c, const struct ho_frame *f, int connection);

#endif
