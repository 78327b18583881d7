/* A table from names to pointers, for one thread: open addressing, grows, keyed hash. The name is
 * lent by whoever puts it in, and must live as long as it stands here. */
#ifndef ZL_DNS_NAMEMAP_H
#define ZL_DNS_NAMEMAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/clock.h"

struct namemap_slot {
    const uint8_t *name; /* NULL: free */
    void *value;
    uint64_t hash;
};

struct namemap {
    uint8_t key[16];
    struct namemap_slot *slots;
    size_t mask; /* slots - 1, 0 if there are none */
    size_t count;
};

void namemap_init(struct namemap *m, const struct clock *clock);
void namemap_done(struct namemap *m); /* the values are the caller's */

void *namemap_get(const struct namemap *m, const uint8_t *name); /* NULL: not there */
/* The name is not there yet; value isn't NULL. */
void namemap_put(struct namemap *m, const uint8_t *name, void *value);
void namemap_remove(struct namemap *m, const uint8_t *name);

#endif
