/* What a catalog zone says (RFC 9432): which zones there are, and what goes with each.
 *
 * A list of members in canonical order of their names, made from a whole version of the catalog and
 * immutable from then on. A catalog that breaks a rule gives no list at all, so that it changes
 * nothing (RFC 9432 5.1). Properties that we don't know are passed over.
 * Threads: only read once made.
 */
#ifndef ZL_ZONE_CATALOG_H
#define ZL_ZONE_CATALOG_H

#include "lib/zone/zone.h"

struct catalog;

/* One member, lent from its list. */
struct catalog_member {
    const uint8_t *zone;   /* lower case */
    const uint8_t *label;  /* the unique one: first its length, 1 to 63, then so many octets */
    const uint8_t *coo;    /* the catalog that it shall move to (4.3.1), lower case; or NULL */
    const uint8_t *groups; /* (u8 length, octets) each: see catalog_group */
    unsigned group_count;
};

/* ERR_CHECK, naming the rule and the owner: no version, or another one than 2 (3); a node or a coo
 * with several PTRs (4.1, 4.3.1); a zone that stands there twice (4.1); the catalog as its own
 * member. Cost: the catalog. */
MUST_USE enum err catalog_parse(struct catalog **out, const struct zone *z, struct errinfo *e);
void catalog_free(struct catalog *c); /* NULL is fine */

size_t catalog_count(const struct catalog *c);
/* Member i, in canonical order. */
void catalog_at(const struct catalog *c, size_t i, struct catalog_member *out);
/* By name, any case; false if it isn't there. `c` NULL is an empty list. */
bool catalog_find(const struct catalog *c, const uint8_t *zone, struct catalog_member *out);

/* Group i of a member (< group_count): any octets, `len` of them, no NUL behind. */
const uint8_t *catalog_group(const struct catalog_member *m, unsigned i, uint8_t *len);

/* Calls f for each member that stands in one list alone, or differently in both (NULL where it does
 * not). Each list may be NULL: empty. Cost: both lists, looked at once. */
typedef void catalog_diff_fn(void *ctx, const struct catalog_member *was,
                             const struct catalog_member *is);
void catalog_diff(const struct catalog *was, const struct catalog *is, catalog_diff_fn *f,
                  void *ctx);

#endif
