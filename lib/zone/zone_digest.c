#include "lib/zone/zone_digest.h"

#include <inttypes.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/mem.h"
#include "lib/zone/page.h"
#include "lib/zone/zone_look.h"

#define PIECE_OCTETS ((size_t)64 * 1024)
#define ZONEMD_FIXED 6 /* octets in front of the digest */

static void must(int ok)
{
    if (!ok)
        abort(); /* hashing memory does not fail but for want of memory */
}

static const EVP_MD *hash_of(uint8_t hash)
{
    switch (hash) {
    case ZONEMD_SHA384:
        return EVP_sha384();
    case ZONEMD_SHA512:
        return EVP_sha512();
    default:
        return NULL;
    }
}

/* The digest cannot cover itself, nor what signs it (RFC 8976 3.3.1.1). */
static bool is_left_out(const struct rr *rr, const uint8_t *apex)
{
    if (rr->type != RR_ZONEMD && rr->type != RR_RRSIG)
        return false;
    if (!name_eq(rr->owner, apex))
        return false;
    return rr->type == RR_ZONEMD || (rr->rdata_len >= 2 && get_u16(rr->rdata) == RR_ZONEMD);
}

static void put_record(struct buf *piece, const struct rr *rr)
{
    buf_put(piece, rr->owner, name_len(rr->owner));
    buf_u16(piece, rr->type);
    buf_u16(piece, rr->rclass);
    buf_u32(piece, rr->ttl);
    buf_u16(piece, rr->rdata_len);
    rdata_canonical(piece, rr->type, rr->rdata, rr->rdata_len);
}

size_t zone_digest(uint8_t out[ZONE_DIGEST_MAX], const struct zone *z, uint8_t hash)
{
    const EVP_MD *md = hash_of(hash);
    const uint8_t *apex = zone_apex(z);
    struct buf piece = BUF_INIT;
    struct zone_rr_iter it;
    unsigned n = 0;
    EVP_MD_CTX *ctx;
    struct rr rr;

    if (!md)
        return 0;
    ctx = EVP_MD_CTX_new();
    must(ctx && EVP_DigestInit_ex(ctx, md, NULL));
    buf_reserve(&piece, PIECE_OCTETS);
    zone_rr_iter_init(&it, z);
    while (zone_rr_next(&it, &rr)) {
        if (is_left_out(&rr, apex))
            continue;
        put_record(&piece, &rr);
        if (piece.len >= PIECE_OCTETS) {
            must(EVP_DigestUpdate(ctx, piece.data, piece.len));
            piece.len = 0;
        }
    }
    must(EVP_DigestUpdate(ctx, piece.data, piece.len));
    must(EVP_DigestFinal_ex(ctx, out, &n));
    EVP_MD_CTX_free(ctx);
    buf_free(&piece);
    return n;
}

static const char *hash_name(uint8_t hash)
{
    return hash == ZONEMD_SHA384 ? "SHA-384" : "SHA-512";
}

/* Two for the same scheme and hash, whatever they are and say. */
static bool has_duplicates(const struct rrset *set, uint8_t *scheme, uint8_t *hash)
{
    uint8_t seen[256 * 256 / 8] = {0};
    const uint8_t *rdata;
    struct rrset_iter it;
    uint16_t len;

    rrset_iter_init(&it, set);
    while (rrset_next(&it, &rdata, &len)) {
        uint16_t pair;

        if (len < ZONEMD_FIXED)
            continue;
        pair = get_u16(rdata + 4);
        if (seen[pair / 8] & 1u << pair % 8) {
            *scheme = rdata[4];
            *hash = rdata[5];
            return true;
        }
        seen[pair / 8] = (uint8_t)(seen[pair / 8] | 1u << pair % 8);
    }
    return false;
}

static enum zone_digest_result judge(const struct zone *z, const uint8_t *rdata, uint16_t len,
                                     char reason[ZONE_DIGEST_REASON_MAX])
{
    uint8_t is[ZONE_DIGEST_MAX];
    uint32_t serial;
    size_t n;

    if (len < ZONEMD_FIXED || rdata[4] != ZONEMD_SCHEME_SIMPLE || !hash_of(rdata[5])) {
        (void)snprintf(reason, ZONE_DIGEST_REASON_MAX,
                       "its ZONEMD has scheme and hash that are not known here");
        return ZONE_DIGEST_UNSUPPORTED;
    }
    serial = get_u32(rdata);
    if (serial != zone_serial(z).v) {
        (void)snprintf(reason, ZONE_DIGEST_REASON_MAX,
                       "its ZONEMD is for serial %" PRIu32 ", and the SOA has %" PRIu32, serial,
                       zone_serial(z).v);
        return ZONE_DIGEST_SERIAL;
    }
    if (len - ZONEMD_FIXED != EVP_MD_get_size(hash_of(rdata[5]))) {
        (void)snprintf(reason, ZONE_DIGEST_REASON_MAX,
                       "its ZONEMD has %d octets, which is no %s digest", len - ZONEMD_FIXED,
                       hash_name(rdata[5]));
        return ZONE_DIGEST_MISMATCH;
    }
    n = zone_digest(is, z, rdata[5]);
    if (memcmp(is, rdata + ZONEMD_FIXED, n) != 0) {
        (void)snprintf(reason, ZONE_DIGEST_REASON_MAX,
                       "its content does not have the %s digest of its ZONEMD",
                       hash_name(rdata[5]));
        return ZONE_DIGEST_MISMATCH;
    }
    (void)snprintf(reason, ZONE_DIGEST_REASON_MAX, "its content has the %s digest of its ZONEMD",
                   hash_name(rdata[5]));
    return ZONE_DIGEST_OK;
}

/* Which of two failures tells more. */
static int weight(enum zone_digest_result r)
{
    switch (r) {
    case ZONE_DIGEST_MISMATCH:
        return 3;
    case ZONE_DIGEST_SERIAL:
        return 2;
    case ZONE_DIGEST_UNSUPPORTED:
        return 1;
    case ZONE_DIGEST_NONE:
    case ZONE_DIGEST_OK:
    case ZONE_DIGEST_DUPLICATES:
        break;
    }
    return 0;
}

enum zone_digest_result zone_digest_verify(const struct zone *z,
                                           char reason[ZONE_DIGEST_REASON_MAX])
{
    const struct node *apex = zone_apex_node(z);
    enum zone_digest_result worst = ZONE_DIGEST_NONE;
    uint8_t scheme, hash;
    const uint8_t *rdata;
    struct rrset_iter it;
    struct rrset set;
    uint16_t len;

    (void)snprintf(reason, ZONE_DIGEST_REASON_MAX, "it has no ZONEMD");
    if (!apex || !node_rrset(apex, RR_ZONEMD, &set))
        return ZONE_DIGEST_NONE;
    if (has_duplicates(&set, &scheme, &hash)) {
        (void)snprintf(reason, ZONE_DIGEST_REASON_MAX,
                       "it has two ZONEMD for scheme %u and hash %u", scheme, hash);
        return ZONE_DIGEST_DUPLICATES;
    }
    rrset_iter_init(&it, &set);
    while (rrset_next(&it, &rdata, &len)) {
        char what[ZONE_DIGEST_REASON_MAX];
        enum zone_digest_result r = judge(z, rdata, len, what);

        if (r != ZONE_DIGEST_OK && weight(r) <= weight(worst))
            continue;
        memcpy(reason, what, sizeof(what));
        worst = r;
        if (r == ZONE_DIGEST_OK)
            break; /* one that fits is enough (RFC 8976 4) */
    }
    return worst;
}
