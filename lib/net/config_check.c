#include "lib/net/config_check.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/mem.h"
#include "lib/dns/anchor.h"
#include "lib/dns/rr.h"
#include "lib/dns/tsig.h"

struct seen {
    uint8_t name[NAME_MAX_OCTETS];
    const struct config_zone *zone;
};

static int seen_cmp(const void *a, const void *b)
{
    const struct seen *x = a;
    const struct seen *y = b;

    return name_cmp(x->name, y->name);
}

static enum err check_keys(const struct config *c, struct errinfo *e)
{
    for (size_t i = 0; i < c->key_count; i++) {
        const struct config_key *k = &c->keys[i];
        uint8_t name[NAME_MAX_OCTETS];
        enum tsig_alg alg;

        if (name_from_text(name, k->name, strlen(k->name), NULL, e) != OK)
            return err_wrap(ERR_FORMAT, e, "%s: key '%s'", c->path, k->name);
        if (!tsig_alg_from_text(&alg, k->algorithm))
            return err_set(ERR_FORMAT, e, "%s: key '%s': there is no algorithm '%s'", c->path,
                           k->name, k->algorithm);
    }
    return OK;
}

static enum err check_zones(const struct config *c, struct seen *seen, struct errinfo *e)
{
    for (size_t i = 0; i < c->zone_count; i++) {
        const struct config_zone *z = &c->zones[i];

        seen[i].zone = z;
        if (name_from_text(seen[i].name, z->name, strlen(z->name), NULL, e) != OK)
            return err_wrap(ERR_FORMAT, e, "%s:%d: zone '%s'", c->path, z->line, z->name);
    }
    qsort(seen, c->zone_count, sizeof(*seen), seen_cmp);
    for (size_t i = 1; i < c->zone_count; i++) {
        if (name_eq(seen[i - 1].name, seen[i].name))
            return err_set(ERR_FORMAT, e, "%s:%d: zone '%s' stands there twice (as '%s')", c->path,
                           seen[i].zone->line, seen[i].zone->name, seen[i - 1].zone->name);
    }
    return OK;
}

/* `section` is its kind. */
static enum err check_names(const struct config *c, const char *section, const char *title,
                            int line, char *const *names, size_t n, const char *item,
                            struct errinfo *e)
{
    for (size_t i = 0; i < n; i++) {
        uint8_t name[NAME_MAX_OCTETS];

        if (name_from_text(name, names[i], strlen(names[i]), NULL, e) != OK)
            return err_wrap(ERR_FORMAT, e, "%s:%d: %s '%s': %s", c->path, line, section, title,
                            item);
    }
    return OK;
}

static enum err check_autoprimaries(const struct config *c, struct errinfo *e)
{
    for (size_t i = 0; i < c->autoprimary_count; i++) {
        const struct config_autoprimary *a = &c->autoprimaries[i];
        enum err rc;

        if ((rc = check_names(c, "autoprimary", a->account, a->line, a->nameservers,
                              a->nameserver_count, "nameservers", e)) ||
            (rc = check_names(c, "autoprimary", a->account, a->line, a->suffixes, a->suffix_count,
                              "suffixes", e)))
            return rc;
    }
    return OK;
}

static enum err check_catalogs(const struct config *c, struct errinfo *e)
{
    for (size_t i = 0; i < c->catalog_count; i++) {
        const struct config_catalog *k = &c->catalogs[i];
        enum err rc = check_names(c, "catalog", k->name, k->line, k->suffixes, k->suffix_count,
                                  "suffixes", e);

        if (rc)
            return rc;
    }
    return OK;
}

