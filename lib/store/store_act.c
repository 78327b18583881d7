/* Rows of `operator_log`: what operators did. The newest ACTS_MAX stay. */
#include <string.h>

#include "lib/store/store_internal.h"

#define ACTS_MAX 200000

static enum err row_read(sqlite3_stmt *st, struct store_act *a, struct errinfo *e)
{
    bool bad = false;

    memset(a, 0, sizeof(*a));
    a->id = col_u64(st, 0);
    a->at.s = sqlite3_column_int64(st, 1);
    col_text(st, 2, a->who, sizeof(a->who), &bad);
    col_text(st, 3, a->action, sizeof(a->action), &bad);
    a->has_zone = sqlite3_column_type(st, 4) != SQLITE_NULL;
    if (a->has_zone)
        col_name(st, 4, a->zone, &bad);
    col_text(st, 5, a->detail, sizeof(a->detail), &bad);
    col_text(st, 6, a->reason, sizeof(a->reason), &bad);
    a->version = col_u64(st, 7);
    return bad ? err_set(ERR_CORRUPT, e, "a row of operator_log cannot be read") : OK;
}

enum err store_act_each(struct store *s, uint64_t before, uint32_t max, store_act_fn *f, void *ctx,
                        struct errinfo *e)
{
    struct store_act a;
    sqlite3_stmt *st = NULL;
    bool row = false;
    enum err rc;

    if ((rc = stmt_start(&st, s, ST_ACT_EACH, e)))
        return rc;
    bind_u64(st, 1, before ? before : UINT64_MAX);
    bind_i64(st, 2, max);
    while (!rc && !(rc = stmt_row(s, st, &row, e)) && row)
        if (!(rc = row_read(st, &a, e)))
            rc = f(ctx, &a, e);
    stmt_end(s, ST_ACT_EACH, st);
    return rc;
}

static enum err row_insert(struct store *s, const struct store_act *a, struct errinfo *e)
{
    sqlite3_stmt *st = NULL;
    enum err rc;

    if ((rc = stmt_start(&st, s, ST_ACT_INSERT, e)))
        return rc;
    bind_i64(st, 1, a->at.s);
    bind_text(st, 2, a->who);
    bind_text(st, 3, a->action);
    if (a->has_zone)
        bind_name(st, 4, a->zone);
    bind_text(st, 5, a->detail);
    bind_text(st, 6, a->reason);
    bind_u64(st, 7, a->version);
    rc = stmt_run(s, st, NULL, e);
    stmt_end(s, ST_ACT_INSERT, st);
    return rc;
}

enum err store_act_put(struct store *s, const struct store_act *a, struct errinfo *e)
{
    sqlite3_stmt *st = NULL;
    enum err rc;

    if ((rc = write_check(s, e)) || (rc = row_insert(s, a, e)) ||
        (rc = stmt_start(&st, s, ST_ACT_SWEEP, e)))
        return rc;
    bind_i64(st, 1, ACTS_MAX);
    rc = stmt_run(s, st, NULL, e);
    stmt_end(s, ST_ACT_SWEEP, st);
    return rc;
}
