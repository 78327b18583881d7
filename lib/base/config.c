#include "lib/base/config.h"

#include <confuse.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/config_api.h"
#include "lib/base/config_aside.h"
#include "lib/base/config_items.h"
#include "lib/base/config_listen.h"
#include "lib/base/config_where.h"
#include "lib/base/config_zones.h"
#include "lib/base/mem.h"

/* The counter stands in front of what everybody sees. */
struct config_box {
    atomic_uint refs;
    struct config config;
};

/* libconfuse hands its errors to a function without a context of ours; parsing happens in one
 * thread at a time (its scanner is global), so the first error is kept here. */
static struct errinfo *parse_error;
static const char *parse_path;
static bool parse_failed;

__attribute__((format(printf, 2, 0))) static void on_error(cfg_t *cfg, const char *fmt, va_list ap)
{
    char text[ERR_TEXT_MAX / 2];

    if (parse_failed)
        return;
    parse_failed = true;
    (void)vsnprintf(text, sizeof(text), fmt, ap);
    (void)err_set(ERR_FORMAT, parse_error, "%s:%d: %s", config_file_of(cfg, parse_path),
                  cfg ? cfg->line : 0, text);
}

static int on_value(cfg_t *cfg, cfg_opt_t *opt)
{
    const struct config_item *item = config_item_find(cfg_name(cfg), opt->name);
    struct errinfo why = {0};
    union config_value v;

    for (unsigned i = 0; item && i < cfg_opt_size(opt); i++) {
        if (config_value_parse(&v, item, cfg_opt_getnstr(opt, i), &why) != OK) {
            cfg_error(cfg, "%s: %s", opt->name, why.text);
            return -1;
        }
    }
    return 0;
}

/* ---- From libconfuse's tree to struct config ---- */

static void store_value(struct config *c, const struct config_item *item, const char *text)
{
    char *at = (char *)c + item->offset;
    union config_value v;

    if (item->offset == CONFIG_NO_OFFSET || config_value_parse(&v, item, text, NULL) != OK)
        return;
    switch (item->kind) {
    case ITEM_TEXT:
        *(char **)(void *)at = xstrdup(text);
        break;
    case ITEM_FLAG:
        *(bool *)(void *)at = v.flag;
        break;
    case ITEM_U32:
    case ITEM_MS:
    case ITEM_SECONDS:
        *(uint32_t *)(void *)at = (uint32_t)v.number;
        break;
    case ITEM_OCTETS:
    case ITEM_COUNT:
        *(uint64_t *)(void *)at = v.number;
        break;
    case ITEM_LOG_LEVEL:
        *(enum log_level *)(void *)at = v.level;
        break;
    case ITEM_LOG_FORMAT:
        *(enum log_format *)(void *)at = v.format;
        break;
    case ITEM_ADDRESS:
    case ITEM_NAMES:
        break; /* have code of their own below */
    }
}

static void take_section(struct config *c, cfg_t *sec, const char *section)
{
    size_t n;
    const struct config_item *items = config_items(&n);

    for (size_t i = 0; i < n; i++) {
        if (strcmp(items[i].section, section) == 0 && items[i].kind != ITEM_NAMES)
            store_value(c, &items[i], cfg_getstr(sec, items[i].name));
    }
}

static enum err take_all(struct config *c, cfg_t *cfg, struct errinfo *e)
{
    cfg_t *log_sec = cfg_getsec(cfg, "log");
    cfg_t *authd_sec = cfg_getsec(cfg, "authd");
    cfg_t *syncd_sec = cfg_getsec(cfg, "syncd");
    cfg_t *api_sec = cfg_getsec(cfg, "api");
    enum err rc;

