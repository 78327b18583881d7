#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/sha.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/base/mem.h"
#include "lib/base/secret_file.h"
#include "lib/net/tls_internal.h"

#define KEY_FILE_MAX 65536
#define AUTHORITIES_MAX 4194304 /* octets; the system's have some 220,000 */

/* TLS 1.2: ECDHE and AEAD (RFC 9325 4.2); TLS 1.3 has nothing else. */
#define CIPHERS_12 "ECDHE+AESGCM:ECDHE+CHACHA20"

bool tls_set_server_rules(SSL_CTX *ctx)
{
    (void)SSL_CTX_set_options(ctx, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION |
                                       SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
    return SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) == 1 &&
           SSL_CTX_set_max_proto_version(ctx, 0) == 1 &&
           SSL_CTX_set_cipher_list(ctx, CIPHERS_12) == 1 &&
           SSL_CTX_set1_groups_list(ctx, TLS_GROUPS) == 1 &&
           SSL_CTX_set_max_early_data(ctx, 0) == 1 && SSL_CTX_set_recv_max_early_data(ctx, 0) == 1;
}

/* ---- Certificate and key ---- */

/* A key with a password is refused; OpenSSL would ask for it on the terminal. */
static int no_password(char *buf, int size, int writing, void *ctx)
{
    (void)buf;
    (void)size;
    (void)writing;
    (void)ctx;
    return -1;
}

enum err tls_load_certificate(SSL_CTX *ctx, const char *path, struct errinfo *e)
{
    if (access(path, R_OK) != 0)
        return err_sys(errno, e, "tls-certificate %s", path);
    if (SSL_CTX_use_certificate_chain_file(ctx, path) != 1)
        return err_set(ERR_FORMAT, e, "tls-certificate %s: %s", path, tls_reason());
    return OK;
}

static enum err parse_key(EVP_PKEY **out, const char *path, struct errinfo *e)
{
    char *text = xmalloc(KEY_FILE_MAX);
    BIO *bio = NULL;
    size_t len = 0;
    enum err rc = secret_file_read(text, KEY_FILE_MAX, &len, path, true, e);

    if (rc == OK) {
        bio = BIO_new_mem_buf(text, (int)len);
        *out = bio ? PEM_read_bio_PrivateKey(bio, NULL, no_password, NULL) : NULL;
        if (!*out)
            rc = err_set(ERR_FORMAT, e, "holds no private key without a password in PEM");
    }
    BIO_free(bio);
    OPENSSL_cleanse(text, KEY_FILE_MAX);
    free(text);
    return rc;
}

enum err tls_load_key(SSL_CTX *ctx, const char *path, const char *certificate_path,
                      struct errinfo *e)
{
    EVP_PKEY *key = NULL;
    enum err rc = parse_key(&key, path, e);

    if (rc)
        return err_wrap(rc, e, "tls-key %s", path);
    if (X509_check_private_key(SSL_CTX_get0_certificate(ctx), key) != 1)
        rc = err_set(ERR_FORMAT, e, "tls-key %s: does not belong to the certificate %s", path,
                     certificate_path);
    else if (SSL_CTX_use_PrivateKey(ctx, key) != 1)
        rc = err_set(ERR_FORMAT, e, "tls-key %s: %s", path, tls_reason());
    EVP_PKEY_free(key);
    return rc;
}

/* ---- Authorities ---- */

static enum err read_whole(struct buf *out, const char *path, struct errinfo *e)
{
    BIO *f = BIO_new_file(path, "r");
    enum err rc = OK;
    int n = 0;

    if (!f)
        return err_sys(errno, e, "cannot be opened");
    do {
        uint8_t *at = buf_space(out, 65536);

        n = BIO_read(f, at, 65536);
        out->len -= 65536 - (size_t)(n > 0 ? n : 0);
        if (out->len > AUTHORITIES_MAX)
            rc = err_set(ERR_LIMIT, e, "has more than %d octets", AUTHORITIES_MAX);
    } while (n > 0 && rc == OK);
    if (n < 0)
        rc = err_sys(errno, e, "cannot be read");
    BIO_free(f);
    return rc;
}

/* How many there were; -1: one of them is broken. */
static int add_certificates(X509_STORE *out, const struct buf *text)
{
    BIO *bio = BIO_new_mem_buf(text->data, (int)text->len);
    unsigned long last;
    X509 *x;
    int n = 0;

    while (bio && (x = PEM_read_bio_X509_AUX(bio, NULL, no_password, NULL))) {
        n += X509_STORE_add_cert(out, x);
        X509_free(x);
    }
    BIO_free(bio);
    last = ERR_peek_last_error();
    ERR_clear_error();
    return ERR_GET_LIB(last) == ERR_LIB_PEM && ERR_GET_REASON(last) == PEM_R_NO_START_LINE ? n : -1;
}

enum err tls_load_authorities(X509_STORE *out, const char *item, const char *path, uint8_t *sha256,
                              struct errinfo *e)
{
    struct buf text = BUF_INIT;
    enum err rc = read_whole(&text, path, e);

    ERR_clear_error();
    if (rc == OK && (!text.len || add_certificates(out, &text) < 1))
        rc = err_set(ERR_FORMAT, e, "is not a list of certificates in PEM");
    if (rc == OK && sha256)
        (void)SHA256(text.data, text.len, sha256);
    buf_free(&text);
    return rc ? err_wrap(rc, e, "%s %s", item, path) : OK;
}

bool tls_pin_of(uint8_t out[TLS_PIN_OCTETS], const X509 *x)
{
    unsigned char *der = NULL;
    int n = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(x), &der);

    if (n > 0)
        (void)SHA256(der, (size_t)n, out);
    OPENSSL_free(der);
    return n > 0;
}
