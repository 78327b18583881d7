/* What must hold in a store that nothing has damaged: each fault that is found is reported, and the
 * check goes on. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "lib/store/store_internal.h"

struct verify {
    struct store *s;
    store_fault_fn *fault;
    void *ctx;
    uint64_t first_seq; /* of the log */

    const struct store_zone *z; /* the zone that is looked at */
    uint64_t versions;          /* of z, seen so far */
    struct store_version newer; /* the last one seen */
    bool served_seen;           /* the served version was among them */
    uint64_t served_older;      /* number of the last one seen that was served */
};

static void report(struct verify *v, bool data_lost, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
static void report(struct verify *v, bool data_lost, const char *fmt, ...)
{
    char text[ERR_TEXT_MAX];
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    v->fault(v->ctx, v->z ? v->z->name : NULL, data_lost, text);
}

/* A fault of the data is reported and done with; any other error ends the check. */
static enum err judged(struct verify *v, enum err rc, bool data_lost, const struct errinfo *e)
{
    if (rc == ERR_CORRUPT || rc == ERR_CHECK || rc == ERR_NOT_FOUND || rc == ERR_CONFLICT) {
        report(v, data_lost, "%s", e->text);
        return OK;
    }
    return rc;
}

/* ---- The database as such ---- */

/* Reports each row of a check as text, but for a single "ok". */
static enum err verify_sql(struct verify *v, const char *sql, const char *what, struct errinfo *e)
{
    sqlite3_stmt *st = NULL;
    int rc = sqlite3_prepare_v2(v->s->db, sql, -1, &st, NULL);
    enum err err = OK;

    while (rc == SQLITE_OK || rc == SQLITE_ROW) {
        if ((rc = sqlite3_step(st)) != SQLITE_ROW)
            break;
        const char *text = (const char *)sqlite3_column_text(st, 0);
        if (!text || strcmp(text, "ok") != 0)
            report(v, true, "%s: %s", what, text ? text : "?");
    }
    if (rc != SQLITE_DONE)
        err = judged(v, sql_error(v->s, rc, e, what), true, e);
    (void)sqlite3_finalize(st);
    return err;
}

static const struct {
    const char *sql;
    const char *what;
} table_checks[] = {
    {"PRAGMA integrity_check(100)", "database"},
    {"PRAGMA foreign_key_check", "a row without the row it belongs to, in table"},
    {"SELECT 'seq ' || seq FROM change WHERE seq > (SELECT last_seq FROM log)",
     "a change beyond the counter"},
    {"SELECT 'up to seq ' || last_seq FROM log WHERE last_seq + 1 - first_seq <>"
     " (SELECT count(*) FROM change WHERE seq >= first_seq)",
     "the change log has a gap"},
    {"SELECT 'seq ' || v.seq FROM version v LEFT JOIN change c ON c.seq = v.seq"
     " WHERE v.oid IS NULL AND c.seq IS NULL",
     "a version that the journal has not recorded is not in the change log"},
    {"SELECT 'seq ' || c.seq FROM change c JOIN version v ON v.zone_id = c.zone_id AND"
     " v.version = c.version WHERE v.seq <> c.seq OR (c.kind = 1) <> (v.from_serial IS NULL)",
     "a change and its version disagree"},
    {"SELECT 'zone id ' || id FROM zone z WHERE serial IS NULL AND"
     " EXISTS (SELECT 1 FROM page p WHERE p.zone_id = z.id)",
     "pages of a zone without content"},
};

/* ---- One zone ---- */

/* Newest first; `newer` is the one looked at before. */
static enum err verify_version(void *ctx, const struct store_version *ver, struct errinfo *e)
{
    struct verify *v = ctx;
    unsigned long long n = ver->version;

    (void)e;
    if (v->versions == 0 && ver->version != v->z->last_version)
        report(v, true, "the newest version is %llu, the zone row says %llu", n,
               (unsigned long long)v->z->last_version);
    if (v->versions > 0 && ver->version + 1 != v->newer.version)
        report(v, true, "between versions %llu and %llu some are missing", n,
               (unsigned long long)v->newer.version);
    if (v->versions > 0 && ver->seq >= v->newer.seq)
        report(v, true, "version %llu has a higher seq than the one after it", n);
    if (ver->version == v->z->version) {
        v->served_seen = true;
        if (ver->waiting || ver->seq != v->z->seq || ver->records != v->z->records ||
            !serial_eq(ver->serial, v->z->serial))
            report(v, true, "version %llu and the zone row disagree", n);
    }
    v->newer = *ver;
    v->versions++;
    return OK;
}

static enum err verify_versions(struct verify *v, struct errinfo *e)
{
    enum err rc;

    v->versions = 0;
    v->served_seen = false;
    if ((rc = store_version_each(v->s, v->z->id, 0, UINT32_MAX, verify_version, v, e)))
        return judged(v, rc, true, e);
    if (v->versions != v->z->last_version)
        report(v, true, "it has %llu versions, the zone row says %llu",
               (unsigned long long)v->versions, (unsigned long long)v->z->last_version);
    if (v->z->has_content && !v->served_seen)
        report(v, true, "the served version %llu has no row", (unsigned long long)v->z->version);
    return OK;
}

static enum err verify_content(struct verify *v, struct errinfo *e)
{
    const struct store_zone *z = v->z;
    struct zone *zone = NULL;
    enum err rc;

    if ((rc = store_zone_load(&zone, v->s, z, e)))
        return judged(v, rc, true, e);
    if ((rc = zone_check(zone, e)))
        rc = judged(v, rc, true, e);
    else if (!serial_eq(zone_serial(zone), z->serial))
        report(v, true, "its SOA has serial %u, the zone row says %u", zone_serial(zone).v,
               z->serial.v);
    if (zone_records(zone) != z->records)
        report(v, true, "it has %llu records, the zone row says %llu",
               (unsigned long long)zone_records(zone), (unsigned long long)z->records);
    zone_unref(zone);
    return rc;
}

/* The oldest version that the log still leads back to, and the newest waiting one: reaching both
 * applies each change of the log, strictly. */
static enum err oldest_in_log(void *ctx, const struct store_version *ver, struct errinfo *e)
{
    struct verify *v = ctx;

    (void)e;
    if (!ver->waiting)
        v->served_older = ver->version;
    return ver->seq < v->first_seq ? ERR_EXISTS : OK; /* enough */
}

/* Behind a change whose set is not kept nothing can be reached. */
static enum err stop_at_replaced(struct verify *v, struct errinfo *e)
{
    sqlite3_stmt *st = NULL;
    bool row = false;
    enum err rc;

    if ((rc = stmt_start(&st, v->s, ST_CHANGE_REPLACED, e)))
        return rc;
    bind_i64(st, 1, v->z->id);
    if (!(rc = stmt_row(v->s, st, &row, e)) && row && col_u64(st, 0) > v->served_older)
        v->served_older = col_u64(st, 0);
    stmt_end(v->s, ST_CHANGE_REPLACED, st);
    return rc;
}

static enum err verify_changes(struct verify *v, struct errinfo *e)
{
    struct zone *zone = NULL;
    enum err rc;

    v->served_older = v->z->version;
    rc = store_version_each(v->s, v->z->id, v->z->version + 1, UINT32_MAX, oldest_in_log, v, e);
    if ((rc && rc != ERR_EXISTS) || (rc = stop_at_replaced(v, e)))
        return rc;
    if ((rc = store_zone_load_version(&zone, v->s, v->z, v->served_older, e)))
        return judged(v, rc, false, e);
    zone_unref(zone);
    zone = NULL;
    rc = store_zone_load_waiting(&zone, v->s, v->z, e);
    zone_unref(zone);
    return rc == ERR_NOT_FOUND ? OK : judged(v, rc, true, e);
}

static enum err verify_zone(void *ctx, const struct store_zone *z, struct errinfo *e)
{
    struct verify *v = ctx;
    enum err rc;

    v->z = z;
    if (!(rc = verify_versions(v, e)) && z->has_content && !(rc = verify_content(v, e)))
        rc = verify_changes(v, e);
    v->z = NULL;
    return rc;
}

enum err store_verify(struct store *s, store_fault_fn *f, void *ctx, struct errinfo *e)
{
    struct verify v = {.s = s, .fault = f, .ctx = ctx};
    uint64_t last = 0;
    enum err rc;

    if ((rc = store_read_begin(s, e)))
        return rc;
    rc = store_seq(s, &last, &v.first_seq, e);
    for (size_t i = 0; !rc && i < sizeof(table_checks) / sizeof(table_checks[0]); i++)
        rc = verify_sql(&v, table_checks[i].sql, table_checks[i].what, e);
    if (!rc)
        rc = judged(&v, store_zone_each(s, verify_zone, &v, e), true, e);
    store_read_end(s);
    return rc;
}
