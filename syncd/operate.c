#include "syncd/operate.h"

#include <stdio.h>
#include <string.h>

#include "lib/zone/zone_signatures.h"
#include "syncd/series.h"

static void origin_set(struct origin *o, enum origin_kind kind, const char *source,
                       const struct operator_act *act)
{
    *o = (struct origin){.kind = kind};
    (void)snprintf(o->who, sizeof(o->who), "%s", act->who);
    (void)snprintf(o->source, sizeof(o->source), "%s", source);
    (void)snprintf(o->reason, sizeof(o->reason), "%s", act->reason);
    (void)snprintf(o->transport, sizeof(o->transport), act->remote ? "https" : "unix");
}

/* Fills a job with the step from `old_zone` to `new_zone`; takes both over, also on error. */
static enum err job_change(struct commit_job **out, const struct store_zone *row,
                           struct zone *old_zone, struct zone *new_zone, struct errinfo *e)
{
    struct commit_job *job = commit_job_new(COMMIT_CHANGE, row);
    enum err rc;

    job->old_zone = old_zone;
    job->new_zone = new_zone;
    if ((rc = zone_diff(&job->changes, old_zone, new_zone, e))) {
        commit_job_free(job);
        return rc;
    }
    *out = job;
    return OK;
}

static void hold(struct store_zone *row, uint64_t version, const struct operator_act *act)
{
    row->held = true;
    row->held_version = version;
    row->held_at = act->now;
    (void)snprintf(row->held_by, sizeof(row->held_by), "%s", act->who);
    (void)snprintf(row->held_reason, sizeof(row->held_reason), "%s", act->reason);
    row->hold_has_serial = act->rule.has_serial;
    row->hold_serial = act->rule.serial;
    row->hold_until = act->rule.until;
}

static void unhold(struct store_zone *row)
{
    row->held = row->hold_has_serial = false;
    row->held_version = 0;
    row->held_at.s = row->hold_until.s = 0;
    row->hold_serial = (struct serial){0};
    row->held_by[0] = 0;
    row->held_reason[0] = 0;
}

static enum err check_rule(const struct operator_act *act, struct errinfo *e)
{
    if (act->rule.until.s != 0 && act->rule.until.s <= act->now.s)
        return err_set(ERR_FORMAT, e, "the time until which the zone is to be held is over");
    return OK;
}

/* The old content as it is to be served; *row says of it whether its serial is ours. */
static enum err next_of(struct zone **out, struct store_zone *row, struct history *h,
                        struct zone *current, struct zone *old, const struct store_version *v,
                        const struct operator_act *act, struct errinfo *e)
{
    struct serial theirs = v->ours ? v->theirs : v->serial;
    struct serial last;
    enum err rc;

    if (row->kind == ZONE_LOCAL)
        return zone_with_serial(out, old, serial_next(zone_serial(current)), e);
    if (act->serial != CONFIG_ROLLBACK_EXACT && (rc = series_bears(old, e)) != ERR_CHECK)
        return rc || (rc = series_last(&last, h->store, row, e))
                   ? rc
                   : series_ahead(out, row, old, theirs, last, e);
    if (act->serial == CONFIG_ROLLBACK_LOCAL)
        return err_wrap(ERR_CHECK, e, "--serial local");
    row->ours = v->ours;
    row->theirs = v->theirs;
    *out = zone_ref(old);
    return OK;
}

/* A catalog that we make says what the configuration says. */
static const char made_here[] =
    "the zone is a catalog that is made here: what it lists follows the "
    "zones of this server and their sections in the configuration";

static bool is_made_here(const struct store_zone *row)
{
    return row->kind == ZONE_LOCAL && store_zone_is_catalog(row);
}

/* Who validates believes no signature that has expired: worse than what is served now. */
static enum err check_signatures(const struct zone *old, const struct store_version *v,
                                 const struct operator_act *act, struct errinfo *e)
{
    struct zone_signatures s;
    char since[WALL_TEXT_MAX];

    if (act->force)
        return OK;
    s = zone_signatures(old, act->now);
    if (!s.expired)
        return OK;
    wall_to_text(since, s.first);
    return err_set(ERR_CHECK, e,
                   "%llu of the %llu signatures in version %llu have expired, the first at %s: "
                   "validating resolvers would refuse the zone; --force serves it all the same",
                   (unsigned long long)s.expired, (unsigned long long)s.count,
                   (unsigned long long)v->version, since);
}

