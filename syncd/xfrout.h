/* Transfers out: connections that authd has handed over because a secondary asks for a zone on
 * them.
 *
 *    connection ─▶ message ─▶ signature, access ─▶ pool: what to send ─▶ messages, as the socket
 *                                                                        takes them ─▶ next message
 *
 * A pool thread reads the store, and the journal where the log of changes does not reach back, in
 * one moment; what is sent afterwards is immutable and pins nothing in the store. Connections that
 * send the same version of a zone share it. A client that takes nothing for transfer-idle, or is
 * not done in transfer-max, is closed. Loop thread only.
 */
#ifndef ZL_SYNCD_XFROUT_H
#define ZL_SYNCD_XFROUT_H

#include "lib/net/handover.h"
#include "lib/store/store_readers.h"
#include "syncd/access.h"
#include "syncd/front.h"
#include "syncd/keyring.h"
#include "syncd/loop.h"

struct xfrout;

/* The section of `config` that holds for a zone (folded name), or NULL. */
typedef const struct config_zone *xfrout_section_fn(void *ctx, const uint8_t *zone);

/* A promise to answer the datagram at hand later (front_later). */
typedef struct front_later *xfrout_later_fn(void *ctx);

/* Takes references; `readers` are lent. `section` is asked with each request. */
struct xfrout *xfrout_new(struct loop *loop, struct config *config, struct keyring *keys,
                          struct store_readers *readers, xfrout_section_fn *section,
                          xfrout_later_fn *later, void *ctx);
/* Closes all connections; work in the pool ends by itself. */
void xfrout_free(struct xfrout *x);
void xfrout_reload(struct xfrout *x, struct config *config, struct keyring *keys);

/* A connection (takes over fd) with the octets that were read from it already. */
void xfrout_take(struct xfrout *x, const struct ho_frame *stream, int fd);

/* Answers a message that authd handed over if it is IXFR by datagram: with the SOA that authd has
 * put into its ready answer, if the client may transfer. False: it is something else. */
bool xfrout_datagram(struct xfrout *x, const struct ho_frame *m, struct buf *reply);

/* Since the start, but for `connections`: those that are open now. */
struct xfrout_totals {
    uint64_t whole, increments;
    uint64_t current;       /* the client had the newest version: its SOA alone */
    uint64_t whole_instead; /* of those whole: increments were asked for */
    uint64_t refused, broken;
    uint64_t octets; /* of what was sent to the end */
    size_t connections;
};
void xfrout_count(const struct xfrout *x, struct xfrout_totals *out);

#endif
