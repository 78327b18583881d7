#include "lib/net/tls_server.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "lib/base/mem.h"
#include "lib/base/secret_file.h"

#define KEY_FILE_MAX 65536

/* TLS 1.2: ECDHE and AEAD (RFC 9325 4.2); TLS 1.3 has nothing else. */
#define CIPHERS_12 "ECDHE+AESGCM:ECDHE+CHACHA20"
#define GROUPS "X25519:P-256:P-384"

struct tls_server {
    SSL_CTX *ctx;
    struct wall end;
};

struct tls_stream {
    SSL *ssl;
    bool stands; /* the handshake is over, and nothing has failed since */
};

/* ---- Errors ---- */

/* OpenSSL's reason for what just failed. */
static const char *reason(void)
{
    unsigned long code = ERR_peek_last_error();
    const char *text = code ? ERR_reason_error_string(code) : NULL;

    return text ? text : "OpenSSL gives no reason";
}

/* ---- Tickets ---- */

/* OpenSSL asks for the key to seal (seal != 0) or to open a ticket with. Its answers: 1, 2 (open,
 * but send a new ticket), 0 (unknown: a full handshake follows), -1 (failed). */
static int on_ticket(SSL *ssl, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher,
                     EVP_MAC_CTX *mac, int seal)
{
    struct tls_tickets *t = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
    struct tls_ticket_key key = {.name = {0}};
    OSSL_PARAM params[3];
    bool old = false;
    int result = 1;

    if (seal) {
        tls_tickets_newest(t, &key);
        memcpy(name, key.name, sizeof(key.name));
        if (RAND_bytes(iv, EVP_CIPHER_get_iv_length(EVP_aes_256_cbc())) != 1)
            result = -1;
    } else if (!tls_tickets_find(t, name, &key, &old)) {
        return 0;
    }
    params[0] = OSSL_PARAM_construct_octet_string("key", key.mac, sizeof(key.mac));
    params[1] = OSSL_PARAM_construct_utf8_string("digest", (char[]){"sha256"}, 0);
    params[2] = OSSL_PARAM_construct_end();
    if (result == 1 &&
        (EVP_CipherInit_ex(cipher, EVP_aes_256_cbc(), NULL, key.cipher, iv, seal) != 1 ||
         EVP_MAC_CTX_set_params(mac, params) != 1))
        result = -1;
    OPENSSL_cleanse(&key, sizeof(key));
    return result == 1 && old ? 2 : result;
}

/* ---- ALPN ---- */

