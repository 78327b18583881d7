/* One TCP connection, RFC 7766: messages with a length in front, any number of them waiting.
 *
 *   socket ─▶ input (all workers' connections share one buffer; what is not a whole message yet is
 *             kept with the connection) ─▶ answers, in a queue with a bound ─▶ socket
 *
 * An idle connection holds no buffer. Reading stops while the queue is long or too many messages
 * wait for syncd, and goes on when that is over: so the peer's own sending stops, and nothing
 * grows. Deadlines: tcp-first for the first whole message, tcp-idle from one to the next (an octet
 * now and then does not count), WRITE_MS for the queue to become empty.
 *
 * A closed connection stays as an empty shell until syncd's replies to it are in, since tickets
 * point to it.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "authd/grace.h"
#include "authd/worker_internal.h"
#include "lib/base/mem.h"

#define WRITE_MS 10000
#define QUEUE_PAUSE_BYTES (128u << 10) /* reading pauses */
#define QUEUE_MAX_BYTES (1u << 20)     /* the connection is closed */
#define QUEUE_KEEP_BYTES 4096          /* an empty queue's buffer above this is freed */

struct tcp_conn {
    struct worker *worker;
    int fd; /* -1: closed */
    struct addr source, destination;
    struct event *readable, *writable, *timer;
    struct tcp_conn *prev, *next;

    struct buf in; /* octets that make no whole message, or may not be read yet */
    struct buf out;
    size_t out_pos;
    unsigned waiting; /* messages that syncd has */
    bool had_message;
    bool eof;                   /* the peer has sent all it wants to */
    bool reading;               /* the event is added */
    bool draining;              /* `out` holds something, and the event is added */
    struct mono last;           /* message taken, or reply come */
    struct mono write_deadline; /* for `out` to become empty */
};

static struct mono now(const struct tcp_conn *c)
{
    return clock_mono(c->worker->shared->clock);
}

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
    event_drop(&c->readable);
    event_drop(&c->writable);
    event_drop(&c->timer);
    (void)close(c->fd);
    c->fd = -1;
    buf_free(&c->in);
    buf_free(&c->out);
    tcp_quota_give(c->worker->shared->quota, &c->source);
}

static void conn_close(struct tcp_conn *c)
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

static const struct config *config_now(const struct tcp_conn *c)
{
    return atomic_load_explicit(&c->worker->shared->config, memory_order_acquire);
}

static size_t queued(const struct tcp_conn *c)
{
    return c->out.len - c->out_pos;
}

/* May one more message be answered? */
static bool has_room(const struct tcp_conn *c)
{
    return queued(c) < QUEUE_PAUSE_BYTES && c->waiting < config_now(c)->tcp_pipeline;
}

/* The time at which patience ends; false if there is none to set. */
static bool deadline(const struct tcp_conn *c, struct mono *out)
{
    const struct config *cfg = config_now(c);

    if (c->draining) {
        *out = c->write_deadline;
        return true;
    }
    if (c->waiting > 0)
        return false; /* tickets have a deadline of their own */
    *out = mono_add_ms(c->last, c->had_message ? cfg->tcp_idle_ms : cfg->tcp_first_ms);
    return true;
}

static void timer_arm(struct tcp_conn *c)
{
    struct mono at;
    int64_t ms;
    struct timeval tv;

    if (!deadline(c, &at)) {
        (void)event_del(c->timer);
        return;
    }
    ms = at.ms - now(c).ms;
    ms = ms < 1 ? 1 : ms;
    tv = (struct timeval){.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};
    (void)event_add(c->timer, &tv);
}

/* ---- Messages ---- */

static void put_answer(struct tcp_conn *c, const uint8_t *wire, size_t len)
{
    if (queued(c) == 0)
        c->write_deadline = mono_add_ms(now(c), WRITE_MS);
    buf_u16(&c->out, (uint16_t)len);
    buf_put(&c->out, wire, len);
}

/* False: the connection is not worth keeping. */
static bool take_message(struct tcp_conn *c, const uint8_t *wire, size_t len)
{
    struct worker *w = c->worker;
    struct way_back back = {.transport = HO_TCP, .conn = c};
    struct message m = {.wire = wire,
                        .len = len,
                        .back = &back,
                        .source = c->source,
                        .destination = c->destination};
    size_t answer_len = 0;

    switch (worker_message(w, &m, w->answer, sizeof(w->answer), &answer_len)) {
    case MESSAGE_ANSWERED:
        put_answer(c, w->answer, answer_len);
        break;
    case MESSAGE_WAITS:
        c->waiting++;
        break;
    case MESSAGE_DROPPED:
        return false; /* not even a header, or a response: no client of ours */
    }
    c->had_message = true;
    c->last = now(c);
    return true;
}

/* Takes whole messages from n octets at p, as long as there is room for answers; *used tells how
 * many octets they were. */
