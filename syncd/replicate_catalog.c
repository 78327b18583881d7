/* Catalog zones that we follow (RFC 9432): whose a zone is, and what that changes.
 *
 *    version of the catalog ──▶ its list (pool) ──▶ each zone that differs is settled:
 *       nobody else's, and admitted ──▶ row, first transfer       another label ──▶ fetched anew
 *       moved by `coo` to a catalog that has it ──▶ handed over   gone ──▶ removed, if few are
 *
 * The list of a catalog is the truth for its zones, the rows remember it: so after a restart at any
 * moment the same comparison is made again, with all of the list. A catalog that cannot be read, or
 * is no catalog any more, changes nothing.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "syncd/replicate_internal.h"

#define HOUR_MS 3600000

/* ---- Catalogs ---- */

static struct catalog_state *state_get(struct replicator *r, const uint8_t *name)
{
    struct catalog_state **at = &r->catalogs;
    struct catalog_state *c;

    for (; *at; at = &(*at)->next) {
        if (name_eq((*at)->name, name))
            return *at;
    }
    c = xcalloc(1, sizeof(*c));
    c->replicator = r;
    (void)name_fold(c->name, name);
    c->hour = replicate_now(r);
    *at = c; /* in the order of the configuration */
    return c;
}

static void say_error(struct catalog_state *c, const char *text)
{
    free(c->error);
    c->error = text ? xstrdup(text) : NULL;
}

void replicate_catalogs_free(struct replicator *r)
{
    while (r->catalogs) {
        struct catalog_state *c = r->catalogs;

        r->catalogs = c->next;
        if (c->loading)
            r->ops.catalog_cancel(r->ops.ctx, c->loading);
        catalog_free(c->list);
        free(c->going);
        free(c->error);
        free(c);
    }
}
/* ---- Mass removal waits for the operator ---- */

static void remove_one(struct zone_entry *z)
{
    struct catalog_state *c = z->owner;
    struct origin origin = {.reason = "the catalog does not have the zone any more"};
    char name[NAME_TEXT_MAX];

    z->going = false;
    z->fetch_anew = false;
    replicate_set_owner(z, NULL);
    (void)name_to_text(name, c->name);
    (void)snprintf(origin.who, sizeof(origin.who), "catalog");
    (void)snprintf(origin.source, sizeof(origin.source), "%.255s", name);
    if (replicator_remove(c->replicator, z->row.name, &origin, NULL) == OK) {
        replicate_unschedule(z);
        z->config = NULL;
        return;
    }
    z->unwanted = true; /* its row is just being made */
    replicate_take(z);
}

static size_t remove_going(struct catalog_state *c)
{
    size_t n = c->going_count;

    for (size_t i = 0; i < n; i++)
        remove_one(c->going[i]);
    c->going_count = 0;
    c->braked = false;
    return n;
}

/* Those that came back, or went elsewhere, do not go. */
static void going_compact(struct catalog_state *c)
{
    size_t n = 0;

    for (size_t i = 0; i < c->going_count; i++) {
        if (c->going[i]->going && c->going[i]->owner == c)
            c->going[n++] = c->going[i];
        else if (c->going[i]->owner != c)
            c->going[i]->going = false;
    }
    c->going_count = n;
}

static bool too_many(const struct catalog_state *c)
{
    uint64_t n = c->removed_in_hour + c->going_count;
    uint64_t had = c->had > c->zones ? c->had : c->zones;

    return (c->going_count > 1 && c->going_count >= c->zones) ||
           (n > c->config->removals_free && n * 100 > c->config->removals_percent * had);
}

static void go(struct catalog_state *c)
{
    struct mono now = replicate_now(c->replicator);
    char name[NAME_TEXT_MAX];

    going_compact(c);
    if (now.ms - c->hour.ms >= HOUR_MS || c->had == 0) {
        c->hour = now;
        c->removed_in_hour = 0;
        c->had = c->zones;
    }
    if (c->going_count == 0) {
        c->braked = false;
        return;
    }
    if (!too_many(c)) {
        c->removed_in_hour += remove_going(c);
        return;
    }
    c->braked = true;
    (void)name_to_text(name, c->name);
    log_warning(say("a catalog lost many zones at once; they stay until 'zonectl catalog approve' "
                    "says that they may go"),
                kv_str("catalog", name), kv_u64("zones", c->zones),
                kv_u64("waiting", c->going_count));
}

/* ---- A new list ---- */

static void on_difference(void *ctx, const struct catalog_member *was,
                          const struct catalog_member *is)
{
    struct catalog_state *c = ctx;

    replicate_settle_owner(c->replicator, is ? is->zone : was->zone, NULL);
    if (is)
        replicate_count_refused(c, is->zone);
}

