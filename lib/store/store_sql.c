/* The thin layer over SQLite: errors, cached statements, values in and out. */
#include "lib/store/store_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/hash.h"

/* What a caller can act on. After an I/O error the state of the disk is unknown, and after a failed
 * fsync Linux calls the lost pages clean: nothing may be written again before a restart. A full
 * disk is different: SQLite rolls the transaction back, and the next one may fit. */
static enum err sql_kind(struct store *s, int rc)
{
    switch (rc) {
    case SQLITE_READONLY_RECOVERY: /* the writer died in the middle of a header, or has not read */
    case SQLITE_READONLY_CANTINIT: /* the log yet: it must start first */
    case SQLITE_READONLY_CANTLOCK:
        return ERR_BUSY;
    case SQLITE_IOERR_NOMEM:
        return ERR_IO;
    case SQLITE_IOERR_SHMSIZE:
    case SQLITE_IOERR_WRITE:
        if (sqlite3_system_errno(s->db) == ENOSPC || sqlite3_system_errno(s->db) == EDQUOT)
            return ERR_LIMIT;
        return ERR_IO;
    default:
        break;
    }
    switch (rc & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return ERR_BUSY;
    case SQLITE_FULL:
    case SQLITE_TOOBIG:
        return ERR_LIMIT;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return ERR_CORRUPT;
    case SQLITE_READONLY:
    case SQLITE_AUTH:
    case SQLITE_PERM:
        return ERR_DENIED;
    case SQLITE_CONSTRAINT:
        return ERR_CHECK;
    default:
        return ERR_IO;
    }
}

enum err sql_error(struct store *s, int rc, struct errinfo *e, const char *what)
{
    enum err err = sql_kind(s, rc);
    int sys = sqlite3_system_errno(s->db);

    if (err == ERR_IO)
        s->broken = true;
    if (s->writing && sqlite3_get_autocommit(s->db) && !s->lost)
        s->lost = err;
    if (sys == 0)
        return err_set(err, e, "%s: %s (%d)", what, sqlite3_errmsg(s->db), rc);
    if ((rc & 0xff) == SQLITE_IOERR || (rc & 0xff) == SQLITE_CANTOPEN)
        return err_set(err, e, "%s: %s (%d, %s)", what, sqlite3_errmsg(s->db), rc, strerror(sys));
    return err_set(err, e, "%s: %s", what, sqlite3_errmsg(s->db));
}

enum err sql_exec(struct store *s, const char *sql, struct errinfo *e)
{
    int rc = sqlite3_exec(s->db, sql, NULL, NULL, NULL);

    return rc == SQLITE_OK ? OK : sql_error(s, rc, e, "store");
}

enum err stmt_start(sqlite3_stmt **out, struct store *s, enum stmt_id id, struct errinfo *e)
{
    sqlite3_stmt *st = s->stmts[id];
    int rc;

    if (st && !sqlite3_stmt_busy(st)) {
        *out = st;
        return OK;
    }
    rc = sqlite3_prepare_v3(s->db, statement_texts[id], -1, st ? 0 : SQLITE_PREPARE_PERSISTENT, out,
                            NULL);
    if (rc != SQLITE_OK)
        return sql_error(s, rc, e, "store: preparing a statement");
    if (!st)
        s->stmts[id] = *out;
    return OK;
}

void stmt_end(struct store *s, enum stmt_id id, sqlite3_stmt *st)
{
    if (!st)
        return;
    if (st != s->stmts[id]) {
        (void)sqlite3_finalize(st);
        return;
    }
    (void)sqlite3_reset(st);
    (void)sqlite3_clear_bindings(st); /* what was lent must not be looked at again */
}

enum err stmt_row(struct store *s, sqlite3_stmt *st, bool *row, struct errinfo *e)
{
    int rc = sqlite3_step(st);

    if (rc != SQLITE_ROW && rc != SQLITE_DONE)
        return sql_error(s, rc, e, "store");
    *row = rc == SQLITE_ROW;
    return OK;
}

enum err stmt_run(struct store *s, sqlite3_stmt *st, int *changed, struct errinfo *e)
{
    int rc = sqlite3_step(st);

    if (rc != SQLITE_DONE)
        return sql_error(s, rc, e, "store");
    if (changed)
        *changed = sqlite3_changes(s->db);
    return OK;
}

