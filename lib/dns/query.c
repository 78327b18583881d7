#include "lib/dns/query.h"

#include <string.h>

#include "lib/dns/message_internal.h"

static bool opcode_known(uint8_t opcode)
{
    return opcode == OPCODE_QUERY || opcode == OPCODE_NOTIFY || opcode == OPCODE_UPDATE;
}

/* The name stands right behind the header, so a compression pointer in it has nothing to point at
 * and is refused by msg_skip_name: what it accepts is a plain name as it lies. */
static bool read_question(struct query *q, struct reader *r)
{
    size_t start = r->pos;

    if (!msg_skip_name(r))
        return false;
    memcpy(q->qname_raw, r->msg + start, r->pos - start);
    q->qtype = read_u16(r);
    q->qclass = read_u16(r);
    if (r->failed)
        return false;
    q->qname_len = (uint8_t)name_fold(q->qname, q->qname_raw);
    q->question_end = (uint16_t)r->pos;
    q->has_question = true;
    return true;
}

static bool counts_fit(const struct query *q)
{
    return q->opcode != OPCODE_QUERY ||
           (q->answer_count == 0 && (q->authority_count == 0 || q->qtype == RR_IXFR));
}

/* Zeroes what is read from; the two names need none. */
static void query_clear(struct query *q)
{
    q->has_question = q->only_edns = false;
    q->qname_len = 0;
    q->qtype = q->qclass = q->question_end = 0;
    q->answer = q->authority = q->additional = q->tsig = 0;
    q->edns = (struct edns){.present = false};
}

static bool read_records(struct query *q, struct msg_layout *m, struct reader *r)
{
    bool ok = msg_layout_records(m, r);

    q->edns = m->edns; /* an error is answered with OPT too, if one came */
    if (!ok)
        return false;
    q->answer = m->sections[SECTION_ANSWER];
    q->authority = m->sections[SECTION_AUTHORITY];
    q->additional = m->sections[SECTION_ADDITIONAL];
    q->tsig = m->tsig;
    return true;
}

/* RFC 7873 5.4. For a signed one there is no use. */
static bool only_edns(struct query *q, struct msg_layout *m, struct reader *r)
{
    return q->opcode == OPCODE_QUERY && q->answer_count == 0 && q->authority_count == 0 &&
           read_records(q, m, r) && q->edns.present && q->edns.version == 0 && !q->tsig;
}

enum query_outcome query_parse(struct query *q, const uint8_t *wire, size_t len)
{
    struct reader r = reader_of(wire, len);
    struct msg_layout m = {.opt = 0};

    if (!msg_read_header(&m.header, &r) || (m.header.flags & MSG_QR))
        return QUERY_DROP;
    query_clear(q);
    q->id = m.header.id;
    q->flags = m.header.flags;
    q->opcode = msg_opcode(&m.header);
    q->answer_count = m.header.counts[SECTION_ANSWER];
    q->authority_count = m.header.counts[SECTION_AUTHORITY];
    q->additional_count = m.header.counts[SECTION_ADDITIONAL];
    if (!opcode_known(q->opcode))
        return QUERY_NOTIMP;
    if (m.header.counts[SECTION_QUESTION] == 0 && len <= MSG_MAX_OCTETS) {
        q->only_edns = only_edns(q, &m, &r);
        return QUERY_FORMERR;
    }
    if (len > MSG_MAX_OCTETS || m.header.counts[SECTION_QUESTION] != 1 || !read_question(q, &r) ||
        !counts_fit(q) || !read_records(q, &m, &r))
        return QUERY_FORMERR;
    return q->edns.version > 0 ? QUERY_BADVERS : QUERY_OK;
}
