/* What another repository has, brought beside the journal for a repair:
 * DATA_DIR/journal.repair.git. By `syncd --fetch=REPOSITORY`, which is what `zonectl journal repair
 * --from` runs while the daemon works: it can start no programs, and reads what is there when it is
 * told to.
 */
#ifndef ZL_SYNCD_REPAIR_FETCH_H
#define ZL_SYNCD_REPAIR_FETCH_H

#include "lib/base/config.h"

MUST_USE enum err repair_fetch(const struct config *c, const char *from, struct errinfo *e);
char *repair_fetched(const char *data_dir); /* its path; heap memory */
void repair_fetched_drop(const char *path);

#endif
