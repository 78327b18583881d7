#include <stdlib.h>
#include <string.h>

#include "authd/answer_nsec3.h"
#include "authd/follower_internal.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"

#define RETRY_FIRST_MS 1000
#define RETRY_MAX_MS 300000

/* ---- Lists ---- */

static void list_take(struct work_list *l, struct work *w)
{
    if (w->prev)
        w->prev->next = w->next;
    else
        l->first = w->next;
    if (w->next)
        w->next->prev = w->prev;
    else
        l->last = w->prev;
    w->prev = w->next = NULL;
    l->count--;
}

static void list_append(struct work_list *l, struct work *w)
{
    w->prev = l->last;
    w->next = NULL;
    if (l->last)
        l->last->next = w;
    else
        l->first = w;
    l->last = w;
    l->count++;
}

void work_move(struct follower *f, struct work *w, enum work_place place)
{
    if (w->place == place)
        return;
    if (w->place != WORK_NOWHERE)
        list_take(&f->lists[w->place], w);
    w->place = place;
    if (place != WORK_NOWHERE)
        list_append(&f->lists[place], w);
}

struct work *work_get(struct follower *f, const uint8_t *zone)
{
    struct work *w = namemap_get(&f->work, zone);
    size_t len = name_len(zone);

    if (w)
        return w;
    w = xcalloc(1, sizeof(*w) + len);
    (void)name_copy(w->name, zone);
    w->began = clock_mono(f->clock);
    namemap_put(&f->work, w->name, w);
    return w;
}

static void forget_zone(struct work *w)
{
    zone_unref(w->zone);
    w->zone = NULL;
}

void work_free(struct follower *f, struct work *w)
{
    work_move(f, w, WORK_NOWHERE);
    namemap_remove(&f->work, w->name);
    forget_zone(w);
    free(w);
}

/* ---- A change of the log ---- */

/* The version that the zone's next change is for: the one made last, or the one served. */
struct present {
    struct zone *zone; /* lent; NULL: none */
    uint64_t version, seq;
};

static struct present present_of(const struct follower *f, const struct work *w)
{
    const struct served_zone *z;

    if (w->zone)
        return (struct present){.zone = w->zone, .version = w->version, .seq = w->seq};
    z = zonedb_get(f->db, w->name);
    if (!z)
        return (struct present){.zone = NULL};
    return (struct present){.zone = z->zone, .version = z->version, .seq = z->seq};
}

/* False if the change set does not lead on from what we have. */
static bool apply(struct follower *f, struct work *w, const struct store_change *c)
{
    struct present p = present_of(f, w);
    struct zone *next = NULL;
    struct errinfo e = {0};
    char name[NAME_TEXT_MAX];

    if (!p.zone || !c->changes)
        return false;
    if (zone_apply(&next, p.zone, c->changes, NULL, &e) != OK) {
        (void)name_to_text(name, w->name);
        log_warning(say("a change does not fit the zone in memory, which is read anew"),
                    kv_str("zone", name), kv_u64("seq", c->seq), kv_err(&e));
        return false;
    }
    forget_zone(w);
    w->zone = next;
    w->version = c->version;
    w->seq = c->seq;
    return true;
}

static void must_load(struct follower *f, struct work *w)
{
    forget_zone(w);
    w->load = true;
    work_move(f, w, WORK_LOADS);
}

void work_change(struct follower *f, const struct store_change *c)
{
    struct work *w;

    if (c->waiting)
        return;
    w = work_get(f, c->zone);
    if (!w->load && w->place != WORK_WAITING)
        work_move(f, w, WORK_TOUCHED);
    switch (c->kind) {
    case CHANGE_STATE:
        w->row = true;
        if (w->place == WORK_WAITING) /* something was done about it: try at once */
            work_move(f, w, WORK_LOADS);
        break;
    case CHANGE_INITIAL:
        must_load(f, w);
        break;
    case CHANGE_DELTA:
        if (w->load)
            work_move(f, w, WORK_LOADS); /* what is read then has this change too */
        else if (c->seq > present_of(f, w).seq && !apply(f, w, c))
            must_load(f, w);
        break;
    }
}

/* ---- Settling ---- */

