/* What journaler.c (writing) and journaler_heal.c (is there a journal to write to?) share. */
#ifndef ZL_SYNCD_JOURNALER_INTERNAL_H
#define ZL_SYNCD_JOURNALER_INTERNAL_H

#include <pthread.h>

#include "syncd/checkpoint.h"
#include "syncd/journaler.h"
#include "syncd/packmerge.h"

struct journaler {
    struct committer *committer;
    char *path, *node;
    struct journal *journal; /* journal thread, after the start; NULL: it cannot be opened */
    struct store *store;     /* likewise; a reader */
    struct signing *signing; /* lent; NULL: none */
    struct checkpointer *checkpoints;
    struct packmerge *merge;
    struct journal_merge *merged; /* journal thread: its old packs are on their way out */
    struct thinner *thinner;
    pthread_t thread;
    unsigned writes_since_repack;
    bool damaged;       /* something was noticed: repair */
    bool refs_owed;     /* refs could not be set */
    bool has_healed;    /* once at least ... */
    struct mono healed; /* ... then, without being asked */

    /* Guards all below; no other lock is taken while it is held. */
    pthread_mutex_t lock;
    pthread_cond_t there;
    bool awake;
    bool closing;
    struct journaler_repair *asked; /* first in line */
    struct journaler_status status;
};

/* At the start; the thread does not run yet. */
MUST_USE enum err journaler_open(struct journaler *j, struct errinfo *e);
/* So many versions have their commits in the store, but no refs yet. */
void journaler_settling(struct journaler *j, uint64_t n);
/* Sets refs, and notices what is missing. */
MUST_USE enum err journaler_heal_refs(struct journaler *j, struct errinfo *e);
/* Before anything is written: is there a journal, and is it what we left? If not, it is opened
 * anew, or repaired. Journal thread, as all that follows. */
MUST_USE enum err journaler_heal(struct journaler *j, struct errinfo *e);
/* Does the repairs that operators have asked for; at the stop there is no time for that. */
void journaler_answer(struct journaler *j, bool stopping);

#endif
