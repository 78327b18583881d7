/* Writes nodes and cuts them into pages. */
#include <stdlib.h>
#include <string.h>

#include "lib/base/mem.h"
#include "lib/zone/zone_internal.h"

void page_run_done(struct page_run *r)
{
    buf_free(&r->octets);
    free(r->starts);
    *r = (struct page_run){0};
}

static void run_clear(struct page_run *r)
{
    r->octets.len = 0;
    r->nodes = 0;
}

size_t page_run_bytes(const struct page_run *r)
{
    return PAGE_HEAD_BYTES + 4u * r->nodes + r->octets.len;
}

static void run_start(struct page_run *r, size_t at)
{
    r->starts = xgrow(r->starts, &r->cap, r->nodes + 1, sizeof(*r->starts));
    r->starts[r->nodes++] = at;
}

void page_run_add(struct page_run *r, const struct page *p, uint32_t from, uint32_t to)
{
    uint32_t begin = page_node_at(p, from);

    if (from >= to)
        return;
    for (uint32_t i = from; i < to; i++)
        run_start(r, r->octets.len + page_node_at(p, i) - begin);
    buf_put(&r->octets, p->data + begin, page_node_at(p, to) - begin);
}

static void run_append(struct page_run *r, const struct page_run *more)
{
    for (size_t i = 0; i < more->nodes; i++)
        run_start(r, r->octets.len + more->starts[i]);
    buf_put(&r->octets, more->octets.data, more->octets.len);
}

void page_run_node(struct page_run *r, const uint8_t *rel, size_t rel_len)
{
    run_start(r, r->octets.len);
    buf_u8(&r->octets, (uint8_t)rel_len);
    buf_put(&r->octets, rel, rel_len);
    r->rrsets_at = r->octets.len;
    r->rrsets = 0;
    r->types = 0;
    r->last_type = 0;
    buf_u16(&r->octets, 0);
}

void page_run_rrset(struct page_run *r, uint16_t type, uint32_t ttl)
{
    uint8_t *head;

    r->rrset_at = r->octets.len;
    r->count = 0;
    head = buf_space(&r->octets, RRSET_HEAD_BYTES);
    put_u16(head, type);
    put_u32(head + 2, ttl);
}

void page_run_record(struct page_run *r, const uint8_t *rdata, uint16_t len)
{
    uint8_t *to = buf_space(&r->octets, 2u + len);

    put_u16(to, len);
    if (len)
        memcpy(to + 2, rdata, len);
    r->count++;
}

static void run_count_rrset(struct page_run *r, uint16_t type)
{
    r->rrsets++;
    if (type != r->last_type)
        r->types++;
    r->last_type = type;
}

void page_run_copy_rrset(struct page_run *r, const struct rrset *s)
{
    buf_put(&r->octets, s->rdatas - RRSET_HEAD_BYTES, s->rdatas_len + RRSET_HEAD_BYTES);
    run_count_rrset(r, s->type);
}

enum err page_run_rrset_end(struct page_run *r, const struct zone_limits *limits, struct errinfo *e)
{
    uint8_t *head = r->octets.data + r->rrset_at;
    size_t octets = r->octets.len - r->rrset_at - RRSET_HEAD_BYTES;
    uint32_t max = limits && limits->max_rrset && limits->max_rrset < UINT16_MAX ? limits->max_rrset
                                                                                 : UINT16_MAX;

    if (r->count == 0) {
        r->octets.len = r->rrset_at;
        return OK;
    }
    if (r->count > max)
        return err_set(ERR_LIMIT, e, "%lu records; at most %lu are accepted",
                       (unsigned long)r->count, (unsigned long)max);
    if (octets > PAGE_MAX_BYTES / 2)
        return err_set(ERR_LIMIT, e, "%zu octets of records", octets);
    put_u16(head + 6, (uint16_t)r->count);
    put_u32(head + 8, (uint32_t)octets);
    run_count_rrset(r, get_u16(head));
    return OK;
}

enum err page_run_node_end(struct page_run *r, const struct zone_limits *limits, struct errinfo *e)
{
    size_t start = r->starts[r->nodes - 1];
    size_t octets = r->octets.len - start;

