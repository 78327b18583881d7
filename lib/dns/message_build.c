#include "lib/dns/message_build.h"

#include "lib/dns/msgwriter.h"
#include "lib/dns/query.h"

static size_t finish(struct msg_writer *w, bool ok)
{
    return ok ? msgw_finish(w) : 0;
}

size_t msg_build_query(uint8_t *buf, size_t cap, const struct msg_query_spec *spec)
{
    uint16_t qclass = spec->qclass ? spec->qclass : CLASS_IN;
    struct msg_writer w;
    bool ok;

    if (cap < MSG_HEADER_OCTETS)
        return 0;
    msgw_init(&w);
    msgw_begin(&w, buf, cap, spec->id, spec->recursion_desired ? MSG_RD : 0);
    ok = msgw_question(&w, spec->qname, spec->qtype, qclass);
    if (ok && spec->ixfr_soa) {
        struct rr soa = {.owner = spec->qname,
                         .type = RR_SOA,
                         .rclass = qclass,
                         .rdata = spec->ixfr_soa,
                         .rdata_len = (uint16_t)spec->ixfr_soa_len};
        ok = msgw_rr(&w, SECTION_AUTHORITY, &soa);
    }
    if (ok && spec->opt)
        ok = msgw_opt(&w, spec->opt, RCODE_NOERROR);
    return finish(&w, ok);
}

size_t msg_build_notify(uint8_t *buf, size_t cap, uint16_t id, const uint8_t *zone,
                        const uint8_t *soa, size_t soa_len, uint32_t soa_ttl)
{
    struct msg_writer w;
    bool ok;

    if (cap < MSG_HEADER_OCTETS)
        return 0;
    msgw_init(&w);
    msgw_begin(&w, buf, cap, id, (uint16_t)(OPCODE_NOTIFY << 11 | MSG_AA));
    ok = msgw_question(&w, zone, RR_SOA, CLASS_IN);
    if (ok && soa) {
        struct rr rr = {.owner = zone,
                        .type = RR_SOA,
                        .rclass = CLASS_IN,
                        .ttl = soa_ttl,
                        .rdata = soa,
                        .rdata_len = (uint16_t)soa_len};
        ok = msgw_rr(&w, SECTION_ANSWER, &rr);
    }
    return finish(&w, ok);
}

size_t msg_build_reply(uint8_t *buf, size_t cap, const struct query *q, uint16_t rcode,
                       uint16_t flags, const struct edns_reply *opt)
{
    uint16_t copied = q->flags & (MSG_OPCODE_MASK | MSG_RD);
    struct msg_writer w;
    bool ok = true;

    if (cap < MSG_HEADER_OCTETS)
        return 0;
    msgw_init(&w);
    msgw_begin(&w, buf, cap, q->id, (uint16_t)(MSG_QR | copied | flags));
    msgw_set_rcode(&w, rcode);
    if (q->has_question)
        ok = msgw_question(&w, q->qname_raw, q->qtype, q->qclass);
    if (ok && opt)
        ok = msgw_opt(&w, opt, rcode);
    return finish(&w, ok);
}
