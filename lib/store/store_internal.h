/* What the files of lib/store share: the connection, its statements, the mapping of errors. */
#ifndef ZL_STORE_STORE_INTERNAL_H
#define ZL_STORE_STORE_INTERNAL_H

#include <sqlite3.h>

#include "lib/base/fault.h"
#include "lib/store/store.h"

#define STORE_BUSY_TIMEOUT_MS 5000

/* Two pages of content fit into one of the database; figures in docs/store.md. */
#define STORE_DB_PAGE_BYTES 8192

/* Every statement of the room; the texts stand in store_statements.c. */
enum stmt_id {
    ST_BEGIN_READ,
    ST_BEGIN_WRITE,
    ST_COMMIT,
    ST_ROLLBACK,
    ST_SAVEPOINT,
    ST_RELEASE,
    ST_ROLLBACK_TO,
    ST_LOG_GET,
    ST_LOG_NEXT,
    ST_LOG_SET_FIRST,
    ST_LOG_RESTORE,
    ST_META_GET,
    ST_META_PUT,
    ST_ZONE_BY_NAME,
    ST_ZONE_BY_ID,
    ST_ZONE_EACH,
    ST_ZONE_ASIDE,
    ST_ZONE_RULED,
    ST_ZONE_RENEWED,
    ST_ZONE_INSERT,
    ST_ZONE_UPDATE,
    ST_ZONE_UPDATE_STATE,
    ST_ZONE_SET_SERVED,
    ST_ZONE_SET_STAGED,
    ST_ZONE_SET_LAST_VERSION,
    ST_ZONE_SET_TIP,
    ST_PAGES,
    ST_PAGE_OF,
    ST_PAGE_INSERT,
    ST_PAGE_UPDATE,
    ST_PAGE_DELETE,
    ST_CHANGE_INSERT,
    ST_CHANGE_EACH,
    ST_CHANGE_UNJOURNALED,
    ST_CHANGE_COUNT_UNJOURNALED,
    ST_VERSION_UNJOURNALED_OF,
    ST_CHANGE_REPLACED,
    ST_CHANGES_BACK,
    ST_CHANGES_WAITING,
    ST_CHANGE_WEIGHT,
    ST_CHANGE_OLDEST,
    ST_CHANGE_DELETE,
    ST_VERSION_INSERT,
    ST_VERSION_PUT,
    ST_VERSION_EACH,
    ST_VERSION_GET,
    ST_VERSION_BY_SEQ,
    ST_VERSION_BY_SERIAL,
    ST_VERSION_BY_TIME,
    ST_VERSION_BY_OID,
    ST_VERSION_NEWEST_WAITING,
    ST_VERSION_SERVED_BEFORE,
    ST_VERSION_SET_OID,
    ST_VERSION_SET_LOST,
    ST_VERSION_COUNT_LOST,
    ST_VERSION_BEHIND,
    ST_VERSION_THIN,
    ST_VERSION_THINNED,
    ST_VERSION_KEPT_AFTER,
    ST_VERSION_ALL,
    ST_STAGED_INSERT,
    ST_STAGED_DELETE,
    ST_STAGED_EACH,
    ST_TOUCHED_INSERT,
    ST_TOUCHED_DELETE,
    ST_TOUCHED_EACH,
    ST_TOUCHED_ROWS,
    ST_AUTOPRIMARY_EACH,
    ST_AUTOPRIMARY_INSERT,
    ST_AUTOPRIMARY_LIMITS,
    ST_AUTOPRIMARY_RETIRE,
    ST_AUTOPRIMARY_SWEEP,
    ST_ACT_EACH,
    ST_ACT_INSERT,
    ST_ACT_SWEEP,
    ST_COUNT,
};

extern const char *const statement_texts[ST_COUNT];

struct store {
    sqlite3 *db;
    bool writer;
    int lock_fd; /* -1 in a reader */
    char *path;  /* of the database */

