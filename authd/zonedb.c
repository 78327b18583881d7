#include "authd/zonedb.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "authd/grace.h"
#include "lib/base/mem.h"
#include "lib/zone/zone_index.h"

#define SLOTS_MIN 64 /* power of two */

/* The tag is written before the pointer is published, and only tells that a look at the zone is
 * worth it: a stale one can cost a reader a zone that is just being put or removed, nothing else.
 */
struct slot {
    _Atomic(struct served_zone *) zone; /* NULL: never used; &removed_mark: used before */
    _Atomic(uint32_t) tag;
};

struct table {
    size_t mask;
    size_t used; /* slots that are not NULL; the writer's */
    struct table *retired;
    struct slot slots[];
};

struct zonedb {
    struct name_key key;

    _Atomic(struct table *) table;
    _Atomic(uint32_t) depths[NAME_MAX_LABELS + 1]; /* zones by labels of their apex */
    _Atomic(bool) whole;

    size_t count; /* the writer's, as all below */
    struct served_zone *retired_zones;
    struct stats *stats; /* NULL: zones are not counted */
    struct table *retired_tables;
};

static struct served_zone removed_mark;

static struct table *table_new(size_t slots)
{
    struct table *t = xcalloc(1, sizeof(*t) + slots * sizeof(t->slots[0]));

    t->mask = slots - 1;
    return t;
}

struct zonedb *zonedb_new(const struct clock *clock)
{
    struct zonedb *db = xcalloc(1, sizeof(*db));

    clock_random(clock, &db->key, sizeof(db->key));
    db->key.factor |= 1;
    atomic_init(&db->table, table_new(SLOTS_MIN));
    return db;
}

static void served_free(struct served_zone *z)
{
    if (!z || z == &removed_mark)
        return;
    zone_gone_forget(z->gone);
    zone_unref(z->zone);
    free(z);
}

static void retired_free(struct zonedb *db)
{
    while (db->retired_zones) {
        struct served_zone *z = db->retired_zones;

        db->retired_zones = z->retired;
        served_free(z);
    }
    while (db->retired_tables) {
        struct table *t = db->retired_tables;

        db->retired_tables = t->retired;
        free(t);
    }
}

void zonedb_free(struct zonedb *db)
{
    struct table *t;

    if (!db)
        return;
    t = atomic_load(&db->table);
    for (size_t i = 0; i <= t->mask; i++)
        served_free(atomic_load(&t->slots[i].zone));
    free(t);
    retired_free(db);
    free(db);
}

/* ---- Readers ---- */

const struct name_key *zonedb_key(const struct zonedb *db)
{
    return &db->key;
}

/* `apex` is in lower case. */
static struct slot *slot_find(struct table *t, const uint8_t *apex, size_t len, uint64_t hash,
                              struct served_zone **zone)
{
    for (size_t i = (size_t)hash & t->mask;; i = (i + 1) & t->mask) {
        struct slot *s = &t->slots[i];
        struct served_zone *z = atomic_load_explicit(&s->zone, memory_order_acquire);

        if (!z)
            return NULL; /* there always is one: tables are kept at most three quarters full */
        if (z != &removed_mark &&
            atomic_load_explicit(&s->tag, memory_order_relaxed) == (uint32_t)(hash >> 32) &&
            zone_apex_len(z->zone) == len && memcmp(zone_apex(z->zone), apex, len) == 0) {
            *zone = z;
            return s;
        }
    }
}

static const struct served_zone *get(const struct zonedb *db, const struct name_steps *name,
                                     unsigned step)
{
    struct table *t = atomic_load_explicit(&db->table, memory_order_acquire);
    size_t at = name->at[step];
    struct served_zone *z = NULL;

    return slot_find(t, name->name + at, name->len - at, name->hash[step], &z) ? z : NULL;
}

const struct served_zone *zonedb_get(const struct zonedb *db, const uint8_t *apex)
{
    struct name_steps steps;

    name_steps_init(&steps, &db->key, apex);
    return get(db, &steps, 0);
}

