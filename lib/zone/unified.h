/* What changed in a zone, as git shows it: hunks with three lines of context, of the text that
 * zone_to_text makes of both versions. `git apply` and `patch` read it.
 */
#ifndef ZL_ZONE_UNIFIED_H
#define ZL_ZONE_UNIFIED_H

#include "lib/zone/changeset.h"

/* Appends what `cs` makes of `from` to out; nothing if that is nothing. `file` is the name that
 * both versions get in it ("a/FILE", "b/FILE"). cs must fit `from`, as zone_apply wants it; what
 * does not is left out. Cost: `from` is read through once, text is made of what is near a change.
 */
void zone_unified(struct buf *out, const char *file, const struct zone *from,
                  const struct changeset *cs);

#endif
