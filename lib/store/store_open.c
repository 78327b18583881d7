/* Opening and closing: the lock file, the settings of a connection, the schema. */
#include "lib/store/store_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/file.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"

/* A -wal file that one large change has blown up is cut to this when it is used from the start. */
#define WAL_KEEP_BYTES "67108864"

static struct store *store_new(const char *dir, bool writer)
{
    struct store *s = xcalloc(1, sizeof(*s));

    s->writer = writer;
    s->lock_fd = -1;
    s->path = xasprintf("%s/zoneledger.db", dir);
    return s;
}

/* Makes the directory if it is missing, with the set-group-ID bit, so that what SQLite makes
 * inside belongs to the group of the readers. */
static enum err dir_make(const char *dir, struct errinfo *e)
{
    if (mkdir(dir, 0750) != 0)
        return errno == EEXIST ? OK : err_sys(errno, e, "%s: cannot make the directory", dir);
    if (chmod(dir, 02750) != 0)
        return err_sys(errno, e, "%s: cannot set the mode of the directory", dir);
    return OK;
}

static enum err lock_refused(int fd, const char *path, struct errinfo *e)
{
    char text[32] = "";
    ssize_t n = pread(fd, text, sizeof(text) - 1, 0);
    long pid = n > 0 ? strtol(text, NULL, 10) : 0;

    if (pid > 0)
        return err_set(ERR_BUSY, e, "%s: the process %ld has the store open for writing", path,
                       pid);
    return err_set(ERR_BUSY, e, "%s: another process has the store open for writing", path);
}

/* An open file description lock: unlike POSIX locks it holds against a second opening in this
 * process, and does not vanish when someone here closes the same file. The kernel drops it however
 * the process ends; the file stays. */
static enum err lock_take(struct store *s, const char *dir, struct errinfo *e)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    char *path = xasprintf("%s/lock", dir);
    char pid[32];
    enum err rc = OK;
    int n;

    s->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640);
    if (s->lock_fd < 0) {
        rc = err_sys(errno, e, "%s: cannot open the lock file", path);
    } else if (fcntl(s->lock_fd, F_OFD_SETLK, &lock) != 0) {
        rc = errno == EAGAIN || errno == EACCES ? lock_refused(s->lock_fd, path, e)
                                                : err_sys(errno, e, "%s: cannot lock", path);
    } else {
        n = snprintf(pid, sizeof(pid), "%ld\n", (long)getpid());
        if (ftruncate(s->lock_fd, 0) != 0 || pwrite(s->lock_fd, pid, (size_t)n, 0) != n)
            rc = err_sys(errno, e, "%s: cannot write the lock file", path);
    }
    free(path);
    return rc;
}

/* A new database file gets its mode before SQLite sees it: -wal and -shm then take it over,
 * whatever the umask is. An existing one must not be touched here: closing a descriptor of it would
 * drop the locks of every other connection in this process. */
static enum err db_make(struct store *s, struct errinfo *e)
{
    int fd = open(s->path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0640);

    if (fd < 0)
        return errno == EEXIST ? OK : err_sys(errno, e, "%s: cannot make the database", s->path);
    if (fchmod(fd, 0640) != 0) {
        int why = errno;
        (void)close(fd);
        return err_sys(why, e, "%s: cannot set the mode", s->path);
    }
    (void)close(fd);
    return OK;
}

/* The name as a URI, since readonly_shm cannot be said otherwise: each octet that could mean
 * something there is escaped. */
static char *db_uri(const char *path, const char *parameters)
{
    struct buf uri = BUF_INIT;
    char *text;

    buf_str(&uri, "file:");
    for (const char *p = path; *p; p++) {
        if (strchr("?#%", *p) || (unsigned char)*p <= ' ' || (unsigned char)*p >= 0x7f)
            buf_printf(&uri, "%%%02X", (unsigned char)*p);
        else
            buf_u8(&uri, (uint8_t)*p);
    }
    buf_printf(&uri, "?%s", parameters);
    text = xstrdup(buf_cstr(&uri));
    buf_free(&uri);
    return text;
}

