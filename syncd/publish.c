#include "syncd/publish.h"

#include <stdio.h>
#include <stdlib.h>

#include "lib/base/mem.h"
#include "syncd/series.h"

void publication_done(struct publication *p)
{
    commit_job_free(p->job);
    zone_unref(p->served);
    zone_unref(p->rest);
    changeset_free(p->changes);
    p->job = NULL;
    p->served = p->rest = NULL;
    p->changes = NULL;
}

/* As the configuration would have it. */
static void time_text(char *out, size_t room, uint32_t s)
{
    static const struct {
        uint32_t of;
        char unit;
    } units[] = {{86400, 'd'}, {3600, 'h'}, {60, 'm'}};

    for (size_t i = 0; s && i < sizeof(units) / sizeof(units[0]); i++) {
        if (s % units[i].of == 0) {
            (void)snprintf(out, room, "%u%c", (unsigned)(s / units[i].of), units[i].unit);
            return;
        }
    }
    (void)snprintf(out, room, "%us", (unsigned)s);
}

/* Who brought it, and why now. */
static void set_origin(struct origin *o, const struct store_version *v, uint32_t stage_s)
{
    char time[32];

    time_text(time, sizeof(time), stage_s);
    *o = v->origin;
    o->kind = ORIGIN_RELEASE;
    (void)snprintf(o->source, sizeof(o->source), "v%llu", (unsigned long long)v->version);
    (void)snprintf(o->reason, sizeof(o->reason), "staged for %s", time);
}

static enum err content_of(struct zone **out, struct store_version *v, struct history *h,
                           const struct store_zone *row, uint64_t version, struct errinfo *e)
{
    enum err rc = store_version_get(h->store, row->id, version, v, e);

    return rc ? rc : history_content(out, h, row, v, e);
}

static enum err make_rest(struct publication *p, struct history *h, const struct publish_spec *spec)
{
    struct store_version v;
    enum err rc;

    if (spec->newest == spec->version)
        return OK;
    if ((rc = content_of(&p->rest, &v, h, &spec->row, spec->newest, &p->error)) ||
        (rc = zone_diff(&p->changes, p->served, p->rest, &p->error)))
        return rc;
    p->origin = v.origin;
    (void)snprintf(p->origin.reason, sizeof(p->origin.reason), "v%llu waits on",
                   (unsigned long long)v.version);
    return OK;
}

void publication_make(struct publication *out, struct history *h, const struct publish_spec *spec)
{
    struct store_zone row = spec->row;
    struct store_version v;
    struct zone *current = NULL;
    struct zone *next = NULL;
    struct commit_job *job;
    enum err rc;

    *out = (struct publication){.rc = OK};
    if ((rc = content_of(&out->served, &v, h, &spec->row, spec->version, &out->error)) ||
        (rc = store_zone_load(&current, h->store, &spec->row, &out->error)) ||
        (rc = series_follow(&next, &row, out->served, spec->forward, NULL, &out->error)))
        goto out;
    zone_unref(out->served);
    out->served = zone_ref(next);
    job = out->job = commit_job_new(COMMIT_CHANGE, &spec->row);
    job->old_zone = zone_ref(current);
    job->new_zone = zone_ref(out->served);
    job->row.ours = row.ours;
    job->row.theirs = row.theirs;
    set_origin(&job->origin, &v, spec->stage_s);
    if ((rc = zone_diff(&job->changes, current, out->served, &out->error)) == OK)
        rc = make_rest(out, h, spec);
out:
    zone_unref(current);
    zone_unref(next);
    out->rc = rc;
    if (rc)
        publication_done(out);
}

/* ---- In the pool ---- */

struct publish {
    struct store_readers *readers;
    struct publish_spec spec;
    struct publication result;
    publish_done_fn *done;
    void *ctx;
};

static void work(void *ctx)
{
    struct publish *p = ctx;
    struct history h = {0};

    if ((p->result.rc = history_open(&h, p->readers, &p->result.error)) == OK)
        publication_make(&p->result, &h, &p->spec);
    history_close(&h);
}

static void worked(void *ctx)
{
    struct publish *p = ctx;

    p->done(p->ctx, &p->result);
    publication_done(&p->result);
    free(p);
}

void publish_start(struct loop *loop, struct store_readers *readers,
                   const struct publish_spec *spec, publish_done_fn *done, void *ctx)
{
    struct publish *p = xcalloc(1, sizeof(*p));

    p->readers = readers;
    p->spec = *spec;
    p->done = done;
    p->ctx = ctx;
    loop_work(loop, work, worked, p);
}
