/* Whose a zone is that catalogs list, and what that changes for it (RFC 9432). */
#include <stdio.h>
#include <string.h>

#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "syncd/replicate_internal.h"

#define TOLD_AT_ONCE 10 /* refused zones named in the log, for one version of a catalog */

struct catalog_state *replicate_catalog_find(const struct replicator *r, const uint8_t *name)
{
    for (struct catalog_state *c = r->catalogs; c; c = c->next) {
        if (name_eq(c->name, name))
            return c;
    }
    return NULL;
}
/* ---- What a catalog may do with a zone ---- */

static bool suffix_fits(const struct config_catalog *k, const uint8_t *zone)
{
    for (size_t i = 0; i < k->suffix_count; i++) {
        uint8_t suffix[NAME_MAX_OCTETS];

        if (name_from_text(suffix, k->suffixes[i], strlen(k->suffixes[i]), NULL, NULL) == OK &&
            name_within(zone, suffix))
            return true;
    }
    return k->suffix_count == 0;
}

static bool has_group(const struct catalog_member *m, const char *name)
{
    for (unsigned i = 0; i < m->group_count; i++) {
        uint8_t len;
        const uint8_t *group = catalog_group(m, i, &len);

        if (strlen(name) == len && memcmp(name, group, len) == 0)
            return true;
    }
    return false;
}

/* What the zone is configured as; NULL: its groups say nothing to us. */
static const struct config_zone *section_for(const struct catalog_state *c,
                                             const struct catalog_member *m)
{
    const struct config_catalog *k = c->config;

    for (size_t i = 0; i < k->group_count; i++) {
        if (has_group(m, k->groups[i].name))
            return &c->replicator->config->templates[k->groups[i].template].zone;
    }
    return m->group_count && k->group_count && k->hold_unknown ? NULL : &k->zone;
}

/* May it be this catalog's, if it is nobody else's? */
enum err replicate_catalog_admits(const struct catalog_state *c, const struct catalog_member *m,
                                  struct errinfo *e)
{
    if (!suffix_fits(c->config, m->zone))
        return err_set(ERR_DENIED, e, "its catalog may not bring zones of this suffix (suffixes)");
    if (!section_for(c, m))
        return err_set(ERR_DENIED, e, "none of its groups is known here (groups, unknown-group)");
    if (c->zones >= c->config->zones_max)
        return err_set(ERR_LIMIT, e, "its catalog has its %u zones (zones-max)",
                       (unsigned)c->config->zones_max);
    return OK;
}

/* Is somebody else the owner, whom no catalog may take it from? */
enum err replicate_of_others(const struct zone_entry *z, struct errinfo *e)
{
    if (!z)
        return OK;
    if (z->section && z->section->name)
        return err_set(ERR_CONFLICT, e, "the configuration has the zone itself");
    if (z->row.id == 0 || z->row.removed || z->row.source == SOURCE_CATALOG)
        return OK;
    return err_set(ERR_CONFLICT, e, "%s",
                   z->row.source == SOURCE_AUTOPRIMARY ? "an autoprimary brought the zone"
                   : z->row.kind == ZONE_LOCAL         ? "it is a zone of our own"
                                                       : "the configuration brought the zone");
}

bool replicate_catalog_lists(const struct catalog_state *c, const uint8_t *zone,
                             struct catalog_member *m)
{
    return c->config && catalog_find(c->list, zone, m);
}

/* Whose the zone is to be, as its member *m; NULL: nobody's. */
static struct catalog_state *owner_of(const struct replicator *r, const uint8_t *zone,
                                      struct catalog_state *now, struct catalog_member *m)
{
    struct catalog_member theirs;
    struct catalog_state *to;

    if (now && replicate_catalog_lists(now, zone, m)) {
        to = m->coo ? replicate_catalog_find(r, m->coo) : NULL;
        if (!to || to == now || !replicate_catalog_lists(to, zone, &theirs) ||
            replicate_catalog_admits(to, &theirs, NULL) != OK)
            return now;
        *m = theirs;
        return to;
    }
    for (struct catalog_state *c = r->catalogs; c; c = c->next) {
        if (c != now && replicate_catalog_lists(c, zone, m) &&
            replicate_catalog_admits(c, m, NULL) == OK)
            return c;
    }
    return NULL;
}

/* ---- Settling one zone ---- */

void replicate_set_owner(struct zone_entry *z, struct catalog_state *c)
{
    if (z->owner == c)
        return;
    if (z->owner)
        z->owner->zones--;
    if (c)
        c->zones++;
    z->owner = c;
}

/* A catalog's row names the catalog itself, by which authd knows that it is not for everybody. */
static bool names_itself(const struct zone_entry *z)
{
    return z->row.catalog && name_eq(z->row.catalog, z->row.name);
}

static bool is_catalog(const struct zone_entry *z)
{
    return z->section && z->section->catalog;
}

bool replicate_owner_fits(const struct zone_entry *z)
{
    struct catalog_member m;

    if (!z->owner)
        return names_itself(z) == is_catalog(z);
    if (z->row.source != SOURCE_CATALOG || !z->row.catalog ||
        !name_eq(z->row.catalog, z->owner->name))
        return false;
    if (z->fetch_anew || !replicate_catalog_lists(z->owner, z->row.name, &m))
        return true; /* the label changes once the zone is there anew; or is not known now */
    return z->row.member && z->row.member[0] == m.label[0] &&
           memcmp(z->row.member, m.label, 1u + m.label[0]) == 0;
}

