/* How long to wait: the intervals of a schedule, and its start from what the store remembers. */
#include "syncd/refresh_internal.h"

#include "lib/base/mem.h"

#define FIRST_RETRY_MAX_S 600 /* a zone without content is tried at least so often */
#define RETRY_UNKNOWN_S 900   /* until a SOA tells */
#define AWAY_COUNTS_S 86400   /* to the time in which no primary serves a zone */

/* A NOTIFY may begin a round so soon after the last one. What promises a newer version goes at
 * once, unless the last promise was not kept; a NOTIFY without a serial says less, one with a
 * serial that we have already says almost nothing. */
#define NOTIFY_FRUITLESS_MS 1000
#define NOTIFY_BARE_MS 500
#define NOTIFY_KNOWN_MS 5000
#define NOTIFY_FAILING_MAX_MS 60000

/* ---- Intervals ---- */

static uint32_t clamp(uint32_t v, uint32_t min, uint32_t max)
{
    if (v < min)
        return min;
    return v > max ? max : v;
}

int64_t refresh_jittered_ms(const struct refresh *r, uint32_t seconds)
{
    int64_t ms = (int64_t)seconds * MS;

    return ms - ms / 10 * r->policy.jitter / UINT16_MAX;
}

uint32_t refresh_interval_s(const struct refresh *r)
{
    uint32_t v = r->has_timers ? r->timers.refresh_s : r->policy.refresh_max_s;

    return clamp(v, r->policy.refresh_min_s, r->policy.refresh_max_s);
}

uint32_t refresh_retry_s(const struct refresh *r)
{
    uint32_t v = r->has_timers ? r->timers.retry_s : RETRY_UNKNOWN_S;

    return clamp(v, r->policy.retry_min_s, r->policy.retry_max_s);
}

/* A SOA that expires before it can be refreshed once would only make the zone flap. */
uint32_t refresh_expire_s(const struct refresh *r)
{
    uint32_t least = refresh_interval_s(r) + refresh_retry_s(r);
    uint32_t v = r->timers.expire_s;

    if (r->policy.expire_max_s && v > r->policy.expire_max_s)
        v = r->policy.expire_max_s;
    return v < least ? least : v;
}

struct mono refresh_soa_deadline(const struct refresh *r, struct mono now)
{
    return mono_add_ms(now, (int64_t)refresh_expire_s(r) * MS);
}

struct mono refresh_deadline(const struct refresh *r, const struct transfer_report *report,
                             struct mono now)
{
    struct mono left = mono_add_ms(now, (int64_t)report->left_s * MS);
    struct refresh then = *r;
    struct mono at;

    then.timers = report->timers;
    then.has_timers = true;
    at = refresh_soa_deadline(&then, now);
    return report->has_left && mono_cmp(left, at) < 0 ? left : at;
}

/* start, 2 x start, 4 x start ..., at most `max`, which is never below start. */
uint32_t refresh_doubled(uint32_t start, uint32_t times, uint32_t max)
{
    uint64_t v = (uint64_t)start << (times < 31 ? times : 31);

    if (max < start)
        max = start;
    return v > max ? max : (uint32_t)v;
}

bool refresh_needs_content(const struct refresh *r)
{
    return !r->has_content || r->expired;
}

/* The wait after `failures` failures in a row (at least 1). */
uint32_t refresh_backoff_s(const struct refresh *r, uint32_t failures)
{
    uint32_t times = failures ? failures - 1 : 0;
    uint32_t max = refresh_interval_s(r);

    if (refresh_needs_content(r))
        return refresh_doubled(r->policy.retry_min_s, times, FIRST_RETRY_MAX_S);
    if (max > r->policy.retry_max_s)
        max = r->policy.retry_max_s;
    return refresh_doubled(refresh_retry_s(r), times, max);
}

/* When a NOTIFY that is kept may begin a round. */
struct mono refresh_notify_time(const struct refresh *r, struct mono now)
{
    bool newer = r->notify_has_serial &&
                 (!r->has_serial || serial_cmp(r->notify_serial, r->serial) == SERIAL_NEWER);
    int64_t gap = 0;

    if (!r->had_round)
        return now;
    if (newer)
        gap = r->last_fruitless ? NOTIFY_FRUITLESS_MS : 0;
    else
        gap = r->notify_has_serial ? NOTIFY_KNOWN_MS : NOTIFY_BARE_MS;
    if (r->failures) {
        int64_t failing = (int64_t)refresh_doubled(1, r->failures, NOTIFY_FAILING_MAX_MS / MS) * MS;
        gap = failing > gap ? failing : gap;
    }
    return mono_add_ms(r->last_round, gap);
}

/* ---- Start and end ---- */

struct wall refresh_wall(struct mono at, struct mono now, struct wall wall)
{
    return (struct wall){wall.s + (at.ms - now.ms) / MS};
}

static void init_due(struct refresh *r, const struct refresh_start *start, struct mono now,
                     struct wall wall)
{
    int64_t wait = start->next_check.s - wall.s;

    r->due = now;
    if (!start->has_content || start->expired || start->next_check.s == 0 || wait <= 0)
        return;
    /* The wall clock may have gone back since this was stored. */
    if (wait > r->policy.refresh_max_s)
        wait = r->policy.refresh_max_s;
    r->due = mono_add_ms(now, wait * MS);
}

static bool init_expiry(struct refresh *r, const struct refresh_start *start, struct mono now,
                        struct wall wall)
{
    int64_t left = start->expires_at.s - wall.s;
    int64_t most = start->expires_at.s - start->last_success.s;

    if (!start->has_content || start->expired || start->expires_at.s == 0)
        return false;
    if (start->last_success.s != 0 && left > most)
        left = most;
    r->has_expiry = true;
    r->expires = left > 0 ? mono_add_ms(now, left * MS) : now;
    return left <= 0;
}

/* Of the time in which nobody looked a day counts at most: the wall clock may lie at start. */
static void init_unserved(struct refresh *r, const struct refresh_start *start, struct mono now,
                          struct wall wall)
{
    int64_t since = wall.s - start->unserved_since.s;
    int64_t most = start->next_check.s - start->unserved_since.s + AWAY_COUNTS_S;

    if (start->unserved_since.s == 0)
        return;
    if (since > most)
        since = most;
    r->has_unserved = true;
    r->unserved = mono_add_ms(now, since > 0 ? -since * MS : 0);
}

void refresh_init(struct refresh *r, const struct refresh_policy *policy, unsigned primary_count,
                  const struct refresh_start *start, struct mono now, struct wall wall,
                  bool *doubtful)
{
    *r = (struct refresh){.policy = *policy,
                          .has_content = start->has_content,
                          .expired = start->expired,
                          .held = start->held,
                          .has_serial = start->has_serial,
                          .serial = start->serial,
                          .failures = start->failures,
                          .notify_primary = -1,
                          .notifier = -1};
    r->primary_count =
        primary_count > REFRESH_PRIMARIES_MAX ? REFRESH_PRIMARIES_MAX : primary_count;
    r->primaries = xcalloc(r->primary_count, sizeof(*r->primaries));
    r->pinned = -1;
    if (start->has_pinned && start->pinned < r->primary_count)
        r->pinned = (int)start->pinned;
    init_unserved(r, start, now, wall);
    init_due(r, start, now, wall);
    *doubtful = init_expiry(r, start, now, wall);
    if (*doubtful)
        r->due = now;
}
