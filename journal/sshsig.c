/* OpenSSH's forms of Ed25519 keys and signatures. Everything is made of strings with a length of 32
 * bits before them (RFC 4251 5), in base64 between two lines.
 */
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "journal/journal_internal.h"
#include "lib/base/encode.h"
#include "lib/base/mem.h"

enum { KEY_OCTETS = 32, SIGNATURE_OCTETS = 64, LINE_CHARS = 70, BLOCK = 8, HASH_OCTETS = 64 };

#define ALGORITHM "ssh-ed25519"
#define KEY_MAGIC "openssh-key-v1" /* and its NUL */
#define SIGNATURE_MAGIC "SSHSIG"   /* without */
#define SIGNATURE_VERSION 1
#define HASH "sha512"

struct journal_key {
    uint8_t seed[KEY_OCTETS];
    struct journal_signer signer;
    EVP_PKEY *pkey;
};

/* ---- Strings and armour ---- */

static void put_string(struct buf *out, const void *p, size_t n)
{
    buf_u32(out, (uint32_t)n);
    buf_put(out, p, n);
}

static void put_text(struct buf *out, const char *text)
{
    put_string(out, text, strlen(text));
}

static struct reader take_string(struct reader *r)
{
    return read_part(r, read_u32(r));
}

static bool is_text(struct reader s, const char *text)
{
    size_t n = strlen(text);

    return !s.failed && reader_left(&s) == n && memcmp(s.msg + s.pos, text, n) == 0;
}

static bool take_octets(void *out, struct reader s, size_t n)
{
    if (s.failed || reader_left(&s) != n)
        return false;
    memcpy(out, s.msg + s.pos, n);
    return true;
}

static void put_armour(struct buf *out, const char *what, const struct buf *blob,
                       const char *line_start)
{
    struct buf text = BUF_INIT;

    base64_encode(&text, blob->data, blob->len);
    buf_printf(out, "-----BEGIN %s-----\n", what);
    for (size_t at = 0; at < text.len; at += LINE_CHARS) {
        size_t n = text.len - at;

        buf_str(out, line_start);
        buf_put(out, text.data + at, n < LINE_CHARS ? n : LINE_CHARS);
        buf_u8(out, '\n');
    }
    buf_printf(out, "%s-----END %s-----\n", line_start, what);
    OPENSSL_cleanse(text.data, text.len);
    buf_free(&text);
}

/* What stands between the lines, decoded. */
static bool take_armour(struct buf *blob, const char *what, const char *text, size_t len)
{
    char begin[64], end[64];
    const char *from, *to;
    size_t n;

    (void)snprintf(begin, sizeof(begin), "-----BEGIN %s-----\n", what);
    (void)snprintf(end, sizeof(end), "-----END %s-----", what);
    n = strlen(begin);
    if (len < n || memcmp(text, begin, n) != 0)
        return false;
    from = text + n;
    to = memmem(from, len - n, end, strlen(end));
    return to && base64_decode(blob, from, (size_t)(to - from));
}

/* ---- Public keys ---- */

static void put_signer(struct buf *out, const struct journal_signer *s)
{
    put_text(out, ALGORITHM);
    put_string(out, s->id, KEY_OCTETS);
}

static bool take_signer(struct journal_signer *out, struct reader blob)
{
    struct reader algorithm = take_string(&blob);
    struct reader id = take_string(&blob);

    return is_text(algorithm, ALGORITHM) && take_octets(out->id, id, KEY_OCTETS) && !blob.failed &&
           reader_left(&blob) == 0;
}

void journal_signer_text(char out[JOURNAL_KEY_TEXT_MAX], const struct journal_signer *s)
{
    struct buf blob = BUF_INIT, text = BUF_INIT;

    put_signer(&blob, s);
    base64_encode(&text, blob.data, blob.len);
    (void)snprintf(out, JOURNAL_KEY_TEXT_MAX, ALGORITHM " %s", buf_cstr(&text));
    buf_free(&text);
    buf_free(&blob);
}

