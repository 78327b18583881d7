/* Making a store anew from the journal: rows as they were, with the numbers that they had. All in
 * one transaction of the writer's, into a store that has no zones.
 */
#ifndef ZL_STORE_STORE_RESTORE_H
#define ZL_STORE_STORE_RESTORE_H

#include "lib/store/store.h"

/* ERR_EXISTS if there is a zone. */
MUST_USE enum err store_restore_check(struct store *s, struct errinfo *e);

/* A version with its commit; the zone's row is there (store_zone_put). */
MUST_USE enum err store_restore_version(struct store *s, int64_t zone_id,
                                        const struct store_version *v, struct errinfo *e);
/* In the place of the row that is there, if there is one; its rows of the index are not written. */
MUST_USE enum err store_restore_version_again(struct store *s, int64_t zone_id,
                                              const struct store_version *v, struct errinfo *e);
/* The change set of a version that waits: what leads to it from the one before. */
MUST_USE enum err store_restore_waiting(struct store *s, int64_t zone_id,
                                        const struct store_version *v, const struct changeset *cs,
                                        struct errinfo *e);
/* The served content, and `newest`, the version with the highest number. */
MUST_USE enum err store_restore_content(struct store *s, int64_t zone_id,
                                        const struct zone *content,
                                        const struct store_version *served,
                                        const struct store_version *newest, struct errinfo *e);
/* The counter of changes: the next one is last_seq + 1, and the log before it is not there. */
MUST_USE enum err store_restore_log(struct store *s, uint64_t last_seq, struct errinfo *e);

#endif
