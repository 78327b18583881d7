#include "syncd/refresh_internal.h"

#include <stdlib.h>

#include "lib/base/mem.h"

#define REFUSED_MIN_S 60 /* the same refused version is not fetched again before */
#define CONFLICT_RETRY_MS 1000
#define UNSTORED_RETRY_MS 15000 /* a disk that is full is seldom made room on within a second */

const char *transfer_outcome_text(enum transfer_outcome o)
{
    switch (o) {
    case TRANSFER_NEW:
        return "new version";
    case TRANSFER_SAME:
        return "up to date";
    case TRANSFER_OLDER:
        return "older than ours";
    case TRANSFER_REFUSED:
        return "refused by our checks";
    case TRANSFER_FAILED:
        return "failed";
    case TRANSFER_NOT_INCREMENTAL:
        return "increments of no use";
    case TRANSFER_CONFLICT:
        return "changed meanwhile";
    case TRANSFER_UNSTORED:
        return "not stored";
    }
    return "?";
}

void refresh_done(struct refresh *r)
{
    free(r->primaries);
    r->primaries = NULL;
    r->primary_count = 0;
}

void refresh_set_zone(struct refresh *r, bool held, bool expired, bool has_serial,
                      struct serial serial)
{
    if (r->held && !held)
        r->failed_since_start = false; /* it may expire again, but not before a round has failed */
    r->held = held;
    r->expired = expired;
    r->has_serial = has_serial;
    r->serial = serial;
    r->has_content = r->has_content || has_serial;
}

/* ---- The round ---- */

static enum sched_lane lane_of(const struct refresh *r)
{
    if (r->operator)
        return LANE_OPERATOR;
    if (r->cause != CAUSE_TIMER || r->urgent)
        return LANE_URGENT;
    return refresh_needs_content(r) ? LANE_FIRST : LANE_ROUTINE;
}

static struct refresh_plan plan_now(const struct refresh *r)
{
    return (struct refresh_plan){.step = r->step,
                                 .primary = r->at,
                                 .lane = lane_of(r),
                                 .any_serial = r->any_serial,
                                 .whole = r->whole};
}

static bool was_asked(const struct refresh *r, unsigned i)
{
    return r->asked & UINT64_C(1) << i;
}

static bool is_bad(const struct refresh *r, unsigned i, struct mono now)
{
    return (r->silent & UINT64_C(1) << i) || mono_cmp(r->primaries[i].bad_until, now) > 0;
}

/* The primary to ask next in this round; false if there is none left. Who sent the NOTIFY first,
 * then by order, those that failed lately last, and those not at all if somebody has answered. */
static bool choose(const struct refresh *r, unsigned *out, struct mono now)
{
    bool found = false;

    if (r->asked == 0 && r->notifier >= 0 && (unsigned)r->notifier < r->primary_count) {
        *out = (unsigned)r->notifier;
        return true;
    }
    if (r->policy.tolerance_s && r->pinned >= 0 && !was_asked(r, (unsigned)r->pinned) &&
        !is_bad(r, (unsigned)r->pinned, now)) {
        *out = (unsigned)r->pinned;
        return true;
    }
    for (unsigned i = 0; i < r->primary_count; i++) {
        if (was_asked(r, i))
            continue;
        if (!is_bad(r, i, now)) {
            *out = i;
            return true;
        }
        if (!found && !r->current) {
            *out = i;
            found = true;
        }
    }
    return found;
}

bool refresh_first(const struct refresh *r, unsigned *primary, bool *transfer)
{
    struct refresh then = *r;

    then.asked = 0;
    then.notifier = -1;
    then.current = false;
    *transfer = refresh_needs_content(r);
    return choose(&then, primary, r->due);
}

static struct refresh_plan round_end(struct refresh *r, struct mono now);

static struct refresh_plan round_next(struct refresh *r, struct mono now)
{
    const struct refresh_primary *p;

    r->running = false;
    r->whole = false;
    if (!choose(r, &r->at, now))
        return round_end(r, now);
    p = &r->primaries[r->at];
    r->asked |= UINT64_C(1) << r->at;
    r->any_serial = refresh_needs_content(r) || r->cause == CAUSE_RETRANSFER;
    r->step = r->any_serial ? REFRESH_TRANSFER : REFRESH_PROBE;
    /* What was refused may still be there: a look at the serial costs less than a transfer. */
    if (r->cause != CAUSE_RETRANSFER && p->refused_times && mono_cmp(p->refused_until, now) > 0)
        r->step = REFRESH_PROBE;
    return plan_now(r);
}

