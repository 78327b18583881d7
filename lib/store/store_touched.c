/* Which versions touched which owner: the index behind `log --name` and `blame`. A version has a
 * row for each owner that it changed, or, if these are many or not known, one row with an empty
 * owner, which says "any". The SOA, which every version changes, does not count.
 */
#include <string.h>

#include "lib/store/store_internal.h"

#define OWNERS_MAX 1000 /* of one version; beyond that a look at it costs less than the rows */

static enum err put_row(struct store *s, int64_t zone_id, const uint8_t *owner, size_t len,
                        uint64_t version, struct errinfo *e)
{
    sqlite3_stmt *st = NULL;
    enum err rc;

    if ((rc = stmt_start(&st, s, ST_TOUCHED_INSERT, e)))
        return rc;
    bind_i64(st, 1, zone_id);
    bind_blob(st, 2, owner, len);
    bind_u64(st, 3, version);
    rc = stmt_run(s, st, NULL, e);
    stmt_end(s, ST_TOUCHED_INSERT, st);
    return rc;
}

static bool counts(const struct rr *rr)
{
    return rr->type != RR_SOA;
}

/* Owners of a list that is in canonical order, each once; true until there are too many. */
static bool owners_few(size_t *n, const struct rr_list *l)
{
    for (size_t i = 0; i < l->n && *n <= OWNERS_MAX; i++)
        *n += counts(&l->rrs[i]) && (i == 0 || !name_eq(l->rrs[i].owner, l->rrs[i - 1].owner));
    return *n <= OWNERS_MAX;
}

static enum err put_list(struct store *s, int64_t zone_id, uint64_t version,
                         const struct rr_list *l, struct errinfo *e)
{
    const uint8_t *last = NULL;
    enum err rc = OK;

    for (size_t i = 0; i < l->n && rc == OK; i++) {
        const uint8_t *owner = l->rrs[i].owner;

        if (!counts(&l->rrs[i]) || (last && name_eq(owner, last)))
            continue;
        last = owner;
        rc = put_row(s, zone_id, owner, name_len(owner), version, e);
    }
    return rc;
}

enum err touched_put(struct store *s, int64_t zone_id, uint64_t version, const struct changeset *cs,
                     struct errinfo *e)
{
    size_t n = 0;
    enum err rc;

    if (!cs || !owners_few(&n, &cs->removed) || !owners_few(&n, &cs->added))
        return put_row(s, zone_id, (const uint8_t *)"", 0, version, e);
    if ((rc = put_list(s, zone_id, version, &cs->removed, e)))
        return rc;
    return put_list(s, zone_id, version, &cs->added, e);
}

enum err store_touched_each(struct store *s, int64_t zone_id, const uint8_t *owner, uint64_t before,
                            uint32_t max, store_touched_fn *f, void *ctx, struct errinfo *e)
{
    uint8_t folded[NAME_MAX_OCTETS];
    sqlite3_stmt *st = NULL;
    bool row = false;
    enum err rc;

    if ((rc = stmt_start(&st, s, ST_TOUCHED_EACH, e)))
        return rc;
    (void)name_fold(folded, owner);
    bind_i64(st, 1, zone_id);
    bind_blob(st, 2, folded, name_len(folded));
    bind_u64(st, 3, before ? before : UINT64_MAX);
    bind_i64(st, 4, max);
    while (!(rc = stmt_row(s, st, &row, e)) && row)
        if ((rc = f(ctx, col_u64(st, 0), sqlite3_column_int(st, 1) != 0, e)))
            break;
    stmt_end(s, ST_TOUCHED_EACH, st);
    return rc;
}
