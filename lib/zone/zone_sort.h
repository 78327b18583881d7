/* Sorts owners by their canonical keys. Eight octets of the key are compared at a time, as a number
 * beside the item, so that a comparison rarely leaves the array; what is in order already costs one
 * look. */
#ifndef ZL_ZONE_SORT_H
#define ZL_ZONE_SORT_H

#include "lib/base/mem.h"

struct sort_item {
    uint64_t word;      /* the part of the key that is compared now */
    const uint8_t *key; /* from sort_key */
    size_t first;       /* what the item stands for is the caller's affair */
    size_t count;
};

/* Makes the key of a relative name in the arena. */
const uint8_t *sort_key(struct arena *a, const uint8_t *rel, size_t rel_len);

/* Cost: n log n; items with equal keys may change places. */
void sort_by_key(struct sort_item *items, size_t n);

#endif