/* An operator wants an answer now, whatever was remembered. */
static void forgive(struct refresh *r)
{
    for (unsigned i = 0; i < r->primary_count; i++) {
        r->primaries[i].bad_until = (struct mono){0};
        r->primaries[i].refused_times = 0;
    }
    r->silent = 0;
}

static struct refresh_plan round_begin(struct refresh *r, enum refresh_cause cause, struct mono now)
{
    r->cause = cause;
    r->asked = 0;
    r->current = r->alive = r->missed = r->gained = r->urgent = r->full = false;
    r->claimed = r->ahead_seen = false;
    r->disowned = 0;
    r->vouched_s = 0;
    r->notifier = cause == CAUSE_NOTIFY ? r->notify_primary : -1;
    r->want_notify = false; /* whatever began the round, it looks later than the NOTIFY came */
    r->operator= false;
    if (cause == CAUSE_REFRESH || cause == CAUSE_RETRANSFER) {
        r->operator= r->want_operator;
        r->want_refresh = r->want_retransfer = r->want_operator = false;
        forgive(r);
    }
    return round_next(r, now);
}

void refresh_set_silent(struct refresh *r, uint64_t silent)
{
    r->silent = r->operator? 0 : silent;
}

bool refresh_elsewhere(struct refresh *r, struct refresh_plan *plan, struct mono now)
{
    bool other = false;

    if (r->step == REFRESH_WAIT || r->running || r->whole || r->notifier == (int)r->at ||
        !(r->silent & UINT64_C(1) << r->at))
        return false;
    for (unsigned i = 0; i < r->primary_count && !other; i++)
        other = !was_asked(r, i) && !is_bad(r, i, now);
    if (!other)
        return false;
    r->asked &= ~(UINT64_C(1) << r->at); /* last, if nobody else answers */
    *plan = round_next(r, now);
    return true;
}

static bool may_expire(const struct refresh *r)
{
    return r->has_expiry && !r->expired && !r->held && r->failed_since_start;
}

static void expire_if_due(struct refresh *r, struct refresh_plan *plan, struct mono now)
{
    if (!may_expire(r) || mono_cmp(r->expires, now) > 0)
        return;
    r->expired = true;
    r->has_expiry = false;
    r->failures = 0; /* clients suffer now: begin with short waits again */
    plan->expire = true;
    if (r->step == REFRESH_WAIT) {
        struct mono soon = mono_add_ms(now, (int64_t)r->policy.retry_min_s * MS);

        if (mono_cmp(soon, r->due) < 0)
            r->due = soon;
    }
}

/* The zone was shown to be current. */
static void renew(struct refresh *r, struct mono now)
{
    struct mono at = refresh_soa_deadline(r, now);
    struct mono vouched = mono_add_ms(now, (int64_t)r->vouched_s * MS);

    if (r->current && !r->full && mono_cmp(vouched, at) < 0)
        at = r->has_expiry && mono_cmp(r->expires, vouched) > 0 ? r->expires : vouched;
    r->has_expiry = true;
    r->expires = at;
}

/* Does anybody serve the zone? A primary that is silent says neither yes nor no. */
static void judge_claims(struct refresh *r, struct mono now)
{
    uint64_t all = r->primary_count < 64 ? (UINT64_C(1) << r->primary_count) - 1 : UINT64_MAX;

    if (r->claimed) {
        r->has_unserved = false;
    } else if (r->disowned == all && !r->has_unserved) {
        r->has_unserved = true;
        r->unserved = now;
    }
}

static void round_judge(struct refresh *r, struct mono now)
{
    judge_claims(r, now);
    /* A primary that is behind proves nothing if another has a newer version that we can't get. */
    if (r->current || (r->alive && !r->missed)) {
        if (r->has_timers && r->has_content && !r->expired)
            renew(r, now);
    } else {
        r->failed_since_start = true;
    }
    if ((r->current || r->alive) && !r->missed && !refresh_needs_content(r)) {
        r->failures = 0;
        r->due = mono_add_ms(now, refresh_jittered_ms(r, refresh_interval_s(r)));
    } else {
        r->failures += r->failures < UINT32_MAX;
        r->due = mono_add_ms(now, refresh_jittered_ms(r, refresh_backoff_s(r, r->failures)));
    }
}

/* Begins what was asked for meanwhile, if its time has come. */
static struct refresh_plan round_wanted(struct refresh *r, struct mono now)
{
    struct mono at;

