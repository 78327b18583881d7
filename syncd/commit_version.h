/* The row of a version, as its commit tells it. */
#ifndef ZL_SYNCD_COMMIT_VERSION_H
#define ZL_SYNCD_COMMIT_VERSION_H

#include "journal/journal.h"
#include "lib/store/store.h"

/* All but `records`, which no commit says. */
void version_of_commit(struct store_version *v, const struct journal_commit *c);

#endif