    sqlite3_stmt *stmts[ST_COUNT]; /* prepared when first used */
    unsigned read_depth;           /* store_read_begin calls that have not ended */
    bool writing;                  /* between store_begin and store_commit or store_rollback */
    enum err lost;                 /* why SQLite rolled the running transaction back by itself */
    bool ready;                    /* opened without an error */
    bool broken;                   /* an I/O error was seen: nothing is written any more */
    struct {
        uint64_t dev, ino; /* 0: not seen yet */
    } files[2]; /* of the writer: the database and its log, by the names that they have */
};

/* ---- store_sql.c ---- */

/* Turns the result of the last call on s->db into an error; `what` is the context. Notes a lost
 * transaction and a broken disk. */
enum err sql_error(struct store *s, int rc, struct errinfo *e, const char *what);

/* Runs SQL text without results. */
MUST_USE enum err sql_exec(struct store *s, const char *sql, struct errinfo *e);

/* A statement ready to be bound. The cached one, or, when that is in the middle of a walk (a
 * callback that asks again), a fresh one. Give it back with stmt_end, also after an error. */
MUST_USE enum err stmt_start(sqlite3_stmt **out, struct store *s, enum stmt_id id,
                             struct errinfo *e);
void stmt_end(struct store *s, enum stmt_id id, sqlite3_stmt *st); /* NULL is fine */

/* The next row: OK with *row true, or false at the end. */
MUST_USE enum err stmt_row(struct store *s, sqlite3_stmt *st, bool *row, struct errinfo *e);
/* Runs a statement that gives no rows; *changed (may be NULL) is how many it touched. */
MUST_USE enum err stmt_run(struct store *s, sqlite3_stmt *st, int *changed, struct errinfo *e);
/* start, run, end of a statement without parameters. */
MUST_USE enum err stmt_once(struct store *s, enum stmt_id id, struct errinfo *e);

/* Binding cannot fail but by a wrong index or lack of memory, both of which abort. The octets are
 * lent until stmt_end. */
void bind_i64(sqlite3_stmt *st, int i, int64_t v);
void bind_u64(sqlite3_stmt *st, int i, uint64_t v);
void bind_null(sqlite3_stmt *st, int i);
void bind_serial(sqlite3_stmt *st, int i, bool has, struct serial v); /* NULL unless has */
void bind_blob(sqlite3_stmt *st, int i, const void *p, size_t n);
void bind_name(sqlite3_stmt *st, int i, const uint8_t *name);
void bind_text(sqlite3_stmt *st, int i, const char *text);

/* Columns of a row. A value that does not fit its C type sets *bad. */
uint64_t col_u64(sqlite3_stmt *st, int i);
bool col_is_null(sqlite3_stmt *st, int i);
struct serial col_serial(sqlite3_stmt *st, int i);
bool col_oid(sqlite3_stmt *st, int i, uint8_t oid[STORE_OID_BYTES], bool *bad); /* false: NULL */
void col_name(sqlite3_stmt *st, int i, uint8_t name[NAME_MAX_OCTETS], bool *bad);
void col_text(sqlite3_stmt *st, int i, char *out, size_t cap, bool *bad);

/* The checksum beside each blob: against damage, not against enemies. */
int64_t blob_sum(const void *p, size_t n);
/* Lends the blob in column i; its sum stands in the column before. ERR_CORRUPT. */
MUST_USE enum err col_summed(sqlite3_stmt *st, int i, const uint8_t **data, size_t *len,
                             struct errinfo *e);

/* ---- store_schema.c ---- */

#define SCHEMA_APPLICATION_ID 0x5A4C4442 /* "ZLDB" */

/* One step leads from user_version i to i + 1; its texts run in one transaction. */
struct schema_step {
    const char *const *statements; /* closed by NULL */
};

/* All steps of this build; the schema's number is their count. */
extern const struct schema_step schema_steps[];
unsigned schema_count(void);

