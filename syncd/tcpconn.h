/* A DNS connection to a peer by TCP (RFC 7766): messages with two octets of length before each.
 * With TLS around it if the peer is one for that (RFC 9103): then nothing at all is sent before the
 * peer is known to be who it shall be, and there is no way back to plain TCP.
 * Nonblocking, on libevent. Loop thread only.
 */
#ifndef ZL_SYNCD_TCPCONN_H
#define ZL_SYNCD_TCPCONN_H

#include <event2/event.h>
#include <stdbool.h>

#include "lib/base/addr.h"
#include "lib/base/err.h"
#include "lib/net/tls_peer.h"

struct tcpconn;

/* Never called from within tcpconn_open or tcpconn_send. The connection may be closed in any of
 * them. */
struct tcpconn_events {
    void (*ready)(void *ctx);
    /* One whole message, lent. False: the connection is closed, or nothing more is wanted. */
    bool (*message)(void *ctx, const uint8_t *wire, size_t len);
    /* It is over, by the peer (ERR_CLOSED), time (ERR_TIMEOUT), the network (ERR_IO), or since the
     * peer is not who it shall be, or TLS has failed (ERR_AUTH). Still to be closed. */
    void (*over)(void *ctx, enum err rc, const struct errinfo *e);
};

struct tcpconn_spec {
    struct addr peer;
    struct addr source;   /* family 0: any */
    struct tls_peer *tls; /* lent; NULL: plain TCP */
    uint32_t connect_ms;  /* and as long again for the handshake of TLS */
    uint32_t idle_ms;     /* without an octet from the peer, once connected */
};

/* Nonblocking, with close-on-exec, bound to `source` unless its family is 0. ERR_IO,
 * ERR_LIMIT (only the descriptors that we keep for ourselves are left). */
MUST_USE enum err peer_socket(int *fd, int type, const struct addr *peer, const struct addr *source,
                              struct errinfo *e);

struct tcpconn *tcpconn_open(struct event_base *base, const struct tcpconn_spec *spec,
                             const struct tcpconn_events *events, void *ctx);
void tcpconn_close(struct tcpconn *c); /* NULL is fine */

/* Queues one message of at most 65535 octets; once it is ready. */
void tcpconn_send(struct tcpconn *c, const uint8_t *wire, size_t len);

/* A ready connection, between two answers, goes to somebody else, who gives it `idle_ms` from now
 * on. */
void tcpconn_pass(struct tcpconn *c, const struct tcpconn_events *events, void *ctx,
                  uint32_t idle_ms);
const struct tcpconn_spec *tcpconn_spec_of(const struct tcpconn *c);

/* Octets received so far, and those of them that no message has been made of yet. */
uint64_t tcpconn_received(const struct tcpconn *c);
size_t tcpconn_buffered(const struct tcpconn *c);

#endif
