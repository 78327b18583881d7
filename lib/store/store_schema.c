/* The schema, one migration step after the other. A released step is never changed; a new one is
 * added behind it. docs/store.md describes the tables.
 *
 * STRICT tables and CHECK constraints are the last line: what they refuse is a bug of ours. There
 * are no indexes but those that a statement in store_statements.c walks.
 */
#include <stdio.h>

#include "lib/store/store_internal.h"

#define U32 "BETWEEN 0 AND 4294967295"
#define OID(column) column " BLOB CHECK (length(" column ") = 20)"

static const char *const step_1[] = {
    /* `id` of a zone is for ever: a removed zone keeps its row and its history. `serial` is NULL
     * until there is content; `held_version` unless the zone is held. */
    "CREATE TABLE zone ("
    " id INTEGER PRIMARY KEY,"
    " name BLOB NOT NULL UNIQUE CHECK (length(name) BETWEEN 1 AND 255),"
    " kind INTEGER NOT NULL CHECK (kind IN (1, 2)),"
    " source INTEGER NOT NULL CHECK (source BETWEEN 1 AND 4),"
    " account TEXT NOT NULL,"
    " serial INTEGER CHECK (serial " U32 "),"
    " version INTEGER NOT NULL CHECK (version BETWEEN 0 AND last_version),"
    " last_version INTEGER NOT NULL,"
    " seq INTEGER NOT NULL CHECK (seq >= 0),"
    " records INTEGER NOT NULL CHECK (records >= 0), " OID(
        "tip_oid") ","
                   " expired INTEGER NOT NULL CHECK (expired IN (0, 1)),"
                   " removed INTEGER NOT NULL CHECK (removed IN (0, 1)),"
                   " held_version INTEGER,"
                   " held_at INTEGER NOT NULL,"
                   " held_by TEXT NOT NULL,"
                   " held_reason TEXT NOT NULL,"
                   " primary_serial INTEGER CHECK (primary_serial " U32 "),"
                   " last_check INTEGER NOT NULL,"
                   " last_success INTEGER NOT NULL,"
                   " next_check INTEGER NOT NULL,"
                   " expires_at INTEGER NOT NULL,"
                   " failures INTEGER NOT NULL CHECK (failures " U32 "),"
                   " last_error TEXT NOT NULL,"
                   " last_primary TEXT NOT NULL,"
                   " CHECK ((serial IS NULL) = (version = 0))"
                   ") STRICT",

    /* Content. The key is name_key() of the page's first owner; `sum` is blob_sum() of the data,
     * since SQLite would not notice a flipped octet in it. With a rowid: in a table without one,
     * blobs of this size overflow and take twice the room (docs/store.md has the figures). */
    "CREATE TABLE page ("
    " zone_id INTEGER NOT NULL REFERENCES zone (id),"
    " key BLOB NOT NULL,"
    " sum INTEGER NOT NULL,"
    " data BLOB NOT NULL,"
    " UNIQUE (zone_id, key)"
    ") STRICT",

    /* Every version ever: never deleted. */
    "CREATE TABLE version ("
    " zone_id INTEGER NOT NULL REFERENCES zone (id),"
    " version INTEGER NOT NULL CHECK (version >= 1),"
    " seq INTEGER NOT NULL UNIQUE,"
    " from_serial INTEGER CHECK (from_serial " U32 "),"
    " serial INTEGER NOT NULL CHECK (serial " U32 "),"
    " at INTEGER NOT NULL,"
    " origin INTEGER NOT NULL CHECK (origin BETWEEN 1 AND 8),"
    " who TEXT NOT NULL,"
    " source TEXT NOT NULL,"
    " key_name TEXT NOT NULL,"
    " transport TEXT NOT NULL,"
    " reason TEXT NOT NULL,"
    " added INTEGER NOT NULL CHECK (added >= 0),"
    " removed INTEGER NOT NULL CHECK (removed >= 0),"
    " records INTEGER NOT NULL CHECK (records >= 0),"
    " waiting INTEGER NOT NULL CHECK (waiting IN (0, 1)), " OID("oid") ", " OID(
        "content_oid") ","
                       " CHECK ((oid IS NULL) = (content_oid IS NULL)),"
                       " PRIMARY KEY (zone_id, version)"
                       ") STRICT, WITHOUT ROWID",
    "CREATE INDEX version_unjournaled ON version (seq) WHERE oid IS NULL",

    /* The change log. What a change with a version is, its version row tells; `data` is its change
     * set (NULL for a first version). The blob is last, so that reading the rest skips it. */
    "CREATE TABLE change ("
    " seq INTEGER PRIMARY KEY CHECK (seq >= 1),"
    " zone_id INTEGER NOT NULL REFERENCES zone (id),"
    " kind INTEGER NOT NULL CHECK (kind IN (1, 2, 3)),"
    " version INTEGER,"
    " at INTEGER NOT NULL,"
    " sum INTEGER CHECK ((sum IS NULL) = (data IS NULL)),"
    " data BLOB,"
    " CHECK ((version IS NULL) = (kind = 3)),"
    " CHECK ((data IS NULL) = (kind <> 2)),"
    " FOREIGN KEY (zone_id, version) REFERENCES version (zone_id, version)"
    ") STRICT",
    "CREATE UNIQUE INDEX change_version ON change (zone_id, version) WHERE version IS NOT NULL",

    /* One row. Sequence numbers come from here, so that a part that is rolled back leaves no gap;
     * from first_seq on the change log is complete. */
    "CREATE TABLE log ("
    " id INTEGER PRIMARY KEY CHECK (id = 1),"
    " last_seq INTEGER NOT NULL CHECK (last_seq >= 0),"
    " first_seq INTEGER NOT NULL CHECK (first_seq BETWEEN 1 AND last_seq + 1)"
    ") STRICT",
    "INSERT INTO log (id, last_seq, first_seq) VALUES (1, 0, 1)",

    "CREATE TABLE metadata ("
    " key TEXT PRIMARY KEY,"
    " value TEXT NOT NULL"
    ") STRICT, WITHOUT ROWID",
    NULL,
};

