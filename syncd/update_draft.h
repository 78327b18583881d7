/* The owners that an UPDATE touches, as they will be: between update.c and a change set. */
#ifndef ZL_SYNCD_UPDATE_DRAFT_H
#define ZL_SYNCD_UPDATE_DRAFT_H

#include "lib/base/mem.h"
#include "lib/dns/namemap.h"
#include "lib/zone/changeset.h"

struct draft_rr {
    uint16_t type;
    uint16_t len;
    uint32_t ttl;
    const uint8_t *rdata; /* of the zone, or the draft's */
};

struct draft_node {
    const uint8_t *owner; /* absolute */
    struct draft_rr *rrs;
    size_t n, cap;
    struct draft_node *next; /* in order of their first use */
};

struct draft {
    const struct zone *zone;
    struct arena arena;
    struct namemap nodes;
    struct draft_node *first, **last;
};

void draft_init(struct draft *d, const struct zone *z); /* NULL: of nothing */
void draft_done(struct draft *d);

/* The owner as it is by now; `owner` (any case) lies within the zone. */
struct draft_node *draft_node(struct draft *d, const uint8_t *owner);

/* How many records of a type it has. */
size_t draft_count(const struct draft_node *n, uint16_t type);
/* True if it has this very record, whatever its TTL. */
bool draft_has(const struct draft_node *n, uint16_t type, const uint8_t *rdata, size_t len);

/* Adds a record, or renews its TTL; all of its RRset have that TTL then. RDATA is copied. */
void draft_add(struct draft *d, struct draft_node *n, const struct draft_rr *rr);
/* Takes out all of a type, or this one. */
void draft_remove_type(struct draft_node *n, uint16_t type);
void draft_remove(struct draft_node *n, uint16_t type, const uint8_t *rdata, size_t len);

/* What the draft changes; not finished, since the SOA may have to go in too. */
MUST_USE enum err draft_changes(struct changeset *out, const struct draft *d, struct errinfo *e);

#endif
