/* Which versions of a zone lose their content by a retention policy (journal/thin.h says what that
 * means). Never the served one, nor one that it is held at, nor a version that was never served,
 * nor one that the journal does not have; of the others the last of each period stays.
 */
#ifndef ZL_SYNCD_THIN_PLAN_H
#define ZL_SYNCD_THIN_PLAN_H

#include "journal/thin.h"
#include "lib/base/config.h"
#include "lib/store/store.h"

struct thin_plan {
    struct journal_thin_version *gone; /* oldest first */
    size_t gone_count, gone_cap;
    struct journal_thin_version *kept; /* cut off from the branch by these, or by earlier ones */
    size_t kept_count, kept_cap;
    uint64_t more; /* that go too, but not in this step */
};

/* At most `max` in one step. Cost: all rows of the zone's versions. A reader's. */
MUST_USE enum err thin_plan_make(struct thin_plan *out, struct store *s, const struct store_zone *z,
                                 const struct config_retention *policy, struct wall now, size_t max,
                                 struct errinfo *e);
void thin_plan_done(struct thin_plan *p);

/* The period that a time is in; versions of one period have the same number. UTC, weeks from
 * Monday. */
int64_t thin_period(enum config_thin to, struct wall at);

#endif
