/* The refs of the journal, set from the store, which knows each zone's newest commits.
 */
#ifndef ZL_SYNCD_TIPS_H
#define ZL_SYNCD_TIPS_H

#include "journal/journal.h"
#include "lib/store/store.h"

struct tips_report {
    uint64_t mended;  /* refs that were missing, damaged or wrong */
    uint64_t missing; /* newest commits that are not in the journal; named in the log */
};

/* Of one zone, or of all of them (NULL). The counts are added to *out. With `dry_run` they are all
 * that comes of it. The writer's handle, in its thread. */
MUST_USE enum err tips_mend(struct tips_report *out, struct journal *j, struct store *s,
                            const uint8_t *zone, bool dry_run, struct errinfo *e);

#endif