/* What decides on a zone's expiry changes at every refresh, without a change of the log. So that a
 * reader learns it at a cost of what is new alone, these writes are numbered: a look at the index
 * behind the last number seen. */
static const char *const step_2[] = {
    "ALTER TABLE zone ADD COLUMN renewal INTEGER NOT NULL DEFAULT 0",
    "CREATE INDEX zone_renewal ON zone (renewal)",
    NULL,
};

/* The catalog zone that lists the zone, and the label under which it does (RFC 9432 4.1). */
static const char *const step_3[] = {
    "ALTER TABLE zone ADD COLUMN catalog BLOB CHECK (length(catalog) BETWEEN 1 AND 255)",
    "ALTER TABLE zone ADD COLUMN member BLOB CHECK (length(member) BETWEEN 1 AND 63)",
    NULL,
};

/* Autoprimaries that an operator added. `zone.nameserver` names the rows that brought a zone,
 * together with its account. `version.act` tells of versions that changed no content: 1 took the
 * zone away, 2 brought it back. */
static const char *const step_4[] = {
    "CREATE TABLE autoprimary ("
    " nameserver BLOB NOT NULL CHECK (length(nameserver) BETWEEN 1 AND 255),"
    " account TEXT NOT NULL,"
    " ip TEXT NOT NULL,"
    " key_name TEXT NOT NULL,"
    " zones_max INTEGER NOT NULL CHECK (zones_max " U32 "),"
    " zones_per_hour INTEGER NOT NULL CHECK (zones_per_hour " U32 "),"
    " suffixes TEXT NOT NULL,"
    " added_at INTEGER NOT NULL,"
    " added_by TEXT NOT NULL,"
    " retired INTEGER NOT NULL CHECK (retired IN (0, 1)),"
    " PRIMARY KEY (nameserver, ip)"
    ") STRICT, WITHOUT ROWID",
    "ALTER TABLE zone ADD COLUMN nameserver BLOB CHECK (length(nameserver) BETWEEN 1 AND 255)",
    "ALTER TABLE zone ADD COLUMN unserved_since INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE zone ADD COLUMN orphan INTEGER NOT NULL DEFAULT 0 CHECK (orphan IN (0, 1))",
    "ALTER TABLE version ADD COLUMN act INTEGER NOT NULL DEFAULT 0 CHECK (act IN (0, 1, 2))",
    NULL,
};

