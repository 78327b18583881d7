/* Does the history here have all that a remote has? What was pushed once cannot be taken back by
 * whoever breaks into a node: so a history that was cut, rewritten or forked, with store and
 * journal made to agree, is found by asking a remote. A part of verify.
 */
#ifndef ZL_SYNCD_VERIFY_REMOTE_H
#define ZL_SYNCD_VERIFY_REMOTE_H

#include "syncd/verify.h"

struct remote_report {
    struct verify_report report; /* its faults; verify_report_free */
    uint64_t refs;               /* that the remote has */
    uint64_t same;               /* of them, that lead to what is newest here */
    uint64_t behind;             /* that lead to an older version: the next push brings the rest */
};

/* `refs`: as `git ls-remote` prints, read before this begins. `seq`: all versions by changes up to
 * this one were pushed; 0: not known. Pool thread. Cost: the zones, and the checkpoints that the
 * remote lacks. */
MUST_USE enum err verify_remote(struct remote_report *out, struct history *h,
                                const struct buf *refs, uint64_t seq, struct errinfo *e);

#endif
