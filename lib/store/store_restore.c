#include "lib/store/store_restore.h"

#include "lib/store/store_internal.h"

static enum err on_zone(void *ctx, const struct store_zone *z, struct errinfo *e)
{
    char text[NAME_TEXT_MAX];

    (void)ctx;
    (void)name_to_text(text, z->name);
    return err_set(ERR_EXISTS, e, "the store is not empty: it has the zone %s", text);
}

enum err store_restore_check(struct store *s, struct errinfo *e)
{
    return store_zone_each(s, on_zone, NULL, e);
}

static enum err set_oid(struct store *s, int64_t zone_id, const struct store_version *v,
                        struct errinfo *e)
{
    sqlite3_stmt *st = NULL;
    enum err rc;

    if ((rc = stmt_start(&st, s, ST_VERSION_SET_OID, e)))
        return rc;
    bind_i64(st, 1, zone_id);
    bind_u64(st, 2, v->version);
    bind_blob(st, 3, v->oid, STORE_OID_BYTES);
    bind_blob(st, 4, v->content_oid, STORE_OID_BYTES);
    rc = stmt_run(s, st, NULL, e);
    stmt_end(s, ST_VERSION_SET_OID, st);
    return rc;
}

enum err store_restore_version(struct store *s, int64_t zone_id, const struct store_version *v,
                               struct errinfo *e)
{
    enum err rc;

    if (!(rc = write_check(s, e)) && !(rc = version_insert(s, zone_id, v, e)) &&
        !(rc = v->added + v->removed ? touched_put(s, zone_id, v->version, NULL, e) : OK))
        rc = set_oid(s, zone_id, v, e);
    return rc ? err_wrap(rc, e, "version %llu (change %llu)", (unsigned long long)v->version,
                         (unsigned long long)v->seq)
              : OK;
}

enum err store_restore_version_again(struct store *s, int64_t zone_id,
                                     const struct store_version *v, struct errinfo *e)
{
    enum err rc;

    if (!(rc = write_check(s, e)) && !(rc = version_put_again(s, zone_id, v, e)))
        rc = set_oid(s, zone_id, v, e);
    return rc ? err_wrap(rc, e, "version %llu", (unsigned long long)v->version) : OK;
}

enum err store_restore_waiting(struct store *s, int64_t zone_id, const struct store_version *v,
                               const struct changeset *cs, struct errinfo *e)
{
    return change_insert(s, zone_id, CHANGE_DELTA, v->version, v->at, cs, v->seq, e);
}

static enum err set_tip(struct store *s, int64_t zone_id, const struct store_version *newest,
                        struct errinfo *e)
{
    sqlite3_stmt *st = NULL;
    enum err rc;

    if ((rc = stmt_start(&st, s, ST_ZONE_SET_TIP, e)))
        return rc;
    bind_i64(st, 1, zone_id);
    bind_u64(st, 2, newest->version);
    bind_blob(st, 3, newest->oid, STORE_OID_BYTES);
    rc = stmt_run(s, st, NULL, e);
    stmt_end(s, ST_ZONE_SET_TIP, st);
    return rc;
}

enum err store_restore_content(struct store *s, int64_t zone_id, const struct zone *content,
                               const struct store_version *served,
                               const struct store_version *newest, struct errinfo *e)
{
    enum err rc;

    if (!(rc = write_check(s, e)) && !(rc = pages_put(s, zone_id, NULL, content, e)) &&
        !(rc = zone_set_served(s, zone_id, served, e)) &&
        !(rc = zone_set_last_version(s, zone_id, newest->version, e)))
        rc = set_tip(s, zone_id, newest, e);
    return rc;
}

enum err store_restore_log(struct store *s, uint64_t last_seq, struct errinfo *e)
{
    sqlite3_stmt *st = NULL;
    enum err rc;

    if ((rc = write_check(s, e)) || (rc = stmt_start(&st, s, ST_LOG_RESTORE, e)))
        return rc;
    bind_u64(st, 1, last_seq);
    rc = stmt_run(s, st, NULL, e);
    stmt_end(s, ST_LOG_RESTORE, st);
    return rc;
}