static enum err db_open(struct store *s, struct errinfo *e)
{
    /* Readers never write the -shm file either, also where its mode would let them: a broken
     * reader must not be able to mislead the writer. */
    char *uri = db_uri(s->path, s->writer ? "mode=rw" : "mode=ro&readonly_shm=1");
    int flags = (s->writer ? SQLITE_OPEN_READWRITE : SQLITE_OPEN_READONLY) | SQLITE_OPEN_URI |
                SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE;
    int rc = sqlite3_open_v2(uri, &s->db, flags, NULL);

    free(uri);
    if (!s->db)
        return err_set(ERR_IO, e, "%s: no memory", s->path);
    (void)sqlite3_extended_result_codes(s->db, 1);
    return rc == SQLITE_OK ? OK : sql_error(s, rc, e, s->path);
}

static enum err config_set(struct store *s, int option, int on, struct errinfo *e)
{
    int now = -1;

    if (sqlite3_db_config(s->db, option, on, &now) != SQLITE_OK || now != on)
        return err_set(ERR_UNSUPPORTED, e, "%s: SQLite %s refuses the setting %d", s->path,
                       sqlite3_libversion(), option);
    return OK;
}

/* Whatever is read is in the system's cache of files too, and a connection forgets its own whenever
 * another one has written: a large one would only be memory, once for each thread that reads. */
#define CACHE_KIB "-4096"

/* What every connection has. No checkpoint ever starts by itself: not after a commit, not when the
 * connection closes. The -wal and -shm files therefore stay, which readers need. */
static enum err settings_common(struct store *s, struct errinfo *e)
{
    enum err rc;

    (void)sqlite3_busy_timeout(s->db, STORE_BUSY_TIMEOUT_MS);
    if ((rc = config_set(s, SQLITE_DBCONFIG_DEFENSIVE, 1, e)) ||
        (rc = config_set(s, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, e)) ||
        (rc = config_set(s, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, e)) ||
        (rc = config_set(s, SQLITE_DBCONFIG_ENABLE_VIEW, 0, e)) ||
        (rc = config_set(s, SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 0, e)) ||
        (rc = config_set(s, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, e)))
        return rc;
    return sql_exec(s,
                    "PRAGMA wal_autocheckpoint = 0;"
                    "PRAGMA mmap_size = 0;"
                    "PRAGMA cell_size_check = ON;"
                    "PRAGMA foreign_keys = ON;"
                    "PRAGMA temp_store = MEMORY;"
                    "PRAGMA cache_size = " CACHE_KIB,
                    e);
}

/* A setting that SQLite may answer with another value than was asked for. The answer comes before
 * the work is done (journal_mode ends with a commit that may fail), so the statement runs to its
 * end. */
static enum err pragma_expect(struct store *s, const char *sql, const char *want, struct errinfo *e)
{
    sqlite3_stmt *st = NULL;
    char got[128] = "no answer";
    int rc = sqlite3_prepare_v2(s->db, sql, -1, &st, NULL);
    enum err err = OK;

    while (rc == SQLITE_OK || rc == SQLITE_ROW) {
        rc = sqlite3_step(st);
        if (rc == SQLITE_ROW)
            (void)snprintf(got, sizeof(got), "%s", (const char *)sqlite3_column_text(st, 0));
    }
    if (rc != SQLITE_DONE)
        err = sql_error(s, rc, e, s->path);
    else if (strcmp(got, want) != 0)
        err = err_set(ERR_CORRUPT, e, "%s: %s: %s", s->path, sql, got);
    (void)sqlite3_finalize(st);
    return err;
}

static enum err settings_writer(struct store *s, struct errinfo *e)
{
    unsigned version = 0;
    char size[64];
    enum err rc;

