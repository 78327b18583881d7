/* The pool's part of a transfer out: what is to be sent, read in one moment. */
#ifndef ZL_SYNCD_XFROUT_PREPARE_H
#define ZL_SYNCD_XFROUT_PREPARE_H

#include "lib/base/serial.h"
#include "lib/store/store_readers.h"
#include "syncd/xfrout_stream.h"

/* Zones that are being sent, so that many who want the same version share one. Threads: any. */
struct xfrout_share;
struct xfrout_share *xfrout_share_new(void);
struct xfrout_share *xfrout_share_ref(struct xfrout_share *s);
void xfrout_share_unref(struct xfrout_share *s); /* NULL is fine */
/* A user of this zone, as xfrout_prepare gave it, has ended. */
void xfrout_share_end(struct xfrout_share *s, const struct zone *z);

struct xfrout_wish {
    uint8_t zone[NAME_MAX_OCTETS]; /* folded */
    uint16_t qtype;                /* AXFR, IXFR or SOA */
    struct serial have;            /* IXFR: the client's */
};

struct xfrout_prepared {
    struct xfrout_content content;
    uint16_t rcode; /* NOERROR: `content` is there */
    bool fell_back; /* IXFR was asked for, the whole zone is cheaper or all there is */
    struct serial serial;
    struct errinfo error; /* why there is an rcode, or no IXFR */
};

/* The client's serial, from the SOA in an IXFR query's authority section (RFC 1995 3); false if
 * there is no such SOA. */
bool xfrout_have(struct serial *out, const struct query *q, const uint8_t *wire, size_t len);

/* Any thread; blocks. A zone in the content is counted in `share`. */
void xfrout_prepare(struct xfrout_prepared *out, const struct xfrout_wish *wish,
                    struct xfrout_share *share, struct store_readers *readers);

#endif
