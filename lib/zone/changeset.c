#include "lib/zone/changeset.h"

#include <stdlib.h>
#include <string.h>

#include "lib/zone/changeset_internal.h"
#include "lib/zone/zone_internal.h"

struct changeset *changeset_new(const uint8_t *apex)
{
    struct changeset *cs = xcalloc(1, sizeof(*cs));

    (void)name_fold(cs->apex, apex);
    return cs;
}

void changeset_free(struct changeset *cs)
{
    if (!cs)
        return;
    free(cs->removed.rrs);
    free(cs->added.rrs);
    free(cs->kept.rrs);
    arena_done(&cs->arena);
    free(cs);
}

void rr_list_push(struct rr_list *list, const struct rr *rr)
{
    list->rrs = xgrow(list->rrs, &list->cap, list->n + 1, sizeof(*list->rrs));
    list->rrs[list->n++] = *rr;
}

void rr_list_reserve(struct rr_list *list, size_t n)
{
    if (n <= list->cap)
        return;
    list->rrs = xrealloc(list->rrs, n * sizeof(*list->rrs));
    list->cap = n;
}

void rr_list_copy(struct changeset *cs, struct rr_list *list, const struct rr *rr)
{
    const struct rr *last = list->n > 0 ? &list->rrs[list->n - 1] : NULL;
    struct rr kept = *rr;

    if (last && name_eq(last->owner, rr->owner)) {
        kept.owner = last->owner;
    } else {
        uint8_t owner[NAME_MAX_OCTETS];
        size_t len = name_fold(owner, rr->owner);
        uint8_t *to = arena_bytes(&cs->arena, len);

        memcpy(to, owner, len);
        kept.owner = to;
    }
    if (rr->rdata_len > 0) {
        uint8_t *to = arena_bytes(&cs->arena, rr->rdata_len);

        memcpy(to, rr->rdata, rr->rdata_len);
        kept.rdata = to;
    }
    rr_list_push(list, &kept);
}

static enum err list_take(struct changeset *cs, struct rr_list *list, const struct rr *rr,
                          struct errinfo *e)
{
    enum err rc;

    if ((rc = rr_check_zone_data(rr, e)))
        return rc;
    if (!name_within(rr->owner, cs->apex))
        return zone_fault(ERR_CHECK, e, rr->owner, rr->type, "outside the zone");
    rr_list_copy(cs, list, rr);
    return OK;
}

enum err changeset_add(struct changeset *cs, const struct rr *rr, struct errinfo *e)
{
    return list_take(cs, &cs->added, rr, e);
}

enum err changeset_remove(struct changeset *cs, const struct rr *rr, struct errinfo *e)
{
    return list_take(cs, &cs->removed, rr, e);
}

bool rr_same_octets(const struct rr *a, const struct rr *b)
{
    return a->ttl == b->ttl && a->rdata_len == b->rdata_len &&
           (a->rdata_len == 0 || memcmp(a->rdata, b->rdata, a->rdata_len) == 0);
}

/* Order in which the first of equal records is the one to keep, whatever the order of arrival. */
static int rr_order(const void *x, const void *y)
{
    const struct rr *a = x;
    const struct rr *b = y;
    int d = rr_cmp(a, b);

    if (d == 0)
        d = (a->ttl > b->ttl) - (a->ttl < b->ttl);
    if (d == 0 && a->rdata_len == b->rdata_len && a->rdata_len > 0)
        d = memcmp(a->rdata, b->rdata, a->rdata_len);
    return d;
}

static void list_sort(struct rr_list *list)
{
    bool sorted = true;
    size_t n = 0;

    for (size_t i = 1; i < list->n && sorted; i++)
        sorted = rr_cmp(&list->rrs[i - 1], &list->rrs[i]) < 0;
    if (sorted)
        return;
    qsort(list->rrs, list->n, sizeof(*list->rrs), rr_order);
    for (size_t i = 0; i < list->n; i++) {
        if (n == 0 || rr_cmp(&list->rrs[n - 1], &list->rrs[i]) != 0)
            list->rrs[n++] = list->rrs[i];
    }
    list->n = n;
}

/* Moves what stands in both lists with the same TTL and octets to `kept`. */
static void lists_cancel(struct rr_list *a, struct rr_list *b, struct rr_list *kept)
{
    size_t i = 0;
    size_t k = 0;
    size_t na = 0;
    size_t nb = 0;

    while (i < a->n && k < b->n) {
        int d = rr_cmp(&a->rrs[i], &b->rrs[k]);

        if (d == 0 && rr_same_octets(&a->rrs[i], &b->rrs[k])) {
            rr_list_push(kept, &a->rrs[i]);
            i++;
            k++;
            continue;
        }
        if (d <= 0)
            a->rrs[na++] = a->rrs[i++];
        if (d >= 0)
            b->rrs[nb++] = b->rrs[k++];
    }
    while (i < a->n)
        a->rrs[na++] = a->rrs[i++];
    while (k < b->n)
        b->rrs[nb++] = b->rrs[k++];
    a->n = na;
    b->n = nb;
}

