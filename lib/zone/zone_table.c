/* The two-level table of pages: a vector of chunks, each counted, each with up to 256 pages. */
#include <stdlib.h>
#include <string.h>

#include "lib/base/mem.h"
#include "lib/zone/zone_internal.h"

#define CHUNK_FILL 192u /* of a chunk that was cut: leaves room for pages that split later */
#define CHUNK_MIN 32u   /* fewer pages join the next chunk if they fit in */

static struct chunk *chunk_new(struct page **pages, size_t n)
{
    struct chunk *c = xmalloc(sizeof(*c) + n * sizeof(c->entries[0]));

    atomic_init(&c->refs, 1);
    c->n = (uint32_t)n;
    c->records = 0;
    c->bytes = 0;
    c->mark = 0;
    memset(c->nsec, 0, sizeof(c->nsec));
    memset(c->nsec3, 0, sizeof(c->nsec3));
    for (size_t i = 0; i < n; i++) {
        size_t rel_len = 0;
        const uint8_t *rel = page_first(pages[i], &rel_len);

        c->entries[i] = (struct chunk_entry){rel_prefix(rel, rel_len), pages[i]};
        c->records += pages[i]->records;
        c->bytes += pages[i]->len;
        c->nsec[i / 64] |= (uint64_t)pages[i]->has_nsec << i % 64;
        c->nsec3[i / 64] |= (uint64_t)pages[i]->has_nsec3 << i % 64;
    }
    return c;
}

static void chunk_unref(struct chunk *c)
{
    if (atomic_fetch_sub_explicit(&c->refs, 1, memory_order_acq_rel) != 1)
        return;
    for (uint32_t i = 0; i < c->n; i++)
        page_unref(c->entries[i].page);
    free(c);
}

void table_done(struct table *t)
{
    for (size_t i = 0; i < t->n; i++)
        chunk_unref(t->chunks[i]);
    free(t->chunks);
    *t = (struct table){0};
}

static bool entry_above(const struct chunk_entry *entry, uint64_t prefix, const uint8_t *rel,
                        size_t rel_len)
{
    const uint8_t *first;
    size_t first_len = 0;

    if (entry->prefix != prefix)
        return entry->prefix > prefix;
    first = page_first(entry->page, &first_len);
    return rel_name_cmp(first, first_len, rel, rel_len) > 0;
}

bool table_locate(const struct table *t, const uint8_t *rel, size_t rel_len, struct table_pos *pos)
{
    uint64_t prefix = rel_prefix(rel, rel_len);
    size_t low = 0;
    size_t high = t->n;
    const struct chunk *c;

    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (entry_above(&t->chunks[mid]->entries[0], prefix, rel, rel_len))
            high = mid;
        else
            low = mid + 1;
    }
    if (low == 0)
        return false;
    pos->chunk = low - 1;
    c = t->chunks[pos->chunk];
    low = 1; /* the first one is known to be in front */
    high = c->n;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (entry_above(&c->entries[mid], prefix, rel, rel_len))
            high = mid;
        else
            low = mid + 1;
    }
    pos->page = (uint32_t)(low - 1);
    return true;
}

static void table_push(struct table *t, struct chunk *c)
{
    t->chunks = xgrow(t->chunks, &t->cap, t->n + 1, sizeof(struct chunk *));
    t->chunks[t->n++] = c;
    t->pages += c->n;
    t->records += c->records;
    t->bytes += c->bytes;
}

/* Makes chunks of the open pages. */
static void maker_close(struct table_maker *m)
{
    size_t parts = m->n <= CHUNK_MAX_PAGES ? 1 : (m->n + CHUNK_FILL - 1) / CHUNK_FILL;

    for (size_t i = 0; i < parts && m->n > 0; i++) {
        size_t from = m->n * i / parts;
        table_push(&m->table, chunk_new(m->open + from, m->n * (i + 1) / parts - from));
    }
    m->n = 0;
}

void table_maker_done(struct table_maker *m)
{
    for (size_t i = 0; i < m->n; i++)
        page_unref(m->open[i]);
    free(m->open);
    table_done(&m->table);
    *m = (struct table_maker){0};
}

void table_add_page(struct table_maker *m, struct page *p)
{
    m->open = xgrow(m->open, &m->cap, m->n + 1, sizeof(struct page *));
    m->open[m->n++] = p;
}

static void maker_open_chunk(struct table_maker *m, const struct chunk *c)
{
    for (uint32_t i = 0; i < c->n; i++)
        table_add_page(m, page_ref(c->entries[i].page));
}

void table_add_chunk(struct table_maker *m, struct chunk *c)
{
    if (m->n > 0 && m->n < CHUNK_MIN && m->n + c->n <= CHUNK_MAX_PAGES) {
        maker_open_chunk(m, c);
        return;
    }
    maker_close(m);
    (void)atomic_fetch_add_explicit(&c->refs, 1, memory_order_relaxed);
    table_push(&m->table, c);
}

struct page *table_pop_page(struct table_maker *m)
{
    struct table *t = &m->table;

    if (m->n == 0 && t->n > 0) {
        struct chunk *c = t->chunks[--t->n];

        t->pages -= c->n;
        t->records -= c->records;
        t->bytes -= c->bytes;
        maker_open_chunk(m, c);
        chunk_unref(c);
    }
    return m->n > 0 ? m->open[--m->n] : NULL;
}

void table_finish(struct table *out, struct table_maker *m)
{
    maker_close(m);
    *out = m->table;
    m->table = (struct table){0};
    table_maker_done(m);
}
