/* What it takes to bring many zones back to what they were at a moment: the preview of a fleet
 * rollback. Nothing is changed here; each step is then done by the ways that there are for one
 * zone, and one that was done is not planned again.
 */
#ifndef ZL_SYNCD_FLEET_PLAN_H
#define ZL_SYNCD_FLEET_PLAN_H

#include "syncd/operate.h"

/* Which zones; what is not set picks all. */
struct fleet_pick {
    const char *account;    /* "": any */
    const uint8_t *catalog; /* a zone's name: it and its members; NULL: any */
    const char *match;      /* a shell pattern for names, without the last dot; "": any */
};

enum fleet_step {
    FLEET_SAME,     /* it is as it was */
    FLEET_ROLLBACK, /* it was otherwise */
    FLEET_UNDELETE, /* it was there, and is removed now */
    FLEET_REMOVE,   /* it was not there */
    FLEET_CANNOT,   /* something stands in the way: see `why` */
};
const char *fleet_step_name(enum fleet_step s);

struct fleet_zone {
    const struct store_zone *row;
    enum fleet_step step;
    uint64_t added, removed; /* records, of FLEET_ROLLBACK and FLEET_UNDELETE */
    const char *why;         /* of FLEET_CANNOT */
};

/* Calls f for each zone picked, catalogs first, since their members follow them. Cost: of the zones
 * that changed since, their size. A pool thread's. */
typedef void fleet_zone_fn(void *ctx, const struct fleet_zone *z);
MUST_USE enum err fleet_plan(struct history *h, const struct fleet_pick *pick, struct wall at,
                             const struct operator_act *act, fleet_zone_fn *f, void *ctx,
                             struct errinfo *e);

#endif
