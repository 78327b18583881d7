/* Applies a change set: copies what did not change by reference, and rewrites the pages in which
 * changed owners lie.
 *
 *   old table   ├── shared chunks ──┤ pages │ page with changes │ pages ├── shared chunks ──┤
 *   run                                     └── nodes, changed ─┘ cut into 0, 1 or more pages
 *
 * A rewritten page that became tiny waits in the run for its neighbour behind it, and the last one
 * joins the neighbour in front of it, so that pages do not wither away.
 */
#include "lib/zone/zone_apply.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define RUN_MAX_BYTES                                                                              \
    ((size_t)16 * PAGE_TARGET_BYTES) /* cut before it grows beyond what is useful */

struct apply {
    const struct table *old;
    size_t apex_len;
    const struct zone_limits *limits;

    struct part_list {
        const struct rr *rrs;
        size_t n;
    } removed, added; /* not yet applied */

    struct table_pos at; /* first old page that is not in the new table yet */
    struct page_run run; /* nodes behind the new table's last page */
    struct table_maker made;
};

/* Records at the front of the list that have this owner. */
static size_t list_owner(const struct part_list *list, const uint8_t *owner)
{
    size_t n = 0;

    while (n < list->n && (list->rrs[n].owner == owner || name_eq(list->rrs[n].owner, owner)))
        n++;
    return n;
}

/* The next owner that changes; false if there is none. */
static bool next_change(const struct apply *a, struct owner_change *oc)
{
    const uint8_t *owner = a->removed.n > 0 ? a->removed.rrs[0].owner : NULL;

    if (a->added.n > 0 && (!owner || name_cmp(a->added.rrs[0].owner, owner) < 0))
        owner = a->added.rrs[0].owner;
    if (!owner)
        return false;
    oc->rel = owner;
    oc->rel_len = name_len(owner) - a->apex_len;
    oc->removed = a->removed.rrs;
    oc->n_removed = list_owner(&a->removed, owner);
    oc->added = a->added.rrs;
    oc->n_added = list_owner(&a->added, owner);
    return true;
}

static void list_step(struct part_list *list, size_t n)
{
    if (n > 0)
        list->rrs += n;
    list->n -= n;
}

static void change_done(struct apply *a, const struct owner_change *oc)
{
    list_step(&a->removed, oc->n_removed);
    list_step(&a->added, oc->n_added);
}

/* Rewrites the page at a->at (or none, in an empty zone) with all changes in front of the next
 * page.
 */
static enum err apply_page(struct apply *a, struct errinfo *e)
{
    struct table_pos next = a->at;
    const struct page *p = table_page(a->old, a->at);
    const struct page *behind = NULL;
    const uint8_t *fence = NULL;
    size_t fence_len = 0;
    uint32_t i = 0;
    struct owner_change oc;
    enum err rc;

    if (p) {
        table_step(a->old, &next);
        behind = table_page(a->old, next);
        if (behind)
            fence = page_first(behind, &fence_len);
    }
    while (next_change(a, &oc) &&
           (!fence || rel_name_cmp(oc.rel, oc.rel_len, fence, fence_len) < 0)) {
        struct node node;
        bool exact = false;
        uint32_t k = p ? page_search(p, oc.rel, oc.rel_len, &exact) : 0;

        if (p)
            page_run_add(&a->run, p, i, k);
        if (exact)
            page_node(p, k, &node);
        if ((rc = apply_node(&a->run, exact ? &node : NULL, &oc, a->limits, e)))
            return rc;
        i = k + exact;
        change_done(a, &oc);
        if (page_run_bytes(&a->run) > RUN_MAX_BYTES)
            page_run_cut(&a->run, &a->made);
    }
    if (p)
        page_run_add(&a->run, p, i, p->nodes);
    a->at = next;
    return OK;
}

/* Cuts the run into pages; a tiny one takes in the page behind it first. */
static void settle_run(struct apply *a)
{
    const struct page *p = table_page(a->old, a->at);

    if (a->run.nodes > 0 && page_run_bytes(&a->run) < PAGE_MERGE_BYTES && p &&
        p->len <= PAGE_SPLIT_BYTES) {
        page_run_add(&a->run, p, 0, p->nodes);
        table_step(a->old, &a->at);
    }
    page_run_cut(&a->run, &a->made);
}

/* Takes over old pages up to `to`. */
static void share_until(struct apply *a, struct table_pos to)
{
    if (!table_pos_before(a->at, to))
        return;
    settle_run(a);
    while (table_pos_before(a->at, to)) {
        if (a->at.page == 0 && a->at.chunk < to.chunk) {
            table_add_chunk(&a->made, a->old->chunks[a->at.chunk++]);
        } else {
            table_add_page(&a->made, page_ref(table_page(a->old, a->at)));
            table_step(a->old, &a->at);
        }
    }
}

