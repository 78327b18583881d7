#include "authd/descriptors.h"

#include <sys/resource.h>

#include "lib/base/descriptors.h"
#include "lib/base/log.h"

#define OWN DESCRIPTORS_OWN
#define PER_WORKER 16 /* event loop, hand-over, a connection that is only just refused */

uint32_t descriptors_for_clients(const struct config *c, size_t workers)
{
    uint64_t own = OWN + workers * (PER_WORKER + 2 * c->listen_count + c->listen_tls_count);
    struct rlimit r;
    uint64_t limit;

    if (getrlimit(RLIMIT_NOFILE, &r) != 0 || r.rlim_cur == RLIM_INFINITY ||
        r.rlim_cur >= own + c->tcp_clients)
        return c->tcp_clients;
    limit = r.rlim_cur > 2 * own ? r.rlim_cur - own : r.rlim_cur / 4 + 1;
    if (limit > c->tcp_clients)
        limit = c->tcp_clients;
    log_warning(say("fewer descriptors than tcp-clients needs"), kv_u64("descriptors", r.rlim_cur),
                kv_u64("tcp_clients", c->tcp_clients), kv_u64("clients_now", limit));
    return (uint32_t)limit;
}
