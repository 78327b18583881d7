#include "syncd/sched.h"

#include <assert.h>
#include <stdlib.h>

#include "lib/base/mem.h"

#define FAIR_EVERY 4    /* each so many starts, the lanes are looked at from behind */
#define PEER_BUCKETS 64 /* to begin with */

/* A ring of peers (those with work in one lane of one gate): the next to be served first. */
struct peer_ring {
    struct sched_peer *first; /* doubly linked by peer->lanes[..].ring_* */
};

struct peer_lane {
    struct sched_task *head, *tail;
    struct sched_peer *ring_prev, *ring_next; /* in the ring while head is there */
};

struct sched_peer {
    struct addr address;
    struct sched_peer *next; /* in the hash bucket */
    uint32_t running[WORKS];
    struct token_bucket probes;
    struct peer_lane lanes[WORKS][LANES];
};

struct gate {
    size_t queued, running;
    size_t lanes[LANES]; /* of those queued */
    struct peer_ring rings[LANES];
    unsigned starts;
};

struct sched {
    struct sched_limits limits;
    struct token_bucket probes;
    struct gate gates[WORKS];

    struct sched_task **heap; /* from 1 */
    size_t heap_len, heap_cap;

    struct sched_peer **peers; /* hash buckets */
    size_t peer_buckets, peer_count;
};

/* ---- Token bucket ---- */

void token_bucket_init(struct token_bucket *b, uint32_t rate, uint32_t burst, struct mono now)
{
    *b = (struct token_bucket){
        .rate = rate, .burst = burst, .milli = (int64_t)burst * 1000, .filled = now};
}

static int64_t bucket_level(const struct token_bucket *b, struct mono now)
{
    int64_t most = (int64_t)b->burst * 1000;
    int64_t ms = now.ms - b->filled.ms;

    if (ms < 0)
        ms = 0;
    /* More than enough to fill it; the product stays small. */
    if (b->rate != 0 && ms > most / b->rate + 1)
        return most;
    return b->milli + ms * b->rate > most ? most : b->milli + ms * b->rate;
}

/* Some are sent at once, then evenly: a tenth of a second's worth. */
static uint32_t probe_burst(uint32_t rate)
{
    return rate / 10 + 1;
}

bool token_bucket_take(struct token_bucket *b, struct mono now)
{
    b->milli = bucket_level(b, now);
    if (mono_cmp(now, b->filled) > 0)
        b->filled = now;
    if (b->milli < 1000)
        return false;
    b->milli -= 1000;
    return true;
}

struct mono token_bucket_ready(const struct token_bucket *b, struct mono now)
{
    int64_t lacks = 1000 - bucket_level(b, now);

    return lacks <= 0 ? now : mono_add_ms(now, (lacks + b->rate - 1) / b->rate);
}

/* ---- The heap of alarms ---- */

static void heap_place(struct sched *s, size_t pos, struct sched_task *t)
{
    s->heap[pos] = t;
    t->heap_pos = pos;
}

static void heap_up(struct sched *s, size_t pos, struct sched_task *t)
{
    for (; pos > 1 && mono_cmp(t->alarm, s->heap[pos / 2]->alarm) < 0; pos /= 2)
        heap_place(s, pos, s->heap[pos / 2]);
    heap_place(s, pos, t);
}

static void heap_down(struct sched *s, size_t pos, struct sched_task *t)
{
    while (2 * pos <= s->heap_len) {
        size_t child = 2 * pos;

        if (child < s->heap_len && mono_cmp(s->heap[child + 1]->alarm, s->heap[child]->alarm) < 0)
            child++;
        if (mono_cmp(s->heap[child]->alarm, t->alarm) >= 0)
            break;
        heap_place(s, pos, s->heap[child]);
        pos = child;
    }
    heap_place(s, pos, t);
}

void sched_alarm_clear(struct sched *s, struct sched_task *t)
{
    size_t pos = t->heap_pos;
    struct sched_task *last;

    if (pos == 0)
        return;
    t->heap_pos = 0;
    last = s->heap[s->heap_len--];
    if (last == t)
        return;
    if (pos > 1 && mono_cmp(last->alarm, s->heap[pos / 2]->alarm) < 0)
        heap_up(s, pos, last);
    else
        heap_down(s, pos, last);
}

