#include "syncd/front.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/base/log.h"
#include "lib/base/mem.h"

#define CONNS_MAX 512     /* workers and updaters of all authds on this store */
#define FRAMES_AT_ONCE 64 /* from one connection, before others get their turn */

struct conn {
    struct front *front;
    int fd;
    struct event *event;
    bool updater;
    struct stats *stats; /* an updater's; NULL: it passed none that we can read */
    struct front_later *owed;
    struct conn *next;
};

/* An answer that is owed. */
struct front_later {
    struct conn *conn; /* NULL: gone */
    uint64_t id;
    struct front_later *next, **at; /* the connection's list */
};

struct ask {
    struct front *front;
    uint64_t id;
    front_tell_fn *answer;
    void *ctx;
    struct event *timer;
    struct ask *next;
};

struct front {
    struct loop *loop;
    int fd;
    struct event *event;
    struct event *resume; /* listens again after a pause */
    struct front_events events;
    void *ctx;

    struct conn *conns;
    unsigned conn_count;
    struct ask *asks;
    uint64_t next_id;
    struct conn *asking; /* whose message is looked at, */
    uint64_t asked;      /* and its id */
    bool later;          /* its answer comes later */
    uint8_t frame[HO_FRAME_MAX];
};

/* ---- Questions to authd ---- */

static void ask_finish(struct ask *a, const struct ho_frame *tell)
{
    struct ask **at = &a->front->asks;

    while (*at != a)
        at = &(*at)->next;
    *at = a->next;
    a->answer(a->ctx, tell);
    if (a->timer)
        event_free(a->timer);
    free(a);
}

static void on_ask_timeout(evutil_socket_t fd, short what, void *ctx)
{
    (void)fd;
    (void)what;
    ask_finish(ctx, NULL);
}

static struct conn *find_updater(const struct front *f)
{
    struct conn *c = f->conns;

    while (c && !c->updater)
        c = c->next;
    return c;
}

bool front_has_authd(const struct front *f)
{
    return find_updater(f) != NULL;
}

void front_ask(struct front *f, const uint8_t *zone, uint32_t timeout_ms, front_tell_fn *answer,
               void *ctx)
{
    struct conn *c = find_updater(f);
    struct ho_frame q = {.type = HO_ASK, .id = ++f->next_id};
    struct timeval tv = {.tv_sec = timeout_ms / 1000, .tv_usec = (timeout_ms % 1000) * 1000};
    struct ask *a;

    (void)name_copy(q.zone, zone);
    /* Even a question that cannot be asked is answered from the loop, never from in here. */
    if (!c || ho_send(c->fd, &q, NULL) != OK)
        tv = (struct timeval){0};
    a = xcalloc(1, sizeof(*a));
    *a = (struct ask){.front = f, .id = q.id, .answer = answer, .ctx = ctx, .next = f->asks};
    f->asks = a;
    a->timer = evtimer_new(loop_base(f->loop), on_ask_timeout, a);
    if (!a->timer || evtimer_add(a->timer, &tv) != 0)
        abort(); /* out of memory */
}

/* ---- Frames from authd ---- */

struct front_later *front_later(struct front *f)
{
    struct front_later *l = xcalloc(1, sizeof(*l));
    struct conn *c = f->asking;

    *l = (struct front_later){.conn = c, .id = f->asked, .next = c->owed, .at = &c->owed};
    if (c->owed)
        c->owed->at = &l->next;
    c->owed = l;
    f->later = true;
    return l;
}

static enum err reply(const struct conn *c, uint64_t id, const uint8_t *wire, size_t len,
                      struct errinfo *e)
{
    struct ho_frame r = {.type = HO_REPLY, .id = id, .wire = wire, .wire_len = (uint32_t)len};

    return ho_send(c->fd, &r, e);
}

void front_answer(struct front_later *l, const uint8_t *wire, size_t len)
{
    if (l->conn) {
        (void)!reply(l->conn, l->id, wire, len, NULL); /* as lost as any datagram may be */
        *l->at = l->next;
        if (l->next)
            l->next->at = l->at;
    }
    free(l);
}

static enum err on_message(struct conn *c, const struct ho_frame *m, struct errinfo *e)
{
    struct front *f = c->front;
    struct buf answer = BUF_INIT;
    enum err rc = OK;

    f->asking = c;
    f->asked = m->id;
    f->later = false;
    f->events.message(f->ctx, m, &answer);
    f->asking = NULL;
    if (!f->later)
        rc = reply(c, m->id, answer.data, answer.len, e);
    buf_free(&answer);
    /* A full socket loses one answer; the client asks again, as with any lost datagram. */
    return rc == ERR_BUSY ? OK : rc;
}

static enum err on_tell(struct front *f, const struct ho_frame *tell)
{
    struct ask *a = f->asks;

    while (a && a->id != tell->id)
        a = a->next;
    if (a) /* else it came too late */
        ask_finish(a, tell);
    return OK;
}

void front_each_stats(const struct front *f, front_stats_fn *fn, void *ctx)
{
    for (const struct conn *c = f->conns; c; c = c->next) {
        if (c->stats)
            fn(ctx, c->stats);
    }
}

