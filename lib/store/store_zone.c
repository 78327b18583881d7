/* Rows of `zone`. Callers hold copies of rows, and copies grow old: what the served content is
 * (serial, version, seq, records, tip) is written by store_change_put and its like alone, and every
 * function that writes gives the whole row back as it is stored now. */
#include <string.h>

#include "lib/store/store_internal.h"

/* A label, or NULL for none. */
static void col_label(sqlite3_stmt *st, int i, uint8_t label[64], bool *bad)
{
    const void *p = sqlite3_column_blob(st, i);
    int n = sqlite3_column_bytes(st, i);

    label[0] = 0;
    if (n > LABEL_MAX_OCTETS)
        *bad = true;
    if (!p || n <= 0 || n > LABEL_MAX_OCTETS)
        return;
    label[0] = (uint8_t)n;
    memcpy(label + 1, p, (size_t)n);
}

static enum err zone_read(sqlite3_stmt *st, struct store_zone *z, struct errinfo *e)
{
    bool bad = false;
    char name[NAME_TEXT_MAX];

    memset(z, 0, sizeof(*z));
    z->id = sqlite3_column_int64(st, 0);
    col_name(st, 1, z->name, &bad);
    z->kind = (enum zone_kind)sqlite3_column_int(st, 2);
    z->source = (enum zone_source)sqlite3_column_int(st, 3);
    col_text(st, 4, z->account, sizeof(z->account), &bad);
    z->has_content = !col_is_null(st, 5);
    z->serial = col_serial(st, 5);
    z->version = col_u64(st, 6);
    z->last_version = col_u64(st, 7);
    z->seq = col_u64(st, 8);
    z->records = col_u64(st, 9);
    (void)col_oid(st, 10, z->tip_oid, &bad);
    z->expired = sqlite3_column_int(st, 11) != 0;
    z->removed = sqlite3_column_int(st, 12) != 0;
    z->held = !col_is_null(st, 13);
    z->held_version = col_u64(st, 13);
    z->held_at.s = sqlite3_column_int64(st, 14);
    col_text(st, 15, z->held_by, sizeof(z->held_by), &bad);
    col_text(st, 16, z->held_reason, sizeof(z->held_reason), &bad);
    z->has_primary_serial = !col_is_null(st, 17);
    z->primary_serial = col_serial(st, 17);
    z->last_check.s = sqlite3_column_int64(st, 18);
    z->last_success.s = sqlite3_column_int64(st, 19);
    z->next_check.s = sqlite3_column_int64(st, 20);
    z->expires_at.s = sqlite3_column_int64(st, 21);
    z->failures = (uint32_t)sqlite3_column_int64(st, 22);
    col_text(st, 23, z->last_error, sizeof(z->last_error), &bad);
    col_text(st, 24, z->last_primary, sizeof(z->last_primary), &bad);
    z->renewal = col_u64(st, 25);
    if (!col_is_null(st, 26))
        col_name(st, 26, z->catalog, &bad);
    col_label(st, 27, z->member, &bad);
    if (!col_is_null(st, 28))
        col_name(st, 28, z->nameserver, &bad);
    z->unserved_since.s = sqlite3_column_int64(st, 29);
    z->orphan = sqlite3_column_int(st, 30) != 0;
    col_text(st, 31, z->file, sizeof(z->file), &bad);
    z->quarantine_version = col_u64(st, 32);
    z->quarantine_at.s = sqlite3_column_int64(st, 33);
    col_text(st, 34, z->quarantine_reason, sizeof(z->quarantine_reason), &bad);
    z->quarantine_rejected = sqlite3_column_int(st, 35) != 0;
    z->staged_version = col_u64(st, 36);
    z->staged_rejected = sqlite3_column_int(st, 37) != 0;
    z->ours = !col_is_null(st, 38);
    z->theirs = col_serial(st, 38);
    z->hold_has_serial = !col_is_null(st, 39);
    z->hold_serial = col_serial(st, 39);
    z->hold_until.s = sqlite3_column_int64(st, 40);
    if (!bad)
        return OK;
    (void)name_to_text(name, z->name);
    return err_set(ERR_CORRUPT, e, "zone %s: its row (id %lld) cannot be read", name,
                   (long long)z->id);
}