/* The file of a watched directory that the zone is read from. */
static const char *const step_5[] = {
    "ALTER TABLE zone ADD COLUMN file TEXT NOT NULL DEFAULT ''",
    NULL,
};

/* Versions that a guard did not let through, and of which of them an operator is asked. */
static const char *const step_6[] = {
    "ALTER TABLE version ADD COLUMN quarantined INTEGER NOT NULL DEFAULT 0"
    " CHECK (quarantined IN (0, 1))",
    "ALTER TABLE zone ADD COLUMN quarantine_version INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE zone ADD COLUMN quarantine_at INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE zone ADD COLUMN quarantine_reason TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE zone ADD COLUMN quarantine_rejected INTEGER NOT NULL DEFAULT 0"
    " CHECK (quarantine_rejected IN (0, 1))",
    NULL,
};

/* Which versions touched which owner (store_touched.c). An empty owner: any, as for all versions
 * from before this table. */
static const char *const step_7[] = {
    "CREATE TABLE touched ("
    " zone_id INTEGER NOT NULL REFERENCES zone (id),"
    " owner BLOB NOT NULL CHECK (length(owner) <= 255),"
    " version INTEGER NOT NULL,"
    " PRIMARY KEY (zone_id, owner, version)"
    ") STRICT, WITHOUT ROWID",
    "INSERT INTO touched (zone_id, owner, version)"
    " SELECT zone_id, x'', version FROM version WHERE added + removed > 0",
    NULL,
};

/* What operators did: also what makes no version. */
static const char *const step_8[] = {
    "CREATE TABLE operator_log ("
    " id INTEGER PRIMARY KEY AUTOINCREMENT,"
    " at INTEGER NOT NULL,"
    " who TEXT NOT NULL,"
    " action TEXT NOT NULL,"
    " zone BLOB CHECK (length(zone) BETWEEN 1 AND 255),"
    " detail TEXT NOT NULL,"
    " reason TEXT NOT NULL,"
    " version INTEGER NOT NULL"
    ") STRICT",
    NULL,
};

/* `touched` by type too: an owner may have one type that changes all the time and another that
 * never does. 0: any, as for all versions from before this column. */
static const char *const step_9[] = {
    "CREATE TABLE touched_9 ("
    " zone_id INTEGER NOT NULL REFERENCES zone (id),"
    " owner BLOB NOT NULL CHECK (length(owner) <= 255),"
    " version INTEGER NOT NULL,"
    " kind INTEGER NOT NULL CHECK (kind " U32 "),"
    " PRIMARY KEY (zone_id, owner, version, kind)"
    ") STRICT, WITHOUT ROWID",
    "INSERT INTO touched_9 (zone_id, owner, version, kind)"
    " SELECT zone_id, owner, version, 0 FROM touched",
    "DROP TABLE touched",
    "ALTER TABLE touched_9 RENAME TO touched",
    NULL,
};

/* Versions whose commit or content the journal has lost. */
static const char *const step_10[] = {
    "ALTER TABLE version ADD COLUMN lost INTEGER NOT NULL DEFAULT 0 CHECK (lost IN (0, 1))",
    "CREATE INDEX version_lost ON version (seq) WHERE lost = 1",
    NULL,
};

/* Versions that wait for their time (stage-time): since when, by the monotonic clock, and the
 * newest of them; of which an operator may have said no. */
static const char *const step_11[] = {
    "CREATE TABLE staged ("
    " zone_id INTEGER NOT NULL REFERENCES zone (id),"
    " version INTEGER NOT NULL,"
    " since_ms INTEGER NOT NULL,"
    " PRIMARY KEY (zone_id, version)"
    ") STRICT, WITHOUT ROWID",
    "ALTER TABLE zone ADD COLUMN staged_version INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE zone ADD COLUMN staged_rejected INTEGER NOT NULL DEFAULT 0"
    " CHECK (staged_rejected IN (0, 1))",
    NULL,
};

