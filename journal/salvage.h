/* What can still be read of a damaged pack. Nothing of it is trusted: not its index, not its
 * lengths; an object counts if its octets have its id. Nothing is mapped, so that a file which gets
 * shorter meanwhile is an error and no signal.
 */
#ifndef ZL_JOURNAL_SALVAGE_H
#define ZL_JOURNAL_SALVAGE_H

#include "journal/journal_internal.h"
#include "journal/oidmap.h"

/* f gets each good object (lent), and each id that the index names and that cannot be had (`data`
 * NULL). Without a usable index the pack is read from its start to its first damage. */
typedef enum err salvage_fn(void *ctx, const struct journal_oid *oid, enum obj_type type,
                            const void *data, size_t len, struct errinfo *e);
/* `stem`: path of the pack and its index, without their endings. ERR_NOT_FOUND, ERR_IO, and those
 * of f. */
MUST_USE enum err pack_salvage(const char *stem, salvage_fn *f, void *ctx, struct errinfo *e);

#endif