static void log_version(const struct follower *f, const struct work *w, const struct zone *z,
                        uint64_t version, bool expired)
{
    char name[NAME_TEXT_MAX];
    enum log_level level = f->starting ? LOG_DEBUG : LOG_INFO;

    if (!log_on(level))
        return;
    (void)name_to_text(name, w->name);
    log_write(level, LOG_KVS(say(expired ? "zone has expired and is answered with SERVFAIL"
                                         : "zone version is served"),
                             kv_str("zone", name), kv_u64("serial", zone_serial(z).v),
                             kv_u64("version", version), kv_u64("records", zone_records(z)),
                             kv_i64("ms", clock_mono(f->clock).ms - w->began.ms)));
}

/* What an operator should know before validators find out. */
static void warn_of_costly_nsec3(const struct work *w, const struct zone *z)
{
    struct nsec3_params params;
    char name[NAME_TEXT_MAX];

    if (nsec3_params_of(&params, z) != NSEC3_COSTLY)
        return;
    (void)name_to_text(name, w->name);
    log_warning(say("NSEC3 has too many iterations: answers go without denial of existence"),
                kv_str("zone", name), kv_u64("serial", zone_serial(z).v),
                kv_u64("iterations_max", NSEC3_ITERATIONS_MAX));
}

/* Takes over a reference to zone. `row` NULL: nothing but the content has changed. */
static void publish(struct follower *f, const struct work *w, struct zone *zone, uint64_t version,
                    uint64_t seq, const struct store_zone *row)
{
    bool expired = row && row->expired;
    const struct served_zone *old = zonedb_get(f->db, w->name);
    bool news = !old || old->version != version || old->expired_stored != expired;

    if (news) {
        log_version(f, w, zone, version, expired);
        warn_of_costly_nsec3(w, zone);
    }
    if (row)
        zonedb_put_as(f->db, zone, version, seq, expired, store_zone_is_catalog(row));
    else
        zonedb_put(f->db, zone, version, seq, expired);
}

static void unpublish(struct follower *f, const struct work *w)
{
    char name[NAME_TEXT_MAX];

    if (!zonedb_remove(f->db, w->name))
        return;
    (void)name_to_text(name, w->name);
    log_info(say("zone is not served any more"), kv_str("zone", name));
}

/* What the store says of the zone, inside a read transaction. */
static enum err settle_row(struct follower *f, struct work *w, struct errinfo *e)
{
    struct present p = present_of(f, w);
    struct store_zone row;
    struct zone *loaded = NULL;
    enum err rc = store_zone_get(f->store, w->name, &row, e);

    if (rc == ERR_NOT_FOUND || (rc == OK && (row.removed || !row.has_content))) {
        unpublish(f, w);
        return OK;
    }
    if (rc)
        return rc;
    /* A row ahead of our position is for the changes that we will read next. */
    if (!w->load && p.zone && (p.seq == row.seq || row.seq > f->seq)) {
        publish(f, w, zone_ref(p.zone), p.version, p.seq, &row);
        expiry_learn(&f->expiry, &row);
        return OK;
    }
    if ((rc = store_zone_load(&loaded, f->store, &row, e)))
        return rc;
    publish(f, w, loaded, row.version, row.seq, &row);
    expiry_learn(&f->expiry, &row);
    return OK;
}

static void retry_later(struct follower *f, struct work *w, const struct errinfo *e)
{
    char name[NAME_TEXT_MAX];

    w->delay_ms = w->delay_ms ? w->delay_ms * 2 : RETRY_FIRST_MS;
    if (w->delay_ms > RETRY_MAX_MS)
        w->delay_ms = RETRY_MAX_MS;
    w->due = mono_add_ms(clock_mono(f->clock), w->delay_ms);
    forget_zone(w);
    w->load = true;
    work_move(f, w, WORK_WAITING);
    f->start_failures += f->starting;
    (void)name_to_text(name, w->name);
    log_error(say("zone cannot be read from the store, its old version stays"),
              kv_str("zone", name), kv_i64("retry_ms", w->delay_ms), kv_err(e));
}

void work_settle(struct follower *f, struct work *w)
{
    struct errinfo e = {0};
    enum err rc = OK;

    if (w->load || w->row) {
        rc = store_read_begin(f->store, &e);
        if (rc == OK) {
            rc = settle_row(f, w, &e);
            store_read_end(f->store);
        }
    } else if (w->zone) {
        publish(f, w, zone_ref(w->zone), w->version, w->seq, NULL);
    }
    if (rc)
        retry_later(f, w, &e);
    else
        work_free(f, w);
}