    (void)snprintf(size, sizeof(size), "PRAGMA page_size = %d", STORE_DB_PAGE_BYTES);
    /* A database that is not ours to change stays as it is. */
    if ((rc = schema_check(s, schema_count(), &version, e)))
        return rc;
    /* The size only counts in an empty file, before it goes into WAL mode. */
    if ((rc = sql_exec(s, size, e)) ||
        (rc = pragma_expect(s, "PRAGMA journal_mode = WAL", "wal", e)) ||
        (rc = sql_exec(s, "PRAGMA synchronous = FULL", e)))
        return rc;
    return sql_exec(s, "PRAGMA journal_size_limit = " WAL_KEEP_BYTES, e);
}

/* The WAL-reset bug of SQLite: fixed in 3.51.3, and in 3.50.7 and 3.44.6. One connection that
 * writes and checkpoints is safe from it; the log says what this machine has. */
static bool sqlite_has_wal_reset_bug(void)
{
    int v = sqlite3_libversion_number();

    return v < 3044006 || (v >= 3045000 && v < 3050007) || (v >= 3051000 && v < 3051003);
}

enum err store_open_writer(struct store **out, const char *dir, struct errinfo *e)
{
    struct store *s = store_new(dir, true);
    enum err rc;

    if ((rc = dir_make(dir, e)) || (rc = lock_take(s, dir, e)) || (rc = db_make(s, e)) ||
        (rc = db_open(s, e)) || (rc = settings_common(s, e)) || (rc = settings_writer(s, e)) ||
        (rc = pragma_expect(s, "PRAGMA quick_check(1)", "ok", e)) ||
        (rc = schema_migrate(s, schema_steps, schema_count(), e)) || (rc = dir_sync(dir, e)))
        goto out;
    s->ready = true;
    log_info(say("the store is open"), kv_str("path", s->path),
             kv_str("sqlite", sqlite3_libversion()),
             kv_bool("wal_reset_bug", sqlite_has_wal_reset_bug()));
    *out = s;
    s = NULL;
out:
    store_close(s);
    return rc;
}

/* A reader cannot make the -wal and -shm files and cannot migrate; all that is the writer's, which
 * has to come first. */
static enum err reader_ready(struct store *s, struct errinfo *e)
{
    unsigned version = 0;
    enum err rc;

    if ((rc = schema_check(s, schema_count(), &version, e)))
        return rc;
    if (version < schema_count())
        return err_set(ERR_NOT_FOUND, e,
                       "%s has schema %u, this program needs %u: syncd has to start first", s->path,
                       version, schema_count());
    return OK;
}

/* True if the error means that the writer has not been here yet. */
static bool reader_too_early(struct store *s)
{
    int rc = s->db ? sqlite3_extended_errcode(s->db) : SQLITE_OK;

    return (rc & 0xff) == SQLITE_CANTOPEN || rc == SQLITE_READONLY_DIRECTORY;
}

enum err store_open_reader(struct store **out, const char *dir, struct errinfo *e)
{
    struct store *s = store_new(dir, false);
    enum err rc;

    if ((rc = db_open(s, e)) || (rc = settings_common(s, e)) || (rc = reader_ready(s, e))) {
        if (reader_too_early(s) && access(s->path, R_OK) != 0 && errno == EACCES)
            rc = err_set(ERR_DENIED, e, "%s: not readable for this user", s->path);
        else if (reader_too_early(s))
            rc = err_set(ERR_NOT_FOUND, e, "%s: there is no store yet: syncd has to start first",
                         s->path);
        goto out;
    }
    *out = s;
    s = NULL;
out:
    store_close(s);
    return rc;
}

void store_close(struct store *s)
{
    struct errinfo e = {""};

    if (!s)
        return;
    if (s->db && s->writer) {
        store_rollback(s);
        /* For a quick start next time; all that is committed is safe in the -wal file anyway. */
        if (s->ready && !s->broken && checkpoint_truncate(s, &e))
            log_warning(say("the last checkpoint was not made"), kv_err(&e));
    }
    for (int i = 0; i < ST_COUNT; i++)
        (void)sqlite3_finalize(s->stmts[i]);
    (void)sqlite3_close(s->db);
    if (s->lock_fd >= 0)
        (void)close(s->lock_fd);
    free(s->path);
    free(s);
}
