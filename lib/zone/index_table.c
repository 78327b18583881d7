/* The table of the index: lines of seven entries, an entry that finds its line full goes to the
 * next one that has room, and leaves a count behind in each line that it passed. A search ends at a
 * line that nothing has passed, and entries can be taken out without a trace.
 *
 * Entries do not move while a reader may want them: a table that is full is copied.
 */
#include <stdlib.h>

#include "lib/base/mem.h"
#include "lib/zone/zone_index_internal.h"

#define FILL_NEW 4 /* entries a line, on average, in a new table: one line in twenty is passed */
#define FILL_MAX 5 /* above this it grows */
#define LINES_MIN 4

static struct index_table *table_of(uint64_t lines)
{
    struct index_table *t = xcalloc(1, sizeof(*t));

    t->n = lines < LINES_MIN ? LINES_MIN : lines;
    t->lines = xcalloc_aligned(sizeof(struct index_line), t->n * sizeof(struct index_line));
    return t;
}

struct index_table *index_table_new(uint64_t entries)
{
    return table_of(entries / FILL_NEW + 1);
}

void index_table_free(struct index_table *t)
{
    if (!t)
        return;
    free(t->lines);
    free(t);
}

static uint64_t entry_at(const struct index_line *l, unsigned i)
{
    return atomic_load_explicit(&l->entries[i], memory_order_relaxed);
}

static void entry_set(struct index_line *l, unsigned i, uint64_t entry)
{
    atomic_store_explicit(&l->entries[i], entry, memory_order_relaxed);
}

static void passed_add(struct index_line *l, uint32_t d)
{
    uint32_t passed = atomic_load_explicit(&l->passed, memory_order_relaxed);

    atomic_store_explicit(&l->passed, passed + d, memory_order_relaxed);
}

void index_put(struct index_table *t, uint64_t entry)
{
    size_t at = index_home(t, entry_hash(entry));

    t->used++;
    for (;; at = index_next(t, at)) { /* there always is room: FILL_MAX is less than seven */
        struct index_line *l = &t->lines[at];

        for (unsigned i = 0; i < INDEX_LINE_ENTRIES; i++) {
            if (entry_at(l, i) == 0) {
                entry_set(l, i, entry);
                return;
            }
        }
        passed_add(l, 1);
    }
}

/* Where an entry is; NULL if it isn't. */
static struct index_line *find(const struct index_table *t, uint64_t entry, unsigned *place)
{
    size_t at = index_home(t, entry_hash(entry));

    for (size_t looked = 0; looked < t->n; looked++, at = index_next(t, at)) {
        struct index_line *l = &t->lines[at];

        for (unsigned i = 0; i < INDEX_LINE_ENTRIES; i++) {
            if (entry_at(l, i) == entry) {
                *place = i;
                return l;
            }
        }
        if (atomic_load_explicit(&l->passed, memory_order_relaxed) == 0)
            return NULL;
    }
    return NULL;
}

void index_take(struct index_table *t, uint64_t entry)
{
    unsigned i = 0;
    struct index_line *l = find(t, entry, &i);

    if (!l)
        return;
    entry_set(l, i, 0);
    t->used--;
    for (size_t at = index_home(t, entry_hash(entry)); &t->lines[at] != l; at = index_next(t, at))
        passed_add(&t->lines[at], UINT32_MAX);
}

struct index_table *index_table_grown(const struct index_table *t, uint64_t more)
{
    struct index_table *next;
    uint64_t lines = t->n;

    while (t->used + more > lines * FILL_MAX)
        lines += lines / 2;
    if (lines == t->n)
        return NULL;
    next = table_of(lines);
    for (size_t at = 0; at < t->n; at++) {
        for (unsigned i = 0; i < INDEX_LINE_ENTRIES; i++) {
            uint64_t entry = entry_at(&t->lines[at], i);

            if (entry)
                index_put(next, entry);
        }
    }
    return next;
}
