#include "authd/worker.h"

#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "authd/grace.h"
#include "authd/listen.h"
#include "authd/worker_internal.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"

/* ---- A message, however it came ---- */

static enum counted_way way_of(const struct addr *source, enum ho_transport t)
{
    switch (t) {
    case HO_UDP:
        return source->family == 6 ? WAY_UDP6 : WAY_UDP4;
    case HO_TCP:
        return WAY_TCP;
    case HO_TLS:
        break;
    }
    return WAY_TLS;
}

static void count_handed(struct worker *w)
{
    const struct query *q = &w->answerer->query;

    if (q->opcode == OPCODE_NOTIFY)
        count_one(&w->counters->handed_notify);
    else if (q->opcode == OPCODE_UPDATE)
        count_one(&w->counters->handed_update);
    else
        count_one(&w->counters->handed_signed);
}

/* Passes the message to syncd, with its ready answer if it has one. */
static bool hand_over(struct worker *w, const struct message *m, const uint8_t *answer,
                      size_t answer_len, const uint8_t *servfail, size_t servfail_len)
{
    struct ho_frame f = {.type = HO_MESSAGE,
                         .transport = m->back->transport,
                         .source = m->source,
                         .destination = m->destination,
                         .identity = m->identity ? m->identity->data : NULL,
                         .identity_len = m->identity ? (uint32_t)m->identity->len : 0,
                         .wire = m->wire,
                         .wire_len = (uint32_t)m->len,
                         .answer = answer_len ? answer : NULL,
                         .answer_len = (uint32_t)answer_len};

    count_handed(w);
    return handover_client_ask(w->handover, &f, m->back, servfail, servfail_len);
}

static struct zone_counters *zone_counters_of(const struct worker *w)
{
    const struct served_zone *z = w->answerer->served;

    return z && z->slot != STATS_NO_ZONE ? stats_zone(w->shared->stats, w->seat, z->slot) : NULL;
}

static void count_cookie(struct counters *c, enum cookie_state cookie)
{
    switch (cookie) {
    case COOKIE_NONE:
        break;
    case COOKIE_CLIENT:
        count_one(&c->cookies_new);
        break;
    case COOKIE_GOOD:
        count_one(&c->cookies_good);
        break;
    case COOKIE_BAD:
    case COOKIE_MALFORMED:
        count_one(&c->cookies_bad);
        break;
    }
}

/* What was made, before it is decided whether it goes out. */
static void count_made(struct worker *w, enum counted_way way, struct zone_counters *z)
{
    const struct answerer *a = w->answerer;
    bool truncated = a->truncated && way < WAY_TCP;

    if (a->query.has_question && a->query.opcode == OPCODE_QUERY)
        count_one(&w->counters->types[counted_type(a->query.qtype)]);
    count_one(&w->counters->kinds[a->kind]);
    if (truncated)
        count_one(&w->counters->truncated);
    if (!z)
        return;
    count_one(&z->kinds[a->kind]);
    if (truncated)
        count_one(&z->truncated);
}

/* Limits an answer that would go by UDP. False: it does not go. */
static bool limit(struct worker *w, const struct config *c, const struct message *m,
                  struct answer_made *made, struct zone_counters *z, uint8_t *out, size_t cap)
{
    struct answerer *a = w->answerer;
    struct rrl_answer answer = {.source = &m->source, .kind = a->kind, .name = a->limit_name};
    enum rrl_verdict v = rrl_check(w->shared->rrl, c, &answer, w->batch_ns);

    if (v == RRL_PASS)
        return true;
    count_one(&w->counters->rate_limited);
    if (z)
        count_one(&z->rate_limited);
    if (v == RRL_DROP) {
        count_one(&w->counters->rate_dropped);
        return false;
    }
    if (v == RRL_SLIP) {
        count_one(&w->counters->rate_slipped);
        if (answer.kind != ANSWER_ERROR) { /* an error is as short, and TCP gives no better one */
            made->len = answer_empty(a, c, out, cap);
            made->rcode = RCODE_NOERROR;
        }
    }
    return true;
}

/* An answer of our own is ready. */
static enum message_outcome answered(struct worker *w, const struct config *c,
                                     const struct message *m, struct answer_made made, uint8_t *out,
                                     size_t cap, size_t *len)
{
    enum counted_way way = way_of(&m->source, m->back->transport);
    struct zone_counters *z = zone_counters_of(w);

    count_made(w, way, z);
    /* A good cookie shows that the source is not forged (RFC 7873 5.2.5). */
    if (c->rrl && m->back->transport == HO_UDP && made.cookie != COOKIE_GOOD &&
        !limit(w, c, m, &made, z, out, cap))
        return MESSAGE_DROPPED;
    count_answer(w->counters, way, made.rcode, made.len);
    if (z)
        count_many(&z->octets, made.len);
    *len = made.len;
    return MESSAGE_ANSWERED;
}