bool rr_list_soa(const struct rr_list *list, const uint8_t *apex, struct rr *out)
{
    /* The apex comes first, and SOA is one of its first types: no walk through the list. */
    for (size_t i = 0; i < list->n && list->rrs[i].type <= RR_SOA; i++) {
        if (!name_eq(list->rrs[i].owner, apex))
            return false;
        if (list->rrs[i].type == RR_SOA) {
            *out = list->rrs[i];
            return true;
        }
    }
    return false;
}

bool rr_list_serial(const struct rr_list *list, const uint8_t *apex, struct serial *out)
{
    struct soa soa;
    struct rr rr;

    if (!rr_list_soa(list, apex, &rr) || !soa_parse(&soa, rr.rdata, rr.rdata_len))
        return false;
    *out = soa.serial;
    return true;
}

void changeset_finish(struct changeset *cs)
{
    list_sort(&cs->removed);
    list_sort(&cs->added);
    lists_cancel(&cs->removed, &cs->added, &cs->kept);
    if (rr_list_serial(&cs->removed, cs->apex, &cs->from))
        cs->has_from = true;
    (void)rr_list_serial(&cs->added, cs->apex, &cs->to);
}

static void list_copy_all(struct changeset *cs, struct rr_list *to, const struct rr_list *from)
{
    for (size_t i = 0; i < from->n; i++)
        rr_list_copy(cs, to, &from->rrs[i]);
}

enum err changeset_invert(struct changeset **out, const struct changeset *cs, struct errinfo *e)
{
    struct changeset *back;

    if (!cs->has_from)
        return err_set(ERR_SERIAL, e, "a first version has nothing to go back to");
    back = changeset_new(cs->apex);
    back->has_from = true;
    back->from = cs->to;
    back->to = cs->from;
    list_copy_all(back, &back->removed, &cs->added);
    list_copy_all(back, &back->added, &cs->removed);
    *out = back;
    return OK;
}

/* ---- Two change sets as one ---- */

enum { A_REMOVED, A_ADDED, B_REMOVED, B_ADDED, JOIN_LISTS };

/* Joins what the four lists say about one record; NULL where a list says nothing. */
static enum err join_record(struct changeset *cs, const struct rr *says[JOIN_LISTS],
                            struct errinfo *e)
{
    const struct rr *removed = says[A_REMOVED];
    const struct rr *added = says[A_ADDED];

    if (says[B_REMOVED]) {
        const struct rr *gone = says[B_REMOVED];

        if (added && added->ttl != gone->ttl)
            return zone_fault(ERR_CONFLICT, e, gone->owner, gone->type,
                              "removed with TTL %lu, but was added with TTL %lu",
                              (unsigned long)gone->ttl, (unsigned long)added->ttl);
        if (!added && removed)
            return zone_fault(ERR_CONFLICT, e, gone->owner, gone->type,
                              "removed by both change sets");
        if (!added)
            removed = gone; /* it was there before the first one */
        added = NULL;
    }
    if (says[B_ADDED]) {
        if (added)
            return zone_fault(ERR_CONFLICT, e, added->owner, added->type,
                              "added by both change sets");
        added = says[B_ADDED];
    }
    if (removed && added && rr_same_octets(removed, added))
        return OK;
    if (removed)
        rr_list_copy(cs, &cs->removed, removed);
    if (added)
        rr_list_copy(cs, &cs->added, added);
    return OK;
}

static enum err join_lists(struct changeset *cs, const struct changeset *a,
                           const struct changeset *b, struct errinfo *e)
{
    const struct rr_list *lists[JOIN_LISTS] = {&a->removed, &a->added, &b->removed, &b->added};
    size_t at[JOIN_LISTS] = {0};
    enum err rc = OK;

    while (!rc) {
        const struct rr *says[JOIN_LISTS] = {NULL};
        const struct rr *low = NULL;

        for (int i = 0; i < JOIN_LISTS; i++) {
            const struct rr *rr = at[i] < lists[i]->n ? &lists[i]->rrs[at[i]] : NULL;
            int d = !rr ? 1 : !low ? -1 : rr_cmp(rr, low);

            if (d < 0) {
                memset(says, 0, sizeof(says));
                low = rr;
            }
            if (d <= 0)
                says[i] = rr;
        }
        if (!low)
            break;
        for (int i = 0; i < JOIN_LISTS; i++)
            at[i] += says[i] != NULL;
        rc = join_record(cs, says, e);
    }
    return rc;
}

enum err changeset_join(struct changeset **out, const struct changeset *a,
                        const struct changeset *b, struct errinfo *e)
{
    struct changeset *cs;
    enum err rc;

    if (!name_eq(a->apex, b->apex))
        return err_set(ERR_CONFLICT, e, "the change sets are of different zones");
    if (!b->has_from || !serial_eq(a->to, b->from))
        return err_set(ERR_SERIAL, e, "a change set to serial %lu is followed by one from %lu",
                       (unsigned long)a->to.v, (unsigned long)(b->has_from ? b->from.v : 0));
    cs = changeset_new(a->apex);
    cs->has_from = a->has_from;
    cs->from = a->from;
    cs->to = b->to;
    if ((rc = join_lists(cs, a, b, e))) {
        changeset_free(cs);
        return rc;
    }
    *out = cs;
    return OK;
}
