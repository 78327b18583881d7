/* Rows of `autoprimary`. */
#include <string.h>

#include "lib/store/store_internal.h"

static enum err row_read(sqlite3_stmt *st, struct store_autoprimary *a, struct errinfo *e)
{
    bool bad = false;

    memset(a, 0, sizeof(*a));
    col_text(st, 0, a->ip, sizeof(a->ip), &bad);
    col_name(st, 1, a->nameserver, &bad);
    col_text(st, 2, a->account, sizeof(a->account), &bad);
    col_text(st, 3, a->key, sizeof(a->key), &bad);
    a->zones_max = (uint32_t)sqlite3_column_int64(st, 4);
    a->zones_per_hour = (uint32_t)sqlite3_column_int64(st, 5);
    col_text(st, 6, a->suffixes, sizeof(a->suffixes), &bad);
    a->added_at.s = sqlite3_column_int64(st, 7);
    col_text(st, 8, a->added_by, sizeof(a->added_by), &bad);
    a->retired = sqlite3_column_int(st, 9) != 0;
    return bad ? err_set(ERR_CORRUPT, e, "a row of autoprimary cannot be read") : OK;
}

enum err store_autoprimary_each(struct store *s, store_autoprimary_fn *f, void *ctx,
                                struct errinfo *e)
{
    struct store_autoprimary a;
    sqlite3_stmt *st = NULL;
    bool row = false;
    enum err rc;

    if ((rc = stmt_start(&st, s, ST_AUTOPRIMARY_EACH, e)))
        return rc;
    while (!rc && !(rc = stmt_row(s, st, &row, e)) && row)
        if (!(rc = row_read(st, &a, e)))
            rc = f(ctx, &a, e);
    stmt_end(s, ST_AUTOPRIMARY_EACH, st);
    return rc;
}

static enum err row_insert(struct store *s, const struct store_autoprimary *a,
                           const uint8_t *nameserver, struct errinfo *e)
{
    sqlite3_stmt *st = NULL;
    int changed = 0;
    enum err rc;

    if ((rc = stmt_start(&st, s, ST_AUTOPRIMARY_INSERT, e)))
        return rc;
    bind_text(st, 1, a->ip);
    bind_name(st, 2, nameserver);
    bind_text(st, 3, a->account);
    bind_text(st, 4, a->key);
    bind_i64(st, 5, a->zones_max);
    bind_i64(st, 6, a->zones_per_hour);
    bind_text(st, 7, a->suffixes);
    bind_i64(st, 8, a->added_at.s);
    bind_text(st, 9, a->added_by);
    rc = stmt_run(s, st, &changed, e);
    stmt_end(s, ST_AUTOPRIMARY_INSERT, st);
    return !rc && changed == 0
               ? err_set(ERR_EXISTS, e, "there is an autoprimary with this address and nameserver")
               : rc;
}

static enum err limits_spread(struct store *s, const struct store_autoprimary *a,
                              const uint8_t *nameserver, struct errinfo *e)
{
    sqlite3_stmt *st = NULL;
    enum err rc;

    if ((rc = stmt_start(&st, s, ST_AUTOPRIMARY_LIMITS, e)))
        return rc;
    bind_name(st, 1, nameserver);
    bind_text(st, 2, a->account);
    bind_i64(st, 3, a->zones_max);
    bind_i64(st, 4, a->zones_per_hour);
    bind_text(st, 5, a->suffixes);
    rc = stmt_run(s, st, NULL, e);
    stmt_end(s, ST_AUTOPRIMARY_LIMITS, st);
    return rc;
}

enum err store_autoprimary_put(struct store *s, const struct store_autoprimary *a,
                               struct errinfo *e)
{
    uint8_t nameserver[NAME_MAX_OCTETS];
    enum err rc;

    (void)name_fold(nameserver, a->nameserver);
    if (!(rc = write_check(s, e)) && !(rc = row_insert(s, a, nameserver, e)))
        rc = limits_spread(s, a, nameserver, e);
    return rc;
}

enum err store_autoprimary_remove(struct store *s, const char *ip, const uint8_t *nameserver,
                                  struct errinfo *e)
{
    uint8_t folded[NAME_MAX_OCTETS];
    sqlite3_stmt *st = NULL;
    int changed = 0;
    enum err rc;

    if ((rc = write_check(s, e)) || (rc = stmt_start(&st, s, ST_AUTOPRIMARY_RETIRE, e)))
        return rc;
    (void)name_fold(folded, nameserver);
    bind_text(st, 1, ip);
    bind_name(st, 2, folded);
    rc = stmt_run(s, st, &changed, e);
    stmt_end(s, ST_AUTOPRIMARY_RETIRE, st);
    if (!rc && changed == 0)
        rc = err_set(ERR_NOT_FOUND, e, "no autoprimary has this address and nameserver");
    return rc ? rc : stmt_once(s, ST_AUTOPRIMARY_SWEEP, e);
}
