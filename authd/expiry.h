/* Zones end being served when their deadline has passed, also without syncd (RFC 1034 4.3.5).
 *
 * While syncd is connected it is the judge: it knows whether primaries can be reached, and stores
 * its verdict. When it has been away for ten seconds, authd answers SERVFAIL for each zone whose
 * deadline passes, and goes on so until the deadline is renewed.
 *
 * Deadlines are stored as wall time, which can jump; so a deadline becomes a moment of the
 * monotonic clock when it is read, a second or two after syncd wrote it, and what the wall clock
 * does later doesn't matter. Only a deadline that has passed already when it is read, at start, is
 * believed no more than the clock: if that is put back, the zone is served again. A clock that was
 * far back at start cannot keep a zone for longer than one full time of expiry.
 *
 * Cost: a look at all zones when the earliest deadline passes, not for each refresh or packet.
 */
#ifndef ZL_AUTHD_EXPIRY_H
#define ZL_AUTHD_EXPIRY_H

#include "authd/zonedb.h"
#include "lib/base/clock.h"
#include "lib/store/store.h"

#define EXPIRY_SYNCD_AWAY_MS 10000

struct expiry {
    struct zonedb *db;
    const struct clock *clock;

    bool syncd_there;
    struct mono away_since;
    int64_t next_ms; /* no zone expires before */
    int64_t wall_ms; /* how far the wall clock was ahead of the monotonic one at the last look */
};

/* All lent. syncd counts as gone from now on. */
void expiry_init(struct expiry *x, struct zonedb *db, const struct clock *clock);

/* syncd's connection was made or lost. */
void expiry_syncd(struct expiry *x, bool there);

/* The row of a zone that is served, as read from the store just now. */
void expiry_learn(struct expiry *x, const struct store_zone *row);

/* Ends what has to end; to be called every second or so. */
void expiry_run(struct expiry *x);

#endif
