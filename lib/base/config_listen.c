#include "lib/base/config_listen.h"

#include "lib/base/config_tls.h"
#include "lib/base/config_where.h"
#include "lib/base/mem.h"

#define PORT_DNS 53
#define PORT_TLS 853

static enum err wrong(const struct config *c, cfg_t *sec, const char *item, struct errinfo *e)
{
    return err_wrap(ERR_FORMAT, e, "%s:%d: authd: %s", config_file_of(sec, c->path), sec->line,
                    item);
}

static bool has(const struct addr *list, size_t n, const struct addr *a)
{
    for (size_t i = 0; i < n; i++) {
        if (addr_eq(a, &list[i]))
            return true;
    }
    return false;
}

static enum err take_listen(struct config *c, cfg_t *sec, struct errinfo *e)
{
    unsigned n = cfg_size(sec, "listen");

    c->listen = xcalloc(n, sizeof(*c->listen));
    for (unsigned i = 0; i < n; i++) {
        const char *text = cfg_getnstr(sec, "listen", i);
        struct addr *a = &c->listen[i];

        if (addr_from_text(a, text, PORT_DNS, e) != OK)
            return wrong(c, sec, "listen", e);
        if (has(c->listen, c->listen_count, a)) {
            (void)err_set(ERR_FORMAT, e, "'%s' stands there twice", text);
            return wrong(c, sec, "listen", e);
        }
        c->listen_count++;
    }
    return OK;
}

/* RFC 7858 3.1: TLS never on port 53; and one port speaks either TLS or not. */
static enum err take_listen_tls(struct config *c, cfg_t *sec, struct errinfo *e)
{
    unsigned n = cfg_size(sec, "listen-tls");

    c->listen_tls = xcalloc(n, sizeof(*c->listen_tls));
    for (unsigned i = 0; i < n; i++) {
        const char *text = cfg_getnstr(sec, "listen-tls", i);
        struct addr *a = &c->listen_tls[i];
        enum err rc = addr_from_text(a, text, PORT_TLS, e);

        if (rc == OK && a->port == PORT_DNS)
            rc = err_set(ERR_FORMAT, e, "'%s': port 53 is for DNS without TLS", text);
        if (rc == OK && has(c->listen_tls, c->listen_tls_count, a))
            rc = err_set(ERR_FORMAT, e, "'%s' stands there twice", text);
        if (rc == OK && has(c->listen, c->listen_count, a))
            rc = err_set(ERR_FORMAT, e, "'%s' stands in listen too", text);
        if (rc)
            return wrong(c, sec, "listen-tls", e);
        c->listen_tls_count++;
    }
    if (n > 0 && (!c->tls_certificate[0] || !c->tls_key[0])) {
        (void)err_set(ERR_FORMAT, e, "needs tls-certificate and tls-key");
        return wrong(c, sec, "listen-tls", e);
    }
    return OK;
}

static enum err take_networks(struct addr_prefix **list, size_t *count, const struct config *c,
                              cfg_t *sec, const char *item, struct errinfo *e)
{
    unsigned n = cfg_size(sec, item);

    *list = xcalloc(n, sizeof(**list));
    for (unsigned i = 0; i < n; i++) {
        if (addr_prefix_from_text(&(*list)[i], cfg_getnstr(sec, item, i), e) != OK)
            return wrong(c, sec, item, e);
        (*count)++;
    }
    return OK;
}

enum err config_take_resolvers(struct config *c, cfg_t *syncd, struct errinfo *e)
{
    unsigned n = cfg_size(syncd, "resolvers");

    c->resolvers = xcalloc(n, sizeof(*c->resolvers));
    for (unsigned i = 0; i < n; i++) {
        if (addr_from_text(&c->resolvers[i], cfg_getnstr(syncd, "resolvers", i), PORT_DNS, e) != OK)
            return err_wrap(ERR_FORMAT, e, "%s:%d: syncd: resolvers",
                            config_file_of(syncd, c->path), syncd->line);
        c->resolver_count++;
    }
    return OK;
}

enum err config_take_listen(struct config *c, cfg_t *authd, struct errinfo *e)
{
    enum err rc;

    if ((rc = take_listen(c, authd, e)) || (rc = take_listen_tls(c, authd, e)) ||
        (rc = config_take_tls_clients(c, authd, e)))
        return rc;
    if ((rc = take_networks(&c->proxy_from, &c->proxy_from_count, c, authd, "proxy-from", e)))
        return rc;
    return take_networks(&c->rrl_exempt, &c->rrl_exempt_count, c, authd, "rrl-exempt", e);
}
