#include "authd/handover_link.h"

#include <stdlib.h>
#include <unistd.h>

#include "lib/base/mem.h"

#define RETRY_FIRST_MS 100
#define RETRY_MAX_MS 500 /* meanwhile NOTIFY gets SERVFAIL, and primaries try again late */
#define FRAMES_AT_ONCE 64

struct handover_link {
    struct event_base *base;
    const char *run_dir;
    enum ho_role role;
    int stats_fd; /* -1: none */
    handover_frame_fn *frame;
    handover_state_fn *state;
    void *ctx;

    int fd; /* -1: not connected */
    struct event *readable;
    struct event *retry;
    int retry_ms;
    bool telling; /* of a loss: what was under way fails before anything new begins */
    uint8_t buf[HO_FRAME_MAX];
};

static void retry_later(struct handover_link *l)
{
    struct timeval tv = {.tv_sec = l->retry_ms / 1000, .tv_usec = l->retry_ms % 1000 * 1000};

    (void)event_add(l->retry, &tv);
    l->retry_ms = l->retry_ms * 2 > RETRY_MAX_MS ? RETRY_MAX_MS : l->retry_ms * 2;
}

static void drop_socket(struct handover_link *l)
{
    if (l->readable)
        event_free(l->readable);
    l->readable = NULL;
    if (l->fd >= 0)
        (void)close(l->fd);
    l->fd = -1;
}

static void on_readable(evutil_socket_t fd, short what, void *ctx)
{
    struct handover_link *l = ctx;
    struct errinfo e = {0};
    struct ho_frame f;
    enum err rc = OK;

    (void)what;
    for (int i = 0; i < FRAMES_AT_ONCE && rc == OK; i++) {
        if ((rc = ho_recv(&f, fd, l->buf, NULL, &e)) == OK)
            rc = l->frame(l->ctx, &f, &e);
    }
    if (rc == OK || rc == ERR_BUSY)
        return;
    drop_socket(l);
    retry_later(l);
    l->telling = true;
    l->state(l->ctx, false, &e);
    l->telling = false;
}

static enum err hello(struct handover_link *l, struct errinfo *e)
{
    struct ho_frame f = {.type = HO_HELLO, .role = l->role};

    l->readable = event_new(l->base, l->fd, EV_READ | EV_PERSIST, on_readable, l);
    if (!l->readable || event_add(l->readable, NULL) != 0)
        return err_set(ERR_LIMIT, e, "cannot watch the hand-over socket");
    return ho_send_stream(l->fd, &f, l->stats_fd, e);
}

static bool connect_now(struct handover_link *l)
{
    if (ho_connect(&l->fd, l->run_dir, NULL) != OK || hello(l, NULL) != OK) {
        drop_socket(l);
        return false;
    }
    (void)event_del(l->retry);
    l->retry_ms = RETRY_FIRST_MS;
    l->state(l->ctx, true, NULL);
    return true;
}

static void on_retry(evutil_socket_t fd, short what, void *ctx)
{
    struct handover_link *l = ctx;

    (void)fd;
    (void)what;
    if (!connect_now(l))
        retry_later(l);
}

struct handover_link *handover_link_new(struct event_base *base, const char *run_dir,
                                        enum ho_role role, int stats_fd, handover_frame_fn *frame,
                                        handover_state_fn *state, void *ctx)
{
    struct handover_link *l = xcalloc(1, sizeof(*l));
    struct timeval now = {0};

    l->base = base;
    l->run_dir = run_dir;
    l->role = role;
    l->stats_fd = stats_fd;
    l->frame = frame;
    l->state = state;
    l->ctx = ctx;
    l->fd = -1;
    l->retry_ms = RETRY_FIRST_MS;
    l->retry = evtimer_new(base, on_retry, l);
    if (!l->retry || event_add(l->retry, &now) != 0) {
        handover_link_free(l);
        return NULL;
    }
    return l;
}

void handover_link_free(struct handover_link *l)
{
    if (!l)
        return;
    drop_socket(l);
    if (l->retry)
        event_free(l->retry);
    free(l);
}

void handover_link_wake(struct handover_link *l)
{
    if (l->fd < 0 && !l->telling)
        (void)connect_now(l); /* refused: the timer goes on as it was */
}

bool handover_link_send(struct handover_link *l, const struct ho_frame *f)
{
    return l->fd >= 0 && ho_send(l->fd, f, NULL) == OK;
}

bool handover_link_send_stream(struct handover_link *l, const struct ho_frame *f, int connection)
{
    return l->fd >= 0 && ho_send_stream(l->fd, f, connection, NULL) == OK;
}