const struct served_zone *zonedb_find(const struct zonedb *db, const struct name_steps *name,
                                      unsigned from)
{
    for (unsigned step = from; step <= name->labels; step++) {
        const struct served_zone *z;

        if (atomic_load_explicit(&db->depths[name->labels - step], memory_order_relaxed) > 0 &&
            (z = get(db, name, step)))
            return z;
    }
    return NULL;
}

#define SLOTS_AT_HAND 1024 /* a table that the cache holds */

/* The table, if look-ups in it wait for memory. */
static struct table *far_table(const struct zonedb *db)
{
    struct table *t = atomic_load_explicit(&db->table, memory_order_acquire);

    return t->mask >= SLOTS_AT_HAND ? t : NULL;
}

void zonedb_fetch_slots(const struct zonedb *db, const struct name_steps *name)
{
    const struct table *t = far_table(db);

    for (unsigned step = 0; t && step <= name->labels; step++) {
        if (atomic_load_explicit(&db->depths[name->labels - step], memory_order_relaxed) > 0)
            __builtin_prefetch(&t->slots[(size_t)name->hash[step] & t->mask]);
    }
}

const struct served_zone *zonedb_fetch_zone(const struct zonedb *db, const struct name_steps *name)
{
    const struct table *t = far_table(db);

    for (unsigned step = 0; t && step <= name->labels; step++) {
        const struct slot *s = &t->slots[(size_t)name->hash[step] & t->mask];
        const struct served_zone *z = atomic_load_explicit(&s->zone, memory_order_acquire);

        if (!z || z == &removed_mark ||
            atomic_load_explicit(&s->tag, memory_order_relaxed) !=
                (uint32_t)(name->hash[step] >> 32))
            continue;
        __builtin_prefetch(z);
        return z;
    }
    return NULL;
}

/* ---- The writer ---- */

void zonedb_count_in(struct zonedb *db, struct stats *stats)
{
    db->stats = stats;
}

static void slot_fill(struct slot *s, struct served_zone *z)
{
    atomic_store_explicit(&s->tag, z->tag, memory_order_relaxed);
    atomic_store_explicit(&s->zone, z, memory_order_release);
}

/* Into a slot that holds nothing; the name is not in the table. */
static void table_insert(struct table *t, struct served_zone *z, uint64_t hash)
{
    size_t i = (size_t)hash & t->mask;
    struct served_zone *there;

    while ((there = atomic_load_explicit(&t->slots[i].zone, memory_order_relaxed)) != NULL &&
           there != &removed_mark)
        i = (i + 1) & t->mask;
    t->used += there == NULL;
    slot_fill(&t->slots[i], z);
}

static uint64_t apex_hash(const struct zonedb *db, const uint8_t *apex)
{
    struct name_steps steps;

    name_steps_init(&steps, &db->key, apex);
    return steps.hash[0];
}

/* Makes room for one more zone: beyond three quarters, removed ones counted, a new table. */
static struct table *table_with_room(struct zonedb *db)
{
    struct table *t = atomic_load_explicit(&db->table, memory_order_relaxed);
    struct table *next;
    size_t slots = t->mask + 1;

    if (t->used + 1 <= slots / 4 * 3)
        return t;
    if (db->count + 1 > slots / 2)
        slots *= 2;
    next = table_new(slots);
    for (size_t i = 0; i <= t->mask; i++) {
        struct served_zone *z = atomic_load_explicit(&t->slots[i].zone, memory_order_relaxed);

        if (z && z != &removed_mark)
            table_insert(next, z, apex_hash(db, zone_apex(z->zone)));
    }
    atomic_store_explicit(&db->table, next, memory_order_release);
    t->retired = db->retired_tables;
    db->retired_tables = t;
    return next;
}

static void retire(struct zonedb *db, struct served_zone *z)
{
    z->retired = db->retired_zones;
    db->retired_zones = z;
}

void zonedb_put(struct zonedb *db, struct zone *zone, uint64_t version, uint64_t seq, bool expired)
{
    const struct served_zone *old = zonedb_get(db, zone_apex(zone));

    zonedb_put_as(db, zone, version, seq, expired, old && old->private);
}

