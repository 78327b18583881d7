/* Follows the store: all zones at first, then change after change, into the zone database.
 *
 * The position in the change log is one seq; each served zone has the seq that made it. So nothing
 * needs a long read transaction: at start the position is taken first, then each zone is read on
 * its own, at whatever version it has by then; a change that a zone has already is stepped over.
 *
 *   DELTA    zone_apply to the version in memory; if it does not fit: the zone is read anew
 *   INITIAL  the zone is read from the store
 *   STATE    the zone's row is looked at: expired, revived, removed
 *   deadline (renewed by a refresh, without a change): is noted, see expiry.h
 *   a gap    (changes pruned before we came, a store that was put back): all zones are looked at
 *
 * A zone that cannot be read keeps its old version and is tried again, 1 s to 5 min later; it never
 * stops the others. Nor does a store that is away, or is replaced, stop what is served.
 *
 * Threads: one, which is the zone database's writer.
 */
#ifndef ZL_AUTHD_FOLLOWER_H
#define ZL_AUTHD_FOLLOWER_H

#include "authd/zonedb.h"
#include "lib/base/clock.h"
#include "lib/net/handover.h"

struct follower;

/* All lent. Nothing is opened before the first step. */
struct follower *follower_new(struct zonedb *db, const char *data_dir, const struct clock *clock);
void follower_free(struct follower *f);

/* Looks for what is new and does it, for about `budget_ms`, ends zones that have expired, then
 * frees what no reader needs. True if there is more to do at once. */
bool follower_step(struct follower *f, int64_t budget_ms);

/* syncd's connection was made or lost: see expiry.h. */
void follower_syncd(struct follower *f, bool there);

/* The last change of the log that was looked at. */
uint64_t follower_seq(const struct follower *f);

/* What is served of a zone, as a TELL frame (its id is the caller's). Cost: the whole zone. */
void follower_tell(const struct follower *f, const uint8_t *zone, struct ho_frame *out);

#endif
