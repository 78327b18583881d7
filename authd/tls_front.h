/* DNS over TLS: the certificate in force, and how another takes its place. Main thread only, unless
 * said otherwise. */
#ifndef ZL_AUTHD_TLS_FRONT_H
#define ZL_AUTHD_TLS_FRONT_H

#include "authd/worker.h"

/* Reads the files that c names, and tells the log when the certificate ends. *out is NULL if c
 * listens for no TLS. On error the text names the file. */
MUST_USE enum err tls_front_load(struct tls_server **out, const struct config *c,
                                 struct tls_tickets *tickets, const struct clock *clock,
                                 struct errinfo *e);

/* New connections get `tls` from now on; those that are open go on as they are. Waits for a grace
 * period. */
void tls_front_replace(struct shared *s, struct tls_server *tls);

#endif
