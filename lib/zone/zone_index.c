/* What a new version does to the index. Pages are compared by identity; their `mark` tells on which
 * walk, and in which version, they were met. */
#include "lib/zone/zone_index.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/mem.h"
#include "lib/zone/zone_index_internal.h"

struct zone_gone {
    struct zone_index *index;
    struct index_table *replaced; /* list of tables that were too small */
    struct page **pages;          /* that only the version before had */
    size_t n;
};

/* ---- Views ---- */

static void index_unref(struct zone_index *x)
{
    if (--x->refs > 0)
        return;
    index_table_free(atomic_load(&x->table));
    free(x->free_slots);
    free(x);
}

static void leaf_unref(struct view_leaf *l)
{
    if (--l->refs == 0)
        free(l);
}

void zone_view_free(struct zone_view *v)
{
    if (!v)
        return;
    for (size_t i = 0; i < v->n; i++)
        leaf_unref(v->leaves[i]);
    index_unref(v->index);
    free(v);
}

/* Of the same pages as `before` (NULL: none), with room for all slots there are. */
static struct zone_view *view_new(struct zone_index *x, const struct zone *z,
                                  const struct zone_view *before)
{
    size_t n = x->slots / VIEW_LEAF_PAGES + 1;
    struct zone_view *v = xmalloc(sizeof(*v) + n * sizeof(v->leaves[0]));

    v->index = x;
    v->zone = z;
    x->refs++;
    v->n = n;
    for (size_t i = 0; i < n; i++) {
        if (before && i < before->n) {
            v->leaves[i] = before->leaves[i];
            v->leaves[i]->refs++;
        } else {
            v->leaves[i] = xcalloc(1, sizeof(*v->leaves[i]));
            v->leaves[i]->refs = 1;
        }
    }
    return v;
}

/* In a leaf of the view's own. */
static void view_set(struct zone_view *v, uint32_t slot, const struct page *p)
{
    struct view_leaf **leaf = &v->leaves[slot / VIEW_LEAF_PAGES];

    if ((*leaf)->refs > 1) {
        struct view_leaf *own = xmemdup(*leaf, sizeof(**leaf));

        (*leaf)->refs--;
        own->refs = 1;
        *leaf = own;
    }
    (*leaf)->pages[slot % VIEW_LEAF_PAGES] = p;
}

/* ---- The owners of a page ---- */

/* An owner in a page, or a name above it that the page's owners before it are not below: such a
 * name may own nothing. */
struct owner {
    uint32_t hash;
    bool below;
    uint32_t place;
    const uint8_t *rel; /* of the name */
    size_t rel_len;
};

typedef void owner_fn(struct zone_index *x, struct zone_view *v, const struct page *p,
                      const struct owner *o);

#define OWNERS_AT_ONCE 64

/* Gathered so that their lines are fetched together. */
struct owners {
    struct zone_index *x;
    struct zone_view *view;
    const struct page *page;
    owner_fn *f;
    struct owner list[OWNERS_AT_ONCE];
    size_t n;
};

/* Room for more entries. Readers may be in the table that is replaced. */
static void make_room(struct zone_index *x, uint64_t more)
{
    struct index_table *old = atomic_load(&x->table);
    struct index_table *next = index_table_grown(old, more);

    if (!next)
        return;
    atomic_store_explicit(&x->table, next, memory_order_release);
    old->replaced = x->replaced;
    x->replaced = old;
}

static void owners_flush(struct owners *o)
{
    const struct index_table *t;

    if (o->view)
        make_room(o->x, o->n);
    t = atomic_load_explicit(&o->x->table, memory_order_relaxed);
    for (size_t i = 0; i < o->n; i++)
        __builtin_prefetch(&t->lines[index_home(t, o->list[i].hash)], 1);
    for (size_t i = 0; i < o->n; i++)
        o->f(o->x, o->view, o->page, &o->list[i]);
    o->n = 0;
}

static void owners_note(struct owners *o, uint64_t hash, const struct node *node, size_t at,
                        uint32_t place)
{
    if (o->n == OWNERS_AT_ONCE)
        owners_flush(o);
    o->list[o->n++] = (struct owner){.hash = index_hash_bits(hash),
                                     .below = at > 0,
                                     .place = place,
                                     .rel = node->rel_owner + at,
                                     .rel_len = node->rel_len - at};
}

/* A relative name taken apart. */
struct labels {
    const uint8_t *rel;
    uint8_t at[NAME_MAX_LABELS];
    unsigned n;
};

