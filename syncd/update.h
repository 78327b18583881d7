/* UPDATE (RFC 2136) worked on a version of a zone: what it asks to be there, and what the next
 * version is. Pure.
 *
 *   prerequisites ─▶ permission ─▶ prescan ─▶ changes in a draft ─▶ change set ─▶ zone_check_change
 *
 * All or nothing. The serial grows by one if anything changes and the message does not set it. What
 * the rules of RFC 2136 3.4.2 pass over in silence (a CNAME beside other data, the last NS of the
 * apex) is passed over. Records of an RRset have one TTL, that of the one added last (RFC
 * 2181 5.2).
 */
#ifndef ZL_SYNCD_UPDATE_H
#define ZL_SYNCD_UPDATE_H

#include "lib/dns/message.h"
#include "lib/zone/changeset.h"

/* May records of this owner and type be added, or taken out? */
typedef bool update_may_fn(void *ctx, const uint8_t *owner, uint16_t type);

struct update_result {
    uint16_t rcode;            /* NOERROR: the rest holds */
    struct zone *next;         /* NULL: nothing changes */
    struct changeset *changes; /* z -> next; NULL likewise */
    struct errinfo error;      /* else: why, for the log */
};
void update_result_done(struct update_result *r);

/* `wire` is a message that query_parse found to be an UPDATE for `z`, of class IN. */
void update_apply(struct update_result *out, const struct zone *z, const uint8_t *wire, size_t len,
                  const struct zone_limits *limits, update_may_fn *may, void *ctx);

#endif
