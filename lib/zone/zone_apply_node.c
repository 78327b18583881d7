/* Applies the changes at one owner to its node. */
#include <string.h>

#include "lib/zone/zone_apply.h"

/* The records of a list that belong to one RRset; takes them off the front. */
struct part {
    const struct rr *rrs;
    size_t n;
};

static uint32_t rr_order(const struct rr *rr)
{
    return (uint32_t)rr->type << 16 | rdata_covered(rr->type, rr->rdata, rr->rdata_len);
}

static uint32_t part_order(const struct part *p)
{
    return p->n > 0 ? rr_order(p->rrs) : UINT32_MAX;
}

static struct part part_take(struct part *from, uint32_t order)
{
    struct part p = {.rrs = from->rrs};

    while (from->n > 0 && rr_order(from->rrs) == order) {
        from->rrs++;
        from->n--;
        p.n++;
    }
    return p;
}

static int record_order(uint16_t type, const uint8_t *rdata, uint16_t len, const struct part *p)
{
    return p->n > 0 ? rdata_cmp(type, rdata, len, p->rrs->rdata, p->rrs->rdata_len) : -1;
}

static enum err not_there(const struct rr *rr, struct errinfo *e)
{
    return zone_fault(ERR_CONFLICT, e, rr->owner, rr->type, "removes a record that isn't there");
}

/* Writes added records up to the one that is not in front of RDATA `rdata` (NULL: all). */
static enum err put_added(struct page_run *run, struct part *added, uint16_t type,
                          const uint8_t *rdata, uint16_t len, struct errinfo *e)
{
    while (added->n > 0) {
        const struct rr *rr = added->rrs;
        int d = rdata ? rdata_cmp(type, rr->rdata, rr->rdata_len, rdata, len) : -1;

        if (d > 0)
            return OK;
        if (d == 0)
            return zone_fault(ERR_CONFLICT, e, rr->owner, type,
                              "adds a record that is there already");
        page_run_record(run, rr->rdata, rr->rdata_len);
        added->rrs++;
        added->n--;
    }
    return OK;
}

/* Merges what is there with what goes and what comes. */
static enum err merge_records(struct page_run *run, const struct rrset *old, struct part removed,
                              struct part added, struct errinfo *e)
{
    struct rrset_iter it;
    const uint8_t *rdata;
    uint16_t len;
    enum err rc;

    rrset_iter_init(&it, old);
    while (rrset_next(&it, &rdata, &len)) {
        int d = record_order(old->type, rdata, len, &removed);

        if (d > 0)
            break; /* what should go would stand in front of this one */
        if (d == 0) {
            if (removed.rrs->ttl != old->ttl)
                return zone_fault(ERR_CONFLICT, e, removed.rrs->owner, old->type,
                                  "removes a record with TTL %lu, but it has %lu",
                                  (unsigned long)removed.rrs->ttl, (unsigned long)old->ttl);
            removed.rrs++;
            removed.n--;
            continue;
        }
        if ((rc = put_added(run, &added, old->type, rdata, len, e)))
            return rc;
        page_run_record(run, rdata, len);
    }
    if (removed.n > 0)
        return not_there(removed.rrs, e);
    return put_added(run, &added, old->type, NULL, 0, e);
}

static enum err check_ttls(const struct part *added, uint32_t ttl, struct errinfo *e)
{
    for (size_t i = 0; i < added->n; i++) {
        const struct rr *rr = &added->rrs[i];

        if (rr->ttl != ttl)
            return zone_fault(ERR_CONFLICT, e, rr->owner, rr->type,
                              "adds a record with TTL %lu to others with TTL %lu",
                              (unsigned long)rr->ttl, (unsigned long)ttl);
    }
    return OK;
}

/* One RRset that changes; `old` has no records if there is none yet. */
static enum err merge_rrset(struct page_run *run, const struct rrset *old, struct part removed,
                            struct part added, const struct zone_limits *limits, struct errinfo *e)
{
    const struct rr *any = removed.n > 0 ? removed.rrs : added.rrs;
    uint32_t ttl = removed.n < old->count || added.n == 0 ? old->ttl : added.rrs[0].ttl;
    enum err rc;

    page_run_rrset(run, any->type, ttl);
    if ((rc = merge_records(run, old, removed, added, e)) || (rc = check_ttls(&added, ttl, e)))
        return rc;
    if ((rc = page_run_rrset_end(run, limits, e))) {
        struct errinfo why = e ? *e : (struct errinfo){0};
        return zone_fault(rc, e, any->owner, any->type, "%.150s", why.text);
    }
    return OK;
}

enum err apply_node(struct page_run *run, const struct node *old, const struct owner_change *oc,
                    const struct zone_limits *limits, struct errinfo *e)
{
    struct part removed = {oc->removed, oc->n_removed};
    struct part added = {oc->added, oc->n_added};
    const uint8_t *at = old ? old->body : NULL;
    uint32_t left = old ? old->rrsets : 0;
    const struct rr *any = oc->n_removed > 0 ? oc->removed : oc->added;
    enum err rc = OK;

    page_run_node(run, oc->rel, oc->rel_len);
    while (!rc && (left > 0 || removed.n > 0 || added.n > 0)) {
        struct node rest = {.body = at};
        struct rrset s = {0};
        uint32_t order = UINT32_MAX;
        uint32_t change = part_order(&removed);

        if (part_order(&added) < change)
            change = part_order(&added);
        if (left > 0) {
            node_rrset_at(&rest, 0, &s);
            order = (uint32_t)s.type << 16 | s.covered;
        }
        if (order <= change) {
            at = s.rdatas + s.rdatas_len;
            left--;
        }
        if (order < change) {
            page_run_copy_rrset(run, &s);
            continue;
        }
        if (order > change) /* an empty RRset; a walk through it needs a place to begin and end */
            s = (struct rrset){.rdatas = oc->rel, .type = (uint16_t)(change >> 16)};
        rc =
            merge_rrset(run, &s, part_take(&removed, change), part_take(&added, change), limits, e);
    }
    if (!rc && (rc = page_run_node_end(run, limits, e))) {
        struct errinfo why = e ? *e : (struct errinfo){0};
        rc = zone_fault(rc, e, any->owner, any->type, "%.150s", why.text);
    }
    return rc;
}
