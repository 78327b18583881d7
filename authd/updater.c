#include "authd/updater.h"

#include <event2/event.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "authd/follower.h"
#include "authd/handover_link.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"

#define STEP_MS 100 /* then hints and questions get their turn */

struct updater {
    struct follower *follower;
    struct event_base *base;
    struct handover_link *link;
    struct event *tick;  /* each second */
    struct event *again; /* there is more to do */
    uint64_t said;       /* the seq that syncd knows of */
    int stop_fd;
    struct event *stop_event;
    pthread_t thread;
    bool started;
};

/* syncd tells secondaries of a change only when it can be seen here. */
static void say_seq(struct updater *u)
{
    struct ho_frame f = {.type = HO_HINT, .seq = follower_seq(u->follower)};

    if (f.seq != u->said && u->link && handover_link_send(u->link, &f))
        u->said = f.seq;
}

static void step(struct updater *u)
{
    static const struct timeval now = {0};

    if (follower_step(u->follower, STEP_MS))
        (void)event_add(u->again, &now);
    say_seq(u);
}

static void on_time(evutil_socket_t fd, short what, void *ctx)
{
    (void)fd;
    (void)what;
    step(ctx);
}

/* ---- syncd ---- */

static enum err tell(struct updater *u, const struct ho_frame *ask)
{
    struct ho_frame f;

    step(u); /* what was committed before the question is in the answer */
    follower_tell(u->follower, ask->zone, &f);
    f.id = ask->id;
    (void)handover_link_send(u->link, &f); /* lost: syncd's question has a deadline */
    return OK;
}

static enum err on_frame(void *ctx, const struct ho_frame *f, struct errinfo *e)
{
    struct updater *u = ctx;

    switch (f->type) {
    case HO_HINT:
        if (f->seq > follower_seq(u->follower))
            step(u);
        return OK;
    case HO_ASK:
        return tell(u, f);
    case HO_HELLO:
    case HO_MESSAGE:
    case HO_REPLY:
    case HO_TELL:
    case HO_STREAM:
        break;
    }
    return err_set(ERR_FORMAT, e, "a frame of type %u is not for an updater", (unsigned)f->type);
}

static void on_state(void *ctx, bool connected, const struct errinfo *why)
{
    struct updater *u = ctx;

    follower_syncd(u->follower, connected);
    if (connected) {
        u->said = 0;
        log_info(say("connected to syncd"));
        step(u); /* hints may have been missed */
    } else {
        log_warning(say("syncd has gone away; zones stay served, NOTIFY and UPDATE get SERVFAIL"),
                    kv_err(why));
    }
}

/* ---- The thread ---- */

static void on_stop(evutil_socket_t fd, short what, void *ctx)
{
    struct updater *u = ctx;

    (void)fd;
    (void)what;
    (void)event_base_loopbreak(u->base);
}

static void *run(void *ctx)
{
    struct updater *u = ctx;

    (void)event_base_dispatch(u->base);
    return NULL;
}

static bool add_events(struct updater *u, const char *run_dir, int stats_fd)
{
    static const struct timeval second = {.tv_sec = 1};
    static const struct timeval now = {0};

    u->tick = event_new(u->base, -1, EV_PERSIST, on_time, u);
    u->again = evtimer_new(u->base, on_time, u);
    u->stop_event = event_new(u->base, u->stop_fd, EV_READ, on_stop, u);
    u->link = handover_link_new(u->base, run_dir, HO_UPDATER, stats_fd, on_frame, on_state, u);
    return u->tick && u->again && u->stop_event && u->link && event_add(u->tick, &second) == 0 &&
           event_add(u->again, &now) == 0 && event_add(u->stop_event, NULL) == 0;
}

enum err updater_start(struct updater **out, struct zonedb *db, int stats_fd, const char *data_dir,
                       const char *run_dir, const struct clock *clock, struct errinfo *e)
{
    struct updater *u = xcalloc(1, sizeof(*u));
    enum err rc = OK;
    int errnum;

    u->follower = follower_new(db, data_dir, clock);
    u->base = event_base_new();
    u->stop_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (!u->base || u->stop_fd < 0 || !add_events(u, run_dir, stats_fd)) {
        rc = err_set(ERR_LIMIT, e, "no event loop for the updater");
    } else if ((errnum = pthread_create(&u->thread, NULL, run, u)) != 0) {
        rc = err_sys(errnum, e, "updater thread");
    } else {
        u->started = true;
        *out = u;
        return OK;
    }
    updater_stop(u);
    return rc;
}

static void event_drop(struct event *e)
{
    if (e)
        event_free(e);
}

void updater_stop(struct updater *u)
{
    static const uint64_t one = 1;

    if (!u)
        return;
    if (u->started) {
        (void)!write(u->stop_fd, &one, sizeof(one)); /* an eventfd at 0 takes it */
        (void)pthread_join(u->thread, NULL);
    }
    handover_link_free(u->link);
    event_drop(u->tick);
    event_drop(u->again);
    event_drop(u->stop_event);
    if (u->base)
        event_base_free(u->base);
    if (u->stop_fd >= 0)
        (void)close(u->stop_fd);
    follower_free(u->follower);
    free(u);
}