static bool take_messages(struct tcp_conn *c, const uint8_t *p, size_t n, size_t *used)
{
    bool ok = true;
    size_t pos = 0;

    while (ok && n - pos >= 2 && has_room(c)) {
        size_t len = get_u16(p + pos);

        if (n - pos - 2 < len)
            break;
        ok = take_message(c, p + pos + 2, len);
        pos += 2 + len;
    }
    *used = pos;
    return ok;
}

static void keep_rest(struct tcp_conn *c, const uint8_t *p, size_t n)
{
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

/* ---- Sending ---- */

/* False: the peer is gone. */
static bool flush(struct tcp_conn *c)
{
    while (queued(c) > 0) {
        ssize_t k = send(c->fd, c->out.data + c->out_pos, queued(c), MSG_NOSIGNAL | MSG_DONTWAIT);

        if (k > 0)
            c->out_pos += (size_t)k;
        else if (errno == EAGAIN || errno == EWOULDBLOCK)
            break;
        else if (errno != EINTR)
            return false;
    }
    if (queued(c) > QUEUE_MAX_BYTES)
        return false;
    if (queued(c) == 0) {
        c->out.len = c->out_pos = 0;
        if (c->out.cap > QUEUE_KEEP_BYTES)
            buf_free(&c->out);
    }
    return true;
}

/* Sets events and deadlines to what the connection waits for now. */
static void watch(struct tcp_conn *c)
{
    bool read_more = !c->eof && has_room(c);
    bool drain = queued(c) > 0;

    if (read_more != c->reading) {
        (void)(read_more ? event_add(c->readable, NULL) : event_del(c->readable));
        c->reading = read_more;
    }
    if (drain != c->draining) {
        (void)(drain ? event_add(c->writable, NULL) : event_del(c->writable));
        c->draining = drain;
    }
    timer_arm(c);
}

/* ---- What can happen ---- */

/* Goes on with n octets at p, of which none were taken yet: messages, answers, events. The
 * connection may be gone afterwards. */
static void proceed(struct tcp_conn *c, const uint8_t *p, size_t n)
{
    size_t used = 0;
    bool ok;

    grace_enter();
    do {
        size_t more = 0;

        ok = take_messages(c, p + used, n - used, &more) && flush(c);
        used += more;
        if (more == 0)
            break;
    } while (ok && has_room(c));
    if (ok)
        keep_rest(c, p + used, n - used);
    if (ok && !(c->eof && c->waiting == 0 && queued(c) == 0))
        watch(c);
    else
        ok = false;
    grace_leave();
    if (!ok)
        conn_close(c);
}

static void on_readable(evutil_socket_t fd, short what, void *ctx)
{
    struct tcp_conn *c = ctx;
    uint8_t *input = c->worker->input;
    size_t held = c->in.len; /* less than a message: reading stops otherwise */
    ssize_t k;

    (void)what;
    k = recv(fd, input + held, TCP_READ_BYTES, MSG_DONTWAIT);
    if (k < 0) {
        if (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR)
            conn_close(c);
        return;
    }
    if (held > 0)
        memcpy(input, c->in.data, held);
    c->eof = k == 0;
    proceed(c, input, held + (size_t)k);
}

static void on_writable(evutil_socket_t fd, short what, void *ctx)
{
    struct tcp_conn *c = ctx;

    (void)fd;
    (void)what;
    if (!flush(c))
        conn_close(c);
    else
        proceed(c, c->in.data, c->in.len);
}

static void on_timer(evutil_socket_t fd, short what, void *ctx)
{
    struct tcp_conn *c = ctx;
    struct mono at;
    bool over;

    (void)fd;
    (void)what;
    grace_enter();
    over = deadline(c, &at) && mono_cmp(at, now(c)) <= 0;
    if (!over)
        timer_arm(c);
    grace_leave();
    if (over) {
        count_one(&c->worker->counters.tcp_timed_out);
        conn_close(c);
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
    c->last = now(c);
    if (len > 0)
        put_answer(c, wire, len);
    if (!flush(c))
        conn_close(c);
    else
        proceed(c, c->in.data, c->in.len);
}

void tcp_conn_open(struct worker *w, int fd, const struct addr *source,
                   const struct addr *destination)
{
    struct tcp_conn *c = xcalloc(1, sizeof(*c));

    c->worker = w;
    c->fd = fd;
    c->source = *source;
    c->destination = *destination;
    c->next = w->conns;
    if (w->conns)
        w->conns->prev = c;
    w->conns = c;
    c->last = now(c);
    c->readable = event_new(w->base, fd, EV_READ | EV_PERSIST, on_readable, c);
    c->writable = event_new(w->base, fd, EV_WRITE | EV_PERSIST, on_writable, c);
    c->timer = evtimer_new(w->base, on_timer, c);
    if (!c->readable || !c->writable || !c->timer) {
        conn_close(c);
        return;
    }
    grace_enter();
    watch(c);
    grace_leave();
}