void sched_alarm_set(struct sched *s, struct sched_task *t, struct mono at)
{
    if (t->heap_pos != 0 && mono_cmp(t->alarm, at) == 0)
        return;
    sched_alarm_clear(s, t);
    t->alarm = at;
    if (s->heap_len + 2 > s->heap_cap)
        s->heap = xgrow(s->heap, &s->heap_cap, s->heap_len + 2, sizeof(struct sched_task *));
    heap_up(s, ++s->heap_len, t);
}

struct sched_task *sched_alarm_pop(struct sched *s, struct mono now)
{
    struct sched_task *t;

    if (s->heap_len == 0 || mono_cmp(s->heap[1]->alarm, now) > 0)
        return NULL;
    t = s->heap[1];
    sched_alarm_clear(s, t);
    return t;
}

/* ---- Peers ---- */

static size_t peer_slot(const struct sched *s, const struct addr *a)
{
    uint32_t h = 2166136261u;

    /* Addresses come from the configuration, so nobody chooses collisions. */
    for (size_t i = 0; i < sizeof(a->ip); i++)
        h = (h ^ a->ip[i]) * 16777619u;
    h = (h ^ a->port) * 16777619u;
    return (h ^ h >> 15) & (s->peer_buckets - 1);
}

static void peers_grow(struct sched *s)
{
    struct sched_peer **old = s->peers;
    size_t n = s->peer_buckets;

    s->peer_buckets = n ? n * 2 : PEER_BUCKETS;
    s->peers = xcalloc(s->peer_buckets, sizeof(struct sched_peer *));
    for (size_t i = 0; i < n; i++) {
        while (old[i]) {
            struct sched_peer *p = old[i];
            size_t slot = peer_slot(s, &p->address);

            old[i] = p->next;
            p->next = s->peers[slot];
            s->peers[slot] = p;
        }
    }
    free(old);
}

struct sched_peer *sched_peer_get(struct sched *s, const struct addr *address)
{
    struct sched_peer *p;
    size_t slot;

    if (s->peer_count >= s->peer_buckets)
        peers_grow(s);
    slot = peer_slot(s, address);
    for (p = s->peers[slot]; p; p = p->next) {
        if (addr_eq(&p->address, address))
            return p;
    }
    p = xcalloc(1, sizeof(*p));
    p->address = *address;
    token_bucket_init(&p->probes, s->limits.probe_rate_peer, probe_burst(s->limits.probe_rate_peer),
                      (struct mono){0});
    p->next = s->peers[slot];
    s->peers[slot] = p;
    s->peer_count++;
    return p;
}

/* ---- Queues ---- */

static void ring_add(struct peer_ring *ring, struct sched_peer *p, enum sched_work w,
                     enum sched_lane lane)
{
    struct peer_lane *l = &p->lanes[w][lane];
    struct sched_peer *first = ring->first;

    if (!first) {
        l->ring_prev = l->ring_next = p;
        ring->first = p;
        return;
    }
    l->ring_next = first;
    l->ring_prev = first->lanes[w][lane].ring_prev;
    l->ring_prev->lanes[w][lane].ring_next = p;
    first->lanes[w][lane].ring_prev = p;
}

static void ring_remove(struct peer_ring *ring, struct sched_peer *p, enum sched_work w,
                        enum sched_lane lane)
{
    struct peer_lane *l = &p->lanes[w][lane];

    if (l->ring_next == p) {
        ring->first = NULL;
    } else {
        l->ring_prev->lanes[w][lane].ring_next = l->ring_next;
        l->ring_next->lanes[w][lane].ring_prev = l->ring_prev;
        if (ring->first == p)
            ring->first = l->ring_next;
    }
    l->ring_prev = l->ring_next = NULL;
}

