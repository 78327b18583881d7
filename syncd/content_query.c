#include "syncd/content_query.h"

#include <stdlib.h>

#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/dns/content_query.h"
#include "lib/dns/msgwriter.h"
#include "syncd/access.h"
#include "syncd/content_id.h"
#include "syncd/tsig_query.h"

#define AT_ONCE 16u

/* One on its way: loop thread, pool, loop thread. */
struct asked {
    struct content_queries *server;
    struct front_later *later;
    struct keyring *keys;
    uint32_t udp_payload;
    struct query query;
    struct buf wire;
    struct ho_frame message; /* lends from it */

    enum err rc;
    struct content_id id;
};

/* ---- The answer ---- */

/* 512 octets have room for the longest name twice, and the record. */
static size_t put_answer(uint8_t out[MSG_UDP_MIN_OCTETS], const struct query *q,
                         const struct content_id *id, uint32_t udp_payload)
{
    struct edns_reply opt = {.udp_size = (uint16_t)udp_payload, .dnssec_ok = q->edns.dnssec_ok};
    struct content_answer a = {.serial = id->serial, .version = id->version};
    struct buf rdata = BUF_INIT;
    struct msg_writer *w = xcalloc(1, sizeof(*w));
    struct rr rr = {.owner = q->qname_raw, .type = RR_TXT, .rclass = CLASS_CH};
    size_t len = 0;

    journal_oid_hex(a.id, &id->id);
    content_answer_put(&rdata, &a);
    rr.rdata = rdata.data;
    rr.rdata_len = (uint16_t)rdata.len;
    msgw_init(w);
    msgw_begin(w, out, MSG_UDP_MIN_OCTETS, q->id,
               (uint16_t)(MSG_QR | MSG_AA | (q->flags & MSG_RD)));
    if (msgw_question(w, q->qname_raw, q->qtype, q->qclass) && msgw_rr(w, SECTION_ANSWER, &rr) &&
        (!q->edns.present || msgw_opt(w, &opt, RCODE_NOERROR)))
        len = msgw_finish(w);
    buf_free(&rdata);
    free(w);
    return len;
}

static void put_reply(const struct asked *a, struct buf *reply)
{
    struct wall now = clock_wall(loop_clock(a->server->loop));
    uint8_t answer[MSG_UDP_MIN_OCTETS];
    struct ho_frame m = a->message;

    if (a->rc == OK)
        m.answer_len = (uint32_t)put_answer(answer, &a->query, &a->id, a->udp_payload);
    m.answer = answer;
    if (a->rc == OK && m.answer_len)
        tsig_query_answer(a->keys, &m, a->udp_payload, now, reply);
    else
        tsig_query_refuse(a->keys, &m, a->rc == ERR_NOT_FOUND ? RCODE_REFUSED : RCODE_SERVFAIL,
                          a->udp_payload, now, reply);
}

/* ---- Its way ---- */

/* In the pool. */
static void work(void *ctx)
{
    struct asked *a = ctx;
    struct store *s = NULL;
    struct errinfo e = {0};

    a->rc = store_readers_take(a->server->readers, &s, &e);
    if (a->rc == OK)
        a->rc = content_id_get(&a->id, s, name_parent(a->query.qname), false, &e);
    if (s)
        store_readers_give(a->server->readers, s, a->rc == ERR_NOT_FOUND ? OK : a->rc);
    if (a->rc && a->rc != ERR_NOT_FOUND)
        log_warning(say("a zone's content id cannot be told"), kv_err(&e));
}

static void worked(void *ctx)
{
    struct asked *a = ctx;
    struct buf reply = BUF_INIT;

    a->server->busy--;
    put_reply(a, &reply);
    front_answer(a->later, reply.data, reply.len);
    buf_free(&reply);
    keyring_unref(a->keys);
    buf_free(&a->wire);
    free(a);
}

static void begin(struct content_queries *s, const struct private_query_env *env,
                  const struct ho_frame *m, const struct query *q)
{
    struct asked *a = xcalloc(1, sizeof(*a));

    a->server = s;
    a->later = front_later(s->front);
    a->keys = keyring_ref(env->keys);
    a->udp_payload = env->config->udp_payload;
    a->query = *q;
    a->message = *m;
    a->message.identity = NULL;
    a->message.identity_len = 0;
    a->message.answer = NULL;
    a->message.answer_len = 0;
    buf_put(&a->wire, m->wire, m->wire_len);
    a->message.wire = a->wire.data;
    s->busy++;
    loop_work(s->loop, work, worked, a);
}

/* What is claimed by a key must be proven before any work is done for it. */
static bool is_proven(const struct private_query_env *env, const struct ho_frame *m,
                      const struct query *q, struct access_client *who)
{
    struct tsig tsig = {.key = NULL};
    enum tsig_outcome outcome =
        keyring_verify(env->keys, &tsig, m->wire, m->wire_len, q->tsig, env->now, &who->key);

    tsig_done(&tsig);
    return outcome == TSIG_OK || outcome == TSIG_MISSING;
}

bool content_query(struct content_queries *s, const struct private_query_env *env,
                   const struct ho_frame *m, struct buf *reply)
{
    struct tls_identity identity;
    struct access_client who = {
        .source = m->source, .transport = m->transport, .key = -1, .identity = &identity};
    uint32_t udp_payload = env->config->udp_payload;
    struct query q;

    if (query_parse(&q, m->wire, m->wire_len) != QUERY_OK || q.opcode != OPCODE_QUERY ||
        !content_query_is(&q))
        return false;
    ho_identity(&identity, m);
    if (!is_proven(env, m, &q, &who) ||
        access_may(env->config, env->section(env->ctx, name_parent(q.qname)), ACCESS_TRANSFER, &who,
                   NULL, NULL) != OK)
        tsig_query_refuse(env->keys, m, RCODE_REFUSED, udp_payload, env->now, reply);
    else if (s->busy >= AT_ONCE)
        tsig_query_refuse(env->keys, m, RCODE_SERVFAIL, udp_payload, env->now, reply);
    else
        begin(s, env, m, &q);
    return true;
}
