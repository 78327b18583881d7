/* A change set: what must be taken out of one version of a zone, and put into it, to get another.
 *
 * Both lists are in canonical order (rr_cmp) and hold no duplicates; a record whose TTL changes
 * stands in both. When the serial changes, the SOA stands in both. The change set of a first
 * version has no `from`.
 */
#ifndef ZL_ZONE_CHANGESET_H
#define ZL_ZONE_CHANGESET_H

#include "lib/base/bytes.h"
#include "lib/base/mem.h"
#include "lib/zone/zone.h"

struct rr_list {
    struct rr *rrs;
    size_t n;
    size_t cap;
};

struct changeset {
    uint8_t apex[NAME_MAX_OCTETS];
    struct serial from; /* meaningless unless has_from */
    struct serial to;
    bool has_from;

    struct rr_list removed;
    struct rr_list added;
    struct rr_list kept; /* stood in both as they were given; zone_apply wants to see them there.
                            Not part of what is stored, joined or inverted. */

    struct arena arena; /* owns what the lists point to */
};

/* The SOA at the apex in one of the lists, lent; false if there is none. */
bool rr_list_soa(const struct rr_list *list, const uint8_t *apex, struct rr *out);

struct changeset *changeset_new(const uint8_t *apex);
void changeset_free(struct changeset *cs);

/* Takes a copy of a record (owner folded), in any order; call changeset_finish when all are in.
 * ERR_CHECK (outside the zone, class, type). */
MUST_USE enum err changeset_add(struct changeset *cs, const struct rr *rr, struct errinfo *e);
MUST_USE enum err changeset_remove(struct changeset *cs, const struct rr *rr, struct errinfo *e);

/* Sorts both lists, drops duplicates (the lowest TTL stays), moves what stands in both with the
 * same TTL and octets to `kept`, and takes `from` and `to` from the apex SOA records where they are
 * there. */
void changeset_finish(struct changeset *cs);

/* The change set that undoes this one (which must have a `from`, or it is ERR_SERIAL). */
MUST_USE enum err changeset_invert(struct changeset **out, const struct changeset *cs,
                                   struct errinfo *e);

/* One change set for two that follow each other: from a->from to b->to, condensed. Strict:
 * ERR_SERIAL, ERR_CONFLICT. */
MUST_USE enum err changeset_join(struct changeset **out, const struct changeset *a,
                                 const struct changeset *b, struct errinfo *e);

/* What leads from version a (NULL: nothing) to version b, by merge; what both share is skipped
 * by identity. Cost: what differs, plus the table of pages. */
MUST_USE enum err zone_diff(struct changeset **out, const struct zone *a, const struct zone *b,
                            struct errinfo *e);

/* Applies `cs` to `base` and gives the next version in *out; `base` stays as it is. The result is
 * not yet checked (zone_check_change). `base` is NULL for a change set without `from`.
 *
 * Strict (RFC 1995 4): cs->from is the serial of `base`, every deletion, and what is only deleted
 * to be added again, exists (rdata_cmp, and this TTL), every addition is new, TTLs in each
 * resulting RRset are equal, cs->to is the serial of the result.
 *
 * Owner:   *out shares unchanged pages with `base`; drop either first with zone_unref.
 * Cost:    in proportion to cs, not to the zone.
 * Threads: any; both arguments are only read.
 * Errors:  ERR_SERIAL, ERR_CONFLICT (the text names owner and type), ERR_LIMIT (zone too big).
 */
MUST_USE enum err zone_apply(struct zone **out, const struct zone *base, const struct changeset *cs,
                             const struct zone_limits *limits, struct errinfo *e);

/* A new version with the same content but this serial in the SOA. */
MUST_USE enum err zone_with_serial(struct zone **out, const struct zone *base, struct serial serial,
                                   struct errinfo *e);

/* Octets for the store's change log (docs/page-format.md). Appends to out. */
void changeset_encode(struct buf *out, const struct changeset *cs);
/* Input may be anything; every length, name and RDATA is checked. ERR_CORRUPT. */
MUST_USE enum err changeset_decode(struct changeset **out, const uint8_t *data, size_t len,
                                   const uint8_t *apex, struct errinfo *e);

#endif
