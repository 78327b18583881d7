/* One TCP connection, RFC 7766: messages with a length in front, any number of them waiting. With
 * TLS, RFC 7858, the same inside.
 *
 *   socket ─▶ [PROXY header, TLS handshake] ─▶ input (all workers' connections share one buffer;
 *             what is not a whole message yet is kept with the connection) ─▶ answers, in a queue
 *             with a bound ─▶ socket
 *
 * An idle connection holds no buffer. Reading stops while the queue is long or too many messages
 * wait for syncd, and goes on when that is over: so the peer's own sending stops, and nothing
 * grows. tcp_time.c says how long a peer may take for what, tcp_idle.c who has to make room.
 */
#include "authd/tcp_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "authd/grace.h"
#include "lib/base/mem.h"

#define READS_AT_ONCE 8 /* TLS records, before others get their turn */

/* ---- Closing ---- */

static void conn_unlink(struct tcp_conn *c)
{
    if (c->prev)
        c->prev->next = c->next;
    else
        c->worker->conns = c->next;
    if (c->next)
        c->next->prev = c->prev;
}

static void conn_free(struct tcp_conn *c)
{
    conn_unlink(c);
    free(c);
}

static void event_drop(struct event **e)
{
    if (*e)
        event_free(*e);
    *e = NULL;
}

/* Lets go of all but the struct. */
static void conn_shut(struct tcp_conn *c)
{
    if (c->fd < 0)
        return;
    tcp_idle_leave(c);
    event_drop(&c->readable);
    event_drop(&c->writable);
    event_drop(&c->timer);
    if (c->tls)
        tls_stream_close(c->tls);
    tls_stream_free(c->tls);
    buf_free(&c->identity);
    c->tls = NULL;
    tcp_relay_free(c->relay);
    c->relay = NULL;
    (void)close(c->fd);
    c->fd = -1;
    buf_free(&c->in);
    buf_free(&c->out);
    tcp_quota_give(c->worker->shared->quota, &c->place);
}

void tcp_conn_close(struct tcp_conn *c)
{
    conn_shut(c);
    if (c->waiting == 0)
        conn_free(c);
}

void tcp_conn_free_all(struct worker *w)
{
    while (w->conns) {
        conn_shut(w->conns);
        conn_free(w->conns);
    }
}

/* ---- Limits ---- */

/* Has it had all the answers that one connection gets? */
static bool is_spent(const struct tcp_conn *c)
{
    const struct config *cfg = worker_config(c->worker);

    return cfg->tcp_queries > 0 && c->taken >= cfg->tcp_queries;
}

/* May one more message be answered? */
static bool has_room(const struct tcp_conn *c)
{
    return tcp_queued(c) < TCP_QUEUE_PAUSE_BYTES &&
           c->waiting < worker_config(c->worker)->tcp_pipeline && !is_spent(c);
}

/* ---- Messages ---- */

static void put_answer(struct tcp_conn *c, const uint8_t *wire, size_t len)
{
    buf_u16(&c->out, (uint16_t)len);
    buf_put(&c->out, wire, len);
}

/* False: the connection is not worth keeping. A message that asks for a transfer is left where it
 * is, and is looked at again when all before it are answered. */
static bool take_message(struct tcp_conn *c, const uint8_t *wire, size_t len)
{
    struct worker *w = c->worker;
    struct way_back back = {.transport = c->is_tls ? HO_TLS : HO_TCP, .conn = c};
    struct message m = {.wire = wire,
                        .len = len,
                        .back = &back,
                        .source = c->source,
                        .destination = c->destination,
                        .identity = &c->identity,
                        .mono = tcp_now(c),
                        .wall = clock_wall(w->shared->clock)};
    size_t answer_len = 0;

    switch (worker_message(w, &m, w->answer, sizeof(w->answer), &answer_len)) {
    case MESSAGE_ANSWERED:
        put_answer(c, w->answer, answer_len);
        break;
    case MESSAGE_WAITS:
        c->waiting++;
        break;
    case MESSAGE_TRANSFER:
        c->transfer = true;
        return true;
    case MESSAGE_DROPPED:
        return false; /* not even a header, or a response: no client of ours */
    }
    c->taken++;
    c->last = m.mono;
    return true;
}

/* Takes whole messages from n octets at p, as long as there is room for answers; *used tells how
 * many octets they were. */
static bool take_messages(struct tcp_conn *c, const uint8_t *p, size_t n, size_t *used)
{
    bool ok = true;
    size_t pos = 0;

    c->transfer = false;
    while (ok && n - pos >= 2 && has_room(c)) {
        size_t len = get_u16(p + pos);

        if (n - pos - 2 < len)
            break;
        ok = take_message(c, p + pos + 2, len);
        if (c->transfer)
            break;
        pos += 2 + len;
    }
    *used = pos;
    return ok;
}

