/* Reading versions of a zone, wherever they are: in the journal, or only in the change log yet.
 *
 * A struct history holds a reading connection to the store and a reading handle of the journal;
 * it belongs to one pool job at a time.
 */
#ifndef ZL_SYNCD_HISTORY_H
#define ZL_SYNCD_HISTORY_H

#include "journal/journal.h"
#include "lib/store/store_readers.h"
#include "syncd/zone_cache.h"

struct history {
    struct store_readers *readers; /* lent */
    struct store *store;
    struct journal *journal; /* opened at first need */
    char *journal_path;
    struct zone_cache *cache; /* lent; NULL: none */
};

MUST_USE enum err history_open(struct history *h, struct store_readers *readers, struct errinfo *e);
void history_close(struct history *h); /* fine on a zeroed one */
MUST_USE enum err history_journal(struct journal **out, struct history *h, struct errinfo *e);

/* What an operator may write for a version:
 *   current          what is served
 *   waiting          the newest one that waits: the zone is held, or its time has not come
 *   quarantined      the newest one that a guard did not let through
 *   v12              version 12 of this zone
 *   2026052901       the newest version with this serial (digits only)
 *   2026-05-29[T10:00[:00]][Z], or "2h ago" (s, m, h, d, w)   what was served then (UTC)
 *   1a2b3c4          the version with this commit id (7 hex digits or more)
 * ERR_FORMAT, ERR_NOT_FOUND, ERR_CONFLICT (ambiguous); the text says which forms there are. */
MUST_USE enum err history_find(struct store_version *out, struct history *h,
                               const struct store_zone *z, const char *spec, struct wall now,
                               struct errinfo *e);

/* A time as history_find takes it. */
bool history_time(struct wall *out, const char *spec, struct wall now);

/* "2h": a moment so long after `now`. */
bool history_span(struct wall *out, const char *spec, struct wall now);

/* The content of a version. */
MUST_USE enum err history_content(struct zone **out, struct history *h, const struct store_zone *z,
                                  const struct store_version *v, struct errinfo *e);

/* What is served as `row` says: from the cache if it is there, else from the store, and then the
 * cache has it. ERR_CONFLICT if the store is further on. */
MUST_USE enum err history_current(struct zone **out, struct history *h,
                                  const struct store_zone *row, struct errinfo *e);

/* The content of a version, worked back from what is served (`current`, as of `row`): the same
 * pages, but for those that differ. Cost: what differs, as long as the change log or the journal
 * can tell; otherwise as history_content. */
MUST_USE enum err history_back(struct zone **out, struct history *h, const struct store_zone *row,
                               struct zone *current, const struct store_version *v,
                               struct errinfo *e);

/* The version whose content `v` was made from: the served one before it (of a waiting one: or the
 * waiting one). ERR_NOT_FOUND if it was the first. */
MUST_USE enum err history_before(struct store_version *out, struct history *h,
                                 const struct store_zone *z, const struct store_version *v,
                                 struct errinfo *e);

/* What leads from version a to version b; cheap when the journal has both. */
MUST_USE enum err history_diff(struct changeset **out, struct history *h,
                               const struct store_zone *z, const struct store_version *a,
                               const struct store_version *b, struct errinfo *e);
/* The same for one owner's records, of versions that the journal has; `a` without a commit: they
 * are all added. */
MUST_USE enum err history_diff_owner(struct changeset **out, struct history *h,
                                     const struct store_zone *z, const uint8_t *owner,
                                     const struct store_version *a, const struct store_version *b,
                                     struct errinfo *e);

#endif
