/* What differs between two versions. Both tables are walked side by side; whenever both walks stand
 * at the start of the same chunk, or of the same page, it is skipped. Pages that were cut elsewhere
 * are merged owner by owner until the walks meet at a common border again. */
#include <string.h>

#include "lib/zone/changeset_internal.h"
#include "lib/zone/zone_internal.h"

/* A walk over the nodes of a version. */
struct walk {
    const struct table *t;
    struct table_pos pos;
    const struct page *page; /* NULL at the end */
    uint32_t node;
};

static const struct table no_table;

static struct walk walk_of(const struct zone *z)
{
    struct walk w = {.t = z ? &z->table : &no_table};

    w.page = table_page(w.t, w.pos);
    return w;
}

static void walk_page(struct walk *w)
{
    table_step(w->t, &w->pos);
    w->page = table_page(w->t, w->pos);
    w->node = 0;
}

static void walk_chunk(struct walk *w)
{
    w->pos = (struct table_pos){.chunk = w->pos.chunk + 1};
    w->page = table_page(w->t, w->pos);
    w->node = 0;
}

static void walk_node(struct walk *w)
{
    if (++w->node == w->page->nodes)
        walk_page(w);
}

static bool page_same(const struct page *a, const struct page *b)
{
    return a == b || (a->len == b->len && memcmp(a->data, b->data, a->len) == 0);
}

/* Skips a chunk that both share; only where both stand at its start. */
static bool walk_shared_chunk(struct walk *a, struct walk *b)
{
    if (!a->page || !b->page || a->node || b->node || a->pos.page || b->pos.page ||
        a->t->chunks[a->pos.chunk] != b->t->chunks[b->pos.chunk])
        return false;
    walk_chunk(a);
    walk_chunk(b);
    return true;
}

static bool walk_shared_page(struct walk *a, struct walk *b)
{
    if (!a->page || !b->page || a->node || b->node || !page_same(a->page, b->page))
        return false;
    walk_page(a);
    walk_page(b);
    return true;
}

/* ---- Records ---- */

struct diff {
    struct changeset *cs;
    uint8_t owner[NAME_MAX_OCTETS];
};

static struct rr diff_rr(const struct diff *d, const struct rrset *s, const uint8_t *rdata,
                         uint16_t len)
{
    return (struct rr){.owner = d->owner,
                       .rdata = rdata,
                       .rdata_len = len,
                       .ttl = s->ttl,
                       .type = s->type,
                       .rclass = CLASS_IN};
}

static void diff_whole_rrset(struct diff *d, struct rr_list *list, const struct rrset *s)
{
    struct rrset_iter it;
    const uint8_t *rdata;
    uint16_t len;

    rrset_iter_init(&it, s);
    while (rrset_next(&it, &rdata, &len)) {
        struct rr rr = diff_rr(d, s, rdata, len);
        rr_list_copy(d->cs, list, &rr);
    }
}

/* Two RRsets of the same owner and type. */
static void diff_rrset(struct diff *d, const struct rrset *a, const struct rrset *b)
{
    struct rrset_iter ia;
    struct rrset_iter ib;
    struct rr ra = diff_rr(d, a, NULL, 0);
    struct rr rb = diff_rr(d, b, NULL, 0);
    bool has_a;
    bool has_b;

    rrset_iter_init(&ia, a);
    rrset_iter_init(&ib, b);
    has_a = rrset_next(&ia, &ra.rdata, &ra.rdata_len);
    has_b = rrset_next(&ib, &rb.rdata, &rb.rdata_len);
    while (has_a || has_b) {
        int order =
            !has_a ? 1
                   : (!has_b ? -1
                             : rdata_cmp(a->type, ra.rdata, ra.rdata_len, rb.rdata, rb.rdata_len));
        bool same = order == 0 && rr_same_octets(&ra, &rb);

        if (order <= 0) {
            if (!same)
                rr_list_copy(d->cs, &d->cs->removed, &ra);
            has_a = rrset_next(&ia, &ra.rdata, &ra.rdata_len);
        }
        if (order >= 0) {
            if (!same)
                rr_list_copy(d->cs, &d->cs->added, &rb);
            has_b = rrset_next(&ib, &rb.rdata, &rb.rdata_len);
        }
    }
}

/* Takes the next RRset from a node; false if it has none. */
static bool node_take(struct node *n, struct rrset *s)
{
    if (n->rrsets == 0)
        return false;
    node_rrset_at(n, 0, s);
    n->body = s->rdatas + s->rdatas_len;
    n->rrsets--;
    return true;
}

static uint32_t rrset_order(const struct rrset *s)
{
    return (uint32_t)s->type << 16 | s->covered;
}

