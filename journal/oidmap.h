/* Object ids with a number each: what was looked at, where an object is in a pack. Open addressing;
 * ids are hashes already.
 */
#ifndef ZL_JOURNAL_OIDMAP_H
#define ZL_JOURNAL_OIDMAP_H

#include "journal/journal.h"

struct oidmap {
    struct oidmap_slot *slots;
    size_t cap, n;
};

void oidmap_done(struct oidmap *m); /* fine on a zeroed one, which is empty */
/* `value` is not 0. Replaces. */
void oidmap_put(struct oidmap *m, const struct journal_oid *oid, uint64_t value);
uint64_t oidmap_get(const struct oidmap *m, const struct journal_oid *oid); /* 0: is not in it */
/* Puts into `out` what is in `m` and not in `less`. */
void oidmap_subtract(struct oidmap *out, const struct oidmap *m, const struct oidmap *less);

#endif
