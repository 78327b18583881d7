#include "syncd/signature_ends.h"

#include <pthread.h>
#include <stdlib.h>

#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/zone/zone_signatures.h"

#define LOOK_EVERY_S 60
#define LOOK_SOON_MS 200

struct served {
    int64_t id;
    uint64_t seq; /* of the change that made what is served */
    bool looked, has_end, held, near_expiry;
    struct wall end; /* of the first signature */
    struct wall expires_at;
    enum end_news said;
    bool said_expiry;
    uint8_t *name;
};

struct served_list {
    struct served *list; /* by id */
    size_t n, cap;
};

struct signature_ends {
    struct loop *loop;
    struct store_readers *readers;
    uint32_t warn_s;
    struct event *timer;
    bool busy, again;

    pthread_mutex_t lock; /* guards `now`, which only the loop thread changes, and not while a look
                             reads it; taken by itself */
    struct served_list now;
};

struct look {
    struct signature_ends *ends;
    struct wall at;
    struct served_list next;
    enum err rc;
    struct errinfo error;
};

static void list_done(struct served_list *l)
{
    for (size_t i = 0; i < l->n; i++)
        free(l->list[i].name);
    free(l->list);
    *l = (struct served_list){.n = 0};
}

static int by_id(const void *a, const void *b)
{
    int64_t x = ((const struct served *)a)->id, y = ((const struct served *)b)->id;

    return (x > y) - (x < y);
}

static struct served *list_find(const struct served_list *l, int64_t id)
{
    struct served key = {.id = id};

    return l->n ? bsearch(&key, l->list, l->n, sizeof(key), by_id) : NULL;
}

enum end_news signature_end_news(struct wall end, struct wall now, uint32_t warn_s,
                                 enum end_news said)
{
    if (end.s < now.s)
        return said == END_OVER ? END_NOTHING : END_OVER;
    if (end.s - now.s <= (int64_t)warn_s)
        return said == END_NOTHING ? END_NEAR : END_NOTHING;
    return END_NOTHING;
}

/* ---- In the pool ---- */

static enum err on_row(void *ctx, const struct store_zone *row, struct errinfo *e)
{
    struct look *l = ctx;
    struct served_list *next = &l->next;
    const struct served *was = list_find(&l->ends->now, row->id);
    struct served x = {.id = row->id,
                       .seq = row->seq,
                       .held = row->held,
                       .expires_at = row->expires_at,
                       .name = xmemdup(row->name, name_len(row->name))};

    (void)e;
    /* Three quarters of the time without a primary are over, as for the state "expiring". */
    x.near_expiry = !row->held && !row->expired && row->expires_at.s &&
                    (row->expires_at.s - l->at.s) * 4 < row->expires_at.s - row->last_success.s;
    if (was && was->seq == row->seq) {
        x.looked = was->looked;
        x.has_end = was->has_end;
        x.end = was->end;
        x.said = was->said;
        x.said_expiry = was->said_expiry;
    }
    next->list = xgrow(next->list, &next->cap, next->n + 1, sizeof(x));
    next->list[next->n++] = x;
    return OK;
}

static enum err look_at(struct served *x, struct store *s, struct wall now, struct errinfo *e)
{
    struct zone_signatures found;
    struct store_zone row;
    struct zone *z = NULL;
    enum err rc;

    if ((rc = store_read_begin(s, e)))
        return rc;
    if ((rc = store_zone_get_id(s, x->id, &row, e)) == OK && row.seq == x->seq && row.has_content)
        rc = store_zone_load(&z, s, &row, e);
    store_read_end(s);
    if (z) {
        found = zone_signatures(z, now);
        x->looked = true;
        x->has_end = found.count > 0;
        x->end = found.first;
    }
    zone_unref(z);
    return rc == ERR_NOT_FOUND ? OK : rc; /* gone meanwhile */
}

static void on_look(void *ctx)
{
    struct look *l = ctx;
    struct store *s = NULL;

    if ((l->rc = store_readers_take(l->ends->readers, &s, &l->error)))
        return;
    l->rc = store_zone_each_aside(s, on_row, l, &l->error);
    for (size_t i = 0; l->rc == OK && i < l->next.n; i++) {
        if (!l->next.list[i].looked)
            l->rc = look_at(&l->next.list[i], s, l->at, &l->error);
    }
    store_readers_give(l->ends->readers, s, l->rc);
}

/* ---- In the loop ---- */

static void say_end(struct served *x, enum end_news news)
{
    char zone[NAME_TEXT_MAX], when[WALL_TEXT_MAX];
    const char *why = x->held ? "it is held" : "a version is quarantined";

    (void)name_to_text(zone, x->name);
    wall_to_text(when, x->end);
    if (news == END_OVER)
        log_error(say("signatures of what is served have ended: resolvers that validate do not "
                      "believe it any more"),
                  kv_str("zone", zone), kv_str("ended", when), kv_str("why", why));
    else if (news == END_NEAR)
        log_warning(say("signatures of what is served end soon, and nothing newer is served until "
                        "an operator acts"),
                    kv_str("zone", zone), kv_str("end", when), kv_str("why", why));
    if (news != END_NOTHING)
        x->said = news;
}

