#include "syncd/updates.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/dns/namemap.h"
#include "syncd/access.h"
#include "syncd/sched.h"
#include "syncd/tsig_query.h"
#include "syncd/update.h"
#include "syncd/update_forward.h"

#define TRIES_MAX 5 /* of one that meets somebody else's change again and again */

/* Those of one zone; there as long as it has any. */
struct queue {
    uint8_t zone[NAME_MAX_OCTETS];
    struct job *first, *last; /* the first one is at work */
    unsigned count;
    struct queue *next, **at;
};

struct updates {
    struct updates_ops ops;
    struct store_readers *readers; /* lent */
    struct config *config;
    struct keyring *keys;
    struct namemap zones; /* name -> queue */
    struct queue *queues;
    unsigned count;
    struct token_bucket denials; /* lines of the log */
    struct forwarder *forwarder;
    loop_fn *over; /* once it is closed; NULL: it is open */
    void *over_ctx;
};

struct job {
    struct updates *owner; /* NULL: gone */
    struct queue *queue;
    struct job *next;
    struct front_later *later;

    struct config *config;             /* a reference, */
    const struct config_zone *section; /* and of it */
    struct access_client who;
    struct tls_identity identity; /* of it */
    struct query q;
    struct tsig tsig;
    uint8_t *wire;
    size_t len;
    struct mono began;
    unsigned tries;
    bool forward; /* for its primary, not for us */

    /* What the pool works out. */
    struct store_readers *readers; /* lent */
    struct zone_cache *cache;
    enum err rc; /* of reading the store */
    struct errinfo error;
    struct store_zone row;
    struct zone *base;
    struct update_result result;
};

struct updates *updates_new(const struct updates_ops *ops, struct config *config,
                            struct keyring *keys)
{
    struct updates *u = xcalloc(1, sizeof(*u));

    u->ops = *ops;
    u->readers = ops->readers;
    u->config = config_ref(config);
    u->keys = keyring_ref(keys);
    namemap_init(&u->zones, clock_real());
    u->forwarder = forwarder_new(ops->loop);
    token_bucket_init(&u->denials, 10, 100, clock_mono(loop_clock(ops->loop)));
    return u;
}

void updates_reload(struct updates *u, struct config *config, struct keyring *keys)
{
    struct config *was = u->config;

    u->config = config_ref(config);
    config_unref(was);
    keyring_unref(u->keys);
    u->keys = keyring_ref(keys);
}

static void results_done(struct job *j)
{
    update_result_done(&j->result);
    zone_unref(j->base);
    j->base = NULL;
}

static void job_free(struct job *j)
{
    results_done(j);
    tsig_done(&j->tsig);
    config_unref(j->config);
    free(j->wire);
    free(j);
}

void updates_free(struct updates *u)
{
    if (!u)
        return;
    while (u->queues) {
        struct queue *q = u->queues;
        bool at_work = true; /* the first one ends when its work does */

        while (q->first) {
            struct job *j = q->first;

            q->first = j->next;
            front_answer(j->later, NULL, 0);
            j->later = NULL;
            j->owner = NULL;
            if (!at_work)
                job_free(j);
            at_work = false;
        }
        u->queues = q->next;
        free(q);
    }
    forwarder_free(u->forwarder);
    namemap_done(&u->zones);
    config_unref(u->config);
    keyring_unref(u->keys);
    free(u);
}

/* ---- The answer ---- */

static void log_denied(struct updates *u, const struct query *q, const struct access_client *who,
                       uint16_t rcode, const struct errinfo *e)
{
    char zone[NAME_TEXT_MAX], client[ADDR_TEXT_MAX], text[RCODE_TEXT_MAX];
    char shown[ACCESS_CLIENT_TEXT_MAX];

    if (!token_bucket_take(&u->denials, clock_mono(loop_clock(u->ops.loop))))
        return;
    (void)name_to_text(zone, q->qname);
    addr_to_text(client, &who->source);
    access_client_text(shown, who);
    rcode_to_text(text, rcode);
    log_warning(say("an update is refused"), kv_str("zone", zone), kv_str("client", client),
                kv_str("transport", access_transport_text(who->transport)),
                kv_str("certificate", shown[0] ? shown : NULL), kv_str("rcode", text), kv_err(e));
}

