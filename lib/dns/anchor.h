/* Trust anchors as an operator writes them: a DS or a DNSKEY on one line of a zone file,
 *
 *     example.org. [TTL] [IN] DS 4711 13 2 6A0B...
 *
 * with an algorithm, and a digest, that are known here (dnssec.h): nothing else could vouch. */
#ifndef ZL_DNS_ANCHOR_H
#define ZL_DNS_ANCHOR_H

#include "lib/dns/rr.h"

/* Appends RDATA. ERR_FORMAT. Threads: any. */
MUST_USE enum err anchor_from_text(uint8_t owner[NAME_MAX_OCTETS], uint16_t *type,
                                   struct buf *rdata, const char *text, struct errinfo *e);

#endif