/* RFC 7301 3.2: without a protocol in common, the handshake fails with no_application_protocol. */
static int on_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_len,
                   const unsigned char *in, unsigned in_len, void *ctx)
{
    static const unsigned char dot[] = {3, 'd', 'o', 't'};
    unsigned char *chosen = NULL;

    (void)ssl;
    (void)ctx;
    if (SSL_select_next_proto(&chosen, out_len, dot, sizeof(dot), in, in_len) !=
        OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    *out = chosen;
    return SSL_TLSEXT_ERR_OK;
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

static enum err load_certificate(struct tls_server *s, const char *path, struct errinfo *e)
{
    struct tm tm;
    X509 *leaf;

    if (access(path, R_OK) != 0)
        return err_sys(errno, e, "tls-certificate %s", path);
    if (SSL_CTX_use_certificate_chain_file(s->ctx, path) != 1)
        return err_set(ERR_FORMAT, e, "tls-certificate %s: %s", path, reason());
    leaf = SSL_CTX_get0_certificate(s->ctx);
    if (!leaf || ASN1_TIME_to_tm(X509_get0_notAfter(leaf), &tm) != 1)
        return err_set(ERR_FORMAT, e, "tls-certificate %s: has no valid end", path);
    s->end.s = timegm(&tm);
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

static enum err load_key(struct tls_server *s, const char *path, const char *certificate_path,
                         struct errinfo *e)
{
    EVP_PKEY *key = NULL;
    enum err rc = parse_key(&key, path, e);

    if (rc)
        return err_wrap(rc, e, "tls-key %s", path);
    if (X509_check_private_key(SSL_CTX_get0_certificate(s->ctx), key) != 1)
        rc = err_set(ERR_FORMAT, e, "tls-key %s: does not belong to the certificate %s", path,
                     certificate_path);
    else if (SSL_CTX_use_PrivateKey(s->ctx, key) != 1)
        rc = err_set(ERR_FORMAT, e, "tls-key %s: %s", path, reason());
    EVP_PKEY_free(key);
    return rc;
}

/* ---- The server ---- */

static bool set_rules(SSL_CTX *ctx, struct tls_tickets *tickets)
{
    static const unsigned char context[] = "zoneledger";

    (void)SSL_CTX_set_options(ctx, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION |
                                       SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
    /* Buffers only while they hold something: thousands of connections are idle. */
    (void)SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                                    SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_read_ahead(ctx, 1); /* one system call a record, not two */
    (void)SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    (void)SSL_CTX_set_timeout(ctx, TLS_TICKET_KEY_MS / 1000);
    (void)SSL_CTX_set_app_data(ctx, tickets);
    SSL_CTX_set_alpn_select_cb(ctx, on_alpn, NULL);
    return SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) == 1 &&
           SSL_CTX_set_max_proto_version(ctx, 0) == 1 &&
           SSL_CTX_set_cipher_list(ctx, CIPHERS_12) == 1 &&
           SSL_CTX_set1_groups_list(ctx, GROUPS) == 1 &&
           SSL_CTX_set_session_id_context(ctx, context, sizeof(context) - 1) == 1 &&
           SSL_CTX_set_tlsext_ticket_key_evp_cb(ctx, on_ticket) == 1 &&
           SSL_CTX_set_max_early_data(ctx, 0) == 1 && SSL_CTX_set_recv_max_early_data(ctx, 0) == 1;
}

enum err tls_server_new(struct tls_server **out, const char *certificate_path, const char *key_path,
                        struct tls_tickets *tickets, struct errinfo *e)
{
    struct tls_server *s = xcalloc(1, sizeof(*s));
    enum err rc = OK;

    ERR_clear_error();
    s->ctx = SSL_CTX_new(TLS_server_method());
    if (!s->ctx || !set_rules(s->ctx, tickets))
        rc = err_set(ERR_UNSUPPORTED, e, "OpenSSL cannot do TLS as we need it: %s", reason());
    if (rc || (rc = load_certificate(s, certificate_path, e)) ||
        (rc = load_key(s, key_path, certificate_path, e))) {
        tls_server_free(s);
        ERR_clear_error();
        return rc;
    }
    *out = s;
    return OK;
}

void tls_server_free(struct tls_server *s)
{
    if (!s)
        return;
    SSL_CTX_free(s->ctx);
    free(s);
}

struct wall tls_server_end(const struct tls_server *s)
{
    return s->end;
}

/* ---- One connection ---- */

struct tls_stream *tls_stream_new(struct tls_server *s, int fd)
{
    struct tls_stream *t = xcalloc(1, sizeof(*t));

    ERR_clear_error();
    t->ssl = SSL_new(s->ctx);
    if (!t->ssl || SSL_set_fd(t->ssl, fd) != 1) {
        tls_stream_free(t);
        return NULL;
    }
    SSL_set_accept_state(t->ssl);
    return t;
}

void tls_stream_free(struct tls_stream *t)
{
    if (!t)
        return;
    SSL_free(t->ssl);
    free(t);
}

/* What a call that gave `ret` means; a failure ends the stream. */
static enum tls_result outcome(struct tls_stream *t, int ret)
{
    int what = SSL_get_error(t->ssl, ret);

    switch (what) {
    case SSL_ERROR_NONE:
        return TLS_OK;
    case SSL_ERROR_WANT_READ:
        return TLS_WANT_READ;
    case SSL_ERROR_WANT_WRITE:
        return TLS_WANT_WRITE;
    case SSL_ERROR_ZERO_RETURN:
        return TLS_CLOSED;
    default:
        t->stands = false;
        return TLS_FAILED;
    }
}

enum tls_result tls_stream_handshake(struct tls_stream *t, struct errinfo *e)
{
    enum tls_result r;

    ERR_clear_error();
    r = outcome(t, SSL_do_handshake(t->ssl));
    t->stands = r == TLS_OK;
    if (r == TLS_FAILED)
        (void)err_set(ERR_AUTH, e, "%s", ERR_peek_last_error() ? reason() : "the client went away");
    return r;
}

bool tls_stream_resumed(const struct tls_stream *t)
{
    return SSL_session_reused(t->ssl) == 1;
}

const char *tls_stream_version(const struct tls_stream *t)
{
    return SSL_get_version(t->ssl);
}

bool tls_stream_is_13(const struct tls_stream *t)
{
    return SSL_version(t->ssl) >= TLS1_3_VERSION;
}

enum tls_result tls_stream_read(struct tls_stream *t, void *buf, size_t cap, size_t *n)
{
    ERR_clear_error();
    return outcome(t, SSL_read_ex(t->ssl, buf, cap, n));
}

bool tls_stream_holds_input(const struct tls_stream *t)
{
    return SSL_has_pending(t->ssl) == 1;
}

enum tls_result tls_stream_write(struct tls_stream *t, const void *p, size_t len, size_t *n)
{
    ERR_clear_error();
    return outcome(t, SSL_write_ex(t->ssl, p, len, n));
}

void tls_stream_close(struct tls_stream *t)
{
    if (!t->stands)
        return;
    t->stands = false;
    ERR_clear_error();
    (void)SSL_shutdown(t->ssl);
    ERR_clear_error();
}