static void log_done(const struct job *j, const struct changeset *cs)
{
    char zone[NAME_TEXT_MAX], client[ADDR_TEXT_MAX], shown[ACCESS_CLIENT_TEXT_MAX];

    (void)name_to_text(zone, j->q.qname);
    addr_to_text(client, &j->who.source);
    access_client_text(shown, &j->who);
    log_info(say("a zone is changed by an update"), kv_str("zone", zone), kv_str("client", client),
             kv_str("transport", access_transport_text(j->who.transport)),
             kv_str("certificate", shown[0] ? shown : NULL),
             kv_str("key", j->who.key >= 0 ? j->config->keys[j->who.key].name : NULL),
             kv_u64("from", cs->from.v), kv_u64("to", cs->to.v), kv_u64("added", cs->added.n),
             kv_u64("removed", cs->removed.n),
             kv_i64("ms", clock_mono(loop_clock(j->owner->ops.loop)).ms - j->began.ms));
}

static void start_work(struct job *j);

static void answer(struct job *j, uint16_t rcode)
{
    struct updates *u = j->owner;
    struct buf reply = BUF_INIT;

    tsig_query_reply(&j->tsig, &j->q, rcode, 0, u->config->udp_payload,
                     clock_wall(loop_clock(u->ops.loop)), &reply);
    front_answer(j->later, reply.data, reply.len);
    buf_free(&reply);
    u->count--;
    j->queue->count--;
}

static void queue_end(struct updates *u, struct queue *q)
{
    namemap_remove(&u->zones, q->zone);
    *q->at = q->next;
    if (q->next)
        q->next->at = q->at;
    free(q);
}

/* The job at the head of its queue is over. */
static void finish(struct job *j, uint16_t rcode)
{
    struct updates *u = j->owner;
    struct queue *q = j->queue;

    answer(j, rcode);
    q->first = j->next;
    job_free(j);
    if (q->first)
        start_work(q->first);
    else
        queue_end(u, q);
    if (u->over && u->count == 0)
        u->over(u->over_ctx);
}

/* ---- The end ---- */

/* All of a queue but the first one, which is at work. */
static void turn_away_waiting(struct queue *q)
{
    while (q->first->next) {
        struct job *j = q->first->next;

        q->first->next = j->next;
        answer(j, RCODE_SERVFAIL);
        job_free(j);
    }
    q->last = q->first;
}

bool updates_close(struct updates *u, loop_fn *over, void *ctx)
{
    u->over = over;
    u->over_ctx = ctx;
    for (struct queue *q = u->queues; q; q = q->next)
        turn_away_waiting(q);
    forwarder_close(u->forwarder);
    return u->count == 0;
}

/* ---- The work ---- */

static bool may(void *ctx, const uint8_t *owner, uint16_t type)
{
    const struct job *j = ctx;

    return access_update_record(j->config, j->section, &j->who, j->q.qname, owner, type);
}

static enum err load(struct job *j, struct store *s)
{
    enum err rc = store_zone_get(s, j->q.qname, &j->row, &j->error);

    if (rc)
        return rc;
    if (j->row.kind != ZONE_LOCAL || j->row.removed || !j->row.has_content)
        return err_set(ERR_NOT_FOUND, &j->error, "it is not a zone of our own");
    j->base = zone_cache_get(j->cache, j->q.qname, j->row.seq);
    return j->base ? OK : store_zone_load(&j->base, s, &j->row, &j->error);
}

/* In a thread of the pool, which has the job to itself. */
static void work(void *ctx)
{
    struct job *j = ctx;
    struct store *s = NULL;
    struct zone_limits limits = {.max_bytes = j->config->max_zone_bytes,
                                 .max_records = j->config->max_zone_records,
                                 .max_rrset = j->config->max_rrset_records,
                                 .max_types = j->config->max_owner_types};

    if ((j->rc = store_readers_take(j->readers, &s, &j->error)))
        return;
    if (!(j->rc = store_read_begin(s, &j->error))) {
        j->rc = load(j, s);
        store_read_end(s);
    }
    store_readers_give(j->readers, s, j->rc);
    if (!j->rc)
        update_apply(&j->result, j->base, j->wire, j->len, &limits, may, j);
}

