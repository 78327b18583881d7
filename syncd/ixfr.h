/* The body of an incremental transfer (RFC 1995 4), record by record, behind its opening SOA:
 *
 *    BEGIN ──the SOA we have──▶ REMOVE ──a newer SOA──▶ ADD ──the opening SOA again──▶ DONE
 *                                  ▲                     │
 *                                  └──that SOA once more─┘
 *
 * Each sequence becomes a change set of its own, to be applied one by one, since a record may come
 * and go again. Strict: serials chain without a gap, and no record stands twice among those that
 * go, or among those that come. One that goes and comes (NSD sends whole RRsets so) must be there.
 * Memory: the records, and SEQUENCES_MAX change sets at most. Threads: one owner.
 */
#ifndef ZL_SYNCD_IXFR_H
#define ZL_SYNCD_IXFR_H

#include "lib/zone/changeset.h"

#define IXFR_SEQUENCES_MAX 10000

enum ixfr_step {
    IXFR_MORE,
    IXFR_DONE,  /* the closing SOA is there; nothing may follow */
    IXFR_FAULT, /* it cannot be used; the text says why */
};

struct ixfr;

/* `have` is the serial of our version, `goal` the SOA that the transfer opened with. */
struct ixfr *ixfr_new(const uint8_t *apex, struct serial have, const struct rr *goal);
void ixfr_free(struct ixfr *x); /* NULL is fine */

/* One record behind the opening SOA. */
enum ixfr_step ixfr_feed(struct ixfr *x, const struct rr *rr, struct errinfo *e);

/* After IXFR_DONE: the change sets in order, lent. */
struct changeset *const *ixfr_changes(const struct ixfr *x, size_t *n);

#endif
