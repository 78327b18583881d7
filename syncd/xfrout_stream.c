#include "syncd/xfrout_stream.h"

#include <stdlib.h>

#include "lib/base/mem.h"
#include "lib/dns/msgwriter.h"

#define FILL_OCTETS 16384 /* names behind offset 0x3fff cannot be pointed to */

/* Where in the sequence of records it is. */
enum part {
    PART_OPEN,
    PART_ZONE,
    PART_OLD_SOA,
    PART_GONE,
    PART_NEW_SOA,
    PART_COME,
    PART_CLOSE,
    PART_END
};

struct xfrout_stream {
    struct xfrout_content content;
    struct tsig tsig;
    uint16_t id, flags;
    uint8_t qname[NAME_MAX_OCTETS];
    uint8_t apex[NAME_MAX_OCTETS];
    uint16_t qtype;
    bool has_opt;
    struct edns_reply opt;
    uint8_t options[8]; /* EXPIRE */

    enum part part;
    struct zone_rr_iter records;
    size_t at; /* in a list of changes */
    bool has_rr;
    struct rr rr; /* the next record; lent from the content or the iterator */
    struct xfrout_counts counts;
    struct msg_writer w;
};

void xfrout_content_done(struct xfrout_content *c)
{
    zone_unref(c->zone);
    changeset_free(c->changes);
    buf_free(&c->soa);
    *c = (struct xfrout_content){.kind = XFROUT_SOA};
}

static void put_expire(struct xfrout_stream *s)
{
    struct writer w = writer_of(s->options, sizeof(s->options));
    uint8_t seconds[4];

    put_u32(seconds, s->content.expire_s);
    edns_put_option(&w, OPTION_EXPIRE, seconds, sizeof(seconds));
    s->opt.options = s->options;
    s->opt.options_len = sizeof(s->options);
}

struct xfrout_stream *xfrout_stream_new(struct xfrout_content *content, const struct query *q,
                                        struct tsig *tsig)
{
    struct xfrout_stream *s = xcalloc(1, sizeof(*s));

    s->content = *content;
    *content = (struct xfrout_content){.kind = XFROUT_SOA};
    s->tsig = *tsig;
    *tsig = (struct tsig){.key = NULL};
    s->id = q->id;
    s->flags = (uint16_t)(MSG_QR | MSG_AA | (q->flags & MSG_RD));
    s->qtype = q->qtype;
    (void)name_copy(s->qname, q->qname_raw);
    (void)name_copy(s->apex, q->qname);
    s->has_opt = q->edns.present;
    s->opt = (struct edns_reply){.udp_size = EDNS_UDP_DEFAULT, .dnssec_ok = q->edns.dnssec_ok};
    if (q->edns.expire.present)
        put_expire(s);
    msgw_init(&s->w);
    if (s->content.kind == XFROUT_AXFR)
        zone_rr_iter_init(&s->records, s->content.zone);
    return s;
}

void xfrout_stream_free(struct xfrout_stream *s)
{
    if (!s)
        return;
    xfrout_content_done(&s->content);
    tsig_done(&s->tsig);
    free(s);
}

struct xfrout_counts xfrout_stream_counts(const struct xfrout_stream *s)
{
    return s->counts;
}

/* ---- The sequence of records ---- */

static struct rr present_soa(const struct xfrout_stream *s)
{
    return (struct rr){.owner = s->apex,
                       .rdata = s->content.soa.data,
                       .rdata_len = (uint16_t)s->content.soa.len,
                       .ttl = s->content.soa_ttl,
                       .type = RR_SOA,
                       .rclass = CLASS_IN};
}

/* The next that is no SOA. */
static bool list_next(struct xfrout_stream *s, const struct rr_list *list, struct rr *out)
{
    while (s->at < list->n) {
        *out = list->rrs[s->at++];
        if (out->type != RR_SOA)
            return true;
    }
    s->at = 0;
    return false;
}

static bool zone_next_other(struct xfrout_stream *s, struct rr *out)
{
    while (zone_rr_next(&s->records, out)) {
        if (out->type != RR_SOA)
            return true;
    }
    return false;
}