enum err operate_rollback(struct commit_job **out, struct store_version *target, struct history *h,
                          const struct store_zone *row, const char *spec,
                          const struct operator_act *act, struct errinfo *e)
{
    struct store_zone changed = *row;
    struct commit_job *job = NULL;
    struct store_version v;
    struct zone *current = NULL;
    struct zone *old = NULL;
    struct zone *next = NULL;
    char source[64];
    enum err rc;

    if (row->removed)
        return err_set(ERR_CONFLICT, e, "the zone is removed; 'zonectl undelete' brings it back");
    if (is_made_here(row))
        return err_set(ERR_CONFLICT, e, "%s", made_here);
    if (!row->has_content)
        return err_set(ERR_NOT_FOUND, e, "the zone has no content yet");
    if ((rc = history_find(&v, h, row, spec, act->now, e)) || (rc = check_rule(act, e)) ||
        (rc = history_current(&current, h, row, e)) ||
        (rc = history_back(&old, h, row, current, &v, e)) ||
        (rc = check_signatures(old, &v, act, e)) ||
        (rc = next_of(&next, &changed, h, current, old, &v, act, e)) ||
        (rc = job_change(&job, row, zone_ref(current), zone_ref(next), e)))
        goto out;
    job->row = changed;
    if (import_only_serial(job->changes)) {
        rc = err_set(ERR_EXISTS, e, "version %llu has the content that is served already",
                     (unsigned long long)v.version);
        goto out;
    }
    if (row->kind == ZONE_SECONDARY)
        hold(&job->row, v.version, act);
    (void)snprintf(source, sizeof(source), "v%llu", (unsigned long long)v.version);
    origin_set(&job->origin, ORIGIN_ROLLBACK, source, act);
    *target = v;
    *out = job;
    job = NULL;
out:
    commit_job_free(job);
    zone_unref(current);
    zone_unref(old);
    zone_unref(next);
    return rc;
}

/* ---- Hold and release ---- */

static bool same_rule(const struct store_zone *row, const struct hold_rule *rule)
{
    return row->hold_has_serial == rule->has_serial &&
           (!rule->has_serial || serial_eq(row->hold_serial, rule->serial)) &&
           row->hold_until.s == rule->until.s;
}

enum err operate_hold(struct commit_job **out, const struct store_zone *row,
                      const struct operator_act *act, struct errinfo *e)
{
    struct operator_act all = *act;
    struct commit_job *job;
    enum err rc;

    if (row->kind == ZONE_LOCAL)
        return err_set(ERR_CONFLICT, e,
                       "the zone is our own: nothing comes from elsewhere that could be held");
    if (row->removed)
        return err_set(ERR_CONFLICT, e, "the zone is removed; 'zonectl undelete' brings it back");
    if (!row->has_content)
        return err_set(ERR_NOT_FOUND, e, "the zone has no content yet");
    if ((rc = check_rule(act, e)))
        return rc;
    if (row->held && same_rule(row, &act->rule) && !act->reason[0])
        return err_set(ERR_EXISTS, e, "the zone is held already");
    if (row->held && !act->reason[0])
        all.reason = row->held_reason;
    job = commit_job_new(COMMIT_SERVED, row);
    hold(&job->row, row->held ? row->held_version : row->version, &all);
    if (row->held)
        job->row.held_at = row->held_at;
    *out = job;
    return OK;
}

/* What came from a primary becomes what is served. */
static enum err job_serve(struct commit_job **out, const struct store_zone *row,
                          struct zone *current, struct zone *content, struct errinfo *e)
{
    struct store_zone changed = *row;
    struct zone *next = NULL;
    enum err rc;

    if ((rc = series_follow(&next, &changed, content, false, NULL, e)) ||
        (rc = job_change(out, row, zone_ref(current), zone_ref(next), e)))
        goto out;
    (*out)->row = changed;
out:
    zone_unref(next);
    return rc;
}

