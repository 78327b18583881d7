/* Rows of `version`: every version ever. */
#include <string.h>

#include "lib/store/store_internal.h"

const char *origin_name(enum origin_kind kind)
{
    switch (kind) {
    case ORIGIN_AXFR:
        return "axfr";
    case ORIGIN_IXFR:
        return "ixfr";
    case ORIGIN_IMPORT:
        return "import";
    case ORIGIN_ROLLBACK:
        return "rollback";
    case ORIGIN_RELEASE:
        return "release";
    case ORIGIN_UPDATE:
        return "update";
    case ORIGIN_API:
        return "api";
    case ORIGIN_CATALOG:
        return "catalog";
    case ORIGIN_REMOVE:
        return "remove";
    case ORIGIN_UNDELETE:
        return "undelete";
    }
    return "unknown";
}

/* What `act` holds. The column `origin` was made for the kinds up to ORIGIN_CATALOG; the others are
 * an operator's or this node's doing, by whatever way. */
enum { ACT_NONE, ACT_REMOVE, ACT_UNDELETE };

static int act_of(enum origin_kind kind)
{
    return kind == ORIGIN_REMOVE ? ACT_REMOVE : kind == ORIGIN_UNDELETE ? ACT_UNDELETE : ACT_NONE;
}

static enum origin_kind kind_of(int origin, int act)
{
    return act == ACT_REMOVE     ? ORIGIN_REMOVE
           : act == ACT_UNDELETE ? ORIGIN_UNDELETE
                                 : (enum origin_kind)origin;
}

static void origin_read(sqlite3_stmt *st, int first, struct origin *o, bool *bad)
{
    col_text(st, first + 1, o->who, sizeof(o->who), bad);
    col_text(st, first + 2, o->source, sizeof(o->source), bad);
    col_text(st, first + 3, o->key, sizeof(o->key), bad);
    col_text(st, first + 4, o->transport, sizeof(o->transport), bad);
    col_text(st, first + 5, o->reason, sizeof(o->reason), bad);
}

enum err version_read(sqlite3_stmt *st, int first, struct store_version *out, struct errinfo *e)
{
    bool bad = false;

    memset(out, 0, sizeof(*out));
    out->version = col_u64(st, first);
    out->seq = col_u64(st, first + 1);
    out->has_from = !col_is_null(st, first + 2);
    out->from = col_serial(st, first + 2);
    out->serial = col_serial(st, first + 3);
    out->at.s = sqlite3_column_int64(st, first + 4);
    origin_read(st, first + 5, &out->origin, &bad);
    out->added = col_u64(st, first + 11);
    out->removed = col_u64(st, first + 12);
    out->records = col_u64(st, first + 13);
    out->waiting = sqlite3_column_int(st, first + 14) != 0;
    out->quarantined = sqlite3_column_int(st, first + 18) != 0;
    out->lost = sqlite3_column_int(st, first + 19) != 0;
    out->ours = !col_is_null(st, first + 20);
    out->theirs = col_serial(st, first + 20);
    out->thinned = sqlite3_column_int(st, first + 21) != 0;
    out->journaled = col_oid(st, first + 15, out->oid, &bad);
    (void)col_oid(st, first + 16, out->content_oid, &bad);
    out->origin.kind =
        kind_of(sqlite3_column_int(st, first + 5), sqlite3_column_int(st, first + 17));
    if (bad)
        return err_set(ERR_CORRUPT, e, "the row of version %llu (seq %llu) cannot be read",
                       (unsigned long long)out->version, (unsigned long long)out->seq);
    return OK;
}

static enum err put_row(struct store *s, enum stmt_id id, int64_t zone_id,
                        const struct store_version *v, struct errinfo *e)
{
    sqlite3_stmt *st = NULL;
    enum err rc;

    if ((rc = stmt_start(&st, s, id, e)))
        return rc;
    bind_i64(st, 1, zone_id);
    bind_u64(st, 2, v->version);
    bind_u64(st, 3, v->seq);
    bind_serial(st, 4, v->has_from, v->from);
    bind_i64(st, 5, v->serial.v);
    bind_i64(st, 6, v->at.s);
    bind_i64(st, 7, act_of(v->origin.kind) ? ORIGIN_API : v->origin.kind);
    bind_text(st, 8, v->origin.who);
    bind_text(st, 9, v->origin.source);
    bind_text(st, 10, v->origin.key);
    bind_text(st, 11, v->origin.transport);
    bind_text(st, 12, v->origin.reason);
    bind_u64(st, 13, v->added);
    bind_u64(st, 14, v->removed);
    bind_u64(st, 15, v->records);
    bind_i64(st, 16, v->waiting);
    bind_i64(st, 17, act_of(v->origin.kind));
    bind_i64(st, 18, v->quarantined);
    bind_serial(st, 19, v->ours, v->theirs);
    rc = stmt_run(s, st, NULL, e);
    stmt_end(s, id, st);
    return rc;
}

