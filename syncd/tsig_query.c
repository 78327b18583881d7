#include "syncd/tsig_query.h"

#include "lib/dns/message_build.h"

/* One on its way. */
struct signed_query {
    const struct ho_frame *m;
    struct query q;
    struct tsig tsig;
    size_t limit; /* octets that the reply may have */
    uint16_t udp_payload;
    struct wall now;
};

static size_t reply_limit(const struct signed_query *s)
{
    size_t limit = MSG_UDP_MIN_OCTETS;

    if (s->m->transport != HO_UDP)
        return MSG_MAX_OCTETS;
    if (s->q.edns.present && s->q.edns.udp_size > limit)
        limit = s->q.edns.udp_size;
    return limit > s->udp_payload ? s->udp_payload : limit;
}

void tsig_query_reply(struct tsig *t, const struct query *q, uint16_t rcode, uint16_t flags,
                      uint32_t udp_payload, struct wall now, struct buf *reply)
{
    uint8_t wire[2 * MSG_UDP_MIN_OCTETS]; /* for two long names and a MAC */
    struct edns_reply opt = {.udp_size = (uint16_t)udp_payload, .dnssec_ok = q->edns.dnssec_ok};
    size_t len =
        msg_build_reply(wire, sizeof(wire), q, rcode, flags, q->edns.present ? &opt : NULL);

    if (len && tsig_sign_response(t, wire, &len, sizeof(wire), now))
        buf_put(reply, wire, len);
}

static void put_short(struct signed_query *s, uint16_t rcode, uint16_t flags, struct buf *reply)
{
    tsig_query_reply(&s->tsig, &s->q, rcode, flags, s->udp_payload, s->now, reply);
}

/* The ready answer with a signature; false if it has no room for one. */
static bool put_signed(struct signed_query *s, struct buf *reply)
{
    size_t start = reply->len;
    size_t len = s->m->answer_len;

    if (len > s->limit)
        return false;
    buf_put(reply, s->m->answer, len);
    (void)buf_space(reply, s->limit - len);
    if (!tsig_sign_response(&s->tsig, reply->data + start, &len, s->limit, s->now)) {
        reply->len = start;
        return false;
    }
    reply->len = start + len;
    return true;
}

static void put_answer(struct signed_query *s, struct buf *reply)
{
    const struct ho_frame *m = s->m;
    struct msg_layout answer;

    if (!m->answer_len || !msg_layout_read(&answer, m->answer, m->answer_len))
        put_short(s, RCODE_REFUSED, 0, reply);
    else if (!put_signed(s, reply))
        put_short(s, msg_rcode(&answer.header), (answer.header.flags & MSG_AA) | MSG_TC, reply);
}

/* Reads the query and checks its signature. False if the reply is made already. */
static bool begin(struct signed_query *s, const struct keyring *keys, struct buf *reply)
{
    const struct ho_frame *m = s->m;
    uint16_t rcode;
    int index;

    switch (query_parse(&s->q, m->wire, m->wire_len)) {
    case QUERY_DROP:
        return false;
    case QUERY_FORMERR:
        put_short(s, RCODE_FORMERR, 0, reply);
        return false;
    case QUERY_NOTIMP:
        put_short(s, RCODE_NOTIMP, 0, reply);
        return false;
    case QUERY_BADVERS:
    case QUERY_OK:
        break;
    }
    s->limit = reply_limit(s);
    rcode =
        tsig_rcode(keyring_verify(keys, &s->tsig, m->wire, m->wire_len, s->q.tsig, s->now, &index));
    if (rcode != RCODE_NOERROR)
        put_short(s, rcode, 0, reply);
    return rcode == RCODE_NOERROR;
}

static struct signed_query query_of(const struct ho_frame *m, uint32_t udp_payload, struct wall now)
{
    return (struct signed_query){.m = m, .udp_payload = (uint16_t)udp_payload, .now = now};
}

void tsig_query_answer(const struct keyring *keys, const struct ho_frame *m, uint32_t udp_payload,
                       struct wall now, struct buf *reply)
{
    struct signed_query s = query_of(m, udp_payload, now);

    if (begin(&s, keys, reply))
        put_answer(&s, reply);
    tsig_done(&s.tsig);
}

void tsig_query_refuse(const struct keyring *keys, const struct ho_frame *m, uint16_t rcode,
                       uint32_t udp_payload, struct wall now, struct buf *reply)
{
    struct signed_query s = query_of(m, udp_payload, now);

    if (begin(&s, keys, reply))
        put_short(&s, rcode, 0, reply);
    tsig_done(&s.tsig);
}