enum message_outcome worker_message(struct worker *w, const struct message *m, uint8_t *out,
                                    size_t cap, size_t *len)
{
    const struct config *c = worker_config(w);
    enum ho_transport t = m->back->transport;
    enum counted_way way = way_of(&m->source, t);
    struct answer_client client = {
        .transport = t,
        .source = &m->source,
        .cookies = atomic_load_explicit(&w->shared->cookies, memory_order_acquire),
        .ahead = m->ahead,
        .mono = m->mono,
        .wall = m->wall};
    struct answer_made made = answer_make(w->answerer, c, &client, m->wire, m->len, out, cap);
    uint8_t servfail[HANDOVER_SERVFAIL_MAX];
    size_t servfail_len;

    count_one(&w->counters->queries[way]);
    count_cookie(w->counters, made.cookie);
    switch (made.action) {
    case ANSWER_DROP:
        count_one(&w->counters->dropped[way]);
        return MESSAGE_DROPPED;
    case ANSWER_SEND:
        return answered(w, c, m, made, out, cap, len);
    case ANSWER_TRANSFER:
        return MESSAGE_TRANSFER;
    case ANSWER_HAND_OVER:
        break;
    }
    servfail_len = answer_short(w->answerer, c, RCODE_SERVFAIL, servfail, sizeof(servfail));
    if (hand_over(w, m, out, made.len, servfail, servfail_len))
        return MESSAGE_WAITS;
    count_one(&w->counters->handover_failures);
    count_answer(w->counters, way, RCODE_SERVFAIL, servfail_len);
    memcpy(out, servfail, servfail_len);
    *len = servfail_len;
    return MESSAGE_ANSWERED;
}

size_t worker_refuse(struct worker *w, const struct ho_frame *stream, uint16_t rcode, uint8_t *out,
                     size_t cap)
{
    size_t len = answer_short(w->answerer, worker_config(w), rcode, out, cap);

    count_answer(w->counters, way_of(&stream->source, stream->transport), rcode, len);
    return len;
}

bool worker_give(struct worker *w, const struct ho_frame *stream, int connection, uint8_t *out,
                 size_t cap, size_t *len)
{
    count_one(&w->counters->handed_transfer);
    if (handover_client_give(w->handover, stream, connection))
        return true;
    *len = worker_refuse(w, stream, RCODE_SERVFAIL, out, cap);
    count_one(&w->counters->handover_failures);
    return false;
}

/* Behind a balancer this is the balancer's family: the client's is not kept. */
static enum counted_way way_back(const struct way_back *back)
{
    struct addr peer = {0};

    (void)addr_from_sockaddr(&peer, (const struct sockaddr *)&back->peer);
    return way_of(&peer, back->transport);
}

static void on_reply(void *ctx, const struct way_back *back, const uint8_t *wire, size_t len,
                     bool failed)
{
    struct worker *w = ctx;

    if (len >= MSG_HEADER_OCTETS)
        count_answer(w->counters, way_back(back), get_u16(wire + 2) & MSG_RCODE_MASK, len);
    else
        len = 0;
    if (failed)
        count_one(&w->counters->handover_failures);
    switch (back->transport) {
    case HO_UDP:
        if (len > 0)
            udp_reply(back, wire, len);
        break;
    case HO_TCP:
    case HO_TLS:
        tcp_reply(back->conn, wire, len);
        break;
    }
}

/* ---- The thread ---- */

static void on_stop(evutil_socket_t fd, short what, void *ctx)
{
    struct worker *w = ctx;

    (void)fd;
    (void)what;
    (void)event_base_loopbreak(w->base);
}

static void *run(void *ctx)
{
    struct worker *w = ctx;

    grace_register();
    (void)event_base_dispatch(w->base);
    grace_unregister();
    return NULL;
}

/* Somebody else needs a place. */
static void on_evict(evutil_socket_t fd, short what, void *ctx)
{
    (void)fd;
    (void)what;
    tcp_idle_asked(ctx);
}

static void on_handshake_round(evutil_socket_t fd, short what, void *ctx)
{
    (void)fd;
    (void)what;
    tcp_open_round(ctx);
}