/* How many, from the end, two names share. */
static unsigned labels_shared(const struct labels *a, const struct labels *b)
{
    unsigned n = 0;

    while (n < a->n && n < b->n) {
        const uint8_t *x = a->rel + a->at[a->n - 1 - n];
        const uint8_t *y = b->rel + b->at[b->n - 1 - n];

        if (memcmp(x, y, *x + 1u) != 0)
            break;
        n++;
    }
    return n;
}

/* `before` is the node before in the page, and becomes this one. */
static void owners_node(struct owners *o, const struct node *node, uint32_t place,
                        struct labels *before)
{
    struct labels own = {.rel = node->rel_owner};
    uint64_t hash = o->x->apex_hash;
    unsigned shared;

    for (size_t i = 0; i < node->rel_len; i += node->rel_owner[i] + 1u)
        own.at[own.n++] = (uint8_t)i;
    shared = labels_shared(before, &own);
    for (unsigned i = own.n; i-- > 0;) {
        hash = name_hash_label(&o->x->key, hash, own.rel + own.at[i]);
        if (i == 0 || own.n - i > shared)
            owners_note(o, hash, node, own.at[i], place);
    }
    *before = own;
}

/* Calls f for all owners of a page but the apex, which is found without an index, and for the names
 * between them and the apex. With a view f may put an entry each. */
static void page_each(struct zone_index *x, struct zone_view *v, const struct page *p, owner_fn *f)
{
    struct owners o = {.x = x, .view = v, .page = p, .f = f};
    struct labels before = {.n = 0};
    struct node node;

    for (uint32_t i = 0; i < p->nodes; i++) {
        page_node(p, i, &node);
        owners_node(&o, &node, page_node_at(p, i), &before);
    }
    owners_flush(&o);
}

static uint64_t entry_of(const struct page *p, const struct owner *o)
{
    return index_entry(o->hash, p->slot, o->below, o->place);
}

/* A name above owners is entered once a version, not once a page. */
static void owner_add(struct zone_index *x, struct zone_view *v, const struct page *p,
                      const struct owner *o)
{
    struct node node;

    if (!o->below || index_look(v, o->hash, o->rel, o->rel_len, &node) == ZONE_HAS_NOTHING)
        index_put(atomic_load_explicit(&x->table, memory_order_relaxed), entry_of(p, o));
}

static void owner_take(struct zone_index *x, struct zone_view *v, const struct page *p,
                       const struct owner *o)
{
    (void)v;
    index_take(atomic_load_explicit(&x->table, memory_order_relaxed), entry_of(p, o));
}

/* ---- A version that follows another ---- */

static uint32_t slot_take(struct zone_index *x)
{
    return x->free_count > 0 ? x->free_slots[--x->free_count] : ++x->slots;
}

static void slot_give(struct zone_index *x, uint32_t slot)
{
    x->free_slots = xgrow(x->free_slots, &x->free_cap, x->free_count + 1, sizeof(x->free_slots[0]));
    x->free_slots[x->free_count++] = slot;
}

/* Pages that one of two versions has and the other has not. */
struct page_list {
    struct page **pages;
    size_t n, cap;
};

static void list_add(struct page_list *l, struct page *p)
{
    l->pages = xgrow(l->pages, &l->cap, l->n + 1, sizeof(l->pages[0]));
    l->pages[l->n++] = p;
}

/* Walks the pages of the chunks with this mark: those with `mark` too get `next`, and the others
 * are listed (may be NULL). */
static void walk(const struct table *t, uint64_t chunks, uint64_t mark, uint64_t next,
                 struct page_list *others)
{
    for (size_t i = 0; i < t->n; i++) {
        const struct chunk *c = t->chunks[i];

        for (uint32_t k = 0; k < c->n && c->mark == chunks; k++) {
            struct page *p = c->entries[k].page;

            if (mark == 0 || p->mark == mark)
                p->mark = next;
            else if (others)
                list_add(others, p);
        }
    }
}

/* Parts of the table of pages that both share are not looked into. */
static void compare(struct page_list *gone, struct page_list *came, struct zone_index *x,
                    const struct table *old, const struct table *new)
{
    uint64_t in_old = ++x->marks, in_new = ++x->marks, in_both = ++x->marks;

    for (size_t i = 0; i < old->n; i++)
        old->chunks[i]->mark = in_old;
    for (size_t i = 0; i < new->n; i++)
        new->chunks[i]->mark = new->chunks[i]->mark == in_old ? in_both : in_new;
    walk(old, in_old, 0, in_old, NULL);
    walk(new, in_new, in_old, in_both, came);
    walk(old, in_old, in_both, in_both, gone);
}

