/* The zones that authd serves, by the name of their apex: read by all workers without locks,
 * written by the updater thread alone.
 *
 * An open-addressing hash table of pointers to immutable struct served_zone. A look-up hashes a
 * name and its parents, but only those with as many labels as some zone has, so it is one or two
 * look-ups for most servers, whatever the number of zones. Replacing a version is one store of a
 * pointer; the table grows by making a larger one and publishing it.
 *
 * Readers are inside a grace period (grace.h) from the look-up until the last use. What the writer
 * took out is freed by zonedb_reclaim.
 */
#ifndef ZL_AUTHD_ZONEDB_H
#define ZL_AUTHD_ZONEDB_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/clock.h"
#include "lib/dns/name_steps.h"
#include "lib/net/stats.h"
#include "lib/zone/zone.h"

struct zone_gone;
struct zonedb;

#define SERVED_FOR_EVER INT64_MAX
#define SERVED_TOO_LONG 0 /* the deadline had passed when it was read */

/* One version of one zone, as served. Immutable once published, but for when it expires. */
struct served_zone {
    struct zone *zone;
    uint64_t version; /* its number in the store */
    uint64_t seq;     /* the change that made it */
    uint32_t tag;     /* the upper half of its hash */
    uint32_t slot;    /* of its counters (stats.h), or STATS_NO_ZONE */

    bool private; /* a catalog zone: syncd says who may see an answer */

    _Atomic(bool) expired;       /* answered with SERVFAIL */
    _Atomic(int64_t) expires_ms; /* by the monotonic clock, or one of the above (RFC 1034 4.3.5) */

    struct wall expires_at;      /* the writer's, as the rest: the deadline as it is stored */
    uint64_t renewal;            /* and its number there */
    bool expired_stored;         /* syncd says so ... */
    bool lapsed;                 /* ... or authd, since syncd is away */
    struct zone_gone *gone;      /* what its successor has not (zone_index.h) */
    struct served_zone *retired; /* list of what to free */
};

/* The seconds until the zone expires (RFC 7314), 0 if it has. False: it never does, being local or
 * held, or syncd has not said yet. */
static inline bool served_expires_in(uint32_t *out, const struct served_zone *z, struct mono now)
{
    int64_t at = atomic_load_explicit(&z->expires_ms, memory_order_relaxed);
    int64_t left = at - now.ms;

    if (at == SERVED_FOR_EVER)
        return false;
    if (left < 0 || atomic_load_explicit(&z->expired, memory_order_relaxed))
        left = 0;
    *out = left / 1000 > UINT32_MAX ? UINT32_MAX : (uint32_t)(left / 1000);
    return true;
}

/* `clock` gives the hash its key. */
struct zonedb *zonedb_new(const struct clock *clock);
/* No reader may be left. */
void zonedb_free(struct zonedb *db);

/* Counters for each zone that is put from now on; lent. Without it no zone has any. */
void zonedb_count_in(struct zonedb *db, struct stats *stats);

/* ---- Readers, inside a grace period ---- */

/* With which names are hashed that are looked up here, and in the zones that are found. */
const struct name_key *zonedb_key(const struct zonedb *db);

/* The deepest zone whose apex is the name at step `from` or above it; NULL if there is none. */
const struct served_zone *zonedb_find(const struct zonedb *db, const struct name_steps *name,
                                      unsigned from);
/* For many look-ups at once, each of which waits for memory: begins to fetch what the next step
 * reads. Slots of the table first; then the zone that zonedb_find will find, most likely (NULL:
 * none, or the table is small enough to be at hand). */
void zonedb_fetch_slots(const struct zonedb *db, const struct name_steps *name);
const struct served_zone *zonedb_fetch_zone(const struct zonedb *db, const struct name_steps *name);

/* The zone with this very apex, in any case. */
const struct served_zone *zonedb_get(const struct zonedb *db, const uint8_t *apex);

/* Have all zones of the store been read once? */
bool zonedb_is_whole(const struct zonedb *db);

/* ---- The writer ---- */

/* They have. */
void zonedb_set_whole(struct zonedb *db);

/* Publishes a version; takes over one reference to `zone`. `expired`: the store says that it is.
 * Replaces the version there is, whose deadline stays; a zone that was not there has none. */
void zonedb_put(struct zonedb *db, struct zone *zone, uint64_t version, uint64_t seq, bool expired);
/* The same for one that is private or not; zonedb_put leaves it as its predecessor was, or public.
 */
void zonedb_put_as(struct zonedb *db, struct zone *zone, uint64_t version, uint64_t seq,
                   bool expired, bool private);
/* A deadline as it is stored, and what it is for expires_ms. False if there is no such zone. */
bool zonedb_set_deadline(struct zonedb *db, const uint8_t *apex, struct wall at, uint64_t renewal,
                         int64_t ms);
/* Whether authd itself counts the zone as expired; stays with its next versions. False if there is
 * no such zone. */
bool zonedb_set_lapsed(struct zonedb *db, const uint8_t *apex, bool lapsed);
/* False if there is no such zone. */
bool zonedb_remove(struct zonedb *db, const uint8_t *apex);
/* Frees what was replaced and removed, once no reader can see it. Waits for a grace period if there
 * is anything to free; the caller is not inside one. */
void zonedb_reclaim(struct zonedb *db);

size_t zonedb_count(const struct zonedb *db);
/* Calls f for each zone; f may remove the zone it is given. */
typedef void zonedb_fn(void *ctx, const struct served_zone *z);
void zonedb_each(struct zonedb *db, zonedb_fn *f, void *ctx);

#endif