/* All of the list, and all zones that are its own but not in it. */
static void settle_all(struct catalog_state *c, const struct config *old)
{
    struct replicator *r = c->replicator;
    struct catalog_member m;

    c->refused = c->told = 0;
    for (size_t i = 0; i < catalog_count(c->list); i++) {
        catalog_at(c->list, i, &m);
        replicate_settle_owner(r, m.zone, old);
        replicate_count_refused(c, m.zone);
    }
    for (size_t i = 0; i < r->bucket_count; i++) {
        for (struct zone_entry *z = r->buckets[i]; z; z = z->next) {
            if (z->owner == c && !replicate_catalog_lists(c, z->row.name, &m))
                replicate_settle_owner(r, z->row.name, old);
        }
    }
}

/* Without a list: its zones stay as they are, and are refreshed. */
static void settle_unlisted(struct catalog_state *c, const struct config *old)
{
    struct replicator *r = c->replicator;

    for (size_t i = 0; i < r->bucket_count; i++) {
        for (struct zone_entry *z = r->buckets[i]; z; z = z->next) {
            if (z->owner != c || replicate_of_others(z, NULL) != OK)
                continue;
            z->section = &c->config->zone;
            replicate_give(z, old, z->section);
        }
    }
}

static void take_list(struct catalog_state *c, struct catalog *list)
{
    struct catalog *was = c->list;
    bool all = !was || c->refused || c->going_count;
    char name[NAME_TEXT_MAX];

    c->list = list;
    say_error(c, NULL);
    (void)name_to_text(name, c->name);
    if (all)
        settle_all(c, NULL);
    else
        catalog_diff(was, list, on_difference, c);
    for (struct catalog_state *k = c->replicator->catalogs; k; k = k->next) {
        if (k->config)
            go(k); /* a zone that moved may have been another's that goes */
    }
    log_info(say("a catalog is followed"), kv_str("catalog", name),
             kv_u64("members", catalog_count(list)), kv_u64("zones", c->zones),
             kv_u64("refused", c->refused), kv_u64("waiting_to_go", c->going_count));
    catalog_free(was);
}

static void on_read(void *ctx, const struct catalog_report *report)
{
    struct catalog_state *c = ctx;
    char name[NAME_TEXT_MAX];

    c->loading = NULL;
    if (!c->config || c->again) {
        catalog_free(report->list);
        if (c->config)
            replicate_catalog_changed(c, NULL);
        return;
    }
    if (report->list) {
        take_list(c, report->list);
    } else {
        (void)name_to_text(name, c->name);
        say_error(c, report->error.text);
        log_error(say("a catalog cannot be used; its zones stay as they are"),
                  kv_str("catalog", name), kv_err(&report->error));
        if (!c->list)
            settle_unlisted(c, NULL);
    }
    replicate_settle(c->replicator);
}

void replicate_catalog_changed(struct catalog_state *c, struct zone *content)
{
    struct replicator *r = c->replicator;
    struct zone_entry *z = replicate_find(r, c->name);
    struct store_zone row;

    c->again = c->loading != NULL;
    if (c->again || !z)
        return;
    zone_row_get(&row, &z->row);
    c->loading = r->ops.catalog(r->ops.ctx, &row, content, on_read, c);
}

struct catalog_state *replicate_catalog_of(const struct zone_entry *z)
{
    return z->section && z->section->catalog ? replicate_catalog_find(z->replicator, z->row.name)
                                             : NULL;
}

/* ---- A new configuration ---- */

static void count_owners(struct replicator *r)
{
    size_t lost = 0;

    for (struct catalog_state *c = r->catalogs; c; c = c->next)
        c->zones = 0;
    for (size_t i = 0; i < r->bucket_count; i++) {
        for (struct zone_entry *z = r->buckets[i]; z; z = z->next) {
            struct catalog_state *c = z->owner;

            if (!c && z->row.source == SOURCE_CATALOG && !z->row.removed && z->row.catalog)
                c = replicate_catalog_find(r, z->row.catalog);
            z->owner = c && c->config && replicate_of_others(z, NULL) == OK ? c : NULL;
            if (z->owner)
                c->zones++;
            else if (z->row.source == SOURCE_CATALOG && !z->row.removed && !z->section)
                lost++;
        }
    }
    if (lost)
        log_warning(say("zones came from a catalog that is not configured any more; they are "
                        "served until they expire"),
                    kv_u64("zones", lost));
}

/* A zone whose catalog is still being read is neither looked after nor swept away. */
static void wait_for_list(struct catalog_state *c)
{
    struct replicator *r = c->replicator;

    for (size_t i = 0; i < r->bucket_count; i++) {
        for (struct zone_entry *z = r->buckets[i]; z; z = z->next) {
            if (z->owner != c)
                continue;
            z->generation = r->generation;
            z->section = &c->config->zone;
            replicate_unschedule(z);
            z->config = NULL;
        }
    }
}

