/* Versions that passed all guards and wait for their time: which, and since when. */
#include "lib/store/store_internal.h"

/* The zone's columns; ?3 is whether an operator has said no. */
static enum err set_zone(struct store *s, struct store_zone *z, uint64_t version, bool rejected,
                         struct errinfo *e)
{
    sqlite3_stmt *st = NULL;
    enum err rc;

    if ((rc = stmt_start(&st, s, ST_ZONE_SET_STAGED, e)))
        return rc;
    bind_i64(st, 1, z->id);
    bind_u64(st, 2, version);
    bind_i64(st, 3, rejected);
    rc = stmt_run(s, st, NULL, e);
    stmt_end(s, ST_ZONE_SET_STAGED, st);
    return rc ? rc : store_zone_get_id(s, z->id, z, e);
}

/* What is not newer than what is served waits for nothing any more. */
static enum err delete_old(struct store *s, const struct store_zone *z, struct errinfo *e)
{
    sqlite3_stmt *st = NULL;
    enum err rc;

    if ((rc = stmt_start(&st, s, ST_STAGED_DELETE, e)))
        return rc;
    bind_i64(st, 1, z->id);
    bind_u64(st, 2, z->version);
    rc = stmt_run(s, st, NULL, e);
    stmt_end(s, ST_STAGED_DELETE, st);
    return rc;
}

enum err store_staged_put(struct store *s, struct store_zone *z, uint64_t version,
                          struct mono since, struct errinfo *e)
{
    sqlite3_stmt *st = NULL;
    enum err rc;

    if ((rc = write_check(s, e)) || (rc = delete_old(s, z, e)) ||
        (rc = stmt_start(&st, s, ST_STAGED_INSERT, e)))
        return rc;
    bind_i64(st, 1, z->id);
    bind_u64(st, 2, version);
    bind_i64(st, 3, since.ms);
    rc = stmt_run(s, st, NULL, e);
    stmt_end(s, ST_STAGED_INSERT, st);
    return rc ? rc : set_zone(s, z, version, false, e);
}

enum err store_staged_reject(struct store *s, struct store_zone *z, struct errinfo *e)
{
    enum err rc = write_check(s, e);

    return rc ? rc : set_zone(s, z, z->staged_version, true, e);
}

enum err store_staged_each(struct store *s, const struct store_zone *z, store_staged_fn *f,
                           void *ctx, struct errinfo *e)
{
    sqlite3_stmt *st = NULL;
    bool row = false;
    enum err rc = stmt_start(&st, s, ST_STAGED_EACH, e);

    if (rc)
        return rc;
    bind_i64(st, 1, z->id);
    bind_u64(st, 2, z->version);
    while (!(rc = stmt_row(s, st, &row, e)) && row)
        f(ctx, &(struct store_staged){.version = col_u64(st, 0),
                                      .since = {sqlite3_column_int64(st, 1)},
                                      .serial = col_serial(st, 2)});
    stmt_end(s, ST_STAGED_EACH, st);
    return rc;
}
