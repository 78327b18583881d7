/* Builds a zone from records in any order.
 *
 * A primary sends its zone sorted or nearly so: two sorted runs (NSEC3 names come last), types in
 * any order at one owner. So owners are compared as they come, and sorted only if one was out of
 * place; the records of one owner are sorted by themselves.
 */
#include <stdlib.h>
#include <string.h>

#include "lib/base/mem.h"
#include "lib/zone/zone_internal.h"
#include "lib/zone/zone_sort.h"

#define CUT_BYTES ((size_t)16 * PAGE_TARGET_BYTES)

struct build_rr {
    const uint8_t *owner; /* u8 length, then the relative name; shared by neighbours */
    uint32_t ttl;
    uint16_t type;
    uint16_t len;
    uint8_t rdata[];
};

struct zone_builder {
    uint8_t apex[NAME_MAX_OCTETS];
    size_t apex_len;
    struct zone_limits limits;

    struct build_rr **rrs;
    size_t n;
    size_t cap;
    uint64_t octets; /* of RDATA */
    bool owners_sorted;
    const uint8_t *last_owner; /* as it came, folded; NULL before the first record */
    struct arena arena;

    struct page_run run;
    struct table_maker table;
    struct zone_build_report report;
};

struct zone_builder *zone_builder_new(const uint8_t *apex, const struct zone_limits *limits)
{
    struct zone_builder *b = xcalloc(1, sizeof(*b));

    b->apex_len = name_fold(b->apex, apex);
    if (limits)
        b->limits = *limits;
    b->owners_sorted = true;
    return b;
}

void zone_builder_free(struct zone_builder *b)
{
    if (!b)
        return;
    page_run_done(&b->run);
    table_maker_done(&b->table);
    arena_done(&b->arena);
    free(b->rrs);
    free(b);
}

/* Sets last_owner to the record's; false if it is outside the zone. */
static bool take_owner(struct zone_builder *b, const uint8_t *owner)
{
    uint8_t rel[NAME_MAX_OCTETS];
    const uint8_t *last = b->last_owner;
    size_t rel_len = 0;
    uint8_t *kept;
    int d = 1;

    if (!rel_from_name(rel, &rel_len, owner, b->apex, b->apex_len))
        return false;
    if (last)
        d = rel_name_cmp(rel, rel_len, last + 1, last[0]);
    if (d == 0)
        return true;
    if (d < 0)
        b->owners_sorted = false;
    kept = arena_bytes(&b->arena, rel_len + 1);
    kept[0] = (uint8_t)rel_len;
    memcpy(kept + 1, rel, rel_len);
    b->last_owner = kept;
    return true;
}

enum err zone_builder_add(struct zone_builder *b, const struct rr *rr, struct errinfo *e)
{
    struct build_rr *kept;
    enum err rc;

    if ((rc = rr_check_zone_data(rr, e)))
        return rc;
    if (b->limits.max_records && b->n >= b->limits.max_records)
        return err_set(ERR_LIMIT, e, "more than %llu records",
                       (unsigned long long)b->limits.max_records);
    if (b->limits.max_bytes && b->octets > b->limits.max_bytes)
        return err_set(ERR_LIMIT, e, "more than %llu octets",
                       (unsigned long long)b->limits.max_bytes);
    if (!take_owner(b, rr->owner))
        return zone_fault(ERR_CHECK, e, rr->owner, rr->type, "outside the zone");
    kept = arena_alloc(&b->arena, sizeof(*kept) + rr->rdata_len);
    kept->owner = b->last_owner;
    kept->ttl = rr->ttl;
    kept->type = rr->type;
    kept->len = rr->rdata_len;
    if (rr->rdata_len)
        memcpy(kept->rdata, rr->rdata, rr->rdata_len);
    b->octets += rr->rdata_len + 2u;
    b->rrs = xgrow(b->rrs, &b->cap, b->n + 1, sizeof(struct build_rr *));
    b->rrs[b->n++] = kept;
    return OK;
}

static bool same_owner(const struct build_rr *a, const struct build_rr *b)
{
    return a->owner == b->owner ||
           (a->owner[0] == b->owner[0] && memcmp(a->owner + 1, b->owner + 1, a->owner[0]) == 0);
}

/* Puts the records in order of their owners. */
static void sort_owners(struct zone_builder *b)
{
    struct build_rr **sorted = xmalloc(b->n * sizeof(struct build_rr *));
    struct sort_item *items = xmalloc(b->n * sizeof(*items));
    struct arena keys;
    size_t n = 0;
    size_t put = 0;

    arena_init(&keys, 0);
    for (size_t i = 0; i < b->n; i++) {
        const uint8_t *owner = b->rrs[i]->owner;

        if (n > 0 && b->rrs[items[n - 1].first]->owner == owner) {
            items[n - 1].count++;
            continue;
        }
        items[n].first = i;
        items[n].count = 1;
        items[n++].key = sort_key(&keys, owner + 1, owner[0]);
    }
    sort_by_key(items, n);
    for (size_t i = 0; i < n; i++) {
        memcpy(sorted + put, b->rrs + items[i].first, items[i].count * sizeof(struct build_rr *));
        put += items[i].count;
    }
    arena_done(&keys);
    free(items);
    free(b->rrs);
    b->rrs = sorted;
    b->cap = b->n;
}

