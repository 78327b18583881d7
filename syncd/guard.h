/* The guards: what a new version from a primary must pass before it is served. It is whole and
 * sound as a zone already (zone_check); here is asked whether it is likely meant so. A pure
 * function: any thread.
 */
#ifndef ZL_SYNCD_GUARD_H
#define ZL_SYNCD_GUARD_H

#include "lib/base/clock.h"
#include "lib/base/config.h"
#include "lib/zone/changeset.h"
#include "lib/zone/zone.h"

#define GUARD_REASON_MAX 256 /* as much as the store keeps */

struct guard_spec {
    const struct config_guards *guards; /* lent */
    struct wall now;
    unsigned threads;  /* for what is worth several */
    bool sound;        /* what is served has been found whole by DNSSEC, */
    struct wall until; /* with signatures that are good so long */
};

struct guard_verdict {
    bool quarantine;               /* it is not to be served until an operator says so */
    bool alert;                    /* it is served, and the log should have a warning */
    char reason[GUARD_REASON_MAX]; /* all that was found, if one of the two */
    bool sound;                    /* by DNSSEC: */
    bool whole;                    /* all of it was looked at, not the changes alone */
    uint64_t rrsets;               /* whose signatures were looked at */
    struct wall until;             /* they are good so long */
};

/* `served` is what is served now (NULL: nothing), `changes` lead from it to `next`. Cost: the
 * changes; with a digest to be checked, or signatures and not `sound`, the whole zone. */
void guard_judge(struct guard_verdict *out, const struct guard_spec *spec,
                 const struct zone *served, const struct zone *next,
                 const struct changeset *changes);

#endif
