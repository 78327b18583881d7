#include "syncd/xfrin_stream.h"

#include <stdlib.h>

#include "lib/base/mem.h"
#include "lib/dns/response.h"

struct xfrin_stream {
    uint8_t apex[NAME_MAX_OCTETS];
    uint8_t *query;
    size_t query_len;
    struct tsig *tsig;
    uint64_t max_octets; /* on the wire; 0: none */

    enum axfr_state state;
    bool over;
    bool asked_ixfr;
    struct serial have;
    struct zone_builder *builder; /* NULL once the answer turned out to be incremental */
    struct ixfr *ixfr;
    struct xfrin_counts counts;
    struct buf soa;   /* RDATA of the opening one */
    struct buf rdata; /* of the record at hand */
};

enum axfr_state axfr_next(enum axfr_state state, enum axfr_record kind)
{
    switch (state) {
    case AXFR_FIRST_SOA:
        return kind == AXFR_RR_OPENING ? AXFR_RECORDS : AXFR_BROKEN;
    case AXFR_RECORDS:
        return kind == AXFR_RR_OPENING ? AXFR_DONE
               : kind == AXFR_RR_SOA   ? AXFR_BROKEN
                                       : AXFR_RECORDS;
    case AXFR_DONE:
    case AXFR_BROKEN:
        return AXFR_BROKEN; /* nothing follows the closing SOA */
    }
    return AXFR_BROKEN;
}

const char *xfrin_fault_text(enum xfrin_fault f)
{
    switch (f) {
    case XFRIN_SOUND:
        return "none";
    case XFRIN_FAULT_CONNECTION:
        return "connection";
    case XFRIN_FAULT_TIMEOUT:
        return "timeout";
    case XFRIN_FAULT_RCODE:
        return "error code";
    case XFRIN_FAULT_SIGNATURE:
        return "signature";
    case XFRIN_FAULT_PROTOCOL:
        return "protocol";
    case XFRIN_FAULT_CONTENT:
        return "content";
    case XFRIN_FAULT_LIMIT:
        return "limit";
    case XFRIN_FAULT_GUARD:
        return "guard";
    case XFRIN_FAULT_STORE:
        return "store";
    }
    return "?";
}

struct xfrin_stream *xfrin_stream_new(const uint8_t *apex, const uint8_t *query, size_t query_len,
                                      struct tsig *tsig, const struct zone_limits *limits,
                                      const struct serial *have)
{
    struct xfrin_stream *s = xcalloc(1, sizeof(*s));

    (void)name_fold(s->apex, apex);
    s->query = xmemdup(query, query_len);
    s->query_len = query_len;
    s->tsig = tsig;
    s->asked_ixfr = have != NULL;
    if (have)
        s->have = *have;
    s->builder = zone_builder_new(s->apex, limits);
    /* Messages may hold more than records, but not without end. */
    if (limits && limits->max_bytes)
        s->max_octets = 2 * limits->max_bytes + MSG_MAX_OCTETS;
    return s;
}

void xfrin_stream_free(struct xfrin_stream *s)
{
    if (!s)
        return;
    zone_builder_free(s->builder);
    ixfr_free(s->ixfr);
    buf_free(&s->soa);
    buf_free(&s->rdata);
    free(s->query);
    free(s);
}

/* ---- One record ---- */

static enum axfr_record kind_of(const struct xfrin_stream *s, const struct msg_rr *rr)
{
    if (rr->type != RR_SOA)
        return AXFR_RR_OTHER;
    if (rr->rclass != CLASS_IN || !name_eq(rr->owner, s->apex))
        return AXFR_RR_SOA;
    if (s->state == AXFR_FIRST_SOA)
        return AXFR_RR_OPENING;
    return rdata_cmp(RR_SOA, s->rdata.data, s->rdata.len, s->soa.data, s->soa.len) == 0
               ? AXFR_RR_OPENING
               : AXFR_RR_SOA;
}

