/* What the two files of zone_apply share. */
#ifndef ZL_ZONE_APPLY_H
#define ZL_ZONE_APPLY_H

#include "lib/zone/changeset.h"
#include "lib/zone/zone_internal.h"

/* All that a change set says about one owner. */
struct owner_change {
    const uint8_t *rel;
    size_t rel_len;
    const struct rr *removed;
    size_t n_removed;
    const struct rr *added;
    size_t n_added;
};

/* Appends the changed node to the run (nothing if no record is left); `old` is NULL if the owner is
 * new. ERR_CONFLICT, ERR_LIMIT. */
MUST_USE enum err apply_node(struct page_run *run, const struct node *old,
                             const struct owner_change *oc, const struct zone_limits *limits,
                             struct errinfo *e);

#endif
