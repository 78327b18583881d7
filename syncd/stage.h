/* Staged publication: when a version that passed all guards is served.
 *
 * Each version waits for the zone's stage-time, counted from when it came, and what comes meanwhile
 * neither pushes it out nor makes it wait longer: so a zone that changes all the time is served,
 * late, all the time. What counts is the monotonic clock, kept with the version: it does not jump,
 * and goes on over a restart of syncd. Over a reboot it begins anew, and so what it says has passed
 * is never more than what has: a version may wait longer then, never shorter.
 *
 * Pure.
 */
#ifndef ZL_SYNCD_STAGE_H
#define ZL_SYNCD_STAGE_H

#include "lib/store/store.h"

struct stage_list {
    struct store_staged *versions; /* oldest first */
    size_t n, cap;
};

void stage_done(struct stage_list *l);
/* `now`: what was read from the store may say later, from before a reboot. */
void stage_add(struct stage_list *l, const struct store_staged *v, struct mono now);
/* Those up to this one do not wait any more. */
void stage_drop(struct stage_list *l, uint64_t version);

/* The newest one whose time is over at `now`; NULL: none is. */
const struct store_staged *stage_due(const struct stage_list *l, uint32_t stage_s, struct mono now);
/* The one that is served next, if nothing happens, and when; NULL: none waits. */
const struct store_staged *stage_next(const struct stage_list *l, uint32_t stage_s,
                                      struct mono *at);

#endif