/* Why the record at hand cannot stand there. */
static enum xfrin_step broken(enum axfr_state before, enum axfr_record kind, struct errinfo *e)
{
    const char *why = "a record behind the closing SOA";

    if (before == AXFR_FIRST_SOA)
        why = "the transfer does not begin with the zone's SOA";
    else if (before == AXFR_RECORDS && kind == AXFR_RR_SOA)
        why = "a second SOA that is not the first one: the zone changed in mid-transfer, or the "
              "transfer is damaged";
    (void)err_set(ERR_FORMAT, e, "%s", why);
    return XFRIN_FAILED;
}

static struct rr whole_record(const struct xfrin_stream *s, const struct msg_rr *rr)
{
    return (struct rr){.owner = rr->owner,
                       .rdata = s->rdata.data,
                       .rdata_len = (uint16_t)s->rdata.len,
                       .ttl = rr->ttl,
                       .type = rr->type,
                       .rclass = rr->rclass};
}

static enum xfrin_step store_record(struct xfrin_stream *s, const struct msg_rr *rr,
                                    struct errinfo *e)
{
    struct rr one = whole_record(s, rr);
    enum err rc;

    s->counts.records++;
    rc = zone_builder_add(s->builder, &one, e);
    if (rc == OK)
        return XFRIN_MORE;
    s->counts.fault = rc == ERR_LIMIT ? XFRIN_FAULT_LIMIT : XFRIN_FAULT_CONTENT;
    return XFRIN_REFUSED;
}

/* Whether the record behind the opening SOA makes the answer an incremental one. */
static bool begins_sequence(const struct xfrin_stream *s, enum axfr_record kind)
{
    struct soa soa;

    return s->asked_ixfr && s->counts.records == 1 && kind == AXFR_RR_SOA &&
           soa_parse(&soa, s->rdata.data, s->rdata.len) && serial_eq(soa.serial, s->have);
}

static void become_incremental(struct xfrin_stream *s)
{
    struct rr goal = {.rdata = s->soa.data, .rdata_len = (uint16_t)s->soa.len};

    s->ixfr = ixfr_new(s->apex, s->have, &goal);
    zone_builder_free(s->builder);
    s->builder = NULL;
}

static enum xfrin_step feed_increment(struct xfrin_stream *s, const struct msg_rr *rr,
                                      struct errinfo *e)
{
    struct rr one = whole_record(s, rr);

    s->counts.records++;
    switch (ixfr_feed(s->ixfr, &one, e)) {
    case IXFR_MORE:
        return XFRIN_MORE;
    case IXFR_DONE:
        s->state = AXFR_DONE;
        return XFRIN_MORE;
    case IXFR_FAULT:
        break;
    }
    return XFRIN_FAILED;
}

static enum xfrin_step feed_record(struct xfrin_stream *s, struct reader *r, struct errinfo *e)
{
    enum axfr_state before = s->state;
    enum axfr_record kind;
    struct msg_rr rr;

    if (!msg_read_rr(&rr, r)) {
        (void)err_set(ERR_FORMAT, e, "its owner is no name");
        return XFRIN_FAILED;
    }
    s->rdata.len = 0;
    if (rdata_read(&s->rdata, &rr.rdata, rr.type, rr.rdlen, e) != OK)
        return XFRIN_FAILED;
    kind = kind_of(s, &rr);
    if (begins_sequence(s, kind))
        become_incremental(s);
    if (s->ixfr)
        return feed_increment(s, &rr, e);
    s->state = axfr_next(before, kind);
    switch (s->state) {
    case AXFR_RECORDS:
        if (before == AXFR_FIRST_SOA)
            buf_put(&s->soa, s->rdata.data, s->rdata.len);
        return store_record(s, &rr, e);
    case AXFR_DONE:
        return XFRIN_MORE; /* it stands in the builder already */
    case AXFR_FIRST_SOA:
    case AXFR_BROKEN:
        break;
    }
    return broken(before, kind, e);
}

/* ---- One message ---- */

