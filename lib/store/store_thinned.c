/* Versions of which the journal keeps no content any more. */
#include "lib/store/store_internal.h"

enum err store_thinned_put(struct store *s, int64_t zone_id, uint64_t version, struct errinfo *e)
{
    sqlite3_stmt *st = NULL;
    int changed = 0;
    enum err rc;

    if ((rc = write_check(s, e)) || (rc = stmt_start(&st, s, ST_VERSION_THIN, e)))
        return rc;
    bind_i64(st, 1, zone_id);
    bind_u64(st, 2, version);
    rc = stmt_run(s, st, &changed, e);
    stmt_end(s, ST_VERSION_THIN, st);
    if (rc == OK && changed == 0)
        rc = err_set(ERR_NOT_FOUND, e, "version %llu is not there, or not in the journal",
                     (unsigned long long)version);
    return rc;
}

enum err store_thinned_each(struct store *s, store_thinned_fn *f, void *ctx, struct errinfo *e)
{
    sqlite3_stmt *st = NULL;
    bool row = false, bad = false;
    enum err rc;

    if ((rc = stmt_start(&st, s, ST_VERSION_THINNED, e)))
        return rc;
    while (!(rc = stmt_row(s, st, &row, e)) && row) {
        uint8_t oid[STORE_OID_BYTES];

        if (col_oid(st, 0, oid, &bad) && (rc = f(ctx, oid, e)))
            break;
    }
    stmt_end(s, ST_VERSION_THINNED, st);
    return rc;
}

enum err store_version_kept_after(struct store *s, int64_t zone_id, uint64_t version,
                                  struct store_version *out, struct errinfo *e)
{
    return version_one(s, ST_VERSION_KEPT_AFTER, zone_id, version, out, e);
}