enum err version_insert(struct store *s, int64_t zone_id, const struct store_version *v,
                        struct errinfo *e)
{
    return put_row(s, ST_VERSION_INSERT, zone_id, v, e);
}

enum err version_put_again(struct store *s, int64_t zone_id, const struct store_version *v,
                           struct errinfo *e)
{
    return put_row(s, ST_VERSION_PUT, zone_id, v, e);
}

enum err store_versions_behind(struct store *s, uint64_t seq, uint64_t *n, struct wall *since,
                               struct errinfo *e)
{
    sqlite3_stmt *st = NULL;
    bool row = false;
    enum err rc;

    if ((rc = stmt_start(&st, s, ST_VERSION_BEHIND, e)))
        return rc;
    bind_u64(st, 1, seq);
    if (!(rc = stmt_row(s, st, &row, e))) {
        *n = (uint64_t)sqlite3_column_int64(st, 0);
        *since = (struct wall){sqlite3_column_int64(st, 1)};
    }
    stmt_end(s, ST_VERSION_BEHIND, st);
    return rc;
}

enum err store_version_each(struct store *s, int64_t zone_id, uint64_t before, uint32_t max,
                            store_version_fn *f, void *ctx, struct errinfo *e)
{
    struct store_version v;
    sqlite3_stmt *st = NULL;
    bool row = false;
    enum err rc;

    if ((rc = stmt_start(&st, s, ST_VERSION_EACH, e)))
        return rc;
    bind_i64(st, 1, zone_id);
    bind_u64(st, 2, before ? before : UINT64_MAX);
    bind_i64(st, 3, max);
    while (!rc && !(rc = stmt_row(s, st, &row, e)) && row)
        if (!(rc = version_read(st, 0, &v, e)))
            rc = f(ctx, &v, e);
    stmt_end(s, ST_VERSION_EACH, st);
    return rc;
}

enum err store_version_all_each(struct store *s, uint64_t before, uint32_t max,
                                store_version_all_fn *f, void *ctx, struct errinfo *e)
{
    struct store_version v;
    sqlite3_stmt *st = NULL;
    bool row = false;
    enum err rc;

    if ((rc = stmt_start(&st, s, ST_VERSION_ALL, e)))
        return rc;
    bind_u64(st, 1, before ? before : UINT64_MAX);
    bind_i64(st, 2, max);
    while (!rc && !(rc = stmt_row(s, st, &row, e)) && row)
        if (!(rc = version_read(st, 1, &v, e)))
            rc = f(ctx, sqlite3_column_int64(st, 0), &v, e);
    stmt_end(s, ST_VERSION_ALL, st);
    return rc;
}

enum err version_one(struct store *s, enum stmt_id id, int64_t zone_id, uint64_t param,
                     struct store_version *out, struct errinfo *e)
{
    struct store_version v;
    sqlite3_stmt *st = NULL;
    bool row = false;
    enum err rc;

    if ((rc = stmt_start(&st, s, id, e)))
        return rc;
    bind_i64(st, 1, zone_id);
    bind_u64(st, 2, param);
    rc = stmt_row(s, st, &row, e);
    if (!rc && !row)
        rc = err_set(ERR_NOT_FOUND, e, "there is no such version");
    if (!rc)
        rc = version_read(st, 0, &v, e);
    stmt_end(s, id, st);
    if (!rc)
        *out = v;
    return rc;
}

enum err store_version_get(struct store *s, int64_t zone_id, uint64_t version,
                           struct store_version *out, struct errinfo *e)
{
    enum err rc = version_one(s, ST_VERSION_GET, zone_id, version, out, e);

    return rc ? err_wrap(rc, e, "version %llu", (unsigned long long)version) : OK;
}