static enum err open_tcp(struct worker *w, const struct addr *list, size_t n, bool is_tls,
                         struct errinfo *e)
{
    for (size_t i = 0; i < n; i++) {
        struct tcp_listener *l = &w->tcp[w->tcp_count];
        enum err rc;

        *l = (struct tcp_listener){.worker = w, .is_tls = is_tls};
        if ((rc = listen_tcp(&l->fd, &list[i], e)))
            return rc;
        w->tcp_count++;
    }
    return OK;
}

static enum err open_sockets(struct worker *w, const struct config *c, struct errinfo *e)
{
    enum err rc;

    w->udp = xcalloc(c->listen_count, sizeof(w->udp[0]));
    w->tcp = xcalloc(c->listen_count + c->listen_tls_count, sizeof(w->tcp[0]));
    for (size_t i = 0; i < c->listen_count; i++) {
        w->udp[i] = (struct udp_socket){.worker = w, .local = c->listen[i]};
        if ((rc = listen_udp(&w->udp[i].fd, &c->listen[i], e)))
            return rc;
        w->udp_count++;
    }
    if ((rc = open_tcp(w, c->listen, c->listen_count, false, e)))
        return rc;
    return open_tcp(w, c->listen_tls, c->listen_tls_count, true, e);
}

static enum err open_loop(struct worker *w, struct errinfo *e)
{
    bool ok;

    w->base = event_base_new();
    if (!w->base)
        return err_set(ERR_LIMIT, e, "no event loop");
    w->stop_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (w->stop_fd < 0)
        return err_set(ERR_LIMIT, e, "no eventfd");
    w->stop_event = event_new(w->base, w->stop_fd, EV_READ, on_stop, w);
    w->handover = handover_client_new(w->base, w->shared->run_dir, w->shared->clock, on_reply, w);
    w->evict_event = event_new(w->base, idle_board_fd(w->shared->idle_board, w->seat),
                               EV_READ | EV_PERSIST, on_evict, w);
    w->handshake_round = evtimer_new(w->base, on_handshake_round, w);
    ok = w->stop_event && w->handover && w->evict_event && w->handshake_round &&
         event_add(w->stop_event, NULL) == 0 && event_add(w->evict_event, NULL) == 0;
    for (size_t i = 0; i < w->udp_count && ok; i++)
        ok = udp_start(&w->udp[i]);
    for (size_t i = 0; i < w->tcp_count && ok; i++)
        ok = tcp_start(&w->tcp[i]);
    return ok ? OK : err_set(ERR_LIMIT, e, "the event loop takes no more events");
}

enum err worker_new(struct worker **out, struct shared *shared, size_t seat, const struct config *c,
                    struct errinfo *e)
{
    struct worker *w = xcalloc(1, sizeof(*w));
    enum err rc;

    w->shared = shared;
    w->seat = seat;
    w->counters = stats_counters(shared->stats, seat);
    w->stop_fd = -1;
    w->answerer = answerer_new(shared->zonedb);
    w->batch = udp_batch_new();
    w->accept_warned = (struct mono){INT64_MIN / 2};
    if ((rc = open_sockets(w, c, e)) || (rc = open_loop(w, e))) {
        worker_stop(w);
        return rc;
    }
    *out = w;
    return OK;
}

enum err worker_start(struct worker *w, struct errinfo *e)
{
    int errnum = pthread_create(&w->thread, NULL, run, w);

    if (errnum != 0)
        return err_sys(errnum, e, "worker thread");
    w->started = true;
    return OK;
}

void worker_stop(struct worker *w)
{
    static const uint64_t one = 1;

    if (!w)
        return;
    if (w->started) {
        (void)!write(w->stop_fd, &one, sizeof(one)); /* an eventfd at 0 takes it */
        (void)pthread_join(w->thread, NULL);
    }
    for (size_t i = 0; i < w->udp_count; i++)
        udp_stop(&w->udp[i]);
    for (size_t i = 0; i < w->tcp_count; i++)
        tcp_stop(&w->tcp[i]);
    tcp_conn_free_all(w);
    handover_client_free(w->handover);
    if (w->evict_event)
        event_free(w->evict_event);
    if (w->handshake_round)
        event_free(w->handshake_round);
    if (w->stop_event)
        event_free(w->stop_event);
    if (w->stop_fd >= 0)
        (void)close(w->stop_fd);
    if (w->base)
        event_base_free(w->base);
    free(w->udp);
    free(w->tcp);
    free(w->batch);
    free(w->answerer);
    free(w);
}
