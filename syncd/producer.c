#include <stdlib.h>
#include <string.h>

#include "lib/base/log.h"
#include "syncd/producer_internal.h"

#define QUIET_MS 250 /* without anything new, before a round begins ... */
#define WAIT_MS 3000 /* ... at the latest */
#define LATER_MS 5000
#define CHECK_MS 3600000 /* between looks at the words of where zones went */

/* ---- When ---- */

static struct mono now_of(const struct producer *p)
{
    return clock_mono(loop_clock(p->ops.loop));
}

static void wake_in(struct producer *p, int64_t ms)
{
    struct timeval tv = {.tv_sec = ms / 1000, .tv_usec = (ms % 1000) * 1000};

    (void)event_add(p->timer, &tv); /* in place of the time before */
}

static bool has_work(const struct producer *p)
{
    return p->all || p->first_touched;
}

/* Something happened: a round begins when it is quiet, but soon. */
static void soon(struct producer *p, bool had_work)
{
    int64_t left;

    if (!had_work)
        p->first_at = now_of(p);
    if (p->round)
        return;
    left = p->first_at.ms + WAIT_MS - now_of(p).ms;
    wake_in(p, left < QUIET_MS ? (left > 0 ? left : 0) : QUIET_MS);
}

/* When something is to be done about it. */
static struct wall due_at(const struct moved_on *m)
{
    return (struct wall){m->since.s + (m->waiting ? m->wait_s : m->coo_s)};
}

/* The next word that has stood long enough. */
static void wake_for_moved(struct producer *p)
{
    int64_t now = clock_wall(loop_clock(p->ops.loop)).s;
    int64_t left = CHECK_MS / 1000;

    for (const struct moved_on *m = p->first_moved; m; m = m->next) {
        int64_t at = due_at(m).s;

        if (at - now < left)
            left = at > now ? at - now : 0;
    }
    if (p->first_moved)
        wake_in(p, left * 1000);
}

/* ---- What ---- */

static void touch(struct producer *p, const uint8_t *zone, bool fresh)
{
    bool had = has_work(p);
    struct touched *t = namemap_get(&p->touched, zone);

    if (!t) {
        t = xcalloc(1, sizeof(*t) + name_len(zone));
        (void)name_copy(t->zone, zone);
        t->next = p->first_touched;
        p->first_touched = t;
        namemap_put(&p->touched, t->zone, t);
    }
    t->fresh = t->fresh || fresh;
    soon(p, had);
}

static void look_at_all(struct producer *p)
{
    bool had = has_work(p);

    p->all = true;
    soon(p, had);
}

void producer_touch(struct producer *p, const uint8_t *zone)
{
    if (p->config->producer_count)
        touch(p, zone, false);
}

static void look_at_job(struct producer *p, const struct commit_job *j)
{
    struct replicator_zone z;

    if (j->kind != COMMIT_CHANGE && j->kind != COMMIT_SERVED && j->kind != COMMIT_MARK)
        return;
    if (p->ops.zone(p->ops.ctx, j->row.name, &z) && z.section && z.section->producer)
        look_at_all(p); /* somebody else did something to a catalog of ours */
    else if (j->kind != COMMIT_CHANGE || !j->base.has_content || j->base.removed)
        touch(p, j->row.name, j->row.removed || j->base.removed);
}

void producer_committed(struct producer *p, const struct commit_job *jobs)
{
    if (!p->config->producer_count)
        return;
    for (const struct commit_job *j = jobs; j; j = j->next) {
        if (j->rc == OK && !round_made(j))
            look_at_job(p, j);
    }
}

/* ---- A round ---- */

static bool is_here(const struct zone_row *row)
{
    return row->id != 0 && row->has_content && !row->removed;
}

static size_t catalog_of(const struct config *c, const struct replicator_zone *z)
{
    const struct config_zone *s = z->section;

    if (!s || !s->member_of || s->catalog || s->producer || !is_here(z->row))
        return PRODUCER_NOWHERE;
    for (size_t i = 0; i < c->producer_count; i++) {
        if (strcmp(c->producers[i].name, s->member_of->name) == 0)
            return i;
    }
    return PRODUCER_NOWHERE;
}

