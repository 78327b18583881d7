/* The digest that a zone carries of itself: ZONEMD, RFC 8976. Scheme SIMPLE; SHA-384 and SHA-512.
 *
 * This compares the digest and the zone only: whether the ZONEMD records are signed, and whether a
 * signed zone may lack them, is a matter of DNSSEC (zone_dnssec.h).
 * Cost: the whole zone, once for each hash that is asked for. Threads: any; a zone is only read.
 */
#ifndef ZL_ZONE_ZONE_DIGEST_H
#define ZL_ZONE_ZONE_DIGEST_H

#include <stddef.h>
#include <stdint.h>

#include "lib/zone/zone.h"

enum { ZONEMD_SCHEME_SIMPLE = 1 };
enum { ZONEMD_SHA384 = 1, ZONEMD_SHA512 = 2 };

#define ZONE_DIGEST_MAX 64 /* octets */
#define ZONE_DIGEST_REASON_MAX 160

enum zone_digest_result {
    ZONE_DIGEST_NONE,        /* the apex has no ZONEMD */
    ZONE_DIGEST_OK,          /* one of them fits, and there is nothing against them all */
    ZONE_DIGEST_MISMATCH,    /* the zone is not what it was when the digest was made */
    ZONE_DIGEST_SERIAL,      /* made for another serial */
    ZONE_DIGEST_UNSUPPORTED, /* none with a scheme and a hash that are known here */
    ZONE_DIGEST_DUPLICATES,  /* two for the same scheme and hash: none of them counts */
};

/* The SIMPLE digest (RFC 8976 3.3.1) by one of the hashes above. Returns its octets, 0 for another
 * hash. */
size_t zone_digest(uint8_t out[ZONE_DIGEST_MAX], const struct zone *z, uint8_t hash);

/* RFC 8976 4, but for its steps that are DNSSEC's. `reason` is a sentence without a full stop, also
 * when all is well. */
enum zone_digest_result zone_digest_verify(const struct zone *z,
                                           char reason[ZONE_DIGEST_REASON_MAX]);

#endif
