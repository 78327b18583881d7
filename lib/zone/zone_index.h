/* An index of the owners of a zone by hash, kept by who answers (authd) and by nobody else.
 *
 * One index serves all versions of a zone that are in use at a time: a table of cache lines, each
 * with up to seven entries. An entry is a hash, a page (by its slot, a number that is the page's
 * own while any version has it) and where in the page the owner stands; it counts for a version
 * only if the version's view, an array of pages by slot, has that page. So a new version adds the
 * owners of the pages that came before it is published, and takes those of the pages that went out
 * when no reader is left that could want them; the work is that of a few pages, whatever the size
 * of the zone, and a reader sees its own version, whole, without a lock.
 *
 * Names that own nothing but have names below them are counted in the same table, so that what is
 * not there at all is known at once.
 *
 * Hashes are keyed: who writes a zone cannot choose names that fall on one line.
 * Threads: one writer. Readers are inside a grace period from taking a version to the last use of
 * what it lent.
 */
#ifndef ZL_ZONE_INDEX_H
#define ZL_ZONE_INDEX_H

#include "lib/dns/name_steps.h"
#include "lib/zone/zone.h"

struct zone_gone;

/* Before `next` is published in place of `before` (NULL: none): if `before` has an index and `next`
 * shares most of its pages, `next` takes over the index. Returns what is to be given to
 * zone_gone_forget once no reader has `before`, or NULL. `before` must live until then. */
struct zone_gone *zone_index_follow(struct zone *next, const struct zone *before);

/* Takes out of the index what only `before` had, and frees `g`; NULL is fine. */
void zone_gone_forget(struct zone_gone *g);

/* Gives a version an index of its own, if it has none and is of more than one page. Readers may
 * have the version already: from now on they find quicker. The last zone_unref of a version that
 * has an index is the writer's. */
void zone_index_make(struct zone *z, const struct name_key *key);

/* Octets that the version's index and view take, for those who count memory. */
size_t zone_index_bytes(const struct zone *z);

#endif
