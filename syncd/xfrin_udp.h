/* One question by UDP, sent twice at most: the datagram part of IXFR (RFC 1995 2).
 *
 * The socket is connected and has a port of its own, so that only what comes from there is seen; of
 * that, only an answer with our ID and question counts, anything else is waited past. What the
 * answer is worth is for the caller to find out. Loop thread only.
 */
#ifndef ZL_SYNCD_XFRIN_UDP_H
#define ZL_SYNCD_XFRIN_UDP_H

#include "lib/base/addr.h"
#include "syncd/loop.h"

enum xfrin_udp_end {
    XFRIN_UDP_ANSWER,
    XFRIN_UDP_TRUNCATED, /* TC: ask by TCP */
    XFRIN_UDP_SILENT,    /* nothing came, or nobody listens there */
};

struct xfrin_udp_spec {
    struct addr address;
    struct addr source;   /* family 0: any */
    uint32_t timeout_ms;  /* of each try */
    const uint8_t *query; /* lent until it is over */
    size_t query_len;
};

struct xfrin_udp;

/* Called once, later, never from within xfrin_udp_start; `wire` is lent, and there with
 * XFRIN_UDP_ANSWER. What was started is gone then. */
typedef void xfrin_udp_done_fn(void *ctx, enum xfrin_udp_end end, const uint8_t *wire, size_t len);

struct xfrin_udp *xfrin_udp_start(struct loop *loop, const struct xfrin_udp_spec *spec,
                                  xfrin_udp_done_fn *done, void *ctx);
/* `done` is not called. NULL is fine. */
void xfrin_udp_cancel(struct xfrin_udp *u);

#endif
