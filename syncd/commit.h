/* The one way a zone changes, whoever asks: transfer, import, rollback, release, later UPDATE,
 * API, catalog. A job describes what is wanted; the writer thread, sole owner of the store's
 * writing connection, does all waiting jobs in one transaction (group commit), then hints authd and
 * wakes the journal; the job's `done` then runs in the loop thread.
 *
 * An ERR_IO in the writer ends the process (never retry after a failed fsync): the next start
 * finds the truth in the store.
 */
#ifndef ZL_SYNCD_COMMIT_H
#define ZL_SYNCD_COMMIT_H

#include "lib/store/store.h"
#include "lib/zone/changeset.h"
#include "syncd/loop.h"

struct committer;
struct commit_job;

enum commit_kind {
    COMMIT_CHANGE,     /* new served content: old_zone -> new_zone by changes */
    COMMIT_WAITING,    /* new content fetched while the zone is held */
    COMMIT_QUARANTINE, /* new content that a guard did not let through */
    COMMIT_STATE,      /* replication state of the row only: cheap, authd isn't told */
    COMMIT_SERVED,     /* zone row with something authd must see (expired, held, removed, new) */
    COMMIT_MARK,  /* the zone is taken away, or brought back, with the content it has: a version */
    COMMIT_WRITE, /* no zone: `write` does it */
};

/* What becomes of versions that wait for their time (stage-time). */
enum commit_stage {
    COMMIT_STAGE_AS_IT_IS,
    COMMIT_STAGE_PUT, /* with COMMIT_WAITING: the version waits for its time, since staged_since */
    COMMIT_STAGE_REJECT, /* with COMMIT_SERVED: none of them is served */
};

/* Runs in the loop thread, once. job->row holds the row as it is stored now; on an error it is as
 * it was. The job is freed behind it. */
typedef void commit_done_fn(void *ctx, struct commit_job *job);

typedef enum err commit_write_fn(void *ctx, struct store *s, struct errinfo *e);

struct commit_job {
    enum commit_kind kind;
    struct store_zone row;     /* in: the row as the caller knows it, with what it wants changed */
    struct store_zone base;    /* the row as commit_job_new got it; what it is compared with */
    bool owns_state;           /* replication state in `row` is newer than what is stored */
    struct zone *old_zone;     /* owned; NULL for a first version */
    struct zone *new_zone;     /* owned */
    struct changeset *changes; /* owned */
    struct origin origin;
    enum commit_stage stage;
    struct mono staged_since;
    commit_write_fn *write; /* of COMMIT_WRITE: called in the writer's thread, in a transaction */
    void *write_ctx;
    struct store_act *act; /* owned; NULL: no operator's. Written down with what the job does */

    commit_done_fn *done;
    void *ctx;

    enum err rc; /* out */
    struct errinfo error;
    uint64_t seq;

    struct commit_job *next;
};

/* `row` as it was read, before the caller changes anything about it in job->row: unless the stored
 * row still has that version, and is held, expired, removed or not as that one, the job ends in
 * ERR_CONFLICT (not so for COMMIT_STATE). So of two who change a zone at the same moment, one
 * learns of it and begins anew. */
struct commit_job *commit_job_new(enum commit_kind kind, const struct store_zone *row);
void commit_job_free(struct commit_job *job);

/* Copies the replication state (primary_serial to last_primary), nothing else. */
void commit_copy_state(struct store_zone *to, const struct store_zone *from);

/* Opens the store for writing in `data_dir` and starts the writer thread. `hint` is called in the
 * loop thread after each transaction with its last seq and its jobs (linked by next, lent), before
 * their `done`. Errors: as store_open_writer. */
typedef void commit_hint_fn(void *ctx, uint64_t seq, const struct commit_job *jobs);
MUST_USE enum err committer_start(struct committer **out, struct loop *loop, const char *data_dir,
                                  const struct clock *clock, uint64_t change_log_bytes,
                                  commit_hint_fn *hint, void *ctx, struct errinfo *e);
/* Finishes what is queued, then closes the store. */
void committer_stop(struct committer *c);

/* Queues a job; takes it over. Any thread; jobs of one zone are done in order of submission. */
void commit_submit(struct committer *c, struct commit_job *job);

/* For the journal thread: stores ids of journaled changes and waits until they are durable. */
struct commit_journaled {
    uint64_t seq;
    uint8_t oid[STORE_OID_BYTES];
    uint8_t content_oid[STORE_OID_BYTES];
};
MUST_USE enum err commit_journaled(struct committer *c, const struct commit_journaled *list,
                                   size_t n, struct errinfo *e);
/* For the journal thread, too: a value of the store's metadata, durable when it returns. */
MUST_USE enum err commit_meta(struct committer *c, const char *key, const char *value,
                              struct errinfo *e);

/* Likewise: `write` in a transaction, which is durable when this returns. */
MUST_USE enum err commit_write_now(struct committer *c, commit_write_fn *write, void *ctx,
                                   struct errinfo *e);

#endif
