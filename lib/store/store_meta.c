/* Rows of `metadata`. */
#include "lib/store/store_internal.h"

enum err store_meta_get(struct store *s, const char *key, struct buf *value, struct errinfo *e)
{
    sqlite3_stmt *st = NULL;
    bool row = false;
    enum err rc;

    if ((rc = stmt_start(&st, s, ST_META_GET, e)))
        return rc;
    bind_text(st, 1, key);
    if (!(rc = stmt_row(s, st, &row, e))) {
        if (row)
            buf_put(value, sqlite3_column_text(st, 0), (size_t)sqlite3_column_bytes(st, 0));
        else
            rc = err_set(ERR_NOT_FOUND, e, "the store has no value for %s", key);
    }
    stmt_end(s, ST_META_GET, st);
    return rc;
}

enum err store_meta_put(struct store *s, const char *key, const char *value, struct errinfo *e)
{
    sqlite3_stmt *st = NULL;
    enum err rc;

    if ((rc = write_check(s, e)) || (rc = stmt_start(&st, s, ST_META_PUT, e)))
        return rc;
    bind_text(st, 1, key);
    bind_text(st, 2, value);
    rc = stmt_run(s, st, NULL, e);
    stmt_end(s, ST_META_PUT, st);
    return rc;
}
