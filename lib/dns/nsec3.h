/* NSEC3 and NSEC3PARAM (RFC 5155), and the type bitmaps that NSEC has too (RFC 4034 4.1.2).
 *
 * SHA-1 is the only hash there is. Threads: pure functions.
 */
#ifndef ZL_DNS_NSEC3_H
#define ZL_DNS_NSEC3_H

#include "lib/dns/rr.h"

#define NSEC3_ITERATIONS_MAX 50 /* RFC 9276 3.2: more are work for nothing */
#define NSEC3_HASH_OCTETS 20
#define NSEC3_LABEL_OCTETS 32 /* of base32hex */
#define NSEC3_OPT_OUT 0x01    /* in the flags of an NSEC3, RFC 5155 3.1.2.1 */

struct nsec3_params {
    const uint8_t *salt; /* lent by the record */
    uint16_t iterations;
    uint8_t salt_len;
};

/* NSEC3 and NSEC3PARAM begin alike. False for another hash, and for what is cut off. */
bool nsec3_params_read(struct nsec3_params *out, uint8_t *flags, const uint8_t *rdata, size_t len);
bool nsec3_params_eq(const struct nsec3_params *a, const struct nsec3_params *b);

/* What an NSEC3 says; lent by its RDATA. */
struct nsec3 {
    struct nsec3_params params;
    uint8_t flags;
    const uint8_t *next; /* NSEC3_HASH_OCTETS */
    const uint8_t *types;
    size_t types_len;
};
bool nsec3_read(struct nsec3 *out, const uint8_t *rdata, size_t len);

/* RFC 5155 5; the name in any case. */
void nsec3_hash(uint8_t out[NSEC3_HASH_OCTETS], const struct nsec3_params *p, const uint8_t *name);

/* The first label of an NSEC3's owner, without its length: base32hex, in lower case. */
void nsec3_label(uint8_t label[NSEC3_LABEL_OCTETS], const uint8_t hash[NSEC3_HASH_OCTETS]);
/* The way back, from lower case; false if it is no such label. */
bool nsec3_unlabel(uint8_t hash[NSEC3_HASH_OCTETS], const uint8_t label[NSEC3_LABEL_OCTETS]);

/* ---- Bitmaps ---- */

bool type_bitmap_has(const uint8_t *map, size_t len, uint16_t type);
/* The lowest type of the map that is above `after` (-1: the lowest of all); -1 if there is none. */
int type_bitmap_next(const uint8_t *map, size_t len, int after);

#endif
