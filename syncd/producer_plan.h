/* What the catalog zones that we make (RFC 9432, version 2) shall say next. Pure: from what they
 * say now and which zone shall be listed where, to the next version of each that changes.
 *
 *     CATALOG                    0 SOA invalid. invalid. SERIAL 3600 600 2147483646 0
 *     CATALOG                    0 NS  invalid.
 *     version.CATALOG            0 TXT "2"
 *     LABEL.zones.CATALOG        0 PTR ZONE
 *     group.LABEL.zones.CATALOG  0 TXT "GROUP"          if it has one
 *     coo.LABEL.zones.CATALOG    0 PTR OTHER-CATALOG    where it went
 *
 * The catalog is the only place where labels are kept: a zone that is listed keeps its label, also
 * when it moves to another catalog of ours, so that consumers keep its state (RFC 9432 4.3.1); one
 * that was away gets a new one, so that they begin anew (5.6).
 */
#ifndef ZL_SYNCD_PRODUCER_PLAN_H
#define ZL_SYNCD_PRODUCER_PLAN_H

#include "lib/zone/catalog.h"
#include "lib/zone/changeset.h"

#define PRODUCER_NOWHERE SIZE_MAX

/* Where one zone shall be listed. */
struct producer_want {
    const uint8_t *zone; /* lower case */
    size_t catalog;      /* its number, or PRODUCER_NOWHERE */
    const char *group;   /* "": none; 255 octets at most */
    bool fresh;          /* it was away in between */
    bool ready; /* other catalogs have said long enough ago where it goes, to list it there */
    bool due;   /* other catalogs have said for long enough where it went */
};

/* One catalog that we make. */
struct producer_catalog {
    const uint8_t *apex; /* lower case */
    struct zone *base;   /* what it says now; NULL: nothing yet */
    bool foreign;        /* `base` was not made here: its members count for nothing */
    bool blocked;        /* it cannot be made now: it and zones that are for it stay as they are */
    uint64_t version;    /* that the next one will have in the store */
    struct serial first; /* the serial of a first version */

    struct zone *next; /* out, the caller's; NULL: it stays as it is */
    struct changeset *changes;
    size_t joined, left, moved; /* members; moved: those that went to another catalog */
};

/* A zone that a catalog still lists, with the word where it went. */
struct producer_moved {
    size_t catalog, to;
    const uint8_t *zone; /* of its want */
    bool fresh;          /* the word is new */
    bool waiting;        /* it is not listed there yet, since it is not `ready` */
};

struct producer_plan {
    struct producer_catalog *catalogs;
    size_t catalog_count;
    const struct producer_want *wants; /* each zone once */
    size_t want_count;
    bool all; /* zones that nothing is said of are listed nowhere; else they stay as they are */

    struct producer_moved *moved; /* out, the caller's */
    size_t moved_count;
    bool
        incomplete; /* a catalog must be made from nothing, which only a plan of all zones can do */
};

/* Fills the out fields; on an error none of them. Threads: any; cost: the catalogs, read once.
 * Errors: ERR_LIMIT (a zone too big). */
MUST_USE enum err producer_plan_make(struct producer_plan *p, struct errinfo *e);
/* Frees what is `out`. */
void producer_plan_done(struct producer_plan *p);

#endif
