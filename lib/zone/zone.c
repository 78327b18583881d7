#include "lib/zone/zone.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/mem.h"
#include "lib/zone/zone_index_internal.h"

struct zone *zone_ref(struct zone *z)
{
    (void)atomic_fetch_add_explicit(&z->refs, 1, memory_order_relaxed);
    return z;
}

void zone_unref(struct zone *z)
{
    if (!z || atomic_fetch_sub_explicit(&z->refs, 1, memory_order_acq_rel) != 1)
        return;
    zone_view_free(atomic_load(&z->view));
    table_done(&z->table);
    free(z);
}

const uint8_t *zone_apex(const struct zone *z)
{
    return z->apex;
}

size_t zone_apex_len(const struct zone *z)
{
    return z->apex_len;
}

struct serial zone_serial(const struct zone *z)
{
    return z->serial;
}

uint64_t zone_records(const struct zone *z)
{
    return z->table.records;
}

uint64_t zone_bytes(const struct zone *z)
{
    return z->table.bytes;
}

size_t zone_page_count(const struct zone *z)
{
    return z->table.pages;
}

bool zone_soa(const struct zone *z, struct rr *out, struct soa *fields)
{
    struct rrset s;

    if (!z->has_apex || !node_rrset(&z->apex_node, RR_SOA, &s))
        return false;
    *out = (struct rr){.owner = z->apex,
                       .rdata = s.rdatas + 2,
                       .rdata_len = get_u16(s.rdatas),
                       .ttl = s.ttl,
                       .type = RR_SOA,
                       .rclass = CLASS_IN};
    return soa_parse(fields, out->rdata, out->rdata_len);
}

const struct rrset *zone_negative_soa(const struct zone *z, uint32_t *ttl)
{
    *ttl = z->negative_ttl_s;
    return z->has_soa ? &z->soa : NULL;
}

/* What is asked of a version all the time. */
static void look_at_apex(struct zone *z)
{
    struct rr rr;
    struct soa soa;

    z->has_apex = pages_look(z, z->apex, 0, &z->apex_node) == ZONE_HAS_NODE;
    z->has_soa = zone_soa(z, &rr, &soa) && node_rrset(&z->apex_node, RR_SOA, &z->soa);
    if (!z->has_soa)
        return;
    z->serial = soa.serial;
    z->negative_ttl_s = rr.ttl < soa.minimum_s ? rr.ttl : soa.minimum_s;
}

enum err zone_from_table(struct zone **out, const uint8_t *apex, struct table *t,
                         const struct zone_limits *limits, struct errinfo *e)
{
    struct zone *z;
    uint64_t records = t->records;
    uint64_t bytes = t->bytes;

    if (limits && ((limits->max_records && records > limits->max_records) ||
                   (limits->max_bytes && bytes > limits->max_bytes))) {
        table_done(t);
        return err_set(
            ERR_LIMIT, e,
            "the zone has %llu records in %llu octets; at most %llu in %llu are accepted",
            (unsigned long long)records, (unsigned long long)bytes,
            (unsigned long long)limits->max_records, (unsigned long long)limits->max_bytes);
    }
    z = xcalloc(1, sizeof(*z) + name_len(apex));
    atomic_init(&z->refs, 1);
    z->apex_len = (uint8_t)name_fold(z->apex, apex);
    z->apex_labels = (uint8_t)name_labels(apex);
    z->table = *t;
    *t = (struct table){0};
    if (z->table.pages == 1)
        z->only = z->table.chunks[0]->entries[0].page;
    look_at_apex(z);
    *out = z;
    return OK;
}

/* ---- Search ---- */

/* How a name stands to the zone. */
enum place { PLACE_BEFORE, PLACE_WITHIN, PLACE_BEHIND };

static enum place place_of(const struct zone *z, const uint8_t *name, uint8_t rel[NAME_MAX_OCTETS],
                           size_t *rel_len)
{
    if (rel_from_name(rel, rel_len, name, z->apex, z->apex_len))
        return PLACE_WITHIN;
    return name_cmp(name, z->apex) < 0 ? PLACE_BEFORE : PLACE_BEHIND;
}

bool zone_find(const struct zone *z, const uint8_t *owner, struct node *node)
{
    static const struct name_key no_key = {.factor = 1};
    const struct zone_view *v = atomic_load_explicit(&z->view, memory_order_acquire);
    struct name_steps steps;
    struct zone_path p;

    name_steps_init(&steps, v ? &v->index->key : &no_key, owner);
    return zone_path_init(&p, z, &steps) && zone_look(&p, 0, node) == ZONE_HAS_NODE;
}

bool zone_find_le(const struct zone *z, const uint8_t *name, struct node *node, bool *exact)
{
    uint8_t rel[NAME_MAX_OCTETS];
    size_t rel_len = 0;
    enum place place = place_of(z, name, rel, &rel_len);
    const struct page *p;
    struct table_pos pos;
    uint32_t i;

    *exact = false;
    if (place == PLACE_BEFORE || z->table.n == 0)
        return false;
    if (place == PLACE_BEHIND) {
        pos.chunk = z->table.n - 1;
        pos.page = z->table.chunks[pos.chunk]->n - 1;
        p = table_page(&z->table, pos);
        page_node(p, p->nodes - 1, node);
        return true;
    }
    if (!table_locate(&z->table, rel, rel_len, &pos))
        return false;
    p = table_page(&z->table, pos);
    i = page_search(p, rel, rel_len, exact);
    page_node(p, *exact ? i : i - 1, node); /* the page's first node is not behind the name */
    return true;
}