/* Two nodes of the same owner; either may have no RRsets. */
static void diff_nodes(struct diff *d, struct node *a, struct node *b)
{
    struct rrset sa = {0};
    struct rrset sb = {0};
    bool has_a = node_take(a, &sa);
    bool has_b = node_take(b, &sb);

    while (has_a || has_b) {
        uint32_t oa = has_a ? rrset_order(&sa) : UINT32_MAX;
        uint32_t ob = has_b ? rrset_order(&sb) : UINT32_MAX;

        if (oa < ob)
            diff_whole_rrset(d, &d->cs->removed, &sa);
        else if (oa > ob)
            diff_whole_rrset(d, &d->cs->added, &sb);
        else
            diff_rrset(d, &sa, &sb);
        if (oa <= ob)
            has_a = node_take(a, &sa);
        if (oa >= ob)
            has_b = node_take(b, &sb);
    }
}

static const uint8_t *walk_octets(const struct walk *w, size_t *len)
{
    uint32_t at = page_node_at(w->page, w->node);

    *len = page_node_at(w->page, w->node + 1) - at;
    return w->page->data + at;
}

/* Compares the nodes at which both walks stand and goes on. */
static void diff_step(struct diff *d, struct walk *wa, struct walk *wb)
{
    struct node a = {0};
    struct node b = {0};
    int order = wa->page ? -1 : 1;

    if (wa->page)
        page_node(wa->page, wa->node, &a);
    if (wb->page)
        page_node(wb->page, wb->node, &b);
    if (wa->page && wb->page)
        order = rel_name_cmp(a.rel_owner, a.rel_len, b.rel_owner, b.rel_len);
    (void)node_owner(d->owner, order <= 0 ? &a : &b, d->cs->apex);
    if (order == 0) {
        size_t la;
        size_t lb;
        const uint8_t *oa = walk_octets(wa, &la);
        const uint8_t *ob = walk_octets(wb, &lb);

        if (la != lb || memcmp(oa, ob, la) != 0)
            diff_nodes(d, &a, &b);
    } else {
        if (order < 0)
            b.rrsets = 0;
        else
            a.rrsets = 0;
        diff_nodes(d, &a, &b);
    }
    if (order <= 0)
        walk_node(wa);
    if (order >= 0)
        walk_node(wb);
}

#define MANY_RECORDS 10000 /* more: a list that grows by doubling takes too much */

enum err zone_diff(struct changeset **out, const struct zone *a, const struct zone *b,
                   struct errinfo *e)
{
    struct walk wa = walk_of(a);
    struct walk wb = walk_of(b);
    uint64_t records_of_a = a ? zone_records(a) : 0;
    struct diff d;

    if (a && !name_eq(a->apex, b->apex))
        return err_set(ERR_CONFLICT, e, "the versions are of different zones");
    d.cs = changeset_new(b->apex);
    d.cs->has_from = a != NULL;
    d.cs->from = a ? a->serial : (struct serial){0};
    d.cs->to = b->serial;
    if (zone_records(b) > records_of_a + MANY_RECORDS)
        rr_list_reserve(&d.cs->added, (size_t)(zone_records(b) - records_of_a));
    while (wa.page || wb.page) {
        if (!walk_shared_chunk(&wa, &wb) && !walk_shared_page(&wa, &wb))
            diff_step(&d, &wa, &wb);
    }
    *out = d.cs;
    return OK;
}

/* ---- Pages ---- */

/* Calls f for each page of `wanted` that `other` does not share. */
static enum err pages_not_in(const struct zone *wanted, const struct zone *other, zone_page_fn *f,
                             void *ctx, struct errinfo *e)
{
    struct walk w = walk_of(wanted);
    struct walk o = walk_of(other);
    enum err rc = OK;

    while (w.page && !rc) {
        const uint8_t *first_w;
        const uint8_t *first_o;
        size_t len_w = 0;
        size_t len_o = 0;
        int order = -1;

        if (walk_shared_chunk(&w, &o) || walk_shared_page(&w, &o))
            continue;
        if (o.page) {
            first_w = page_first(w.page, &len_w);
            first_o = page_first(o.page, &len_o);
            order = rel_name_cmp(first_w, len_w, first_o, len_o);
        }
        if (order <= 0) {
            rc = f(ctx, w.page, e);
            walk_page(&w);
        }
        if (order >= 0)
            walk_page(&o);
    }
    return rc;
}

enum err zone_page_changes(const struct zone *old_zone, const struct zone *new_zone,
                           zone_page_fn *gone, zone_page_fn *came, void *ctx, struct errinfo *e)
{
    enum err rc = pages_not_in(old_zone, new_zone, gone, ctx, e);

    return rc ? rc : pages_not_in(new_zone, old_zone, came, ctx, e);
}
