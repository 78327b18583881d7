/* The answer to a transfer as a stream of messages (RFC 5936, 1995), made one at a time as there is
 * room for them. Each is filled up to where names can be compressed well.
 *
 *   AXFR   SOA, all other records, SOA
 *   IXFR   SOA, old SOA, what goes, SOA, what comes, SOA: condensed into one sequence
 *   SOA    one record: to IXFR, "you have what I have"; and to a query for it
 *
 * Threads: one owner.
 */
#ifndef ZL_SYNCD_XFROUT_STREAM_H
#define ZL_SYNCD_XFROUT_STREAM_H

#include "lib/dns/query.h"
#include "lib/dns/tsig.h"
#include "lib/zone/changeset.h"

enum xfrout_kind { XFROUT_AXFR, XFROUT_IXFR, XFROUT_SOA };

/* What is to be sent; owned parts are given up with xfrout_content_done. */
struct xfrout_content {
    enum xfrout_kind kind;
    struct zone *zone;         /* AXFR */
    struct changeset *changes; /* IXFR: both SOAs stand in it */
    struct buf soa;            /* RDATA of the present one */
    uint32_t soa_ttl;
    uint32_t expire_s; /* for so long we vouch for it (RFC 7314) */
};
void xfrout_content_done(struct xfrout_content *c);

struct xfrout_stream;

/* Takes over *content and *tsig (verified, or of no signature), both left empty. */
struct xfrout_stream *xfrout_stream_new(struct xfrout_content *content, const struct query *q,
                                        struct tsig *tsig);
void xfrout_stream_free(struct xfrout_stream *s);

/* The next message into out (65535 octets): its length, 0 behind the last one. ERR_LIMIT: a record
 * has no room in any message. */
MUST_USE enum err xfrout_stream_next(struct xfrout_stream *s, uint8_t *out, size_t *len,
                                     struct wall now, struct errinfo *e);

struct xfrout_counts {
    uint64_t messages, records, octets;
};
struct xfrout_counts xfrout_stream_counts(const struct xfrout_stream *s);

#endif