static enum err apply_all(struct apply *a, struct errinfo *e)
{
    struct table_pos end = {.chunk = a->old->n};
    struct owner_change oc;
    enum err rc;

    while (next_change(a, &oc)) {
        struct table_pos pos = {0}; /* before the first page is in the first page */

        (void)table_locate(a->old, oc.rel, oc.rel_len, &pos);
        assert(!table_pos_before(pos, a->at)); /* the lists are in order */
        share_until(a, pos);
        if ((rc = apply_page(a, e)))
            return rc;
        if (page_run_bytes(&a->run) >= PAGE_MERGE_BYTES)
            page_run_cut(&a->run, &a->made);
    }
    share_until(a, end);
    page_run_cut_last(&a->run, &a->made);
    return OK;
}

static enum err check_from(const struct zone *base, const struct changeset *cs, struct errinfo *e)
{
    if (!base)
        return cs->has_from ? err_set(ERR_SERIAL, e, "a change from serial %lu, but there is none",
                                      (unsigned long)cs->from.v)
                            : OK;
    if (!name_eq(base->apex, cs->apex))
        return err_set(ERR_CONFLICT, e, "the change set is of another zone");
    if (!cs->has_from)
        return err_set(ERR_SERIAL, e, "a first version, but serial %lu is there",
                       (unsigned long)base->serial.v);
    if (!serial_eq(cs->from, base->serial))
        return err_set(ERR_SERIAL, e, "a change from serial %lu, but %lu is there",
                       (unsigned long)cs->from.v, (unsigned long)base->serial.v);
    return OK;
}

static bool holds(const struct zone *z, const struct rr *rr)
{
    struct rrset_iter it;
    const uint8_t *rdata;
    struct node node;
    uint16_t len;

    if (!z || !zone_find(z, rr->owner, &node))
        return false;
    for (uint32_t i = 0; i < node.rrsets; i++) {
        struct rrset s;

        node_rrset_at(&node, i, &s);
        if (s.type != rr->type || s.ttl != rr->ttl)
            continue;
        rrset_iter_init(&it, &s);
        while (rrset_next(&it, &rdata, &len)) {
            if (rdata_cmp(rr->type, rdata, len, rr->rdata, rr->rdata_len) == 0)
                return true;
        }
    }
    return false;
}

static enum err check_kept(const struct zone *base, const struct changeset *cs, struct errinfo *e)
{
    for (size_t i = 0; i < cs->kept.n; i++) {
        const struct rr *rr = &cs->kept.rrs[i];

        if (!holds(base, rr))
            return zone_fault(ERR_CONFLICT, e, rr->owner, rr->type,
                              "removes a record that is not there, to add it");
    }
    return OK;
}

enum err zone_apply(struct zone **out, const struct zone *base, const struct changeset *cs,
                    const struct zone_limits *limits, struct errinfo *e)
{
    static const struct table no_table;
    struct apply a = {.old = base ? &base->table : &no_table,
                      .apex_len = name_len(cs->apex),
                      .limits = limits,
                      .removed = {cs->removed.rrs, cs->removed.n},
                      .added = {cs->added.rrs, cs->added.n}};
    struct zone *z = NULL;
    struct table table;
    enum err rc;

    if ((rc = check_from(base, cs, e)) || (rc = check_kept(base, cs, e)) || (rc = apply_all(&a, e)))
        goto out;
    table_finish(&table, &a.made);
    if ((rc = zone_from_table(&z, cs->apex, &table, limits, e)))
        goto out;
    if (!serial_eq(z->serial, cs->to)) {
        rc = err_set(ERR_SERIAL, e, "a change to serial %lu that makes %lu",
                     (unsigned long)cs->to.v, (unsigned long)z->serial.v);
        goto out;
    }
    *out = z;
    z = NULL;
out:
    zone_unref(z);
    table_maker_done(&a.made);
    page_run_done(&a.run);
    return rc;
}

enum err zone_with_serial(struct zone **out, const struct zone *base, struct serial serial,
                          struct errinfo *e)
{
    struct changeset *cs = changeset_new(base->apex);
    uint8_t *rdata = NULL;
    struct rr rr;
    struct soa soa;
    enum err rc;

    if (!zone_soa(base, &rr, &soa)) {
        rc = err_set(ERR_CHECK, e, "there is no SOA at the apex");
        goto out;
    }
    rdata = xmemdup(rr.rdata, rr.rdata_len);
    soa_set_serial(rdata, rr.rdata_len, serial);
    if ((rc = changeset_remove(cs, &rr, e)))
        goto out;
    rr.rdata = rdata;
    if ((rc = changeset_add(cs, &rr, e)))
        goto out;
    changeset_finish(cs);
    cs->has_from = true; /* also when the serial stays, and so nothing is left in the lists */
    cs->from = base->serial;
    cs->to = serial;
    rc = zone_apply(out, base, cs, NULL, e);
out:
    free(rdata);
    changeset_free(cs);
    return rc;
}
