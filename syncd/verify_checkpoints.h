/* Do the checkpoints hold, and does the history have what they vouch for? A part of verify. */
#ifndef ZL_SYNCD_VERIFY_CHECKPOINTS_H
#define ZL_SYNCD_VERIFY_CHECKPOINTS_H

#include "journal/checkpoint.h"
#include "syncd/verify.h"

/* The newest checkpoint that can be relied on. */
struct vouched {
    bool has;
    struct journal_checkpoint newest;
};

/* Looks at all checkpoints (their signatures, numbers and order; older than wish->since: not), and
 * compares what the newest lists with the store's versions: a history that was cut, rewritten or
 * forked since is told, zone by zone. `signers`: of wish->keys; `tip`: the branch's newest, as it
 * was before the store was begun to be read, or none. Cost: checkpoints and zones. */
MUST_USE enum err verify_checkpoints(struct vouched *out, struct verify_report *r,
                                     struct history *h, struct journal *j,
                                     const struct verify_wish *wish,
                                     const struct journal_signer *signers,
                                     const struct journal_oid *tip, struct errinfo *e);

/* The newest version of the zone that is vouched for; 0: none. */
uint64_t vouched_version(const struct vouched *v, struct journal *j, const uint8_t *zone);

#endif
