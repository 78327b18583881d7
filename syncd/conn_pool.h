/* Connections to primaries that stay open for the next question (RFC 7766 6.2.1, RFC 9103 6.4): so
 * a primary with ten thousand zones is asked over a few connections, one question after the other
 * on each.
 *
 * A connection comes back between two answers and waits a few seconds. A primary that closes one as
 * soon as it is asked again is asked over a new one for each question, for a while.
 * Loop thread only.
 */
#ifndef ZL_SYNCD_CONN_POOL_H
#define ZL_SYNCD_CONN_POOL_H

#include "syncd/loop.h"
#include "syncd/tcpconn.h"

struct conn_pool;

struct conn_pool *conn_pool_new(struct loop *loop);
void conn_pool_free(struct conn_pool *p); /* closes those that wait; NULL is fine */
/* Closes those that wait: what they were opened with does not hold any more. */
void conn_pool_clear(struct conn_pool *p);

/* One that waits and was opened for the same peer, source and TLS: *reused is true, `ready` is not
 * called, it may be sent on. Else a new one, as tcpconn_open. `p` NULL: always a new one. */
struct tcpconn *conn_pool_take(struct conn_pool *p, struct loop *loop,
                               const struct tcpconn_spec *spec, const struct tcpconn_events *events,
                               void *ctx, bool *reused);
/* Its answer is whole and nothing is behind it: it waits for the next one, or is closed. May be
 * called from within `message`, which then gives false. */
void conn_pool_give(struct conn_pool *p, struct tcpconn *c);
/* A reused connection ended before its first answer; the caller asks again over a new one. */
void conn_pool_failed(struct conn_pool *p, const struct tcpconn_spec *spec);

#endif