void zone_iter_init(struct zone_iter *it, const struct zone *z)
{
    *it = (struct zone_iter){.zone = z};
}

void zone_iter_seek(struct zone_iter *it, const struct zone *z, const uint8_t *name)
{
    uint8_t rel[NAME_MAX_OCTETS];
    size_t rel_len = 0;
    enum place place = place_of(z, name, rel, &rel_len);
    struct table_pos pos;
    const struct page *p;

    zone_iter_init(it, z);
    if (place == PLACE_BEHIND)
        it->chunk = z->table.n;
    if (place != PLACE_WITHIN || !table_locate(&z->table, rel, rel_len, &pos))
        return;
    p = table_page(&z->table, pos);
    it->node = page_search(p, rel, rel_len, NULL);
    if (it->node == p->nodes) {
        table_step(&z->table, &pos);
        it->node = 0;
    }
    it->chunk = pos.chunk;
    it->page = pos.page;
}

bool zone_next(struct zone_iter *it, struct node *node)
{
    const struct table *t = &it->zone->table;
    struct table_pos pos = {.chunk = it->chunk, .page = it->page};
    const struct page *p = table_page(t, pos);

    if (!p)
        return false;
    page_node(p, it->node, node);
    if (++it->node == p->nodes) {
        table_step(t, &pos);
        it->chunk = pos.chunk;
        it->page = pos.page;
        it->node = 0;
    }
    return true;
}

bool zone_has_below(const struct zone *z, const uint8_t *name)
{
    uint8_t rel[NAME_MAX_OCTETS];
    size_t rel_len = 0;
    struct zone_iter it;
    struct node node;

    if (!rel_from_name(rel, &rel_len, name, z->apex, z->apex_len))
        return z->table.n > 0 && name_within(z->apex, name);
    zone_iter_seek(&it, z, name);
    /* What is below a name follows it directly. */
    if (!zone_next(&it, &node))
        return false;
    if (node.rel_len == rel_len && memcmp(node.rel_owner, rel, rel_len) == 0 &&
        !zone_next(&it, &node))
        return false;
    return rel_below(node.rel_owner, node.rel_len, rel, rel_len);
}

/* ---- Record by record ---- */

void zone_rr_iter_init(struct zone_rr_iter *it, const struct zone *z)
{
    zone_iter_init(&it->nodes, z);
    it->in_node = false;
    it->in_rrset = false;
}

/* Enters the next RRset, of this node or of one that follows. */
static bool rr_iter_rrset(struct zone_rr_iter *it)
{
    if (!it->in_node || it->next_rrset >= it->node.rrsets) {
        it->in_node = zone_next(&it->nodes, &it->node);
        it->next_rrset = 0;
        if (!it->in_node)
            return false;
        (void)node_owner(it->owner, &it->node, it->nodes.zone->apex);
        node_rrset_at(&it->node, 0, &it->rrset);
    } else {
        /* RRsets lie one behind the other: no need to walk from the node's first one again. */
        struct node rest = it->node;
        rest.body = it->rrset.rdatas + it->rrset.rdatas_len;
        node_rrset_at(&rest, 0, &it->rrset);
    }
    it->next_rrset++;
    rrset_iter_init(&it->rdatas, &it->rrset);
    return true;
}

bool zone_rr_next(struct zone_rr_iter *it, struct rr *rr)
{
    while (!it->in_rrset || !rrset_next(&it->rdatas, &rr->rdata, &rr->rdata_len)) {
        it->in_rrset = rr_iter_rrset(it);
        if (!it->in_rrset)
            return false;
    }
    rr->owner = it->owner;
    rr->ttl = it->rrset.ttl;
    rr->type = it->rrset.type;
    rr->rclass = CLASS_IN;
    return true;
}

/* ---- From the store ---- */

enum err zone_from_pages(struct zone **out, const uint8_t *apex, struct page **pages, size_t n,
                         struct errinfo *e)
{
    struct table_maker maker = {0};
    struct table table;
    bool ordered = true;
    size_t at = 0;

    for (size_t i = 0; i < n; i++) {
        if (i > 0 && ordered) {
            struct node last;
            size_t first_len = 0;
            const uint8_t *first = page_first(pages[i], &first_len);

            page_node(pages[i - 1], pages[i - 1]->nodes - 1, &last);
            ordered = rel_name_cmp(last.rel_owner, last.rel_len, first, first_len) < 0;
            at = i;
        }
    }
    for (size_t i = 0; i < n; i++)
        table_add_page(&maker, pages[i]);
    if (!ordered) {
        table_maker_done(&maker);
        return err_set(ERR_CORRUPT, e, "page %zu of %zu does not follow the one before", at + 1, n);
    }
    table_finish(&table, &maker);
    return zone_from_table(out, apex, &table, NULL, e);
}
