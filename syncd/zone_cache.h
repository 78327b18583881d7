/* The versions that increments led to last, so that the next increment needs no more of the store
 * than a row: what it costs is in proportion to the change, not to the zone.
 *
 * Bounded in octets of pages; what was used longest ago goes first. A version is known by the
 * number of the change that made it, which no other content ever has. Threads: any.
 */
#ifndef ZL_SYNCD_ZONE_CACHE_H
#define ZL_SYNCD_ZONE_CACHE_H

#include "lib/zone/zone.h"

struct zone_cache;

struct zone_cache *zone_cache_new(uint64_t max_bytes); /* 0: nothing is kept */
void zone_cache_free(struct zone_cache *c);

/* Keeps a reference to `z`, the served content of its zone since change `seq`, in place of any
 * other version of the zone. One that is larger than half of what may be kept is not. */
void zone_cache_put(struct zone_cache *c, struct zone *z, uint64_t seq);

/* A reference to that version, or NULL. */
struct zone *zone_cache_get(struct zone_cache *c, const uint8_t *zone, uint64_t seq);

#endif