enum err stmt_once(struct store *s, enum stmt_id id, struct errinfo *e)
{
    sqlite3_stmt *st = NULL;
    enum err rc;

    if ((rc = stmt_start(&st, s, id, e)))
        return rc;
    rc = stmt_run(s, st, NULL, e);
    stmt_end(s, id, st);
    return rc;
}

/* A wrong index is a bug of ours; without memory nothing goes on. */
static void bound(int rc)
{
    if (rc != SQLITE_OK)
        abort();
}

void bind_i64(sqlite3_stmt *st, int i, int64_t v)
{
    bound(sqlite3_bind_int64(st, i, v));
}

void bind_u64(sqlite3_stmt *st, int i, uint64_t v)
{
    bound(sqlite3_bind_int64(st, i, v > INT64_MAX ? INT64_MAX : (int64_t)v));
}

void bind_null(sqlite3_stmt *st, int i)
{
    bound(sqlite3_bind_null(st, i));
}

void bind_serial(sqlite3_stmt *st, int i, bool has, struct serial v)
{
    if (has)
        bind_i64(st, i, v.v);
    else
        bind_null(st, i);
}

void bind_blob(sqlite3_stmt *st, int i, const void *p, size_t n)
{
    /* A NULL pointer would bind NULL, not an empty blob. */
    bound(sqlite3_bind_blob64(st, i, p ? p : "", n, SQLITE_STATIC));
}

void bind_name(sqlite3_stmt *st, int i, const uint8_t *name)
{
    bind_blob(st, i, name, name_len(name));
}

void bind_text(sqlite3_stmt *st, int i, const char *text)
{
    bound(sqlite3_bind_text(st, i, text, -1, SQLITE_STATIC));
}

uint64_t col_u64(sqlite3_stmt *st, int i)
{
    return (uint64_t)sqlite3_column_int64(st, i);
}

int64_t blob_sum(const void *p, size_t n)
{
    static const uint8_t key[16] = "zoneledger store";

    return (int64_t)siphash_1_3(key, p, n);
}

enum err col_summed(sqlite3_stmt *st, int i, const uint8_t **data, size_t *len, struct errinfo *e)
{
    const void *p = sqlite3_column_blob(st, i);

    *len = (size_t)sqlite3_column_bytes(st, i);
    *data = p ? p : (const uint8_t *)""; /* SQLite gives NULL for an empty blob */
    if (sqlite3_column_int64(st, i - 1) != blob_sum(*data, *len))
        return err_set(ERR_CORRUPT, e, "the checksum does not fit");
    return OK;
}

bool col_is_null(sqlite3_stmt *st, int i)
{
    return sqlite3_column_type(st, i) == SQLITE_NULL;
}

struct serial col_serial(sqlite3_stmt *st, int i)
{
    return (struct serial){(uint32_t)sqlite3_column_int64(st, i)};
}

bool col_oid(sqlite3_stmt *st, int i, uint8_t oid[STORE_OID_BYTES], bool *bad)
{
    const void *p = sqlite3_column_blob(st, i);

    memset(oid, 0, STORE_OID_BYTES);
    if (col_is_null(st, i))
        return false;
    if (!p || sqlite3_column_bytes(st, i) != STORE_OID_BYTES) {
        *bad = true;
        return false;
    }
    memcpy(oid, p, STORE_OID_BYTES);
    return true;
}

void col_name(sqlite3_stmt *st, int i, uint8_t name[NAME_MAX_OCTETS], bool *bad)
{
    const void *p = sqlite3_column_blob(st, i);
    int n = sqlite3_column_bytes(st, i);
    struct reader r = reader_of(p ? p : "", p && n > 0 ? (size_t)n : 0);

    if (!read_name_plain(&r, name) || reader_left(&r) != 0) {
        name[0] = 0;
        *bad = true;
    }
}

void col_text(sqlite3_stmt *st, int i, char *out, size_t cap, bool *bad)
{
    const unsigned char *p = sqlite3_column_text(st, i);
    size_t n = (size_t)sqlite3_column_bytes(st, i);

    if (!p || n >= cap) {
        out[0] = 0;
        *bad = true;
        return;
    }
    memcpy(out, p, n);
    out[n] = 0;
}