    if (r->rrsets == 0) {
        r->octets.len = start;
        r->nodes--;
        return OK;
    }
    if (limits && limits->max_types && r->types > limits->max_types)
        return err_set(ERR_LIMIT, e, "%lu types; at most %lu are accepted", (unsigned long)r->types,
                       (unsigned long)limits->max_types);
    if (octets > PAGE_MAX_BYTES - PAGE_HEAD_BYTES - 4 || r->rrsets > UINT16_MAX)
        return err_set(ERR_LIMIT, e, "%zu octets of records at one owner", octets);
    put_u16(r->octets.data + r->rrsets_at, (uint16_t)r->rrsets);
    return OK;
}

static uint32_t page_count_records(const struct page *p)
{
    uint32_t records = 0;

    for (uint32_t i = 0; i < p->nodes; i++) {
        struct node n;
        const uint8_t *at;

        page_node(p, i, &n);
        at = n.body;
        for (uint16_t k = 0; k < n.rrsets; k++) {
            records += get_u16(at + 6);
            at += RRSET_HEAD_BYTES + get_u32(at + 8);
        }
    }
    return records;
}

static size_t run_end(const struct page_run *r, size_t node)
{
    return node < r->nodes ? r->starts[node] : r->octets.len;
}

/* Nodes [from, to) as a page. */
static struct page *run_page(const struct page_run *r, size_t from, size_t to)
{
    size_t begin = r->starts[from];
    size_t octets = run_end(r, to) - begin;
    size_t head = PAGE_HEAD_BYTES + 4u * (to - from);
    struct page *p = xmalloc(sizeof(*p) + head + octets);

    p->len = (uint32_t)(head + octets);
    p->nodes = (uint32_t)(to - from);
    atomic_init(&p->refs, 1);
    p->slot = 0;
    p->mark = 0;
    put_u16(p->data, PAGE_MAGIC);
    p->data[2] = PAGE_VERSION;
    p->data[3] = 0;
    put_u32(p->data + 4, p->len);
    put_u16(p->data + 12, (uint16_t)p->nodes);
    for (size_t i = from; i < to; i++)
        put_u32(p->data + PAGE_HEAD_BYTES + 4 * (i - from),
                (uint32_t)(head + r->starts[i] - begin));
    memcpy(p->data + head, r->octets.data + begin, octets);
    p->records = page_count_records(p);
    put_u32(p->data + 8, p->records);
    page_note_chains(p);
    return p;
}

void page_run_cut(struct page_run *r, struct table_maker *out)
{
    size_t whole = r->octets.len + 4u * r->nodes;
    size_t parts =
        whole <= PAGE_SPLIT_BYTES ? 1 : (whole + PAGE_TARGET_BYTES - 1) / PAGE_TARGET_BYTES;
    size_t part = 1; /* the next border is best at whole * part / parts */
    size_t from = 0;

    for (size_t i = 1; i < r->nodes && part < parts; i++) {
        size_t middle = (r->starts[i] + run_end(r, i + 1)) / 2 + 4u * i;

        if (middle <= whole / parts * part)
            continue;
        table_add_page(out, run_page(r, from, i));
        from = i;
        while (part < parts && middle > whole / parts * part)
            part++;
    }
    if (r->nodes > from)
        table_add_page(out, run_page(r, from, r->nodes));
    run_clear(r);
}

void page_run_cut_last(struct page_run *r, struct table_maker *out)
{
    struct page *front = NULL;

    if (r->nodes > 0 && page_run_bytes(r) < PAGE_MERGE_BYTES)
        front = table_pop_page(out);
    if (front && front->len <= PAGE_SPLIT_BYTES) {
        struct page_run both = {0};

        page_run_add(&both, front, 0, front->nodes);
        run_append(&both, r);
        page_run_cut(&both, out);
        page_run_done(&both);
        page_unref(front);
        run_clear(r);
        return;
    }
    if (front)
        table_add_page(out, front);
    page_run_cut(r, out);
}
