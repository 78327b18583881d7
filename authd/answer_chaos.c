/* Who is answering: version.bind and id.server in class CHAOS (RFC 4892), if the operator wants it
 * known. */
#include <string.h>

#include "authd/answer_internal.h"

static const uint8_t version_bind[] = "\7version\4bind";
static const uint8_t version_server[] = "\7version\6server";
static const uint8_t hostname_bind[] = "\10hostname\4bind";
static const uint8_t id_server[] = "\2id\6server";

static const char *chaos_text(const struct query *q, const struct config *c)
{
    if (q->qtype != RR_TXT && q->qtype != RR_ANY)
        return "";
    if (name_eq(q->qname, version_bind) || name_eq(q->qname, version_server))
        return c->version_text;
    if (name_eq(q->qname, id_server) || name_eq(q->qname, hostname_bind))
        return c->server_id;
    return "";
}

void answer_chaos(struct answerer *a, const struct config *c)
{
    const char *text = chaos_text(&a->query, c);
    size_t n = strnlen(text, 255);
    uint8_t rdata[256];
    struct rr rr = {.owner = a->query.qname_raw,
                    .rdata = rdata,
                    .type = RR_TXT,
                    .rclass = CLASS_CH,
                    .rdata_len = (uint16_t)(n + 1)};

    if (n == 0) {
        a->rcode = RCODE_REFUSED;
        a->extended_error = EDE_PROHIBITED; /* the operator has not allowed it */
        return;
    }
    rdata[0] = (uint8_t)n;
    memcpy(rdata + 1, text, n);
    a->authoritative = true;
    if (!msgw_rr(&a->w, SECTION_ANSWER, &rr))
        a->truncated = true;
}
