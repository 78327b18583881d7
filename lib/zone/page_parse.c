/* Checks a page that came from outside: every octet is looked at once, nothing is believed. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/mem.h"
#include "lib/zone/zone_internal.h"

struct parse {
    const uint8_t *apex;
    size_t apex_len;
    uint64_t records;

    const uint8_t *owner; /* of the node before; NULL if there is none */
    uint8_t owner_len;
};

static enum err parse_owner(struct parse *p, struct reader *r, struct errinfo *e)
{
    uint8_t len = read_u8(r);
    const uint8_t *rel = read_bytes(r, len);
    size_t at = 0;

    if (!rel)
        return err_set(ERR_CORRUPT, e, "it ends inside an owner");
    if (len + p->apex_len > NAME_MAX_OCTETS)
        return err_set(ERR_CORRUPT, e, "an owner of %zu octets", len + p->apex_len);
    while (at < len) {
        uint8_t n = rel[at];
        if (n == 0 || n > LABEL_MAX_OCTETS || n + 1u > len - at)
            return err_set(ERR_CORRUPT, e, "a label of %u octets at %zu of an owner of %u", n, at,
                           len);
        at += n + 1u;
    }
    for (size_t i = 0; i < len; i++) {
        if (rel[i] >= 'A' && rel[i] <= 'Z')
            return err_set(ERR_CORRUPT, e, "an owner that isn't in lower case");
    }
    if (p->owner && rel_name_cmp(p->owner, p->owner_len, rel, len) >= 0)
        return err_set(ERR_CORRUPT, e, "owners out of order");
    p->owner = rel;
    p->owner_len = len;
    return OK;
}

static enum err parse_records(struct reader *r, uint16_t type, uint16_t count, struct errinfo *e)
{
    const uint8_t *last = NULL;
    uint16_t last_len = 0;

    for (uint16_t i = 0; i < count; i++) {
        uint16_t len = read_u16(r);
        const uint8_t *rdata = read_bytes(r, len);

        if (!rdata)
            return err_set(ERR_CORRUPT, e, "record %u ends too early", i);
        if (rdata_check(type, rdata, len, e))
            return err_wrap(ERR_CORRUPT, e, "record %u", i);
        if (last && rdata_cmp(type, last, last_len, rdata, len) >= 0)
            return err_set(ERR_CORRUPT, e, "record %u is out of order", i);
        if (last && rdata_covered(type, last, last_len) != rdata_covered(type, rdata, len))
            return err_set(ERR_CORRUPT, e, "record %u covers another type", i);
        last = rdata;
        last_len = len;
    }
    if (reader_left(r) != 0)
        return err_set(ERR_CORRUPT, e, "%zu octets too many", reader_left(r));
    return OK;
}

/* What is wrong with an RRset or a node: apart, since words cost more than all the checks. */
static __attribute__((noinline)) enum err rrset_error(uint16_t type, const char *what,
                                                      struct errinfo *e)
{
    char text[TYPE_TEXT_MAX];

    type_to_text(text, type);
    return what ? err_set(ERR_CORRUPT, e, "%s: %s", text, what)
                : err_wrap(ERR_CORRUPT, e, "%s", text);
}

static __attribute__((noinline)) enum err node_error(const struct parse *p, struct errinfo *e)
{
    uint8_t name[NAME_MAX_OCTETS];
    char text[NAME_TEXT_MAX];

    assert(p->owner); /* it has been read */
    memcpy(name, p->owner, p->owner_len);
    memcpy(name + p->owner_len, p->apex, p->apex_len);
    (void)name_to_text(text, name);
    return err_wrap(ERR_CORRUPT, e, "owner %.600s", text);
}

/* Reads one RRset; *order becomes type and type covered, which must rise. */
static enum err parse_rrset(struct parse *p, struct reader *r, uint32_t *order, struct errinfo *e)
{
    uint16_t type = read_u16(r);
    uint32_t ttl = read_u32(r);
    uint16_t count = read_u16(r);
    uint32_t octets = read_u32(r);
    struct reader part = read_part(r, octets);
    const uint8_t *at = part.msg + part.pos;
    uint32_t here;

