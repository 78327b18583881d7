#include "lib/net/tls_http.h"

#include <event2/bufferevent_ssl.h>
#include <openssl/err.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "lib/base/mem.h"
#include "lib/net/tls_internal.h"

/* One for each connection; it ends with OpenSSL's object, which ends with libevent's. */
struct conn {
    struct conn *next, **link; /* what points to it */
    struct tls_http *owner;    /* NULL: that is gone */
    SSL *ssl;
    struct event *timer; /* first at once, to see who it is; then when its time is up */
    struct addr from;    /* family 0: not seen yet */
};

struct tls_http {
    struct tls_http_ops ops;
    SSL_CTX *ctx;
    struct conn *conns;
    unsigned open;
};

static pthread_once_t once = PTHREAD_ONCE_INIT;
static int conn_index;

static void conn_done(struct conn *c)
{
    if (c->timer)
        event_free(c->timer);
    c->timer = NULL;
    if (!c->owner)
        return;
    *c->link = c->next;
    if (c->next)
        c->next->link = c->link;
    if (c->owner->open-- == TLS_HTTP_CONNECTIONS)
        c->owner->ops.room(c->owner->ops.ctx, true);
    c->owner = NULL;
}

static void on_ssl_free(void *ssl, void *conn, CRYPTO_EX_DATA *data, int index, long argl,
                        void *argp)
{
    struct conn *c = conn;

    (void)ssl;
    (void)data;
    (void)index;
    (void)argl;
    (void)argp;
    if (!c)
        return;
    conn_done(c);
    free(c);
}

static void make_index(void)
{
    conn_index = SSL_get_ex_new_index(0, NULL, NULL, NULL, on_ssl_free);
    if (conn_index < 0)
        abort(); /* no memory */
}

/* RFC 7301: HTTP/1.1 is all we speak; a client that lists protocols must list it. */
static int on_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_len,
                   const unsigned char *in, unsigned in_len, void *ctx)
{
    static const unsigned char http[] = {8, 'h', 't', 't', 'p', '/', '1', '.', '1'};
    unsigned char *chosen = NULL;

    (void)ssl;
    (void)ctx;
    if (SSL_select_next_proto(&chosen, out_len, http, sizeof(http), in, in_len) !=
        OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    *out = chosen;
    return SSL_TLSEXT_ERR_OK;
}

struct tls_http *tls_http_new(const struct tls_http_ops *ops)
{
    struct tls_http *t = xcalloc(1, sizeof(*t));

    (void)pthread_once(&once, make_index);
    t->ops = *ops;
    return t;
}

void tls_http_free(struct tls_http *t)
{
    if (!t)
        return;
    for (struct conn *c = t->conns; c; c = c->next) {
        c->owner = NULL;
        conn_done(c);
    }
    SSL_CTX_free(t->ctx);
    free(t);
}

static enum err make_ctx(SSL_CTX **out, const char *certificate, const char *key, struct errinfo *e)
{
    SSL_CTX *ctx;
    enum err rc = OK;

    ERR_clear_error();
    ctx = SSL_CTX_new(TLS_server_method());
    if (!ctx || !tls_set_server_rules(ctx))
        rc = err_set(ERR_UNSUPPORTED, e, "OpenSSL cannot do TLS as we need it: %s", tls_reason());
    if (rc || (rc = tls_load_certificate(ctx, certificate, e)) ||
        (rc = tls_load_key(ctx, key, certificate, e))) {
        SSL_CTX_free(ctx);
        ERR_clear_error();
        return rc;
    }
    (void)SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    (void)SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET); /* the clients are few */
    SSL_CTX_set_alpn_select_cb(ctx, on_alpn, NULL);
    *out = ctx;
    return OK;
}

enum err tls_http_load(struct tls_http *t, const char *certificate, const char *key,
                       struct errinfo *e)
{
    SSL_CTX *ctx = NULL;
    enum err rc = make_ctx(&ctx, certificate, key, e);

    if (rc)
        return rc;
    SSL_CTX_free(t->ctx);
    t->ctx = ctx;
    return OK;
}

enum err tls_http_check(const char *certificate, const char *key, struct errinfo *e)
{
    SSL_CTX *ctx = NULL;
    enum err rc = make_ctx(&ctx, certificate, key, e);

    SSL_CTX_free(ctx);
    return rc;
}

/* ---- Connections ---- */

/* libevent sees the end of the connection, and frees it. */
static void cut(const struct conn *c)
{
    int fd = SSL_get_fd(c->ssl);

    if (fd >= 0)
        (void)shutdown(fd, SHUT_RDWR);
}

static bool same_source(const struct addr *a, const struct addr *b)
{
    return a->family == b->family && memcmp(a->ip, b->ip, a->family == 6 ? 8 : 4) == 0;
}

static bool may_stay(struct conn *c)
{
    struct sockaddr_storage ss;
    socklen_t len = sizeof(ss);
    unsigned n = 0;

    if (getpeername(SSL_get_fd(c->ssl), (struct sockaddr *)&ss, &len) != 0 ||
        !addr_from_sockaddr(&c->from, (struct sockaddr *)&ss))
        return false;
    for (const struct conn *other = c->owner->conns; other; other = other->next)
        n += other->from.family != 0 && same_source(&other->from, &c->from);
    return n <= TLS_HTTP_PER_SOURCE && c->owner->ops.admits(c->owner->ops.ctx, &c->from);
}

static void on_timer(evutil_socket_t fd, short what, void *ctx)
{
    static const struct timeval patience = {.tv_sec = TLS_HTTP_PATIENCE_S};
    struct conn *c = ctx;

    (void)fd;
    (void)what;
    if (c->from.family != 0 || !may_stay(c) || event_add(c->timer, &patience) != 0)
        cut(c);
}

struct bufferevent *tls_http_accept(struct event_base *base, void *tls_http)
{
    static const struct timeval at_once = {.tv_sec = 0};
    struct tls_http *t = tls_http;
    struct conn *c = xcalloc(1, sizeof(*c));
    struct bufferevent *bev = NULL;

    c->ssl = SSL_new(t->ctx);
    c->timer = evtimer_new(base, on_timer, c);
    if (c->ssl && c->timer && SSL_set_ex_data(c->ssl, conn_index, c) == 1)
        bev = bufferevent_openssl_socket_new(base, -1, c->ssl, BUFFEREVENT_SSL_ACCEPTING,
                                             BEV_OPT_CLOSE_ON_FREE);
    if (!bev || event_add(c->timer, &at_once) != 0)
        abort(); /* no memory; libevent would go on without TLS */
    /* Many clients close without saying so. */
    bufferevent_openssl_set_allow_dirty_shutdown(bev, 1);
    c->owner = t;
    c->next = t->conns;
    c->link = &t->conns;
    if (c->next)
        c->next->link = &c->next;
    t->conns = c;
    if (++t->open == TLS_HTTP_CONNECTIONS)
        t->ops.room(t->ops.ctx, false);
    return bev;
}

void tls_http_trust(struct bufferevent *bev)
{
    SSL *ssl = bufferevent_openssl_get_ssl(bev);
    struct conn *c = ssl ? SSL_get_ex_data(ssl, conn_index) : NULL;

    if (c && c->timer)
        (void)event_del(c->timer);
}
