/* Whom RFC 1996 2.1 has us tell of a zone's change unless we are told otherwise: its nameservers,
 * but for the one that the SOA names as primary.
 *
 * Names come from the zone as it is served; addresses from there (glue too), from the other zones
 * that we serve, or else from a resolver. The store is read in the pool, many zones at a time but
 * one such piece of work, so that a storm of changes does not fill it; while a zone waits, its
 * newer changes take the place of the older one. We ourselves are left out, and whom the caller
 * names. Loop thread only.
 */
#ifndef ZL_SYNCD_NOTIFY_NS_H
#define ZL_SYNCD_NOTIFY_NS_H

#include "lib/base/config.h"
#include "lib/dns/rr.h"
#include "lib/store/store_readers.h"
#include "syncd/loop.h"

struct notify_ns;

/* The change that is told of. */
struct ns_change {
    uint8_t zone[NAME_MAX_OCTETS]; /* folded */
    struct serial serial;
    uint64_t seq;
    uint8_t *soa; /* RDATA, or NULL */
    size_t soa_len;
    uint32_t soa_ttl;
};

struct ns_target {
    const uint8_t *name; /* of the nameserver */
    struct addr address; /* with its port */
};

/* One nameserver's addresses; all is lent for the call. */
typedef void notify_ns_found_fn(void *ctx, const struct ns_change *change,
                                const struct ns_target *targets, size_t count);

/* `readers` is lent; a reference to the configuration is taken. */
struct notify_ns *notify_ns_new(struct loop *loop, struct config *config,
                                struct store_readers *readers, notify_ns_found_fn *found,
                                void *ctx);
void notify_ns_free(struct notify_ns *n); /* NULL is fine */
void notify_ns_reload(struct notify_ns *n, struct config *config);

/* `found` is called later for each nameserver that is to be told, those first whose addresses we
 * know. `section` names those who are told or know anyway, its primaries and secondaries: they are
 * left out. */
void notify_ns_find(struct notify_ns *n, const uint8_t *zone, const struct config_zone *section,
                    const struct rr *soa, struct serial serial, uint64_t seq);

#endif