/* Takes the descriptor that came with a HELLO. Without counters authd is as welcome. */
static void take_stats(struct conn *c, int fd)
{
    struct stats *s = NULL;
    struct errinfo e = {0};
    enum err rc = stats_open(&s, fd, &e);

    if (rc)
        log_warning(say("authd's counters cannot be read"), kv_err(&e));
    stats_free(c->stats);
    c->stats = s;
}

static enum err on_hello(struct conn *c, const struct ho_frame *hello, int fd)
{
    c->updater = hello->role == HO_UPDATER;
    if (!c->updater)
        return OK;
    log_info(say("authd is connected"));
    if (fd >= 0)
        take_stats(c, fd);
    return OK;
}

static enum err on_frame(struct conn *c, const struct ho_frame *f, int fd, struct errinfo *e)
{
    switch (f->type) {
    case HO_HELLO:
        return on_hello(c, f, fd);
    case HO_MESSAGE:
        return on_message(c, f, e);
    case HO_TELL:
        return on_tell(c->front, f);
    case HO_STREAM:
        c->front->events.stream(c->front->ctx, f, fd);
        return OK;
    case HO_HINT:
        c->front->events.served(c->front->ctx, f->seq);
        return OK;
    case HO_REPLY:
    case HO_ASK:
        break;
    }
    return err_set(ERR_FORMAT, e, "a frame of type %u is not authd's to send", (unsigned)f->type);
}

/* ---- Connections ---- */

static void conn_close(struct conn *c)
{
    struct conn **at = &c->front->conns;

    while (*at != c)
        at = &(*at)->next;
    *at = c->next;
    c->front->conn_count--;
    for (struct front_later *l = c->owed; l; l = l->next)
        l->conn = NULL;
    if (c->event)
        event_free(c->event);
    (void)close(c->fd);
    stats_free(c->stats);
    free(c);
}

static void on_readable(evutil_socket_t fd, short what, void *ctx)
{
    struct conn *c = ctx;
    struct errinfo e = {0};
    enum err rc = OK;

    (void)what;
    for (int i = 0; i < FRAMES_AT_ONCE && rc == OK; i++) {
        struct ho_frame f;
        int passed = -1;

        rc = ho_recv(&f, fd, c->front->frame, &passed, &e);
        if (rc == OK)
            rc = on_frame(c, &f, passed, &e);
    }
    if (rc == OK || rc == ERR_BUSY)
        return;
    if (rc != ERR_CLOSED)
        log_warning(say("an authd is disconnected for a bad frame"), kv_err(&e));
    else if (c->updater)
        log_warning(say("authd has gone away"));
    conn_close(c);
}

static void on_resume(evutil_socket_t fd, short what, void *ctx)
{
    struct front *f = ctx;

    (void)fd;
    (void)what;
    (void)event_add(f->event, NULL);
}

static void on_connect(evutil_socket_t fd, short what, void *ctx)
{
    static const struct timeval pause = {.tv_usec = 100000};
    struct front *f = ctx;
    struct conn *c;
    int s = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

    (void)what;
    if (s < 0 && (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS)) {
        /* Who waits stays readable; without a pause the loop would do nothing else. */
        (void)event_del(f->event);
        (void)evtimer_add(f->resume, &pause);
    }
    if (s < 0)
        return;
    if (f->conn_count >= CONNS_MAX) {
        log_warning(say("too many hand-over connections, one is refused"));
        (void)close(s);
        return;
    }
    c = xcalloc(1, sizeof(*c));
    c->front = f;
    c->fd = s;
    c->next = f->conns;
    f->conns = c;
    f->conn_count++;
    ho_prepare(s);
    c->event = event_new(loop_base(f->loop), s, EV_READ | EV_PERSIST, on_readable, c);
    if (!c->event || event_add(c->event, NULL) != 0)
        conn_close(c);
}

void front_hint(struct front *f, uint64_t seq)
{
    struct ho_frame hint = {.type = HO_HINT, .seq = seq};

    for (struct conn *c = f->conns; c; c = c->next) {
        if (c->updater)
            (void)!ho_send(c->fd, &hint, NULL); /* lost: authd looks by itself */
    }
}

enum err front_start(struct front **out, struct loop *loop, const char *run_dir,
                     const struct front_events *events, void *ctx, struct errinfo *e)
{
    struct front *f = xcalloc(1, sizeof(*f));
    enum err rc;

    f->loop = loop;
    f->events = *events;
    f->ctx = ctx;
    f->fd = -1;
    if ((rc = ho_listen(&f->fd, run_dir, e)))
        goto fail;
    f->event = event_new(loop_base(loop), f->fd, EV_READ | EV_PERSIST, on_connect, f);
    f->resume = evtimer_new(loop_base(loop), on_resume, f);
    if (!f->event || !f->resume || event_add(f->event, NULL) != 0) {
        rc = err_set(ERR_LIMIT, e, "cannot listen on the hand-over socket");
        goto fail;
    }
    *out = f;
    return OK;
fail:
    front_stop(f);
    return rc;
}

void front_stop(struct front *f)
{
    if (!f)
        return;
    while (f->asks)
        ask_finish(f->asks, NULL);
    while (f->conns)
        conn_close(f->conns);
    if (f->event)
        event_free(f->event);
    if (f->resume)
        event_free(f->resume);
    if (f->fd >= 0)
        (void)close(f->fd);
    free(f);
}
