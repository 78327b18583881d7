/* Autoprimaries that operators added: rows of the store, as sections of the configuration.
 *
 * All rows of one nameserver and account make one section, behind those of the file: their
 * addresses are the primaries of its zones. A row that is retired is such a primary too, but may
 * not bring zones. A row whose key is not in the configuration is not in force at all, since
 * without its key anybody could speak for it.
 */
#ifndef ZL_SYNCD_AUTOPRIMARY_ROWS_H
#define ZL_SYNCD_AUTOPRIMARY_ROWS_H

#include "lib/base/config.h"
#include "lib/store/store.h"

/* `base` with the sections of the store's rows; a reference to `base` itself if there are none.
 * Reads the store in data_dir, so syncd's writer must be open. Says in the log what is not in
 * force. */
MUST_USE enum err autoprimary_rows_config(struct config **out, struct config *base,
                                          const char *data_dir, struct errinfo *e);

/* Pure: the same for these rows, in the order of store_autoprimary_each. */
MUST_USE enum err autoprimary_rows_extend(struct config **out, struct config *base,
                                          const struct store_autoprimary *rows, size_t n,
                                          struct errinfo *e);

/* The key of this name (compared as names are), an index into config.keys, or -1. */
int autoprimary_rows_key(const struct config *c, const char *name);

#endif