/* Serials of a series of our own, and the rule by which a hold ends. */
static const char *const step_12[] = {
    "ALTER TABLE zone ADD COLUMN source_serial INTEGER CHECK (source_serial " U32 ")",
    "ALTER TABLE version ADD COLUMN source_serial INTEGER CHECK (source_serial " U32 ")",
    "ALTER TABLE zone ADD COLUMN hold_serial INTEGER CHECK (hold_serial " U32 ")",
    "ALTER TABLE zone ADD COLUMN hold_until INTEGER NOT NULL DEFAULT 0",
    "CREATE INDEX zone_held ON zone (id) WHERE held_version IS NOT NULL",
    NULL,
};

/* Versions of which the journal keeps the commit's octets alone. */
static const char *const step_13[] = {
    "ALTER TABLE version ADD COLUMN thinned INTEGER NOT NULL DEFAULT 0"
    " CHECK (thinned IN (0, 1))",
    "CREATE INDEX version_thinned ON version (zone_id, version) WHERE thinned = 1",
    NULL,
};

const struct schema_step schema_steps[] = {{step_1},  {step_2},  {step_3}, {step_4}, {step_5},
                                           {step_6},  {step_7},  {step_8}, {step_9}, {step_10},
                                           {step_11}, {step_12}, {step_13}};

unsigned schema_count(void)
{
    return sizeof(schema_steps) / sizeof(schema_steps[0]);
}

/* A PRAGMA that gives one number. */
static enum err pragma_number(struct store *s, const char *sql, int64_t *out, struct errinfo *e)
{
    sqlite3_stmt *st = NULL;
    int rc = sqlite3_prepare_v2(s->db, sql, -1, &st, NULL);
    enum err err = OK;

    if (rc == SQLITE_OK)
        rc = sqlite3_step(st);
    if (rc == SQLITE_ROW)
        *out = sqlite3_column_int64(st, 0);
    else
        err = sql_error(s, rc, e, sql);
    (void)sqlite3_finalize(st);
    return err;
}

enum err schema_check(struct store *s, unsigned n, unsigned *version, struct errinfo *e)
{
    int64_t user_version = 0, app = 0, objects = 0;
    enum err rc;

    if ((rc = pragma_number(s, "PRAGMA user_version", &user_version, e)) ||
        (rc = pragma_number(s, "PRAGMA application_id", &app, e)) ||
        (rc = pragma_number(s, "SELECT count(*) FROM sqlite_schema", &objects, e)))
        return rc;
    if (app != SCHEMA_APPLICATION_ID && (app != 0 || user_version != 0 || objects != 0))
        return err_set(ERR_UNSUPPORTED, e, "%s is the database of another program", s->path);
    if (user_version < 0 || user_version > (int64_t)n)
        return err_set(ERR_UNSUPPORTED, e,
                       "%s has schema %lld, this program knows %u: start the newer version again, "
                       "or restore a backup from before the upgrade",
                       s->path, (long long)user_version, n);
    *version = (unsigned)user_version;
    return OK;
}

static enum err step_run(struct store *s, const struct schema_step *step, unsigned to,
                         struct errinfo *e)
{
    char sql[64];
    enum err rc = OK;

    for (size_t i = 0; !rc && step->statements[i]; i++)
        rc = sql_exec(s, step->statements[i], e);
    (void)snprintf(sql, sizeof(sql), "PRAGMA user_version = %u", to);
    if (!rc)
        rc = sql_exec(s, sql, e);
    return rc ? err_wrap(rc, e, "schema step %u", to) : OK;
}

enum err schema_migrate(struct store *s, const struct schema_step *list, unsigned n,
                        struct errinfo *e)
{
    unsigned version = 0;
    char sql[64];
    enum err rc;

    if ((rc = schema_check(s, n, &version, e)) || version == n)
        return rc;
    (void)snprintf(sql, sizeof(sql), "PRAGMA application_id = %d", SCHEMA_APPLICATION_ID);
    if ((rc = store_begin(s, e)) || (rc = sql_exec(s, sql, e)))
        goto out;
    for (unsigned i = version; i < n; i++)
        if ((rc = step_run(s, &list[i], i + 1, e)))
            goto out;
    FAULT("store:migrate");
    rc = store_commit(s, e);
out:
    store_rollback(s);
    return rc;
}
