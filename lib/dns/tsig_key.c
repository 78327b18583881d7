#include "lib/dns/tsig_internal.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/params.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "lib/base/bytes.h"
#include "lib/base/encode.h"
#include "lib/base/mem.h"

struct alg_desc {
    const char *text;
    const char *wire; /* as a name; the literal's NUL is the root label */
    const char *digest;
    size_t octets;
};

/* RFC 8945 6, in the order of enum tsig_alg. */
static const struct alg_desc algs[] = {
    {"hmac-md5.sig-alg.reg.int", "\010hmac-md5\007sig-alg\003reg\003int", "MD5", 16},
    {"hmac-sha1", "\011hmac-sha1", "SHA1", 20},
    {"hmac-sha224", "\013hmac-sha224", "SHA224", 28},
    {"hmac-sha256", "\013hmac-sha256", "SHA256", 32},
    {"hmac-sha384", "\013hmac-sha384", "SHA384", 48},
    {"hmac-sha512", "\013hmac-sha512", "SHA512", 64},
};

#define ALG_COUNT (sizeof(algs) / sizeof(algs[0]))

bool tsig_alg_from_text(enum tsig_alg *out, const char *text)
{
    size_t n = strlen(text);

    if (n > 0 && text[n - 1] == '.')
        n--;
    if (n == 8 && strncasecmp(text, "hmac-md5", n) == 0) {
        *out = TSIG_HMAC_MD5;
        return true;
    }
    for (size_t i = 0; i < ALG_COUNT; i++) {
        if (strlen(algs[i].text) == n && strncasecmp(text, algs[i].text, n) == 0) {
            *out = (enum tsig_alg)i;
            return true;
        }
    }
    return false;
}

const char *tsig_alg_text(enum tsig_alg alg)
{
    return algs[alg].text;
}

const uint8_t *tsig_alg_name(enum tsig_alg alg)
{
    return (const uint8_t *)algs[alg].wire;
}

bool tsig_alg_from_name(enum tsig_alg *out, const uint8_t *name)
{
    for (size_t i = 0; i < ALG_COUNT; i++) {
        if (name_eq(name, (const uint8_t *)algs[i].wire)) {
            *out = (enum tsig_alg)i;
            return true;
        }
    }
    return false;
}

size_t tsig_alg_octets(enum tsig_alg alg)
{
    return algs[alg].octets;
}

static EVP_MAC_CTX *hmac_new(enum tsig_alg alg, const uint8_t *secret, size_t len)
{
    char digest[16];
    OSSL_PARAM params[2];
    EVP_MAC *mac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    EVP_MAC_CTX *c = mac ? EVP_MAC_CTX_new(mac) : NULL;

    EVP_MAC_free(mac);
    (void)snprintf(digest, sizeof(digest), "%s", algs[alg].digest);
    params[0] = OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0);
    params[1] = OSSL_PARAM_construct_end();
    if (c && EVP_MAC_init(c, secret, len, params))
        return c;
    EVP_MAC_CTX_free(c);
    return NULL;
}

enum err tsig_key_new(struct tsig_key **out, const uint8_t *name, enum tsig_alg alg,
                      const char *secret_base64, size_t secret_len, struct errinfo *e)
{
    struct buf secret = BUF_INIT;
    EVP_MAC_CTX *mac = NULL;
    struct tsig_key *k;
    enum err rc = OK;

    buf_reserve(&secret, secret_len + 1); /* never moved, so that no copy stays behind */
    if (!base64_decode(&secret, secret_base64, secret_len) || secret.len == 0 ||
        secret.len > TSIG_SECRET_MAX)
        rc = err_set(ERR_FORMAT, e, "the TSIG secret is not base64 of 1 to %d octets",
                     TSIG_SECRET_MAX);
    else if (!(mac = hmac_new(alg, secret.data, secret.len)))
        rc = err_set(ERR_UNSUPPORTED, e, "OpenSSL does not offer %s here", algs[alg].text);
    OPENSSL_cleanse(secret.data, secret.cap);
    buf_free(&secret);
    if (rc)
        return rc;
    k = xcalloc(1, sizeof(*k));
    k->mac = mac;
    k->alg = alg;
    atomic_init(&k->refs, 1);
    (void)name_fold(k->name, name);
    *out = k;
    return OK;
}

void tsig_key_allow_truncated(struct tsig_key *k)
{
    k->truncated_ok = true;
}

struct tsig_key *tsig_key_ref(struct tsig_key *k)
{
    atomic_fetch_add_explicit(&k->refs, 1, memory_order_relaxed);
    return k;
}

void tsig_key_unref(struct tsig_key *k)
{
    if (!k || atomic_fetch_sub_explicit(&k->refs, 1, memory_order_acq_rel) != 1)
        return;
    EVP_MAC_CTX_free(k->mac); /* which wipes its copy of the secret, the only one there is */
    OPENSSL_cleanse(k, sizeof(*k));
    free(k);
}

const uint8_t *tsig_key_name(const struct tsig_key *k)
{
    return k->name;
}

enum tsig_alg tsig_key_alg(const struct tsig_key *k)
{
    return k->alg;
}

size_t tsig_key_space(const struct tsig_key *k)
{
    const struct tsig_vars v = {
        .key_name = k->name, .alg_name = tsig_alg_name(k->alg), .other_len = 6};

    return tsig_octets(&v, tsig_alg_octets(k->alg));
}

bool tsig_key_matches(const struct tsig_key *k, const struct tsig_rr *rr)
{
    return name_eq(k->name, rr->key_name) && name_eq(tsig_alg_name(k->alg), rr->alg_name);
}
