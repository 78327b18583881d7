#include "syncd/zone_cache.h"

#include <pthread.h>
#include <stdlib.h>

#include "lib/base/mem.h"

#define PLACES                                                                                     \
    64 /* zones whose increments come often; a walk over them costs nothing beside a commit */

struct kept {
    struct zone *zone; /* NULL: free */
    uint64_t seq;
    uint64_t used; /* when, counted in uses */
};

struct zone_cache {
    pthread_mutex_t lock;
    uint64_t max_bytes, bytes;
    uint64_t uses;
    struct kept kept[PLACES];
};

struct zone_cache *zone_cache_new(uint64_t max_bytes)
{
    struct zone_cache *c = xcalloc(1, sizeof(*c));

    (void)pthread_mutex_init(&c->lock, NULL);
    c->max_bytes = max_bytes;
    return c;
}

static void drop(struct zone_cache *c, struct kept *k)
{
    if (!k->zone)
        return;
    c->bytes -= zone_bytes(k->zone);
    zone_unref(k->zone);
    *k = (struct kept){.zone = NULL};
}

void zone_cache_free(struct zone_cache *c)
{
    if (!c)
        return;
    for (size_t i = 0; i < PLACES; i++)
        drop(c, &c->kept[i]);
    (void)pthread_mutex_destroy(&c->lock);
    free(c);
}

static struct kept *find(struct zone_cache *c, const uint8_t *zone)
{
    for (size_t i = 0; i < PLACES; i++) {
        if (c->kept[i].zone && name_eq(zone_apex(c->kept[i].zone), zone))
            return &c->kept[i];
    }
    return NULL;
}

/* A free place, or the one used longest ago. */
static struct kept *oldest(struct zone_cache *c)
{
    struct kept *least = &c->kept[0];

    for (size_t i = 1; i < PLACES && least->zone; i++) {
        if (!c->kept[i].zone || c->kept[i].used < least->used)
            least = &c->kept[i];
    }
    return least;
}

/* The one that has been used longest ago of those that are there. */
static void drop_one(struct zone_cache *c)
{
    struct kept *least = NULL;

    for (size_t i = 0; i < PLACES; i++) {
        if (c->kept[i].zone && (!least || c->kept[i].used < least->used))
            least = &c->kept[i];
    }
    if (least)
        drop(c, least);
}

void zone_cache_put(struct zone_cache *c, struct zone *z, uint64_t seq)
{
    struct kept *k;

    (void)pthread_mutex_lock(&c->lock);
    if ((k = find(c, zone_apex(z))))
        drop(c, k);
    if (zone_bytes(z) <= c->max_bytes / 2) {
        while (c->bytes + zone_bytes(z) > c->max_bytes)
            drop_one(c);
        k = oldest(c);
        drop(c, k);
        *k = (struct kept){.zone = zone_ref(z), .seq = seq, .used = ++c->uses};
        c->bytes += zone_bytes(z);
    }
    (void)pthread_mutex_unlock(&c->lock);
}

struct zone *zone_cache_get(struct zone_cache *c, const uint8_t *zone, uint64_t seq)
{
    struct zone *found = NULL;
    struct kept *k;

    (void)pthread_mutex_lock(&c->lock);
    k = find(c, zone);
    if (k && k->seq == seq) {
        k->used = ++c->uses;
        found = zone_ref(k->zone);
    }
    (void)pthread_mutex_unlock(&c->lock);
    return found;
}
