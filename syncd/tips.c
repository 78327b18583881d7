#include "syncd/tips.h"

#include <string.h>

#include "lib/base/log.h"

struct mend {
    struct tips_report *report;
    struct journal *journal;
    struct store *store;
    bool dry_run;
};

struct tips {
    struct store_version served, waiting, quarantined;
    bool has_served, has_waiting, has_quarantined;
};

static enum err on_version(void *ctx, const struct store_version *v, struct errinfo *e)
{
    struct tips *t = ctx;

    (void)e;
    if (v->journaled && !v->waiting && !t->has_served) {
        t->served = *v;
        t->has_served = true;
    }
    if (v->journaled && v->quarantined && !t->has_quarantined) {
        t->quarantined = *v;
        t->has_quarantined = true;
    }
    if (v->journaled && v->waiting && !v->quarantined && !t->has_waiting) {
        t->waiting = *v;
        t->has_waiting = true;
    }
    return OK;
}

static enum err mend_ref(struct mend *m, enum journal_line line, const uint8_t *zone,
                         const struct store_version *tip, struct errinfo *e)
{
    struct journal_oid want;
    struct journal_oid is = {{0}};

    memcpy(want.id, tip->oid, sizeof(want.id));
    if (!journal_has(m->journal, &want)) {
        char text[NAME_TEXT_MAX];

        m->report->missing++;
        if (!tip->lost) {
            (void)name_to_text(text, zone);
            log_error(say("journal: the newest commit of a zone is missing"), kv_str("zone", text),
                      kv_u64("version", tip->version));
        }
        return OK;
    }
    if (journal_ref_get(m->journal, line, zone, &is, NULL) == OK &&
        memcmp(is.id, want.id, sizeof(is.id)) == 0)
        return OK;
    m->report->mended++;
    return m->dry_run ? OK : journal_ref_set(m->journal, line, zone, &want, e);
}

static enum err on_zone(void *ctx, const struct store_zone *z, struct errinfo *e)
{
    struct mend *m = ctx;
    struct tips tips = {.has_served = false};
    uint64_t before = 0;
    enum err rc;

    /* Waiting versions can stand above the newest served one, and there may be many of them. */
    for (uint64_t left = z->last_version; left && !tips.has_served; left = before - 1) {
        uint32_t step = 64;

        rc = store_version_each(m->store, z->id, before, step, on_version, &tips, e);
        if (rc)
            return rc;
        before = left > step ? left - step + 1 : 1;
    }
    if (tips.has_served && (rc = mend_ref(m, LINE_SERVED, z->name, &tips.served, e)))
        return rc;
    if (tips.has_quarantined && (rc = mend_ref(m, LINE_QUARANTINE, z->name, &tips.quarantined, e)))
        return rc;
    return tips.has_waiting ? mend_ref(m, LINE_WAITING, z->name, &tips.waiting, e) : OK;
}

enum err tips_mend(struct tips_report *out, struct journal *j, struct store *s, const uint8_t *zone,
                   bool dry_run, struct errinfo *e)
{
    struct mend m = {.report = out, .journal = j, .store = s, .dry_run = dry_run};
    uint64_t before = out->mended;
    struct store_zone row;
    enum err rc;

    if (!zone)
        rc = store_zone_each(s, on_zone, &m, e);
    else if ((rc = store_zone_get(s, zone, &row, e)) == OK)
        rc = on_zone(&m, &row, e);
    if (rc == OK && out->mended > before && !dry_run)
        log_warning(say("journal: refs were set again from the store"),
                    kv_u64("refs", out->mended - before));
    return rc;
}
