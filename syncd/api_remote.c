#include "syncd/api_remote.h"

#include <errno.h>
#include <event2/listener.h>
#include <openssl/rand.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/api_key.h"
#include "lib/base/hash.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/net/tls_http.h"

#define HEADERS_MAX 16384 /* octets */
#define BODY_MAX (2 << 20)
#define IDLE_S 60
#define BACKLOG 64

/* Wrong keys: so many at once from one address or IPv6 /64, then one each so often. Sources that
 * share a slot share that. */
#define TRIES 10
#define TRY_MS 6000
#define SLOTS 1024

struct listener {
    struct addr at;
    struct evhttp_bound_socket *bound;
};

struct api_remote {
    struct loop *loop;
    struct evhttp *http;
    struct tls_http *tls;
    struct config *config;
    struct listener *listeners;
    size_t listener_count;
    uint8_t hash_key[16];
    int64_t wrong_until[SLOTS]; /* each wrong key takes TRY_MS, paid from now on; ms */
};

/* ---- Connections ---- */

static bool admits(void *ctx, const struct addr *from)
{
    const struct api_remote *r = ctx;

    for (size_t i = 0; i < r->config->api_key_count; i++) {
        const struct config_api_key *k = &r->config->api_keys[i];

        if (!k->from_count || addr_in_prefixes(from, k->from, k->from_count))
            return true;
    }
    return false;
}

static void on_room(void *ctx, bool is)
{
    struct api_remote *r = ctx;

    for (size_t i = 0; i < r->listener_count; i++) {
        struct evconnlistener *l = evhttp_bound_socket_get_listener(r->listeners[i].bound);

        (void)(is ? evconnlistener_enable(l) : evconnlistener_disable(l));
    }
}

struct api_remote *api_remote_new(struct loop *loop,
                                  void (*on_request)(struct evhttp_request *, void *), void *ctx)
{
    struct api_remote *r = xcalloc(1, sizeof(*r));
    struct tls_http_ops ops = {.admits = admits, .room = on_room, .ctx = r};

    r->loop = loop;
    r->http = evhttp_new(loop_base(loop));
    if (!r->http || RAND_bytes(r->hash_key, sizeof(r->hash_key)) != 1)
        abort(); /* no memory */
    r->tls = tls_http_new(&ops);
    evhttp_set_bevcb(r->http, tls_http_accept, r->tls);
    evhttp_set_allowed_methods(r->http, EVHTTP_REQ_GET | EVHTTP_REQ_PUT | EVHTTP_REQ_POST |
                                            EVHTTP_REQ_PATCH | EVHTTP_REQ_DELETE);
    evhttp_set_max_headers_size(r->http, HEADERS_MAX);
    evhttp_set_max_body_size(r->http, BODY_MAX);
    evhttp_set_timeout(r->http, IDLE_S);
    evhttp_set_gencb(r->http, on_request, ctx);
    return r;
}

void api_remote_free(struct api_remote *r)
{
    if (!r)
        return;
    r->listener_count = 0; /* these go first, and then nobody needs to know of room */
    evhttp_free(r->http);
    tls_http_free(r->tls);
    config_unref(r->config);
    free(r->listeners);
    free(r);
}

/* ---- Where it listens ---- */

static bool listens_at(const struct api_remote *r, const struct addr *at)
{
    for (size_t i = 0; i < r->listener_count; i++) {
        if (addr_eq(&r->listeners[i].at, at))
            return true;
    }
    return false;
}

static enum err add(struct api_remote *r, const struct addr *at, struct errinfo *e)
{
    struct sockaddr_storage ss;
    socklen_t len = addr_to_sockaddr(&ss, at);
    struct listener *l;
    struct evconnlistener *el;
    char text[ADDR_TEXT_MAX];