static enum part behind_open(const struct xfrout_stream *s)
{
    switch (s->content.kind) {
    case XFROUT_AXFR:
        return PART_ZONE;
    case XFROUT_IXFR:
        return PART_OLD_SOA;
    case XFROUT_SOA:
        break;
    }
    return PART_END;
}

/* The next record of all; false at the end. */
static bool next_record(struct xfrout_stream *s, struct rr *out)
{
    const struct changeset *cs = s->content.changes;

    for (;;) {
        enum part part = s->part;

        switch (part) {
        case PART_OPEN:
            s->part = behind_open(s);
            *out = present_soa(s);
            return true;
        case PART_ZONE:
            if (zone_next_other(s, out))
                return true;
            s->part = PART_CLOSE;
            break;
        case PART_OLD_SOA:
            s->part = PART_GONE;
            if (rr_list_soa(&cs->removed, cs->apex, out))
                return true;
            break;
        case PART_GONE:
            if (list_next(s, &cs->removed, out))
                return true;
            s->part = PART_NEW_SOA;
            break;
        case PART_NEW_SOA:
            s->part = PART_COME;
            *out = present_soa(s);
            return true;
        case PART_COME:
            if (list_next(s, &cs->added, out))
                return true;
            s->part = PART_CLOSE;
            break;
        case PART_CLOSE:
            s->part = PART_END;
            *out = present_soa(s);
            return true;
        case PART_END:
            return false;
        }
    }
}

/* ---- Messages ---- */

static void begin(struct xfrout_stream *s, uint8_t *out, size_t limit)
{
    bool first = s->counts.messages == 0;
    size_t reserve = s->tsig.key ? tsig_key_space(s->tsig.key) : 0;

    if (first && s->has_opt)
        reserve += edns_octets(&s->opt);
    msgw_begin(&s->w, out, limit, s->id, s->flags);
    if (first)
        (void)msgw_question(&s->w, s->qname, s->qtype, CLASS_IN);
    (void)msgw_reserve(&s->w, reserve);
}

/* Puts records as long as they fit; how many. */
static unsigned fill(struct xfrout_stream *s)
{
    unsigned n = 0;

    while (n < UINT16_MAX) {
        if (!s->has_rr && !(s->has_rr = next_record(s, &s->rr)))
            break;
        if (!msgw_rr(&s->w, SECTION_ANSWER, &s->rr))
            break;
        s->has_rr = false;
        n++;
    }
    return n;
}

static enum err end(struct xfrout_stream *s, uint8_t *out, size_t *len, struct wall now,
                    struct errinfo *e)
{
    size_t n;

    if (s->counts.messages == 0 && s->has_opt) {
        msgw_release(&s->w, edns_octets(&s->opt));
        (void)msgw_opt(&s->w, &s->opt, RCODE_NOERROR);
    }
    n = msgw_finish(&s->w);
    if (s->tsig.key && !tsig_sign_stream(&s->tsig, out, &n, MSG_MAX_OCTETS, now))
        return err_set(ERR_LIMIT, e, "no room for a signature");
    s->counts.messages++;
    s->counts.octets += n;
    *len = n;
    return OK;
}

enum err xfrout_stream_next(struct xfrout_stream *s, uint8_t *out, size_t *len, struct wall now,
                            struct errinfo *e)
{
    unsigned n;

    *len = 0;
    if (!s->has_rr && !(s->has_rr = next_record(s, &s->rr)))
        return OK;
    begin(s, out, FILL_OCTETS);
    if ((n = fill(s)) == 0) {
        begin(s, out, MSG_MAX_OCTETS); /* a large record, in a message of its own size */
        n = fill(s);
    }
    if (n == 0) {
        char owner[NAME_TEXT_MAX];

        (void)name_to_text(owner, s->rr.owner);
        return err_set(ERR_LIMIT, e, "a record of %s has no room in a message", owner);
    }
    s->counts.records += n;
    return end(s, out, len, now, e);
}
