#include "authd/expiry.h"

#include "lib/base/log.h"

#define STEP_MS 2000  /* the wall clock was set, if it moves so far against the monotonic one */
#define LINES_MAX 100 /* of the log, for zones that expire at one look */

static int64_t wall_ahead_ms(const struct expiry *x)
{
    return clock_wall(x->clock).s * 1000 - clock_mono(x->clock).ms;
}

void expiry_init(struct expiry *x, struct zonedb *db, const struct clock *clock)
{
    *x = (struct expiry){
        .db = db, .clock = clock, .away_since = clock_mono(clock), .next_ms = SERVED_FOR_EVER};
    x->wall_ms = wall_ahead_ms(x);
}

void expiry_syncd(struct expiry *x, bool there)
{
    if (x->syncd_there && !there)
        x->away_since = clock_mono(x->clock);
    x->syncd_there = there;
}

/* ---- Deadlines ---- */

static void serve_again(struct expiry *x, const struct served_zone *z, const char *why)
{
    char name[NAME_TEXT_MAX];

    (void)name_to_text(name, zone_apex(z->zone));
    (void)zonedb_set_lapsed(x->db, zone_apex(z->zone), false);
    if (!z->expired)
        log_info(say("an expired zone is served again"), kv_str("zone", name),
                 kv_u64("serial", zone_serial(z->zone).v), kv_str("cause", why));
}

/* What is left of the time that the last success gave; a wall clock that was put back since then
 * cannot make it longer. */
static int64_t seconds_left(const struct expiry *x, const struct store_zone *row)
{
    int64_t left = row->expires_at.s - clock_wall(x->clock).s;
    int64_t most = row->expires_at.s - row->last_success.s;

    return row->last_success.s != 0 && left > most ? most : left;
}

void expiry_learn(struct expiry *x, const struct store_zone *row)
{
    bool has = row->kind == ZONE_SECONDARY && !row->held && row->expires_at.s != 0;
    struct wall at = has ? row->expires_at : (struct wall){0};
    const struct served_zone *z = zonedb_get(x->db, row->name);
    int64_t ms = SERVED_FOR_EVER;

    if (!z || (z->expires_at.s == at.s && z->renewal == row->renewal))
        return; /* what was known stays, on the clock of then */
    if (has) {
        int64_t left = seconds_left(x, row);

        ms = left > 0 ? mono_add_ms(clock_mono(x->clock), left * 1000).ms : SERVED_TOO_LONG;
    }
    (void)zonedb_set_deadline(x->db, row->name, at, row->renewal, ms);
    if (ms < x->next_ms)
        x->next_ms = ms;
    if (z->lapsed && !row->expired && ms != SERVED_TOO_LONG)
        serve_again(x, z, has ? "renewed" : "held");
}

/* ---- A look at all zones ---- */

struct look {
    struct expiry *x;
    struct mono now;
    struct wall wall;
    int64_t next_ms;
    uint64_t lapsed;
};

static void lapse(struct look *l, const struct served_zone *z)
{
    char name[NAME_TEXT_MAX], at[WALL_TEXT_MAX];

    (void)zonedb_set_lapsed(l->x->db, zone_apex(z->zone), true);
    if (++l->lapsed > LINES_MAX)
        return;
    (void)name_to_text(name, zone_apex(z->zone));
    wall_to_text(at, z->expires_at);
    log_error(say("a zone has expired while syncd is away, it is answered with SERVFAIL"),
              kv_str("zone", name), kv_u64("serial", zone_serial(z->zone).v),
              kv_str("expired_at", at));
}

static void look_at(void *ctx, const struct served_zone *z)
{
    struct look *l = ctx;
    int64_t at = z->expires_ms;
    int64_t left = z->expires_at.s - l->wall.s;

    /* The wall clock was ahead when we read of it. */
    if (at == SERVED_TOO_LONG && left > 0) {
        at = mono_add_ms(l->now, left * 1000).ms;
        (void)zonedb_set_deadline(l->x->db, zone_apex(z->zone), z->expires_at, z->renewal, at);
        if (z->lapsed)
            serve_again(l->x, z, "the clock was put back");
    }
    if (at > l->now.ms) {
        if (at < l->next_ms)
            l->next_ms = at;
    } else if (!z->lapsed && !z->expired_stored) {
        lapse(l, z);
    }
}

/* Whether the wall clock was set since the last look. */
static bool wall_stepped(struct expiry *x)
{
    int64_t ahead = wall_ahead_ms(x);
    int64_t step = ahead - x->wall_ms;

    x->wall_ms = ahead;
    return step < -STEP_MS || step > STEP_MS;
}

void expiry_run(struct expiry *x)
{
    struct look l = {.x = x,
                     .now = clock_mono(x->clock),
                     .wall = clock_wall(x->clock),
                     .next_ms = SERVED_FOR_EVER};

    if (wall_stepped(x))
        x->next_ms = 0;
    if (x->syncd_there || l.now.ms - x->away_since.ms < EXPIRY_SYNCD_AWAY_MS ||
        l.now.ms < x->next_ms)
        return;
    zonedb_each(x->db, look_at, &l);
    x->next_ms = l.next_ms;
    if (l.lapsed > LINES_MAX)
        log_error(say("more zones have expired than have a line here"), kv_u64("zones", l.lapsed));
}
