/* The one way content changes, and the log of it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/store/store_internal.h"

/* ---- Reading the log ---- */

void store_change_done(struct store_change *c)
{
    changeset_free(c->changes);
    c->changes = NULL;
}

/* Reading a changed record costs about as much as four records of the content. */
#define BIG_CHANGE_RECORDS 10000
#define BIG_CHANGE_PARTS 4

static bool is_big(const struct store_version *v)
{
    uint64_t n = v->added + v->removed;

    return n >= BIG_CHANGE_RECORDS && n > v->records / BIG_CHANGE_PARTS;
}

/* What the version row tells of a change. */
static enum err change_read_version(sqlite3_stmt *st, struct store_change *c, struct errinfo *e)
{
    struct store_version v;
    enum err rc = version_read(st, 8, &v, e);

    if (rc)
        return rc;
    c->has_from = v.has_from;
    c->from = v.from;
    c->to = v.serial;
    c->ours = v.ours;
    c->theirs = v.theirs;
    c->version = v.version;
    c->waiting = v.waiting;
    c->quarantined = v.quarantined;
    c->origin = v.origin;
    c->added = v.added;
    c->removed = v.removed;
    c->big = is_big(&v);
    c->journaled = v.journaled;
    memcpy(c->oid, v.oid, sizeof(c->oid));
    return OK;
}

enum err change_read(sqlite3_stmt *st, bool all, struct store_change *out, struct errinfo *e)
{
    struct store_change c;
    bool bad = false;
    enum err rc = OK;

    memset(&c, 0, sizeof(c));
    c.seq = col_u64(st, 0);
    c.zone_id = sqlite3_column_int64(st, 1);
    col_name(st, 2, c.zone, &bad);
    c.kind = (enum change_kind)sqlite3_column_int(st, 3);
    c.at.s = sqlite3_column_int64(st, 4);
    c.to = col_serial(st, 5); /* the zone's present serial, for a change of state */
    if (bad)
        rc = err_set(ERR_CORRUPT, e, "its zone's name cannot be read");
    if (!rc && c.kind != CHANGE_STATE)
        rc = change_read_version(st, &c, e);
    if (!rc && c.kind == CHANGE_DELTA && (all || !c.big)) {
        const uint8_t *data;
        size_t len;

        if (!(rc = col_summed(st, 7, &data, &len, e)) && len == 0)
            rc = err_set(ERR_NOT_FOUND, e, "its change set is not kept: nearly all of it is new");
        else if (!rc)
            rc = changeset_decode(&c.changes, data, len, c.zone, e);
    }
    if (rc)
        return err_wrap(rc, e, "change %llu", (unsigned long long)c.seq);
    *out = c;
    return OK;
}

static enum err changes_walk(struct store *s, sqlite3_stmt *st, bool all, store_change_fn *f,
                             void *ctx, struct errinfo *e)
{
    struct store_change c;
    bool row = false;
    enum err rc = OK;

    while (!rc && !(rc = stmt_row(s, st, &row, e)) && row) {
        if ((rc = change_read(st, all, &c, e)))
            break;
        rc = f(ctx, &c, e);
        store_change_done(&c);
    }
    return rc;
}

enum err store_change_each(struct store *s, uint64_t after, uint32_t max, store_change_fn *f,
                           void *ctx, struct errinfo *e)
{
    sqlite3_stmt *st = NULL;
    enum err rc;

    if ((rc = stmt_start(&st, s, ST_CHANGE_EACH, e)))
        return rc;
    bind_u64(st, 1, after);
    bind_i64(st, 2, max);
    rc = changes_walk(s, st, false, f, ctx, e);
    stmt_end(s, ST_CHANGE_EACH, st);
    return rc;
}

enum err store_unjournaled_each(struct store *s, uint32_t max, store_change_fn *f, void *ctx,
                                struct errinfo *e)
{
    sqlite3_stmt *st = NULL;
    enum err rc;

    if ((rc = stmt_start(&st, s, ST_CHANGE_UNJOURNALED, e)))
        return rc;
    bind_i64(st, 1, max);
    rc = changes_walk(s, st, false, f, ctx, e);
    stmt_end(s, ST_CHANGE_UNJOURNALED, st);
    return rc;
}

