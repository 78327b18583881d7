#include "syncd/update_draft.h"

#include <stdlib.h>

void draft_init(struct draft *d, const struct zone *z)
{
    *d = (struct draft){.zone = z};
    d->last = &d->first;
    arena_init(&d->arena, 0);
    namemap_init(&d->nodes, clock_real());
}

void draft_done(struct draft *d)
{
    for (struct draft_node *n = d->first; n; n = n->next)
        free(n->rrs);
    namemap_done(&d->nodes);
    arena_done(&d->arena);
}

static void push(struct draft_node *n, const struct draft_rr *rr)
{
    n->rrs = xgrow(n->rrs, &n->cap, n->n + 1, sizeof(n->rrs[0]));
    n->rrs[n->n++] = *rr;
}

/* All records of an owner of the zone. */
static void each_stored(const struct zone *z, const uint8_t *owner,
                        void (*f)(struct draft_node *, const struct draft_rr *),
                        struct draft_node *n)
{
    struct node node;
    struct rrset s;

    if (!z || !zone_find(z, owner, &node))
        return;
    for (uint32_t i = 0; i < node.rrsets; i++) {
        struct rrset_iter it;
        struct draft_rr rr;

        node_rrset_at(&node, i, &s);
        rr = (struct draft_rr){.type = s.type, .ttl = s.ttl};
        rrset_iter_init(&it, &s);
        while (rrset_next(&it, &rr.rdata, &rr.len))
            f(n, &rr);
    }
}

struct draft_node *draft_node(struct draft *d, const uint8_t *owner)
{
    struct draft_node *n = namemap_get(&d->nodes, owner);

    if (n)
        return n;
    n = arena_zalloc(&d->arena, sizeof(*n));
    n->owner = arena_dup(&d->arena, owner, name_len(owner));
    each_stored(d->zone, owner, push, n);
    namemap_put(&d->nodes, n->owner, n);
    *d->last = n;
    d->last = &n->next;
    return n;
}

size_t draft_count(const struct draft_node *n, uint16_t type)
{
    size_t count = 0;

    for (size_t i = 0; i < n->n; i++)
        count += n->rrs[i].type == type;
    return count;
}

static struct draft_rr *find(const struct draft_node *n, uint16_t type, const uint8_t *rdata,
                             size_t len)
{
    for (size_t i = 0; i < n->n; i++) {
        struct draft_rr *rr = &n->rrs[i];

        if (rr->type == type && rdata_cmp(type, rr->rdata, rr->len, rdata, len) == 0)
            return rr;
    }
    return NULL;
}

bool draft_has(const struct draft_node *n, uint16_t type, const uint8_t *rdata, size_t len)
{
    return find(n, type, rdata, len) != NULL;
}

void draft_add(struct draft *d, struct draft_node *n, const struct draft_rr *rr)
{
    if (!find(n, rr->type, rr->rdata, rr->len)) {
        struct draft_rr own = *rr;

        own.rdata = arena_dup(&d->arena, rr->rdata, rr->len);
        push(n, &own);
    }
    for (size_t i = 0; i < n->n; i++) {
        if (n->rrs[i].type == rr->type)
            n->rrs[i].ttl = rr->ttl;
    }
}

static void take_out(struct draft_node *n, size_t i)
{
    n->rrs[i] = n->rrs[--n->n];
}

void draft_remove_type(struct draft_node *n, uint16_t type)
{
    for (size_t i = n->n; i-- > 0;) {
        if (n->rrs[i].type == type)
            take_out(n, i);
    }
}

void draft_remove(struct draft_node *n, uint16_t type, const uint8_t *rdata, size_t len)
{
    struct draft_rr *rr = find(n, type, rdata, len);

    if (rr)
        take_out(n, (size_t)(rr - n->rrs));
}

/* ---- What has changed ---- */

typedef enum err change_fn(struct changeset *cs, const struct rr *rr, struct errinfo *e);

/* The records of `a` that `b` has not, or with another TTL. */
static enum err difference(struct changeset *out, const struct draft_node *a,
                           const struct draft_node *b, change_fn *f, struct errinfo *e)
{
    for (size_t i = 0; i < a->n; i++) {
        const struct draft_rr *rr = &a->rrs[i];
        const struct draft_rr *other = find(b, rr->type, rr->rdata, rr->len);
        struct rr full = {.owner = a->owner,
                          .type = rr->type,
                          .rclass = CLASS_IN,
                          .ttl = rr->ttl,
                          .rdata = rr->rdata,
                          .rdata_len = rr->len};
        enum err rc;

        if ((!other || other->ttl != rr->ttl) && (rc = f(out, &full, e)))
            return rc;
    }
    return OK;
}

enum err draft_changes(struct changeset *out, const struct draft *d, struct errinfo *e)
{
    for (const struct draft_node *n = d->first; n; n = n->next) {
        struct draft_node before = {.owner = n->owner};
        enum err rc;

        each_stored(d->zone, n->owner, push, &before);
        rc = difference(out, &before, n, changeset_remove, e);
        if (rc == OK)
            rc = difference(out, n, &before, changeset_add, e);
        free(before.rrs);
        if (rc)
            return rc;
    }
    return OK;
}
