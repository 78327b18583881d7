/* TLS under libevent's HTTP server: certificate, handshakes, and who may stay how long.
 *
 * libevent hands a new connection over without saying who it is, and has no limit to how long a
 * client may take: so each connection is looked at as soon as it has its socket, and is cut after
 * its time unless something trustworthy has come by it.
 *
 * Threads: the loop's.
 */
#ifndef ZL_NET_TLS_HTTP_H
#define ZL_NET_TLS_HTTP_H

#include <event2/bufferevent.h>
#include <event2/event.h>

#include "lib/base/addr.h"

#define TLS_HTTP_CONNECTIONS 64 /* at the same time */
#define TLS_HTTP_PER_SOURCE 16  /* from one IPv4 address or IPv6 /64 */
#define TLS_HTTP_PATIENCE_S 20  /* for a stranger */

struct tls_http_ops {
    /* May somebody from there connect? */
    bool (*admits)(void *ctx, const struct addr *from);
    /* There is room for another connection now, or there is none. */
    void (*room)(void *ctx, bool is);
    void *ctx;
};

struct tls_http;

struct tls_http *tls_http_new(const struct tls_http_ops *ops);
/* Its connections live on until libevent frees them. NULL is fine. */
void tls_http_free(struct tls_http *t);

/* New connections show this certificate; files in PEM. The text of an error names the item and the
 * file, as tls_server_new's does; what was in force stays then. */
MUST_USE enum err tls_http_load(struct tls_http *t, const char *certificate, const char *key,
                                struct errinfo *e);

/* Could it? For a configuration that is not in force yet. */
MUST_USE enum err tls_http_check(const char *certificate, const char *key, struct errinfo *e);

/* For evhttp_set_bevcb: what carries the next connection. Never NULL. */
struct bufferevent *tls_http_accept(struct event_base *base, void *tls_http);

/* Whoever is at the other end may stay from now on. */
void tls_http_trust(struct bufferevent *bev);

#endif
