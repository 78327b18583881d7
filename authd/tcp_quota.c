#include "authd/tcp_quota.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/hash.h"
#include "lib/base/mem.h"

#define BUCKETS 1024 /* power of two */

struct source {
    uint8_t net[17]; /* family, then the address or its /64 */
    uint32_t count;
    struct source *next;
};

struct tcp_quota {
    uint8_t key[16];

    pthread_mutex_t lock; /* guards all below */
    uint32_t total_max, per_source_max;
    uint32_t total;
    struct source *buckets[BUCKETS];
};

struct tcp_quota *tcp_quota_new(uint32_t total, uint32_t per_source, const struct clock *clock)
{
    struct tcp_quota *q = xcalloc(1, sizeof(*q));

    clock_random(clock, q->key, sizeof(q->key));
    (void)pthread_mutex_init(&q->lock, NULL);
    q->total_max = total;
    q->per_source_max = per_source;
    return q;
}

void tcp_quota_free(struct tcp_quota *q)
{
    if (!q)
        return;
    for (size_t i = 0; i < BUCKETS; i++) {
        while (q->buckets[i]) {
            struct source *s = q->buckets[i];

            q->buckets[i] = s->next;
            free(s);
        }
    }
    (void)pthread_mutex_destroy(&q->lock);
    free(q);
}

void tcp_quota_limit(struct tcp_quota *q, uint32_t total, uint32_t per_source)
{
    (void)pthread_mutex_lock(&q->lock);
    q->total_max = total;
    q->per_source_max = per_source;
    (void)pthread_mutex_unlock(&q->lock);
}

static void network(uint8_t net[17], const struct addr *a)
{
    memset(net, 0, 17);
    net[0] = a->family;
    memcpy(net + 1, a->ip, a->family == 6 ? 8 : 4);
}

/* Where the source is, or would be put. */
static struct source **source_at(struct tcp_quota *q, const uint8_t net[17])
{
    struct source **at = &q->buckets[siphash_1_3(q->key, net, 17) & (BUCKETS - 1)];

    while (*at && memcmp((*at)->net, net, 17) != 0)
        at = &(*at)->next;
    return at;
}

static bool source_is_full(struct tcp_quota *q, const struct addr *a)
{
    uint8_t net[17];
    const struct source *s;

    network(net, a);
    s = *source_at(q, net);
    return (s ? s->count : 0) >= q->per_source_max;
}

static void source_take(struct tcp_quota *q, const struct addr *a)
{
    uint8_t net[17];
    struct source **at;

    network(net, a);
    at = source_at(q, net);
    if (!*at) {
        *at = xcalloc(1, sizeof(**at));
        memcpy((*at)->net, net, 17);
    }
    (*at)->count++;
}

/* The source first: for one that has its share, nobody needs to make room. */
enum tcp_place tcp_quota_take(struct tcp_quota *q, const struct addr *a, uint32_t extra)
{
    bool somebody = a->family != 0;
    enum tcp_place place = TCP_PLACE_TAKEN;

    (void)pthread_mutex_lock(&q->lock);
    if (somebody && source_is_full(q, a))
        place = TCP_PLACE_SOURCE_FULL;
    else if (q->total >= (uint64_t)q->total_max + extra)
        place = TCP_PLACE_NONE;
    if (place == TCP_PLACE_TAKEN) {
        q->total++;
        if (somebody)
            source_take(q, a);
    }
    (void)pthread_mutex_unlock(&q->lock);
    return place;
}

bool tcp_quota_claim(struct tcp_quota *q, const struct addr *a)
{
    bool ok;

    (void)pthread_mutex_lock(&q->lock);
    ok = !source_is_full(q, a);
    if (ok)
        source_take(q, a);
    (void)pthread_mutex_unlock(&q->lock);
    return ok;
}

/* Uncounts one; gives what is to be freed. */
static struct source *source_give(struct tcp_quota *q, const struct addr *a)
{
    uint8_t net[17];
    struct source **at;
    struct source *s;

    network(net, a);
    at = source_at(q, net);
    s = *at;
    if (!s || --s->count > 0)
        return NULL;
    *at = s->next;
    return s;
}

void tcp_quota_give(struct tcp_quota *q, const struct addr *a)
{
    struct source *gone = NULL;

    (void)pthread_mutex_lock(&q->lock);
    q->total--;
    if (a->family != 0)
        gone = source_give(q, a);
    (void)pthread_mutex_unlock(&q->lock);
    free(gone);
}

bool tcp_quota_is_over(struct tcp_quota *q)
{
    bool over;

    (void)pthread_mutex_lock(&q->lock);
    over = q->total > q->total_max;
    (void)pthread_mutex_unlock(&q->lock);
    return over;
}

uint32_t tcp_quota_count(struct tcp_quota *q)
{
    uint32_t n;

    (void)pthread_mutex_lock(&q->lock);
    n = q->total;
    (void)pthread_mutex_unlock(&q->lock);
    return n;
}
