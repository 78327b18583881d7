#include "lib/zone/zone_look.h"

#include <string.h>

#include "lib/zone/zone_index_internal.h"

static const struct zone_view *view_of(const struct zone *z)
{
    return atomic_load_explicit(&z->view, memory_order_acquire);
}

bool zone_path_init(struct zone_path *p, const struct zone *z, const struct name_steps *steps)
{
    *p = (struct zone_path){.zone = z, .steps = steps};
    if (steps->labels < z->apex_labels)
        return false;
    p->labels = steps->labels - z->apex_labels;
    p->rel_len = steps->at[p->labels];
    return steps->len - p->rel_len == z->apex_len &&
           memcmp(steps->name + p->rel_len, z->apex, z->apex_len) == 0;
}

/* ---- In the pages ---- */

/* The page in which a name is, if it is anywhere. */
static const struct page *page_for(const struct zone *z, const uint8_t *rel, size_t rel_len,
                                   struct table_pos *pos)
{
    *pos = (struct table_pos){.chunk = 0};
    if (z->only)
        return z->only;
    return table_locate(&z->table, rel, rel_len, pos) ? table_page(&z->table, *pos) : NULL;
}

enum zone_has pages_look(const struct zone *z, const uint8_t *rel, size_t rel_len,
                         struct node *node)
{
    struct table_pos pos;
    const struct page *p = page_for(z, rel, rel_len, &pos);
    bool exact = false;
    uint32_t i;

    if (!p)
        return ZONE_HAS_NOTHING;
    i = page_search(p, rel, rel_len, &exact);
    if (exact) {
        page_node(p, i, node);
        return ZONE_HAS_NODE;
    }
    if (i == p->nodes) { /* what is below a name follows it directly */
        table_step(&z->table, &pos);
        p = table_page(&z->table, pos);
        i = 0;
    }
    if (!p)
        return ZONE_HAS_NOTHING;
    page_node(p, i, node);
    return rel_below(node->rel_owner, node->rel_len, rel, rel_len) ? ZONE_HAS_BELOW
                                                                   : ZONE_HAS_NOTHING;
}

/* ---- In the index ---- */

/* An entry whose place is too far into the page: what stands there in order. */
static bool search_node(const struct page *p, const uint8_t *rel, size_t rel_len, struct node *node)
{
    uint32_t i = page_search(p, rel, rel_len, NULL);

    if (i < p->nodes)
        page_node(p, i, node);
    return i < p->nodes;
}

/* What an entry tells of a name in this version. */
static enum zone_has entry_look(const struct zone_view *v, uint64_t entry, const uint8_t *rel,
                                size_t rel_len, struct node *node)
{
    const struct page *p = view_page(v, entry_slot(entry));
    uint32_t place = entry_place(entry);
    struct node there;

    if (!p)
        return ZONE_HAS_NOTHING; /* of another version */
    if (place == INDEX_PLACE_SEARCH) {
        if (!search_node(p, rel, rel_len, &there))
            return ZONE_HAS_NOTHING;
    } else {
        const uint8_t *at = p->data + place;

        there = (struct node){.page = p,
                              .rel_owner = at + 1,
                              .body = at + 3 + at[0],
                              .rrsets = get_u16(at + 1 + at[0]),
                              .rel_len = at[0]};
    }
    if (entry_below(entry))
        return rel_below(there.rel_owner, there.rel_len, rel, rel_len) ? ZONE_HAS_BELOW
                                                                       : ZONE_HAS_NOTHING;
    if (there.rel_len != rel_len || memcmp(there.rel_owner, rel, rel_len) != 0)
        return ZONE_HAS_NOTHING;
    *node = there;
    return ZONE_HAS_NODE;
}

