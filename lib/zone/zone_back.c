/* Backwards over the owners of NSEC or NSEC3. Chunks know by a bit which of their pages have any,
 * so that owners without one, such as the glue and the insecure delegations of an opt-out zone, are
 * passed over by the thousand. */
#include "lib/zone/zone.h"

#include <assert.h>

#include "lib/zone/zone_internal.h"

/* True if every owner is behind the name. */
static bool is_before(const struct zone *z, const uint8_t *name)
{
    return !name_within(name, z->apex) && name_cmp(name, z->apex) < 0;
}

void zone_back_init(struct zone_back *it, const struct zone *z, uint16_t type, const uint8_t *name)
{
    uint8_t rel[NAME_MAX_OCTETS];
    size_t rel_len = 0;
    struct table_pos pos;
    const struct page *p;
    bool exact = false;

    assert(type == RR_NSEC || type == RR_NSEC3);
    *it = (struct zone_back){.zone = z, .type = type};
    if (z->table.n == 0 || (name && is_before(z, name)))
        return;
    if (name && rel_from_name(rel, &rel_len, name, z->apex, z->apex_len)) {
        if (!table_locate(&z->table, rel, rel_len, &pos))
            return;
        p = table_page(&z->table, pos);
        it->node = page_search(p, rel, rel_len, &exact);
        if (exact)
            it->node++;
    } else {
        pos.chunk = z->table.n - 1;
        pos.page = z->table.chunks[pos.chunk]->n - 1;
        it->node = table_page(&z->table, pos)->nodes;
    }
    it->chunk = pos.chunk;
    it->page = pos.page;
}

/* Goes to the end of the nearest page in front that has the type; false if there is none. */
static bool page_before(struct zone_back *it)
{
    const struct table *t = &it->zone->table;
    uint32_t bits = it->page; /* of the present chunk, below this one */

    for (size_t i = it->chunk + 1; i-- > 0; bits = CHUNK_MAX_PAGES) {
        const struct chunk *c = t->chunks[i];
        const uint64_t *has = it->type == RR_NSEC ? c->nsec : c->nsec3;

        for (uint32_t end = bits; end > 0; end = (end - 1) / 64 * 64) {
            uint32_t word = (end - 1) / 64;
            uint64_t set = has[word] << (word * 64 + 64 - end);

            if (set == 0)
                continue;
            it->chunk = i;
            it->page = end - 1 - (uint32_t)__builtin_clzll(set);
            it->node = table_page(t, (struct table_pos){i, it->page})->nodes;
            return true;
        }
    }
    return false;
}

bool zone_back_next(struct zone_back *it, struct node *node)
{
    const struct table *t = &it->zone->table;
    struct rrset s;

    if (t->n == 0)
        return false;
    do {
        const struct page *p = table_page(t, (struct table_pos){it->chunk, it->page});

        while (it->node > 0) {
            page_node(p, --it->node, node);
            if (node_rrset(node, it->type, &s))
                return true;
        }
    } while (page_before(it));
    return false;
}