    take_section(c, cfg, "root");
    take_section(c, log_sec, "log");
    take_section(c, authd_sec, "authd");
    take_section(c, syncd_sec, "syncd");
    take_section(c, api_sec, "api");
    if ((rc = config_take_listen(c, authd_sec, e)) ||
        (rc = config_take_resolvers(c, syncd_sec, e)) || (rc = config_take_api(c, cfg, e)) ||
        (rc = config_take_zones(c, cfg, e)))
        return rc;
    if (!config_retention_read(&c->retention, c->retention_text))
        return config_fail_at(c, syncd_sec, e, CONFIG_RETENTION_FORM);
    if (!c->node[0]) {
        char host[256] = "localhost";

        (void)gethostname(host, sizeof(host) - 1);
        free(c->node);
        c->node = xstrdup(host);
    }
    return OK;
}

/* ---- Loading ---- */

/* Options for libconfuse from our table; all are text, since we check values ourselves. */
static void section_opts(cfg_opt_t *opts, const char *section)
{
    size_t n;
    size_t used = 0;
    const struct config_item *items = config_items(&n);

    for (size_t i = 0; i < n; i++) {
        if (strcmp(items[i].section, section) != 0)
            continue;
        if (items[i].kind == ITEM_NAMES)
            opts[used++] = (cfg_opt_t)CFG_STR_LIST(items[i].name, "{}", CFGF_NONE);
        else
            opts[used++] = (cfg_opt_t)CFG_STR(items[i].name, items[i].def, CFGF_NONE);
    }
    opts[used] = (cfg_opt_t)CFG_END();
}

static void set_checks(cfg_t *cfg)
{
    size_t n;
    const struct config_item *items = config_items(&n);
    char path[128];

    for (size_t i = 0; i < n; i++) {
        if (strcmp(items[i].section, "root") == 0)
            (void)snprintf(path, sizeof(path), "%s", items[i].name);
        else
            (void)snprintf(path, sizeof(path), "%s|%s", items[i].section, items[i].name);
        (void)cfg_set_validate_func(cfg, path, on_value);
    }
}

/* The file, or what config_extend has in `text` instead. */
static enum err parse(struct config *c, const char *path, const char *text, struct errinfo *e)
{
    cfg_opt_t log_opts[CONFIG_ITEMS_MAX], authd_opts[CONFIG_ITEMS_MAX],
        syncd_opts[CONFIG_ITEMS_MAX], key_opts[CONFIG_ITEMS_MAX], primary_opts[CONFIG_ITEMS_MAX],
        secondary_opts[CONFIG_ITEMS_MAX], autoprimary_opts[CONFIG_ITEMS_MAX],
        client_opts[CONFIG_ITEMS_MAX], policy_opts[CONFIG_ITEMS_MAX],
        template_opts[CONFIG_ITEMS_MAX], directory_opts[CONFIG_ITEMS_MAX],
        catalog_opts[CONFIG_ITEMS_MAX], producer_opts[CONFIG_ITEMS_MAX],
        remote_opts[CONFIG_ITEMS_MAX], api_opts[CONFIG_ITEMS_MAX], api_key_opts[CONFIG_ITEMS_MAX],
        zone_opts[CONFIG_ITEMS_MAX], root_opts[CONFIG_ITEMS_MAX];
    size_t n = 0;
    cfg_t *cfg;
    int got, failed;
    enum err rc;