enum zone_has index_look(const struct zone_view *v, uint32_t hash, const uint8_t *rel,
                         size_t rel_len, struct node *node)
{
    const struct index_table *t = atomic_load_explicit(&v->index->table, memory_order_acquire);
    enum zone_has has = ZONE_HAS_NOTHING;
    size_t at = index_home(t, hash);

    for (size_t looked = 0; looked < t->n; looked++, at = index_next(t, at)) {
        const struct index_line *l = &t->lines[at];

        for (unsigned i = 0; i < INDEX_LINE_ENTRIES; i++) {
            uint64_t entry = atomic_load_explicit(&l->entries[i], memory_order_relaxed);
            enum zone_has found;

            if (entry_hash(entry) != hash || entry == 0)
                continue;
            found = entry_look(v, entry, rel, rel_len, node);
            if (found == ZONE_HAS_NODE)
                return ZONE_HAS_NODE;
            if (found == ZONE_HAS_BELOW)
                has = ZONE_HAS_BELOW;
        }
        if (atomic_load_explicit(&l->passed, memory_order_relaxed) == 0)
            break;
    }
    return has;
}

const struct node *zone_apex_node(const struct zone *z)
{
    return z->has_apex ? &z->apex_node : NULL;
}

static enum zone_has look(const struct zone *z, uint64_t hash, const uint8_t *rel, size_t rel_len,
                          struct node *node)
{
    const struct zone_view *v = view_of(z);

    return v ? index_look(v, index_hash_bits(hash), rel, rel_len, node)
             : pages_look(z, rel, rel_len, node);
}

enum zone_has zone_look(const struct zone_path *p, unsigned step, struct node *node)
{
    const struct zone *z = p->zone;
    const struct name_steps *s = p->steps;

    if (step < p->labels)
        return look(z, s->hash[step], s->name + s->at[step], p->rel_len - s->at[step], node);
    if (!z->has_apex)
        return z->table.n > 0 ? ZONE_HAS_BELOW : ZONE_HAS_NOTHING;
    *node = z->apex_node;
    return ZONE_HAS_NODE;
}

enum zone_has zone_look_wildcard(const struct zone_path *p, unsigned step, struct node *node)
{
    const struct zone_view *v = view_of(p->zone);
    const struct name_steps *s = p->steps;
    uint8_t rel[NAME_MAX_OCTETS];
    size_t above = p->rel_len - s->at[step];
    uint64_t hash = 0;

    if (s->len - s->at[step] + 2 > NAME_MAX_OCTETS)
        return ZONE_HAS_NOTHING;
    rel[0] = 1;
    rel[1] = '*';
    memcpy(rel + 2, s->name + s->at[step], above);
    if (v)
        hash = name_hash_label(&v->index->key, s->hash[step], rel);
    return look(p->zone, hash, rel, above + 2, node);
}

/* ---- Ahead of time ---- */

#define LINE 64
#define FETCH_PAGE_LINES 6 /* the directory and some owners of a small zone */
#define FETCH_ZONE_LINES 4

static void fetch(const void *p, unsigned lines)
{
    for (unsigned i = 0; i < lines; i++)
        __builtin_prefetch((const uint8_t *)p + (size_t)LINE * i);
}

void zone_fetch(const struct zone *z)
{
    fetch(z, FETCH_ZONE_LINES);
}

void zone_hint_init(struct zone_hint *h, const struct zone_path *p)
{
    const struct zone_view *v = view_of(p->zone);
    const struct index_table *t;

    h->view = p->labels > 0 ? v : NULL;
    if (!v && p->zone->only)
        fetch(p->zone->only, FETCH_PAGE_LINES);
    if (!h->view)
        return;
    t = atomic_load_explicit(&v->index->table, memory_order_acquire);
    h->hash = index_hash_bits(p->steps->hash[0]);
    h->line = &t->lines[index_home(t, h->hash)];
    __builtin_prefetch(h->line);
}

void zone_hint_next(const struct zone_hint *h)
{
    const struct index_line *l = h->line;

    if (!h->view)
        return;
    for (unsigned i = 0; i < INDEX_LINE_ENTRIES; i++) {
        uint64_t entry = atomic_load_explicit(&l->entries[i], memory_order_relaxed);
        const struct page *p;

        if (entry_hash(entry) != h->hash || !(p = view_page(h->view, entry_slot(entry))))
            continue;
        __builtin_prefetch(p->data + entry_place(entry));
        __builtin_prefetch(p->data + entry_place(entry) + 64);
    }
}
