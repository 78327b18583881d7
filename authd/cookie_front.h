/* The secrets of cookies (lib/dns/cookie.h) in force, one set for all workers, and how others take
 * its place. Main thread only.
 *
 * They come from the file that the configuration names, so that all servers of an anycast address
 * have the same. Without one they are random, live in memory alone, and a new one is made each day;
 * the one before is accepted until then, far longer than a cookie lives (RFC 7873 7.1, RFC 9018 5).
 */
#ifndef ZL_AUTHD_COOKIE_FRONT_H
#define ZL_AUTHD_COOKIE_FRONT_H

#include "authd/worker.h"

#define COOKIE_FRONT_DAY_MS 86400000

struct cookie_front {
    bool random;      /* made here ... */
    struct mono born; /* ... at that time */
};

/* Reads the file that c names. *out is NULL if there is none, or no cookies; else free it with
 * cookie_front_wipe. On error the text names the file, but nothing that stands in it. */
MUST_USE enum err cookie_front_load(struct cookie_secrets **out, const struct config *c,
                                    struct errinfo *e);
void cookie_front_wipe(struct cookie_secrets *secrets); /* NULL is fine */

/* Puts into force what c says, with what cookie_front_load gave (taken over). Random secrets stay
 * if c still has them. Waits for a grace period. */
void cookie_front_set(struct cookie_front *f, struct shared *s, const struct config *c,
                      struct cookie_secrets *loaded);

/* Makes a new random secret if it is time. To be called now and then. */
void cookie_front_roll(struct cookie_front *f, struct shared *s);

/* No worker may be left. */
void cookie_front_done(struct shared *s);

#endif
