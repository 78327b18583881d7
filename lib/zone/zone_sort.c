#include "lib/zone/zone_sort.h"

#include <stdlib.h>
#include <string.h>

#include "lib/zone/zone_internal.h"

#define WORD 8u
#define INSERTION_MAX 12u

/* u16 length, the key, then zeros so that a word can be read wherever the key goes on. */
const uint8_t *sort_key(struct arena *a, const uint8_t *rel, size_t rel_len)
{
    uint8_t key[2 + NAME_KEY_MAX + WORD];
    size_t n = rel_key(key + 2, rel, rel_len);
    uint8_t *kept;

    put_u16(key, (uint16_t)n);
    memset(key + 2 + n, 0, WORD);
    kept = arena_bytes(a, 2 + n + WORD);
    memcpy(kept, key, 2 + n + WORD);
    return kept;
}

/* Zeros behind the end sort a name before those below it, as no label begins with 00 in a key. */
static uint64_t key_word(const uint8_t *key, size_t depth)
{
    const uint8_t *at = key + 2 + depth;

    return depth < get_u16(key) ? (uint64_t)get_u32(at) << 32 | get_u32(at + 4) : 0;
}

static void insertion_sort(struct sort_item *items, size_t n)
{
    for (size_t i = 1; i < n; i++) {
        struct sort_item item = items[i];
        size_t k = i;

        for (; k > 0 && items[k - 1].word > item.word; k--)
            items[k] = items[k - 1];
        items[k] = item;
    }
}

/* By word; `spare` has room for n / 2 items. */
static void merge_sort(struct sort_item *items, struct sort_item *spare, size_t n)
{
    size_t half = n / 2;
    size_t a = 0;
    size_t b = half;
    size_t to = 0;

    if (n <= INSERTION_MAX) {
        insertion_sort(items, n);
        return;
    }
    merge_sort(items, spare, half);
    merge_sort(items + half, spare, n - half);
    if (items[half - 1].word <= items[half].word)
        return;
    memcpy(spare, items, half * sizeof(*items));
    while (a < half && b < n)
        items[to++] = items[b].word < spare[a].word ? items[b++] : spare[a++];
    memcpy(items + to, spare + a, (half - a) * sizeof(*items));
}

/* Sorts items whose keys are equal in front of `depth`. */
static void sort_from(struct sort_item *items, struct sort_item *spare, size_t n, size_t depth)
{
    size_t end;

    for (size_t i = 0; i < n; i++)
        items[i].word = key_word(items[i].key, depth);
    merge_sort(items, spare, n);
    for (size_t i = 0; i < n; i = end) {
        bool more = false;

        for (end = i; end < n && items[end].word == items[i].word; end++)
            more = more || get_u16(items[end].key) > depth + WORD;
        if (more && end - i > 1)
            sort_from(items + i, spare, end - i, depth + WORD);
    }
}

void sort_by_key(struct sort_item *items, size_t n)
{
    struct sort_item *spare = xmalloc((n / 2 + 1) * sizeof(*spare));

    sort_from(items, spare, n, 0);
    free(spare);
}