    section_opts(log_opts, "log");
    section_opts(authd_opts, "authd");
    section_opts(syncd_opts, "syncd");
    section_opts(api_opts, "api");
    section_opts(api_key_opts, "api-key");
    section_opts(key_opts, "key");
    section_opts(client_opts, "client");
    section_opts(primary_opts, "primary");
    section_opts(secondary_opts, "secondary");
    section_opts(autoprimary_opts, "autoprimary");
    section_opts(policy_opts, "update-policy");
    section_opts(template_opts, "template");
    section_opts(catalog_opts, "catalog");
    section_opts(producer_opts, "producer");
    section_opts(directory_opts, "directory");
    section_opts(remote_opts, "remote");
    section_opts(zone_opts, "zone");
    section_opts(root_opts, "root");
    while (root_opts[n].name)
        n++;
    root_opts[n++] = (cfg_opt_t)CFG_SEC("log", log_opts, CFGF_NONE);
    root_opts[n++] = (cfg_opt_t)CFG_SEC("authd", authd_opts, CFGF_NONE);
    root_opts[n++] = (cfg_opt_t)CFG_SEC("syncd", syncd_opts, CFGF_NONE);
    root_opts[n++] = (cfg_opt_t)CFG_SEC("api", api_opts, CFGF_NONE);
    root_opts[n++] =
        (cfg_opt_t)CFG_SEC("api-key", api_key_opts, CFGF_MULTI | CFGF_TITLE | CFGF_NO_TITLE_DUPES);
    root_opts[n++] =
        (cfg_opt_t)CFG_SEC("key", key_opts, CFGF_MULTI | CFGF_TITLE | CFGF_NO_TITLE_DUPES);
    root_opts[n++] =
        (cfg_opt_t)CFG_SEC("client", client_opts, CFGF_MULTI | CFGF_TITLE | CFGF_NO_TITLE_DUPES);
    root_opts[n++] =
        (cfg_opt_t)CFG_SEC("primary", primary_opts, CFGF_MULTI | CFGF_TITLE | CFGF_NO_TITLE_DUPES);
    root_opts[n++] = (cfg_opt_t)CFG_SEC("autoprimary", autoprimary_opts,
                                        CFGF_MULTI | CFGF_TITLE | CFGF_NO_TITLE_DUPES);
    root_opts[n++] = (cfg_opt_t)CFG_SEC("secondary", secondary_opts,
                                        CFGF_MULTI | CFGF_TITLE | CFGF_NO_TITLE_DUPES);
    root_opts[n++] = (cfg_opt_t)CFG_SEC("update-policy", policy_opts,
                                        CFGF_MULTI | CFGF_TITLE | CFGF_NO_TITLE_DUPES);
    root_opts[n++] = (cfg_opt_t)CFG_SEC("template", template_opts,
                                        CFGF_MULTI | CFGF_TITLE | CFGF_NO_TITLE_DUPES);
    root_opts[n++] =
        (cfg_opt_t)CFG_SEC("catalog", catalog_opts, CFGF_MULTI | CFGF_TITLE | CFGF_NO_TITLE_DUPES);
    root_opts[n++] = (cfg_opt_t)CFG_SEC("directory", directory_opts,
                                        CFGF_MULTI | CFGF_TITLE | CFGF_NO_TITLE_DUPES);
    root_opts[n++] = (cfg_opt_t)CFG_SEC("producer", producer_opts,
                                        CFGF_MULTI | CFGF_TITLE | CFGF_NO_TITLE_DUPES);
    root_opts[n++] =
        (cfg_opt_t)CFG_SEC("remote", remote_opts, CFGF_MULTI | CFGF_TITLE | CFGF_NO_TITLE_DUPES);
    root_opts[n++] =
        (cfg_opt_t)CFG_SEC("zone", zone_opts, CFGF_MULTI | CFGF_TITLE | CFGF_NO_TITLE_DUPES);
    root_opts[n++] = (cfg_opt_t)CFG_FUNC("include", &cfg_include);
    root_opts[n] = (cfg_opt_t)CFG_END();

    parse_error = e;
    parse_failed = false;
    parse_path = path;
    cfg = cfg_init(root_opts, CFGF_NONE);
    if (!cfg)
        return err_set(ERR_LIMIT, e, "%s: cannot start the configuration parser", path);
    (void)cfg_set_error_function(cfg, on_error);
    set_checks(cfg);
    config_aside_begin(cfg, "zone");
    errno = 0;
    got = text ? cfg_parse_buf(cfg, text) : cfg_parse(cfg, path);
    failed = errno;
    rc = config_aside_end(c, cfg, got == CFG_SUCCESS && !parse_failed ? e : NULL);
    if (got == CFG_FILE_ERROR)
        rc = err_sys(failed, e, "%s", path);
    else if (got != CFG_SUCCESS || parse_failed)
        rc = parse_failed ? ERR_FORMAT : err_set(ERR_FORMAT, e, "%s: does not parse", path);
    else if (rc == OK)
        rc = text ? config_take_more(c, cfg, e) : take_all(c, cfg, e);
    (void)cfg_free(cfg);
    parse_error = NULL;
    return rc;
}