static void lane_put(struct sched *s, struct sched_task *t)
{
    struct peer_lane *l = &t->peer->lanes[t->work][t->lane];

    t->next = NULL;
    t->prev = l->tail;
    if (l->tail)
        l->tail->next = t;
    else
        l->head = t;
    l->tail = t;
    if (l->head == t)
        ring_add(&s->gates[t->work].rings[t->lane], t->peer, t->work, t->lane);
    s->gates[t->work].queued++;
    s->gates[t->work].lanes[t->lane]++;
}

static void lane_take(struct sched *s, struct sched_task *t)
{
    struct peer_lane *l = &t->peer->lanes[t->work][t->lane];

    if (t->prev)
        t->prev->next = t->next;
    else
        l->head = t->next;
    if (t->next)
        t->next->prev = t->prev;
    else
        l->tail = t->prev;
    t->prev = t->next = NULL;
    if (!l->head)
        ring_remove(&s->gates[t->work].rings[t->lane], t->peer, t->work, t->lane);
    s->gates[t->work].queued--;
    s->gates[t->work].lanes[t->lane]--;
}

void sched_queue(struct sched *s, struct sched_task *t, enum sched_work work,
                 struct sched_peer *peer, enum sched_lane lane)
{
    assert(t->state == SCHED_IDLE);
    t->state = SCHED_QUEUED;
    t->work = work;
    t->peer = peer;
    t->lane = lane;
    lane_put(s, t);
}

void sched_raise(struct sched *s, struct sched_task *t, enum sched_lane lane)
{
    assert(t->state == SCHED_QUEUED);
    if (lane >= t->lane)
        return;
    lane_take(s, t);
    t->lane = lane;
    lane_put(s, t);
}

static bool has_rate(const struct sched *s, enum sched_work w)
{
    return w == WORK_PROBE && s->limits.probe_rate_peer > 0;
}

static bool peer_is_free(const struct sched *s, const struct sched_peer *p, enum sched_work w,
                         struct mono now)
{
    if (p->running[w] >= s->limits.per_peer[w])
        return false;
    return !has_rate(s, w) || mono_cmp(token_bucket_ready(&p->probes, now), now) <= 0;
}

/* The first peer in the ring that may have one more; NULL if all are at their limit. */
static struct sched_peer *ring_free(const struct sched *s, enum sched_work w, enum sched_lane lane,
                                    struct mono now)
{
    struct sched_peer *first = s->gates[w].rings[lane].first;
    struct sched_peer *p = first;

    if (!p)
        return NULL;
    do {
        if (peer_is_free(s, p, w, now))
            return p;
        p = p->lanes[w][lane].ring_next;
    } while (p != first);
    return NULL;
}

/* What may start at this gate, if there were a token; NULL if nothing. */
static struct sched_task *gate_next(const struct sched *s, enum sched_work w, struct mono now)
{
    const struct gate *g = &s->gates[w];
    bool backwards = g->starts % FAIR_EVERY == FAIR_EVERY - 1;

    if (g->queued == 0 || g->running >= s->limits.running[w])
        return NULL;
    for (int i = 0; i < LANES; i++) {
        enum sched_lane lane = (enum sched_lane)(backwards ? LANES - 1 - i : i);
        struct sched_peer *p = ring_free(s, w, lane, now);

        if (p)
            return p->lanes[w][lane].head;
    }
    return NULL;
}

static void task_run(struct sched *s, struct sched_task *t)
{
    struct gate *g = &s->gates[t->work];
    struct sched_peer *p = t->peer;

    lane_take(s, t);
    /* The peer's turn is over: behind it the ring goes on. */
    if (p->lanes[t->work][t->lane].head)
        g->rings[t->lane].first = p->lanes[t->work][t->lane].ring_next;
    t->state = SCHED_RUNNING;
    p->running[t->work]++;
    g->running++;
    g->starts++;
}

struct sched_task *sched_start(struct sched *s, struct mono now)
{
    struct sched_task *t = gate_next(s, WORK_TRANSFER, now);

