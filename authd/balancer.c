/* Load balancers in front of us, and the PROXY headers that they send (lib/net/proxy.h). */
#include "authd/worker_internal.h"
#include "lib/net/proxy.h"

bool balancer_is(const struct config *c, const struct addr *peer)
{
    return addr_in_prefixes(peer, c->proxy_from, c->proxy_from_count);
}

bool balancer_unwrap(const struct config *c, struct message *m)
{
    struct proxy_header h;

    if (!balancer_is(c, &m->source))
        return true;
    if (proxy_parse(&h, m->wire, m->len) != PROXY_WHOLE)
        return false;
    m->wire += h.len;
    m->len -= h.len;
    if (!h.local) {
        m->source = h.source;
        m->destination = h.destination;
    }
    return true;
}
