/* Is the journal whole, and what can be made of it if not.
 *
 * A version is a commit with all that hangs off it. What the store knows of a version (its row, its
 * change set, the content that is served) is enough to make the same objects again, with the same
 * ids; what it does not know any more can be copied from another repository. What is neither stays
 * missing: the history then has a *cut*, a commit whose parent is not here, which git is told by
 * the file `shallow`, as in a shallow clone. So no id ever changes, remotes go on as before, and a
 * lost version can come back any time later.
 */
#ifndef ZL_JOURNAL_REPAIR_H
#define ZL_JOURNAL_REPAIR_H

#include "journal/journal.h"
#include "journal/sign.h"

/* ---- Checking (check.c) ---- */

/* What was found whole already, and which objects are damaged. For one handle at a time. */
struct journal_check;
struct journal_check *journal_check_new(struct journal *j);
void journal_check_free(struct journal_check *c);

/* Reads all packs, each as a whole: `f` hears of each one that is damaged, with its first damaged
 * object. From then on what only damaged places have counts as missing. Cost: the whole journal,
 * once. ERR_IO. */
typedef void journal_fault_fn(void *ctx, const char *text);
MUST_USE enum err journal_check_packs(struct journal_check *c, journal_fault_fn *f, void *ctx,
                                      struct errinfo *e);

/* OK if the commit, its tree and all that hangs off it are there. ERR_NOT_FOUND, ERR_CORRUPT: the
 * text names the first object that is not. What was seen before is not looked at again, so that all
 * versions of a zone cost what differs. */
MUST_USE enum err journal_check_commit(struct journal_check *c, const struct journal_oid *commit,
                                       struct errinfo *e);

/* ---- Repairing (repair.c): the writer's handle, its thread ---- */

struct journal_salvage {
    uint64_t packs; /* damaged ones, that were put aside */
    uint64_t saved; /* objects of theirs that are good, and were in no other pack */
    uint64_t lost;  /* objects of theirs that cannot be read, and are in no other pack */
};

/* True if packs were put aside whose good objects were not saved yet. */
bool journal_salvage_wanted(struct journal *j);

/* Puts damaged packs aside (to objects/pack/bad/, never deleted) and writes their good objects
 * anew; packs without a good index get one. After journal_check_packs of this `c`. Nobody else may
 * be merging packs. */
MUST_USE enum err journal_salvage(struct journal_check *c, struct journal_salvage *out,
                                  struct errinfo *e);

/* Objects that are made again, many versions to a pack. */
struct journal_again;
/* dry_run: nothing is written, all that would be is kept in memory. `keys`: those that may have
 * signed, lent. */
struct journal_again *journal_again_new(struct journal_check *c, bool dry_run,
                                        const struct journal_key *key);
void journal_again_free(struct journal_again *a);
/* Makes a pack of what there is, if it is much; or in any case, if `all`. */
MUST_USE enum err journal_again_flush(struct journal_again *a, bool all, struct errinfo *e);

/* A version whose commit must have this id: entry->parent is its parent's, present or not;
 * entry->commit and content_id are what the store has recorded. The content is what hangs off
 * content_id, if that is whole; or is made of `changes` on the parent's content; or of `content`.
 * ERR_NOT_FOUND if there is none of these; ERR_CONFLICT if something else comes of it. */
MUST_USE enum err journal_again_make(struct journal_again *a, const struct journal_entry *entry,
                                     struct errinfo *e);
/* The same from another journal, by ids; each object is checked. ERR_NOT_FOUND. */
MUST_USE enum err journal_again_copy(struct journal_again *a, struct journal *from,
                                     const struct journal_oid *commit, struct errinfo *e);

/* ---- Cuts (cuts.c) ---- */

/* Works out anew which of these commits have no parent here, beside those that are known already
 * and still are right, and tells git. *n: how many there are. */
MUST_USE enum err journal_cuts_set(struct journal *j, const struct journal_oid *commits,
                                   size_t count, size_t *n, struct errinfo *e);
/* True if history goes on before this commit, but not here. */
bool journal_is_cut(struct journal *j, const struct journal_oid *commit);

/* The newest version before a stretch that is lost has a ref of its own, or nothing would name it:
 * refs/zoneledger/before-loss/<zone>/v<version>. */
MUST_USE enum err journal_before_loss_set(struct journal *j, const uint8_t *zone, uint64_t version,
                                          const struct journal_oid *commit, struct errinfo *e);
/* That ref goes, if it is there: what follows it is here again. */
MUST_USE enum err journal_before_loss_drop(struct journal *j, const uint8_t *zone, uint64_t version,
                                           struct errinfo *e);
/* The newest such commit of a zone below this number. ERR_NOT_FOUND. */
MUST_USE enum err journal_before_loss_get(struct journal *j, const uint8_t *zone, uint64_t below,
                                          struct journal_oid *out, struct errinfo *e);

#endif
