/* The content id of what a zone serves: the same on every node with the same content
 * (docs/journal-format.md). The version's row has it once the journal has the version; until then,
 * or to prove the row, it is computed from the content. Any thread, with a reader of its own.
 */
#ifndef ZL_SYNCD_CONTENT_ID_H
#define ZL_SYNCD_CONTENT_ID_H

#include "journal/journal.h"
#include "lib/store/store.h"

struct content_id {
    struct serial serial;
    uint64_t version;
    struct journal_oid id;
    bool computed; /* just now, from the content */
};

/* Of the served version; `compute`: whatever its row says. Cost: a row, or the whole zone.
 * ERR_NOT_FOUND if the zone is not here, is removed, or has no content yet. */
MUST_USE enum err content_id_get(struct content_id *out, struct store *s, const uint8_t *zone,
                                 bool compute, struct errinfo *e);

/* Of all zones that are served, in no particular order. A zone that goes meanwhile is left out. */
typedef void content_id_fn(void *ctx, const uint8_t *zone, const struct content_id *id);
MUST_USE enum err content_id_each(struct store *s, bool compute, content_id_fn *f, void *ctx,
                                  struct errinfo *e);

#endif