static void keep_rest(struct tcp_conn *c, const uint8_t *p, size_t n, bool is_new)
{
    if (n > 0 && is_new)
        c->message_began = tcp_now(c);
    if (n == 0) {
        buf_free(&c->in);
    } else if (p >= c->in.data && c->in.len > 0 && p + n == c->in.data + c->in.len) {
        memmove(c->in.data, p, n);
        c->in.len = n;
    } else {
        c->in.len = 0;
        buf_put(&c->in, p, n);
    }
}

/* ---- What it waits for ---- */

static bool wants_input(const struct tcp_conn *c)
{
    if (c->phase == TCP_RELAY)
        return tcp_relay_wants_input(c);
    return c->phase != TCP_OPEN || (!c->eof && !c->transfer && has_room(c));
}

static void watch_reading(struct tcp_conn *c)
{
    bool want = wants_input(c);

    if (want == c->reading)
        return;
    (void)(want ? event_add(c->readable, NULL) : event_del(c->readable));
    c->reading = want;
    if (want && tcp_stream_holds_input(c))
        event_active(c->readable, EV_READ, 0);
}

/* The peer has a time for taking what waits now; then for what waits by then, and so on. So a slow
 * one that takes all in its time is served, however busy it is. */
static void watch_writing(struct tcp_conn *c)
{
    bool drain = tcp_queued(c) > 0;
    bool want = drain || c->want_write;

    if (drain && (!c->draining || c->sent >= c->write_mark)) {
        c->write_mark = c->sent + tcp_queued(c);
        c->write_deadline = mono_add_ms(tcp_now(c), worker_config(c->worker)->tcp_write_ms);
    }
    c->draining = drain;
    if (want == c->writing)
        return;
    (void)(want ? event_add(c->writable, NULL) : event_del(c->writable));
    c->writing = want;
}

/* Sets events, deadlines and idleness to what is so now. */
static void watch(struct tcp_conn *c)
{
    watch_reading(c);
    watch_writing(c);
    if (c->phase == TCP_RELAY)
        tcp_idle_leave(c);
    else if (c->phase != TCP_OPEN)
        tcp_idle_enter(c, c->began);
    else if (c->waiting == 0 && !c->draining)
        tcp_idle_enter(c, c->last);
    else
        tcp_idle_leave(c);
    tcp_time_arm(c);
}

/* All answers are out, and there will be none for what has come beyond: if we closed now, that
 * would make the system take back the answers too (a reset). So first the peer is to close. */
static void linger(struct tcp_conn *c)
{
    tcp_stream_end(c);
    c->phase = TCP_LINGER;
    c->began = tcp_now(c);
    c->want_write = false;
    buf_free(&c->in);
    buf_free(&c->out);
    tcp_relay_free(c->relay);
    c->relay = NULL;
}

/* ---- Transfers ---- */

/* The message at p asks for a transfer, and all before it are answered. *used: octets that are no
 * more ours to look at. False: the connection is gone from here. */
static bool transfer(struct tcp_conn *c, const uint8_t *p, size_t n, size_t *used)
{
    size_t len = 0;

    c->transfer = false;
    switch (tcp_transfer_give(c, p, n, &len)) {
    case TCP_GIFT_TAKEN:
        return false;
    case TCP_GIFT_RELAYED:
        *used = n;
        return true;
    case TCP_GIFT_REFUSED:
        break;
    }
    put_answer(c, c->worker->answer, len);
    c->taken++;
    c->last = tcp_now(c);
    *used = 2 + (size_t)get_u16(p);
    return true;
}

/* ---- What can happen ---- */

/* Goes on with n octets at p, of which none were taken yet: messages, answers, events. False: the
 * connection is gone. */
static bool proceed(struct tcp_conn *c, const uint8_t *p, size_t n)
{
    bool was_new = c->in.len == 0;
    size_t used = 0;
    bool ok;

    grace_enter();
    do {
        size_t more = 0;

        ok = take_messages(c, p + used, n - used, &more) && tcp_stream_flush(c);
        used += more;
        if (ok && c->transfer && c->waiting == 0 && tcp_queued(c) == 0) {
            ok = transfer(c, p + used, n - used, &more);
            used += more;
        }
        if (more == 0)
            break;
    } while (ok && c->phase == TCP_OPEN && !c->transfer && has_room(c));
    if (ok) {
        bool quiet = c->phase == TCP_OPEN && c->waiting == 0 && tcp_queued(c) == 0;

        keep_rest(c, p + used, n - used, was_new || used > 0);
        ok = !(c->eof && quiet);
        if (ok && is_spent(c) && quiet)
            linger(c);
        if (ok)
            watch(c);
    }
    grace_leave();
    if (!ok)
        tcp_conn_close(c);
    return ok;
}

/* One read's worth. False: there is no more now, or no connection any more. */
static bool read_once(struct tcp_conn *c)
{
    uint8_t *input = c->worker->input;
    size_t held = c->in.len; /* less than a message: reading stops otherwise */
    size_t n = 0;

    switch (tcp_stream_read(c, input + held, TCP_READ_BYTES, &n)) {
    case TCP_INPUT_LATER:
        if (c->want_write)
            (void)proceed(c, c->in.data, c->in.len);
        return false;
    case TCP_INPUT_FAILED:
        tcp_conn_close(c);
        return false;
    case TCP_INPUT_END:
        c->eof = true;
        break;
    case TCP_INPUT_SOME:
        break;
    }
    if (held > 0)
        memcpy(input, c->in.data, held);
    return proceed(c, input, held + n) && c->phase == TCP_OPEN && c->reading &&
           tcp_stream_holds_input(c);
}

