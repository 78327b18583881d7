#include "lib/dns/dnssec.h"

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/param_build.h>
#include <stdlib.h>
#include <string.h>

enum { RSASHA1 = 5, RSASHA1_NSEC3 = 7, RSASHA256 = 8, RSASHA512 = 10 };
enum { ECDSAP256 = 13, ECDSAP384 = 14, ED25519 = 15, ED448 = 16 };
enum { DIGEST_SHA1 = 1, DIGEST_SHA256 = 2, DIGEST_SHA384 = 4 };

enum family { RSA_KEY, ECDSA_KEY, EDDSA_KEY };

struct algorithm {
    uint8_t number;
    enum family family;
    size_t half;        /* octets of each half of an ECDSA key, or signature */
    const char *name;   /* OpenSSL's, of a curve or a key */
    size_t key_len;     /* octets; of RSA the shortest modulus */
    const char *digest; /* NULL: part of the algorithm */
};

#define RSA_MAX_OCTETS 512 /* RFC 5702 2: 4096 bits */
#define ECDSA_HALF_MAX 48
#define DNSKEY_FIXED 4 /* octets in front of the key */
#define DS_FIXED 4

static const struct algorithm algorithms[] = {
    {RSASHA1, RSA_KEY, 0, NULL, 64, "SHA1"},
    {RSASHA1_NSEC3, RSA_KEY, 0, NULL, 64, "SHA1"},
    {RSASHA256, RSA_KEY, 0, NULL, 64, "SHA256"},
    {RSASHA512, RSA_KEY, 0, NULL, 128, "SHA512"},
    {ECDSAP256, ECDSA_KEY, 32, "P-256", 64, "SHA256"},
    {ECDSAP384, ECDSA_KEY, ECDSA_HALF_MAX, "P-384", 96, "SHA384"},
    {ED25519, EDDSA_KEY, 0, "ED25519", 32, NULL},
    {ED448, EDDSA_KEY, 0, "ED448", 57, NULL},
};

static void must(int ok)
{
    if (!ok)
        abort(); /* nothing here fails but for want of memory */
}

static const struct algorithm *algorithm_of(uint8_t number)
{
    for (size_t i = 0; i < sizeof(algorithms) / sizeof(algorithms[0]); i++) {
        if (algorithms[i].number == number)
            return &algorithms[i];
    }
    return NULL;
}

bool dnssec_algorithm_is_known(uint8_t algorithm)
{
    return algorithm_of(algorithm) != NULL;
}

/* ---- Keys ---- */

static EVP_PKEY *key_of_params(const char *type, OSSL_PARAM *params)
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
    EVP_PKEY *key = NULL;

    must(ctx && EVP_PKEY_fromdata_init(ctx));
    if (EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_PUBLIC_KEY, params) != 1)
        key = NULL;
    EVP_PKEY_CTX_free(ctx);
    ERR_clear_error();
    return key;
}

/* RFC 3110 2: u8 length of the exponent, or 0 and u16; exponent; modulus. */
static EVP_PKEY *rsa_key(const struct algorithm *a, const uint8_t *octets, size_t len)
{
    struct reader r = reader_of(octets, len);
    size_t e_len = read_u8(&r);
    const uint8_t *e, *n;
    OSSL_PARAM_BLD *build;
    OSSL_PARAM *params;
    EVP_PKEY *key = NULL;
    BIGNUM *be, *bn;
    size_t n_len;

    if (e_len == 0)
        e_len = read_u16(&r);
    e = read_bytes(&r, e_len);
    n_len = reader_left(&r);
    n = read_bytes(&r, n_len);
    /* An exponent as long as the modulus would make each look a long one. */
    if (r.failed || e_len == 0 || e_len > 8 || n_len < a->key_len || n_len > RSA_MAX_OCTETS)
        return NULL;
    be = BN_bin2bn(e, (int)e_len, NULL);
    bn = BN_bin2bn(n, (int)n_len, NULL);
    build = OSSL_PARAM_BLD_new();
    must(be && bn && build && OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_N, bn) &&
         OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_E, be));
    params = OSSL_PARAM_BLD_to_param(build);
    must(params != NULL);
    if (!BN_is_zero(be) && !BN_is_zero(bn))
        key = key_of_params("RSA", params);
    OSSL_PARAM_free(params);
    OSSL_PARAM_BLD_free(build);
    BN_free(be);
    BN_free(bn);
    return key;
}

