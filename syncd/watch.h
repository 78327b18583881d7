/* Directories of zone files: every NAME.zone in one is a zone of our own.
 *
 *   inotify, or a look at everything ─▶ wait until its writer is done ─▶ pool: read, check, compare
 *     at start, reload, interval         (closed or renamed, and nothing    with what is served
 *                                         for the settle time)                   │
 *                                                             commit ◀───────────┘ if it differs
 *
 * What is so, and why:
 *  - Nothing is remembered but which file a zone is read from (in its row). What a file changes is
 *    what it has other than the store, so a stop at any instant loses nothing and repeats nothing.
 *  - A file counts as changed since it was read last if its content is neither what is served nor
 *    that of the newest version that came from it, or if its serial is newer than ours. So what an
 *    operator rolls back stays so until the file changes.
 *  - A file with an error changes nothing; the error stands in the row of its zone, in the log and
 *    in the status, and the file is read again when it changes, and at each look at everything.
 *  - Whose zone it is, is never taken: one that has primaries, or came from an autoprimary or a
 *    catalog, is refused; so is one that UPDATE may change, which has one source of changes. A zone
 *    that an operator imported is his, and so is the directory: the file takes it over.
 *  - Files are opened below their directory, never through a link. Only the pool's threads touch
 *    the file system.
 *  - Of a directory that cannot be read nothing is removed, nor of one in which all files are gone
 *    at once: that is one that is not mounted.
 *
 * Loop thread only.
 */
#ifndef ZL_SYNCD_WATCH_H
#define ZL_SYNCD_WATCH_H

#include "syncd/commit.h"
#include "syncd/loop.h"
#include "syncd/zone_cache.h"

#include "lib/base/config.h"

struct watch;

struct watch_ops {
    void *ctx;
    struct loop *loop;
    struct zone_cache *cache;
    struct store_readers *readers; /* lent */

    void (*commit)(void *ctx, struct commit_job *job); /* as commit_submit */
    /* A zone's section of the configuration; NULL: none. */
    const struct config_zone *(*section)(void *ctx, const uint8_t *zone);
    /* The zone's row as it is known; false: there is none. */
    bool (*row)(void *ctx, const uint8_t *zone, struct store_zone *out);
    /* Says more in *e about a directory that cannot be read. */
    void (*explain)(void *ctx, const char *path, struct errinfo *e);
    /* A change is committed; `row` is as stored now. */
    void (*changed)(void *ctx, const struct store_zone *row);
};

/* *ops is copied; takes a reference. Nothing is read before watch_start. */
struct watch *watch_new(const struct watch_ops *ops, struct config *config);
/* A row of the store, before watch_start and after a reload: one that is read from a file is missed
 * if that is not there. */
void watch_known(struct watch *w, const struct store_zone *row);
/* Looks at all directories. */
void watch_start(struct watch *w);
/* A new configuration, in force once watch_start is called again. */
void watch_reload(struct watch *w, struct config *config);
/* The next look at everything reads all files again, since what holds for them may have changed. */
void watch_again(struct watch *w);
/* What is not committed yet is forgotten. Before the loop. */
void watch_free(struct watch *w);

/* One directory, or one file that has an error. */
struct watch_status {
    const char *path;
    const char *error; /* "" for a directory that is right */
    bool is_directory;
    bool told;    /* of a directory: the system tells us of changes in it */
    size_t zones; /* of a directory: files that are there */
    size_t wrong; /* of those, and of others, how many have an error */
};
/* Each directory, and behind it its first files with errors, 100 of them. Lent. */
typedef void watch_status_fn(void *ctx, const struct watch_status *s);
void watch_each(const struct watch *w, watch_status_fn *f, void *ctx);

#endif