enum err changes_of_zone(struct store *s, enum stmt_id id, int64_t zone_id, uint64_t after,
                         uint64_t upto, store_change_fn *f, void *ctx, struct errinfo *e)
{
    sqlite3_stmt *st = NULL;
    enum err rc;

    if ((rc = stmt_start(&st, s, id, e)))
        return rc;
    bind_i64(st, 1, zone_id);
    bind_u64(st, 2, after);
    bind_u64(st, 3, upto);
    rc = changes_walk(s, st, true, f, ctx, e);
    stmt_end(s, id, st);
    return rc;
}

enum err store_unjournaled_count(struct store *s, uint64_t *n, struct errinfo *e)
{
    sqlite3_stmt *st = NULL;
    bool row = false;
    enum err rc;

    if ((rc = stmt_start(&st, s, ST_CHANGE_COUNT_UNJOURNALED, e)))
        return rc;
    if (!(rc = stmt_row(s, st, &row, e)))
        *n = col_u64(st, 0);
    stmt_end(s, ST_CHANGE_COUNT_UNJOURNALED, st);
    return rc;
}

enum err store_seq(struct store *s, uint64_t *last, uint64_t *first, struct errinfo *e)
{
    sqlite3_stmt *st = NULL;
    bool row = false;
    enum err rc;

    if ((rc = stmt_start(&st, s, ST_LOG_GET, e)))
        return rc;
    rc = stmt_row(s, st, &row, e);
    if (!rc && !row)
        rc = err_set(ERR_CORRUPT, e, "the store has lost its counter of changes");
    if (!rc) {
        *last = col_u64(st, 0);
        *first = col_u64(st, 1);
    }
    stmt_end(s, ST_LOG_GET, st);
    return rc;
}

/* ---- Writing ---- */

enum err seq_next(struct store *s, uint64_t *seq, struct errinfo *e)
{
    sqlite3_stmt *st = NULL;
    bool row = false;
    uint64_t n = 0;
    enum err rc;

    if ((rc = stmt_start(&st, s, ST_LOG_NEXT, e)))
        return rc;
    rc = stmt_row(s, st, &row, e);
    if (!rc && row)
        n = col_u64(st, 0);
    if (!rc && row)
        rc = stmt_row(s, st, &row, e); /* to its end: only then the update is done */
    else if (!rc)
        rc = err_set(ERR_CORRUPT, e, "the store has lost its counter of changes");
    stmt_end(s, ST_LOG_NEXT, st);
    if (!rc)
        *seq = n;
    return rc;
}

enum err change_insert(struct store *s, int64_t zone_id, enum change_kind kind, uint64_t version,
                       struct wall at, const struct changeset *cs, uint64_t seq, struct errinfo *e)
{
    struct buf data = BUF_INIT;
    sqlite3_stmt *st = NULL;
    enum err rc;

    if ((rc = stmt_start(&st, s, ST_CHANGE_INSERT, e)))
        return rc;
    bind_u64(st, 1, seq);
    bind_i64(st, 2, zone_id);
    bind_i64(st, 3, kind);
    if (version)
        bind_u64(st, 4, version);
    else
        bind_null(st, 4);
    bind_i64(st, 5, at.s);
    if (kind == CHANGE_DELTA) {
        if (cs)
            changeset_encode(&data, cs);
        bind_i64(st, 6, blob_sum(data.data, data.len));
        bind_blob(st, 7, data.data, data.len);
    }
    rc = stmt_run(s, st, NULL, e);
    stmt_end(s, ST_CHANGE_INSERT, st);
    buf_free(&data);
    return rc;
}

/* May the change set of the next version stay away? It is about as large as the content, which is
 * in the pages; the journal makes such a version of them, and has all that were before it. */
static enum err is_replaced(bool *out, struct store *s, const struct store_zone *stored,
                            const struct zone *new_zone, const struct changeset *cs,
                            struct errinfo *e)
{
    sqlite3_stmt *st = NULL;
    enum err rc;

