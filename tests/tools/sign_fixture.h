/* For tests of DNSSEC: keys made by OpenSSL, and zones signed with them. */
#ifndef ZL_TESTS_TOOLS_SIGN_FIXTURE_H
#define ZL_TESTS_TOOLS_SIGN_FIXTURE_H

#include <openssl/evp.h>

#include "lib/dns/dnssec.h"
#include "lib/dns/nsec3.h"
#include "lib/zone/zone.h"

struct sign_key {
    EVP_PKEY *pair;
    struct buf dnskey; /* RDATA */
    uint8_t algorithm; /* what its records say it is */
    uint16_t tag;
};

/* A new key; those of Ed25519 are the same for the same seed, and so are their signatures. */
void sign_key_init(struct sign_key *k, uint8_t algorithm, uint16_t flags, uint8_t seed);
void sign_key_done(struct sign_key *k);
/* Its flags and its algorithm are others: its tag too. */
void sign_key_set(struct sign_key *k, uint8_t algorithm, uint16_t flags);

/* An NSEC or NSEC3 for a name, before it is signed: may change RDATA; false leaves it out. */
typedef bool sign_chain_fn(void *ctx, const uint8_t *name, struct buf *rdata);

struct sign_spec {
    const struct sign_key *keys; /* all of them sign all, */
    size_t key_count;
    size_t hidden;   /* but so many of the last ones are not in the zone */
    bool split_keys; /* the first one signs the keys, and nothing else does */
    bool nsec, nsec3, opt_out;
    uint16_t iterations;
    uint32_t inception, expiration;
    sign_chain_fn *chain; /* NULL: nothing to change */
    void *ctx;
};

/* RRSIG RDATA for an RRset as in a page. */
void sign_rrset(struct buf *out, const struct sign_key *k, const struct sign_spec *s,
                const uint8_t *apex, const uint8_t *owner, const struct rrset *set);

/* The zone with keys, chain and signatures. */
struct zone *zone_signed(const struct zone *plain, const struct sign_spec *s);

#endif