/* By the serials of the primaries, as any version is judged when it comes. */
static enum err judge(struct guard_verdict *verdict, const struct guard_spec *guards,
                      const struct store_zone *row, struct zone *current, struct zone *waiting,
                      struct errinfo *e)
{
    struct changeset *changes = NULL;
    struct zone *base = NULL;
    enum err rc;

    if ((rc = series_theirs(&base, row, current, e)) ||
        (rc = zone_diff(&changes, base, waiting, e)))
        goto out;
    guard_judge(verdict, guards, base, waiting, changes);
    if (verdict->quarantine)
        rc = err_set(ERR_CHECK, e, "%s", verdict->reason);
out:
    changeset_free(changes);
    zone_unref(base);
    return rc;
}

/* `guards` NULL: an operator has looked at what waits. */
static enum err release(struct commit_job **out, struct guard_verdict *verdict, struct history *h,
                        const struct store_zone *row, const struct guard_spec *guards,
                        struct errinfo *e)
{
    struct commit_job *job = NULL;
    struct zone *waiting = NULL;
    struct zone *current = NULL;
    enum err rc;

    if (!row->held && !store_zone_is_staged(row))
        return err_set(ERR_CONFLICT, e, "the zone is not held, and no version waits for its time");
    rc = row->held ? store_zone_load_waiting(&waiting, h->store, row, e)
                   : store_zone_load_version(&waiting, h->store, row, row->staged_version, e);
    if (rc == ERR_NOT_FOUND) {
        job = commit_job_new(COMMIT_SERVED, row);
    } else if (rc || (rc = history_current(&current, h, row, e)) ||
               (guards && (rc = judge(verdict, guards, row, current, waiting, e))) ||
               (rc = job_serve(&job, row, current, waiting, e))) {
        goto out;
    }
    rc = OK;
    unhold(&job->row);
    *out = job;
out:
    zone_unref(waiting);
    zone_unref(current);
    return rc;
}

enum err operate_release(struct commit_job **out, struct history *h, const struct store_zone *row,
                         const struct operator_act *act, struct errinfo *e)
{
    enum err rc = release(out, NULL, h, row, NULL, e);

    if (rc == OK)
        origin_set(&(*out)->origin, ORIGIN_RELEASE, "", act);
    return rc;
}

enum err operate_release_by_rule(struct commit_job **out, struct guard_verdict *verdict,
                                 struct history *h, const struct store_zone *row,
                                 const struct guard_spec *guards, const char *why,
                                 struct errinfo *e)
{
    struct operator_act act = {.who = row->held_by, .reason = ""};
    struct origin *o;
    enum err rc;

    *verdict = (struct guard_verdict){.quarantine = false};
    if ((rc = release(out, verdict, h, row, guards, e)))
        return rc;
    o = &(*out)->origin;
    origin_set(o, ORIGIN_RELEASE, "", &act);
    (void)snprintf(o->reason, sizeof(o->reason), "by rule, %s%s%s", why,
                   row->held_reason[0] ? "; held: " : "", row->held_reason);
    (void)snprintf(o->transport, sizeof(o->transport), "rule");
    return OK;
}

/* ---- Staged versions ---- */

enum err operate_reject_staged(struct commit_job **out, const struct store_zone *row,
                               const struct operator_act *act, struct errinfo *e)
{
    struct commit_job *job;

    if (row->removed || row->held || !store_zone_is_staged(row))
        return err_set(ERR_CONFLICT, e, "no version of the zone waits for its time");
    job = commit_job_new(COMMIT_SERVED, row);
    job->stage = COMMIT_STAGE_REJECT;
    origin_set(&job->origin, ORIGIN_RELEASE, "", act);
    *out = job;
    return OK;
}

/* ---- Quarantine ---- */

static enum err check_quarantine(const struct store_zone *row, bool rejected_too, struct errinfo *e)
{
    if (row->removed || row->quarantine_version <= row->version)
        return err_set(ERR_CONFLICT, e, "no version of the zone is quarantined");
    if (row->quarantine_rejected && !rejected_too)
        return err_set(ERR_CONFLICT, e, "version %llu is rejected already",
                       (unsigned long long)row->quarantine_version);
    return OK;
}