/* Ends a statement that gives one row or none. */
static enum err zone_one(struct store *s, enum stmt_id id, sqlite3_stmt *st, struct store_zone *out,
                         struct errinfo *e)
{
    struct store_zone z;
    bool row = false;
    enum err rc = stmt_row(s, st, &row, e);

    if (!rc && !row)
        rc = err_set(ERR_NOT_FOUND, e, "there is no such zone");
    if (!rc)
        rc = zone_read(st, &z, e);
    stmt_end(s, id, st);
    if (!rc)
        *out = z;
    return rc;
}

enum err store_zone_get(struct store *s, const uint8_t *name, struct store_zone *out,
                        struct errinfo *e)
{
    uint8_t folded[NAME_MAX_OCTETS];
    char text[NAME_TEXT_MAX];
    sqlite3_stmt *st = NULL;
    enum err rc;

    if ((rc = stmt_start(&st, s, ST_ZONE_BY_NAME, e)))
        return rc;
    (void)name_fold(folded, name);
    bind_name(st, 1, folded);
    if ((rc = zone_one(s, ST_ZONE_BY_NAME, st, out, e))) {
        (void)name_to_text(text, name);
        return err_wrap(rc, e, "zone %s", text);
    }
    return OK;
}

enum err store_zone_get_id(struct store *s, int64_t id, struct store_zone *out, struct errinfo *e)
{
    sqlite3_stmt *st = NULL;
    enum err rc;

    if ((rc = stmt_start(&st, s, ST_ZONE_BY_ID, e)))
        return rc;
    bind_i64(st, 1, id);
    rc = zone_one(s, ST_ZONE_BY_ID, st, out, e);
    return rc ? err_wrap(rc, e, "zone with id %lld", (long long)id) : OK;
}

static enum err zones_read(struct store *s, sqlite3_stmt *st, store_zone_fn *f, void *ctx,
                           struct errinfo *e)
{
    struct store_zone z;
    bool row = false;
    enum err rc;

    while (!(rc = stmt_row(s, st, &row, e)) && row)
        if ((rc = zone_read(st, &z, e)) || (rc = f(ctx, &z, e)))
            break;
    return rc;
}

static enum err zones_each(struct store *s, enum stmt_id which, store_zone_fn *f, void *ctx,
                           struct errinfo *e)
{
    sqlite3_stmt *st = NULL;
    enum err rc = stmt_start(&st, s, which, e);

    if (rc)
        return rc;
    rc = zones_read(s, st, f, ctx, e);
    stmt_end(s, which, st);
    return rc;
}

enum err store_zone_each(struct store *s, store_zone_fn *f, void *ctx, struct errinfo *e)
{
    return zones_each(s, ST_ZONE_EACH, f, ctx, e);
}

enum err store_zone_each_aside(struct store *s, store_zone_fn *f, void *ctx, struct errinfo *e)
{
    return zones_each(s, ST_ZONE_ASIDE, f, ctx, e);
}

enum err store_zone_ruled_each(struct store *s, store_zone_fn *f, void *ctx, struct errinfo *e)
{
    return zones_each(s, ST_ZONE_RULED, f, ctx, e);
}

enum err store_renewal_each(struct store *s, uint64_t after, uint32_t max, store_zone_fn *f,
                            void *ctx, struct errinfo *e)
{
    sqlite3_stmt *st = NULL;
    enum err rc = stmt_start(&st, s, ST_ZONE_RENEWED, e);

    if (rc)
        return rc;
    bind_u64(st, 1, after);
    bind_i64(st, 2, max);
    rc = zones_read(s, st, f, ctx, e);
    stmt_end(s, ST_ZONE_RENEWED, st);
    return rc;
}

/* Parameters 1 to 11 of three statements: the name, and the replication state. */
static void bind_state(sqlite3_stmt *st, const struct store_zone *z)
{
    bind_name(st, 1, z->name);
    bind_serial(st, 2, z->has_primary_serial, z->primary_serial);
    bind_i64(st, 3, z->last_check.s);
    bind_i64(st, 4, z->last_success.s);
    bind_i64(st, 5, z->next_check.s);
    bind_i64(st, 6, z->expires_at.s);
    bind_i64(st, 7, z->failures);
    bind_text(st, 8, z->last_error);
    bind_text(st, 9, z->last_primary);
    bind_i64(st, 10, z->unserved_since.s);
    bind_i64(st, 11, z->orphan);
}

