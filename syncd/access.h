/* Who may do what with a zone: the one place that decides, for every transport and every way to say
 * who one is. It looks at the section of the configuration that holds for the zone, at where and by
 * what a message comes, at the key that really signed it, and at the certificate that the client
 * really has. Pure.
 *
 * What a zone or an entry demands is never left out for another reason: a zone with transfer-tls is
 * not had over plain TCP, whatever key signs.
 */
#ifndef ZL_SYNCD_ACCESS_H
#define ZL_SYNCD_ACCESS_H

#include "lib/base/config.h"
#include "lib/net/handover.h"

#define ACCESS_CLIENT_TEXT_MAX TLS_IDENTITY_TEXT_MAX

struct access_client {
    struct addr source;
    enum ho_transport transport;
    int key; /* index into config.keys of the key that signed, verified; -1: unsigned */
    const struct tls_identity *identity; /* lent; NULL: no certificate */
};

enum access_right {
    ACCESS_TRANSFER, /* AXFR, IXFR */
    ACCESS_NOTIFY,   /* to say that it has changed at a primary */
    ACCESS_UPDATE,   /* to change it at all; which records: access_update_record */
};

/* May it? `z` is the zone's section, NULL: it has none, and nobody may. ERR_DENIED, with the reason
 * for the log.
 *
 * TRANSFER  What transfer-tls demands, everybody must meet. Then yes, if it signs with one of
 *           transfer-keys; shows the certificate of one of transfer-clients; comes from the address
 *           of one of the zone's secondaries, and signs, comes by TLS and shows a certificate as
 *           that one must; comes from transfer-from; or comes by TLS from transfer-from-tls.
 * NOTIFY    Yes, if it signs with one of notify-keys, shows the certificate of one of
 *           notify-clients, or comes from the address of one of the zone's primaries, and signs and
 *           shows what that one must. *primary, unless NULL, is that one's index in the zone's
 *           primaries, -1: none.
 * UPDATE    Yes, if one of the zone's policies is for it. */
MUST_USE enum err access_may(const struct config *c, const struct config_zone *z,
                             enum access_right right, const struct access_client *who, int *primary,
                             struct errinfo *e);

/* May it change records of this owner and type? Yes, if one of the policies that are for it says
 * so.
 */
bool access_update_record(const struct config *c, const struct config_zone *z,
                          const struct access_client *who, const uint8_t *apex,
                          const uint8_t *owner, uint16_t type);

/* Does it speak for this primary: its address, key, certificate? *why if only what goes with the
 * address is missing. */
bool access_speaks(const struct config_primary *p, const struct access_client *who,
                   const char **why);

/* Is it the certificate of this client? `id` NULL: none was shown. */
bool access_shows(const struct config_client *k, const struct tls_identity *id);

/* For logs: what its certificate says, "" if it has none; "udp", "tcp", "tls". */
void access_client_text(char out[ACCESS_CLIENT_TEXT_MAX], const struct access_client *who);
const char *access_transport_text(enum ho_transport t);

#endif
