#include "syncd/repair.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "syncd/repair_zone.h"
#include "syncd/tips.h"

void repair_report_free(struct repair_report *r)
{
    for (size_t i = 0; i < r->damaged_count; i++)
        free(r->damaged[i]);
    for (size_t i = 0; i < r->lost_listed; i++) {
        free(r->lost[i].zone);
        free(r->lost[i].why);
    }
    free(r->damaged);
    free(r->lost);
    *r = (struct repair_report){.damaged = NULL};
}

static void on_damaged(void *ctx, const char *text)
{
    struct repair_report *r = ctx;

    log_error(say("journal: a pack is damaged"), kv_str("what", text));
    r->damaged = xgrow(r->damaged, &r->damaged_cap, r->damaged_count + 1, sizeof(*r->damaged));
    r->damaged[r->damaged_count++] = xstrdup(text);
}

/* ---- Zones: their ids first, as the work on them takes long, and nothing may pin the store ----
 */

struct ids {
    int64_t *list;
    size_t n, cap;
};

static enum err on_zone(void *ctx, const struct store_zone *z, struct errinfo *e)
{
    struct ids *ids = ctx;

    (void)e;
    ids->list = xgrow(ids->list, &ids->cap, ids->n + 1, sizeof(*ids->list));
    ids->list[ids->n++] = z->id;
    return OK;
}

static enum err zones_of(struct ids *out, const struct repair_env *env,
                         const struct repair_wish *wish, struct errinfo *e)
{
    struct store_zone row;
    enum err rc;

    if (!wish->zone)
        return store_zone_each(env->store, on_zone, out, e);
    rc = store_zone_get(env->store, wish->zone, &row, e);
    return rc ? rc : on_zone(out, &row, e);
}

static enum err mend_zones(struct repair *r, struct errinfo *e)
{
    struct ids ids = {.list = NULL};
    enum err rc = zones_of(&ids, r->env, r->wish, e);

    for (size_t i = 0; i < ids.n && rc == OK; i++) {
        rc = repair_zone(r, ids.list[i], e);
        r->report->zones++;
    }
    free(ids.list);
    return rc;
}

/* ---- All of it ---- */

static enum err mend_packs(struct repair *r, struct errinfo *e)
{
    enum err rc = journal_check_packs(r->check, on_damaged, r->report, e);

    if (rc == OK && !r->wish->dry_run)
        rc = journal_salvage(r->check, &r->report->packs, e);
    return rc;
}

static enum err mend_cuts(struct repair *r, struct errinfo *e)
{
    size_t n = 0;
    enum err rc =
        r->wish->dry_run ? OK : journal_cuts_set(r->env->journal, r->cuts, r->cut_count, &n, e);

    r->report->cuts = n;
    return rc;
}

static enum err mend_refs(struct repair *r, struct errinfo *e)
{
    struct tips_report tips = {.mended = 0};
    enum err rc =
        tips_mend(&tips, r->env->journal, r->env->store, r->wish->zone, r->wish->dry_run, e);

    r->report->refs = tips.mended;
    return rc;
}

static void log_end(const struct repair_report *r)
{
    if (r->again + r->copied + r->renewed + r->packs.packs + r->refs)
        log_warning(say("journal: repaired"), kv_u64("versions", r->versions),
                    kv_u64("again", r->again), kv_u64("copied", r->copied),
                    kv_u64("renewed", r->renewed), kv_u64("packs", r->packs.packs),
                    kv_u64("objects", r->packs.saved), kv_u64("refs", r->refs));
    if (r->lost_count)
        log_error(say("journal: versions are lost here; zonectl journal repair --from brings them "
                      "back from a repository that has them"),
                  kv_u64("versions", r->lost_count));
}

enum err repair_run(struct repair_report *out, const struct repair_env *env,
                    const struct repair_wish *wish, struct errinfo *e)
{
    struct repair r = {.env = env, .wish = wish, .report = out};
    enum err rc = OK;

    if (wish->from)
        rc = journal_open(&r.from, wish->from, "reader", false, e);
    r.check = journal_check_new(env->journal);
    if (rc == OK && (rc = mend_packs(&r, e)) == OK) {
        r.again = journal_again_new(r.check, wish->dry_run, env->key);
        if ((rc = mend_zones(&r, e)) == OK && (rc = journal_again_flush(r.again, true, e)) == OK &&
            (rc = mend_cuts(&r, e)) == OK)
            rc = mend_refs(&r, e);
    }
    repair_marks_send(&r);
    if (rc == OK && !wish->dry_run)
        log_end(out);
    journal_again_free(r.again);
    journal_check_free(r.check);
    journal_close(r.from);
    free(r.cuts);
    return rc;
}