    *out = cs && cs->has_from && cs->added.n >= BIG_CHANGE_RECORDS &&
           cs->added.n > zone_records(new_zone) / 2 && !stored->held &&
           stored->last_version == stored->version;
    if (!*out)
        return OK;
    if ((rc = stmt_start(&st, s, ST_VERSION_UNJOURNALED_OF, e)))
        return rc;
    bind_i64(st, 1, stored->id);
    if (!(rc = stmt_row(s, st, out, e)))
        *out = !*out;
    stmt_end(s, ST_VERSION_UNJOURNALED_OF, st);
    return rc;
}

/* The version row and the change row of one new version; *v gets its seq. */
static enum err version_put(struct store *s, int64_t zone_id, const struct changeset *cs, bool keep,
                            struct store_version *v, struct errinfo *e)
{
    enum change_kind kind = v->has_from ? CHANGE_DELTA : CHANGE_INITIAL;
    enum err rc;

    if ((rc = seq_next(s, &v->seq, e)) || (rc = version_insert(s, zone_id, v, e)) ||
        (rc = touched_put(s, zone_id, v->version, v->has_from ? cs : NULL, e)))
        return rc;
    return change_insert(s, zone_id, kind, v->version, v->at, keep ? cs : NULL, v->seq, e);
}

static struct store_version version_of(const struct store_zone *stored, const struct zone *zone,
                                       const struct changeset *cs, const struct origin *origin,
                                       struct wall at, bool waiting)
{
    bool has_from = cs && cs->has_from;

    return (struct store_version){
        .version = stored->last_version + 1,
        .has_from = has_from,
        .from = has_from ? cs->from : (struct serial){0},
        .serial = zone_serial(zone),
        .at = at,
        .origin = *origin,
        .added = cs ? cs->added.n : zone_records(zone),
        .removed = cs ? cs->removed.n : 0,
        .records = zone_records(zone),
        .waiting = waiting,
    };
}

/* The row as it is stored, if the caller's copy is about the same content. */
static enum err zone_row_at(struct store *s, const struct store_zone *z, struct store_zone *stored,
                            struct errinfo *e)
{
    enum err rc;

    if ((rc = write_check(s, e)) || (rc = store_zone_get_id(s, z->id, stored, e)))
        return rc;
    if (stored->version != z->version || stored->has_content != z->has_content)
        return err_set(ERR_CONFLICT, e,
                       "the change was made for version %llu, but the store is at version %llu",
                       (unsigned long long)z->version, (unsigned long long)stored->version);
    return OK;
}

static enum err change_fits(const struct changeset *cs, const struct zone *new_zone, bool has_from,
                            struct serial from, struct errinfo *e)
{
    if (!cs && !has_from)
        return OK;
    if (!cs || cs->has_from != has_from || (has_from && !serial_eq(cs->from, from)))
        return err_set(ERR_CONFLICT, e, "the change set does not start at the stored serial %u",
                       from.v);
    if (!serial_eq(cs->to, zone_serial(new_zone)))
        return err_set(ERR_CONFLICT, e, "the change set leads to serial %u, the content has %u",
                       cs->to.v, zone_serial(new_zone).v);
    return OK;
}

enum err zone_set_served(struct store *s, int64_t zone_id, const struct store_version *v,
                         struct errinfo *e)
{
    sqlite3_stmt *st = NULL;
    enum err rc;

    if ((rc = stmt_start(&st, s, ST_ZONE_SET_SERVED, e)))
        return rc;
    bind_i64(st, 1, zone_id);
    bind_i64(st, 2, v->serial.v);
    bind_u64(st, 3, v->version);
    bind_u64(st, 4, v->seq);
    bind_u64(st, 5, v->records);
    bind_serial(st, 6, v->ours, v->theirs);
    rc = stmt_run(s, st, NULL, e);
    stmt_end(s, ST_ZONE_SET_SERVED, st);
    return rc;
}

static enum err wrap_zone(enum err rc, const struct store_zone *z, struct errinfo *e)
{
    char text[NAME_TEXT_MAX];

    if (!rc)
        return OK;
    (void)name_to_text(text, z->name);
    return err_wrap(rc, e, "zone %s", text);
}