static void read_messages(struct tcp_conn *c)
{
    for (int i = 0; i < READS_AT_ONCE; i++) {
        if (!read_once(c))
            return;
    }
    event_active(c->readable, EV_READ, 0);
}

/* PROXY header and handshake; messages may be there behind them. */
static void open_up(struct tcp_conn *c)
{
    enum tcp_phase before;

    do {
        before = c->phase;
        if (!tcp_open_step(c)) {
            tcp_conn_close(c);
            return;
        }
    } while (c->phase != before && c->phase != TCP_OPEN);
    grace_enter();
    watch(c);
    grace_leave();
    if (c->phase == TCP_OPEN)
        read_messages(c);
}

void tcp_conn_relay(struct tcp_conn *c)
{
    bool ok;

    c->want_write = false;
    grace_enter();
    ok = tcp_relay_move(c);
    if (ok && tcp_relay_is_ending(c) && tcp_queued(c) == 0) {
        ok = !c->eof;
        if (ok)
            linger(c);
    }
    if (ok)
        watch(c);
    grace_leave();
    if (!ok)
        tcp_conn_close(c);
}

static void throw_away(struct tcp_conn *c)
{
    ssize_t k = recv(c->fd, c->worker->input, sizeof(c->worker->input), MSG_DONTWAIT);

    if (k == 0 || (k < 0 && errno != EAGAIN && errno != EINTR))
        tcp_conn_close(c);
}

static void on_readable(evutil_socket_t fd, short what, void *ctx)
{
    struct tcp_conn *c = ctx;

    (void)fd;
    (void)what;
    switch (c->phase) {
    case TCP_PROXY:
    case TCP_HANDSHAKE:
        open_up(c);
        break;
    case TCP_OPEN:
        read_messages(c);
        break;
    case TCP_RELAY:
        tcp_conn_relay(c);
        break;
    case TCP_LINGER:
        throw_away(c);
        break;
    }
}

static void on_writable(evutil_socket_t fd, short what, void *ctx)
{
    struct tcp_conn *c = ctx;
    bool wanted = c->want_write;

    (void)fd;
    (void)what;
    if (c->phase == TCP_PROXY || c->phase == TCP_HANDSHAKE) {
        open_up(c);
        return;
    }
    if (c->phase == TCP_RELAY) {
        tcp_conn_relay(c);
        return;
    }
    c->want_write = false;
    if (!tcp_stream_flush(c))
        tcp_conn_close(c);
    else if (proceed(c, c->in.data, c->in.len) && wanted)
        event_active(c->readable, EV_READ, 0);
}

static void on_timer(evutil_socket_t fd, short what, void *ctx)
{
    struct tcp_conn *c = ctx;
    bool over;

    (void)fd;
    (void)what;
    grace_enter();
    over = tcp_time_is_over(c);
    if (!over)
        tcp_time_arm(c);
    grace_leave();
    if (over) {
        count_one(&c->worker->counters->tcp_timed_out);
        tcp_conn_close(c);
    }
}

void tcp_reply(struct tcp_conn *c, const uint8_t *wire, size_t len)
{
    c->waiting--;
    if (c->fd < 0) {
        if (c->waiting == 0)
            conn_free(c);
        return;
    }
    c->last = tcp_now(c);
    if (len > 0)
        put_answer(c, wire, len);
    if (!tcp_stream_flush(c))
        tcp_conn_close(c);
    else
        (void)proceed(c, c->in.data, c->in.len);
}

static bool start(struct tcp_conn *c, bool from_balancer)
{
    struct event_base *base = c->worker->base;

    c->readable = event_new(base, c->fd, EV_READ | EV_PERSIST, on_readable, c);
    c->writable = event_new(base, c->fd, EV_WRITE | EV_PERSIST, on_writable, c);
    c->timer = evtimer_new(base, on_timer, c);
    if (!c->readable || !c->writable || !c->timer)
        return false;
    if (from_balancer)
        c->phase = TCP_PROXY;
    else if (c->is_tls)
        return tcp_open_handshake(c);
    return true;
}

void tcp_conn_open(struct worker *w, const struct tcp_arrival *a)
{
    struct tcp_conn *c = xcalloc(1, sizeof(*c));

    c->worker = w;
    c->is_tls = a->is_tls;
    c->phase = TCP_OPEN;
    c->fd = a->fd;
    c->source = a->source;
    c->destination = a->destination;
    c->place = a->place;
    c->next = w->conns;
    if (w->conns)
        w->conns->prev = c;
    w->conns = c;
    c->began = c->last = tcp_now(c);
    if (!start(c, a->from_balancer)) {
        tcp_conn_close(c);
        return;
    }
    grace_enter();
    watch(c);
    grace_leave();
}
