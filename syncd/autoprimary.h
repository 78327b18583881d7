/* May a zone that nobody configured appear here because a primary announced it? The rules of
 * "super-slave" provisioning: pure decisions.
 *
 * A section names primaries, and the nameservers as which we serve their zones. A NOTIFY for a zone
 * that is not here counts if it comes from the address of one of them, signed with that primary's
 * key if it has one (any other key is no key); if the zone is at or below one of the suffixes; and
 * if that primary, asked, has one of the nameservers in the zone's NS RRset. The first section that
 * fits takes the zone.
 */
#ifndef ZL_SYNCD_AUTOPRIMARY_H
#define ZL_SYNCD_AUTOPRIMARY_H

#include "lib/base/config.h"
#include "lib/dns/name.h"

struct announcement {
    uint8_t zone[NAME_MAX_OCTETS]; /* folded */
    struct addr source;
    int key; /* index into config.keys that signed it, verified; -1: unsigned */
};

/* Whether some section may take it, before its primary is asked for the NS RRset; *primary is the
 * one to ask, an index into config.primaries. ERR_DENIED with the reason. */
MUST_USE enum err autoprimary_may(const struct config *c, const struct announcement *a,
                                  int *primary, struct errinfo *e);

/* The section that takes it, an index into config.autoprimaries, given the names of the NS RRset
 * (any case). ERR_DENIED with the reason. */
MUST_USE enum err autoprimary_choose(const struct config *c, const struct announcement *a,
                                     const uint8_t (*names)[NAME_MAX_OCTETS], size_t n,
                                     int *section, struct errinfo *e);

/* The section of an account, or NULL. */
const struct config_autoprimary *autoprimary_find(const struct config *c, const char *account);

#endif