    if (r->want_retransfer)
        return round_begin(r, CAUSE_RETRANSFER, now);
    if (r->want_refresh)
        return round_begin(r, CAUSE_REFRESH, now);
    if (r->want_notify) {
        at = refresh_notify_time(r, now);
        if (mono_cmp(at, now) <= 0)
            return round_begin(r, CAUSE_NOTIFY, now);
        if (mono_cmp(at, r->due) < 0)
            r->due = at;
    }
    return plan_now(r);
}

static struct mono tolerated_until(const struct refresh *r)
{
    return mono_add_ms(r->ahead, (int64_t)r->policy.tolerance_s * MS);
}

/* Another primary is ahead of ours: it is looked at again when ours has had its time. */
static void tolerate(struct refresh *r)
{
    if (!r->ahead_seen)
        r->has_ahead = false;
    else if (mono_cmp(tolerated_until(r), r->due) < 0)
        r->due = tolerated_until(r);
}

/* Is every primary that answers behind us? */
static void judge_back(struct refresh *r, struct mono now)
{
    if (r->current || r->missed || r->gained || r->ahead_seen) {
        r->has_back = r->back_is_new = false;
    } else if (r->alive && !r->has_back) {
        r->has_back = r->back_is_new = true;
        r->back = now;
    }
}

/* Its time over, it is believed; if nothing comes of that, the time begins anew. */
static void accept_back(struct refresh *r, struct mono now)
{
    struct mono at = mono_add_ms(r->back, (int64_t)r->policy.back_s * MS);

    if (!r->policy.accept_back || !r->has_back)
        return;
    if (mono_cmp(at, now) <= 0) {
        r->want_retransfer = true;
        r->has_back = r->back_is_new = false;
    } else if (mono_cmp(at, r->due) < 0) {
        r->due = at;
    }
}

static struct refresh_plan round_end(struct refresh *r, struct mono now)
{
    struct refresh_plan plan = {.step = REFRESH_WAIT};

    r->step = REFRESH_WAIT;
    r->running = false;
    round_judge(r, now);
    tolerate(r);
    judge_back(r, now);
    accept_back(r, now);
    r->last_fruitless = r->cause == CAUSE_NOTIFY && !r->missed && !r->gained;
    r->had_round = true;
    r->last_round = now;
    r->cause = CAUSE_TIMER;
    r->operator= false;
    r->any_serial = false;
    expire_if_due(r, &plan, now);
    if (plan.expire) {
        struct refresh_plan next = round_wanted(r, now);
        next.expire = true;
        return next;
    }
    return round_wanted(r, now);
}

/* ---- Inputs ---- */

bool refresh_alarm(const struct refresh *r, struct mono *at)
{
    bool any = false;

    if (r->step == REFRESH_WAIT && r->primary_count) {
        *at = r->due;
        any = true;
    }
    if (may_expire(r) && (!any || mono_cmp(r->expires, *at) < 0)) {
        *at = r->expires;
        any = true;
    }
    return any;
}

struct refresh_plan refresh_wake(struct refresh *r, struct mono now)
{
    struct refresh_plan plan = plan_now(r);

    expire_if_due(r, &plan, now);
    if (r->step == REFRESH_WAIT && r->primary_count && mono_cmp(r->due, now) <= 0) {
        bool expire = plan.expire;

        plan = round_wanted(r, now);
        if (plan.step == REFRESH_WAIT && mono_cmp(r->due, now) <= 0)
            plan = round_begin(r, CAUSE_TIMER, now);
        plan.expire = expire;
    }
    return plan;
}

void refresh_started(struct refresh *r)
{
    r->running = true;
}

static void primary_failed(struct refresh *r, struct mono now)
{
    struct refresh_primary *p = &r->primaries[r->at];

    p->failures += p->failures < UINT32_MAX;
    p->bad_until = mono_add_ms(now, (int64_t)refresh_backoff_s(r, p->failures) * MS);
}

static void primary_answered(struct refresh *r, struct mono now)
{
    struct refresh_primary *p = &r->primaries[r->at];

    p->failures = 0;
    p->bad_until = (struct mono){0};
    r->has_answer = true;
    r->last_answer = now;
}

static void take_timers(struct refresh *r, const struct refresh_timers *t)
{
    r->timers = *t;
    r->has_timers = true;
}

/* The primary is behind us; true if that was not known of this serial. */
static bool primary_behind(struct refresh *r, struct serial serial)
{
    struct refresh_primary *p = &r->primaries[r->at];
    bool known = p->has_behind && serial_eq(p->behind, serial);

    p->has_behind = true;
    p->behind = serial;
    r->alive = true;
    return !known;
}

