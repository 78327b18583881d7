/* One zone: its versions from the oldest to the newest, since each can be made of the one before.
 */
#include "syncd/repair_zone.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/log.h"
#include "lib/base/mem.h"

#define VERSIONS_AT_ONCE 256
#define MARKS_AT_ONCE 10000

/* A version row is large, and there may be many. */
struct one {
    uint64_t version, seq;
    struct journal_oid commit, content;
    bool waiting, journaled;
    bool was_lost, whole;
    bool thinned; /* it is not here on purpose, and nobody misses it */
};

struct line {
    struct repair *r;
    struct store_zone row;
    uint64_t log_first; /* the change log is complete from here on */
    struct one *list;   /* newest first */
    size_t n, cap;
};

static enum err on_version(void *ctx, const struct store_version *v, struct errinfo *e)
{
    struct line *l = ctx;
    struct one *o;

    (void)e;
    l->list = xgrow(l->list, &l->cap, l->n + 1, sizeof(*l->list));
    o = &l->list[l->n++];
    *o = (struct one){.version = v->version,
                      .seq = v->seq,
                      .waiting = v->waiting,
                      .journaled = v->journaled,
                      .was_lost = v->lost,
                      .thinned = v->thinned};
    memcpy(o->commit.id, v->oid, sizeof(o->commit.id));
    memcpy(o->content.id, v->content_oid, sizeof(o->content.id));
    return OK;
}

static enum err read_line(struct line *l, int64_t zone_id, struct errinfo *e)
{
    struct store *s = l->r->env->store;
    uint64_t last = 0;
    size_t before;
    enum err rc;

    if ((rc = store_zone_get_id(s, zone_id, &l->row, e)) ||
        (rc = store_seq(s, &last, &l->log_first, e)))
        return rc;
    do {
        before = l->n;
        rc = store_version_each(s, zone_id, l->n ? l->list[l->n - 1].version : 0, VERSIONS_AT_ONCE,
                                on_version, l, e);
    } while (rc == OK && l->n > before && l->list[l->n - 1].version > 1);
    return rc;
}

/* What it was made from: the served version before, of a waiting one whichever is before. */
static const struct one *parent_of(const struct line *l, size_t i)
{
    for (size_t k = i + 1; k < l->n; k++) {
        if (l->list[i].waiting || !l->list[k].waiting)
            return &l->list[k];
    }
    return NULL;
}

/* ---- One version ---- */

static void entry_of(struct journal_entry *en, const struct line *l, const struct store_version *v,
                     const struct one *parent)
{
    *en = (struct journal_entry){.zone = l->row.name,
                                 .parent_entry = -1,
                                 .has_from = v->has_from,
                                 .from = v->from,
                                 .to = v->serial,
                                 .seq = v->seq,
                                 .version = v->version,
                                 .added = v->added,
                                 .removed = v->removed,
                                 .at = v->at,
                                 .origin = origin_name(v->origin.kind),
                                 .who = v->origin.who,
                                 .source = v->origin.source,
                                 .key = v->origin.key,
                                 .transport = v->origin.transport,
                                 .reason = v->origin.reason,
                                 .waiting = v->waiting,
                                 .quarantined = v->quarantined};
    if (parent)
        en->parent = parent->commit;
    memcpy(en->commit.id, v->oid, sizeof(en->commit.id));
    memcpy(en->content_id.id, v->content_oid, sizeof(en->content_id.id));
}

struct making {
    struct repair *r;
    struct journal_entry *entry;
    struct errinfo why;
    enum err rc;
    bool tried;
};

static enum err on_change(void *ctx, const struct store_change *c, struct errinfo *e)
{
    struct making *m = ctx;

    (void)e;
    if (c->seq != m->entry->seq)
        return OK;
    m->entry->changes = c->changes;
    m->rc = journal_again_make(m->r->again, m->entry, &m->why);
    m->entry->changes = NULL;
    m->tried = true;
    return OK;
}

/* Its content without reading all pages for nothing: all changes since must be in the log. */
static bool may_load(const struct line *l, const struct one *o)
{
    return l->row.has_content &&
           (o->version == l->row.version || (o->waiting && o->version > l->row.version) ||
            l->log_first <= o->seq + 1);
}

