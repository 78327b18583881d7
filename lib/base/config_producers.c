#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "lib/base/config_where.h"
#include "lib/base/config_zones.h"
#include "lib/base/mem.h"

#define GROUP_MAX 255 /* a character string */

void config_take_producers(struct config *c, cfg_t *cfg)
{
    unsigned n = cfg_size(cfg, "producer");

    c->producers = xcalloc(n, sizeof(*c->producers));
    for (unsigned i = 0; i < n; i++) {
        cfg_t *sec = cfg_getnsec(cfg, "producer", i);
        struct config_producer *p = &c->producers[c->producer_count++];

        p->name = xstrdup(cfg_title(sec));
        p->line = sec->line;
        p->coo_wait_s = config_number_of(sec, "coo-wait");
        p->coo_s = config_number_of(sec, "coo-time");
    }
}

enum err config_take_producer_zones(struct config *c, cfg_t *cfg, struct errinfo *e)
{
    for (size_t i = 0; i < c->producer_count; i++) {
        cfg_t *sec = cfg_getnsec(cfg, "producer", (unsigned)i);
        struct config_zone *own = &c->zones[c->zone_count++];
        enum err rc;

        own->name = xstrdup(c->producers[i].name);
        own->line = c->producers[i].line;
        own->producer = &c->producers[i];
        if ((rc = config_take_transfers(c, own, sec, e)))
            return rc;
    }
    return OK;
}

enum err config_take_membership(struct config *c, struct config_zone *z, cfg_t *sec,
                                struct errinfo *e)
{
    const char *catalog = cfg_getstr(sec, "catalog");
    const char *group = cfg_getstr(sec, "catalog-group");
    const char *what = NULL;

    for (size_t i = 0; i < c->producer_count && !z->member_of; i++) {
        if (strcasecmp(c->producers[i].name, catalog) == 0)
            z->member_of = &c->producers[i];
    }
    z->catalog_group = xstrdup(group);
    if (catalog[0] && !z->member_of)
        what = "catalog: there is no producer with this name";
    else if (group[0] && !catalog[0])
        what = "catalog-group: needs a catalog";
    else if (strlen(group) > GROUP_MAX)
        what = "catalog-group: is longer than 255 octets";
    return what ? config_fail_at(c, sec, e, "%s", what) : OK;
}

void config_free_producers(struct config *c)
{
    for (size_t i = 0; i < c->producer_count; i++)
        free(c->producers[i].name);
    free(c->producers);
}
