/* The server's side of TLS as DNS uses it (RFC 7858, RFC 8310, RFC 9103; hygiene by RFC 9325).
 *
 * TLS 1.3, and 1.2 with forward secrecy and AEAD ciphers alone; no compression, no renegotiation,
 * no early data. ALPN: "dot" or none; a client whose list lacks "dot" is refused. Sessions are
 * resumed by tickets (tls_tickets.h).
 *
 * Clients may be asked for a certificate. One that is demanded must be vouched for, if there are
 * authorities that could; one that is only accepted may be anything: tls_stream_identity says what
 * it is worth.
 *
 * A tls_server is immutable: a new certificate makes a new one, and streams of the old one live on.
 *
 * Threads: a server's streams may be made by any thread.
 */
#ifndef ZL_NET_TLS_SERVER_H
#define ZL_NET_TLS_SERVER_H

#include "lib/base/clock.h"
#include "lib/base/config.h"
#include "lib/net/tls_stream.h"
#include "lib/net/tls_tickets.h"

struct tls_server;

struct tls_server_spec {
    const char *certificate, *key;
    const char *client_ca; /* "": nobody vouches for clients */
    enum config_clients clients;
};

/* Reads the files, in PEM. `tickets` is lent until the last stream is gone. The text of an error
 * names the file: it is not there, is not PEM, has a password, belongs to another certificate, may
 * be read by everybody (ERR_DENIED), or is too weak. */
MUST_USE enum err tls_server_new(struct tls_server **out, const struct tls_server_spec *spec,
                                 struct tls_tickets *tickets, struct errinfo *e);
void tls_server_free(struct tls_server *s); /* NULL is fine */

/* When the certificate ends. */
struct wall tls_server_end(const struct tls_server *s);

/* NULL if OpenSSL has no memory. */
struct tls_stream *tls_stream_new(struct tls_server *s, int fd);

#endif