static void say_expiry(struct served *x)
{
    char zone[NAME_TEXT_MAX], when[WALL_TEXT_MAX];

    if (!x->near_expiry || x->said_expiry)
        return;
    (void)name_to_text(zone, x->name);
    wall_to_text(when, x->expires_at);
    log_warning(say("a zone with a quarantined version expires soon: approve it, or have another "
                    "one made"),
                kv_str("zone", zone), kv_str("expires", when));
    x->said_expiry = true;
}

static void set_timer(struct signature_ends *s, int64_t ms)
{
    struct timeval tv = {.tv_sec = ms / 1000, .tv_usec = (suseconds_t)(ms % 1000) * 1000};

    if (s->timer)
        (void)evtimer_add(s->timer, &tv);
}

static void on_looked(void *ctx)
{
    struct look *l = ctx;
    struct signature_ends *s = l->ends;
    struct served_list old = l->next;

    s->busy = false;
    if (l->rc == OK) {
        for (size_t i = 0; i < l->next.n; i++) {
            struct served *x = &l->next.list[i];

            if (x->has_end)
                say_end(x, signature_end_news(x->end, l->at, s->warn_s, x->said));
            say_expiry(x);
        }
        (void)pthread_mutex_lock(&s->lock);
        old = s->now;
        s->now = l->next;
        (void)pthread_mutex_unlock(&s->lock);
    } else {
        log_warning(say("cannot see when signatures of waiting zones end"), kv_err(&l->error));
    }
    list_done(&old);
    set_timer(s, s->again ? LOOK_SOON_MS : LOOK_EVERY_S * 1000);
    s->again = false;
    free(l);
}

static void on_timer(evutil_socket_t fd, short what, void *ctx)
{
    struct signature_ends *s = ctx;
    struct look *l;

    (void)fd;
    (void)what;
    if (s->busy)
        return;
    s->busy = true;
    l = xcalloc(1, sizeof(*l));
    l->ends = s;
    l->at = clock_wall(loop_clock(s->loop));
    loop_work(s->loop, on_look, on_looked, l);
}

struct signature_ends *signature_ends_new(struct loop *loop, struct store_readers *readers,
                                          const struct config *config)
{
    struct signature_ends *s = xcalloc(1, sizeof(*s));

    s->loop = loop;
    s->readers = readers;
    s->warn_s = config->signature_warning_s;
    s->timer = evtimer_new(loop_base(loop), on_timer, s);
    if (!s->timer || pthread_mutex_init(&s->lock, NULL) != 0)
        abort(); /* as for want of memory */
    set_timer(s, LOOK_SOON_MS);
    return s;
}

void signature_ends_stop(struct signature_ends *s)
{
    if (!s || !s->timer)
        return;
    event_free(s->timer);
    s->timer = NULL;
}

void signature_ends_free(struct signature_ends *s)
{
    if (!s)
        return;
    signature_ends_stop(s);
    list_done(&s->now);
    (void)pthread_mutex_destroy(&s->lock);
    free(s);
}

void signature_ends_reload(struct signature_ends *s, const struct config *config)
{
    s->warn_s = config->signature_warning_s;
    if (s->busy)
        s->again = true;
    else
        set_timer(s, LOOK_SOON_MS);
}

static bool is_aside(const struct store_zone *z)
{
    return z->held || z->quarantine_version > z->version;
}

void signature_ends_committed(struct signature_ends *s, const struct commit_job *jobs)
{
    bool any = false;

    for (const struct commit_job *j = jobs; j && !any; j = j->next)
        any = j->rc == OK && j->kind != COMMIT_STATE && (is_aside(&j->row) || is_aside(&j->base));
    if (!any)
        return;
    if (s->busy)
        s->again = true;
    else
        set_timer(s, LOOK_SOON_MS);
}

bool signature_ends_find(struct signature_ends *s, const struct store_zone *row, struct wall *end)
{
    const struct served *x;
    bool found;

    (void)pthread_mutex_lock(&s->lock);
    x = list_find(&s->now, row->id);
    found = x && x->seq == row->seq && x->has_end;
    if (found)
        *end = x->end;
    (void)pthread_mutex_unlock(&s->lock);
    return found;
}

bool signature_ends_first(const struct signature_ends *s, struct wall *end)
{
    bool found = false;

    for (size_t i = 0; i < s->now.n; i++) {
        const struct served *x = &s->now.list[i];

        if (!x->has_end || (found && x->end.s >= end->s))
            continue;
        *end = x->end;
        found = true;
    }
    return found;
}
