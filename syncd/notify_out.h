/* NOTIFY to our secondaries (RFC 1996), and to the zone's nameservers where that is wanted: after
 * every change of what is served, whoever made it, and once at start, since a change may have been
 * committed just before we died.
 *
 * One target of one zone is one job: sent, sent again with doubling waits until it is acknowledged,
 * refused, or given up; a newer version of the zone begins it anew. Sending is paced over all. The
 * SOA goes along as the hint of RFC 1996 3.7. Nobody is told before authd serves the change: who
 * looks at once would find the old version, and be content with it. Loop thread only.
 */
#ifndef ZL_SYNCD_NOTIFY_OUT_H
#define ZL_SYNCD_NOTIFY_OUT_H

#include "lib/base/config.h"
#include "lib/base/serial.h"
#include "lib/dns/rr.h"
#include "lib/store/store_readers.h"
#include "syncd/keyring.h"
#include "syncd/loop.h"

struct notify_out;

/* Takes references; `readers` is lent. */
struct notify_out *notify_out_new(struct loop *loop, struct config *config, struct keyring *keys,
                                  struct store_readers *readers);
void notify_out_free(struct notify_out *n); /* what is under way is forgotten */
/* What is under way goes on, if the secondary is still there by its name. */
void notify_out_reload(struct notify_out *n, struct config *config, struct keyring *keys);

/* A zone (folded name) is served in a new version. `zone` is its section, NULL: nobody is told.
 * `soa` is its new SOA, NULL if it is not at hand. `seq` is the change's; it is told when authd has
 * come so far, or has said nothing for a while; 0: now. */
void notify_out_zone(struct notify_out *n, const uint8_t *name, const struct config_zone *zone,
                     const struct rr *soa, struct serial serial, uint64_t seq);
/* authd serves what the change log holds up to seq. */
void notify_out_served(struct notify_out *n, uint64_t seq);

/* Since the start, but for `waiting`: what is under way now. */
struct notify_out_counts {
    uint64_t sent; /* datagrams, those that were sent again included */
    uint64_t acknowledged, refused;
    uint64_t given_up; /* no answer to any of the tries */
    size_t waiting;
};
const struct notify_out_counts *notify_out_counts(const struct notify_out *n);

#endif
