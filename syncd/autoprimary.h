/* May a zone that nobody configured appear here because a primary announced it? The rules of
 * "super-slave" provisioning: pure decisions.
 *
 * A section names primaries, and the nameservers as which we serve their zones. A NOTIFY for a zone
 * that is not here counts if it comes from the address of one of them, signed with that primary's
 * key if it has one (any other key is no key), and by TLS with its certificate if it has a client;
 * if the zone is at or below one of the suffixes; and if that primary, asked, has one of the
 * nameservers in the zone's NS RRset. The first section of the file that fits takes the zone; then
 * the first nameserver, in the order of the NS RRset, for which an operator added a section
 * (autoprimary_rows.h) that fits.
 */
#ifndef ZL_SYNCD_AUTOPRIMARY_H
#define ZL_SYNCD_AUTOPRIMARY_H

#include "lib/dns/name.h"
#include "syncd/access.h"

struct announcement {
    uint8_t zone[NAME_MAX_OCTETS]; /* folded */
    struct addr source;
    int key; /* index into config.keys that signed it, verified; -1: unsigned */
    enum ho_transport transport;
    const struct tls_identity *identity; /* lent; NULL: no certificate */
};

/* In the order in which they are asked. */
enum autoprimary_rule {
    AUTOPRIMARY_SENDER,     /* it comes from the address of a section's primary */
    AUTOPRIMARY_SIGNATURE,  /* signed with that primary's key */
    AUTOPRIMARY_SUFFIX,     /* for a zone that the section may bring */
    AUTOPRIMARY_NAMESERVER, /* whose NS RRset has a nameserver of the section */
};

/* Whether some section may take it, before its primary is asked for the NS RRset; *primary is the
 * one to ask, an index into config.primaries. ERR_DENIED with the reason, and in *rule (which may
 * be NULL) the last rule that any section came to. */
MUST_USE enum err autoprimary_may(const struct config *c, const struct announcement *a,
                                  int *primary, enum autoprimary_rule *rule, struct errinfo *e);

/* The section that takes it, an index into config.autoprimaries, given the names of the NS RRset
 * (any case). ERR_DENIED as above. */
MUST_USE enum err autoprimary_choose(const struct config *c, const struct announcement *a,
                                     const uint8_t (*names)[NAME_MAX_OCTETS], size_t n,
                                     int *section, enum autoprimary_rule *rule, struct errinfo *e);

/* The section that brought a zone with this account: one of the file if `nameserver` is NULL or the
 * root name, else one that an operator added. NULL: it is not there. */
const struct config_autoprimary *autoprimary_find(const struct config *c, const char *account,
                                                  const uint8_t *nameserver);

#endif
