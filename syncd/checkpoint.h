/* When checkpoints of the history are made (journal/checkpoint.h), and of what: of the versions in
 * the store that the one before does not cover. So one that a crash prevented is simply made later.
 *
 * The order is that of versions: the objects are durable, then the store knows the newest
 * checkpoint, then the ref, which is derived.
 *
 * The journal thread's, but for checkpoint_rule_set.
 */
#ifndef ZL_SYNCD_CHECKPOINT_H
#define ZL_SYNCD_CHECKPOINT_H

#include "journal/checkpoint.h"
#include "lib/base/config.h"
#include "syncd/commit.h"
#include "syncd/signing.h"

struct checkpointer;

#define CHECKPOINT_META "checkpoint.tip" /* in the store's metadata: a commit id in hex */

/* All lent until checkpointer_free, `j` until checkpointer_journal (NULL: there is none now);
 * `config` only for the call, NULL: without checkpoints. A ref that is not what the store knows is
 * set again. Errors: of the store. */
MUST_USE enum err checkpointer_new(struct checkpointer **out, struct journal *j,
                                   struct store *reader, struct committer *committer,
                                   struct signing *signing, const struct config *config,
                                   struct errinfo *e);
void checkpointer_free(struct checkpointer *c);
/* The journal was opened anew, or is not there (NULL). */
MUST_USE enum err checkpointer_journal(struct checkpointer *c, struct journal *j,
                                       struct errinfo *e);

/* After a reload. Any thread. */
void checkpointer_configure(struct checkpointer *c, const struct config *config);

/* Before a batch is written: with which key its versions are signed, and whether all of them. */
void checkpointer_prepare(struct checkpointer *c);
/* So many versions, the last by change `seq`, are in the journal and the store now. */
void checkpointer_note(struct checkpointer *c, size_t versions, uint64_t seq);
/* Milliseconds until one is due; -1: none is. */
int64_t checkpointer_due_ms(struct checkpointer *c);
/* The number of the newest (0: none), and how many unsigned versions it does not cover: about, and
 * 0 where checkpoints are not made. */
void checkpointer_state(struct checkpointer *c, uint64_t *number, uint64_t *uncovered);
/* Makes one if it is due, or with `now` if there is anything to cover. ERR_IO: do not go on. */
MUST_USE enum err checkpointer_run(struct checkpointer *c, bool now, struct errinfo *e);

#endif
