/* The frame of a message, RFC 1035 4.1:
 *
 *   header 12: id, flags, QDCOUNT, ANCOUNT, NSCOUNT, ARCOUNT
 *   question: name, u16 type, u16 class
 *   record:   name, u16 type, u16 class, u32 ttl, u16 rdlen, RDATA
 */
#include "lib/dns/message.h"

#include "lib/dns/message_internal.h"

#define RECORD_FIXED_OCTETS 10

bool msg_read_header(struct msg_header *out, struct reader *r)
{
    const uint8_t *p = read_bytes(r, MSG_HEADER_OCTETS);

    if (!p)
        return false;
    out->id = get_u16(p);
    out->flags = get_u16(p + 2);
    for (size_t i = 0; i < 4; i++)
        out->counts[i] = get_u16(p + 4 + 2 * i);
    return true;
}

bool msg_read_question(struct msg_question *out, struct reader *r)
{
    if (!read_name(r, out->name))
        return false;
    out->type = read_u16(r);
    out->qclass = read_u16(r);
    return !r->failed;
}

bool msg_read_rr(struct msg_rr *out, struct reader *r)
{
    const uint8_t *p;

    out->at = r->pos;
    if (!read_name(r, out->owner) || !(p = read_bytes(r, RECORD_FIXED_OCTETS)))
        return false;
    out->type = get_u16(p);
    out->rclass = get_u16(p + 2);
    out->ttl = get_u32(p + 4);
    out->rdlen = get_u16(p + 8);
    if (out->ttl > INT32_MAX && out->type != RR_OPT)
        out->ttl = 0;
    out->rdata = read_part(r, out->rdlen);
    return !r->failed;
}

/* A pointer is legal only to a prior occurrence of a name (RFC 1035 4.1.4), so before this one. */
static bool pointer_ok(const struct reader *r, size_t pos, size_t name_start)
{
    size_t target;

    if (r->end - pos < 2)
        return false;
    target = get_u16(r->msg + pos) & 0x3fffu;
    return target >= MSG_HEADER_OCTETS && target < name_start;
}

bool msg_skip_name(struct reader *r)
{
    const uint8_t *m = r->msg;
    size_t start = r->pos;
    size_t pos = start;

    while (pos < r->end && pos - start < NAME_MAX_OCTETS) {
        uint8_t n = m[pos];

        if (n == 0) {
            r->pos = pos + 1;
            return true;
        }
        if (n > LABEL_MAX_OCTETS) {
            if (n < 0xc0 || !pointer_ok(r, pos, start))
                break;
            r->pos = pos + 2;
            return true;
        }
        pos += 1u + n;
    }
    reader_fail(r);
    return false;
}

/* Steps over a record; its ten fixed octets, or NULL if it isn't whole. */
static const uint8_t *skip_record(struct reader *r)
{
    const uint8_t *p;

    if (!msg_skip_name(r) || !(p = read_bytes(r, RECORD_FIXED_OCTETS)) ||
        !read_bytes(r, get_u16(p + 8)))
        return NULL;
    return p;
}

bool msg_skip_rr(struct reader *r, uint16_t *type)
{
    const uint8_t *p = skip_record(r);

    if (p && type)
        *type = get_u16(p);
    return p != NULL;
}

/* An OPT record at `at`, its fixed octets at p. */
static bool layout_opt(struct msg_layout *m, const struct reader *r, enum section s, size_t at,
                       const uint8_t *p)
{
    uint16_t rdlen = get_u16(p + 8);
    struct reader rdata = {.msg = r->msg, .pos = r->pos - rdlen, .end = r->pos};

    if (s != SECTION_ADDITIONAL || m->opt != 0 || r->msg[at] != 0)
        return false;
    m->opt = (uint16_t)at;
    return edns_read(&m->edns, get_u16(p + 2), get_u32(p + 4), rdata);
}

static bool layout_section(struct msg_layout *m, struct reader *r, enum section s)
{
    unsigned count = m->header.counts[s];

    m->sections[s] = (uint16_t)r->pos;
    for (unsigned i = 0; i < count; i++) {
        size_t at = r->pos;
        const uint8_t *p = skip_record(r);
        uint16_t type;

        if (!p)
            return false;
        type = get_u16(p);
        if (type == RR_OPT && !layout_opt(m, r, s, at, p))
            return false;
        if (type == RR_TSIG) {
            if (s != SECTION_ADDITIONAL || i + 1 != count)
                return false;
            m->tsig = (uint16_t)at;
        }
    }
    return true;
}

bool msg_layout_records(struct msg_layout *m, struct reader *r)
{
    if (!layout_section(m, r, SECTION_ANSWER) || !layout_section(m, r, SECTION_AUTHORITY) ||
        !layout_section(m, r, SECTION_ADDITIONAL) || reader_left(r) != 0)
        return false;
    m->records_end = m->tsig ? m->tsig : (uint16_t)r->pos;
    return true;
}

bool msg_layout_read(struct msg_layout *out, const uint8_t *wire, size_t len)
{
    struct reader r = reader_of(wire, len);

    *out = (struct msg_layout){.opt = 0};
    if (!msg_read_header(&out->header, &r) || len > MSG_MAX_OCTETS)
        return false;
    out->sections[SECTION_QUESTION] = MSG_HEADER_OCTETS;
    for (unsigned i = 0; i < out->header.counts[SECTION_QUESTION]; i++)
        if (!msg_skip_name(&r) || !read_bytes(&r, 4))
            return false;
    return msg_layout_records(out, &r);
}

struct reader msg_section(const struct msg_layout *m, const uint8_t *wire, size_t len,
                          enum section section)
{
    return (struct reader){.msg = wire, .pos = m->sections[section], .end = len};
}