static enum err check_update_policies(const struct config *c, struct errinfo *e)
{
    for (size_t i = 0; i < c->update_policy_count; i++) {
        const struct config_update_policy *p = &c->update_policies[i];

        for (size_t k = 0; k < p->name_count; k++) {
            uint8_t name[NAME_MAX_OCTETS];

            if (name_from_text(name, p->names[k], strlen(p->names[k]), NULL, e) != OK)
                return err_wrap(ERR_FORMAT, e, "%s:%d: update-policy '%s': names", c->path, p->line,
                                p->name);
        }
        for (size_t k = 0; k < p->type_count; k++) {
            uint16_t type;

            if (!type_from_text(&type, p->types[k], strlen(p->types[k])) || !type_is_data(type))
                return err_set(ERR_FORMAT, e,
                               "%s:%d: update-policy '%s': types: '%s' is no type of a zone",
                               c->path, p->line, p->name, p->types[k]);
        }
    }
    return OK;
}

/* What stands in front of a catalog's name: "group", a label of 32, "zones". */
#define PRODUCER_ROOM (1 + 5 + 1 + 32 + 1 + 5)

static enum err check_producers(const struct config *c, struct errinfo *e)
{
    for (size_t i = 0; i < c->producer_count; i++) {
        const struct config_producer *p = &c->producers[i];
        uint8_t name[NAME_MAX_OCTETS];

        if (name_from_text(name, p->name, strlen(p->name), NULL, e) != OK)
            return err_wrap(ERR_FORMAT, e, "%s:%d: producer '%s'", c->path, p->line, p->name);
        if (name_is_root(name) || name_len(name) + PRODUCER_ROOM > NAME_MAX_OCTETS)
            return err_set(ERR_FORMAT, e, "%s:%d: producer '%s': is no name for a catalog zone: %s",
                           c->path, p->line, p->name,
                           name_is_root(name) ? "it is the root" : "it is too long");
    }
    return OK;
}

/* `own`: the name of a section for one zone; NULL: for many. */
static enum err check_anchors(const struct config *c, const char *section, const char *title,
                              const struct config_zone *z, const char *own, struct errinfo *e)
{
    for (size_t i = 0; i < z->guards.anchor_count; i++) {
        uint8_t owner[NAME_MAX_OCTETS], name[NAME_MAX_OCTETS];
        struct buf rdata = BUF_INIT;
        uint16_t type;
        enum err rc = anchor_from_text(owner, &type, &rdata, z->guards.anchors[i], e);

        buf_free(&rdata);
        if (rc == OK && own && name_from_text(name, own, strlen(own), NULL, NULL) == OK &&
            !name_eq(owner, name))
            rc = err_set(ERR_FORMAT, e, "it is another zone's");
        if (rc)
            return err_wrap(rc, e, "%s:%d: %s '%s': guard-dnssec-anchor '%s'", c->path, z->line,
                            section, title, z->guards.anchors[i]);
    }
    return OK;
}

static enum err check_all_anchors(const struct config *c, struct errinfo *e)
{
    enum err rc = OK;

    for (size_t i = 0; rc == OK && i < c->zone_count; i++) {
        const struct config_zone *z = &c->zones[i];

        rc = check_anchors(c, z->catalog ? "catalog" : "zone", z->name, z,
                           z->catalog ? NULL : z->name, e);
    }
    for (size_t i = 0; rc == OK && i < c->template_count; i++)
        rc = check_anchors(c, "template", c->templates[i].name, &c->templates[i].zone, NULL, e);
    for (size_t i = 0; rc == OK && i < c->catalog_count; i++)
        rc = check_anchors(c, "catalog", c->catalogs[i].name, &c->catalogs[i].zone, NULL, e);
    for (size_t i = 0; rc == OK && i < c->autoprimary_count; i++)
        rc = check_anchors(c, "autoprimary", c->autoprimaries[i].account, &c->autoprimaries[i].zone,
                           NULL, e);
    return rc;
}

enum err config_check(const struct config *c, struct errinfo *e)
{
    struct seen *seen = xcalloc(c->zone_count, sizeof(*seen));
    enum err rc;

    if (!(rc = check_keys(c, e)) && !(rc = check_autoprimaries(c, e)) &&
        !(rc = check_catalogs(c, e)) && !(rc = check_producers(c, e)) &&
        !(rc = check_update_policies(c, e)) && !(rc = check_all_anchors(c, e)))
        rc = check_zones(c, seen, e);
    free(seen);
    return rc;
}
