#include <stdlib.h>
#include <string.h>

#include "lib/base/config_where.h"
#include "lib/base/config_zones.h"
#include "lib/base/mem.h"

/* ---- Templates ---- */

static int template_index(const struct config *c, const char *name)
{
    for (size_t i = 0; i < c->template_count; i++) {
        if (strcmp(c->templates[i].name, name) == 0)
            return (int)i;
    }
    return -1;
}

static enum err take_templates(struct config *c, cfg_t *cfg, struct errinfo *e)
{
    unsigned n = cfg_size(cfg, "template");
    enum err rc;

    c->templates = xcalloc(n, sizeof(*c->templates));
    for (unsigned i = 0; i < n; i++) {
        cfg_t *sec = cfg_getnsec(cfg, "template", i);
        struct config_template *t = &c->templates[c->template_count++];

        t->name = xstrdup(cfg_title(sec));
        if ((rc = config_take_zone(c, &t->zone, sec, e)))
            return rc;
        if (!t->zone.primary_count)
            return config_fail_at(c, sec, e, "needs primaries");
    }
    return OK;
}

/* ---- Catalogs ---- */

static enum err take_group(struct config *c, struct config_catalog *k, cfg_t *sec, const char *text,
                           struct errinfo *e)
{
    const char *equals = strrchr(text, '=');
    struct config_group *g;
    int template;

    if (!equals || equals == text)
        return config_fail_at(c, sec, e, "groups: '%s' should be \"GROUP=TEMPLATE\"", text);
    if ((template = template_index(c, equals + 1)) < 0)
        return config_fail_at(c, sec, e, "groups: there is no template '%s'", equals + 1);
    g = &k->groups[k->group_count++];
    g->name = xstrdup(text);
    g->name[equals - text] = 0;
    g->template = template;
    return OK;
}

static enum err take_groups(struct config *c, struct config_catalog *k, cfg_t *sec,
                            struct errinfo *e)
{
    unsigned n = cfg_size(sec, "groups");
    const char *unknown = cfg_getstr(sec, "unknown-group");
    enum err rc;

    k->hold_unknown = strcmp(unknown, "hold") == 0;
    if (!k->hold_unknown && strcmp(unknown, "ignore") != 0)
        return config_fail_at(c, sec, e, "unknown-group: '%s' should be hold or ignore", unknown);
    k->groups = xcalloc(n, sizeof(*k->groups));
    for (unsigned i = 0; i < n; i++) {
        if ((rc = take_group(c, k, sec, cfg_getnstr(sec, "groups", i), e)))
            return rc;
    }
    return OK;
}

/* The zones are as the template says, or as the section itself. */
static enum err take_members(struct config *c, struct config_catalog *k, cfg_t *cfg, cfg_t *sec,
                             struct errinfo *e)
{
    const char *members = cfg_getstr(sec, "members");

    if (members[0] && template_index(c, members) < 0)
        return config_fail_at(c, sec, e, "members: there is no template '%s'", members);
    return config_take_zone(c, &k->zone, members[0] ? cfg_gettsec(cfg, "template", members) : sec,
                            e);
}

static enum err take_catalog(struct config *c, struct config_catalog *k, cfg_t *cfg, cfg_t *sec,
                             struct errinfo *e)
{
    struct config_zone *own = &c->zones[c->zone_count++];
    enum err rc;

    k->line = sec->line;
    k->name = xstrdup(cfg_title(sec));
    k->zones_max = config_number_of(sec, "zones-max");
    k->removals_free = config_number_of(sec, "removals-free");
    k->removals_percent = config_number_of(sec, "removals-percent");
    config_take_texts(&k->suffixes, &k->suffix_count, sec, "suffixes");
    own->name = xstrdup(k->name);
    own->catalog = k;
    if ((rc = config_take_zone(c, own, sec, e)) || (rc = take_members(c, k, cfg, sec, e)) ||
        (rc = take_groups(c, k, sec, e)))
        return rc;
    if (!own->primary_count)
        return config_fail_at(c, sec, e, "needs primaries");
    return config_take_account(&k->account, c, sec, e);
}

enum err config_take_catalogs(struct config *c, cfg_t *cfg, struct errinfo *e)
{
    unsigned n = cfg_size(cfg, "catalog");
    enum err rc;

    if ((rc = take_templates(c, cfg, e)))
        return rc;
    c->catalogs = xcalloc(n, sizeof(*c->catalogs));
    for (unsigned i = 0; i < n; i++) {
        rc = take_catalog(c, &c->catalogs[c->catalog_count++], cfg, cfg_getnsec(cfg, "catalog", i),
                          e);
        if (rc)
            return rc;
    }
    return OK;
}

void config_free_catalogs(struct config *c)
{
    for (size_t i = 0; i < c->template_count; i++) {
        free(c->templates[i].name);
        config_zone_done(&c->templates[i].zone);
    }
    for (size_t i = 0; i < c->catalog_count; i++) {
        struct config_catalog *k = &c->catalogs[i];

        free(k->name);
        free(k->account);
        config_zone_done(&k->zone);
        for (size_t g = 0; g < k->group_count; g++)
            free(k->groups[g].name);
        free(k->groups);
        config_free_texts(k->suffixes, k->suffix_count);
    }
    free(c->templates);
    free(c->catalogs);
}
