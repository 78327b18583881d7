/* The thread that brings the zones up to date: it runs the follower (follower.h) every second and
 * at each hint from syncd, and tells syncd what is served. It is the only writer of the zone
 * database.
 */
#ifndef ZL_AUTHD_UPDATER_H
#define ZL_AUTHD_UPDATER_H

#include "authd/zonedb.h"
#include "lib/base/clock.h"
#include "lib/base/err.h"

struct updater;

/* Starts the thread. All is lent until updater_stop; `stats_fd` is passed to syncd. */
MUST_USE enum err updater_start(struct updater **out, struct zonedb *db, int stats_fd,
                                const char *data_dir, const char *run_dir,
                                const struct clock *clock, struct errinfo *e);
void updater_stop(struct updater *u); /* NULL is fine */

#endif