    if (part.failed)
        return err_set(ERR_CORRUPT, e, "it ends inside an RRset");
    if (!type_is_data(type))
        return rrset_error(type, "cannot stand in a zone", e);
    if (ttl > TTL_MAX || count == 0) {
        (void)err_set(ERR_CORRUPT, e, "TTL %lu, %u records", (unsigned long)ttl, count);
        return rrset_error(type, NULL, e);
    }
    if (parse_records(&part, type, count, e))
        return rrset_error(type, NULL, e);
    here = (uint32_t)type << 16 | rdata_covered(type, at + 2, get_u16(at));
    if (here <= *order)
        return rrset_error(type, "RRsets out of order", e);
    *order = here;
    p->records += count;
    return OK;
}

static enum err parse_node(struct parse *p, struct reader r, struct errinfo *e)
{
    uint32_t order = 0;
    uint16_t rrsets;
    enum err rc;

    if ((rc = parse_owner(p, &r, e)))
        return rc;
    rrsets = read_u16(&r);
    if (rrsets == 0)
        rc = err_set(ERR_CORRUPT, e, "a node without RRsets");
    for (uint16_t i = 0; i < rrsets && !rc; i++)
        rc = parse_rrset(p, &r, &order, e);
    if (!rc && (r.failed || reader_left(&r) != 0))
        rc = err_set(ERR_CORRUPT, e, "%zu octets too many", reader_left(&r));
    return rc ? node_error(p, e) : OK;
}

/* Fills in what the head says. */
static enum err parse_page(struct page *page, const uint8_t *apex, struct errinfo *e)
{
    struct parse p = {.apex = apex, .apex_len = name_len(apex)};
    struct reader r = reader_of(page->data, page->len);
    uint16_t magic = read_u16(&r);
    uint8_t version = read_u8(&r);
    uint8_t zero = read_u8(&r);
    uint32_t len = read_u32(&r);
    struct reader starts;
    uint32_t at;

    page->records = read_u32(&r);
    page->nodes = read_u16(&r);
    starts = read_part(&r, (size_t)4 * page->nodes);
    if (r.failed || magic != PAGE_MAGIC || version != PAGE_VERSION || zero != 0 ||
        len != page->len || page->nodes == 0)
        return err_set(ERR_CORRUPT, e, "no page of version %d in these %lu octets", PAGE_VERSION,
                       (unsigned long)page->len);
    at = read_u32(&starts);
    if (at != r.pos)
        return err_set(ERR_CORRUPT, e, "the first node is not behind the directory");
    for (uint32_t i = 0; i < page->nodes; i++) {
        uint32_t next = i + 1 < page->nodes ? read_u32(&starts) : page->len;
        enum err rc = next <= at ? err_set(ERR_CORRUPT, e, "nodes out of order")
                                 : parse_node(&p, read_part(&r, next - at), e);

        if (rc)
            return err_wrap(rc, e, "node %lu at octet %lu", (unsigned long)i, (unsigned long)at);
        at = next;
    }
    if (p.records != page->records)
        return err_set(ERR_CORRUPT, e, "%llu records instead of %lu", (unsigned long long)p.records,
                       (unsigned long)page->records);
    return OK;
}

enum err page_parse(struct page **out, const uint8_t *data, size_t len, const uint8_t *apex,
                    struct errinfo *e)
{
    uint8_t folded[NAME_MAX_OCTETS];
    struct page *p;
    enum err rc;

    if (len > PAGE_MAX_BYTES)
        return err_set(ERR_CORRUPT, e, "page: %zu octets are too many", len);
    p = xmalloc(sizeof(*p) + len);
    *p = (struct page){.len = (uint32_t)len};
    atomic_init(&p->refs, 1);
    if (len)
        memcpy(p->data, data, len);
    (void)name_fold(folded, apex);
    if ((rc = parse_page(p, folded, e))) {
        page_unref(p);
        return err_wrap(rc, e, "page");
    }
    page_note_chains(p);
    *out = p;
    return OK;
}