/* The number of the database's schema, at most n. ERR_UNSUPPORTED if it is newer than n, or not
 * ours. */
MUST_USE enum err schema_check(struct store *s, unsigned n, unsigned *version, struct errinfo *e);

/* Runs the missing steps, all in one transaction. Errors: as schema_check, ERR_IO. */
MUST_USE enum err schema_migrate(struct store *s, const struct schema_step *steps, unsigned n,
                                 struct errinfo *e);

/* ---- store_tx.c ---- */

/* What every writing function asks first: ERR_DENIED in a reader, ERR_IO once the disk failed, and
 * the old error if SQLite has rolled the transaction back by itself. */
MUST_USE enum err write_check(struct store *s, struct errinfo *e);

/* Puts the whole log into the database and empties its file, if no reader stands in the way for
 * long. Not inside a transaction. */
MUST_USE enum err checkpoint_truncate(struct store *s, struct errinfo *e);

/* ---- Pieces of rows that several files read ---- */

/* store_page.c: what differs between two versions. */
MUST_USE enum err pages_put(struct store *s, int64_t zone_id, const struct zone *old_zone,
                            const struct zone *new_zone, struct errinfo *e);

/* store_version.c: the columns of a version in every statement that reads one, in this order. */
#define VERSION_COLUMNS                                                                            \
    "v.version, v.seq, v.from_serial, v.serial, v.at, v.origin, v.who, v.source, v.key_name, "     \
    "v.transport, v.reason, v.added, v.removed, v.records, v.waiting, v.oid, v.content_oid, "      \
    "v.act, "                                                                                      \
    "v.quarantined, v.lost, v.source_serial, v.thinned"
#define VERSION_COLUMN_COUNT 22
MUST_USE enum err version_read(sqlite3_stmt *st, int first, struct store_version *out,
                               struct errinfo *e);
MUST_USE enum err version_insert(struct store *s, int64_t zone_id, const struct store_version *v,
                                 struct errinfo *e);
/* The same, or in the place of the row that is there. */
MUST_USE enum err version_put_again(struct store *s, int64_t zone_id, const struct store_version *v,
                                    struct errinfo *e);
/* The one row that a statement with the parameters zone and number gives. ERR_NOT_FOUND. */
MUST_USE enum err version_one(struct store *s, enum stmt_id id, int64_t zone_id, uint64_t param,
                              struct store_version *out, struct errinfo *e);

/* store_touched.c: `cs` NULL: any owner may have been touched. */
MUST_USE enum err touched_put(struct store *s, int64_t zone_id, uint64_t version,
                              const struct changeset *cs, struct errinfo *e);

/* store_change.c */
#define CHANGE_COLUMNS                                                                             \
    "c.seq, c.zone_id, z.name, c.kind, c.at, z.serial, c.sum, c.data, " VERSION_COLUMNS
MUST_USE enum err change_read(sqlite3_stmt *st, bool all, struct store_change *out,
                              struct errinfo *e);
MUST_USE enum err change_insert(struct store *s, int64_t zone_id, enum change_kind kind,
                                uint64_t version, struct wall at, const struct changeset *cs,
                                uint64_t seq, struct errinfo *e);
MUST_USE enum err zone_set_served(struct store *s, int64_t zone_id, const struct store_version *v,
                                  struct errinfo *e);
MUST_USE enum err zone_set_last_version(struct store *s, int64_t zone_id, uint64_t version,
                                        struct errinfo *e);
/* The changes of one zone with after < version <= upto that ST_CHANGES_BACK or ST_CHANGES_WAITING
 * give. */
MUST_USE enum err changes_of_zone(struct store *s, enum stmt_id id, int64_t zone_id, uint64_t after,
                                  uint64_t upto, store_change_fn *f, void *ctx, struct errinfo *e);
MUST_USE enum err seq_next(struct store *s, uint64_t *seq, struct errinfo *e);

#endif