/* A name that was, or was above, an owner in a page that goes may still be above others in `v`. */
static void above_again(struct zone_index *x, struct zone_view *v, const struct page *gone,
                        const struct owner *o)
{
    struct node node;

    (void)gone;
    if (index_look(v, o->hash, o->rel, o->rel_len, &node) != ZONE_HAS_NOTHING ||
        pages_look(v->zone, o->rel, o->rel_len, &node) != ZONE_HAS_BELOW)
        return;
    index_put(atomic_load_explicit(&x->table, memory_order_relaxed),
              index_entry(o->hash, node.page->slot, true,
                          (size_t)(node.rel_owner - 1 - node.page->data)));
}

struct zone_gone *zone_index_follow(struct zone *next, const struct zone *before)
{
    struct zone_view *old = before ? atomic_load(&before->view) : NULL;
    struct page_list gone = {0}, came = {0};
    struct zone_gone *g;
    struct zone_view *v;
    struct zone_index *x;

    if (!old || next == before || atomic_load(&next->view))
        return NULL;
    x = old->index;
    compare(&gone, &came, x, &before->table, &next->table);
    if (came.n > next->table.pages / 2 || x->slots + came.n > INDEX_SLOT_MAX) {
        free(gone.pages);
        free(came.pages);
        return NULL; /* it is cheaper anew */
    }
    g = xcalloc(1, sizeof(*g));
    *g = (struct zone_gone){.index = x, .pages = gone.pages, .n = gone.n};
    x->refs++;
    for (size_t i = 0; i < came.n; i++)
        came.pages[i]->slot = slot_take(x);
    v = view_new(x, next, old);
    for (size_t i = 0; i < gone.n; i++)
        view_set(v, gone.pages[i]->slot, NULL);
    for (size_t i = 0; i < came.n; i++)
        view_set(v, came.pages[i]->slot, came.pages[i]);
    for (size_t i = 0; i < came.n; i++)
        page_each(x, v, came.pages[i], owner_add);
    for (size_t i = 0; i < gone.n; i++)
        page_each(x, v, gone.pages[i], above_again);
    g->replaced = x->replaced;
    x->replaced = NULL;
    free(came.pages);
    atomic_store_explicit(&next->view, v, memory_order_release);
    return g;
}

static void tables_free(struct index_table *list)
{
    while (list) {
        struct index_table *t = list;

        list = t->replaced;
        index_table_free(t);
    }
}

void zone_gone_forget(struct zone_gone *g)
{
    struct zone_index *x;

    if (!g)
        return;
    x = g->index;
    for (size_t i = 0; i < g->n; i++) {
        page_each(x, NULL, g->pages[i], owner_take);
        slot_give(x, g->pages[i]->slot);
    }
    tables_free(g->replaced);
    index_unref(x);
    free(g->pages);
    free(g);
}

/* ---- A version by itself ---- */

/* Entries that an index of the zone has, about: names above owners are few. */
static uint64_t entries_of(const struct table *t)
{
    uint64_t n = 0;

    for (size_t i = 0; i < t->n; i++) {
        for (uint32_t k = 0; k < t->chunks[i]->n; k++)
            n += t->chunks[i]->entries[k].page->nodes;
    }
    return n;
}

void zone_index_make(struct zone *z, const struct name_key *key)
{
    const struct table *t = &z->table;
    struct name_steps apex;
    struct zone_index *x;
    struct zone_view *v;

    if (atomic_load(&z->view) || t->pages <= 1 || t->pages > INDEX_SLOT_MAX)
        return;
    x = xcalloc(1, sizeof(*x));
    x->key = *key;
    name_steps_init(&apex, key, z->apex);
    x->apex_hash = apex.hash[0];
    atomic_init(&x->table, index_table_new(entries_of(t)));
    x->slots = (uint32_t)t->pages;
    v = view_new(x, z, NULL);
    for (size_t i = 0, slot = 1; i < t->n; i++) {
        for (uint32_t k = 0; k < t->chunks[i]->n; k++) {
            struct page *p = t->chunks[i]->entries[k].page;

            p->slot = (uint32_t)slot++;
            view_set(v, p->slot, p);
            page_each(x, v, p, owner_add);
        }
    }
    tables_free(x->replaced); /* nobody has seen them */
    x->replaced = NULL;
    atomic_store_explicit(&z->view, v, memory_order_release);
}

size_t zone_index_bytes(const struct zone *z)
{
    const struct zone_view *v = atomic_load(&z->view);

    if (!v)
        return 0;
    return sizeof(*v->index) + atomic_load(&v->index->table)->n * sizeof(struct index_line) +
           sizeof(*v) + v->n * (sizeof(struct view_leaf) + sizeof(struct view_leaf *));
}