bool journal_signer_read(struct journal_signer *out, const char *text, size_t len)
{
    size_t n = strlen(ALGORITHM " ");
    struct buf blob = BUF_INIT;
    bool good = len > n && memcmp(text, ALGORITHM " ", n) == 0 &&
                base64_decode(&blob, text + n, len - n) &&
                take_signer(out, reader_of(blob.data, blob.len));

    buf_free(&blob);
    return good;
}

void journal_signer_fingerprint(char out[JOURNAL_FINGERPRINT_TEXT_MAX],
                                const struct journal_signer *s)
{
    struct buf blob = BUF_INIT, text = BUF_INIT;
    uint8_t hash[32];

    put_signer(&blob, s);
    sha256_bytes(hash, blob.data, blob.len);
    base64_encode(&text, hash, sizeof(hash));
    (void)snprintf(out, JOURNAL_FINGERPRINT_TEXT_MAX, "SHA256:%.*s", (int)text.len - 1,
                   (const char *)text.data); /* without the "=" */
    buf_free(&text);
    buf_free(&blob);
}

/* ---- Private keys ---- */

static enum err key_of_seed(struct journal_key **out, const uint8_t seed[KEY_OCTETS],
                            struct errinfo *e)
{
    struct journal_key *k = xcalloc(1, sizeof(*k));
    size_t n = KEY_OCTETS;

    memcpy(k->seed, seed, KEY_OCTETS);
    k->pkey = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, seed, KEY_OCTETS);
    if (!k->pkey || EVP_PKEY_get_raw_public_key(k->pkey, k->signer.id, &n) != 1) {
        journal_key_free(k);
        return err_set(ERR_UNSUPPORTED, e, "OpenSSL does not do Ed25519 here");
    }
    *out = k;
    return OK;
}

enum err journal_key_make(struct journal_key **out, struct errinfo *e)
{
    EVP_PKEY *pkey = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    uint8_t seed[KEY_OCTETS];
    size_t n = sizeof(seed);
    enum err rc;

    if (pkey && EVP_PKEY_get_raw_private_key(pkey, seed, &n) == 1 && n == sizeof(seed))
        rc = key_of_seed(out, seed, e);
    else
        rc = err_set(ERR_IO, e, "no key could be made: the system gives no random numbers");
    OPENSSL_cleanse(seed, sizeof(seed));
    EVP_PKEY_free(pkey);
    return rc;
}

void journal_key_free(struct journal_key *k)
{
    if (!k)
        return;
    EVP_PKEY_free(k->pkey);
    OPENSSL_cleanse(k, sizeof(*k));
    free(k);
}

struct journal_signer journal_key_signer(const struct journal_key *k)
{
    return k->signer;
}

static void wipe(struct buf *b)
{
    if (b->data)
        OPENSSL_cleanse(b->data, b->len);
    buf_free(b);
}

/* The check number is there to notice a wrong passphrase; without one any will do. */
static void put_private(struct buf *out, const struct journal_key *k, const char *comment)
{
    buf_reserve(out, 256 + strlen(comment)); /* no copy is left behind by a move */
    for (int i = 0; i < 2; i++)
        buf_put(out, k->signer.id, 4);
    put_signer(out, &k->signer);
    buf_u32(out, 2 * KEY_OCTETS);
    buf_put(out, k->seed, KEY_OCTETS);
    buf_put(out, k->signer.id, KEY_OCTETS);
    put_text(out, comment);
    for (uint8_t i = 1; out->len % BLOCK; i++)
        buf_u8(out, i);
}

void journal_key_write(struct buf *out, const struct journal_key *k, const char *comment)
{
    struct buf blob = BUF_INIT, public = BUF_INIT, private = BUF_INIT;

    put_private(&private, k, comment);
    put_signer(&public, &k->signer);
    buf_reserve(&blob, 256 + private.len);
    buf_put(&blob, KEY_MAGIC, sizeof(KEY_MAGIC));
    put_text(&blob, "none"); /* cipher */
    put_text(&blob, "none"); /* key derivation */
    put_text(&blob, "");
    buf_u32(&blob, 1);
    put_string(&blob, public.data, public.len);
    put_string(&blob, private.data, private.len);
    buf_reserve(out, 2 * blob.len + 256);
    put_armour(out, "OPENSSH PRIVATE KEY", &blob, "");
    wipe(&private);
    wipe(&blob);
    buf_free(&public);
}