enum err store_change_put(struct store *s, struct store_zone *z, const struct zone *old_zone,
                          const struct zone *new_zone, const struct changeset *cs,
                          const struct origin *origin, struct wall at, uint64_t *seq,
                          struct errinfo *e)
{
    struct store_zone stored, row = *z;
    struct store_version v;
    bool replaced = false;
    enum err rc;

    if ((rc = zone_row_at(s, z, &stored, e)) ||
        (rc = change_fits(cs, new_zone, stored.has_content, stored.serial, e)) ||
        (rc = is_replaced(&replaced, s, &stored, new_zone, cs, e)))
        return wrap_zone(rc, z, e);
    if ((old_zone != NULL) != stored.has_content)
        return wrap_zone(err_set(ERR_CONFLICT, e, "the old content is %s",
                                 old_zone ? "not in the store" : "needed"),
                         z, e);
    v = version_of(&stored, new_zone, cs, origin, at, false);
    v.ours = z->ours;
    v.theirs = z->theirs;
    if ((rc = pages_put(s, stored.id, old_zone, new_zone, e)))
        return wrap_zone(rc, z, e);
    FAULT("store:between_pages_and_log");
    if (!(rc = version_put(s, stored.id, cs, !replaced, &v, e)) &&
        !(rc = store_zone_put(s, &row, e)) && !(rc = zone_set_served(s, stored.id, &v, e)))
        rc = store_zone_get_id(s, stored.id, z, e);
    if (!rc)
        *seq = v.seq;
    return wrap_zone(rc, z, e);
}

enum err zone_set_last_version(struct store *s, int64_t zone_id, uint64_t version,
                               struct errinfo *e)
{
    sqlite3_stmt *st = NULL;
    enum err rc;

    if ((rc = stmt_start(&st, s, ST_ZONE_SET_LAST_VERSION, e)))
        return rc;
    bind_i64(st, 1, zone_id);
    bind_u64(st, 2, version);
    rc = stmt_run(s, st, NULL, e);
    stmt_end(s, ST_ZONE_SET_LAST_VERSION, st);
    return rc;
}

enum err store_waiting_put(struct store *s, struct store_zone *z, const struct zone *new_zone,
                           const struct changeset *cs, const struct origin *origin, struct wall at,
                           bool quarantined, uint64_t *seq, struct errinfo *e)
{
    struct store_zone stored, row = *z;
    struct store_version v, base;
    enum err rc;

    if ((rc = zone_row_at(s, z, &stored, e)))
        return wrap_zone(rc, z, e);
    rc = version_one(s, ST_VERSION_NEWEST_WAITING, stored.id, stored.version, &base, e);
    if (rc == ERR_NOT_FOUND) {
        base.serial = stored.serial;
        rc = stored.has_content ? OK : err_set(ERR_CONFLICT, e, "no version is served yet");
    }
    if (rc || (rc = change_fits(cs, new_zone, true, base.serial, e)))
        return wrap_zone(rc, z, e);
    v = version_of(&stored, new_zone, cs, origin, at, true);
    v.quarantined = quarantined;
    if (quarantined) {
        row.quarantine_version = v.version;
        row.quarantine_at = at;
        row.quarantine_rejected = false;
        (void)snprintf(row.quarantine_reason, sizeof(row.quarantine_reason), "%.*s",
                       (int)sizeof(row.quarantine_reason) - 1, origin->reason);
    }
    if (!(rc = version_put(s, stored.id, cs, true, &v, e)) && !(rc = store_zone_put(s, &row, e)) &&
        !(rc = zone_set_last_version(s, stored.id, v.version, e)))
        rc = store_zone_get_id(s, stored.id, z, e);
    if (!rc)
        *seq = v.seq;
    return wrap_zone(rc, z, e);
}

/* A version like the one before it. */
static enum err version_again(struct store *s, const struct store_zone *stored,
                              const struct origin *origin, struct wall at, uint64_t *seq,
                              struct errinfo *e)
{
    struct changeset *nothing = changeset_new(stored->name);
    struct store_version v = {.version = stored->last_version + 1,
                              .has_from = true,
                              .from = stored->serial,
                              .serial = stored->serial,
                              .ours = stored->ours,
                              .theirs = stored->theirs,
                              .at = at,
                              .origin = *origin,
                              .records = stored->records};
    enum err rc;