/* An operator's wish ends the round that a probe belongs to. */
static bool overruled(const struct refresh *r)
{
    return r->want_retransfer && r->cause != CAUSE_RETRANSFER;
}

static void shown_current(struct refresh *r, struct mono now)
{
    r->current = true;
    r->has_current = true;
    r->last_current = now;
    r->primaries[r->at].has_behind = false;
}

/* Who has our serial vouches for it: for the SOA's whole time, or for what is left of that there.
 */
static void vouch(struct refresh *r, bool has_left, uint32_t left_s)
{
    if (!has_left)
        r->full = true;
    else if (left_s > r->vouched_s)
        r->vouched_s = left_s;
}

/* Is this a newer version of a primary that is not the zone's? */
static bool is_elsewhere(const struct refresh *r)
{
    return r->policy.tolerance_s && r->pinned >= 0 && r->at != (unsigned)r->pinned &&
           r->has_content && !r->expired;
}

/* Is ours given time to have it too? What an operator asks for does not wait. */
static bool ours_has_time(struct refresh *r, struct mono now)
{
    if (!is_elsewhere(r) || r->cause == CAUSE_REFRESH || r->cause == CAUSE_RETRANSFER)
        return false;
    if (!r->has_ahead)
        r->ahead = now;
    r->has_ahead = r->ahead_seen = true;
    return mono_cmp(tolerated_until(r), now) > 0;
}

/* The primary has something that we want: fetch it, unless our checks have refused it lately. */
static struct refresh_plan want_version(struct refresh *r, struct serial serial, struct mono now)
{
    const struct refresh_primary *p = &r->primaries[r->at];
    struct refresh_plan plan;

    if (ours_has_time(r, now))
        return round_next(r, now);
    r->missed = true;
    if (p->refused_times && serial_eq(p->refused, serial) && mono_cmp(p->refused_until, now) > 0) {
        plan = round_next(r, now);
        plan.refused = true;
        return plan;
    }
    r->step = REFRESH_TRANSFER;
    r->running = false;
    r->whole = is_elsewhere(r);
    return plan_now(r);
}

struct refresh_plan refresh_probed(struct refresh *r, const struct probe_report *report,
                                   struct mono now)
{
    struct refresh_plan plan;
    enum serial_order order;
    bool behind;

    if (report->outcome == PROBE_REFUSED || report->outcome == PROBE_NOT_AUTH)
        r->disowned |= UINT64_C(1) << r->at;
    if (report->outcome != PROBE_SOA) {
        primary_failed(r, now);
        return overruled(r) ? round_begin(r, CAUSE_RETRANSFER, now) : round_next(r, now);
    }
    primary_answered(r, now);
    r->claimed = true;
    if (overruled(r))
        return round_begin(r, CAUSE_RETRANSFER, now);
    order = r->has_serial ? serial_cmp(report->serial, r->serial) : SERIAL_NEWER;
    if (order == SERIAL_NEWER || r->any_serial)
        return want_version(r, report->serial, now);
    if (order == SERIAL_EQUAL) {
        take_timers(r, &(struct refresh_timers){.refresh_s = report->refresh_s,
                                                .retry_s = report->retry_s,
                                                .expire_s = report->expire_s});
        shown_current(r, now);
        vouch(r, report->has_left, report->left_s);
        return r->notifier == (int)r->at ? round_end(r, now) : round_next(r, now);
    }
    behind = primary_behind(r, report->serial);
    plan = round_next(r, now);
    plan.behind = behind;
    return plan;
}

static void remember_refused(struct refresh *r, const struct transfer_report *report,
                             struct mono now)
{
    struct refresh_primary *p = &r->primaries[r->at];
    uint32_t start = refresh_retry_s(r) > REFUSED_MIN_S ? refresh_retry_s(r) : REFUSED_MIN_S;

    if (!p->refused_times || !serial_eq(p->refused, report->serial))
        p->refused_times = 0;
    p->refused = report->serial;
    p->refused_times += p->refused_times < UINT32_MAX;
    p->refused_until = mono_add_ms(
        now, (int64_t)refresh_doubled(start, p->refused_times - 1, r->policy.refresh_max_s) * MS);
}

static struct refresh_plan got_version(struct refresh *r, const struct transfer_report *report,
                                       struct mono now)
{
    struct refresh_primary *p = &r->primaries[r->at];