enum err store_version_newest_waiting(struct store *s, const struct store_zone *z,
                                      struct store_version *out, struct errinfo *e)
{
    return version_one(s, ST_VERSION_NEWEST_WAITING, z->id, z->version, out, e);
}

enum err store_version_by_serial(struct store *s, int64_t zone_id, struct serial serial,
                                 struct store_version *out, struct errinfo *e)
{
    enum err rc = version_one(s, ST_VERSION_BY_SERIAL, zone_id, serial.v, out, e);

    return rc ? err_wrap(rc, e, "serial %u", serial.v) : OK;
}

enum err store_version_by_time(struct store *s, int64_t zone_id, struct wall at,
                               struct store_version *out, struct errinfo *e)
{
    char text[WALL_TEXT_MAX];
    enum err rc = OK;

    wall_to_text(text, at);
    if (at.s < 0)
        rc = err_set(ERR_NOT_FOUND, e, "there is no such version");
    else
        rc = version_one(s, ST_VERSION_BY_TIME, zone_id, (uint64_t)at.s, out, e);
    return rc ? err_wrap(rc, e, "at %s", text) : OK;
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

/* The lowest and the highest id that start with these digits. */
static bool oid_range(const char *hex, uint8_t low[STORE_OID_BYTES], uint8_t high[STORE_OID_BYTES])
{
    size_t n = strlen(hex);

    if (n == 0 || n > 2 * (size_t)STORE_OID_BYTES)
        return false;
    memset(low, 0, STORE_OID_BYTES);
    memset(high, 0xff, STORE_OID_BYTES);
    for (size_t i = 0; i < n; i++) {
        int v = hex_value(hex[i]);
        int shift = i % 2 ? 0 : 4;

        if (v < 0)
            return false;
        low[i / 2] = (uint8_t)(low[i / 2] | v << shift);
        high[i / 2] = (uint8_t)(high[i / 2] & ~((~v & 0xf) << shift));
    }
    return true;
}

enum err store_version_by_oid(struct store *s, int64_t zone_id, const char *hex,
                              struct store_version *out, struct errinfo *e)
{
    uint8_t low[STORE_OID_BYTES], high[STORE_OID_BYTES];
    struct store_version v;
    sqlite3_stmt *st = NULL;
    bool row = false, second = false;
    enum err rc;

    if (!oid_range(hex, low, high))
        return err_set(ERR_NOT_FOUND, e, "%s is not the start of a commit id", hex);
    if ((rc = stmt_start(&st, s, ST_VERSION_BY_OID, e)))
        return rc;
    bind_i64(st, 1, zone_id);
    bind_blob(st, 2, low, sizeof(low));
    bind_blob(st, 3, high, sizeof(high));
    rc = stmt_row(s, st, &row, e);
    if (!rc && !row)
        rc = err_set(ERR_NOT_FOUND, e, "no version has a commit id that starts with %s", hex);
    if (!rc && !(rc = version_read(st, 0, &v, e)))
        rc = stmt_row(s, st, &second, e);
    if (!rc && second)
        rc = err_set(ERR_CONFLICT, e, "several commit ids start with %s: give more digits", hex);
    stmt_end(s, ST_VERSION_BY_OID, st);
    if (!rc)
        *out = v;
    return rc;
}

enum err store_lost_put(struct store *s, int64_t zone_id, uint64_t version, bool lost,
                        struct errinfo *e)
{
    sqlite3_stmt *st = NULL;
    enum err rc;

    if ((rc = write_check(s, e)) || (rc = stmt_start(&st, s, ST_VERSION_SET_LOST, e)))
        return rc;
    bind_i64(st, 1, zone_id);
    bind_u64(st, 2, version);
    bind_i64(st, 3, lost);
    rc = stmt_run(s, st, NULL, e);
    stmt_end(s, ST_VERSION_SET_LOST, st);
    return rc;
}

enum err store_lost_count(struct store *s, uint64_t *n, struct errinfo *e)
{
    sqlite3_stmt *st = NULL;
    bool row = false;
    enum err rc;

    if ((rc = stmt_start(&st, s, ST_VERSION_COUNT_LOST, e)))
        return rc;
    rc = stmt_row(s, st, &row, e);
    if (!rc && row)
        *n = col_u64(st, 0);
    stmt_end(s, ST_VERSION_COUNT_LOST, st);
    return rc;
}