/* A single SOA that is not newer than ours is the whole answer (RFC 1995 2). A newer one alone in
 * the first message may be the beginning of a stream with a record a message. */
static bool says_current(const struct xfrin_stream *s)
{
    struct soa soa;

    return s->asked_ixfr && s->counts.messages == 1 && s->counts.records == 1 &&
           soa_parse(&soa, s->soa.data, s->soa.len) &&
           serial_cmp(soa.serial, s->have) != SERIAL_NEWER;
}

static enum xfrin_step feed_records(struct xfrin_stream *s, const struct response *resp,
                                    const uint8_t *wire, size_t len, struct errinfo *e)
{
    struct reader r = msg_section(&resp->layout, wire, len, SECTION_ANSWER);
    unsigned n = resp->layout.header.counts[SECTION_ANSWER];
    enum xfrin_step step = XFRIN_MORE;

    if (n == 0) {
        (void)err_set(ERR_FORMAT, e, "it has no records");
        return XFRIN_FAILED;
    }
    for (unsigned i = 0; i < n && step == XFRIN_MORE; i++) {
        step = feed_record(s, &r, e);
        if (step != XFRIN_MORE)
            (void)err_wrap(ERR_FORMAT, e, "record %u", i + 1);
    }
    if (step == XFRIN_MORE && says_current(s))
        s->state = AXFR_DONE;
    return step;
}

/* An rcode by which a primary says that it does not serve the zone; that it does not like our
 * signature is another matter, though its rcode may be the same. */
static bool says_unserved(struct xfrin_stream *s, const struct response *resp, const uint8_t *wire,
                          size_t len, struct wall now)
{
    if (resp->rcode != RCODE_REFUSED && resp->rcode != RCODE_NOTAUTH &&
        resp->rcode != RCODE_NXDOMAIN)
        return false;
    return !resp->layout.tsig ||
           (s->tsig && tsig_verify_stream(s->tsig, wire, len, resp->layout.tsig, now) == TSIG_OK);
}

/* Is it an answer to us, and does the primary agree to the transfer? */
static enum xfrin_step check_frame(struct xfrin_stream *s, struct response *resp,
                                   const uint8_t *wire, size_t len, struct wall now,
                                   struct errinfo *e)
{
    enum response_kind kind = s->counts.messages == 1 ? RESPONSE_SINGLE : RESPONSE_NEXT;
    enum response_outcome o = response_check(resp, kind, s->query, s->query_len, wire, len);
    char rcode[RCODE_TEXT_MAX];

    if (o != RESPONSE_OK) {
        (void)err_set(ERR_FORMAT, e, "it %s", response_outcome_text(o));
        return XFRIN_FAILED;
    }
    if (resp->rcode != RCODE_NOERROR) {
        rcode_to_text(rcode, resp->rcode);
        (void)err_set(ERR_DENIED, e, "the primary answers %s", rcode);
        s->counts.fault = XFRIN_FAULT_RCODE;
        s->counts.unserved = says_unserved(s, resp, wire, len, now);
        s->counts.no_edns = resp->rcode == RCODE_FORMERR && !resp->layout.edns.present;
        return XFRIN_FAILED;
    }
    return XFRIN_MORE;
}

static enum xfrin_step check_tsig(struct xfrin_stream *s, size_t at, const uint8_t *wire,
                                  size_t len, struct wall now, struct errinfo *e)
{
    enum tsig_outcome o;

    if (!s->tsig)
        return XFRIN_MORE;
    o = tsig_verify_stream(s->tsig, wire, len, at, now);
    if (o == TSIG_OK)
        return XFRIN_MORE;
    s->counts.fault = XFRIN_FAULT_SIGNATURE;
    if (o == TSIG_PEER)
        (void)err_set(ERR_AUTH, e, "the primary refuses our signature (TSIG error %u)",
                      (unsigned)s->tsig->peer_error);
    else
        (void)err_set(ERR_AUTH, e, "its signature does not hold: TSIG %s", tsig_outcome_text(o));
    return XFRIN_FAILED;
}

