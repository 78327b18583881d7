/* The server's side of TLS as DNS uses it (RFC 7858, RFC 8310, RFC 9103; hygiene by RFC 9325).
 *
 * TLS 1.3, and 1.2 with forward secrecy and AEAD ciphers alone; no compression, no renegotiation,
 * no early data. ALPN: "dot" or none; a client whose list lacks "dot" is refused. Sessions are
 * resumed by tickets (tls_tickets.h).
 *
 * A tls_server is immutable: a new certificate makes a new one, and streams of the old one live on.
 * A tls_stream is one connection over a non-blocking socket, which stays the caller's.
 *
 * Threads: a server's streams may be made by any thread; each stream belongs to one. SIGPIPE must
 * be ignored.
 */
#ifndef ZL_NET_TLS_SERVER_H
#define ZL_NET_TLS_SERVER_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/base/clock.h"
#include "lib/base/err.h"
#include "lib/net/tls_tickets.h"

struct tls_server;
struct tls_stream;

/* Reads both files, in PEM. `tickets` is lent until the last stream is gone. The text of an error
 * names the file: it is not there, is not PEM, has a password, belongs to another certificate, may
 * be read by everybody (ERR_DENIED), or is too weak. */
MUST_USE enum err tls_server_new(struct tls_server **out, const char *certificate_path,
                                 const char *key_path, struct tls_tickets *tickets,
                                 struct errinfo *e);
void tls_server_free(struct tls_server *s); /* NULL is fine */

/* When the certificate ends. */
struct wall tls_server_end(const struct tls_server *s);

enum tls_result {
    TLS_OK,
    TLS_WANT_READ,  /* call again when the socket is readable */
    TLS_WANT_WRITE, /* ... writable */
    TLS_CLOSED,     /* the peer has said good-bye */
    TLS_FAILED,     /* the connection is of no more use */
};

/* NULL if OpenSSL has no memory. */
struct tls_stream *tls_stream_new(struct tls_server *s, int fd);
void tls_stream_free(struct tls_stream *t); /* NULL is fine; leaves the socket open */

/* TLS_OK: the connection stands. `e` says what was wrong with TLS_FAILED. */
enum tls_result tls_stream_handshake(struct tls_stream *t, struct errinfo *e);
/* Was the session resumed? After the handshake. */
bool tls_stream_resumed(const struct tls_stream *t);
/* "TLSv1.3" */
const char *tls_stream_version(const struct tls_stream *t);
/* TLS 1.3 or later. */
bool tls_stream_is_13(const struct tls_stream *t);

/* At most cap octets; *n with TLS_OK only. */
enum tls_result tls_stream_read(struct tls_stream *t, void *buf, size_t cap, size_t *n);
/* May there be more to read though the socket is not readable? */
bool tls_stream_holds_input(const struct tls_stream *t);
/* May take a part. When it took nothing, the same octets must come first next time. */
enum tls_result tls_stream_write(struct tls_stream *t, const void *p, size_t len, size_t *n);
/* Says good-bye (close_notify) if the connection stands; never waits. */
void tls_stream_close(struct tls_stream *t);

#endif
