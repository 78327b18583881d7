/* Thinning: of old versions the content goes, and the room that it took; what says that they were
 * there stays. docs/journal-format.md section 8 has the format and the reasons.
 *
 * The octets of a commit that goes are kept as a blob in the zone's *record*, a line of commits at
 * refs/zoneledger/thinned/<zone>: so its id, its parent and its signature can be checked still. The
 * parents of a record are the record before and the versions that stay, but are cut off from the
 * zone's branch. Where a version that stays names a parent that went, git's file `shallow` says so:
 * stock git then takes it for the first one.
 */
#ifndef ZL_JOURNAL_THIN_H
#define ZL_JOURNAL_THIN_H

#include "journal/sign.h"

struct journal_thin_version {
    uint64_t version;
    struct journal_oid commit;
};

/* Writes the next record of the zone: these `gone` join those that it has, and `kept` are its
 * parents. Durable, and the ref points to it, when it returns. Nothing goes yet. The writer's.
 * ERR_NOT_FOUND, ERR_CORRUPT (one of the commits is not there), else as journal_write. */
MUST_USE enum err journal_thin_record(struct journal *j, const uint8_t *zone,
                                      const struct journal_thin_version *gone, size_t gone_count,
                                      const struct journal_thin_version *kept, size_t kept_count,
                                      struct wall at, struct errinfo *e);

/* Makes packs without what only the thinned versions (`gone`: all of the journal, sorted by id)
 * have. As journal_merge_make, and finished as that; but _finish gives ERR_BUSY, and nothing has
 * gone, if a version written meanwhile uses an object that would go: then make it again. *out is
 * NULL if there is nothing to free. Packs of more than half a gigabyte in sum go one after the
 * other: call again until then. Cost: in proportion to the whole journal. */
MUST_USE enum err journal_thin_make(struct journal_merge **out, struct journal *j,
                                    const struct journal_oid *gone, size_t gone_count,
                                    journal_stop_fn *stop, void *ctx, struct errinfo *e);

/* What a zone's record has. One thread, as the journal. ERR_NOT_FOUND if there is none. */
struct journal_thinned;
MUST_USE enum err journal_thinned_open(struct journal_thinned **out, struct journal *j,
                                       const uint8_t *zone, struct errinfo *e);
void journal_thinned_close(struct journal_thinned *t);
/* What the commit of a thinned version said, whose octets must have its id. ERR_NOT_FOUND,
 * ERR_CORRUPT. */
MUST_USE enum err journal_thinned_get(struct journal_thinned *t, uint64_t version,
                                      struct journal_commit *out, struct errinfo *e);
/* The same for the one below `version` that has this commit id. */
MUST_USE enum err journal_thinned_before(struct journal_thinned *t, uint64_t version,
                                         const struct journal_oid *commit,
                                         struct journal_commit *out, struct errinfo *e);
MUST_USE enum err journal_thinned_signature(struct journal_thinned *t, uint64_t version,
                                            const struct journal_signer *signers, size_t n,
                                            enum journal_signature *out, size_t *which,
                                            struct errinfo *e);

#endif
