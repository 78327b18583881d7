#include "syncd/fleet_plan.h"

#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/mem.h"

const char *fleet_step_name(enum fleet_step s)
{
    switch (s) {
    case FLEET_SAME:
        return "same";
    case FLEET_ROLLBACK:
        return "rollback";
    case FLEET_UNDELETE:
        return "undelete";
    case FLEET_REMOVE:
        return "remove";
    case FLEET_CANNOT:
        return "cannot";
    }
    return "?";
}

struct plan {
    struct history *history;
    const struct fleet_pick *pick;
    struct wall at;
    char when[WALL_TEXT_MAX];
    const struct operator_act *act;
    fleet_zone_fn *f;
    void *ctx;
    bool catalogs; /* this round's: catalogs, or all others */
};

/* ---- Which ---- */

static bool name_fits(const char *pattern, const uint8_t *name)
{
    char text[NAME_TEXT_MAX];
    size_t n = name_to_text(text, name);

    if (n > 1)
        text[n - 1] = 0; /* the last dot */
    return fnmatch(pattern, text, FNM_CASEFOLD) == 0;
}

static bool is_picked(const struct fleet_pick *p, const struct store_zone *z)
{
    if (p->account[0] && strcmp(p->account, z->account) != 0)
        return false;
    if (p->catalog && !name_eq(p->catalog, z->catalog) && !name_eq(p->catalog, z->name))
        return false;
    return !p->match[0] || name_fits(p->match, z->name);
}

/* ---- What ---- */

/* What the job would do; it is only looked at. ERR_EXISTS says that nothing is to be done. */
static void take_job(struct fleet_zone *out, enum fleet_step step, enum err rc,
                     struct commit_job *job, struct errinfo *e)
{
    if (rc == ERR_EXISTS) {
        out->step = FLEET_SAME;
    } else if (rc) {
        out->step = FLEET_CANNOT;
        out->why = e->text;
    } else {
        out->step = step;
        out->added = job->changes ? job->changes->added.n : 0;
        out->removed = job->changes ? job->changes->removed.n : 0;
        commit_job_free(job);
    }
}

/* It was served then, with version *v. */
static void plan_back(const struct plan *p, struct fleet_zone *out, const struct store_version *v,
                      struct errinfo *e)
{
    const struct store_zone *row = out->row;
    struct commit_job *job = NULL;
    struct store_version target;
    enum err rc;

    if (!row->removed && v->version == row->version)
        return;
    if (row->removed) {
        rc = operate_undelete(&job, p->history, row, p->when, p->act, e);
        take_job(out, FLEET_UNDELETE, rc, job, e);
    } else {
        rc = operate_rollback(&job, &target, p->history, row, p->when, p->act, e);
        take_job(out, FLEET_ROLLBACK, rc, job, e);
    }
}

/* It was not there then. */
static void plan_away(const struct plan *p, struct fleet_zone *out, struct errinfo *e)
{
    struct commit_job *job = NULL;
    enum err rc;

    if (out->row->removed)
        return;
    rc = operate_remove(&job, out->row, p->act, e);
    take_job(out, FLEET_REMOVE, rc, job, e);
}

static enum err on_zone(void *ctx, const struct store_zone *row, struct errinfo *e)
{
    const struct plan *p = ctx;
    struct fleet_zone out = {.row = row, .step = FLEET_SAME, .why = ""};
    struct errinfo why = {0};
    struct store_version v;
    enum err rc;

    if (store_zone_is_catalog(row) != p->catalogs || !is_picked(p->pick, row))
        return OK;
    rc = store_version_by_time(p->history->store, row->id, p->at, &v, e);
    if (rc && rc != ERR_NOT_FOUND)
        return rc;
    if (rc == ERR_NOT_FOUND || v.origin.kind == ORIGIN_REMOVE)
        plan_away(p, &out, &why);
    else
        plan_back(p, &out, &v, &why);
    p->f(p->ctx, &out);
    return OK;
}

/* ---- All of it ---- */

struct ids {
    int64_t *ids;
    size_t n, cap;
};

/* What is done with a row reads more of the store: not in the middle of a statement. Ids alone,
 * since there may be a million. */
static enum err collect(void *ctx, const struct store_zone *row, struct errinfo *e)
{
    struct ids *l = ctx;

    (void)e;
    l->ids = xgrow(l->ids, &l->cap, l->n + 1, sizeof(*l->ids));
    l->ids[l->n++] = row->id;
    return OK;
}

enum err fleet_plan(struct history *h, const struct fleet_pick *pick, struct wall at,
                    const struct operator_act *act, fleet_zone_fn *f, void *ctx, struct errinfo *e)
{
    struct plan p = {.history = h, .pick = pick, .at = at, .act = act, .f = f, .ctx = ctx};
    struct store_zone row;
    struct ids l = {.n = 0};
    enum err rc;

    wall_to_text(p.when, at);
    rc = store_zone_each(h->store, collect, &l, e);
    for (int round = 0; round < 2 && rc == OK; round++) {
        p.catalogs = round == 0;
        for (size_t i = 0; i < l.n && rc == OK; i++) {
            if ((rc = store_zone_get_id(h->store, l.ids[i], &row, e)) == OK)
                rc = on_zone(&p, &row, e);
        }
    }
    free(l.ids);
    return rc;
}