enum err operate_approve(struct commit_job **out, struct history *h, const struct store_zone *row,
                         const struct operator_act *act, struct errinfo *e)
{
    struct commit_job *job = NULL;
    struct zone *aside = NULL;
    struct zone *current = NULL;
    struct store_version v;
    char source[64];
    enum err rc;

    if ((rc = check_quarantine(row, true, e)))
        return rc;
    if (row->held)
        return err_set(ERR_CONFLICT, e, "the zone is held; 'zonectl release' serves what waits");
    if ((rc = store_version_get(h->store, row->id, row->quarantine_version, &v, e)) ||
        (rc = history_content(&aside, h, row, &v, e)) ||
        (rc = history_current(&current, h, row, e)) ||
        (rc = job_serve(&job, row, current, aside, e)))
        goto out;
    (void)snprintf(source, sizeof(source), "v%llu", (unsigned long long)v.version);
    origin_set(&job->origin, ORIGIN_RELEASE, source, act);
    *out = job;
out:
    zone_unref(aside);
    zone_unref(current);
    return rc;
}

enum err operate_reject(struct commit_job **out, const struct store_zone *row,
                        const struct operator_act *act, struct errinfo *e)
{
    struct commit_job *job;
    enum err rc = check_quarantine(row, false, e);

    if (rc)
        return rc;
    job = commit_job_new(COMMIT_SERVED, row);
    job->row.quarantine_rejected = true;
    origin_set(&job->origin, ORIGIN_RELEASE, "", act);
    *out = job;
    return OK;
}

/* ---- Remove and undelete ---- */

enum err operate_remove(struct commit_job **out, const struct store_zone *row,
                        const struct operator_act *act, struct errinfo *e)
{
    struct commit_job *job;

    if (row->removed)
        return err_set(ERR_CONFLICT, e, "the zone is removed already");
    if (row->kind == ZONE_SECONDARY && row->source == SOURCE_CONFIG)
        return err_set(ERR_CONFLICT, e,
                       "the zone stands in the configuration: take it out there, and reload");
    if (row->source == SOURCE_CATALOG)
        return err_set(ERR_CONFLICT, e, "a catalog lists the zone: it must be taken out there");
    if (is_made_here(row))
        return err_set(ERR_CONFLICT, e, "%s", made_here);
    job = commit_job_new(COMMIT_MARK, row);
    job->row.removed = true;
    origin_set(&job->origin, ORIGIN_REMOVE, "", act);
    *out = job;
    return OK;
}

/* Its primaries have a whole time of expiry to be found again. */
static enum err live_again(struct store_zone *row, struct history *h, struct wall now,
                           struct errinfo *e)
{
    static const struct store_zone none;
    struct buf rdata = BUF_INIT;
    uint32_t ttl;
    struct soa soa;
    enum err rc;

    row->removed = row->expired = false;
    commit_copy_state(row, &none);
    if (row->kind != ZONE_SECONDARY || !row->has_content)
        return OK;
    if ((rc = store_zone_soa(&rdata, &ttl, h->store, row, e)) == OK) {
        if (soa_parse(&soa, rdata.data, rdata.len))
            row->expires_at.s = now.s + soa.expire_s;
        row->last_success = now;
    }
    buf_free(&rdata);
    return rc;
}

/* Another version than the last one: fills the job. */
static enum err undelete_to(struct commit_job *job, struct history *h, const struct store_zone *row,
                            const char *spec, const struct operator_act *act, struct errinfo *e)
{
    struct store_zone changed = *row;
    struct store_version v;
    struct zone *current = NULL;
    struct zone *old = NULL;
    struct zone *next = NULL;
    enum err rc;

    if ((rc = history_find(&v, h, row, spec, act->now, e)) || (rc = check_rule(act, e)) ||
        (rc = history_current(&current, h, row, e)) ||
        (rc = history_back(&old, h, row, current, &v, e)) ||
        (rc = check_signatures(old, &v, act, e)) ||
        (rc = next_of(&next, &changed, h, current, old, &v, act, e)) ||
        (rc = zone_diff(&job->changes, current, next, e)))
        goto out;
    (void)snprintf(job->origin.source, sizeof(job->origin.source), "v%llu",
                   (unsigned long long)v.version);
    if (row->kind == ZONE_LOCAL || changed.ours
            ? import_only_serial(job->changes)
            : job->changes->removed.n + job->changes->added.n == 0)
        goto out; /* the last content by another name */
    job->kind = COMMIT_CHANGE;
    job->row.ours = changed.ours;
    job->row.theirs = changed.theirs;
    job->old_zone = zone_ref(current);
    job->new_zone = zone_ref(next);
    if (row->kind == ZONE_SECONDARY)
        hold(&job->row, v.version, act);
out:
    zone_unref(current);
    zone_unref(old);
    zone_unref(next);
    return rc;
}

