/* The store's version index, made anew from the journal alone: rows of `version`, and of `touched`,
 * which tells what versions changed which owner (zonectl journal reindex).
 *
 * A slice at a time: it reads some versions from the journal, back from the newest, compares what
 * they say with the rows, and holds what has to be written. Rows that should be there come before
 * others go, so the index never knows less than it did; a slice that was lost is found again.
 */
#ifndef ZL_SYNCD_REINDEX_H
#define ZL_SYNCD_REINDEX_H

#include "lib/base/mem.h"
#include "lib/store/store_touched.h"
#include "syncd/history.h"

#define REINDEX_CURSOR_MAX 96
#define REINDEX_WRITES_MAX 2000 /* rows in one transaction */

struct reindex_fix;

struct reindex {
    int64_t zone_id;
    uint64_t versions;         /* that were looked at */
    uint64_t versions_missing; /* rows that were not there */
    uint64_t versions_wrong;   /* ... or said something else */
    uint64_t rows;             /* that the index should have of these versions */
    uint64_t rows_missing, rows_surplus;
    char first[ERR_TEXT_MAX];      /* the first difference, in words; "" if there is none */
    char next[REINDEX_CURSOR_MAX]; /* where the next slice begins; "": this was the last */

    struct reindex_fix *fixes; /* what is to be written */
    size_t fix_count, fix_cap, written;
    struct arena arena;
};

/* The slice that begins at `cursor` ("": the newest version). Cost: what its versions changed, and
 * one look at all rows of the zone. ERR_FORMAT (the cursor), ERR_NOT_FOUND, ERR_CORRUPT. */
MUST_USE enum err reindex_slice(struct reindex *out, struct history *h, const struct store_zone *z,
                                const char *cursor, struct errinfo *e);
void reindex_done(struct reindex *x);

static inline bool reindex_has_writes(const struct reindex *x)
{
    return x->written < x->fix_count;
}
/* Writes the next REINDEX_WRITES_MAX rows, in the writer's transaction. */
MUST_USE enum err reindex_write(struct reindex *x, struct store *s, struct errinfo *e);

#endif
