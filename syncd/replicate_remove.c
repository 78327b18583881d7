/* Zones that came by themselves and go again: by their catalog, an operator, or as orphans.
 *
 * Going is a version like any other, with the same content and the reason in its origin; the row,
 * the content and the history stay, and undelete brings the zone back.
 */
#include "syncd/replicate_internal.h"

#include <stdio.h>
#include <stdlib.h>

#include "lib/base/log.h"
#include "lib/base/mem.h"

static void count(struct zone_entry *z, bool in)
{
    struct replicator *r = z->replicator;
    const struct config_autoprimary *a = replicate_autoprimary(z);
    struct section_state *s = a ? &r->sections[a - r->config->autoprimaries] : NULL;

    if (s && (in || s->zones > 0))
        s->zones += in ? 1 : (uint32_t)-1;
}

/* ---- Orphans ---- */

void replicate_count_orphan(struct zone_entry *z)
{
    bool is = z->row.orphan && !z->row.removed;

    if (is != z->orphan)
        z->replicator->orphans += is ? 1 : (size_t)-1;
    z->orphan = is;
}

static void set_orphan(struct zone_entry *z, bool orphan)
{
    char zone[NAME_TEXT_MAX];
    char since[WALL_TEXT_MAX];
    struct store_zone row;

    (void)name_to_text(zone, z->row.name);
    replicate_full_row(&row, z);
    wall_to_text(since, row.unserved_since);
    if (orphan)
        log_warning(say("a zone is an orphan: none of its primaries serves it; what we have stays "
                        "served until it expires"),
                    kv_str("zone", zone), kv_str("account", row.account), kv_str("since", since),
                    kv_str("error", row.last_error));
    else
        log_info(say("a zone is no orphan any more: a primary serves it"), kv_str("zone", zone));
    z->row.orphan = orphan;
    replicate_count_orphan(z);
    replicate_dirty(z);
}

static void remove_orphan(struct zone_entry *z)
{
    struct replicator *r = z->replicator;
    struct origin origin = {.kind = ORIGIN_REMOVE, .source = "orphan-remove"};
    struct store_zone row;
    char since[WALL_TEXT_MAX];
    struct errinfo e;

    replicate_full_row(&row, z);
    wall_to_text(since, row.unserved_since);
    (void)snprintf(origin.who, sizeof(origin.who), "%s", r->config->node);
    (void)snprintf(origin.reason, sizeof(origin.reason), "none of its primaries serves it since %s",
                   since);
    if (replicator_remove(r, z->row.name, &origin, &e) != OK)
        log_error(say("an orphan cannot be removed"), kv_err(&e));
}

void replicate_look_orphan(struct zone_entry *z)
{
    const struct replicator *r = z->replicator;
    const struct config *c = r->config;
    const struct refresh *f = &z->refresh;
    int64_t ms = f->has_unserved ? replicate_now(r).ms - f->unserved.ms : 0;
    bool is = z->row.source == SOURCE_AUTOPRIMARY && f->has_unserved && c->orphan_after_s &&
              (z->row.orphan || ms >= (int64_t)c->orphan_after_s * 1000);

    if (is != z->row.orphan)
        set_orphan(z, is);
    if (is && c->orphan_remove_s && !z->removal &&
        ms >= ((int64_t)c->orphan_after_s + c->orphan_remove_s) * 1000)
        remove_orphan(z);
}

size_t replicator_orphans(const struct replicator *r)
{
    return r->orphans;
}

/* ---- Coming and going ---- */

void replicate_gone(struct zone_entry *z)
{
    replicate_count_orphan(z);
    count(z, false);
    if (z->config && z->config->name)
        return; /* it stands in the configuration by now, which brings it back */
    replicate_unschedule(z);
    z->config = NULL;
    if (z->section && !z->section->name)
        z->section = NULL;
}

void replicate_back(struct zone_entry *z)
{
    const struct config_autoprimary *a = replicate_autoprimary(z);

    replicate_count_orphan(z);
    count(z, true);
    if (z->config || !a)
        return;
    z->generation = z->replicator->generation;
    z->config = &a->zone;
    if (!z->section)
        z->section = &a->zone;
}

static void submit_removal(struct zone_entry *z);

static void removal_over(struct zone_entry *z)
{
    free(z->removal);
    z->removal = NULL;
}

static void log_gone(const struct zone_entry *z)
{
    char zone[NAME_TEXT_MAX];

    (void)name_to_text(zone, z->row.name);
    log_info(say("a zone is removed; its history is kept, and undelete brings it back"),
             kv_str("zone", zone), kv_str("who", z->removal->who),
             kv_str("source", z->removal->source), kv_str("reason", z->removal->reason));
}

static void on_removed(void *ctx, struct commit_job *job)
{
    struct commit_wait *w = ctx;
    struct zone_entry *z = w->zone;
    bool there = replicate_wait_end(w);

    free(w);
    if (!there)
        return;
    if (job->rc == OK) {
        replicate_take_row(z, &job->row);
        log_gone(z);
        removal_over(z);
        replicate_gone(z);
        replicate_wanted_again(z);
        if (!replicate_row_fits(z))
            replicate_commit_row(z);
    } else if (job->rc == ERR_CONFLICT && z->row.id && !z->row.removed) {
        submit_removal(z); /* it was changed at the same moment, and we know how */
    } else {
        if (job->rc != ERR_CONFLICT)
            log_error(say("a zone cannot be removed"), kv_err(&job->error));
        removal_over(z);
    }
    replicate_settle(z->replicator);
}

static void submit_removal(struct zone_entry *z)
{
    struct store_zone row;
    struct commit_job *job;

    zone_row_get(&row, &z->row);
    job = commit_job_new(COMMIT_MARK, &row);
    replicate_full_row(&job->row, z);
    job->row.removed = true;
    job->origin = *z->removal;
    replicate_submit(z->replicator, job, on_removed, replicate_wait_new(z));
}

enum err replicator_remove(struct replicator *r, const uint8_t *zone, const struct origin *origin,
                           struct errinfo *e)
{
    struct zone_entry *z = replicate_find(r, zone);
    char text[NAME_TEXT_MAX];

    (void)name_to_text(text, zone);
    if (!z || z->row.id == 0 || z->row.removed)
        return err_set(ERR_NOT_FOUND, e, "there is no zone %s", text);
    if (z->row.source != SOURCE_AUTOPRIMARY && z->row.source != SOURCE_CATALOG)
        return err_set(ERR_CONFLICT, e, "zone %s did not come by itself", text);
    if (z->owner) {
        (void)name_to_text(text, z->owner->name);
        return err_set(ERR_CONFLICT, e, "catalog %s has the zone: it is removed there", text);
    }
    if (z->removal)
        return OK; /* it is on its way */
    z->removal = xmemdup(origin, sizeof(*origin));
    z->removal->kind = ORIGIN_REMOVE;
    submit_removal(z);
    return OK;
}
