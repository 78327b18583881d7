/* Reads what a catalog zone says, away from the loop thread: a catalog may be large. */
#ifndef ZL_SYNCD_CATALOG_READ_H
#define ZL_SYNCD_CATALOG_READ_H

#include "lib/store/store_readers.h"
#include "lib/zone/catalog.h"
#include "syncd/loop.h"

struct catalog_report {
    struct catalog *list; /* now the receiver's; NULL: there is none, and why */
    struct errinfo error;
};
typedef void catalog_done_fn(void *ctx, const struct catalog_report *report);

struct catalog_reading;

/* `content` (a reference is taken), or if it is NULL what the store has.
 * `done` is called once, later. Loop thread only. */
struct catalog_reading *catalog_read(struct loop *loop, struct store_readers *readers,
                                     const struct store_zone *row, struct zone *content,
                                     catalog_done_fn *done, void *ctx);
/* `done` is not called any more. */
void catalog_read_cancel(struct catalog_reading *c);

#endif
