#include <stdlib.h>
#include <string.h>

#include "lib/base/mem.h"
#include "syncd/replicate.h"

#define VERSIONS_AT_ONCE 64

struct replicator_net {
    struct loop *loop;
    struct committer *committer;
    struct replicator *replicator;
    struct event *timer;
    struct store_readers *readers; /* lent */
    struct zone_cache *cache;      /* lent */
    struct guard_commands *commands;
    struct conn_pool *conns;
};

static void *net_probe(void *ctx, const struct probe_spec *spec, probe_done_fn *done, void *arg)
{
    struct replicator_net *n = ctx;
    struct probe_spec ours = *spec;

    ours.conns = n->conns;
    return probe_start(n->loop, &ours, done, arg);
}

static void net_probe_cancel(void *ctx, void *handle)
{
    (void)ctx;
    probe_cancel(handle);
}

static void *net_transfer(void *ctx, const struct xfrin_spec *spec,
                          const struct xfrin_events *events, void *arg)
{
    struct replicator_net *n = ctx;
    struct xfrin_spec ours = *spec;

    ours.readers = n->readers;
    ours.cache = n->cache;
    ours.conns = n->conns;
    ours.commands = n->commands;
    return xfrin_start(n->loop, &ours, events, arg);
}

static void net_transfer_cancel(void *ctx, void *handle)
{
    (void)ctx;
    xfrin_cancel(handle);
}

static void *net_nsquery(void *ctx, const struct nsquery_spec *spec, nsquery_done_fn *done,
                         void *arg)
{
    struct replicator_net *n = ctx;

    return nsquery_start(n->loop, spec, done, arg);
}

static void net_nsquery_cancel(void *ctx, void *handle)
{
    (void)ctx;
    nsquery_cancel(handle);
}

static void *net_catalog(void *ctx, const struct store_zone *row, struct zone *content,
                         catalog_done_fn *done, void *arg)
{
    struct replicator_net *n = ctx;

    return catalog_read(n->loop, n->readers, row, content, done, arg);
}

static void net_catalog_cancel(void *ctx, void *handle)
{
    (void)ctx;
    catalog_read_cancel(handle);
}

static void net_commit(void *ctx, struct commit_job *job)
{
    struct replicator_net *n = ctx;

    commit_submit(n->committer, job);
}

static void net_keep(void *ctx, struct zone *z, uint64_t seq)
{
    struct replicator_net *n = ctx;

    zone_cache_put(n->cache, z, seq);
}

static void net_alarm(void *ctx, struct mono at)
{
    struct replicator_net *n = ctx;
    int64_t ms = at.ms - clock_mono(loop_clock(n->loop)).ms;
    struct timeval tv;

    if (ms < 0)
        ms = 0;
    tv = (struct timeval){.tv_sec = ms / 1000, .tv_usec = (suseconds_t)(ms % 1000) * 1000};
    (void)evtimer_add(n->timer, &tv);
}

static void on_timer(evutil_socket_t fd, short what, void *ctx)
{
    struct replicator_net *n = ctx;

    (void)fd;
    (void)what;
    if (n->replicator)
        replicator_run(n->replicator);
}

static enum err net_rows(void *ctx, store_zone_fn *f, void *arg, struct errinfo *e)
{
    struct replicator_net *n = ctx;
    struct store *s;
    enum err rc = store_readers_take(n->readers, &s, e);

    if (rc)
        return rc;
    rc = store_zone_each(s, f, arg, e);
    store_readers_give(n->readers, s, rc);
    return rc;
}

static enum err net_staged(void *ctx, const struct store_zone *row, store_staged_fn *f, void *arg,
                           struct errinfo *e)
{
    struct replicator_net *n = ctx;
    struct store *s;
    enum err rc = store_readers_take(n->readers, &s, e);

    if (rc)
        return rc;
    rc = store_staged_each(s, row, f, arg, e);
    store_readers_give(n->readers, s, rc);
    return rc;
}

static void net_publish(void *ctx, const struct publish_spec *spec, publish_done_fn *done,
                        void *arg)
{
    struct replicator_net *n = ctx;

    publish_start(n->loop, n->readers, spec, done, arg);
}

struct newest {
    bool found;
    struct replicator_fetched fetched;
    uint64_t last; /* number of the version looked at last */
    uint32_t seen;
};

static enum err on_version(void *ctx, const struct store_version *v, struct errinfo *e)
{
    struct newest *w = ctx;

    (void)e;
    w->seen++;
    w->last = v->version;
    if (!w->found && (v->origin.kind == ORIGIN_AXFR || v->origin.kind == ORIGIN_IXFR)) {
        w->found = true;
        w->fetched.serial = v->ours ? v->theirs : v->serial;
        memcpy(w->fetched.primary, v->origin.source, sizeof(w->fetched.primary));
    }
    return OK;
}

static enum err net_fetched(void *ctx, const struct store_zone *row, struct replicator_fetched *out,
                            struct errinfo *e)
{
    struct replicator_net *n = ctx;
    struct newest w = {.last = 0};
    struct store *s;
    enum err rc = store_readers_take(n->readers, &s, e);

    if (rc)
        return rc;
    do {
        w.seen = 0;
        rc = store_version_each(s, row->id, w.last, VERSIONS_AT_ONCE, on_version, &w, e);
    } while (rc == OK && !w.found && w.seen == VERSIONS_AT_ONCE);
    store_readers_give(n->readers, s, rc);
    if (rc == OK && !w.found)
        rc = err_set(ERR_NOT_FOUND, e, "no version came from a primary");
    if (rc == OK)
        *out = w.fetched;
    return rc;
}

struct replicator_net *replicator_net_new(struct replicator_ops *ops, struct loop *loop,
                                          struct committer *committer,
                                          struct store_readers *readers, struct zone_cache *cache,
                                          struct guard_commands *commands)
{
    struct replicator_net *n = xcalloc(1, sizeof(*n));

    n->loop = loop;
    n->committer = committer;
    n->cache = cache;
    n->commands = commands;
    n->conns = conn_pool_new(loop);
    n->readers = readers;
    n->timer = evtimer_new(loop_base(loop), on_timer, n);
    if (!n->timer)
        abort(); /* as for want of memory */
    *ops = (struct replicator_ops){.ctx = n,
                                   .clock = loop_clock(loop),
                                   .probe = net_probe,
                                   .probe_cancel = net_probe_cancel,
                                   .transfer = net_transfer,
                                   .transfer_cancel = net_transfer_cancel,
                                   .nsquery = net_nsquery,
                                   .nsquery_cancel = net_nsquery_cancel,
                                   .catalog = net_catalog,
                                   .catalog_cancel = net_catalog_cancel,
                                   .commit = net_commit,
                                   .keep = net_keep,
                                   .alarm = net_alarm,
                                   .rows = net_rows,
                                   .staged = net_staged,
                                   .publish = net_publish,
                                   .fetched = net_fetched};
    return n;
}

void replicator_net_attach(struct replicator_net *n, struct replicator *r)
{
    n->replicator = r;
}

void replicator_net_free(struct replicator_net *n)
{
    if (!n)
        return;
    event_free(n->timer);
    conn_pool_free(n->conns);
    free(n);
}
