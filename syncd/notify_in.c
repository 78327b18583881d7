#include "syncd/notify_in.h"

#include <stdlib.h>

#include "lib/base/mem.h"
#include "lib/dns/message_build.h"
#include "lib/dns/query.h"
#include "syncd/sched.h"

#define REPLY_MAX 1024 /* header, question, OPT and TSIG always fit */

/* ---- Limits ---- */

#define LIMITER_SLOTS 4096
#define STRANGER_RATE 20
#define PRIMARY_RATE 1000

/* Two sources that fall into one slot share its allowance; the key makes that chance. */
struct notify_limiter {
    uint8_t key[16];
    struct token_bucket buckets[2][LIMITER_SLOTS];
};

struct notify_limiter *notify_limiter_new(const uint8_t key[16])
{
    struct notify_limiter *l = xcalloc(1, sizeof(*l));

    for (size_t i = 0; i < sizeof(l->key); i++)
        l->key[i] = key[i];
    return l;
}

void notify_limiter_free(struct notify_limiter *l)
{
    free(l);
}

/* An address as a name of one label, for the keyed hash that names have. */
static size_t slot_of(const struct notify_limiter *l, const struct addr *a)
{
    uint8_t name[2 + 2 * sizeof(a->ip)] = {2 * sizeof(a->ip)};

    /* In halves, since the hash folds letters. */
    for (size_t i = 0; i < sizeof(a->ip); i++) {
        name[1 + 2 * i] = a->ip[i] >> 4;
        name[2 + 2 * i] = a->ip[i] & 15;
    }
    return name_hash(name, l->key) % LIMITER_SLOTS;
}

bool notify_limiter_take(struct notify_limiter *l, const struct addr *source, bool known,
                         struct mono now)
{
    struct token_bucket *b = &l->buckets[known][slot_of(l, source)];
    uint32_t rate = known ? PRIMARY_RATE : STRANGER_RATE;

    if (b->rate == 0)
        token_bucket_init(b, rate, rate, now);
    return token_bucket_take(b, now);
}

/* ---- The message ---- */

/* One on its way. */
struct notice {
    const struct notify_env *env;
    const struct ho_frame *m;
    struct query q;
    struct tsig tsig;
    struct tls_identity identity;
    struct notify_result *out;
};

static uint16_t verdict_is(struct notice *n, enum notify_verdict verdict, uint16_t rcode,
                           const char *why)
{
    n->out->verdict = verdict;
    (void)err_set(ERR_DENIED, &n->out->why, "%s", why);
    return rcode;
}

/* The serial in the answer section, if there is one. False if what is there is no SOA. */
static bool read_hint(struct notice *n)
{
    struct reader r = {.msg = n->m->wire, .pos = n->q.answer, .end = n->m->wire_len};
    struct buf rdata = BUF_INIT;
    struct msg_rr rr;
    struct soa soa;
    bool ok;

    if (n->q.answer_count == 0)
        return true;
    ok = msg_read_rr(&rr, &r) && rr.type == RR_SOA && rr.rclass == CLASS_IN &&
         name_eq(rr.owner, n->q.qname) &&
         rdata_read(&rdata, &rr.rdata, RR_SOA, rr.rdlen, NULL) == OK &&
         soa_parse(&soa, rdata.data, rdata.len);
    if (ok) {
        n->out->has_serial = true;
        n->out->serial = soa.serial;
    }
    buf_free(&rdata);
    return ok;
}

/* Its signature has been looked at. */
static struct access_client client_of(const struct notice *n)
{
    return (struct access_client){.source = n->m->source,
                                  .transport = n->m->transport,
                                  .key = n->out->key,
                                  .identity = &n->identity};
}

/* A zone that we don't have with primaries. */
static uint16_t judge_unknown(struct notice *n)
{
    struct access_client who = client_of(n);
    struct errinfo e;

    if (n->env->may_appear(n->env->ctx, n->q.qname, &who, &e) != OK)
        return verdict_is(n, NOTIFY_NOT_OURS, RCODE_NOTAUTH, e.text);
    n->out->verdict = NOTIFY_NEW_ZONE;
    return RCODE_NOERROR;
}