static void want(struct round *r, const uint8_t *name, const struct replicator_zone *z, bool fresh)
{
    size_t catalog = catalog_of(r->config, z);
    const struct moved_on *m = namemap_get(&r->producer->moved, name);

    r->wants = xgrow(r->wants, &r->want_cap, r->want_count + 1, sizeof(*r->wants));
    r->wants[r->want_count++] = (struct producer_want){
        .zone = arena_dup(&r->arena, name, name_len(name)),
        .catalog = catalog,
        .group = catalog == PRODUCER_NOWHERE ? "" : z->section->catalog_group,
        .fresh = fresh,
        .ready = m && (!m->waiting || due_at(m).s <= r->now.s),
        .due = m && !m->waiting && due_at(m).s <= r->now.s};
}

/* One that we made once, and that the configuration does not have any more. */
static bool is_leftover(const struct replicator_zone *z)
{
    const struct zone_row *row = z->row;

    return row->id && !row->removed && row->kind == ZONE_LOCAL && row->catalog &&
           name_eq(row->catalog, row->name) && !(z->section && z->section->producer);
}

static void want_of_all(void *ctx, const struct replicator_zone *z)
{
    struct round *r = ctx;
    const struct touched *t = namemap_get(&r->producer->touched, z->row->name);

    if (is_leftover(z)) {
        r->leftovers =
            xgrow(r->leftovers, &r->leftover_cap, r->leftover_count + 1, sizeof(*r->leftovers));
        r->leftovers[r->leftover_count++] =
            arena_dup(&r->arena, z->row->name, name_len(z->row->name));
    }
    if (catalog_of(r->config, z) != PRODUCER_NOWHERE)
        want(r, z->row->name, z, t && t->fresh);
}

static void want_of_touched(struct producer *p, struct round *r)
{
    for (const struct touched *t = p->first_touched; t; t = t->next) {
        struct replicator_zone z = {.section = NULL}; /* of none that is not known */

        (void)p->ops.zone(p->ops.ctx, t->zone, &z);
        want(r, t->zone, &z, t->fresh);
    }
}

/* What was touched goes with the round. */
static struct touched *take_touched(struct producer *p)
{
    struct touched *list = p->first_touched;

    for (struct touched *t = list; t; t = t->next)
        namemap_remove(&p->touched, t->zone);
    p->first_touched = NULL;
    return list;
}

static void begin_round(struct producer *p)
{
    struct round *r = round_new(p);

    r->plan.all = p->all;
    if (p->all)
        p->ops.each_zone(p->ops.ctx, want_of_all, r);
    else
        want_of_touched(p, r);
    r->touched = take_touched(p);
    p->all = false;
    p->round = r;
    round_start(r);
}

static void on_timer(evutil_socket_t fd, short what, void *ctx)
{
    struct producer *p = ctx;
    int64_t now = clock_wall(loop_clock(p->ops.loop)).s;

    (void)fd;
    (void)what;
    if (p->round)
        return;
    for (const struct moved_on *m = p->first_moved; m; m = m->next) {
        if (due_at(m).s <= now)
            touch(p, m->zone, false);
    }
    if (has_work(p))
        begin_round(p);
    else
        wake_for_moved(p);
}

/* ---- Words of where zones went ---- */

static void moved_free(struct moved_on *list)
{
    while (list) {
        struct moved_on *next = list->next;

        free(list);
        list = next;
    }
}

/* Takes out those that the round has looked at. */
static struct moved_on *take_moved(struct producer *p, const struct round *r)
{
    struct namemap looked_at;
    struct moved_on *out = NULL;
    struct moved_on **at = &p->first_moved;

    namemap_init(&looked_at, clock_real());
    for (size_t i = 0; i < r->want_count; i++)
        namemap_put(&looked_at, r->wants[i].zone, &r->wants[i]);
    while (*at) {
        struct moved_on *m = *at;

        if (!r->plan.all && !namemap_get(&looked_at, m->zone)) {
            at = &m->next;
            continue;
        }
        *at = m->next;
        namemap_remove(&p->moved, m->zone);
        m->next = out;
        out = m;
    }
    namemap_done(&looked_at);
    return out;
}

