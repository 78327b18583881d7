/* What syncd reads that operators write: the configuration file, the files that it names, and so
 * what must be reachable from inside the cage.
 *
 * Threads: the main thread's.
 */
#ifndef ZL_SYNCD_SETTINGS_H
#define ZL_SYNCD_SETTINGS_H

#include "lib/base/cage.h"
#include "lib/base/config.h"
#include "syncd/keyring.h"

/* Reads and checks all of it. `cage`: as it is by now; an error says so if it is the cage that is
 * in the way. The references are the caller's. */
MUST_USE enum err settings_load(struct config **config, struct keyring **keys, const char *path,
                                const struct cage *cage, struct errinfo *e);

/* Closes the cage around this process. It may open its own directories, what a reload reads again,
 * directories of zone files, and the names of users, for the history; files that operators import
 * come through the control socket. `text`: what there is of it, for `zonectl status`. */
MUST_USE enum err settings_cage(struct cage *cage, char *text, size_t size, const struct config *c,
                                struct errinfo *e);

#endif