void replicate_owner_row(struct store_zone *row, const struct zone_entry *z)
{
    struct catalog_member m;

    if (!z->owner && is_catalog(z))
        (void)name_copy(row->catalog, row->name);
    else if (!z->owner && names_itself(z))
        row->catalog[0] = 0;
    if (!z->owner)
        return;
    row->source = SOURCE_CATALOG;
    (void)name_copy(row->catalog, z->owner->name);
    if (replicate_catalog_lists(z->owner, z->row.name, &m) && !z->fetch_anew) {
        memset(row->member, 0, sizeof(row->member));
        memcpy(row->member, m.label, 1u + m.label[0]);
    }
    if (z->owner->config)
        (void)snprintf(row->account, sizeof(row->account), "%s", z->owner->config->account);
    /* What was served before it was removed may be anybody's: not until it has been fetched. */
    if (row->removed && row->has_content)
        row->expired = true;
}

void replicate_log_member(enum log_level level, const char *sentence, const struct catalog_state *c,
                          const uint8_t *name, const char *error)
{
    char zone[NAME_TEXT_MAX], catalog[NAME_TEXT_MAX];

    (void)name_to_text(zone, name);
    (void)name_to_text(catalog, c->name);
    log_write(level, LOG_KVS(say(sentence), kv_str("zone", zone), kv_str("catalog", catalog),
                             kv_str("error", error)));
}

/* Does the catalog have it under another label than it had when it was fetched? */
static bool relabelled(const struct zone_entry *z, const struct catalog_member *m)
{
    const uint8_t *label = z->row.member;

    return z->row.id != 0 && !z->row.removed && z->row.has_content && label &&
           (label[0] != m->label[0] || memcmp(label + 1, m->label + 1, label[0]) != 0);
}

void replicate_fetched_anew(struct zone_entry *z)
{
    z->fetch_anew = false;
    if (!replicate_row_fits(z))
        replicate_commit_row(z);
}

static void keep(struct zone_entry *z, struct catalog_state *c, const struct catalog_member *m,
                 const struct config *old)
{
    const struct config_zone *section = section_for(c, m);
    bool anew = relabelled(z, m) && !z->fetch_anew;

    z->going = false;
    if (!section) /* it is here already: as it was, or as zones without a group are */
        section = z->config && !old ? z->config : &c->config->zone;
    if (z->owner != c)
        replicate_log_member(LOG_INFO, "a zone goes over to another catalog", c, z->row.name, NULL);
    replicate_set_owner(z, c);
    if (z->section != section && !old && z->replicator->ops.section_changed)
        z->replicator->ops.section_changed(z->replicator->ops.section_ctx, z->row.name);
    z->section = section;
    /* Another label: what we know of the zone is void (RFC 9432 5.6). It stays served until all of
     * it has been fetched, whatever its serial; then the row gets the label. */
    z->fetch_anew = z->fetch_anew || anew;
    replicate_give(z, old, section);
    if (!anew)
        return;
    replicate_log_member(LOG_INFO, "a catalog has a zone under a new label: it is fetched anew", c,
                         z->row.name, NULL);
    if (z->scheduled)
        replicate_follow(z, refresh_asked(&z->refresh, true, false, replicate_now(z->replicator)));
}

static void take_new(struct replicator *r, struct zone_entry *z, struct catalog_state *c,
                     const struct catalog_member *m, const struct config *old)
{
    struct store_zone row = {.kind = ZONE_SECONDARY, .source = SOURCE_CATALOG};

    if (!z) {
        (void)name_copy(row.name, m->zone);
        z = replicate_add(r, &row);
    }
    replicate_set_owner(z, c);
    z->section = section_for(c, m);
    z->going = false;
    z->unwanted = false;
    replicate_log_member(LOG_DEBUG, "a zone appears, as a catalog has it", c, m->zone, NULL);
    replicate_give(z, old, z->section);
}

/* Says why a member is not this catalog's. */
void replicate_count_refused(struct catalog_state *c, const uint8_t *zone)
{
    const struct zone_entry *z = replicate_find(c->replicator, zone);
    struct catalog_member m;
    struct errinfo e;

    if ((z && z->owner == c) || !replicate_catalog_lists(c, zone, &m))
        return;
    c->refused++;
    if (c->told++ < TOLD_AT_ONCE && replicator_catalog_why(c->replicator, c->name, zone, &e) != OK)
        replicate_log_member(LOG_WARNING, "a zone of a catalog is not taken", c, zone, e.text);
}

static void going(struct zone_entry *z)
{
    struct catalog_state *c = z->owner;

    z->generation = z->replicator->generation;
    if (z->going)
        return;
    z->going = true;
    c->going = xgrow(c->going, &c->going_cap, c->going_count + 1, sizeof(struct zone_entry *));
    c->going[c->going_count++] = z;
}

/* Gives the zone to whom it belongs. `old`: the configuration before, while one is changed. */
void replicate_settle_owner(struct replicator *r, const uint8_t *zone, const struct config *old)
{
    struct zone_entry *z = replicate_find(r, zone);
    struct catalog_state *now = z ? z->owner : NULL;
    struct catalog_state *c;
    struct catalog_member m;

    if (replicate_of_others(z, NULL) != OK) {
        replicate_set_owner(z, NULL);
        return;
    }
    if (now && now->config && !now->list)
        return; /* it has not said anything yet */
    c = owner_of(r, zone, now, &m);
    if (c && now)
        keep(z, c, &m, old);
    else if (c)
        take_new(r, z, c, &m, old);
    else if (now && now->config)
        going(z);
}
void replicate_wanted_again(struct zone_entry *z)
{
    if (z->owner)
        replicate_settle_owner(z->replicator, z->row.name, NULL);
}