    primary_answered(r, now);
    p->refused_times = 0;
    r->has_content = true;
    r->expired = false;
    r->has_serial = true;
    r->serial = report->serial;
    r->missed = r->ahead_seen = false;
    r->pinned = (int)r->at;
    r->gained = report->outcome == TRANSFER_NEW;
    take_timers(r, &report->timers);
    shown_current(r, now);
    if (r->gained) { /* nothing that was said of other versions holds for this one */
        r->has_expiry = r->full = false;
        r->vouched_s = 0;
    }
    vouch(r, report->has_left, report->left_s);
    return round_end(r, now);
}

/* Our own store moved under the transfer, or did not take it; no primary is to blame, so nothing is
 * counted. */
static struct refresh_plan again_soon(struct refresh *r, uint32_t wait_ms, struct mono now)
{
    r->want_retransfer = r->want_retransfer || r->cause == CAUSE_RETRANSFER;
    r->want_refresh = r->want_refresh || r->cause == CAUSE_REFRESH;
    r->want_operator = r->want_operator || r->operator;
    r->operator= false;
    r->step = REFRESH_WAIT;
    r->running = false;
    r->cause = CAUSE_TIMER;
    r->due = mono_add_ms(now, wait_ms);
    return plan_now(r);
}

struct refresh_plan refresh_transferred(struct refresh *r, const struct transfer_report *report,
                                        struct mono now)
{
    struct refresh_plan plan;
    bool behind;

    r->claimed = r->claimed || report->has_soa;
    if (report->unserved)
        r->disowned |= UINT64_C(1) << r->at;
    switch (report->outcome) {
    case TRANSFER_NEW:
    case TRANSFER_SAME:
        return got_version(r, report, now);
    case TRANSFER_CONFLICT:
        return again_soon(r, CONFLICT_RETRY_MS, now);
    case TRANSFER_UNSTORED:
        primary_answered(r, now);
        return again_soon(r, UNSTORED_RETRY_MS, now);
    case TRANSFER_OLDER:
        primary_answered(r, now);
        behind = primary_behind(r, report->serial);
        plan = round_next(r, now);
        plan.behind = behind;
        return plan;
    case TRANSFER_NOT_INCREMENTAL:
        r->whole = true;
        r->running = false;
        return overruled(r) ? round_begin(r, CAUSE_RETRANSFER, now) : plan_now(r);
    case TRANSFER_REFUSED:
        primary_answered(r, now);
        r->missed = true;
        if (report->has_soa)
            remember_refused(r, report, now);
        return round_next(r, now);
    case TRANSFER_FAILED:
        r->missed = true;
        primary_failed(r, now);
        return round_next(r, now);
    }
    return round_next(r, now);
}

/* Two NOTIFYs become one: the newer promise counts, and one without a serial counts as a promise.
 */
static void notify_merge(struct refresh *r, int primary, const struct serial *serial)
{
    if (!r->want_notify ||
        (serial && r->notify_has_serial && serial_cmp(*serial, r->notify_serial) == SERIAL_NEWER)) {
        r->notify_primary = primary;
        r->notify_has_serial = serial != NULL;
        if (serial)
            r->notify_serial = *serial;
    } else if (!serial) {
        r->notify_has_serial = false;
    }
    r->want_notify = true;
}

struct refresh_plan refresh_notified(struct refresh *r, int primary, const struct serial *serial,
                                     struct mono now)
{
    struct mono at;

    if (primary >= 0 && (unsigned)primary < r->primary_count)
        r->primaries[primary].bad_until = (struct mono){0}; /* it is alive */
    if (r->step != REFRESH_WAIT && !r->running) {
        r->urgent = true; /* what is queued has not looked yet: it only gets faster */
        return plan_now(r);
    }
    notify_merge(r, primary, serial);
    if (r->step != REFRESH_WAIT)
        return plan_now(r);
    at = refresh_notify_time(r, now);
    if (mono_cmp(at, now) <= 0)
        return round_begin(r, CAUSE_NOTIFY, now);
    if (mono_cmp(at, r->due) < 0)
        r->due = at;
    return plan_now(r);
}

struct refresh_plan refresh_asked(struct refresh *r, bool retransfer, bool operator,
                                  struct mono now)
{
    r->want_operator = r->want_operator || operator;
    if (r->running) {
        r->want_retransfer = r->want_retransfer || retransfer;
        r->want_refresh = r->want_refresh || !retransfer;
        return plan_now(r);
    }
    if (!retransfer && r->step != REFRESH_WAIT && r->cause == CAUSE_RETRANSFER) {
        r->operator= r->operator|| r->want_operator;
        r->want_operator = false;
        return plan_now(r);
    }
    return round_begin(r, retransfer ? CAUSE_RETRANSFER : CAUSE_REFRESH, now);
}
