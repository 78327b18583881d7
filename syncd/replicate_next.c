/* What comes next for a zone, in words. */
#include "syncd/replicate_internal.h"

#include <stdio.h>
#include <string.h>

static void time_text(char *out, size_t room, int64_t seconds)
{
    long long s = seconds;

    if (s < 60)
        (void)snprintf(out, room, "%lld s", s);
    else if (s < 3600)
        (void)snprintf(out, room, "%lld min %lld s", s / 60, s % 60);
    else if (s < 86400)
        (void)snprintf(out, room, "%lld h %lld min", s / 3600, s / 60 % 60);
    else
        (void)snprintf(out, room, "%lld d %lld h", s / 86400, s / 3600 % 24);
}

/* "SOA query to hidden-1, 192.0.2.1@53" */
static void work_text(char *out, size_t room, const struct zone_entry *z, unsigned primary,
                      bool transfer)
{
    const struct config_primary *p = replicate_primary(z, primary);
    char address[ADDR_TEXT_MAX];

    addr_to_text(address, &p->address);
    (void)snprintf(out, room, "%s %s, %s", transfer ? "transfer from" : "SOA query to", p->name,
                   address);
}

static const char *lane_text(enum sched_lane lane)
{
    switch (lane) {
    case LANE_OPERATOR:
        return "an operator asked for it";
    case LANE_URGENT:
        return "a NOTIFY came";
    case LANE_FIRST:
        return "the zone has no content to serve";
    case LANE_ROUTINE:
        return "it is due";
    }
    return "?";
}

static void waiting_text(char *out, size_t room, const struct zone_entry *z)
{
    int64_t left_ms = z->refresh.due.ms - replicate_now(z->replicator).ms;
    char what[ERR_TEXT_MAX / 2], when[64];
    unsigned primary;
    bool transfer;

    if (!refresh_first(&z->refresh, &primary, &transfer)) {
        (void)snprintf(out, room, "nothing: it has no primaries");
        return;
    }
    work_text(what, sizeof(what), z, primary, transfer);
    time_text(when, sizeof(when), left_ms > 0 ? (left_ms + 999) / 1000 : 0);
    (void)snprintf(out, room, "%s in %s", what, when);
}

/* "version v12 is served at 2026-12-01T10:00:00Z; " */
static size_t staged_text(char *out, size_t room, const struct zone_entry *z)
{
    struct replicator *r = z->replicator;
    const struct store_staged *v;
    char when[WALL_TEXT_MAX];
    struct mono at;
    int n;

    if (!(v = replicate_stage_next(z, &at)))
        return 0;
    wall_to_text(when, refresh_wall(at, replicate_now(r), clock_wall(r->ops.clock)));
    n = snprintf(out, room, "version v%llu is served at %s%s; ", (unsigned long long)v->version,
                 when,
                 z->row.held      ? ", but the zone is held"
                 : z->row.expired ? ", but the zone has expired"
                                  : "");
    return n < 0 ? 0 : (size_t)n < room ? (size_t)n : room - 1;
}

static void step_text(char *out, size_t room, const struct zone_entry *z)
{
    char what[ERR_TEXT_MAX / 2];

    work_text(what, sizeof(what), z, z->plan.primary, z->plan.step == REFRESH_TRANSFER);
    if (z->probe || z->transfer)
        (void)snprintf(out, room, "%s is under way", what);
    else
        (void)snprintf(out, room, "%s, as soon as its turn comes: %s", what,
                       lane_text(z->task.lane));
}

void replicator_next(const struct replicator *r, const uint8_t *zone, char *out, size_t room)
{
    const struct zone_entry *z = replicate_find(r, zone);

    size_t n;

    out[0] = 0;
    if (!z || z->row.removed || !z->scheduled)
        return;
    n = staged_text(out, room, z);
    out += n;
    room -= n;
    if (z->committing)
        (void)snprintf(out, room, "a new version is being stored");
    else if (z->plan.step == REFRESH_WAIT)
        waiting_text(out, room, z);
    else
        step_text(out, room, z);
}
