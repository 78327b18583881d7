/* What the files of the index share: the table of entries, and what a version sees of it. */
#ifndef ZL_ZONE_INDEX_INTERNAL_H
#define ZL_ZONE_INDEX_INTERNAL_H

#include "lib/zone/zone_index.h"
#include "lib/zone/zone_internal.h"

/* ---- Entries: 28 bits of hash, 22 of slot, one that tells "below", 13 of place; 0 is none ---- */

#define INDEX_HASH_BITS 28
#define INDEX_SLOT_BITS 22
#define INDEX_PLACE_BITS 13
#define INDEX_SLOT_MAX ((UINT32_C(1) << INDEX_SLOT_BITS) - 1) /* slots begin at 1 */
#define INDEX_PLACE_MASK ((UINT32_C(1) << INDEX_PLACE_BITS) - 1)
#define INDEX_PLACE_SEARCH INDEX_PLACE_MASK /* somewhere in the page, too far for 13 bits */

/* `place` is where a node begins in its page. `below`: the node is not of the name itself, which
 * owns nothing, but of one below it. */
static inline uint64_t index_entry(uint32_t hash, uint32_t slot, bool below, size_t place)
{
    return (uint64_t)hash << (64 - INDEX_HASH_BITS) | (uint64_t)slot << (INDEX_PLACE_BITS + 1) |
           (uint64_t)below << INDEX_PLACE_BITS |
           (place < INDEX_PLACE_SEARCH ? place : INDEX_PLACE_SEARCH);
}

static inline uint32_t entry_hash(uint64_t entry)
{
    return (uint32_t)(entry >> (64 - INDEX_HASH_BITS));
}

static inline uint32_t entry_slot(uint64_t entry)
{
    return (uint32_t)(entry >> (INDEX_PLACE_BITS + 1)) & INDEX_SLOT_MAX;
}

static inline bool entry_below(uint64_t entry)
{
    return entry >> INDEX_PLACE_BITS & 1;
}

static inline uint32_t entry_place(uint64_t entry)
{
    return (uint32_t)entry & INDEX_PLACE_MASK;
}

/* ---- The table (index_table.c) ---- */

#define INDEX_LINE_ENTRIES 7

struct index_line {
    _Alignas(64) _Atomic(uint32_t) passed; /* entries that would be here if there were room */
    uint32_t unused;
    _Atomic(uint64_t) entries[INDEX_LINE_ENTRIES];
};

_Static_assert(sizeof(struct index_line) == 64, "a cache line");

struct index_table {
    uint64_t n;    /* lines */
    uint64_t used; /* entries; the writer's */
    struct index_line *lines;
    struct index_table *replaced; /* list of what to free */
};

/* The line where a hash is at home: high bits, so that a larger table needs no hashes anew. */
static inline size_t index_home(const struct index_table *t, uint32_t hash)
{
    return (size_t)((hash * t->n) >> INDEX_HASH_BITS);
}

static inline size_t index_next(const struct index_table *t, size_t line)
{
    return line + 1 < t->n ? line + 1 : 0;
}

struct index_table *index_table_new(uint64_t entries); /* room for so many */
void index_table_free(struct index_table *t);          /* NULL is fine */
/* A copy with room for so many more, and for half as much again; NULL if there is room. */
struct index_table *index_table_grown(const struct index_table *t, uint64_t more);
void index_put(struct index_table *t, uint64_t entry);  /* for which room was made */
void index_take(struct index_table *t, uint64_t entry); /* if it is there */
/* ---- The index ---- */

struct zone_index {
    unsigned refs; /* of views and of zone_gones; the writer's, as all below but the table */
    struct name_key key;
    uint64_t apex_hash;

    _Atomic(struct index_table *) table;
    struct index_table *replaced; /* list of tables that were too small; readers may be in them */

    uint32_t *free_slots;
    size_t free_count;
    size_t free_cap;
    uint32_t slots; /* that were ever given out */
    uint64_t marks; /* that walks have used */
};

#define VIEW_LEAF_PAGES 64u

struct view_leaf {
    unsigned refs;
    const struct page *pages[VIEW_LEAF_PAGES];
};

/* A version's pages by slot. */
struct zone_view {
    struct zone_index *index;
    const struct zone *zone; /* whose it is */
    size_t n;
    struct view_leaf *leaves[];
};

static inline const struct page *view_page(const struct zone_view *v, uint32_t slot)
{
    size_t leaf = slot / VIEW_LEAF_PAGES;

    return leaf < v->n ? v->leaves[leaf]->pages[slot % VIEW_LEAF_PAGES] : NULL;
}

void zone_view_free(struct zone_view *v); /* NULL is fine */

/* Looks a relative name (lower case) up; zone_look says what comes back. */
enum zone_has index_look(const struct zone_view *v, uint32_t hash, const uint8_t *rel,
                         size_t rel_len, struct node *node);

/* What an entry holds of a hash. */
static inline uint32_t index_hash_bits(uint64_t hash)
{
    return (uint32_t)(hash >> (64 - INDEX_HASH_BITS));
}

#endif
