/* Rows of the index of which version touched which owner, one by one: for who makes it anew from
 * the journal (syncd/reindex.c). store_touched_each asks it.
 */
#ifndef ZL_STORE_STORE_TOUCHED_H
#define ZL_STORE_STORE_TOUCHED_H

#include "lib/store/store.h"

/* One row. `kind` is the type of the records; of an RRSIG 46 * 65536 and the type that it covers;
 * 0: any. An empty owner (the root name's octet does not stand there): any. */
struct touched_row {
    const uint8_t *owner;
    size_t owner_len; /* 0: any owner */
    uint64_t version;
    uint32_t kind;
};

/* The rows of a version with this change (NULL: what it changed is not known), in no particular
 * order; the same row may come twice. */
typedef enum err touched_row_fn(void *ctx, const struct touched_row *row, struct errinfo *e);
MUST_USE enum err store_touched_of(const struct changeset *cs, uint64_t version, touched_row_fn *f,
                                   void *ctx, struct errinfo *e);

/* The zone's rows of these versions, by owner (as octets), version and kind. `known`: there is such
 * a version. Cost: all rows of the zone. */
typedef enum err touched_rows_fn(void *ctx, const struct touched_row *row, bool known,
                                 struct errinfo *e);
MUST_USE enum err store_touched_rows(struct store *s, int64_t zone_id, uint64_t from, uint64_t to,
                                     touched_rows_fn *f, void *ctx, struct errinfo *e);

/* Writer only, in a transaction. What is there, or not there, already is fine. */
MUST_USE enum err store_touched_put(struct store *s, int64_t zone_id, const struct touched_row *row,
                                    struct errinfo *e);
MUST_USE enum err store_touched_delete(struct store *s, int64_t zone_id,
                                       const struct touched_row *row, struct errinfo *e);

#endif
