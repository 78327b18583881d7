/* Which retention holds for which zone, and the daily look whether something is to be thinned. What
 * holds is known in the loop thread (catalogs and templates have a word in it), what zones there
 * are is read in the pool, and the journal thread does the work (thinner.h).
 */
#ifndef ZL_SYNCD_RETENTION_H
#define ZL_SYNCD_RETENTION_H

#include "syncd/history.h"
#include "syncd/journaler.h"
#include "syncd/replicate.h"

/* Zones by name, with what holds for them once it has been settled. */
struct retention_zone {
    struct store_zone row;
    struct config_retention policy;
};
struct retention_list {
    struct retention_zone *zones;
    size_t n, cap;
};

/* The zones that have a history. Pool. */
MUST_USE enum err retention_read(struct retention_list *out, struct history *h, struct errinfo *e);
/* Takes out those of which all is kept. Loop thread. */
void retention_settle(struct retention_list *l, const struct replicator *r, const struct config *c);
struct thin_wish *retention_wish(const struct retention_list *l, struct wall now);
void retention_list_done(struct retention_list *l);

struct retention;
struct retention_env {
    struct loop *loop;
    struct store_readers *readers;
    const struct replicator *replicator;
    struct journaler *journaler;
};
/* Looks a minute after the start, and then once a day. */
MUST_USE enum err retention_start(struct retention **out, const struct retention_env *env,
                                  struct config *config, struct errinfo *e);
void retention_configure(struct retention *r, struct config *config);
/* Stop before the loop ends, free behind it. NULL is fine. */
void retention_stop(struct retention *r);
void retention_free(struct retention *r);

#endif
