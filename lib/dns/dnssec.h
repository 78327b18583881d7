/* DNSSEC's keys and signatures (RFC 4034, 4035 5.3, 6840): whether a key belongs to a DS, and
 * whether a signature is one of this key over this RRset. What is signed, when, and by whom it must
 * be is the caller's matter (zone_dnssec.h).
 *
 * Algorithms: RSASHA1 (5, 7), RSASHA256 (8), RSASHA512 (10), ECDSA P-256 and P-384 (13, 14),
 * Ed25519 and Ed448 (15, 16); all others are unknown, as for a validator that has not heard of them
 * (RFC 4035 5.2). SHA-1 is no proof against who forges any more (RFC 9905), but still tells a
 * broken signature from a whole one, which is what is asked here.
 */
#ifndef ZL_DNS_DNSSEC_H
#define ZL_DNS_DNSSEC_H

#include <openssl/evp.h>

#include "lib/dns/rr.h"

#define DNSKEY_ZONE 0x0100    /* RFC 4034 2.1.1 */
#define DNSKEY_REVOKED 0x0080 /* RFC 5011 2.1 */

bool dnssec_algorithm_is_known(uint8_t algorithm);
/* Of DS records: SHA-1, SHA-256, SHA-384. */
bool dnssec_digest_is_known(uint8_t digest);

/* ---- Keys ---- */

struct dnskey {
    const uint8_t *rdata; /* lent */
    uint16_t len;

    uint16_t flags;
    uint16_t tag; /* RFC 4034 appendix B */
    uint8_t protocol;
    uint8_t algorithm;
    EVP_PKEY *key; /* NULL: of no known algorithm, or not well-formed for its own */
};

/* False if it is too short to be one. dnskey_done in the end. */
bool dnskey_read(struct dnskey *out, const uint8_t *rdata, size_t len);
void dnskey_done(struct dnskey *k); /* fine on a zeroed one */

/* May sign the zone's records (RFC 4034 2.1.1, 2.1.2; RFC 5011 2.1). */
bool dnskey_signs_zones(const struct dnskey *k);

uint16_t dnskey_tag(const uint8_t *rdata, size_t len);

/* Whether a DS (its RDATA) is this key's; `owner` in any case. False for unknown digests. */
bool dnskey_fits_ds(const struct dnskey *k, const uint8_t *owner, const uint8_t *ds, size_t ds_len);

/* ---- Signatures ---- */

struct rrsig {
    const uint8_t *rdata; /* lent, as the rest */
    size_t head_len;      /* octets of it that are signed: all in front of the signature */
    const uint8_t *signer;
    const uint8_t *signature;
    size_t signature_len;

    uint32_t original_ttl;
    uint32_t expiration, inception; /* seconds since 1970 modulo 2^32 */
    uint16_t covered;
    uint16_t key_tag;
    uint8_t algorithm;
    uint8_t labels;
};

/* False if it is cut off, or a name in it is none. */
bool rrsig_read(struct rrsig *out, const uint8_t *rdata, size_t len);

/* Scratch for one thread. */
struct dnssec_verifier {
    EVP_MD_CTX *md;
    struct buf data;
};
void dnssec_verifier_init(struct dnssec_verifier *v);
void dnssec_verifier_done(struct dnssec_verifier *v);

/* Whether the signature is this key's over the RRset of rrsig->covered at `owner`: records as in a
 * page, each with a u16 length in front, in canonical order and without duplicates. The algorithms
 * of both must be one (RFC 4035 5.3.1). With fewer labels than the owner has, it signs the wildcard
 * above (5.3.2). Cost: the cryptography, 20 to 200 microseconds. Threads: any, one for each
 * verifier; a key may be shared. */
bool dnssec_verify(struct dnssec_verifier *v, const struct dnskey *k, const struct rrsig *sig,
                   const uint8_t *owner, const uint8_t *rdatas, size_t rdatas_len);

/* The octets that are signed (RFC 4034 3.1.8.1), appended; false if the labels do not fit the
 * owner, or the records are no such list. Who signs needs them too. */
bool dnssec_signed_data(struct buf *out, const struct rrsig *sig, const uint8_t *owner,
                        const uint8_t *rdatas, size_t rdatas_len);

#endif