/* Order at one owner. The last step makes the result the same whatever the order of arrival. */
static int rr_order(const struct build_rr *a, const struct build_rr *b)
{
    int d = (a->type > b->type) - (a->type < b->type);

    if (d == 0)
        d = rdata_cmp(a->type, a->rdata, a->len, b->rdata, b->len);
    if (d == 0)
        d = memcmp(a->rdata, b->rdata, a->len < b->len ? a->len : b->len);
    return d;
}

static int rr_order_qsort(const void *a, const void *b)
{
    return rr_order(*(struct build_rr *const *)a, *(struct build_rr *const *)b);
}

static void sort_owner(struct build_rr **rrs, size_t n)
{
    for (size_t i = 1; i < n; i++) {
        if (rr_order(rrs[i - 1], rrs[i]) > 0) {
            qsort(rrs, n, sizeof(struct build_rr *), rr_order_qsort);
            return;
        }
    }
}

static enum err fault_at(enum err rc, struct errinfo *e, const struct zone_builder *b,
                         const struct build_rr *rr)
{
    struct errinfo why = e ? *e : (struct errinfo){0};
    uint8_t owner[NAME_MAX_OCTETS];

    memcpy(owner, rr->owner + 1, rr->owner[0]);
    memcpy(owner + rr->owner[0], b->apex, b->apex_len);
    return zone_fault(rc, e, owner, rr->type, "%.150s", why.text);
}

/* Writes the RRset that begins at rrs[0]; *used becomes the number of its records. */
static enum err put_rrset(struct zone_builder *b, struct build_rr **rrs, size_t n, size_t *used,
                          struct errinfo *e)
{
    const struct build_rr *first = rrs[0];
    uint16_t covered = rdata_covered(first->type, first->rdata, first->len);
    uint32_t ttl = first->ttl;
    bool differ = false;
    enum err rc;
    size_t end = 1;

    while (end < n && rrs[end]->type == first->type &&
           rdata_covered(first->type, rrs[end]->rdata, rrs[end]->len) == covered) {
        differ = differ || rrs[end]->ttl != ttl;
        ttl = rrs[end]->ttl < ttl ? rrs[end]->ttl : ttl;
        end++;
    }
    b->report.ttls_changed += differ;
    page_run_rrset(&b->run, first->type, ttl);
    page_run_record(&b->run, first->rdata, first->len);
    for (size_t i = 1; i < end; i++) {
        if (rdata_cmp(first->type, rrs[i - 1]->rdata, rrs[i - 1]->len, rrs[i]->rdata,
                      rrs[i]->len) == 0)
            b->report.duplicates++;
        else
            page_run_record(&b->run, rrs[i]->rdata, rrs[i]->len);
    }
    *used = end;
    rc = page_run_rrset_end(&b->run, &b->limits, e);
    return rc ? fault_at(rc, e, b, first) : OK;
}

static enum err put_node(struct zone_builder *b, struct build_rr **rrs, size_t n, struct errinfo *e)
{
    const uint8_t *owner = rrs[0]->owner;
    size_t used = 0;
    enum err rc;

    if (n > 1)
        sort_owner(rrs, n);
    page_run_node(&b->run, owner + 1, owner[0]);
    for (size_t i = 0; i < n; i += used) {
        if ((rc = put_rrset(b, rrs + i, n - i, &used, e)))
            return rc;
    }
    rc = page_run_node_end(&b->run, &b->limits, e);
    return rc ? fault_at(rc, e, b, rrs[n - 1]) : OK;
}

static void drop_records(struct zone_builder *b)
{
    page_run_done(&b->run);
    arena_done(&b->arena);
    free(b->rrs);
    b->rrs = NULL;
    b->n = b->cap = 0;
    b->last_owner = NULL;
}

enum err zone_builder_finish(struct zone **out, struct zone_builder *b,
                             struct zone_build_report *report, struct errinfo *e)
{
    struct table table;
    enum err rc;
    size_t end;

    if (!b->owners_sorted)
        sort_owners(b);
    for (size_t i = 0; i < b->n; i = end) {
        end = i + 1;
        while (end < b->n && same_owner(b->rrs[i], b->rrs[end]))
            end++;
        if (end + 8 < b->n)
            __builtin_prefetch(b->rrs[end + 8]);
        if ((rc = put_node(b, b->rrs + i, end - i, e)))
            return rc;
        if (page_run_bytes(&b->run) >= CUT_BYTES)
            page_run_cut(&b->run, &b->table);
    }
    page_run_cut_last(&b->run, &b->table);
    table_finish(&table, &b->table);
    drop_records(b); /* what comes next needs memory too */
    if ((rc = zone_from_table(out, b->apex, &table, &b->limits, e)))
        return rc;
    if (report)
        *report = b->report;
    return OK;
}