    if (!t) {
        t = gate_next(s, WORK_PROBE, now);
        if (!t || !token_bucket_take(&s->probes, now))
            return NULL;
        if (has_rate(s, WORK_PROBE))
            (void)token_bucket_take(&t->peer->probes, now);
    }
    task_run(s, t);
    return t;
}

void sched_finish(struct sched *s, struct sched_task *t)
{
    switch (t->state) {
    case SCHED_IDLE:
        return;
    case SCHED_QUEUED:
        lane_take(s, t);
        break;
    case SCHED_RUNNING:
        t->peer->running[t->work]--;
        s->gates[t->work].running--;
        break;
    }
    t->state = SCHED_IDLE;
    t->peer = NULL;
}

void sched_remove(struct sched *s, struct sched_task *t)
{
    sched_finish(s, t);
    sched_alarm_clear(s, t);
}

/* When the first of the peers with probes waiting has a token of its own; false if none waits, or
 * the gate is full. */
static bool peer_token_time(const struct sched *s, struct mono now, struct mono *at)
{
    const struct gate *g = &s->gates[WORK_PROBE];
    bool any = false;

    if (!has_rate(s, WORK_PROBE) || g->queued == 0 || g->running >= s->limits.running[WORK_PROBE])
        return false;
    for (int lane = 0; lane < LANES; lane++) {
        const struct sched_peer *first = g->rings[lane].first;
        const struct sched_peer *p = first;

        while (p) {
            struct mono ready = token_bucket_ready(&p->probes, now);

            if (p->running[WORK_PROBE] < s->limits.per_peer[WORK_PROBE] &&
                (!any || mono_cmp(ready, *at) < 0)) {
                *at = ready;
                any = true;
            }
            p = p->lanes[WORK_PROBE][lane].ring_next;
            if (p == first)
                break;
        }
    }
    return any;
}

bool sched_next_time(const struct sched *s, struct mono now, struct mono *at)
{
    bool any = false;
    struct mono own;

    if (gate_next(s, WORK_TRANSFER, now)) {
        *at = now;
        return true;
    }
    if (s->heap_len) {
        *at = s->heap[1]->alarm;
        any = true;
    }
    if (gate_next(s, WORK_PROBE, now)) {
        struct mono token = token_bucket_ready(&s->probes, now);

        if (!any || mono_cmp(token, *at) < 0)
            *at = token;
        any = true;
    } else if (peer_token_time(s, now, &own)) {
        if (!any || mono_cmp(own, *at) < 0)
            *at = own;
        any = true;
    }
    return any;
}

/* ---- The whole ---- */

struct sched *sched_new(const struct sched_limits *limits, struct mono now)
{
    struct sched *s = xcalloc(1, sizeof(*s));

    s->limits = *limits;
    token_bucket_init(&s->probes, limits->probe_rate, probe_burst(limits->probe_rate), now);
    peers_grow(s);
    return s;
}

void sched_set_limits(struct sched *s, const struct sched_limits *limits)
{
    s->limits = *limits;
    s->probes.rate = limits->probe_rate;
    s->probes.burst = probe_burst(limits->probe_rate);
    for (size_t i = 0; i < s->peer_buckets; i++) {
        for (struct sched_peer *p = s->peers[i]; p; p = p->next) {
            p->probes.rate = limits->probe_rate_peer;
            p->probes.burst = probe_burst(limits->probe_rate_peer);
        }
    }
}

void sched_free(struct sched *s)
{
    if (!s)
        return;
    for (size_t i = 0; i < s->peer_buckets; i++) {
        while (s->peers[i]) {
            struct sched_peer *p = s->peers[i];

            s->peers[i] = p->next;
            free(p);
        }
    }
    free(s->peers);
    free(s->heap);
    free(s);
}

void sched_count(const struct sched *s, struct sched_counts *out)
{
    out->alarms = s->heap_len;
    for (int w = 0; w < WORKS; w++) {
        out->queued[w] = s->gates[w].queued;
        for (int lane = 0; lane < LANES; lane++)
            out->lanes[w][lane] = s->gates[w].lanes[lane];
        out->running[w] = s->gates[w].running;
    }
}
