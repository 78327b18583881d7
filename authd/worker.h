/* One worker thread: its own libevent base, its own sockets for each listening address, its own
 * connection to syncd. Workers share the zones, the configuration and the TCP quota, nothing else.
 */
#ifndef ZL_AUTHD_WORKER_H
#define ZL_AUTHD_WORKER_H

#include <stdatomic.h>

#include "authd/idle_board.h"
#include "authd/rrl.h"
#include "authd/tcp_quota.h"
#include "authd/zonedb.h"
#include "lib/base/clock.h"
#include "lib/base/config.h"
#include "lib/dns/cookie.h"
#include "lib/net/stats.h"
#include "lib/net/tls_server.h"

/* What all threads of authd share. */
struct shared {
    struct zonedb *zonedb;
    struct tcp_quota *quota;
    struct idle_board *idle_board; /* a seat for each worker */
    struct rrl *rrl;
    struct stats *stats; /* a struct counters for each worker */
    const struct clock *clock;
    const char *run_dir;

    /* Readers are inside a grace period. */
    _Atomic(struct config *) config;
    _Atomic(struct tls_server *) tls;         /* NULL: nothing listens for TLS */
    _Atomic(struct cookie_secrets *) cookies; /* NULL: nobody looks at cookies */
};

struct worker;

/* Opens the sockets that c names; nothing is answered before worker_start. `shared` is lent; `seat`
 * is the worker's number. */
MUST_USE enum err worker_new(struct worker **out, struct shared *shared, size_t seat,
                             const struct config *c, struct errinfo *e);
MUST_USE enum err worker_start(struct worker *w, struct errinfo *e);
/* Ends the thread, if it was started, closes everything, frees. */
void worker_stop(struct worker *w);

#endif