void replicate_give_catalogs(struct replicator *r, const struct config *old)
{
    for (struct catalog_state *c = r->catalogs; c; c = c->next)
        c->config = NULL;
    for (size_t i = 0; i < r->config->catalog_count; i++) {
        const struct config_catalog *k = &r->config->catalogs[i];
        uint8_t name[NAME_MAX_OCTETS];

        if (name_from_text(name, k->name, strlen(k->name), NULL, NULL) == OK)
            state_get(r, name)->config = k;
    }
    count_owners(r);
    for (struct catalog_state *c = r->catalogs; c; c = c->next) {
        const struct zone_entry *z = replicate_find(r, c->name);

        if (!c->config)
            continue;
        if (!c->list && z && z->row.has_content && !z->row.removed)
            replicate_catalog_changed(c, NULL);
        if (c->list)
            settle_all(c, old);
        else if (c->loading)
            wait_for_list(c);
        else
            settle_unlisted(c, old);
    }
    for (struct catalog_state *c = r->catalogs; c; c = c->next) {
        if (c->config)
            go(c);
    }
}

/* ---- What operators ask ---- */

/* NULL: ERR_NOT_FOUND, and the text says so. */
static struct catalog_state *find_catalog(const struct replicator *r, const uint8_t *name,
                                          struct errinfo *e)
{
    struct catalog_state *c = replicate_catalog_find(r, name);
    char text[NAME_TEXT_MAX];

    if (c && c->config)
        return c;
    (void)name_to_text(text, name);
    (void)err_set(ERR_NOT_FOUND, e, "there is no catalog %s in the configuration", text);
    return NULL;
}

enum err replicator_catalog_approve(struct replicator *r, const uint8_t *name, size_t *removed,
                                    struct errinfo *e)
{
    struct catalog_state *c = find_catalog(r, name, e);

    if (!c)
        return ERR_NOT_FOUND;
    going_compact(c);
    if (c->going_count == 0)
        return err_set(ERR_CONFLICT, e, "no zone of this catalog waits to be removed");
    *removed = remove_going(c);
    replicate_settle(r);
    return OK;
}

static void status_of(struct replicator_catalog *out, const struct catalog_state *c)
{
    *out = (struct replicator_catalog){.config = c->config,
                                       .members = catalog_count(c->list),
                                       .zones = c->zones,
                                       .refused = c->refused,
                                       .going = c->going_count,
                                       .braked = c->braked,
                                       .read = c->list != NULL,
                                       .error = c->error};
    (void)name_copy(out->name, c->name);
}

void replicator_each_catalog(struct replicator *r, replicator_catalog_fn *f, void *ctx)
{
    for (struct catalog_state *c = r->catalogs; c; c = c->next) {
        struct replicator_catalog status;

        if (!c->config)
            continue;
        status_of(&status, c);
        f(ctx, &status);
    }
}

enum err replicator_catalog_why(struct replicator *r, const uint8_t *name, const uint8_t *zone,
                                struct errinfo *e)
{
    struct catalog_state *c = find_catalog(r, name, e);
    const struct zone_entry *z = replicate_find(r, zone);
    struct catalog_member m;
    char text[NAME_TEXT_MAX];
    enum err rc;

    if (!c)
        return ERR_NOT_FOUND;
    if (!replicate_catalog_lists(c, zone, &m))
        return err_set(ERR_NOT_FOUND, e, "the catalog does not have the zone");
    if (z && z->owner == c)
        return OK;
    if ((rc = replicate_of_others(z, e)))
        return rc;
    if (z && z->owner) {
        (void)name_to_text(text, z->owner->name);
        return err_set(ERR_CONFLICT, e, "the zone is catalog %s's, which does not hand it over",
                       text);
    }
    return replicate_catalog_admits(c, &m, e);
}

enum err replicator_each_member(struct replicator *r, const uint8_t *name, replicator_member_fn *f,
                                void *ctx, struct errinfo *e)
{
    struct catalog_state *c = find_catalog(r, name, e);

    if (!c)
        return ERR_NOT_FOUND;
    for (size_t i = 0; i < catalog_count(c->list); i++) {
        struct catalog_member m;
        struct errinfo why = {.text = ""};
        const struct zone_entry *z;

        catalog_at(c->list, i, &m);
        z = replicate_find(r, m.zone);
        if (replicator_catalog_why(r, name, m.zone, &why) != OK)
            f(ctx, m.zone, MEMBER_REFUSED, why.text);
        else
            f(ctx, m.zone, z && z->row.has_content ? MEMBER_SERVED : MEMBER_COMING, "");
    }
    going_compact(c);
    for (size_t i = 0; i < c->going_count; i++)
        f(ctx, c->going[i]->row.name, MEMBER_GOING, "");
    return OK;
}