    addr_to_text(text, at);
    el = evconnlistener_new_bind(loop_base(r->loop), NULL, NULL,
                                 LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC | LEV_OPT_REUSEABLE,
                                 BACKLOG, (struct sockaddr *)&ss, (int)len);
    if (!el)
        return err_sys(errno, e, "api: listen %s", text);
    r->listeners = xrealloc(r->listeners, (r->listener_count + 1) * sizeof(*r->listeners));
    l = &r->listeners[r->listener_count++];
    l->at = *at;
    l->bound = evhttp_bind_listener(r->http, el);
    if (!l->bound)
        abort(); /* no memory */
    log_info(say("the control surface listens"), kv_str("address", text));
    return OK;
}

static void drop(struct api_remote *r, size_t i)
{
    char text[ADDR_TEXT_MAX];

    addr_to_text(text, &r->listeners[i].at);
    evhttp_del_accept_socket(r->http, r->listeners[i].bound);
    r->listeners[i] = r->listeners[--r->listener_count];
    log_info(say("the control surface listens no more"), kv_str("address", text));
}

static bool is_configured(const struct config *c, const struct addr *at)
{
    for (size_t i = 0; i < c->api_listen_count; i++) {
        if (addr_eq(&c->api_listen[i], at))
            return true;
    }
    return false;
}

enum err api_remote_configure(struct api_remote *r, struct config *config, struct errinfo *e)
{
    struct config *old = r->config;
    enum err rc = OK;

    if (config->api_listen_count &&
        (rc = tls_http_load(r->tls, config->api_certificate, config->api_certificate_key, e)))
        return err_wrap(rc, e, "api");
    for (size_t i = 0; rc == OK && i < config->api_listen_count; i++) {
        if (!listens_at(r, &config->api_listen[i]))
            rc = add(r, &config->api_listen[i], e);
    }
    if (rc && old)
        return rc;
    r->config = config_ref(config);
    config_unref(old);
    for (size_t i = r->listener_count; i-- > 0;) {
        if (!is_configured(config, &r->listeners[i].at))
            drop(r, i);
    }
    return rc;
}

/* ---- Whose key ---- */

static int64_t *slot_of(struct api_remote *r, const struct addr *from)
{
    uint64_t h = siphash_1_3(r->hash_key, from->ip, from->family == 6 ? 8 : 4);

    return &r->wrong_until[h % SLOTS];
}

static enum err wrong(int64_t *until, int64_t now, const struct addr *from, const char *what,
                      struct errinfo *e)
{
    char text[ADDR_TEXT_MAX];

    addr_ip_to_text(text, from);
    *until = (*until > now ? *until : now) + TRY_MS;
    log_warning(say("the control surface refused a request"), kv_str("from", text),
                kv_str("why", what));
    return err_set(ERR_AUTH, e, "%s", what);
}

enum err api_remote_key(const struct config_api_key **out, struct addr *from, struct api_remote *r,
                        struct evhttp_request *http, struct errinfo *e)
{
    struct evhttp_connection *conn = evhttp_request_get_connection(http);
    const char *key = evhttp_find_header(evhttp_request_get_input_headers(http), "X-API-Key");
    int64_t now = clock_mono(loop_clock(r->loop)).ms;
    int64_t *until;

    if (!addr_from_sockaddr(from, evhttp_connection_get_addr(conn)))
        return err_set(ERR_AUTH, e, "the address is not known");
    until = slot_of(r, from);
    if (*until > now + (int64_t)(TRIES - 1) * TRY_MS)
        return err_set(ERR_LIMIT, e, "too many wrong keys from this address; try later");
    if (!key)
        return wrong(until, now, from, "the request has no X-API-Key", e);
    if (strlen(key) >= API_KEY_MAX)
        return wrong(until, now, from, "the X-API-Key is not known", e);
    for (size_t i = 0; i < r->config->api_key_count; i++) {
        const struct config_api_key *k = &r->config->api_keys[i];

        if (!api_key_matches(k->hash, key))
            continue;
        if (k->from_count && !addr_in_prefixes(from, k->from, k->from_count))
            return wrong(until, now, from, "the X-API-Key is not for this address", e);
        tls_http_trust(evhttp_connection_get_bufferevent(conn));
        *out = k;
        return OK;
    }
    return wrong(until, now, from, "the X-API-Key is not known", e);
}
