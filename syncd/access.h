/* Who may do what with a zone: the one place that decides. It looks at the zone's part of the
 * configuration, at where a message comes from, and at the key that really signed it.
 *
 * Immutable: a reload makes a new one. Threads: any may read.
 */
#ifndef ZL_SYNCD_ACCESS_H
#define ZL_SYNCD_ACCESS_H

#include "lib/base/config.h"
#include "lib/dns/name.h"

struct access;

/* Takes a reference to config, which config_check has passed. */
struct access *access_new(struct config *config);
void access_free(struct access *a); /* NULL is fine */

/* The section of a zone (any case), lent; NULL if it has none. */
const struct config_zone *access_zone(const struct access *a, const uint8_t *zone);

struct access_client {
    struct addr source;
    int key; /* index into config.keys of the key that signed, verified; -1: unsigned */
};

/* May it transfer the zone (AXFR, IXFR)? Yes, if it signs with one of transfer-keys; if it comes
 * from the address of one of the zone's secondaries, and signs with that one's key if it has one;
 * or if it comes from transfer-from. ERR_DENIED, with the reason for the log. */
MUST_USE enum err access_transfer(const struct access *a, const uint8_t *zone,
                                  const struct access_client *who, struct errinfo *e);

#endif