static void set_origin(struct origin *o, const struct job *j)
{
    _Static_assert(sizeof(o->source) >= ACCESS_CLIENT_TEXT_MAX, "no name is cut");

    o->kind = ORIGIN_UPDATE;
    addr_to_text(o->who, &j->who.source);
    if (j->who.key >= 0)
        (void)snprintf(o->key, sizeof(o->key), "%s", j->config->keys[j->who.key].name);
    access_client_text(o->source, &j->who);
    (void)snprintf(o->transport, sizeof(o->transport), "%s",
                   access_transport_text(j->who.transport));
}

static void on_committed(void *ctx, struct commit_job *commit)
{
    struct job *j = ctx;

    if (!j->owner) {
        job_free(j);
        return;
    }
    if (commit->rc == ERR_CONFLICT && ++j->tries < TRIES_MAX && !j->owner->over) {
        start_work(j);
        return;
    }
    if (commit->rc) {
        log_denied(j->owner, &j->q, &j->who, RCODE_SERVFAIL, &commit->error);
        finish(j, RCODE_SERVFAIL);
        return;
    }
    zone_cache_put(j->cache, commit->new_zone, commit->row.seq);
    j->owner->ops.changed(j->owner->ops.ctx, &commit->row);
    log_done(j, commit->changes);
    finish(j, RCODE_NOERROR);
}

static void commit(struct job *j)
{
    struct commit_job *c = commit_job_new(COMMIT_CHANGE, &j->row);

    c->old_zone = j->base;
    c->new_zone = j->result.next;
    c->changes = j->result.changes;
    j->base = NULL;
    j->result = (struct update_result){.next = NULL};
    set_origin(&c->origin, j);
    c->done = on_committed;
    c->ctx = j;
    j->owner->ops.commit(j->owner->ops.ctx, c);
}

static void worked(void *ctx)
{
    struct job *j = ctx;

    if (!j->owner) {
        job_free(j);
        return;
    }
    if (j->rc) {
        uint16_t rcode = j->rc == ERR_NOT_FOUND ? RCODE_NOTAUTH : RCODE_SERVFAIL;

        log_denied(j->owner, &j->q, &j->who, rcode, &j->error);
        finish(j, rcode);
    } else if (j->result.rcode != RCODE_NOERROR) {
        log_denied(j->owner, &j->q, &j->who, j->result.rcode, &j->result.error);
        finish(j, j->result.rcode);
    } else if (!j->result.next) {
        finish(j, RCODE_NOERROR);
    } else if (j->owner->over) {
        finish(j, RCODE_SERVFAIL);
    } else {
        commit(j);
    }
}

static void start_work(struct job *j)
{
    results_done(j);
    loop_work(j->owner->ops.loop, work, worked, j);
}

/* ---- A message ---- */

static struct queue *queue_of(struct updates *u, const uint8_t *zone)
{
    struct queue *q = namemap_get(&u->zones, zone);

    if (q)
        return q;
    q = xcalloc(1, sizeof(*q));
    (void)name_copy(q->zone, zone);
    q->next = u->queues;
    q->at = &u->queues;
    if (q->next)
        q->next->at = &q->next;
    u->queues = q;
    namemap_put(&u->zones, q->zone, q);
    return q;
}

static void enqueue(struct updates *u, struct job *j)
{
    struct queue *q = queue_of(u, j->q.qname);

    j->queue = q;
    u->count++;
    q->count++;
    if (q->first)
        q->last->next = j;
    else
        q->first = j;
    q->last = j;
    if (q->first == j)
        start_work(j);
}

static bool has_room(struct updates *u, const uint8_t *zone)
{
    const struct queue *q = namemap_get(&u->zones, zone);

    return u->count < UPDATES_MAX && (!q || q->count < UPDATES_PER_ZONE_MAX);
}

/* For a zone of somebody else. */
static uint16_t look_at_forward(struct updates *u, struct job *j)
{
    if (!j->section->forward_updates) {
        (void)err_set(ERR_DENIED, &j->error, "the zone is changed at its primaries, not here");
        return RCODE_REFUSED;
    }
    if (!j->q.tsig) {
        (void)err_set(ERR_DENIED, &j->error, "only signed updates are passed on");
        return RCODE_REFUSED;
    }
    if (!forwarder_has_room(u->forwarder)) {
        (void)err_set(ERR_BUSY, &j->error, "too many updates are being passed on");
        return RCODE_SERVFAIL;
    }
    j->forward = true;
    return RCODE_NOERROR;
}