/* After the closing SOA: nothing may be left unproven. */
static enum xfrin_step finish(struct xfrin_stream *s, struct errinfo *e)
{
    if (s->tsig && tsig_verify_stream_end(s->tsig) != TSIG_OK) {
        (void)err_set(ERR_AUTH, e, "it is the last message, but is not signed");
        s->counts.fault = XFRIN_FAULT_SIGNATURE;
        return XFRIN_FAILED;
    }
    return XFRIN_DONE;
}

/* The first message that has it counts. */
static void take_expire(struct xfrin_stream *s, const struct edns_option *o, const uint8_t *wire)
{
    if (s->counts.has_left || !o->present || o->len != 4)
        return;
    s->counts.has_left = true;
    s->counts.left_s = get_u32(wire + o->at);
}

static enum xfrin_step feed(struct xfrin_stream *s, const uint8_t *wire, size_t len,
                            struct wall now, struct errinfo *e)
{
    struct msg_layout layout;
    struct response resp;
    enum xfrin_step step;

    if (s->max_octets && s->counts.octets > s->max_octets) {
        (void)err_set(ERR_LIMIT, e, "more than %llu octets", (unsigned long long)s->max_octets);
        s->counts.fault = XFRIN_FAULT_LIMIT;
        return XFRIN_REFUSED;
    }
    /* Signature first, as it says whether an error code is the primary's own; but a primary that
     * does not know our key cannot sign its refusal. */
    if (msg_layout_read(&layout, wire, len) && layout.tsig &&
        (step = check_tsig(s, layout.tsig, wire, len, now, e)) != XFRIN_MORE)
        return step;
    if ((step = check_frame(s, &resp, wire, len, now, e)) != XFRIN_MORE)
        return step;
    if (!resp.layout.tsig && (step = check_tsig(s, 0, wire, len, now, e)) != XFRIN_MORE)
        return step;
    take_expire(s, &resp.layout.edns.expire, wire);
    if ((step = feed_records(s, &resp, wire, len, e)) != XFRIN_MORE)
        return step;
    return s->state == AXFR_DONE ? finish(s, e) : XFRIN_MORE;
}

enum xfrin_step xfrin_stream_feed(struct xfrin_stream *s, const uint8_t *wire, size_t len,
                                  struct wall now, struct errinfo *e)
{
    enum xfrin_step step;

    if (s->over) {
        (void)err_set(ERR_FORMAT, e, "octets behind the end of the transfer");
        s->state = AXFR_BROKEN;
        s->counts.fault = XFRIN_FAULT_PROTOCOL;
        return XFRIN_FAILED;
    }
    s->counts.messages++;
    s->counts.octets += len;
    step = feed(s, wire, len, now, e);
    if (step == XFRIN_MORE)
        return step;
    s->over = true;
    if (step != XFRIN_DONE) {
        s->state = AXFR_BROKEN;
        if (s->counts.fault == XFRIN_SOUND)
            s->counts.fault = XFRIN_FAULT_PROTOCOL;
        (void)err_wrap(ERR_FORMAT, e, "message %llu", (unsigned long long)s->counts.messages);
    }
    return step;
}

struct xfrin_counts xfrin_stream_counts(const struct xfrin_stream *s)
{
    return s->counts;
}

bool xfrin_stream_soa(const struct xfrin_stream *s, struct soa *out)
{
    return s->soa.len && soa_parse(out, s->soa.data, s->soa.len);
}

struct zone_builder *xfrin_stream_take(struct xfrin_stream *s)
{
    struct zone_builder *b = s->builder;

    if (s->state != AXFR_DONE || says_current(s))
        return NULL;
    s->builder = NULL;
    return b;
}

struct ixfr *xfrin_stream_take_ixfr(struct xfrin_stream *s)
{
    struct ixfr *x = s->ixfr;

    if (s->state != AXFR_DONE)
        return NULL;
    s->ixfr = NULL;
    return x;
}