void zonedb_put_as(struct zonedb *db, struct zone *zone, uint64_t version, uint64_t seq,
                   bool expired, bool private)
{
    const uint8_t *apex = zone_apex(zone);
    uint64_t hash = apex_hash(db, apex);
    struct served_zone *z = xcalloc(1, sizeof(*z));
    struct served_zone *old = NULL;
    struct slot *s = slot_find(atomic_load(&db->table), apex, name_len(apex), hash, &old);

    *z = (struct served_zone){.zone = zone,
                              .version = version,
                              .seq = seq,
                              .expired = expired,
                              .expired_stored = expired,
                              .private = private,
                              .expires_ms = SERVED_FOR_EVER,
                              .tag = (uint32_t)(hash >> 32),
                              .slot = STATS_NO_ZONE};
    if (db->stats)
        z->slot = stats_zone_slot(db->stats, apex);
    if (s) {
        z->expires_at = old->expires_at;
        z->renewal = old->renewal;
        atomic_init(&z->expires_ms, atomic_load(&old->expires_ms));
        z->lapsed = old->lapsed;
        atomic_init(&z->expired, expired || z->lapsed);
        old->gone = zone_index_follow(zone, old->zone);
        slot_fill(s, z);
        retire(db, old);
    } else {
        atomic_fetch_add(&db->depths[name_labels(apex)], 1);
        table_insert(table_with_room(db), z, hash);
        db->count++;
    }
    zone_index_make(zone, &db->key); /* if need be; it is answered from already */
}

/* The writer's look at its own table. */
static struct slot *served_slot(struct zonedb *db, const uint8_t *apex, struct served_zone **z)
{
    struct name_steps steps;

    name_steps_init(&steps, &db->key, apex);
    return slot_find(atomic_load(&db->table), steps.name, steps.len, steps.hash[0], z);
}

static struct served_zone *served(struct zonedb *db, const uint8_t *apex)
{
    struct served_zone *z = NULL;

    (void)served_slot(db, apex, &z);
    return z;
}

bool zonedb_set_deadline(struct zonedb *db, const uint8_t *apex, struct wall at, uint64_t renewal,
                         int64_t ms)
{
    struct served_zone *z = served(db, apex);

    if (!z)
        return false;
    z->expires_at = at;
    z->renewal = renewal;
    atomic_store_explicit(&z->expires_ms, ms, memory_order_relaxed);
    return true;
}

bool zonedb_set_lapsed(struct zonedb *db, const uint8_t *apex, bool lapsed)
{
    struct served_zone *z = served(db, apex);

    if (!z)
        return false;
    z->lapsed = lapsed;
    atomic_store_explicit(&z->expired, lapsed || z->expired_stored, memory_order_relaxed);
    return true;
}

bool zonedb_remove(struct zonedb *db, const uint8_t *apex)
{
    struct served_zone *old = NULL;
    struct slot *s = served_slot(db, apex, &old);

    if (!s)
        return false;
    atomic_store_explicit(&s->zone, &removed_mark, memory_order_release);
    atomic_fetch_sub(&db->depths[name_labels(apex)], 1);
    db->count--;
    retire(db, old);
    return true;
}

void zonedb_reclaim(struct zonedb *db)
{
    if (!db->retired_zones && !db->retired_tables)
        return;
    grace_wait();
    retired_free(db);
}

size_t zonedb_count(const struct zonedb *db)
{
    return db->count;
}

void zonedb_each(struct zonedb *db, zonedb_fn *f, void *ctx)
{
    struct table *t = atomic_load(&db->table);

    for (size_t i = 0; i <= t->mask; i++) {
        struct served_zone *z = atomic_load(&t->slots[i].zone);

        if (z && z != &removed_mark)
            f(ctx, z);
    }
}

bool zonedb_is_whole(const struct zonedb *db)
{
    return atomic_load_explicit(&db->whole, memory_order_relaxed);
}

void zonedb_set_whole(struct zonedb *db)
{
    atomic_store_explicit(&db->whole, true, memory_order_relaxed);
}