/* From behind the key derivation on. */
static bool take_private(uint8_t seed[KEY_OCTETS], struct journal_signer *signer, struct reader *r)
{
    struct journal_signer again;
    struct reader part, algorithm, id, both;
    uint32_t check;

    if (read_u32(r) != 1 || !take_signer(signer, take_string(r)))
        return false;
    part = take_string(r);
    check = read_u32(&part);
    if (check != read_u32(&part))
        return false;
    algorithm = take_string(&part);
    id = take_string(&part);
    both = take_string(&part);
    if (!is_text(algorithm, ALGORITHM) || !take_octets(again.id, id, KEY_OCTETS) || both.failed ||
        reader_left(&both) != (size_t)2 * KEY_OCTETS)
        return false;
    memcpy(seed, both.msg + both.pos, KEY_OCTETS);
    return memcmp(again.id, signer->id, KEY_OCTETS) == 0 &&
           memcmp(both.msg + both.pos + KEY_OCTETS, signer->id, KEY_OCTETS) == 0;
}

static enum err read_blob(struct journal_key **out, struct reader r, struct errinfo *e)
{
    const uint8_t *magic = read_bytes(&r, sizeof(KEY_MAGIC));
    struct reader cipher = take_string(&r), derivation = take_string(&r), peek;
    struct journal_signer signer;
    uint8_t seed[KEY_OCTETS];
    enum err rc;

    (void)take_string(&r); /* options of the derivation */
    if (!magic || memcmp(magic, KEY_MAGIC, sizeof(KEY_MAGIC)) != 0 || r.failed)
        return err_set(ERR_FORMAT, e, "is not a private key of OpenSSH, or is damaged");
    if (!is_text(cipher, "none") || !is_text(derivation, "none"))
        return err_set(ERR_UNSUPPORTED, e,
                       "has a passphrase, which nobody could type in when the daemon starts "
                       "(ssh-keygen -p takes it off)");
    peek = r;
    (void)read_u32(&peek);
    peek = take_string(&peek);
    if (!peek.failed && !is_text(take_string(&peek), ALGORITHM))
        return err_set(ERR_UNSUPPORTED, e, "is not an Ed25519 key");
    if (!take_private(seed, &signer, &r))
        rc = err_set(ERR_FORMAT, e, "is damaged");
    else if ((rc = key_of_seed(out, seed, e)) == OK &&
             memcmp((*out)->signer.id, signer.id, KEY_OCTETS) != 0) {
        journal_key_free(*out);
        *out = NULL;
        rc = err_set(ERR_FORMAT, e, "is damaged: its halves do not belong together");
    }
    OPENSSL_cleanse(seed, sizeof(seed));
    return rc;
}

enum err journal_key_read(struct journal_key **out, const char *text, size_t len, struct errinfo *e)
{
    struct buf blob = BUF_INIT;
    enum err rc;

    buf_reserve(&blob, len);
    if (len > JOURNAL_KEY_FILE_MAX || !take_armour(&blob, "OPENSSH PRIVATE KEY", text, len))
        rc = err_set(ERR_FORMAT, e, "is not a private key of OpenSSH, or is damaged");
    else
        rc = read_blob(out, reader_of(blob.data, blob.len), e);
    wipe(&blob);
    return rc;
}

/* ---- Signatures ---- */

/* What is signed: the message's hash, and what it is for. */
static bool put_signed_data(struct buf *out, const void *message, size_t len)
{
    uint8_t hash[HASH_OCTETS];

    if (EVP_Digest(message, len, hash, NULL, EVP_sha512(), NULL) != 1)
        return false;
    buf_str(out, SIGNATURE_MAGIC);
    put_text(out, SIGN_NAMESPACE);
    put_text(out, ""); /* reserved */
    put_text(out, HASH);
    put_string(out, hash, sizeof(hash));
    return true;
}

