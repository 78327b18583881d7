#include "lib/base/config_api.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/api_key.h"
#include "lib/base/config_where.h"
#include "lib/base/mem.h"

#define PORT_API 8443
#define NAME_OCTETS_MAX 40

static enum err take_listen(struct config *c, cfg_t *api, struct errinfo *e)
{
    unsigned n = cfg_size(api, "listen");

    c->api_listen = xcalloc(n, sizeof(*c->api_listen));
    for (unsigned i = 0; i < n; i++) {
        struct addr *a = &c->api_listen[i];
        const char *text = cfg_getnstr(api, "listen", i);
        struct errinfo why = {0};

        if (addr_from_text(a, text, PORT_API, &why) != OK)
            return config_fail_at(c, api, e, "listen: %s", why.text);
        for (unsigned k = 0; k < i; k++) {
            if (addr_eq(a, &c->api_listen[k]))
                return config_fail_at(c, api, e, "listen: '%s' stands there twice", text);
        }
        c->api_listen_count++;
    }
    if (n && (!c->api_certificate[0] || !c->api_certificate_key[0]))
        return config_fail_at(c, api, e, "listen: needs tls-certificate and tls-key");
    if (n && !c->api_key_count)
        return config_fail_at(c, api, e, "listen: needs an api-key, or nobody could use it");
    return OK;
}

static bool role_from_text(enum config_api_role *out, const char *text)
{
    static const char *const names[] = {"read", "zones", "admin"};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strcmp(text, names[i]) == 0) {
            *out = (enum config_api_role)i;
            return true;
        }
    }
    return false;
}

static bool is_plain(const char *name)
{
    for (const char *p = name; *p; p++) {
        if (*p <= ' ' || *p > '~' || strchr("<>\"'\\:", *p))
            return false;
    }
    return name[0] && strlen(name) <= NAME_OCTETS_MAX;
}

static enum err take_key(struct config_api_key *k, const struct config *c, cfg_t *sec,
                         struct errinfo *e)
{
    unsigned n = cfg_size(sec, "from");
    struct errinfo why = {0};

    k->name = xstrdup(cfg_title(sec));
    k->hash = xstrdup(cfg_getstr(sec, "hash"));
    k->from = xcalloc(n, sizeof(*k->from));
    if (!is_plain(k->name))
        return config_fail_at(
            c, sec, e,
            "its name should be 1 to 40 letters, digits and such, without blanks, "
            "quotes, colons and brackets");
    if (!api_key_hash_is_right(k->hash))
        return config_fail_at(c, sec, e,
                              "hash should be what `zonectl api-key` prints, 32 and 64 hex digits");
    if (!role_from_text(&k->role, cfg_getstr(sec, "role")))
        return config_fail_at(c, sec, e, "role should be read, zones or admin");
    for (unsigned i = 0; i < n; i++) {
        if (addr_prefix_from_text(&k->from[i], cfg_getnstr(sec, "from", i), &why) != OK)
            return config_fail_at(c, sec, e, "from: %s", why.text);
        k->from_count++;
    }
    return OK;
}

enum err config_take_api(struct config *c, cfg_t *cfg, struct errinfo *e)
{
    unsigned n = cfg_size(cfg, "api-key");
    enum err rc = OK;

    c->api_keys = xcalloc(n, sizeof(*c->api_keys));
    for (unsigned i = 0; rc == OK && i < n; i++)
        rc = take_key(&c->api_keys[c->api_key_count++], c, cfg_getnsec(cfg, "api-key", i), e);
    return rc ? rc : take_listen(c, cfg_getsec(cfg, "api"), e);
}

void config_free_api(struct config *c)
{
    for (size_t i = 0; i < c->api_key_count; i++) {
        free(c->api_keys[i].name);
        free(c->api_keys[i].hash);
        free(c->api_keys[i].from);
    }
    free(c->api_keys);
    free(c->api_listen);
    free(c->api_certificate);
    free(c->api_certificate_key);
}
