#include "lib/base/api_key.h"

#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <openssl/sha.h>
#include <string.h>

#include "lib/base/bytes.h"
#include "lib/base/encode.h"

#define PREFIX "zl_" /* so that whoever finds one knows what it is */
#define SECRET_OCTETS 32
#define SALT_DIGITS 32
#define HASH_DIGITS 64

static void to_hex(char *out, const uint8_t *p, size_t n)
{
    struct buf text = BUF_INIT;

    hex_encode(&text, p, n);
    memcpy(out, text.data, text.len);
    out[text.len] = 0;
    OPENSSL_cleanse(text.data, text.len);
    buf_free(&text);
}

/* The digits of SHA-256 over the salt's digits and the key. */
static void hash_of(char out[HASH_DIGITS + 1], const char *salt, const char *key)
{
    uint8_t sum[SHA256_DIGEST_LENGTH];
    struct buf both = BUF_INIT;

    buf_put(&both, salt, SALT_DIGITS);
    buf_put(&both, key, strlen(key));
    (void)SHA256(both.data, both.len, sum);
    OPENSSL_cleanse(both.data, both.len);
    buf_free(&both);
    to_hex(out, sum, sizeof(sum));
}

enum err api_key_make(char key[API_KEY_MAX], char hash[API_KEY_HASH_MAX], struct errinfo *e)
{
    uint8_t secret[SECRET_OCTETS], salt[SALT_DIGITS / 2];

    if (RAND_bytes(secret, sizeof(secret)) != 1 || RAND_bytes(salt, sizeof(salt)) != 1)
        return err_set(ERR_UNSUPPORTED, e, "OpenSSL has no random bits");
    memcpy(key, PREFIX, sizeof(PREFIX));
    to_hex(key + strlen(PREFIX), secret, sizeof(secret));
    OPENSSL_cleanse(secret, sizeof(secret));
    to_hex(hash, salt, sizeof(salt));
    hash[SALT_DIGITS] = ':';
    hash_of(hash + SALT_DIGITS + 1, hash, key);
    return OK;
}

bool api_key_hash_is_right(const char *hash)
{
    static const char digits[] = "0123456789abcdef";

    return strspn(hash, digits) == SALT_DIGITS && hash[SALT_DIGITS] == ':' &&
           strspn(hash + SALT_DIGITS + 1, digits) == HASH_DIGITS &&
           !hash[SALT_DIGITS + 1 + HASH_DIGITS];
}

bool api_key_matches(const char *hash, const char *key)
{
    char got[HASH_DIGITS + 1];

    hash_of(got, hash, key);
    return CRYPTO_memcmp(got, hash + SALT_DIGITS + 1, HASH_DIGITS) == 0;
}