/* A name, or NULL for the root. */
static void bind_name_or_null(sqlite3_stmt *st, int i, const uint8_t *name)
{
    if (name_is_root(name))
        bind_null(st, i);
    else
        bind_name(st, i, name);
}

/* Parameters 12 to 30: what the zone is. */
static void bind_rest(sqlite3_stmt *st, const struct store_zone *z)
{
    bind_i64(st, 12, z->kind);
    bind_i64(st, 13, z->source);
    bind_text(st, 14, z->account);
    bind_i64(st, 15, z->expired);
    bind_i64(st, 16, z->removed);
    if (z->held)
        bind_u64(st, 17, z->held_version);
    else
        bind_null(st, 17);
    bind_i64(st, 18, z->held_at.s);
    bind_text(st, 19, z->held_by);
    bind_text(st, 20, z->held_reason);
    bind_name_or_null(st, 21, z->catalog);
    if (z->member[0] == 0)
        bind_null(st, 22);
    else
        bind_blob(st, 22, z->member + 1, z->member[0]);
    bind_name_or_null(st, 23, z->nameserver);
    bind_text(st, 24, z->file);
    bind_u64(st, 25, z->quarantine_version);
    bind_i64(st, 26, z->quarantine_at.s);
    bind_text(st, 27, z->quarantine_reason);
    bind_i64(st, 28, z->quarantine_rejected);
    bind_serial(st, 29, z->held && z->hold_has_serial, z->hold_serial);
    bind_i64(st, 30, z->held ? z->hold_until.s : 0);
}

static enum err zone_write(struct store *s, enum stmt_id id, const struct store_zone *z,
                           int *changed, struct errinfo *e)
{
    sqlite3_stmt *st = NULL;
    enum err rc;

    if ((rc = stmt_start(&st, s, id, e)))
        return rc;
    bind_state(st, z);
    if (id != ST_ZONE_UPDATE_STATE)
        bind_rest(st, z);
    rc = stmt_run(s, st, changed, e);
    stmt_end(s, id, st);
    return rc;
}

enum err store_zone_put(struct store *s, struct store_zone *z, struct errinfo *e)
{
    struct store_zone row = *z;
    char text[NAME_TEXT_MAX];
    int changed = 0;
    enum err rc;

    (void)name_fold(row.name, z->name);
    if (!(rc = write_check(s, e)) && !(rc = zone_write(s, ST_ZONE_UPDATE, &row, &changed, e)) &&
        changed == 0)
        rc = zone_write(s, ST_ZONE_INSERT, &row, NULL, e);
    if (!rc)
        rc = store_zone_get(s, row.name, z, e);
    if (!rc)
        return OK;
    (void)name_to_text(text, row.name);
    return err_wrap(rc, e, "zone %s: storing its row", text);
}

enum err store_zone_put_state(struct store *s, const struct store_zone *z, struct errinfo *e)
{
    struct store_zone row = *z;
    char text[NAME_TEXT_MAX];
    int changed = 0;
    enum err rc;

    (void)name_fold(row.name, z->name);
    if (!(rc = write_check(s, e)) &&
        !(rc = zone_write(s, ST_ZONE_UPDATE_STATE, &row, &changed, e)) && changed == 0)
        rc = err_set(ERR_NOT_FOUND, e, "there is no such zone");
    if (!rc)
        return OK;
    (void)name_to_text(text, row.name);
    return err_wrap(rc, e, "zone %s: storing its state", text);
}

enum err store_zone_put_served(struct store *s, struct store_zone *z, struct wall at, uint64_t *seq,
                               struct errinfo *e)
{
    uint64_t n = 0;
    enum err rc;

    if ((rc = store_zone_put(s, z, e)) || (rc = seq_next(s, &n, e)) ||
        (rc = change_insert(s, z->id, CHANGE_STATE, 0, at, NULL, n, e)))
        return rc;
    *seq = n;
    return OK;
}
