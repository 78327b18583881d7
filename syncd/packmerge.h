/* The thread that merges the journal's packs (journal_merge_make), so that the journal thread never
 * waits for it: what is made is handed over to that one, which lets the old packs go.
 */
#ifndef ZL_SYNCD_PACKMERGE_H
#define ZL_SYNCD_PACKMERGE_H

#include "journal/journal.h"

struct packmerge;

/* `made` is called in the thread when there is something to take. `path` is the repository, which
 * is there already; `data_dir` is that of the store, which
 * tells what was thinned (NULL: nothing). */
typedef void packmerge_made_fn(void *ctx);
MUST_USE enum err packmerge_start(struct packmerge **out, const char *path, const char *data_dir,
                                  packmerge_made_fn *made, void *ctx, struct errinfo *e);
/* What is being made is given up; NULL is fine. */
void packmerge_stop(struct packmerge *m);

/* Packs have been written: some may be merged, soon. Any thread. */
void packmerge_want(struct packmerge *m);

/* Versions were thinned in the store: packs without them (journal_thin_make), soon. Any thread. */
void packmerge_want_thin(struct packmerge *m);
/* True once after there was nothing (more) that could go. */
bool packmerge_thin_over(struct packmerge *m);

/* What was made, for journal_merge_finish, or NULL. Nothing else is made until the next
 * packmerge_want, before which it must be finished. */
struct journal_merge *packmerge_take(struct packmerge *m);

/* What is being made is given up, and nothing else begun until the release: no pack comes by this
 * thread meanwhile. Waits until it is so. */
void packmerge_hold(struct packmerge *m);
void packmerge_release(struct packmerge *m);

#endif