enum err operate_undelete(struct commit_job **out, struct history *h, const struct store_zone *row,
                          const char *spec, const struct operator_act *act, struct errinfo *e)
{
    struct commit_job *job;
    enum err rc;

    if (!row->removed)
        return err_set(ERR_CONFLICT, e, "the zone is not removed");
    if (row->kind == ZONE_SECONDARY && row->source == SOURCE_CONFIG)
        return err_set(ERR_CONFLICT, e,
                       "the zone was taken out of the configuration: put it back there");
    if (row->source == SOURCE_CATALOG)
        return err_set(ERR_CONFLICT, e,
                       "the zone goes with its catalog, and comes back when one lists it again; "
                       "'zonectl show' and 'zonectl import' make it a zone of our own");
    if (is_made_here(row))
        return err_set(ERR_CONFLICT, e, "%s", made_here);
    if (row->kind == ZONE_LOCAL && !row->has_content)
        return err_set(ERR_NOT_FOUND, e, "the zone never had content");
    job = commit_job_new(COMMIT_MARK, row);
    origin_set(&job->origin, ORIGIN_UNDELETE, "", act);
    job->owns_state = true;
    if ((rc = live_again(&job->row, h, act->now, e)) ||
        (*spec && (rc = undelete_to(job, h, row, spec, act, e)))) {
        commit_job_free(job);
        return rc;
    }
    *out = job;
    return OK;
}

/* ---- Import ---- */

/* A first version too shows what it adds. */
static enum err step_of(struct import_step *out, struct zone *current, struct zone *file,
                        const struct import_wish *wish, struct errinfo *e)
{
    struct import_step s = {.next = NULL};
    enum err rc;

    if ((rc = import_step(&s, current, file, wish, e)) ||
        (!s.changes && (rc = zone_diff(&s.changes, NULL, s.next, e)))) {
        import_step_done(&s);
        return rc;
    }
    *out = s;
    return OK;
}

enum err operate_import(struct commit_job **out, struct history *h, const struct store_zone *row,
                        const char *file_name, const char *text, size_t len,
                        const struct import_wish *wish, const struct zone_limits *limits,
                        const struct operator_act *act, struct errinfo *e)
{
    struct zonefile_opts opts = {.origin = row->name, .path = file_name};
    struct import_step step = {.next = NULL};
    struct zone *current = NULL;
    struct zone *fresh = NULL;
    struct commit_job *job;
    enum err rc;

    if (row->id && row->kind == ZONE_SECONDARY && !row->removed)
        return err_set(ERR_CONFLICT, e,
                       "the zone comes from primaries; change it there, or take it out of the "
                       "configuration first");
    if (row->id && !row->removed && is_made_here(row))
        return err_set(ERR_CONFLICT, e, "%s", made_here);
    if ((rc = import_zone(&fresh, text, len, &opts, limits, e)) ||
        (row->has_content && (rc = store_zone_load(&current, h->store, row, e))))
        goto out;
    if ((rc = step_of(&step, current, fresh, wish, e))) {
        (void)err_wrap(rc, e, "%s", file_name);
        goto out;
    }
    if (!step.changed && !row->removed) {
        rc = err_set(ERR_EXISTS, e, "the file has the content that is served already");
        goto out;
    }
    job = commit_job_new(COMMIT_CHANGE, row);
    job->old_zone = current;
    job->new_zone = step.next;
    job->changes = step.changes;
    current = NULL;
    step = (struct import_step){.next = NULL};
    import_claim(job, "");
    origin_set(&job->origin, ORIGIN_IMPORT, file_name, act);
    *out = job;
out:
    import_step_done(&step);
    zone_unref(current);
    zone_unref(fresh);
    return rc;
}
