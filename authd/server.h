/* authd's parts, put together: sockets, workers, updater; reload and stop. Main thread only. */
#ifndef ZL_AUTHD_SERVER_H
#define ZL_AUTHD_SERVER_H

#include "lib/base/config.h"

struct server;

/* Binds all sockets, becomes the configured user, starts the threads. Takes over a reference to
 * config, also on error. */
MUST_USE enum err server_start(struct server **out, struct config *config, struct errinfo *e);
void server_stop(struct server *s); /* NULL is fine */

#define SERVER_TICK_S 3600
/* To be called that often: does what is to be done once a day. */
void server_tick(struct server *s);

/* Takes over a reference to config, also on error: then everything stays as it was. Reads the TLS
 * certificate and the secrets of cookies again. Says in the log what only a restart changes. */
MUST_USE enum err server_reload(struct server *s, struct config *config, struct errinfo *e);

#endif