static enum err make_of_content(struct making *m, const struct line *l, const struct one *o)
{
    struct zone *content = NULL;
    struct errinfo why = {0};

    if (store_zone_load_version(&content, m->r->env->store, &l->row, o->version, &why) != OK)
        return m->rc;
    m->entry->content = content;
    m->rc = journal_again_make(m->r->again, m->entry, &m->why);
    m->entry->content = NULL;
    zone_unref(content);
    return m->rc;
}

static bool goes_on(enum err rc)
{
    return rc == OK || rc == ERR_NOT_FOUND || rc == ERR_CONFLICT || rc == ERR_CORRUPT;
}

/* OK, or why it cannot be had: ERR_NOT_FOUND, ERR_CONFLICT. */
static enum err make_again(struct making *m, struct line *l, const struct one *o,
                           const struct store_version *v, const struct one *parent,
                           struct errinfo *e)
{
    enum err rc;

    if (m->r->from && journal_again_copy(m->r->again, m->r->from, &o->commit, e) == OK) {
        m->r->report->copied++;
        return OK;
    }
    entry_of(m->entry, l, v, parent);
    if ((rc = store_change_each(m->r->env->store, o->seq - 1, 1, on_change, m, e)))
        return rc;
    if (!m->tried)
        m->rc = journal_again_make(m->r->again, m->entry, &m->why);
    if (m->rc == ERR_NOT_FOUND && may_load(l, o))
        (void)make_of_content(m, l, o);
    if (m->rc)
        return err_set(m->rc, e, "%s", m->why.text);
    m->r->report->again++;
    return OK;
}

static void add_lost(struct repair *r, const struct line *l, const struct store_version *v,
                     const char *why)
{
    struct repair_report *out = r->report;
    char text[NAME_TEXT_MAX];

    if (out->lost_count++ >= REPAIR_LOST_MAX)
        return;
    (void)name_to_text(text, l->row.name);
    out->lost = xgrow(out->lost, &out->lost_cap, out->lost_listed + 1, sizeof(*out->lost));
    out->lost[out->lost_listed++] = (struct repair_lost){.zone = xstrdup(text),
                                                         .version = v->version,
                                                         .seq = v->seq,
                                                         .serial = v->serial,
                                                         .at = v->at,
                                                         .why = xstrdup(why)};
}

/* The present version, under another id: only so does the history go on. */
static enum err renew(struct line *l, struct one *o, const struct store_version *v,
                      const struct one *parent, struct errinfo *e)
{
    struct repair *r = l->r;
    struct journal_entry en;
    struct commit_journaled done = {.seq = v->seq};
    struct zone *content = NULL;
    enum err rc;

    entry_of(&en, l, v, parent);
    if ((rc = journal_again_flush(r->again, true, e)) ||
        (rc = store_zone_load(&content, r->env->store, &l->row, e)))
        goto out;
    en.content = content;
    if ((rc = journal_write(r->env->journal, &en, 1, e)))
        goto out;
    memcpy(done.oid, en.commit.id, sizeof(done.oid));
    memcpy(done.content_oid, en.content_id.id, sizeof(done.content_oid));
    if ((rc = commit_journaled(r->env->committer, &done, 1, e)))
        goto out;
    o->commit = en.commit;
    o->whole = true;
    r->report->renewed++;
    log_warning(say("journal: the present version of a zone is written under another id"),
                kv_u64("version", v->version));
out:
    zone_unref(content);
    return rc;
}

static enum err mend_version(struct line *l, size_t i, struct errinfo *e)
{
    struct repair *r = l->r;
    struct one *o = &l->list[i];
    const struct one *parent = parent_of(l, i);
    struct journal_entry entry;
    struct store_version v;
    struct making m = {.r = r, .entry = &entry};
    struct errinfo why = {0};
    enum err rc;

