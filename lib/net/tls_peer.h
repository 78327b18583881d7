/* The client's side of TLS as zone transfers use it (RFC 9103): one primary, how it is reached, and
 * how it is known.
 *
 * Strict: TLS 1.3 and ALPN "dot" or nothing; no early data. The primary is known by its certificate
 * (vouched for by the authorities, in force, for the host name), by the pin of its public key
 * (RFC 7858 4.2: then the certificate around it does not matter), or by both. Sessions are resumed
 * by tickets, each used once (RFC 8446 C.4).
 *
 * Counted, as the configuration is; a new configuration makes new ones, so that no session outlives
 * the rules that it was checked by. Threads: streams and their sessions are the loop's; references
 * may be dropped by any.
 */
#ifndef ZL_NET_TLS_PEER_H
#define ZL_NET_TLS_PEER_H

#include "lib/base/config.h"
#include "lib/net/tls_stream.h"

/* Authorities that were read, each file once however many primaries name it. */
struct tls_roots;
struct tls_roots *tls_roots_new(void);
void tls_roots_free(struct tls_roots *r); /* NULL is fine; peers live on */

/* The file of the system's authorities, for who names none. */
const char *tls_system_authorities(void);

struct tls_peer;

/* Reads the files that the items name. The text of an error names item and file. */
MUST_USE enum err tls_peer_new(struct tls_peer **out, const struct config_tls *how,
                               struct tls_roots *roots, struct errinfo *e);
struct tls_peer *tls_peer_ref(struct tls_peer *p);
void tls_peer_unref(struct tls_peer *p); /* NULL is fine */

/* The stream over a connected socket, to be shaken hands with. NULL if OpenSSL has no memory. */
struct tls_stream *tls_peer_stream(struct tls_peer *p, int fd);

#endif
