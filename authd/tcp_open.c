/* What comes before the first message: a balancer's PROXY header, then the TLS handshake.
 *
 * The header stands in front of all else, TLS too, in the clear. It is read to its last octet and
 * not further, as what follows may be TLS's.
 */
#include "authd/grace.h"
#include "authd/tcp_internal.h"
#include "lib/base/log.h"
#include "lib/net/proxy.h"

#define HANDSHAKE_STEPS_AT_ONCE 4

static void open_messages(struct tcp_conn *c)
{
    c->phase = TCP_OPEN;
    c->began = c->last = tcp_now(c);
}

/* ---- PROXY ---- */

static bool refuse(struct tcp_conn *c)
{
    count_one(&c->worker->counters->proxy_refused);
    return false;
}

/* Reads on to the end of the header. */
static enum proxy_verdict read_header(struct tcp_conn *c, struct proxy_header *h)
{
    uint8_t *input = c->worker->input;

    for (;;) {
        enum proxy_verdict v = proxy_parse(h, c->in.data, c->in.len);
        size_t n = 0;

        if (v != PROXY_MORE)
            return v;
        switch (tcp_stream_read(c, input, proxy_missing(c->in.data, c->in.len), &n)) {
        case TCP_INPUT_SOME:
            buf_put(&c->in, input, n);
            break;
        case TCP_INPUT_LATER:
            return PROXY_MORE;
        case TCP_INPUT_END:
        case TCP_INPUT_FAILED:
            return PROXY_BAD;
        }
    }
}

/* False: the connection is to be closed. */
static bool take_header(struct tcp_conn *c)
{
    struct worker *w = c->worker;
    struct proxy_header h;

    switch (read_header(c, &h)) {
    case PROXY_MORE:
        return true;
    case PROXY_BAD:
        return refuse(c);
    case PROXY_WHOLE:
        break;
    }
    buf_free(&c->in);
    if (!h.local) {
        c->source = h.source;
        c->destination = h.destination;
        if (!tcp_quota_claim(w->shared->quota, &c->source)) {
            count_one(&w->counters->tcp_refused);
            return false;
        }
        c->place = c->source;
    }
    if (c->is_tls)
        return tcp_open_handshake(c);
    open_messages(c);
    return true;
}

/* ---- TLS ---- */

static void log_failure(const struct tcp_conn *c, const struct errinfo *e)
{
    char source[ADDR_TEXT_MAX];

    if (!log_on(LOG_DEBUG))
        return;
    addr_to_text(source, &c->source);
    log_debug(say("TLS handshake failed"), kv_str("source", source), kv_err(e));
}

/* A step of a handshake costs as much as hundreds of queries. So a worker makes a few and looks
 * after everything else then; who has to wait is told again by the event loop. False: not now. */
static bool may_shake_hands(struct worker *w)
{
    struct timeval next_round = {0};

    if (w->handshake_steps == HANDSHAKE_STEPS_AT_ONCE)
        return false;
    if (w->handshake_steps++ == 0)
        (void)event_add(w->handshake_round, &next_round);
    return true;
}

void tcp_open_round(struct worker *w)
{
    w->handshake_steps = 0;
}

/* For syncd, which decides by it. */
static void note_identity(struct tcp_conn *c)
{
    struct tls_identity id;

    tls_stream_identity(c->tls, &id);
    tls_identity_encode(&c->identity, &id);
}

/* False: the connection is to be closed. */
static bool shake_hands(struct tcp_conn *c)
{
    struct counters *n = c->worker->counters;
    struct errinfo e = {0};

    if (!may_shake_hands(c->worker))
        return true;
    c->want_write = false;
    switch (tls_stream_handshake(c->tls, &e)) {
    case TLS_OK:
        count_one(&n->tls_handshakes);
        if (tls_stream_resumed(c->tls))
            count_one(&n->tls_resumed);
        note_identity(c);
        open_messages(c);
        return true;
    case TLS_WANT_WRITE:
        c->want_write = true;
        return true;
    case TLS_WANT_READ:
        return true;
    case TLS_CLOSED:
    case TLS_FAILED:
        break;
    }
    count_one(&n->tls_failed);
    log_failure(c, &e);
    return false;
}

bool tcp_open_handshake(struct tcp_conn *c)
{
    struct tls_server *tls;

    /* Streams hold what they need of the server, so it may be replaced meanwhile. */
    grace_enter();
    tls = atomic_load_explicit(&c->worker->shared->tls, memory_order_acquire);
    c->tls = tls_stream_new(tls, c->fd);
    grace_leave();
    c->phase = TCP_HANDSHAKE;
    c->began = tcp_now(c);
    return c->tls != NULL;
}

bool tcp_open_step(struct tcp_conn *c)
{
    return c->phase == TCP_PROXY ? take_header(c) : shake_hands(c);
}
