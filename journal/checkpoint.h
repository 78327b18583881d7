/* Checkpoints: one signed commit that vouches for the newest version of every zone, and with it for
 * all before, since a commit names its parent. For nodes that do not want to sign each version.
 *
 * They are a line of their own, refs/zoneledger/checkpoints, which stock git verifies as any other.
 * A checkpoint's tree is the tree of a zone whose apex is the root (docs/journal-format.md section
 * 7): for each zone one record, `example.org. 0 IN TXT "v12" "<commit id>"`. So a checkpoint costs
 * what has changed since the one before, however many zones there are.
 *
 * Nothing in it comes from the clock: the same changes on the same checkpoint make the same commit.
 */
#ifndef ZL_JOURNAL_CHECKPOINT_H
#define ZL_JOURNAL_CHECKPOINT_H

#include "journal/sign.h"

/* The newest served version of a zone. */
struct journal_tip {
    const uint8_t *zone; /* folded; lent */
    uint64_t version;
    struct journal_oid commit;
};

struct journal_checkpoint {
    struct journal_oid commit;
    struct journal_oid parent; /* the checkpoint before, or none */
    struct journal_oid tree;
    uint64_t number; /* 1, 2, ... */
    uint64_t seq;    /* it covers all versions made by changes up to this one */
    struct wall at;  /* when that change was made */
};

/* Writes a checkpoint on top of *parent (NULL: the first), signed with `key`: what it lists is what
 * the parent does, but for these zones, each of them once. No ref moves. Cost: in proportion to n.
 * Errors: as journal_write. */
MUST_USE enum err journal_checkpoint_write(struct journal_checkpoint *out, struct journal *j,
                                           const struct journal_checkpoint *parent,
                                           const struct journal_tip *tips, size_t n, uint64_t seq,
                                           struct wall at, const struct journal_key *key,
                                           struct errinfo *e);

/* Strict: what is not to the octet as we write it is ERR_CORRUPT. ERR_NOT_FOUND. */
MUST_USE enum err journal_checkpoint_get(struct journal_checkpoint *out, struct journal *j,
                                         const struct journal_oid *commit, struct errinfo *e);

/* What a checkpoint lists for this zone; ERR_NOT_FOUND if nothing. Cost: a few objects. */
MUST_USE enum err journal_checkpoint_find(struct journal_tip *out, struct journal *j,
                                          const struct journal_checkpoint *c, const uint8_t *zone,
                                          struct errinfo *e);

/* All that it lists, in no particular order; the tip is lent. */
typedef enum err journal_tip_fn(void *ctx, const struct journal_tip *tip, struct errinfo *e);
MUST_USE enum err journal_checkpoint_each(struct journal *j, const struct journal_checkpoint *c,
                                          journal_tip_fn *f, void *ctx, struct errinfo *e);

/* The branch. Set: whatever was there, as journal_ref_set. */
MUST_USE enum err journal_checkpoint_set(struct journal *j, const struct journal_oid *commit,
                                         struct errinfo *e);
MUST_USE enum err journal_checkpoint_tip(struct journal *j, struct journal_oid *out,
                                         struct errinfo *e);

#endif
