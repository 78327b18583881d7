#include "syncd/conn_pool.h"

#include <stdlib.h>

#include "lib/base/mem.h"

#define WAITING_MAX 64 /* in all */
#define WAITING_MS 3000
#define DISTRUSTED_MAX 64
#define DISTRUST_MS 600000
#define FAILURES_MAX 2 /* within that time: one may be by chance */

/* One that waits. */
struct waiting {
    struct conn_pool *pool;
    struct waiting *prev, *next;
    struct tcpconn *conn;
    struct tcpconn_spec spec;
};

/* A primary that closed connections when it was asked again on one. */
struct distrusted {
    struct addr peer;
    unsigned failures; /* 0: the place is free */
    struct mono until; /* they are forgotten */
};

struct conn_pool {
    struct loop *loop;
    struct waiting *newest, *oldest;
    unsigned count;
    struct distrusted distrusted[DISTRUSTED_MAX];
    unsigned next_distrusted;
};

struct conn_pool *conn_pool_new(struct loop *loop)
{
    struct conn_pool *p = xcalloc(1, sizeof(*p));

    p->loop = loop;
    return p;
}

/* ---- Those that wait ---- */

static struct tcpconn *take_out(struct waiting *w)
{
    struct conn_pool *p = w->pool;
    struct tcpconn *c = w->conn;

    if (w->prev)
        w->prev->next = w->next;
    else
        p->newest = w->next;
    if (w->next)
        w->next->prev = w->prev;
    else
        p->oldest = w->prev;
    p->count--;
    tls_peer_unref(w->spec.tls);
    free(w);
    return c;
}

static bool same_peer(const struct tcpconn_spec *a, const struct tcpconn_spec *b)
{
    return a->tls == b->tls && addr_eq(&a->peer, &b->peer) && addr_eq(&a->source, &b->source);
}

void conn_pool_clear(struct conn_pool *p)
{
    while (p->newest)
        tcpconn_close(take_out(p->newest));
}

void conn_pool_free(struct conn_pool *p)
{
    if (!p)
        return;
    conn_pool_clear(p);
    free(p);
}

static bool on_message(void *ctx, const uint8_t *wire, size_t len)
{
    (void)wire;
    (void)len;
    tcpconn_close(take_out(ctx)); /* nobody has asked */
    return false;
}

static void on_over(void *ctx, enum err rc, const struct errinfo *e)
{
    (void)rc;
    (void)e;
    tcpconn_close(take_out(ctx));
}

/* ---- Primaries that do not allow it ---- */

static struct distrusted *distrusted_find(struct conn_pool *p, const struct addr *peer)
{
    for (unsigned i = 0; i < DISTRUSTED_MAX; i++) {
        if (p->distrusted[i].failures && addr_eq(&p->distrusted[i].peer, peer))
            return &p->distrusted[i];
    }
    return NULL;
}

static bool is_distrusted(struct conn_pool *p, const struct addr *peer)
{
    const struct distrusted *d = distrusted_find(p, peer);

    return d && d->failures >= FAILURES_MAX &&
           mono_cmp(clock_mono(loop_clock(p->loop)), d->until) < 0;
}

void conn_pool_failed(struct conn_pool *p, const struct tcpconn_spec *spec)
{
    struct distrusted *d = distrusted_find(p, &spec->peer);
    struct mono now = clock_mono(loop_clock(p->loop));

    if (!d) {
        d = &p->distrusted[p->next_distrusted++ % DISTRUSTED_MAX];
        *d = (struct distrusted){.peer = spec->peer};
    } else if (mono_cmp(d->until, now) < 0) {
        d->failures = 0; /* long ago */
    }
    d->failures++;
    d->until = mono_add_ms(now, DISTRUST_MS);
}

/* ---- Taking and giving ---- */

struct tcpconn *conn_pool_take(struct conn_pool *p, struct loop *loop,
                               const struct tcpconn_spec *spec, const struct tcpconn_events *events,
                               void *ctx, bool *reused)
{
    *reused = false;
    for (struct waiting *w = p ? p->newest : NULL; w; w = w->next) {
        struct tcpconn *c;

        if (!same_peer(&w->spec, spec))
            continue;
        c = take_out(w);
        tcpconn_pass(c, events, ctx, spec->idle_ms);
        *reused = true;
        return c;
    }
    return tcpconn_open(loop_base(loop), spec, events, ctx);
}

void conn_pool_give(struct conn_pool *p, struct tcpconn *c)
{
    static const struct tcpconn_events events = {NULL, on_message, on_over};
    struct waiting *w;

    if (!p || tcpconn_buffered(c) > 0 || is_distrusted(p, &tcpconn_spec_of(c)->peer)) {
        tcpconn_close(c);
        return;
    }
    if (p->count >= WAITING_MAX)
        tcpconn_close(take_out(p->oldest));
    w = xcalloc(1, sizeof(*w));
    w->pool = p;
    w->conn = c;
    w->spec = *tcpconn_spec_of(c);
    if (w->spec.tls)
        w->spec.tls = tls_peer_ref(w->spec.tls);
    w->next = p->newest;
    if (w->next)
        w->next->prev = w;
    else
        p->oldest = w;
    p->newest = w;
    p->count++;
    tcpconn_pass(c, &events, w, WAITING_MS);
}