    r->report->versions++;
    o->whole = journal_check_commit(r->check, &o->commit, &why) == OK;
    if (o->whole)
        return OK;
    if ((rc = store_version_get(r->env->store, l->row.id, o->version, &v, e)))
        return rc;
    rc = make_again(&m, l, o, &v, parent, &why);
    o->whole = rc == OK;
    if (!goes_on(rc))
        return err_set(rc, e, "%s", why.text);
    if (!o->whole && o->version == l->row.version && !r->wish->dry_run)
        return renew(l, o, &v, parent, e);
    if (!o->whole)
        add_lost(r, l, &v, why.text);
    return journal_again_flush(r->again, false, e);
}

/* ---- What follows from it ---- */

static void mark(struct line *l, const struct one *o)
{
    struct repair *r = l->r;

    if (o->thinned || o->was_lost == !o->whole)
        return;
    r->marks = xgrow(r->marks, &r->mark_cap, r->mark_count + 1, sizeof(*r->marks));
    r->marks[r->mark_count++] =
        (struct repair_mark){.zone_id = l->row.id, .version = o->version, .lost = !o->whole};
}

/* A child of a lost version ends the history that is here; a lost version's parent needs a name. */
static enum err mend_ends(struct line *l, size_t i, struct errinfo *e)
{
    struct repair *r = l->r;
    const struct one *o = &l->list[i];
    const struct one *parent = parent_of(l, i);

    if (!parent)
        return OK;
    if (o->whole && !parent->whole) {
        r->cuts = xgrow(r->cuts, &r->cut_cap, r->cut_count + 1, sizeof(*r->cuts));
        r->cuts[r->cut_count++] = o->commit;
    }
    if (o->thinned)
        return OK;
    if (!o->whole && parent->whole) {
        enum err rc =
            journal_again_flush(r->again, true, e); /* a ref needs its commit to be there */

        return rc ? rc
                  : journal_before_loss_set(r->env->journal, l->row.name, parent->version,
                                            &parent->commit, e);
    }
    return o->whole && o->was_lost && parent->whole
               ? journal_before_loss_drop(r->env->journal, l->row.name, parent->version, e)
               : OK;
}

enum err repair_zone(struct repair *r, int64_t zone_id, struct errinfo *e)
{
    struct line l = {.r = r};
    char text[NAME_TEXT_MAX];
    enum err rc = read_line(&l, zone_id, e);

    for (size_t i = l.n; i-- > 0 && rc == OK;) {
        if (l.list[i].thinned)
            continue;
        if (l.list[i].journaled)
            rc = mend_version(&l, i, e);
        else
            l.list[i].whole = true; /* it is still to be written */
    }
    for (size_t i = 0; i < l.n && rc == OK && !r->wish->dry_run; i++) {
        mark(&l, &l.list[i]);
        rc = mend_ends(&l, i, e);
    }
    if (r->mark_count >= MARKS_AT_ONCE)
        repair_marks_send(r);
    free(l.list);
    if (rc) {
        (void)name_to_text(text, l.row.name);
        rc = err_wrap(rc, e, "zone %s", text);
    }
    return rc;
}

/* ---- Marks ---- */

struct marks {
    struct repair_mark *list;
    size_t n;
};

static enum err write_marks(void *ctx, struct store *s, struct errinfo *e)
{
    const struct marks *m = ctx;
    enum err rc = OK;

    for (size_t i = 0; i < m->n && rc == OK; i++)
        rc = store_lost_put(s, m->list[i].zone_id, m->list[i].version, m->list[i].lost, e);
    return rc;
}

static void marks_done(void *ctx, struct commit_job *job)
{
    struct marks *m = ctx;

    if (job->rc)
        log_error(say("lost versions could not be marked as such"), kv_err(&job->error));
    free(m->list);
    free(m);
}

void repair_marks_send(struct repair *r)
{
    const struct store_zone none = {.id = 0};
    struct commit_job *job;
    struct marks *m;

    if (r->mark_count == 0)
        return;
    m = xcalloc(1, sizeof(*m));
    *m = (struct marks){.list = r->marks, .n = r->mark_count};
    job = commit_job_new(COMMIT_WRITE, &none);
    job->write = write_marks;
    job->write_ctx = m;
    job->done = marks_done;
    job->ctx = m;
    commit_submit(r->env->committer, job);
    r->marks = NULL;
    r->mark_count = r->mark_cap = 0;
}