static bool sign(uint8_t signature[SIGNATURE_OCTETS], const struct journal_key *k,
                 const struct buf *data)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    size_t n = SIGNATURE_OCTETS;
    bool good = ctx && EVP_DigestSignInit(ctx, NULL, NULL, NULL, k->pkey) == 1 &&
                EVP_DigestSign(ctx, signature, &n, data->data, data->len) == 1 &&
                n == SIGNATURE_OCTETS;

    EVP_MD_CTX_free(ctx);
    return good;
}

enum err sshsig_make(struct buf *out, const struct journal_key *k, const void *message, size_t len,
                     const char *line_start, struct errinfo *e)
{
    struct buf data = BUF_INIT, blob = BUF_INIT, inner = BUF_INIT, public = BUF_INIT;
    uint8_t signature[SIGNATURE_OCTETS];
    enum err rc = OK;

    if (!put_signed_data(&data, message, len) || !sign(signature, k, &data)) {
        rc = err_set(ERR_UNSUPPORTED, e, "OpenSSL could not sign a commit");
        goto out;
    }
    put_signer(&public, &k->signer);
    put_text(&inner, ALGORITHM);
    put_string(&inner, signature, sizeof(signature));
    buf_str(&blob, SIGNATURE_MAGIC);
    buf_u32(&blob, SIGNATURE_VERSION);
    put_string(&blob, public.data, public.len);
    put_text(&blob, SIGN_NAMESPACE);
    put_text(&blob, "");
    put_text(&blob, HASH);
    put_string(&blob, inner.data, inner.len);
    put_armour(out, "SSH SIGNATURE", &blob, line_start);
out:
    buf_free(&public);
    buf_free(&inner);
    buf_free(&blob);
    buf_free(&data);
    return rc;
}

/* The signer and the 64 octets; false for anything but what sshsig_make writes. */
static bool take_signature(struct journal_signer *signer, uint8_t signature[SIGNATURE_OCTETS],
                           struct reader r)
{
    const uint8_t *magic = read_bytes(&r, strlen(SIGNATURE_MAGIC));
    struct reader public, space, reserved, hash, inner, algorithm, octets;

    if (!magic || memcmp(magic, SIGNATURE_MAGIC, strlen(SIGNATURE_MAGIC)) != 0 ||
        read_u32(&r) != SIGNATURE_VERSION)
        return false;
    public = take_string(&r);
    space = take_string(&r);
    reserved = take_string(&r);
    hash = take_string(&r);
    inner = take_string(&r);
    if (r.failed || reader_left(&r) != 0 || !take_signer(signer, public) ||
        !is_text(space, SIGN_NAMESPACE) || !is_text(reserved, "") || !is_text(hash, HASH))
        return false;
    algorithm = take_string(&inner);
    octets = take_string(&inner);
    return is_text(algorithm, ALGORITHM) && take_octets(signature, octets, SIGNATURE_OCTETS) &&
           reader_left(&inner) == 0;
}

static bool verify(const struct journal_signer *s, const uint8_t signature[SIGNATURE_OCTETS],
                   const struct buf *data)
{
    EVP_PKEY *pkey = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, s->id, KEY_OCTETS);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    bool good = pkey && ctx && EVP_DigestVerifyInit(ctx, NULL, NULL, NULL, pkey) == 1 &&
                EVP_DigestVerify(ctx, signature, SIGNATURE_OCTETS, data->data, data->len) == 1;

    EVP_MD_CTX_free(ctx);
    EVP_PKEY_free(pkey);
    return good;
}

bool sshsig_check(struct journal_signer *by, bool *known_form, const char *armour,
                  size_t armour_len, const void *message, size_t len)
{
    struct buf blob = BUF_INIT, data = BUF_INIT;
    uint8_t signature[SIGNATURE_OCTETS];
    bool good = false;

    *known_form = take_armour(&blob, "SSH SIGNATURE", armour, armour_len) &&
                  take_signature(by, signature, reader_of(blob.data, blob.len));
    if (*known_form)
        good = put_signed_data(&data, message, len) && verify(by, signature, &data);
    buf_free(&data);
    buf_free(&blob);
    return good;
}
