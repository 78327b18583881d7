/* Looking names up in a version of a zone, for answers: from the apex down to a name, a step for
 * each label.
 *
 * A version that has an index (zone_index.h) finds an owner, or that there is none, with one look
 * at a cache line or two; one without searches its pages, which is as good while they are few.
 * Threads: as zone.h; for a version with an index see there.
 */
#ifndef ZL_ZONE_LOOK_H
#define ZL_ZONE_LOOK_H

#include "lib/dns/name_steps.h"
#include "lib/zone/zone.h"

struct zone_view;

/* A name at or below the apex. Step i is the name without its first i labels; step `labels` is the
 * apex. */
struct zone_path {
    const struct zone *zone;
    const struct name_steps
        *steps;      /* lent; hashed with the key of the zone's index, if it has one */
    unsigned labels; /* in front of the apex */
    size_t rel_len;  /* octets in front of the apex */
};

/* False if the name is not at or below the apex. */
bool zone_path_init(struct zone_path *p, const struct zone *z, const struct name_steps *steps);

enum zone_has {
    ZONE_HAS_NOTHING, /* no such name */
    ZONE_HAS_BELOW,   /* it owns nothing, but names below it do (RFC 4592 2.2.2) */
    ZONE_HAS_NODE,    /* it owns records */
};

/* What there is at a step. `node` is filled for ZONE_HAS_NODE and lends from the zone. */
enum zone_has zone_look(const struct zone_path *p, unsigned step, struct node *node);

/* The same for the wildcard right below a step, where that fits into a name. */
enum zone_has zone_look_wildcard(const struct zone_path *p, unsigned step, struct node *node);

/* The apex, where there always is an SOA in what zone_check passed; NULL in an empty zone. */
const struct node *zone_apex_node(const struct zone *z);

/* ---- For many look-ups at once: memory is slow, and waits for several are one wait ---- */

/* Where step 0 of a path will be looked for. */
struct zone_hint {
    const struct zone_view *view; /* NULL: nothing to fetch */
    const void *line;
    uint32_t hash;
};

/* Begins to fetch what zone_path_init and zone_hint_init read. */
void zone_fetch(const struct zone *z);
/* Begins to fetch the index's cache line, or the page of a zone that has but one. */
void zone_hint_init(struct zone_hint *h, const struct zone_path *p);
/* That is there by now: begins to fetch the records. */
void zone_hint_next(const struct zone_hint *h);

#endif
