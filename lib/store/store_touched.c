/* Which versions touched which owner: the index behind `log --name` and `blame`. A version has a
 * row for each owner and type that it changed, or, if these are many or not known, one row with an
 * empty owner, which says "any". The SOA, which every version changes, does not count; the
 * signature over it does, under a kind of its own.
 */
#include "lib/store/store_touched.h"

#include <string.h>

#include "lib/store/store_internal.h"

#define OWNERS_MAX 1000 /* of one version; beyond that a look at it costs less than the rows */
#define KIND_BITS 16    /* of an RRSIG's kind, behind the type */

/* ---- From a change to rows ---- */

static uint32_t kind_of(const struct rr *rr)
{
    uint32_t covered = rr->type == RR_RRSIG && rr->rdata_len >= 2 ? get_u16(rr->rdata) : 0;

    return rr->type == RR_RRSIG ? (uint32_t)RR_RRSIG << KIND_BITS | covered : rr->type;
}

static bool counts(const struct rr *rr)
{
    return rr->type != RR_SOA;
}

/* In canonical order records of one owner and kind stand together. */
static bool same_row(const struct rr *a, const struct rr *b)
{
    return kind_of(a) == kind_of(b) && name_eq(a->owner, b->owner);
}

/* Rows of a list, each once; true until there are too many. */
static bool rows_few(size_t *n, const struct rr_list *l)
{
    for (size_t i = 0; i < l->n && *n <= OWNERS_MAX; i++)
        *n += counts(&l->rrs[i]) && (i == 0 || !same_row(&l->rrs[i], &l->rrs[i - 1]));
    return *n <= OWNERS_MAX;
}

static enum err list_rows(const struct rr_list *l, uint64_t version, touched_row_fn *f, void *ctx,
                          struct errinfo *e)
{
    enum err rc = OK;

    for (size_t i = 0; i < l->n && rc == OK; i++) {
        const struct rr *rr = &l->rrs[i];
        struct touched_row row = {rr->owner, name_len(rr->owner), version, kind_of(rr)};

        if (counts(rr) && (i == 0 || !same_row(rr, &l->rrs[i - 1])))
            rc = f(ctx, &row, e);
    }
    return rc;
}

enum err store_touched_of(const struct changeset *cs, uint64_t version, touched_row_fn *f,
                          void *ctx, struct errinfo *e)
{
    const struct touched_row any = {(const uint8_t *)"", 0, version, 0};
    size_t n = 0;
    enum err rc;

    if (!cs || !cs->has_from || !rows_few(&n, &cs->removed) || !rows_few(&n, &cs->added))
        return f(ctx, &any, e);
    if ((rc = list_rows(&cs->removed, version, f, ctx, e)))
        return rc;
    return list_rows(&cs->added, version, f, ctx, e);
}

/* ---- Writing ---- */

static enum err run_row(struct store *s, enum stmt_id id, int64_t zone_id,
                        const struct touched_row *row, struct errinfo *e)
{
    sqlite3_stmt *st = NULL;
    enum err rc;

    if ((rc = stmt_start(&st, s, id, e)))
        return rc;
    bind_i64(st, 1, zone_id);
    bind_blob(st, 2, row->owner, row->owner_len);
    bind_u64(st, 3, row->version);
    bind_i64(st, 4, row->kind);
    rc = stmt_run(s, st, NULL, e);
    stmt_end(s, id, st);
    return rc;
}

enum err store_touched_put(struct store *s, int64_t zone_id, const struct touched_row *row,
                           struct errinfo *e)
{
    enum err rc = write_check(s, e);

    return rc ? rc : run_row(s, ST_TOUCHED_INSERT, zone_id, row, e);
}

enum err store_touched_delete(struct store *s, int64_t zone_id, const struct touched_row *row,
                              struct errinfo *e)
{
    enum err rc = write_check(s, e);

    return rc ? rc : run_row(s, ST_TOUCHED_DELETE, zone_id, row, e);
}

struct put {
    struct store *store;
    int64_t zone_id;
};

static enum err on_row(void *ctx, const struct touched_row *row, struct errinfo *e)
{
    const struct put *p = ctx;

    return run_row(p->store, ST_TOUCHED_INSERT, p->zone_id, row, e);
}

enum err touched_put(struct store *s, int64_t zone_id, uint64_t version, const struct changeset *cs,
                     struct errinfo *e)
{
    struct put p = {s, zone_id};

    return store_touched_of(cs, version, on_row, &p, e);
}

/* ---- Asking ---- */

enum err store_touched_each(struct store *s, int64_t zone_id, const uint8_t *owner, uint16_t type,
                            uint64_t before, uint32_t max, store_touched_fn *f, void *ctx,
                            struct errinfo *e)
{
    int64_t low = type == RR_RRSIG ? (int64_t)type << KIND_BITS : type;
    int64_t high = type == 0 ? INT64_MAX : type == RR_RRSIG ? low | ((1 << KIND_BITS) - 1) : low;
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
    bind_i64(st, 5, type ? low : 1);
    bind_i64(st, 6, high);
    while (!(rc = stmt_row(s, st, &row, e)) && row)
        if ((rc = f(ctx, col_u64(st, 0), sqlite3_column_int(st, 1) != 0, e)))
            break;
    stmt_end(s, ST_TOUCHED_EACH, st);
    return rc;
}

enum err store_touched_rows(struct store *s, int64_t zone_id, uint64_t from, uint64_t to,
                            touched_rows_fn *f, void *ctx, struct errinfo *e)
{
    sqlite3_stmt *st = NULL;
    bool more = false;
    enum err rc;

    if ((rc = stmt_start(&st, s, ST_TOUCHED_ROWS, e)))
        return rc;
    bind_i64(st, 1, zone_id);
    bind_u64(st, 2, from);
    bind_u64(st, 3, to);
    while (!(rc = stmt_row(s, st, &more, e)) && more) {
        struct touched_row row = {.owner = sqlite3_column_blob(st, 0),
                                  .owner_len = (size_t)sqlite3_column_bytes(st, 0),
                                  .version = col_u64(st, 1),
                                  .kind = (uint32_t)sqlite3_column_int64(st, 2)};

        if ((rc = f(ctx, &row, sqlite3_column_int(st, 3) != 0, e)))
            break;
    }
    stmt_end(s, ST_TOUCHED_ROWS, st);
    return rc;
}
