/* A zone as text, and its digest. */
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/mem.h"
#include "lib/zone/zone_internal.h"

void zone_to_text(struct buf *out, const struct zone *z)
{
    struct zone_rr_iter it;
    struct rr rr;

    zone_rr_iter_init(&it, z);
    while (zone_rr_next(&it, &rr))
        rr_to_text(out, &rr);
}

#define DIGEST_PIECE ((size_t)64 * 1024)

static void digest_or_abort(int ok)
{
    if (!ok)
        abort(); /* SHA-256 on memory does not fail but for want of memory */
}

void zone_sha256(uint8_t out[32], const struct zone *z)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    struct buf piece = BUF_INIT;
    struct zone_rr_iter it;
    struct rr rr;

    digest_or_abort(ctx && EVP_DigestInit_ex(ctx, EVP_sha256(), NULL));
    zone_rr_iter_init(&it, z);
    while (zone_rr_next(&it, &rr)) {
        buf_put(&piece, rr.owner, name_len(rr.owner));
        buf_u16(&piece, rr.type);
        buf_u16(&piece, rr.rclass);
        buf_u32(&piece, rr.ttl);
        buf_u16(&piece, rr.rdata_len);
        rdata_canonical(&piece, rr.type, rr.rdata, rr.rdata_len);
        if (piece.len >= DIGEST_PIECE) {
            digest_or_abort(EVP_DigestUpdate(ctx, piece.data, piece.len));
            piece.len = 0;
        }
    }
    digest_or_abort(
        EVP_DigestUpdate(ctx, piece.data ? piece.data : (const uint8_t *)"", piece.len));
    digest_or_abort(EVP_DigestFinal_ex(ctx, out, NULL));
    EVP_MD_CTX_free(ctx);
    buf_free(&piece);
}