static struct moved_on *moved_new(struct producer *p, const uint8_t *zone)
{
    struct moved_on *m = xcalloc(1, sizeof(*m) + name_len(zone));

    (void)name_copy(m->zone, zone);
    m->next = p->first_moved;
    p->first_moved = m;
    namemap_put(&p->moved, m->zone, m);
    return m;
}

/* A word that we did not know of, after a start, has stood there since the last version at the
 * latest. */
static void remember_moved(struct producer *p, const struct round *r)
{
    struct moved_on *was = take_moved(p, r);
    struct namemap known;

    namemap_init(&known, clock_real());
    for (struct moved_on *m = was; m; m = m->next)
        namemap_put(&known, m->zone, m);
    for (size_t i = 0; i < r->plan.moved_count; i++) {
        const struct producer_moved *now = &r->plan.moved[i];
        const struct moved_on *old = namemap_get(&known, now->zone);
        struct wall since = now->fresh ? r->now : old ? old->since : r->made_at[now->catalog];
        uint32_t coo_s = r->config->producers[now->catalog].coo_s;
        struct moved_on *m = namemap_get(&p->moved, now->zone);

        if (!m)
            m = moved_new(p, now->zone);
        m->waiting = now->waiting;
        m->wait_s = r->config->producers[now->to].coo_wait_s;
        m->since = since.s > m->since.s ? since : m->since;
        m->coo_s = coo_s > m->coo_s ? coo_s : m->coo_s;
    }
    namemap_done(&known);
    moved_free(was);
}

void producer_round_over(struct producer *p, struct round *r)
{
    p->round = NULL;
    if (r->end == ROUND_DONE) {
        remember_moved(p, r);
    } else {
        for (const struct touched *t = r->touched; t; t = t->next)
            touch(p, t->zone, t->fresh);
        p->all = true;
        p->first_at = now_of(p);
    }
    if (r->end == ROUND_LATER)
        wake_in(p, LATER_MS);
    else if (has_work(p))
        soon(p, true);
    else
        wake_for_moved(p);
}

/* ---- Life ---- */

/* Whether any zone is, or was, a catalog of ours. */
static void find_leftover(void *ctx, const struct replicator_zone *z)
{
    bool *found = ctx;

    *found = *found || is_leftover(z);
}

static void look_if_needed(struct producer *p)
{
    bool needed = p->config->producer_count > 0;

    if (!needed)
        p->ops.each_zone(p->ops.ctx, find_leftover, &needed);
    if (needed)
        look_at_all(p);
}

struct producer *producer_new(const struct producer_ops *ops, struct config *config)
{
    struct producer *p = xcalloc(1, sizeof(*p));

    p->ops = *ops;
    p->config = config_ref(config);
    namemap_init(&p->touched, clock_real());
    namemap_init(&p->moved, clock_real());
    p->timer = evtimer_new(loop_base(ops->loop), on_timer, p);
    if (!p->timer)
        abort(); /* no memory */
    look_if_needed(p);
    return p;
}

void producer_reload(struct producer *p, struct config *config)
{
    struct config *was = p->config;
    bool made_some = was->producer_count > 0;

    p->config = config_ref(config);
    config_unref(was);
    if (made_some) /* one may have been committed just now, and its row does not say so yet */
        look_at_all(p);
    else
        look_if_needed(p);
}

void producer_free(struct producer *p)
{
    struct touched *t;

    if (!p)
        return;
    if (p->round)
        p->round->producer = NULL; /* it ends when its work does */
    t = take_touched(p);
    while (t) {
        struct touched *next = t->next;

        free(t);
        t = next;
    }
    event_free(p->timer);
    namemap_done(&p->touched);
    namemap_done(&p->moved);
    moved_free(p->first_moved);
    config_unref(p->config);
    free(p);
}
