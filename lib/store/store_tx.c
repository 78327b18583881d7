/* Transactions: read snapshots, group commit with parts that can fail alone, checkpoints. */
#include <assert.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "lib/base/mem.h"
#include "lib/store/store_internal.h"

#define WAL_LARGE_BYTES (64 * 1024 * 1024)
#define TRUNCATE_WAIT_MS 100

enum err store_read_begin(struct store *s, struct errinfo *e)
{
    uint64_t last, first;
    enum err rc;

    if (s->writing || s->read_depth > 0) {
        s->read_depth++;
        return OK;
    }
    if ((rc = stmt_once(s, ST_BEGIN_READ, e)))
        return rc;
    s->read_depth = 1;
    /* BEGIN alone takes no snapshot, the first read does. */
    if ((rc = store_seq(s, &last, &first, e)))
        store_read_end(s);
    return rc;
}

void store_read_end(struct store *s)
{
    assert(s->read_depth > 0);
    if (--s->read_depth == 0 && !s->writing && !sqlite3_get_autocommit(s->db)) {
        enum err rc = stmt_once(s, ST_ROLLBACK, NULL); /* nothing was written */
        (void)rc;
    }
}

enum err write_check(struct store *s, struct errinfo *e)
{
    if (!s->writer)
        return err_set(ERR_DENIED, e, "the store is open for reading only");
    if (s->broken)
        return err_set(ERR_IO, e,
                       "the store had an I/O error: nothing is written before a restart");
    if (s->lost)
        return err_set(s->lost, e, "the transaction has failed before (%s)", err_name(s->lost));
    assert(s->writing);
    return OK;
}

/* What was removed, or replaced by another file (a copy put back by hand), is not what we have
 * open: whatever is written now, nobody would ever read. */
static enum err files_are_ours(struct store *s, struct errinfo *e)
{
    static const char *const ends[] = {"", "-wal"};

    for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
        char *path = xasprintf("%s%s", s->path, ends[i]);
        struct stat st;
        bool there = stat(path, &st) == 0;
        bool known = s->files[i].ino != 0;

        if (there && !known) {
            s->files[i].dev = st.st_dev;
            s->files[i].ino = st.st_ino;
        } else if (known &&
                   (!there || s->files[i].dev != st.st_dev || s->files[i].ino != st.st_ino)) {
            s->broken = true;
            (void)err_set(ERR_IO, e, "%s was removed or replaced while it was in use", path);
        }
        free(path);
    }
    return s->broken ? ERR_IO : OK;
}

enum err store_begin(struct store *s, struct errinfo *e)
{
    enum err rc;

    assert(!s->writing && s->read_depth == 0);
    s->lost = OK;
    s->writing = true;
    if (!(rc = write_check(s, e)) && !(rc = files_are_ours(s, e)))
        rc = stmt_once(s, ST_BEGIN_WRITE, e);
    if (rc) {
        s->writing = false;
        s->lost = OK;
    }
    return rc;
}

enum err store_commit(struct store *s, struct errinfo *e)
{
    enum err rc;

    if (!(rc = write_check(s, e))) {
        FAULT("store:before_commit");
        rc = stmt_once(s, ST_COMMIT, e);
    }
    if (rc) {
        store_rollback(s);
        return rc;
    }
    s->writing = false;
    FAULT("store:after_commit");
    return OK;
}

void store_rollback(struct store *s)
{
    if (!s->writing)
        return;
    if (!sqlite3_get_autocommit(s->db)) {
        /* If even this fails, closing the connection drops the transaction. */
        enum err rc = stmt_once(s, ST_ROLLBACK, NULL);
        (void)rc;
    }
    s->writing = false;
    s->lost = OK;
}

enum err store_part_begin(struct store *s, struct errinfo *e)
{
    enum err rc = write_check(s, e);

    return rc ? rc : stmt_once(s, ST_SAVEPOINT, e);
}

enum err store_part_end(struct store *s, bool keep, struct errinfo *e)
{
    enum err rc = write_check(s, e);

    if (!rc && !keep)
        rc = stmt_once(s, ST_ROLLBACK_TO, e);
    return rc ? rc : stmt_once(s, ST_RELEASE, e);
}

/* SQLITE_BUSY only says that a reader stood in the way: the rest is done next time. */
static enum err checkpoint(struct store *s, int mode, int *frames, struct errinfo *e)
{
    int done = 0;
    int rc;

    FAULT("store:before_checkpoint");
    rc = sqlite3_wal_checkpoint_v2(s->db, NULL, mode, frames, &done);
    if (rc != SQLITE_OK && rc != SQLITE_BUSY)
        return sql_error(s, rc, e, "store: checkpoint");
    FAULT("store:after_checkpoint");
    return OK;
}

enum err checkpoint_truncate(struct store *s, struct errinfo *e)
{
    int frames = 0;
    enum err rc;

    (void)sqlite3_busy_timeout(s->db, TRUNCATE_WAIT_MS);
    rc = checkpoint(s, SQLITE_CHECKPOINT_TRUNCATE, &frames, e);
    (void)sqlite3_busy_timeout(s->db, STORE_BUSY_TIMEOUT_MS);
    return rc;
}

enum err store_checkpoint(struct store *s, struct errinfo *e)
{
    int frames = 0;
    enum err rc;

    if (!s->writer)
        return err_set(ERR_DENIED, e, "a reader makes no checkpoints");
    if (s->broken)
        return err_set(ERR_IO, e, "the store had an I/O error: no checkpoint before a restart");
    assert(!s->writing && s->read_depth == 0);
    if ((rc = checkpoint(s, SQLITE_CHECKPOINT_PASSIVE, &frames, e)))
        return rc;
    /* The log starts over by itself once all of it is in the database and nobody reads it. It grows
     * large only when readers overlap all the time: then wait a moment for one instant without. */
    if ((int64_t)frames * STORE_DB_PAGE_BYTES > WAL_LARGE_BYTES)
        rc = checkpoint_truncate(s, e);
    return rc;
}
