/* IXFR by datagram (RFC 1995 2): what has room in one is sent, else the SOA, which says "come by
 * TCP".
 *
 * Only a signed request gets more than the SOA: an address alone may be forged, and the answer is
 * larger than the question.
 */
#include <stdlib.h>

#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "syncd/tsig_query.h"
#include "syncd/xfrout_internal.h"

#define AT_ONCE 64u /* more are told to come by TCP */
#define UDP_MIN 512u

/* Outlives the server, if that ends meanwhile. */
struct datagram {
    struct xfrout *server; /* NULL: gone; the pool does not look at it */
    struct datagram *prev, *next;
    struct front_later *later;
    struct loop *loop;
    struct keyring *keys;
    struct store_readers *readers; /* lent */
    struct xfrout_share *share;
    uint32_t udp_payload;

    char key[NAME_TEXT_MAX]; /* that signed it */
    struct buf wire, answer;
    struct ho_frame message; /* lends from these */
    struct query query;
    struct tsig tsig;
    struct xfrout_wish wish;
    struct xfrout_prepared result;
    struct xfrout_counts counts; /* of `reply` */
    struct mono began;
    struct buf reply;
};

static void datagram_free(struct datagram *d)
{
    if (d->result.content.zone)
        xfrout_share_end(d->share, d->result.content.zone);
    xfrout_content_done(&d->result.content);
    xfrout_share_unref(d->share);
    keyring_unref(d->keys);
    tsig_done(&d->tsig);
    buf_free(&d->wire);
    buf_free(&d->answer);
    buf_free(&d->reply);
    free(d);
}

static void unlink_datagram(struct datagram *d)
{
    struct xfrout *x = d->server;

    if (!x)
        return;
    if (d->prev)
        d->prev->next = d->next;
    else
        x->datagrams = d->next;
    if (d->next)
        d->next->prev = d->prev;
    x->datagram_count--;
}

void xfrout_datagrams_end(struct xfrout *x)
{
    for (struct datagram *d = x->datagrams; d; d = d->next)
        d->server = NULL;
    x->datagrams = NULL;
}

static size_t limit_of(const struct datagram *d)
{
    size_t limit = d->query.edns.present ? d->query.edns.udp_size : UDP_MIN;

    if (limit > d->udp_payload)
        limit = d->udp_payload;
    return limit < UDP_MIN ? UDP_MIN : limit;
}

/* The whole answer, if it is one message that has room in the datagram. */
static bool make_reply(struct datagram *d)
{
    struct wall now = clock_wall(loop_clock(d->loop));
    struct xfrout_stream *s;
    uint8_t *out = xmalloc(MSG_MAX_OCTETS);
    size_t len = 0, more = 0;
    bool ok;

    s = xfrout_stream_new(&d->result.content, &d->query, &d->tsig);
    ok = xfrout_stream_next(s, out, &len, now, NULL) == OK && len > 0 && len <= limit_of(d);
    if (ok) {
        buf_put(&d->reply, out, len);
        ok = xfrout_stream_next(s, out, &more, now, NULL) == OK && more == 0;
    }
    d->counts = xfrout_stream_counts(s);
    xfrout_stream_free(s);
    free(out);
    return ok;
}

static void log_sent(const struct datagram *d)
{
    char zone[NAME_TEXT_MAX], client[ADDR_TEXT_MAX];

    (void)name_to_text(zone, d->query.qname);
    addr_to_text(client, &d->message.source);
    log_info(say("a zone is sent"), kv_str("zone", zone), kv_str("client", client),
             kv_str("transport", "udp"), kv_str("key", d->key), kv_str("kind", "ixfr"),
             kv_u64("from", d->wish.have.v), kv_u64("to", d->result.serial.v),
             kv_u64("records", d->counts.records), kv_u64("messages", 1),
             kv_u64("octets", d->reply.len),
             kv_i64("ms", clock_mono(loop_clock(d->loop)).ms - d->began.ms));
}

/* In the pool. */
static void work(void *ctx)
{
    struct datagram *d = ctx;

    xfrout_prepare(&d->result, &d->wish, d->share, d->readers);
}

