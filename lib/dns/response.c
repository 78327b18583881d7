#include "lib/dns/response.h"

const char *response_outcome_text(enum response_outcome o)
{
    switch (o) {
    case RESPONSE_OK:
        return "is the answer";
    case RESPONSE_TRUNCATED:
        return "is truncated";
    case RESPONSE_FORMAT:
        return "is malformed";
    case RESPONSE_NOT_RESPONSE:
        return "is not a response";
    case RESPONSE_OTHER_ID:
        return "has another ID";
    case RESPONSE_OTHER_OPCODE:
        return "has another opcode";
    case RESPONSE_OTHER_QUESTION:
        return "has another question";
    }
    return "?";
}

static bool question_matches(const uint8_t *query, size_t query_len, const uint8_t *wire,
                             size_t len)
{
    struct reader a = {.msg = query, .pos = MSG_HEADER_OCTETS, .end = query_len};
    struct reader b = {.msg = wire, .pos = MSG_HEADER_OCTETS, .end = len};
    struct msg_question asked;
    struct msg_question got;

    return msg_read_question(&asked, &a) && msg_read_question(&got, &b) && asked.type == got.type &&
           asked.qclass == got.qclass && name_eq(asked.name, got.name);
}

/* Whether the message may come without a question. */
static bool question_optional(const struct response *out, enum response_kind kind)
{
    return kind == RESPONSE_NEXT || out->rcode != RCODE_NOERROR;
}

enum response_outcome response_check(struct response *out, enum response_kind kind,
                                     const uint8_t *query, size_t query_len, const uint8_t *wire,
                                     size_t len)
{
    struct reader r = reader_of(query, query_len);
    struct response got;
    struct msg_header ours;
    const struct msg_header *h = &got.layout.header;
    bool whole = msg_layout_read(&got.layout, wire, len);

    if (len < MSG_HEADER_OCTETS || !msg_read_header(&ours, &r))
        return RESPONSE_FORMAT;
    if (!(h->flags & MSG_QR))
        return RESPONSE_NOT_RESPONSE;
    if (h->id != ours.id)
        return RESPONSE_OTHER_ID;
    if (msg_opcode(h) != msg_opcode(&ours))
        return RESPONSE_OTHER_OPCODE;
    if (!whole)
        return RESPONSE_FORMAT;
    got.rcode = (uint16_t)(got.layout.edns.ext_rcode << 4 | msg_rcode(h));
    got.has_question = h->counts[SECTION_QUESTION] == 1;
    if (got.has_question ? !question_matches(query, query_len, wire, len)
                         : h->counts[SECTION_QUESTION] > 1 || !question_optional(&got, kind))
        return RESPONSE_OTHER_QUESTION;
    *out = got;
    return h->flags & MSG_TC ? RESPONSE_TRUNCATED : RESPONSE_OK;
}
