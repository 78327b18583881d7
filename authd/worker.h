/* One worker thread: its own libevent base, its own sockets for each listening address, its own
 * connection to syncd. Workers share the zones, the configuration and the TCP quota, nothing else.
 */
#ifndef ZL_AUTHD_WORKER_H
#define ZL_AUTHD_WORKER_H

#include <stdatomic.h>

#include "authd/counters.h"
#include "authd/tcp_quota.h"
#include "authd/zonedb.h"
#include "lib/base/clock.h"
#include "lib/base/config.h"

/* What all threads of authd share. */
struct shared {
    struct zonedb *zonedb;
    struct tcp_quota *quota;
    const struct clock *clock;
    const char *run_dir;

    _Atomic(struct config *) config; /* readers are inside a grace period */
};

struct worker;

/* Opens the sockets; nothing is answered before worker_start. `shared` is lent. */
MUST_USE enum err worker_new(struct worker **out, struct shared *shared, const struct addr *listen,
                             size_t listen_count, struct errinfo *e);
MUST_USE enum err worker_start(struct worker *w, struct errinfo *e);
/* Ends the thread, if it was started, closes everything, frees. */
void worker_stop(struct worker *w);

const struct counters *worker_counters(const struct worker *w);

#endif