/* RFC 6605 4: the point, without the octet that says it is not compressed. */
static EVP_PKEY *ecdsa_key(const struct algorithm *a, const uint8_t *octets, size_t len)
{
    uint8_t point[1 + 2 * ECDSA_HALF_MAX] = {4};
    char curve[8];
    OSSL_PARAM params[3];

    if (len != a->key_len)
        return NULL;
    memcpy(point + 1, octets, len);
    memcpy(curve, a->name, strlen(a->name) + 1);
    params[0] = OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, curve, 0);
    params[1] = OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, point, 1 + len);
    params[2] = OSSL_PARAM_construct_end();
    return key_of_params("EC", params);
}

static EVP_PKEY *eddsa_key(const struct algorithm *a, const uint8_t *octets, size_t len)
{
    EVP_PKEY *key = NULL;

    if (len == a->key_len)
        key = EVP_PKEY_new_raw_public_key_ex(NULL, a->name, NULL, octets, len);
    ERR_clear_error();
    return key;
}

static EVP_PKEY *public_key(const struct algorithm *a, const uint8_t *octets, size_t len)
{
    switch (a->family) {
    case RSA_KEY:
        return rsa_key(a, octets, len);
    case ECDSA_KEY:
        return ecdsa_key(a, octets, len);
    case EDDSA_KEY:
        return eddsa_key(a, octets, len);
    }
    return NULL;
}

uint16_t dnskey_tag(const uint8_t *rdata, size_t len)
{
    uint32_t sum = 0;

    for (size_t i = 0; i < len; i++)
        sum += i & 1 ? rdata[i] : (uint32_t)rdata[i] << 8;
    return (uint16_t)(sum + (sum >> 16));
}

bool dnskey_read(struct dnskey *out, const uint8_t *rdata, size_t len)
{
    const struct algorithm *a;

    if (len <= DNSKEY_FIXED || len > UINT16_MAX)
        return false;
    *out = (struct dnskey){.rdata = rdata,
                           .len = (uint16_t)len,
                           .flags = get_u16(rdata),
                           .tag = dnskey_tag(rdata, len),
                           .protocol = rdata[2],
                           .algorithm = rdata[3]};
    a = algorithm_of(out->algorithm);
    if (a)
        out->key = public_key(a, rdata + DNSKEY_FIXED, len - DNSKEY_FIXED);
    return true;
}

void dnskey_done(struct dnskey *k)
{
    EVP_PKEY_free(k->key);
    k->key = NULL;
}

bool dnskey_signs_zones(const struct dnskey *k)
{
    return k->flags & DNSKEY_ZONE && !(k->flags & DNSKEY_REVOKED) && k->protocol == 3;
}

static const char *digest_name(uint8_t digest)
{
    switch (digest) {
    case DIGEST_SHA1:
        return "SHA1";
    case DIGEST_SHA256:
        return "SHA256";
    case DIGEST_SHA384:
        return "SHA384";
    default:
        return NULL;
    }
}

bool dnssec_digest_is_known(uint8_t digest)
{
    return digest_name(digest) != NULL;
}

bool dnskey_fits_ds(const struct dnskey *k, const uint8_t *owner, const uint8_t *ds, size_t ds_len)
{
    struct buf data = BUF_INIT;
    uint8_t is[EVP_MAX_MD_SIZE];
    uint8_t name[NAME_MAX_OCTETS];
    size_t n = 0;

    if (ds_len <= DS_FIXED || get_u16(ds) != k->tag || ds[2] != k->algorithm || !digest_name(ds[3]))
        return false;
    buf_put(&data, name, name_fold(name, owner));
    buf_put(&data, k->rdata, k->len);
    must(EVP_Q_digest(NULL, digest_name(ds[3]), NULL, data.data, data.len, is, &n));
    buf_free(&data);
    return ds_len - DS_FIXED == n && memcmp(ds + DS_FIXED, is, n) == 0;
}

/* ---- What is signed ---- */

bool rrsig_read(struct rrsig *out, const uint8_t *rdata, size_t len)
{
    struct reader r = reader_of(rdata, len);
    uint8_t signer[NAME_MAX_OCTETS];
    size_t signer_at;

    *out = (struct rrsig){.rdata = rdata};
    out->covered = read_u16(&r);
    out->algorithm = read_u8(&r);
    out->labels = read_u8(&r);
    out->original_ttl = read_u32(&r);
    out->expiration = read_u32(&r);
    out->inception = read_u32(&r);
    out->key_tag = read_u16(&r);
    signer_at = r.pos;
    if (!read_name_plain(&r, signer))
        return false;
    out->signer = rdata + signer_at;
    out->head_len = r.pos;
    out->signature_len = reader_left(&r);
    out->signature = read_bytes(&r, out->signature_len);
    return !r.failed;
}

