/* What the parts of the watch share:
 *   watch.c         directories and their files; when what is due; status
 *   watch_events.c  what the system tells of changes
 *   watch_scan.c    a look at all files of a directory
 *   watch_read.c    one file, in a thread of the pool: what it changes
 *   watch_commit.c  batches of files to the pool, and what becomes of them
 */
#ifndef ZL_SYNCD_WATCH_INTERNAL_H
#define ZL_SYNCD_WATCH_INTERNAL_H

#include "lib/dns/namemap.h"
#include "syncd/history.h"
#include "syncd/watch.h"

#define WATCH_BATCH_FILES 64
#define WATCH_BATCH_BYTES (16u << 20) /* of text: a larger file is a batch alone */
#define WATCH_COMMITS 256             /* under way; then no more files are read */
#define WATCH_ODD_MAX 100             /* files told of that are no zones */
#define WATCH_TRIES 10                /* of one whose zone others change at the same moment */

/* What changes when a file does. */
struct watch_stamp {
    uint64_t dev, ino, size;
    int64_t mtime_ns, ctime_ns;
    bool there;
    bool linked; /* it has another name too: link(2) makes files whole. Not compared */
};

enum watch_state {
    FILE_IDLE,
    FILE_PENDING, /* in its directory's queue, until nobody has written it for long enough */
    FILE_READY,   /* in the queue for the pool */
    FILE_BUSY,    /* being read, or committed */
};

struct watch_file {
    struct watch_dir *dir;
    char *name;
    uint8_t *zone;
    struct watch_file *next; /* of the directory */

    enum watch_state state;
    struct watch_file *queue_next, **queue_at; /* FILE_PENDING, FILE_READY */
    struct mono first, due;                    /* FILE_PENDING: since when, until when */
    bool again;                                /* FILE_BUSY: it changed meanwhile */
    bool writing;                              /* somebody has it open, as far as we are told */
    struct mono written;                       /* ... and wrote it last */

    struct watch_stamp seen;  /* by the last scan, or when it was too early to read it */
    struct watch_stamp known; /* what was read last */
    bool found;               /* by the present scan */
    bool gone;                /* there is none, but its zone stays */
    bool includes;            /* it has an $INCLUDE */
    unsigned tries;
    char *error; /* NULL: none */
};

/* A file that is no zone, or whose zone another file is. */
struct watch_odd {
    char *name;
    char *error;
};

struct watch_queue {
    struct watch_file *head, **tail;
};

struct watch_dir {
    struct watch *watch;
    struct watch_dir *next;
    char *path;
    const struct config_directory *config; /* NULL: not configured any more, ends when it can */
    int wd;                                /* of inotify, or -1 */
    struct watch_file *files;
    size_t count, under_way; /* files; those that are busy */
    struct watch_queue pending;

    bool scanning, scan_again;
    struct mono scan_at;
    char *error; /* it cannot be read; NULL: none */
    struct watch_odd odd[WATCH_ODD_MAX];
    size_t odd_count; /* all of them, also those that have no room */
};

struct watch {
    struct watch_ops ops;
    struct config *config;
    struct watch_dir *dirs;
    struct namemap zones; /* name -> watch_file */
    struct watch_queue ready;
    bool batch_running;
    unsigned commits; /* under way */
    bool started;

    int fd; /* inotify, or -1 */
    struct event *readable;
    struct event *timer;

    bool stopped;  /* nothing is done any more, */
    unsigned refs; /* but others still come back to us */
};

static inline struct mono watch_now(const struct watch *w)
{
    return clock_mono(loop_clock(w->ops.loop));
}

/* ---- watch.c ---- */

enum watch_name {
    NAME_IGNORED, /* editors' files, hidden files */
    NAME_OTHER,   /* something that a zone file may include */
    NAME_ZONE,
};
enum watch_name watch_name_kind(const char *name);
/* The zone that a file of this name has, folded; ERR_FORMAT. */
MUST_USE enum err watch_zone_of(uint8_t out[NAME_MAX_OCTETS], const char *name, struct errinfo *e);

/* The file of this zone, a new one if there is none. ERR_EXISTS: another file has the zone. */
MUST_USE enum err watch_file_get(struct watch_file **out, struct watch_dir *d, const char *name,
                                 const uint8_t *zone, struct errinfo *e);
void watch_file_drop(struct watch_file *f); /* not while it is busy */
/* It may have changed: it is read when nobody has touched it for the settle time. */
void watch_file_touch(struct watch_file *f);
/* All files of the directory that include others. */
void watch_touch_includers(struct watch_dir *d);
/* A look at all its files, soon. */
void watch_scan_soon(struct watch_dir *d);
/* Does what is due, and sets the timer. At the end of every way in. */
void watch_settle(struct watch *w);

void watch_queue_put(struct watch_queue *q, struct watch_file *f, enum watch_state state);
void watch_queue_take(struct watch_file *f); /* out of the queue that it is in; FILE_IDLE then */

void watch_ref(struct watch *w);
/* False if the watch is stopped: nothing more may be touched. */
bool watch_unref(struct watch *w);

/* Notes an error (NULL: none) of a file, and logs it if it is new. */
void watch_file_error(struct watch_file *f, const char *error);

/* ---- watch_events.c ---- */

void watch_events_start(struct watch *w);
void watch_events_stop(struct watch *w);
/* Has the system tell of this directory, which it may do already. */
void watch_events_add(struct watch_dir *d);
void watch_events_remove(struct watch_dir *d);

/* ---- watch_scan.c ---- */

void watch_scan(struct watch_dir *d);
void watch_odd_clear(struct watch_dir *d);

/* True if the directory has a file that could be a zone. Any thread. */
bool watch_any_file(const char *path);

/* ---- watch_read.c: any thread ---- */

struct watch_stamp watch_stamp_at(int dir_fd, const char *name, bool *regular);
bool watch_stamp_eq(const struct watch_stamp *a, const struct watch_stamp *b);

enum watch_outcome {
    READ_SAME,      /* nothing is to be done */
    READ_CHANGE,    /* `job` is to be committed */
    READ_ERROR,     /* `error` says why nothing is done; `job`, if there is one, notes it */
    READ_GONE,      /* there is no such file; `job`, if there is one, notes or removes its zone */
    READ_UNSETTLED, /* it is being written */
    READ_LATER,     /* the batch is large enough */
};

struct watch_task {
    struct watch_file *file; /* for the loop thread alone */
    char *name;
    uint8_t zone[NAME_MAX_OCTETS];
    char refused[256]; /* "": not */
    struct watch_stamp expected;

    enum watch_outcome outcome;
    struct errinfo error;
    struct commit_job *job;
    struct watch_stamp stamp;
    bool includes;
};

struct watch_batch {
    struct watch *watch;
    struct watch_dir *dir;
    /* What the pool needs; its own references. */
    struct config *config;
    const struct config_directory *directory;
    struct store_readers *readers;
    struct zone_cache *cache;
    struct wall now;
    struct mono began;
    size_t known; /* files that were there */

    struct watch_task tasks[WATCH_BATCH_FILES];
    size_t n;
};
void watch_read(void *batch); /* in the pool */

/* ---- watch_commit.c ---- */

/* The rows of zones whose files had errors say nothing about them any more. */
void watch_forget_errors(struct watch_dir *d);
/* Has ready files read, if that may be. */
void watch_batch_start(struct watch *w);

#endif
