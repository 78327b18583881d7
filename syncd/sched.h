/* Who may work when, over all zones: one heap of alarms, and two gates (probes, transfers) with
 * lanes in front of them.
 *
 * A zone is a struct sched_task, embedded in whatever describes the zone; it has at most one alarm
 * and at most one piece of work, queued or running. Alarms cost O(log n), everything else O(1) or
 * the number of peers with work. There is no timer of the event loop a zone: the caller keeps one
 * for sched_next_time.
 *
 * Lanes: what an operator asked for goes first, then what a NOTIFY began, then zones without
 * content, then routine. So that no flood in one lane stops another for ever, each fourth start
 * looks at the lanes from behind. In a lane, peers take turns, so that one with ten thousand zones
 * does not hold up others.
 */
#ifndef ZL_SYNCD_SCHED_H
#define ZL_SYNCD_SCHED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/addr.h"
#include "lib/base/clock.h"

struct sched;
struct sched_peer;

enum sched_lane { LANE_OPERATOR, LANE_URGENT, LANE_FIRST, LANE_ROUTINE };
#define LANES 4

enum sched_work { WORK_PROBE, WORK_TRANSFER };
#define WORKS 2

enum sched_state { SCHED_IDLE, SCHED_QUEUED, SCHED_RUNNING };

/* Zeroed is idle and without alarm. The fields are read-only for others. */
struct sched_task {
    struct mono alarm;
    size_t heap_pos; /* from 1; 0: no alarm */

    enum sched_state state;
    enum sched_work work;
    enum sched_lane lane;
    struct sched_peer *peer;
    struct sched_task *prev, *next; /* in the peer's lane */
};

struct sched_limits {
    uint32_t running[WORKS];  /* at the same time */
    uint32_t per_peer[WORKS]; /* of those, with one peer */
    uint32_t probe_rate;      /* starts a second */
    uint32_t probe_rate_peer; /* of those, with one peer; 0: any number */
};

struct sched *sched_new(const struct sched_limits *limits, struct mono now);
void sched_free(struct sched *s); /* tasks must not be used with it any more */
void sched_set_limits(struct sched *s, const struct sched_limits *limits);

/* The peer at this address (port too), made if it is new; lives as long as `s`. */
struct sched_peer *sched_peer_get(struct sched *s, const struct addr *address);

void sched_alarm_set(struct sched *s, struct sched_task *t, struct mono at);
void sched_alarm_clear(struct sched *s, struct sched_task *t);
/* Takes one task whose alarm is due, earliest first; NULL if none is. */
struct sched_task *sched_alarm_pop(struct sched *s, struct mono now);

/* Puts an idle task into the queue. */
void sched_queue(struct sched *s, struct sched_task *t, enum sched_work work,
                 struct sched_peer *peer, enum sched_lane lane);
/* Moves a queued task to a more urgent lane, never to a less urgent one. */
void sched_raise(struct sched *s, struct sched_task *t, enum sched_lane lane);
/* Takes the next task that may start now and makes it running; NULL if none may. */
struct sched_task *sched_start(struct sched *s, struct mono now);
/* Makes a task idle, whether queued or running; gives its place to others. */
void sched_finish(struct sched *s, struct sched_task *t);
/* Forgets the task altogether. */
void sched_remove(struct sched *s, struct sched_task *t);

/* The next moment at which sched_alarm_pop or sched_start can give something, unless sched_finish
 * or sched_queue comes before; false if there is none. */
bool sched_next_time(const struct sched *s, struct mono now, struct mono *at);

struct sched_counts {
    size_t alarms;
    size_t queued[WORKS];
    size_t lanes[WORKS][LANES]; /* of those queued */
    size_t running[WORKS];
};
void sched_count(const struct sched *s, struct sched_counts *out);

/* A token bucket: `rate` a second, at most `burst` saved up. */
struct token_bucket {
    uint32_t rate, burst;
    int64_t milli; /* thousandths of a token */
    struct mono filled;
};
void token_bucket_init(struct token_bucket *b, uint32_t rate, uint32_t burst, struct mono now);
bool token_bucket_take(struct token_bucket *b, struct mono now); /* false if it is empty */
/* When the next token is there. */
struct mono token_bucket_ready(const struct token_bucket *b, struct mono now);

#endif
