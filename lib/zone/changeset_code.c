/* Change sets as octets; docs/page-format.md states them. */
#include <string.h>

#include "lib/zone/changeset_internal.h"
#include "lib/zone/zone_internal.h"

#define CHANGESET_MAGIC 0x5A43 /* "ZC" */
#define CHANGESET_VERSION 1
#define FLAG_FROM 1u
#define SAME_OWNER 255u /* no relative owner is that long */
#define RECORD_MIN_BYTES 9u

static void encode_list(struct buf *out, const struct rr_list *list, size_t apex_len)
{
    const uint8_t *last = NULL;

    for (size_t i = 0; i < list->n; i++) {
        const struct rr *rr = &list->rrs[i];

        if (last && (last == rr->owner || name_eq(last, rr->owner))) {
            buf_u8(out, SAME_OWNER);
        } else {
            size_t rel_len = name_len(rr->owner) - apex_len;

            buf_u8(out, (uint8_t)rel_len);
            buf_put(out, rr->owner, rel_len);
        }
        last = rr->owner;
        buf_u16(out, rr->type);
        buf_u32(out, rr->ttl);
        buf_u16(out, rr->rdata_len);
        buf_put(out, rr->rdata, rr->rdata_len);
    }
}

void changeset_encode(struct buf *out, const struct changeset *cs)
{
    size_t apex_len = name_len(cs->apex);

    buf_u16(out, CHANGESET_MAGIC);
    buf_u8(out, CHANGESET_VERSION);
    buf_u8(out, cs->has_from ? FLAG_FROM : 0);
    buf_u32(out, cs->has_from ? cs->from.v : 0);
    buf_u32(out, cs->to.v);
    buf_u32(out, (uint32_t)cs->removed.n);
    buf_u32(out, (uint32_t)cs->added.n);
    encode_list(out, &cs->removed, apex_len);
    encode_list(out, &cs->added, apex_len);
}

/* Reads an owner into the arena; NULL if it is no folded name that fits in front of the apex. */
static const uint8_t *decode_owner(struct changeset *cs, struct reader *r, uint8_t rel_len)
{
    size_t apex_len = name_len(cs->apex);
    const uint8_t *rel = read_bytes(r, rel_len);
    size_t at = 0;
    uint8_t *owner;

    if (!rel || rel_len + apex_len > NAME_MAX_OCTETS)
        return NULL;
    while (at < rel_len) {
        uint8_t n = rel[at];

        if (n == 0 || n > LABEL_MAX_OCTETS || n + 1u > rel_len - at)
            return NULL;
        at += n + 1u;
    }
    for (size_t i = 0; i < rel_len; i++) {
        if (rel[i] >= 'A' && rel[i] <= 'Z')
            return NULL;
    }
    owner = arena_bytes(&cs->arena, rel_len + apex_len);
    memcpy(owner, rel, rel_len);
    memcpy(owner + rel_len, cs->apex, apex_len);
    return owner;
}

static enum err decode_record(struct changeset *cs, struct rr_list *list, struct reader *r,
                              struct errinfo *e)
{
    const struct rr *last = list->n > 0 ? &list->rrs[list->n - 1] : NULL;
    struct rr rr = {.rclass = CLASS_IN};
    uint8_t rel_len = read_u8(r);
    char text[TYPE_TEXT_MAX];

    if (rel_len != SAME_OWNER)
        rr.owner = decode_owner(cs, r, rel_len);
    else
        rr.owner = last ? last->owner : NULL;
    rr.type = read_u16(r);
    rr.ttl = read_u32(r);
    rr.rdata_len = read_u16(r);
    rr.rdata = read_bytes(r, rr.rdata_len);
    if (!rr.owner || !rr.rdata)
        return err_set(ERR_CORRUPT, e, "no owner, or it ends too early");
    type_to_text(text, rr.type);
    if (rr_check_zone_data(&rr, e) || rdata_check(rr.type, rr.rdata, rr.rdata_len, e))
        return err_wrap(ERR_CORRUPT, e, "%s", text);
    if (last && rel_len != SAME_OWNER && name_eq(last->owner, rr.owner))
        return err_set(ERR_CORRUPT, e, "%s: says an owner twice", text);
    if (last && rr_cmp(last, &rr) >= 0)
        return err_set(ERR_CORRUPT, e, "%s: out of order", text);
    rr_list_push(list, &rr);
    return OK;
}

static enum err decode_list(struct changeset *cs, struct rr_list *list, const char *name,
                            uint32_t n, struct reader *r, struct errinfo *e)
{
    enum err rc = OK;

    if (n > reader_left(r) / RECORD_MIN_BYTES)
        return err_set(ERR_CORRUPT, e, "%s: %lu records in %zu octets", name, (unsigned long)n,
                       reader_left(r));
    for (uint32_t i = 0; i < n && !rc; i++) {
        if ((rc = decode_record(cs, list, r, e)))
            rc = err_wrap(rc, e, "%s: record %lu", name, (unsigned long)i);
    }
    return rc;
}

static enum err decode(struct changeset *cs, struct reader *r, struct errinfo *e)
{
    uint16_t magic = read_u16(r);
    uint8_t version = read_u8(r);
    uint8_t flags = read_u8(r);
    uint32_t from = read_u32(r);
    uint32_t to = read_u32(r);
    uint32_t removed = read_u32(r);
    uint32_t added = read_u32(r);
    struct serial soa;
    enum err rc;

    if (r->failed || magic != CHANGESET_MAGIC || version != CHANGESET_VERSION ||
        (flags & ~FLAG_FROM) != 0 || (!(flags & FLAG_FROM) && from != 0))
        return err_set(ERR_CORRUPT, e, "no change set of version %d", CHANGESET_VERSION);
    cs->has_from = flags & FLAG_FROM;
    cs->from = (struct serial){from};
    cs->to = (struct serial){to};
    if ((rc = decode_list(cs, &cs->removed, "removed", removed, r, e)) ||
        (rc = decode_list(cs, &cs->added, "added", added, r, e)))
        return rc;
    if (reader_left(r) != 0)
        return err_set(ERR_CORRUPT, e, "%zu octets too many", reader_left(r));
    if ((rr_list_serial(&cs->removed, cs->apex, &soa) && soa.v != from) ||
        (rr_list_serial(&cs->added, cs->apex, &soa) && soa.v != to))
        return err_set(ERR_CORRUPT, e, "its SOA has another serial");
    return OK;
}

enum err changeset_decode(struct changeset **out, const uint8_t *data, size_t len,
                          const uint8_t *apex, struct errinfo *e)
{
    struct changeset *cs = changeset_new(apex);
    const uint8_t *kept = memcpy(arena_bytes(&cs->arena, len + 1), data ? data : apex, len);
    struct reader r = reader_of(kept, len);
    enum err rc;

    if ((rc = decode(cs, &r, e))) {
        changeset_free(cs);
        return err_wrap(rc, e, "change set");
    }
    *out = cs;
    return OK;
}