/* The rcode to answer with; sets the verdict. */
static uint16_t judge(struct notice *n)
{
    const struct config_zone *z;
    struct access_client who;
    struct errinfo e;
    enum tsig_outcome signature;

    if (n->q.opcode != OPCODE_NOTIFY || n->q.qtype != RR_SOA)
        return verdict_is(n, NOTIFY_MALFORMED, RCODE_FORMERR, "it is not about a SOA");
    signature = keyring_verify(n->env->keys, &n->tsig, n->m->wire, n->m->wire_len, n->q.tsig,
                               n->env->now, &n->out->key);
    if (signature == TSIG_FORMERR)
        return verdict_is(n, NOTIFY_MALFORMED, RCODE_FORMERR, "its TSIG is malformed");
    if (signature != TSIG_OK && signature != TSIG_MISSING)
        return verdict_is(n, NOTIFY_BAD_TSIG, RCODE_NOTAUTH, tsig_outcome_text(signature));
    if (n->q.qclass != CLASS_IN)
        return verdict_is(n, NOTIFY_REFUSED, RCODE_REFUSED, "its class is not IN");
    if (!read_hint(n))
        return verdict_is(n, NOTIFY_MALFORMED, RCODE_FORMERR,
                          "what it brings is no SOA of the zone");
    if (!(z = n->env->find(n->env->ctx, n->q.qname)))
        return judge_unknown(n);
    who = client_of(n);
    if (access_may(n->env->config, z, ACCESS_NOTIFY, &who, &n->out->primary, &e) != OK)
        return verdict_is(n, NOTIFY_REFUSED, RCODE_REFUSED, e.text);
    n->out->verdict = NOTIFY_ACCEPTED;
    return RCODE_NOERROR;
}

static void put_reply(struct notice *n, uint16_t rcode, struct buf *reply)
{
    uint8_t wire[REPLY_MAX];
    struct edns_reply opt = {.udp_size = (uint16_t)n->env->config->udp_payload,
                             .dnssec_ok = n->q.edns.dnssec_ok};
    bool good = n->out->verdict == NOTIFY_ACCEPTED || n->out->verdict == NOTIFY_NEW_ZONE;
    uint16_t flags = good ? MSG_AA : 0;
    size_t len =
        msg_build_reply(wire, sizeof(wire), &n->q, rcode, flags, n->q.edns.present ? &opt : NULL);

    if (len && tsig_sign_response(&n->tsig, wire, &len, sizeof(wire), n->env->now))
        buf_put(reply, wire, len);
}

void notify_in(struct notify_result *out, const struct notify_env *env, const struct ho_frame *m,
               struct buf *reply)
{
    struct notice n = {.env = env, .m = m, .out = out};
    uint16_t rcode = RCODE_NOERROR;

    *out = (struct notify_result){.primary = -1, .key = -1};
    ho_identity(&n.identity, m);
    switch (query_parse(&n.q, m->wire, m->wire_len)) {
    case QUERY_DROP:
        (void)verdict_is(&n, NOTIFY_DROPPED, 0, "it is no request");
        return;
    case QUERY_FORMERR:
        rcode = verdict_is(&n, NOTIFY_MALFORMED, RCODE_FORMERR, "it is malformed");
        break;
    case QUERY_NOTIMP:
        rcode = verdict_is(&n, NOTIFY_MALFORMED, RCODE_NOTIMP, "its opcode is unknown");
        break;
    case QUERY_BADVERS:
        rcode = verdict_is(&n, NOTIFY_MALFORMED, RCODE_BADVERS, "its EDNS version is unknown");
        break;
    case QUERY_OK:
        rcode = judge(&n);
        break;
    }
    if (n.q.has_question) {
        out->has_zone = true;
        (void)name_copy(out->zone, n.q.qname);
    }
    put_reply(&n, rcode, reply);
    tsig_done(&n.tsig);
}
