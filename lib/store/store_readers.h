/* Readers of one store that are kept open between uses: opening one parses the schema and prepares
 * statements anew, which costs more than what a small zone's transfer asks of it.
 * Threads: any; each reader belongs to who has taken it.
 */
#ifndef ZL_STORE_STORE_READERS_H
#define ZL_STORE_STORE_READERS_H

#include "lib/store/store.h"

struct store_readers;

/* Of the store in `dir` (copied); opens nothing yet. */
struct store_readers *store_readers_new(const char *dir);
void store_readers_free(struct store_readers *r); /* all have been given back; NULL is fine */

const char *store_readers_dir(const struct store_readers *r);

/* Errors as store_open_reader. */
MUST_USE enum err store_readers_take(struct store_readers *r, struct store **out,
                                     struct errinfo *e);
/* Gives it back, with no read begun. `rc` is what came of its use: after an error it is closed.
 * NULL is fine. */
void store_readers_give(struct store_readers *r, struct store *s, enum err rc);

#endif
