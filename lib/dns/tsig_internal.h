/* What the parts of TSIG share: tsig_key.c (keys), tsig_mac.c (what goes into a digest and onto the
 * wire), tsig.c (requests and single responses), tsig_stream.c (many messages).
 */
#ifndef ZL_DNS_TSIG_INTERNAL_H
#define ZL_DNS_TSIG_INTERNAL_H

#include <openssl/evp.h>
#include <stdatomic.h>

#include "lib/dns/tsig.h"

struct tsig_key {
    EVP_MAC_CTX *mac; /* holds the secret; only ever copied from */
    enum tsig_alg alg;
    bool truncated_ok;
    atomic_uint refs;

    uint8_t name[NAME_MAX_OCTETS];
};

/* What TSIG says beside the MAC. */
struct tsig_vars {
    const uint8_t *key_name;
    const uint8_t *alg_name;
    uint64_t time_s;
    uint16_t fudge_s;
    uint16_t error;
    uint16_t other_len;
    const uint8_t *other;
};

/* A digest in the making. After a key was made, OpenSSL can only fail for want of memory, so
 * these abort as xmalloc does. */
EVP_MAC_CTX *mac_begin(const struct tsig_key *k);
void mac_put(EVP_MAC_CTX *c, const void *p, size_t n);
/* u16 length and octets: the request's, or the previous message's MAC (RFC 8945 5.3). */
void mac_put_mac(EVP_MAC_CTX *c, const uint8_t *mac, size_t n);
/* A message as it was before its TSIG, which begins at `end`, was put on: original ID, and one
 * additional record less if it has one (RFC 8945 4.3.2). */
void mac_put_message(EVP_MAC_CTX *c, const uint8_t *wire, size_t end, uint16_t original_id,
                     bool has_tsig);
void mac_put_vars(EVP_MAC_CTX *c, const struct tsig_vars *v);           /* RFC 8945 4.3.3 */
void mac_put_timers(EVP_MAC_CTX *c, uint64_t time_s, uint16_t fudge_s); /* RFC 8945 5.3.1 */
/* Ends and frees it; returns the length. */
size_t mac_end(EVP_MAC_CTX *c, uint8_t mac[TSIG_MAC_MAX]);
/* Ends and frees it; compares in constant time with the `n` octets received. */
bool mac_end_matches(EVP_MAC_CTX *c, const uint8_t *mac, size_t n);

/* Appends the record and corrects ARCOUNT; false, with nothing changed, if it does not fit. */
bool tsig_append(uint8_t *buf, size_t *len, size_t cap, const struct tsig_vars *v,
                 const uint8_t *mac, size_t mac_len);
/* Octets that the record takes. */
size_t tsig_octets(const struct tsig_vars *v, size_t mac_len);

/* Whether `k` is the key that the record names. */
bool tsig_key_matches(const struct tsig_key *k, const struct tsig_rr *rr);
/* RFC 8945 5.2.2.1: neither longer than the algorithm's, nor less than half of it or 10 octets. */
bool tsig_mac_len_legal(const struct tsig_key *k, size_t mac_len);
/* What is left to ask when the MAC is right: TSIG_OK, TSIG_BADTIME or TSIG_BADTRUNC. */
enum tsig_outcome tsig_check_policy(const struct tsig_key *k, const struct tsig_rr *rr,
                                    struct wall now);
/* The MAC that the next message is chained to. */
void tsig_keep_mac(struct tsig *t, const uint8_t *mac, size_t mac_len);
/* Seconds for the wire: 48 bits, not negative. */
uint64_t tsig_wire_time(struct wall t);

#endif