static void worked(void *ctx)
{
    struct datagram *d = ctx;

    unlink_datagram(d);
    if (d->result.rcode == RCODE_NOERROR && d->result.content.kind == XFROUT_IXFR &&
        make_reply(d)) {
        if (d->server)
            xfrout_count_sent(d->server, XFROUT_IXFR, RR_IXFR, d->reply.len);
        log_sent(d);
    } else {
        d->reply.len = 0;
        tsig_query_answer(d->keys, &d->message, d->udp_payload, clock_wall(loop_clock(d->loop)),
                          &d->reply);
    }
    front_answer(d->later, d->reply.data, d->reply.len);
    datagram_free(d);
}

static void lend(struct buf *copy, const uint8_t **p, uint32_t len)
{
    buf_put(copy, *p, len);
    *p = copy->data;
}

static void begin(struct xfrout *x, const struct ho_frame *m, const struct query *q,
                  struct tsig *tsig, struct serial have)
{
    struct datagram *d = xcalloc(1, sizeof(*d));

    d->server = x;
    d->later = x->later(x->ctx);
    d->loop = x->loop;
    d->began = clock_mono(loop_clock(x->loop));
    d->keys = keyring_ref(x->keys);
    d->readers = x->readers;
    d->share = xfrout_share_ref(x->share);
    d->udp_payload = x->config->udp_payload;
    d->message = *m;
    d->message.identity = NULL;
    d->message.identity_len = 0;
    lend(&d->wire, &d->message.wire, m->wire_len);
    if (m->answer_len)
        lend(&d->answer, &d->message.answer, m->answer_len);
    d->query = *q;
    d->tsig = *tsig;
    *tsig = (struct tsig){.key = NULL};
    (void)name_to_text(d->key, tsig_key_name(d->tsig.key));
    d->wish = (struct xfrout_wish){.qtype = RR_IXFR, .have = have};
    (void)name_copy(d->wish.zone, q->qname);
    d->next = x->datagrams;
    if (d->next)
        d->next->prev = d;
    x->datagrams = d;
    x->datagram_count++;
    loop_work(d->loop, work, worked, d);
}

/* Signed well, and with a serial to start from: false if the ready SOA is the answer. */
static bool take(struct xfrout *x, const struct ho_frame *m, const struct query *q)
{
    struct wall now = clock_wall(loop_clock(x->loop));
    struct tsig tsig = {.key = NULL};
    struct serial have;
    int key;
    bool ok;

    if (!q->tsig || m->transport != HO_UDP || x->datagram_count >= AT_ONCE ||
        !xfrout_have(&have, q, m->wire, m->wire_len))
        return false;
    ok = keyring_verify(x->keys, &tsig, m->wire, m->wire_len, q->tsig, now, &key) == TSIG_OK;
    if (ok)
        begin(x, m, q, &tsig, have);
    tsig_done(&tsig);
    return ok;
}

bool xfrout_datagram(struct xfrout *x, const struct ho_frame *m, struct buf *reply)
{
    struct access_client who = {.source = m->source, .transport = m->transport, .key = -1};
    struct wall now = clock_wall(loop_clock(x->loop));
    struct tsig_rr rr;
    struct query q;
    struct errinfo e;

    if (query_parse(&q, m->wire, m->wire_len) != QUERY_OK || q.opcode != OPCODE_QUERY ||
        q.qtype != RR_IXFR)
        return false;
    /* Whether it really signed is looked at below, before anything is said. */
    if (q.tsig && tsig_read(&rr, m->wire, m->wire_len, q.tsig))
        (void)keyring_find(x->keys, rr.key_name, &who.key);
    if (access_may(x->config, x->section(x->ctx, q.qname), ACCESS_TRANSFER, &who, NULL, &e) != OK) {
        x->totals.refused++;
        tsig_query_refuse(x->keys, m, RCODE_REFUSED, x->config->udp_payload, now, reply);
    } else if (!take(x, m, &q)) {
        tsig_query_answer(x->keys, m, x->config->udp_payload, now, reply);
    }
    return true;
}
