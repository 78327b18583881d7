/* What the files of TLS share; OpenSSL's types go no further than here. */
#ifndef ZL_NET_TLS_INTERNAL_H
#define ZL_NET_TLS_INTERNAL_H

#include <openssl/ssl.h>
#include <openssl/x509.h>

#include "lib/net/tls_peer.h"
#include "lib/net/tls_stream.h"

#define TLS_GROUPS "X25519:P-256:P-384"

struct tls_stream {
    SSL *ssl;
    bool stands;           /* the handshake is over, and nothing has failed since */
    struct tls_peer *peer; /* whom we called, a reference; NULL: we were called */
    unsigned long failure; /* OpenSSL's code of what failed, 0: none */
    int failure_errno;
    char *why; /* what the check of the peer found; NULL: nothing */
};

/* Over a socket; NULL if OpenSSL has no memory. Takes the reference to `peer`. */
struct tls_stream *tls_stream_make(SSL_CTX *ctx, int fd, struct tls_peer *peer);

/* OpenSSL's reason for what just failed. */
const char *tls_reason(void);

/* ---- tls_files.c ---- */

/* What every server of ours does: versions, ciphers, groups; no early data. */
bool tls_set_server_rules(SSL_CTX *ctx);

/* The certificate and what follows it to the root, and its key, both in PEM. The text of an error
 * names the item and the file. */
MUST_USE enum err tls_load_certificate(SSL_CTX *ctx, const char *path, struct errinfo *e);
MUST_USE enum err tls_load_key(SSL_CTX *ctx, const char *path, const char *certificate_path,
                               struct errinfo *e);
/* All certificates of a file, in PEM, at least one. *sha256, unless NULL, is that of the file.
 * `item` is for the text of an error. */
MUST_USE enum err tls_load_authorities(X509_STORE *out, const char *item, const char *path,
                                       uint8_t *sha256, struct errinfo *e);

/* SHA-256 of the public key (SubjectPublicKeyInfo). */
bool tls_pin_of(uint8_t out[TLS_PIN_OCTETS], const X509 *x);

/* ---- tls_peer.c ---- */

/* The handshake is over: is it as it shall be? If not, *e says why. */
bool tls_peer_accepts(struct tls_stream *t, struct errinfo *e);
/* What failed, in words for whoever called. */
void tls_peer_explain(const struct tls_stream *t, struct errinfo *e);

#endif
