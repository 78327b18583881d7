#include "syncd/retention.h"

#include <event2/event.h>
#include <stdlib.h>

#include "lib/base/log.h"
#include "lib/base/mem.h"

#define FIRST_S 60
#define INTERVAL_S 86400

struct retention {
    struct retention_env env;
    struct config *config; /* a reference */
    struct event *tick;
    bool stopped;
    bool looking;
};

/* ---- Lists ---- */

static enum err on_zone(void *ctx, const struct store_zone *z, struct errinfo *e)
{
    struct retention_list *l = ctx;

    (void)e;
    if (!z->last_version)
        return OK;
    l->zones = xgrow(l->zones, &l->cap, l->n + 1, sizeof(*l->zones));
    l->zones[l->n++] = (struct retention_zone){.row = *z};
    return OK;
}

enum err retention_read(struct retention_list *out, struct history *h, struct errinfo *e)
{
    return store_zone_each(h->store, on_zone, out, e);
}

void retention_settle(struct retention_list *l, const struct replicator *r, const struct config *c)
{
    size_t n = 0;

    for (size_t i = 0; i < l->n; i++) {
        const struct config_zone *sec = replicator_section(r, l->zones[i].row.name);

        l->zones[i].policy = sec && sec->retention.set ? sec->retention : c->retention;
        if (l->zones[i].policy.days)
            l->zones[n++] = l->zones[i];
    }
    l->n = n;
}

struct thin_wish *retention_wish(const struct retention_list *l, struct wall now)
{
    struct thin_wish *w = xcalloc(1, sizeof(*w));

    w->now = now;
    w->zones = xcalloc(l->n, sizeof(*w->zones));
    w->n = l->n;
    for (size_t i = 0; i < l->n; i++)
        w->zones[i] = (struct thin_zone){l->zones[i].row.id, l->zones[i].policy};
    return w;
}

void retention_list_done(struct retention_list *l)
{
    free(l->zones);
    *l = (struct retention_list){.n = 0};
}

/* ---- The daily look ---- */

struct look {
    struct retention *r;
    struct store_readers *readers;
    struct retention_list list;
    struct errinfo error;
    enum err rc;
};

static void look_work(void *ctx)
{
    struct look *l = ctx;
    struct history h = {0};

    if ((l->rc = history_open(&h, l->readers, &l->error)) == OK)
        l->rc = retention_read(&l->list, &h, &l->error);
    history_close(&h);
}

static void look_done(void *ctx)
{
    struct look *l = ctx;
    struct retention *r = l->r;

    r->looking = false;
    if (r->stopped) {
        /* nobody to tell */
    } else if (l->rc) {
        log_warning(say("retention: the zones cannot be read; tries again tomorrow"),
                    kv_err(&l->error));
    } else {
        retention_settle(&l->list, r->env.replicator, r->config);
        if (l->list.n)
            journaler_thin(r->env.journaler,
                           retention_wish(&l->list, clock_wall(loop_clock(r->env.loop))));
    }
    retention_list_done(&l->list);
    free(l);
}

static void on_tick(evutil_socket_t fd, short what, void *ctx)
{
    static const struct timeval later = {.tv_sec = INTERVAL_S};
    struct retention *r = ctx;
    struct look *l;

    (void)fd;
    (void)what;
    (void)event_add(r->tick, &later);
    if (r->looking)
        return;
    l = xcalloc(1, sizeof(*l));
    *l = (struct look){.r = r, .readers = r->env.readers};
    r->looking = true;
    loop_work(r->env.loop, look_work, look_done, l);
}

enum err retention_start(struct retention **out, const struct retention_env *env,
                         struct config *config, struct errinfo *e)
{
    static const struct timeval first = {.tv_sec = FIRST_S};
    struct retention *r = xcalloc(1, sizeof(*r));

    r->env = *env;
    r->config = config_ref(config);
    r->tick = event_new(loop_base(env->loop), -1, 0, on_tick, r);
    if (!r->tick || event_add(r->tick, &first) != 0) {
        retention_stop(r);
        retention_free(r);
        return err_set(ERR_LIMIT, e, "retention: no timer");
    }
    *out = r;
    return OK;
}

void retention_configure(struct retention *r, struct config *config)
{
    struct config *old = r->config;

    r->config = config_ref(config);
    config_unref(old);
}

void retention_stop(struct retention *r)
{
    if (!r)
        return;
    if (r->tick)
        event_free(r->tick);
    r->tick = NULL;
    r->stopped = true;
}

void retention_free(struct retention *r)
{
    if (r)
        config_unref(r->config);
    free(r);
}