/* What is wrong with it before anything is looked up. */
static uint16_t first_look(struct updates *u, struct job *j)
{
    struct store_zone row;
    uint16_t rcode;

    if (j->q.qclass != CLASS_IN || j->q.qtype != RR_SOA) {
        (void)err_set(ERR_FORMAT, &j->error, "the zone section is not one SOA of class IN");
        return RCODE_FORMERR; /* RFC 2136 3.1.1 */
    }
    if (u->over) {
        (void)err_set(ERR_BUSY, &j->error, "the service is stopping");
        return RCODE_SERVFAIL;
    }
    j->section = u->ops.section(u->ops.ctx, j->q.qname);
    if (!u->ops.row(u->ops.ctx, j->q.qname, &row) || row.removed) {
        (void)err_set(ERR_NOT_FOUND, &j->error, "there is no such zone");
        return RCODE_NOTAUTH;
    }
    if (row.kind == ZONE_SECONDARY && j->section && j->section->primary_count > 0)
        return look_at_forward(u, j);
    rcode = tsig_rcode(keyring_verify(u->keys, &j->tsig, j->wire, j->len, j->q.tsig,
                                      clock_wall(loop_clock(u->ops.loop)), &j->who.key));
    if (rcode != RCODE_NOERROR) {
        (void)err_set(ERR_DENIED, &j->error, "its signature is not good");
        return rcode;
    }
    if (access_may(u->config, j->section, ACCESS_UPDATE, &j->who, NULL, &j->error) != OK)
        return RCODE_REFUSED;
    if (!has_room(u, j->q.qname)) {
        (void)err_set(ERR_BUSY, &j->error, "too many updates are waiting");
        return RCODE_SERVFAIL;
    }
    return RCODE_NOERROR;
}

static void pass_on(struct updates *u, struct job *j, const struct ho_frame *m)
{
    struct buf servfail = BUF_INIT;

    tsig_query_reply(&j->tsig, &j->q, RCODE_SERVFAIL, 0, u->config->udp_payload,
                     clock_wall(loop_clock(u->ops.loop)), &servfail);
    forwarder_pass(u->forwarder, m, j->config, u->keys, j->section, servfail.data, servfail.len,
                   u->ops.later(u->ops.ctx));
    buf_free(&servfail);
    job_free(j);
}

void updates_message(struct updates *u, const struct ho_frame *m, struct buf *reply)
{
    struct job *j = xcalloc(1, sizeof(*j));
    uint16_t rcode = RCODE_FORMERR;

    *j = (struct job){.owner = u,
                      .config = config_ref(u->config),
                      .who = {.source = m->source, .transport = m->transport, .key = -1},
                      .wire = xmemdup(m->wire, m->wire_len),
                      .len = m->wire_len,
                      .began = clock_mono(loop_clock(u->ops.loop)),
                      .readers = u->readers,
                      .cache = u->ops.cache};
    ho_identity(&j->identity, m);
    j->who.identity = &j->identity;
    switch (query_parse(&j->q, j->wire, j->len)) {
    case QUERY_DROP:
    case QUERY_NOTIMP:
        job_free(j);
        return;
    case QUERY_BADVERS:
        rcode = RCODE_BADVERS;
        break;
    case QUERY_FORMERR:
        (void)err_set(ERR_FORMAT, &j->error, "the message is broken");
        break;
    case QUERY_OK:
        rcode = first_look(u, j);
        break;
    }
    if (rcode == RCODE_NOERROR && j->forward) {
        pass_on(u, j, m);
        return;
    }
    if (rcode == RCODE_NOERROR) {
        j->later = u->ops.later(u->ops.ctx);
        enqueue(u, j);
        return;
    }
    log_denied(u, &j->q, &j->who, rcode, &j->error);
    tsig_query_reply(&j->tsig, &j->q, rcode, 0, u->config->udp_payload,
                     clock_wall(loop_clock(u->ops.loop)), reply);
    job_free(j);
}
