/* One TLS connection over a non-blocking socket, whichever side we are on: tls_server.h and
 * tls_peer.h make them. The socket stays the caller's.
 *
 * Threads: a stream belongs to one. SIGPIPE must be ignored.
 */
#ifndef ZL_NET_TLS_STREAM_H
#define ZL_NET_TLS_STREAM_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/base/err.h"
#include "lib/net/tls_identity.h"

struct tls_stream;

enum tls_result {
    TLS_OK,
    TLS_WANT_READ,  /* call again when the socket is readable */
    TLS_WANT_WRITE, /* ... writable */
    TLS_CLOSED,     /* the peer has said good-bye */
    TLS_FAILED,     /* the connection is of no more use */
};

void tls_stream_free(struct tls_stream *t); /* NULL is fine; leaves the socket open */

/* TLS_OK: the connection stands, and the other side is who it shall be. `e` says what was wrong
 * with TLS_FAILED. */
enum tls_result tls_stream_handshake(struct tls_stream *t, struct errinfo *e);
/* Was the session resumed? After the handshake. */
bool tls_stream_resumed(const struct tls_stream *t);
/* "TLSv1.3" */
const char *tls_stream_version(const struct tls_stream *t);
/* May zones go over it (RFC 9103 7.1, 7.2)? TLS 1.3 or later, and ALPN "dot" agreed to. After the
 * handshake. */
bool tls_stream_is_xot(const struct tls_stream *t);
/* What the client has shown; a server's side, after the handshake. */
void tls_stream_identity(const struct tls_stream *t, struct tls_identity *out);

/* At most cap octets; *n with TLS_OK only. */
enum tls_result tls_stream_read(struct tls_stream *t, void *buf, size_t cap, size_t *n);
/* May there be more to read though the socket is not readable? */
bool tls_stream_holds_input(const struct tls_stream *t);
/* May take a part. When it took nothing, the same octets must come first next time. */
enum tls_result tls_stream_write(struct tls_stream *t, const void *p, size_t len, size_t *n);
/* What was wrong, after TLS_FAILED of any call. */
void tls_stream_explain(const struct tls_stream *t, struct errinfo *e);
/* Says good-bye (close_notify) if the connection stands; never waits. */
void tls_stream_close(struct tls_stream *t);

#endif