    nothing->has_from = true;
    nothing->from = nothing->to = stored->serial;
    if (!(rc = version_put(s, stored->id, nothing, true, &v, e)))
        rc = zone_set_served(s, stored->id, &v, e);
    changeset_free(nothing);
    if (!rc)
        *seq = v.seq;
    return rc;
}

/* The change of state comes first: who reads only so far finds the row as it is now. */
enum err store_mark_put(struct store *s, struct store_zone *z, const struct origin *origin,
                        struct wall at, uint64_t *seq, struct errinfo *e)
{
    struct store_zone stored;
    uint64_t n = 0;
    enum err rc;

    if ((rc = zone_row_at(s, z, &stored, e)) || (rc = seq_next(s, &n, e)) ||
        (rc = change_insert(s, stored.id, CHANGE_STATE, 0, at, NULL, n, e)) ||
        (stored.has_content && (rc = version_again(s, &stored, origin, at, &n, e))) ||
        (rc = store_zone_put(s, z, e)))
        return wrap_zone(rc, z, e);
    *seq = n;
    return OK;
}

/* ---- The journal's answer ---- */

struct seq_version {
    int64_t zone_id;
    struct store_version v;
};

static enum err version_by_seq(struct store *s, uint64_t seq, struct seq_version *out,
                               struct errinfo *e)
{
    sqlite3_stmt *st = NULL;
    bool row = false;
    enum err rc;

    if ((rc = stmt_start(&st, s, ST_VERSION_BY_SEQ, e)))
        return rc;
    bind_u64(st, 1, seq);
    rc = stmt_row(s, st, &row, e);
    if (!rc && !row)
        rc = err_set(ERR_NOT_FOUND, e, "no version was made by it");
    if (!rc) {
        out->zone_id = sqlite3_column_int64(st, 0);
        rc = version_read(st, 1, &out->v, e);
    }
    stmt_end(s, ST_VERSION_BY_SEQ, st);
    return rc;
}

static enum err version_set_oid(struct store *s, const struct seq_version *sv, const uint8_t *oid,
                                const uint8_t *content_oid, struct errinfo *e)
{
    sqlite3_stmt *st = NULL;
    enum err rc;

    if ((rc = stmt_start(&st, s, ST_VERSION_SET_OID, e)))
        return rc;
    bind_i64(st, 1, sv->zone_id);
    bind_u64(st, 2, sv->v.version);
    bind_blob(st, 3, oid, STORE_OID_BYTES);
    bind_blob(st, 4, content_oid, STORE_OID_BYTES);
    rc = stmt_run(s, st, NULL, e);
    stmt_end(s, ST_VERSION_SET_OID, st);
    return rc;
}

/* The tip only moves forward, in whatever order ids come. */
static enum err zone_set_tip(struct store *s, const struct seq_version *sv, const uint8_t *oid,
                             struct errinfo *e)
{
    sqlite3_stmt *st = NULL;
    enum err rc;

    if ((rc = stmt_start(&st, s, ST_ZONE_SET_TIP, e)))
        return rc;
    bind_i64(st, 1, sv->zone_id);
    bind_u64(st, 2, sv->v.version);
    bind_blob(st, 3, oid, STORE_OID_BYTES);
    rc = stmt_run(s, st, NULL, e);
    stmt_end(s, ST_ZONE_SET_TIP, st);
    return rc;
}

enum err store_journaled_put(struct store *s, uint64_t seq, const uint8_t oid[STORE_OID_BYTES],
                             const uint8_t content_oid[STORE_OID_BYTES], struct errinfo *e)
{
    struct seq_version sv;
    enum err rc;

    if (!(rc = write_check(s, e)) && !(rc = version_by_seq(s, seq, &sv, e)) &&
        !(rc = version_set_oid(s, &sv, oid, content_oid, e)))
        rc = zone_set_tip(s, &sv, oid, e);
    return rc ? err_wrap(rc, e, "change %llu", (unsigned long long)seq) : OK;
}
