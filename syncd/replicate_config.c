#include "syncd/replicate_internal.h"

#include <string.h>

#include "lib/base/log.h"

/* ---- What changed for a zone ---- */

static const char *key_name(const struct config *c, int key)
{
    return key < 0 ? "" : c->keys[key].name;
}

/* Its files may have been renewed: that begins with the next connection. */
static bool same_tls(const struct config_tls *x, const struct config_tls *y)
{
    if (!x->on || !y->on)
        return x->on == y->on;
    return strcmp(x->hostname, y->hostname) == 0 && strcmp(x->ca, y->ca) == 0 &&
           strcmp(x->certificate, y->certificate) == 0 && strcmp(x->key, y->key) == 0 &&
           x->pin_count == y->pin_count &&
           (!x->pin_count || memcmp(x->pins, y->pins, x->pin_count * sizeof(x->pins[0])) == 0);
}

static bool same_primary(const struct config *a, int ia, const struct config *b, int ib)
{
    const struct config_primary *x = &a->primaries[ia];
    const struct config_primary *y = &b->primaries[ib];

    return strcmp(x->name, y->name) == 0 && addr_eq(&x->address, &y->address) &&
           addr_eq(&x->source, &y->source) && same_tls(&x->tls, &y->tls) &&
           strcmp(key_name(a, x->key), key_name(b, y->key)) == 0;
}

static bool same_work(const struct config *a, const struct config_zone *x, const struct config *b,
                      const struct config_zone *y)
{
    if (x->primary_count != y->primary_count || x->refresh_min_s != y->refresh_min_s ||
        x->refresh_max_s != y->refresh_max_s || x->retry_min_s != y->retry_min_s ||
        x->retry_max_s != y->retry_max_s || x->expire_max_s != y->expire_max_s ||
        x->tolerance_s != y->tolerance_s)
        return false;
    for (size_t i = 0; i < x->primary_count; i++) {
        if (!same_primary(a, x->primaries[i], b, y->primaries[i]))
            return false;
    }
    return true;
}

bool replicate_row_fits(const struct zone_entry *z)
{
    if (z->config)
        return z->row.id != 0 && !z->row.removed && z->row.kind == ZONE_SECONDARY &&
               replicate_owner_fits(z);
    return z->row.id == 0 || z->row.removed || z->row.kind != ZONE_SECONDARY ||
           (z->row.source != SOURCE_CONFIG && !z->unwanted);
}

/* A zone that an operator imported is not taken from him by a line in the configuration. */
static bool is_taken(const struct zone_entry *z)
{
    return z->row.id != 0 && z->row.kind == ZONE_LOCAL && !z->row.removed;
}

void replicate_give(struct zone_entry *z, const struct config *old, const struct config_zone *cz)
{
    struct replicator *r = z->replicator;
    bool same = z->config &&
                (z->config == cz || same_work(old ? old : r->config, z->config, r->config, cz));

    z->generation = r->generation;
    z->unwanted = false;
    if (is_taken(z)) {
        z->config = NULL;
        log_error(say("the configuration has primaries for a zone that was imported here; it stays "
                      "as it is. Remove one of the two"),
                  kv_str("zone", cz->name), kv_i64("line", cz->line));
        return;
    }
    if (z->scheduled && !same)
        replicate_unschedule(z);
    if ((old || z->config) && !same)
        z->row.next_check = (struct wall){0}; /* others are to be asked: now */
    z->config = cz;
    if (!replicate_row_fits(z))
        replicate_commit_row(z);
    else if (!z->scheduled && !z->row_busy)
        replicate_schedule(z);
}

void replicate_take(struct zone_entry *z)
{
    replicate_unschedule(z);
    z->config = NULL;
    if (!replicate_row_fits(z))
        replicate_commit_row(z);
}

/* Those that appeared by themselves, and that no section of their own names: their autoprimary's
 * section says what is so. Without it they stay served until they expire. */
static void give_autoprimaries(struct replicator *r, const struct config *old)
{
    size_t lost = 0;

    for (size_t i = 0; i < r->bucket_count; i++) {
        for (struct zone_entry *z = r->buckets[i]; z; z = z->next) {
            const struct config_autoprimary *a;

            if (z->generation == r->generation || z->row.source != SOURCE_AUTOPRIMARY ||
                z->row.removed)
                continue;
            if (!(a = replicate_autoprimary(z))) {
                lost++;
                continue;
            }
            if (!z->section)
                z->section = &a->zone;
            replicate_give(z, old, &a->zone);
        }
    }
    if (lost)
        log_warning(say("zones came from an autoprimary that is not configured any more; they are "
                        "served until they expire"),
                    kv_u64("zones", lost));
}

void replicate_directory(struct zone_entry *z)
{
    const struct config_directory *d = z->row.file && !z->row.removed
                                           ? config_directory_of(z->replicator->config, z->row.file)
                                           : NULL;

    if (!z->section && d)
        z->section = &d->zone;
}

/* Those that are read from files, and that no section of their own names. */
static void give_directories(struct replicator *r)
{
    for (size_t i = 0; i < r->bucket_count && r->config->directory_count; i++) {
        for (struct zone_entry *z = r->buckets[i]; z; z = z->next)
            replicate_directory(z);
    }
}

/* Those that the new configuration does not name any more. */
static void sweep(struct replicator *r)
{
    for (size_t i = 0; i < r->bucket_count; i++) {
        for (struct zone_entry *z = r->buckets[i]; z; z = z->next) {
            if (z->generation != r->generation)
                replicate_take(z);
        }
    }
}

static void forget_sections(struct replicator *r)
{
    for (size_t i = 0; i < r->bucket_count; i++) {
        for (struct zone_entry *z = r->buckets[i]; z; z = z->next)
            z->section = NULL;
    }
}

void replicate_configure(struct replicator *r, struct config *config)
{
    struct config *old = r->config;

    r->config = config_ref(config);
    r->generation++;
    replicate_numbers_configure(r, old);
    forget_sections(r);
    for (size_t i = 0; i < config->zone_count; i++) {
        const struct config_zone *cz = &config->zones[i];
        struct store_zone row = {.kind = ZONE_SECONDARY, .source = SOURCE_CONFIG};
        struct zone_entry *z;

        if (name_from_text(row.name, cz->name, strlen(cz->name), NULL, NULL) != OK)
            continue; /* can't be: config_check has read it */
        (void)name_fold(row.name, row.name);
        if (!(z = replicate_find(r, row.name)))
            z = replicate_add(r, &row);
        z->section = cz;
        if (cz->primary_count) /* else it is a zone of our own, once it is imported */
            replicate_give(z, old, cz);
    }
    give_autoprimaries(r, old);
    replicate_give_catalogs(r, old);
    give_directories(r);
    sweep(r);
    replicate_provision_reset(r, old);
    config_unref(old);
    if (r->doubtful)
        log_warning(say("by the clock, zones expired while nobody looked after them; they are "
                        "served until their primaries have been asked"),
                    kv_u64("zones", r->doubtful));
    r->doubtful = 0;
}