enum err config_load(struct config **out, const char *path, struct errinfo *e)
{
    struct config_box *box = xcalloc(1, sizeof(*box));
    enum err rc;

    atomic_init(&box->refs, 1);
    box->config.path = xstrdup(path);
    rc = parse(&box->config, path, NULL, e);
    if (rc) {
        config_unref(&box->config);
        return rc;
    }
    *out = &box->config;
    return OK;
}

/* Array b behind array a, both of elements of this size. */
static void *joined(const void *a, size_t na, const void *b, size_t nb, size_t size)
{
    uint8_t *out = xcalloc(na + nb, size);

    if (na)
        memcpy(out, a, na * size);
    if (nb)
        memcpy(out + na * size, b, nb * size);
    return out;
}

static void free_more(struct config *more)
{
    more->keys = NULL; /* the base's */
    more->key_count = 0;
    config_free_zones(more);
    free(more);
}

enum err config_extend(struct config **out, struct config *base, const char *text,
                       struct errinfo *e)
{
    struct config *more = xcalloc(1, sizeof(*more));
    struct config_box *box;
    struct config *c;
    enum err rc;

    more->keys = base->keys;
    more->key_count = base->key_count;
    if ((rc = parse(more, base->path, text, e))) {
        free_more(more);
        return rc;
    }
    for (size_t i = 0; i < more->autoprimary_count; i++) {
        struct config_zone *z = &more->autoprimaries[i].zone;

        more->autoprimaries[i].added = true;
        for (size_t k = 0; k < z->primary_count; k++)
            z->primaries[k] += (int)base->primary_count;
    }
    box = xcalloc(1, sizeof(*box));
    atomic_init(&box->refs, 1);
    c = &box->config;
    *c = *base;
    c->base = config_ref(base);
    c->more = more;
    c->primaries = joined(base->primaries, base->primary_count, more->primaries,
                          more->primary_count, sizeof(*c->primaries));
    c->primary_count += more->primary_count;
    c->autoprimaries = joined(base->autoprimaries, base->autoprimary_count, more->autoprimaries,
                              more->autoprimary_count, sizeof(*c->autoprimaries));
    c->autoprimary_count += more->autoprimary_count;
    *out = c;
    return OK;
}

static struct config_box *box_of(struct config *c)
{
    return (struct config_box *)(void *)((char *)c - offsetof(struct config_box, config));
}

struct config *config_ref(struct config *c)
{
    atomic_fetch_add(&box_of(c)->refs, 1);
    return c;
}

void config_unref(struct config *c)
{
    if (!c || atomic_fetch_sub(&box_of(c)->refs, 1) != 1)
        return;
    if (c->base) {
        config_unref(c->base);
        free_more(c->more);
        free(c->primaries);
        free(c->autoprimaries);
        free(box_of(c));
        return;
    }
    config_free_zones(c);
    config_free_api(c);
    free(c->listen);
    free(c->listen_tls);
    free(c->proxy_from);
    free(c->rrl_exempt);
    free(c->resolvers);
    free(c->tls_certificate);
    free(c->tls_key);
    free(c->tls_client_ca);
    free(c->cookie_secret_file);
    free(c->path);
    free(c->node);
    free(c->data_dir);
    free(c->run_dir);
    free(c->version_text);
    free(c->server_id);
    free(c->authd_user);
    free(c->authd_group);
    free(c->retention_text);
    free(c->guard_user);
    free(c->socket_group);
    free(box_of(c));
}