/* The owner as it was signed: itself, or the wildcard above it (RFC 4035 5.3.2). */
static bool signed_owner(uint8_t out[NAME_MAX_OCTETS], size_t *len, const uint8_t *owner,
                         unsigned labels)
{
    unsigned has = name_labels(owner);

    if (labels > has)
        return false;
    if (labels == has) {
        *len = name_fold(out, owner);
        return true;
    }
    for (; has > labels; has--)
        owner = name_parent(owner);
    out[0] = 1;
    out[1] = '*'; /* in place of one label at least, so it fits */
    *len = 2 + name_fold(out + 2, owner);
    return true;
}

bool dnssec_signed_data(struct buf *out, const struct rrsig *sig, const uint8_t *owner,
                        const uint8_t *rdatas, size_t rdatas_len)
{
    struct reader r = reader_of(rdatas, rdatas_len);
    uint8_t name[NAME_MAX_OCTETS];
    size_t head_at = out->len, name_len_;

    if (!signed_owner(name, &name_len_, owner, sig->labels))
        return false;
    buf_put(out, sig->rdata, sig->head_len);
    /* The signer's name is folded (RFC 4034 3.1.8.1). */
    (void)name_fold(out->data + head_at + (sig->signer - sig->rdata), sig->signer);
    while (reader_left(&r) > 0) {
        uint16_t len = read_u16(&r);
        const uint8_t *rdata = read_bytes(&r, len);

        if (!rdata)
            return false;
        buf_put(out, name, name_len_);
        buf_u16(out, sig->covered);
        buf_u16(out, CLASS_IN);
        buf_u32(out, sig->original_ttl);
        buf_u16(out, len);
        rdata_canonical(out, sig->covered, rdata, len);
    }
    return true;
}

/* ---- Verifying ---- */

void dnssec_verifier_init(struct dnssec_verifier *v)
{
    *v = (struct dnssec_verifier){.md = EVP_MD_CTX_new()};
    must(v->md != NULL);
}

void dnssec_verifier_done(struct dnssec_verifier *v)
{
    EVP_MD_CTX_free(v->md);
    buf_free(&v->data);
    v->md = NULL;
}

/* An ASN.1 INTEGER of a number without a sign; returns its octets. */
static size_t put_integer(uint8_t *out, const uint8_t *n, size_t len)
{
    size_t pad;

    while (len > 1 && n[0] == 0) {
        n++;
        len--;
    }
    pad = n[0] >> 7;
    out[0] = 2;
    out[1] = (uint8_t)(pad + len);
    out[2] = 0;
    memcpy(out + 2 + pad, n, len);
    return 2 + pad + len;
}

/* RFC 6605 4 has the two numbers bare; OpenSSL wants them in ASN.1. Returns the octets. */
static size_t ecdsa_asn1(uint8_t out[2 * ECDSA_HALF_MAX + 16], const uint8_t *sig, size_t half)
{
    uint8_t body[2 * ECDSA_HALF_MAX + 8];
    size_t n = put_integer(body, sig, half);

    n += put_integer(body + n, sig + half, half);
    out[0] = 0x30;
    out[1] = (uint8_t)n; /* 2 x (48 + 3) at most, below 128 */
    memcpy(out + 2, body, n);
    return 2 + n;
}

bool dnssec_verify(struct dnssec_verifier *v, const struct dnskey *k, const struct rrsig *sig,
                   const uint8_t *owner, const uint8_t *rdatas, size_t rdatas_len)
{
    const struct algorithm *a = algorithm_of(sig->algorithm);
    uint8_t asn1[2 * ECDSA_HALF_MAX + 16];
    const uint8_t *signature = sig->signature;
    size_t len = sig->signature_len;
    bool fits;

    if (!a || k->algorithm != sig->algorithm || !k->key)
        return false;
    v->data.len = 0;
    if (!dnssec_signed_data(&v->data, sig, owner, rdatas, rdatas_len))
        return false;
    if (a->family == ECDSA_KEY) {
        if (len != 2 * a->half)
            return false;
        len = ecdsa_asn1(asn1, signature, a->half);
        signature = asn1;
    }
    must(EVP_MD_CTX_reset(v->md));
    fits = EVP_DigestVerifyInit_ex(v->md, NULL, a->digest, NULL, NULL, k->key, NULL) == 1 &&
           EVP_DigestVerify(v->md, signature, len, v->data.data, v->data.len) == 1;
    if (!fits)
        ERR_clear_error();
    return fits;
}
