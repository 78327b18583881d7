/* Keeping the change log small. */
#include "lib/store/store_internal.h"

/* What a row weighs beside its change set, so that a log of many tiny rows is bounded too. */
#define ROW_WEIGHT_BYTES 64

static enum err log_weight(struct store *s, uint64_t *bytes, struct errinfo *e)
{
    sqlite3_stmt *st = NULL;
    bool row = false;
    enum err rc;

    if ((rc = stmt_start(&st, s, ST_CHANGE_WEIGHT, e)))
        return rc;
    bind_i64(st, 1, ROW_WEIGHT_BYTES);
    if (!(rc = stmt_row(s, st, &row, e)))
        *bytes = col_u64(st, 0);
    stmt_end(s, ST_CHANGE_WEIGHT, st);
    return rc;
}

/* The log has to stay without gaps, so it is cut at one place: *first gets the lowest seq that
 * stays, *dropped how many rows before it may go. Rows that a waiting version needs stay behind
 * the cut, outside the log that store_change_each walks. */
static enum err find_cut(struct store *s, uint64_t weight, uint64_t max_bytes, uint64_t *first,
                         uint64_t *dropped, struct errinfo *e)
{
    sqlite3_stmt *st = NULL;
    bool row = false;
    enum err rc;

    if ((rc = stmt_start(&st, s, ST_CHANGE_OLDEST, e)))
        return rc;
    while (weight > max_bytes && !(rc = stmt_row(s, st, &row, e)) && row) {
        uint64_t bytes = col_u64(st, 1) + ROW_WEIGHT_BYTES;
        bool journaled = sqlite3_column_int(st, 2) != 0;
        bool pinned = sqlite3_column_int(st, 3) != 0;

        if (!journaled)
            break;
        *first = col_u64(st, 0) + 1;
        *dropped += !pinned;
        weight = weight > bytes ? weight - bytes : 0;
    }
    stmt_end(s, ST_CHANGE_OLDEST, st);
    return rc;
}

static enum err cut(struct store *s, enum stmt_id id, uint64_t first, struct errinfo *e)
{
    sqlite3_stmt *st = NULL;
    enum err rc;

    if ((rc = stmt_start(&st, s, id, e)))
        return rc;
    bind_u64(st, 1, first);
    rc = stmt_run(s, st, NULL, e);
    stmt_end(s, id, st);
    return rc;
}

enum err store_prune(struct store *s, uint64_t max_bytes, uint64_t *dropped, struct errinfo *e)
{
    uint64_t weight = 0, last = 0, first = 0, n = 0;
    enum err rc;

    if ((rc = write_check(s, e)) || (rc = store_seq(s, &last, &first, e)) ||
        (rc = log_weight(s, &weight, e)) || (rc = find_cut(s, weight, max_bytes, &first, &n, e)) ||
        /* Also what was pinned at an earlier cut and is not any more. */
        (rc = cut(s, ST_LOG_SET_FIRST, first, e)) || (rc = cut(s, ST_CHANGE_DELETE, first, e)))
        return err_wrap(rc, e, "pruning the change log");
    *dropped = n;
    return OK;
}
