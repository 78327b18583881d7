/* Who changed what: versions that touched a name, and for each record that is served the version
 * that brought it. Both ask the index of the store first (store_touched_each), so that the cost is
 * what is found, not the length of the history. A pool thread's.
 */
#ifndef ZL_SYNCD_AUDIT_H
#define ZL_SYNCD_AUDIT_H

#include "syncd/history.h"

/* What records are meant; `owner` NULL: all, `type` 0: any. */
struct audit_name {
    const uint8_t *owner;
    uint16_t type;
};

/* The zone's versions that changed such a record (`owner` is needed), newest first, below `before`
 * (0: from the newest), until f says that it has enough. */
typedef bool audit_version_fn(void *ctx, const struct store_version *v);
MUST_USE enum err audit_versions(struct history *h, const struct store_zone *z,
                                 const struct audit_name *name, uint64_t before,
                                 audit_version_fn *f, void *ctx, struct errinfo *e);

/* Did this version change such a record? Cost: its change. */
bool audit_touches(struct history *h, const struct store_zone *z, const struct store_version *v,
                   const struct audit_name *name);

/* One record that is served. */
struct blame_line {
    struct rr rr;               /* lent */
    struct store_version since; /* that brought it as it is now */
    bool known;                 /* false: it is older than what was looked at */
    bool thinned;               /* that one, or one of those thinned just before it */
    bool has_before;            /* the version that was served before that one */
    struct store_version before;
};

/* Calls f for each such record, in canonical order. `versions_max`: so many are looked at, at most.
 * ERR_NOT_FOUND if there is no such record, or no content. */
typedef void blame_fn(void *ctx, const struct blame_line *line);
MUST_USE enum err audit_blame(struct history *h, const struct store_zone *z,
                              const struct audit_name *name, uint32_t versions_max, blame_fn *f,
                              void *ctx, struct errinfo *e);

#endif
