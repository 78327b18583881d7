#include "lib/base/config_tls.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/config_where.h"
#include "lib/base/encode.h"
#include "lib/base/mem.h"

static bool take_pin(struct config_pin *out, const char *text)
{
    struct buf b = BUF_INIT;
    bool ok = base64_decode(&b, text, strlen(text)) && b.len == sizeof(out->sha256);

    if (ok)
        memcpy(out->sha256, b.data, sizeof(out->sha256));
    buf_free(&b);
    return ok;
}

static enum err take_pins(struct config_pin **out, size_t *count, const struct config *c,
                          cfg_t *sec, const char *item, struct errinfo *e)
{
    unsigned n = cfg_size(sec, item);

    *out = xcalloc(n, sizeof(**out));
    for (unsigned i = 0; i < n; i++) {
        if (!take_pin(&(*out)[i], cfg_getnstr(sec, item, i)))
            return config_fail_at(c, sec, e,
                                  "a pin is the SHA-256 of a public key in base64: 44 characters");
        (*count)++;
    }
    return OK;
}

/* ---- Primaries ---- */

static const char *what_is_wrong(const struct config_tls *t)
{
    if (!t->on)
        return t->hostname[0] || t->ca[0] || t->pin_count || t->certificate[0] || t->key[0]
                   ? "tls-hostname, tls-ca, tls-pins, tls-certificate and tls-key need tls = yes"
                   : NULL;
    if (!t->hostname[0] && !t->pin_count)
        return "needs tls-hostname or tls-pins: how else would we know it?";
    if (t->ca[0] && !t->hostname[0])
        return "tls-ca needs tls-hostname: else any certificate of that authority would do";
    if (!t->certificate[0] != !t->key[0])
        return "tls-certificate and tls-key need each other";
    return NULL;
}

enum err config_take_tls(struct config_tls *out, const struct config *c, cfg_t *sec,
                         struct errinfo *e)
{
    const char *wrong;
    enum err rc;

    out->on = strcmp(cfg_getstr(sec, "tls"), "yes") == 0;
    out->hostname = xstrdup(cfg_getstr(sec, "tls-hostname"));
    out->ca = xstrdup(cfg_getstr(sec, "tls-ca"));
    out->certificate = xstrdup(cfg_getstr(sec, "tls-certificate"));
    out->key = xstrdup(cfg_getstr(sec, "tls-key"));
    if ((rc = take_pins(&out->pins, &out->pin_count, c, sec, "tls-pins", e)))
        return rc;
    wrong = what_is_wrong(out);
    return wrong ? config_fail_at(c, sec, e, "%s", wrong) : OK;
}

void config_tls_done(struct config_tls *t)
{
    free(t->hostname);
    free(t->ca);
    free(t->certificate);
    free(t->key);
    free(t->pins);
}

/* ---- Clients ---- */

static enum err take_names(struct config_client *k, const struct config *c, cfg_t *sec,
                           struct errinfo *e)
{
    unsigned n = cfg_size(sec, "names");

    k->names = xcalloc(n, sizeof(char *));
    for (unsigned i = 0; i < n; i++) {
        const char *name = cfg_getnstr(sec, "names", i);

        if (!name[0])
            return config_fail_at(c, sec, e, "a name is empty");
        k->names[k->name_count++] = xstrdup(name);
    }
    return OK;
}

enum err config_take_clients(struct config *c, cfg_t *cfg, struct errinfo *e)
{
    unsigned n = cfg_size(cfg, "client");
    enum err rc;

    c->clients = xcalloc(n, sizeof(*c->clients));
    for (unsigned i = 0; i < n; i++) {
        cfg_t *sec = cfg_getnsec(cfg, "client", i);
        struct config_client *k = &c->clients[c->client_count++];

        k->name = xstrdup(cfg_title(sec));
        if ((rc = take_names(k, c, sec, e)) ||
            (rc = take_pins(&k->pins, &k->pin_count, c, sec, "pins", e)))
            return rc;
        if (!k->name_count && !k->pin_count)
            return config_fail_at(c, sec, e, "needs names or pins: which certificate is it?");
        if (k->name_count && !c->tls_client_ca[0])
            return config_fail_at(c, sec, e,
                                  "names need tls-client-ca in section authd: nobody else vouches "
                                  "for them");
        if (c->tls_clients == CONFIG_CLIENTS_NOT_ASKED)
            return config_fail_at(c, sec, e,
                                  "needs tls-clients = accept, or demand, in section authd");
    }
    return OK;
}

void config_free_clients(struct config *c)
{
    for (size_t i = 0; i < c->client_count; i++) {
        struct config_client *k = &c->clients[i];

        for (size_t n = 0; n < k->name_count; n++)
            free(k->names[n]);
        free(k->name);
        free(k->names);
        free(k->pins);
    }
    free(c->clients);
}

/* ---- authd ---- */

enum err config_take_tls_clients(struct config *c, cfg_t *authd, struct errinfo *e)
{
    const char *text = cfg_getstr(authd, "tls-clients");

    if (strcmp(text, "no") == 0)
        c->tls_clients = CONFIG_CLIENTS_NOT_ASKED;
    else if (strcmp(text, "accept") == 0)
        c->tls_clients = CONFIG_CLIENTS_ACCEPTED;
    else if (strcmp(text, "demand") == 0)
        c->tls_clients = CONFIG_CLIENTS_DEMANDED;
    else
        return config_fail_at(c, authd, e, "tls-clients is no, accept or demand");
    if (c->tls_client_ca[0] && c->tls_clients == CONFIG_CLIENTS_NOT_ASKED)
        return config_fail_at(c, authd, e, "tls-client-ca needs tls-clients = accept, or demand");
    if (c->tls_clients != CONFIG_CLIENTS_NOT_ASKED && !c->listen_tls_count)
        return config_fail_at(c, authd, e, "tls-clients needs listen-tls");
    return OK;
}

/* ---- Zones ---- */

enum err config_take_transfer_tls(enum config_transport *out, const struct config *c, cfg_t *sec,
                                  struct errinfo *e)
{
    const char *text = cfg_getstr(sec, "transfer-tls");

    if (strcmp(text, "no") == 0)
        *out = CONFIG_ANY_TRANSPORT;
    else if (strcmp(text, "yes") == 0)
        *out = CONFIG_TLS;
    else if (strcmp(text, "certificate") == 0)
        *out = CONFIG_TLS_CERTIFICATE;
    else
        return config_fail_at(c, sec, e, "transfer-tls is no, yes or certificate");
    if (*out == CONFIG_TLS_CERTIFICATE && c->tls_clients == CONFIG_CLIENTS_NOT_ASKED)
        return config_fail_at(
            c, sec, e,
            "transfer-tls = certificate needs tls-clients = accept, or demand, in "
            "section authd");
    return OK;
}
