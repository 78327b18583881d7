#include "lib/net/tls_server.h"

#include <openssl/err.h>
#include <openssl/rand.h>
#include <openssl/sha.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "lib/base/mem.h"
#include "lib/net/tls_internal.h"

struct tls_server {
    SSL_CTX *ctx;
    struct wall end;
};

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
    /* RFC 8446 C.4: clients use a ticket once, so each use brings the next one. */
    return result == 1 && (old || SSL_version(ssl) >= TLS1_3_VERSION) ? 2 : result;
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

/* ---- Clients' certificates ---- */

/* Who shows one that nobody vouches for is let in all the same: the pin may be known, and else it
 * gets what everybody gets. */
static int let_in(int ok, X509_STORE_CTX *x)
{
    (void)ok;
    (void)x;
    return 1;
}

/* A session is bound to what its client was checked by: the ticket of another configuration means a
 * full handshake. */
static enum err ask_clients(struct tls_server *s, const struct tls_server_spec *spec,
                            struct errinfo *e)
{
    uint8_t bound[SHA256_DIGEST_LENGTH] = {0};
    bool demand = spec->clients == CONFIG_CLIENTS_DEMANDED;
    enum err rc;

    if (spec->client_ca[0] &&
        (rc = tls_load_authorities(SSL_CTX_get_cert_store(s->ctx), "tls-client-ca", spec->client_ca,
                                   bound, e)))
        return rc;
    if (spec->clients != CONFIG_CLIENTS_NOT_ASKED)
        SSL_CTX_set_verify(s->ctx, SSL_VERIFY_PEER | (demand ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0),
                           demand && spec->client_ca[0] ? NULL : let_in);
    bound[0] ^= (uint8_t)spec->clients;
    if (SSL_CTX_set_session_id_context(s->ctx, bound, sizeof(bound)) != 1)
        return err_set(ERR_UNSUPPORTED, e, "OpenSSL cannot bind sessions: %s", tls_reason());
    return OK;
}

/* ---- The server ---- */

static bool set_rules(SSL_CTX *ctx, struct tls_tickets *tickets)
{
    /* Buffers only while they hold something: thousands of connections are idle. */
    (void)SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                                    SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_read_ahead(ctx, 1); /* one system call a record, not two */
    (void)SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    (void)SSL_CTX_set_timeout(ctx, TLS_TICKET_KEY_MS / 1000);
    (void)SSL_CTX_set_app_data(ctx, tickets);
    SSL_CTX_set_alpn_select_cb(ctx, on_alpn, NULL);
    return tls_set_server_rules(ctx) && SSL_CTX_set_tlsext_ticket_key_evp_cb(ctx, on_ticket) == 1;
}

static enum err find_end(struct tls_server *s, const char *path, struct errinfo *e)
{
    const X509 *leaf = SSL_CTX_get0_certificate(s->ctx);
    struct tm tm;

    if (!leaf || ASN1_TIME_to_tm(X509_get0_notAfter(leaf), &tm) != 1)
        return err_set(ERR_FORMAT, e, "tls-certificate %s: has no valid end", path);
    s->end.s = timegm(&tm);
    return OK;
}

enum err tls_server_new(struct tls_server **out, const struct tls_server_spec *spec,
                        struct tls_tickets *tickets, struct errinfo *e)
{
    struct tls_server *s = xcalloc(1, sizeof(*s));
    enum err rc = OK;

    ERR_clear_error();
    s->ctx = SSL_CTX_new(TLS_server_method());
    if (!s->ctx || !set_rules(s->ctx, tickets))
        rc = err_set(ERR_UNSUPPORTED, e, "OpenSSL cannot do TLS as we need it: %s", tls_reason());
    if (rc || (rc = tls_load_certificate(s->ctx, spec->certificate, e)) ||
        (rc = find_end(s, spec->certificate, e)) ||
        (rc = tls_load_key(s->ctx, spec->key, spec->certificate, e)) ||
        (rc = ask_clients(s, spec, e))) {
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

struct tls_stream *tls_stream_new(struct tls_server *s, int fd)
{
    return tls_stream_make(s->ctx, fd, NULL);
}
