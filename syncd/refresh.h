/* When to ask which primary for a zone, and what to make of the answer: RFC 1034 4.3.5, RFC 1996.
 *
 * Pure decisions: time comes in as an argument, and what goes out is a plan: wait, probe (ask for
 * the SOA), or transfer. Nothing here knows sockets, so weeks of it run in milliseconds.
 *
 *            due, NOTIFY, operator                    newer
 *    IDLE ───────────────────────▶ PROBE primary i ──────────▶ TRANSFER from i
 *     ▲  ▲                           │ same, behind, failed        │ failed, refused
 *     │  └───────────────────────────┴──────▶ primary i+1 ◀────────┘
 *     └── after the last primary, or when a new version is in: wait for refresh or retry
 *
 * One pass over the primaries is a round. What the rules are, and why:
 *  - Primaries are asked in order, those that failed lately last. A routine round goes on after
 *    "same", since a primary that got stuck must not hide the newer version of another; a round
 *    that a NOTIFY began ends with the first answer of who sent it.
 *  - A zone without content, or an expired one, is transferred without a probe, and whatever the
 *    serial: anything is better than SERVFAIL.
 *  - A primary whose serial is behind ours proves that it can be reached, so the zone stays fresh:
 *    RFC 1034 4.3.5 expires a zone when no serial check is possible. Its older content is never
 *    taken, unless the operator asks for it, or the policy says that a serial that went back for
 *    good is accepted: when for so long no primary has shown our serial or a newer one, and some
 *    primary was behind it, the whole zone is fetched whatever its serial. Silence of a primary
 *    neither begins nor ends that time; a restart begins it anew.
 *  - If no primary answers, failures count up and the wait doubles from the SOA's retry to its
 *    refresh. Zones without content begin at the shortest retry and stop at ten minutes.
 *  - Content that our checks refuse is remembered by primary and serial, and is not fetched again
 *    until a wait of its own has passed, another serial is seen, or the operator asks.
 *  - Increments that cannot be used, for whatever reason, are followed by one transfer of the whole
 *    zone from the same primary; the next version is asked for by increments again.
 *  - A version that our own store cannot take, since its disk is full, says nothing of its primary:
 * it is neither called failed nor asked last, and the same version is fetched again soon.
 *  - A NOTIFY while work runs is kept, one for all, and looked at when the work is done. Its serial
 *    is only a hint: it makes us ask sooner or later, never fetch.
 *  - Expiry runs on monotonic time. At start the wall clock may say that a zone expired while we
 *    were away, or lie; the zone is served until a whole round has failed.
 *  - A primary that is a secondary itself says how long the zone lives on without its own primary
 *    (RFC 7314); we are content with that, so that a chain of secondaries expires as one. For the
 *    version that we have it never shortens what we were given before; a new version has no more.
 *  - With a tolerance, a zone stays with the primary that it came from: another one that has a
 *    newer version is waited with for so long, and then the whole zone is fetched from there, since
 *    equal serials of two primaries need not mean the same content.
 *  - A held zone does not expire: what it serves is an operator's choice, and the silence of a
 *    primary says nothing about it. Its primaries are asked as ever.
 *  - Waits are shortened by up to a tenth, by a hash of the name, so that zones that began together
 *    drift apart.
 */
#ifndef ZL_SYNCD_REFRESH_H
#define ZL_SYNCD_REFRESH_H

#include "lib/base/clock.h"
#include "lib/base/serial.h"
#include "syncd/probe.h"
#include "syncd/sched.h"

#define REFRESH_PRIMARIES_MAX 64 /* of one zone; more are never asked */

struct refresh_policy {
    uint32_t refresh_min_s, refresh_max_s;
    uint32_t retry_min_s, retry_max_s;
    uint32_t expire_max_s; /* 0: as the SOA says */
    uint32_t tolerance_s; /* of the primary that the zone came from; 0: whoever has more is asked */
    bool accept_back;     /* what no primary has newer than this: */
    uint32_t back_s;      /* so long */
    uint16_t jitter;      /* from the zone's name: 0 none, 65535 a tenth */
};

/* The timers of a SOA. */
struct refresh_timers {
    uint32_t refresh_s, retry_s, expire_s;
};

enum refresh_step {
    REFRESH_WAIT,     /* until refresh_alarm */
    REFRESH_PROBE,    /* ask `primary` for its SOA */
    REFRESH_TRANSFER, /* fetch the zone from `primary` */
};

/* What is to be done now. An input that changes nothing gives the plan that holds already, perhaps
 * in a more urgent lane. */
struct refresh_plan {
    enum refresh_step step;
    unsigned primary; /* index into the zone's list */
    enum sched_lane lane;
    bool any_serial; /* take the transfer's serial even if it is not newer */
    bool whole;      /* not by increments: that has failed just now */
    bool expire;     /* the zone has expired just now */
    bool behind;     /* the primary that answered is behind us, and was not at this serial before */
    bool refused;    /* the primary still has the version that our checks refuse */
};

enum transfer_outcome {
    TRANSFER_NEW,             /* a new version is committed, served or waiting */
    TRANSFER_SAME,            /* what the primary has is what we have */
    TRANSFER_OLDER,           /* whole, but its serial is not newer than ours */
    TRANSFER_REFUSED,         /* whole, or too large: our checks or limits refuse this version */
    TRANSFER_FAILED,          /* network, protocol, TSIG, the primary said no */
    TRANSFER_NOT_INCREMENTAL, /* the answer to IXFR cannot be used: ask for the whole zone */
    TRANSFER_CONFLICT,        /* the zone was changed by somebody else meanwhile: again */
    TRANSFER_UNSTORED,        /* our own store could not take it (a full disk): again, soon */
};
#define TRANSFER_OUTCOMES (TRANSFER_UNSTORED + 1)

struct transfer_report {
    enum transfer_outcome outcome;
    bool unserved; /* TRANSFER_FAILED: the primary says that it does not serve the zone */
    bool has_soa;  /* always for NEW, SAME and OLDER */
    struct serial serial;
    struct refresh_timers timers;
    bool has_left; /* the primary is a secondary itself and says how long it vouches (RFC 7314) */
    uint32_t left_s;
};

/* What the past tells about one primary. */
struct refresh_primary {
    uint32_t failures;
    struct mono bad_until; /* asked last until then */

    bool has_behind; /* was behind us, with this serial */
    struct serial behind;

    uint32_t refused_times; /* 0: nothing is refused */
    struct serial refused;
    struct mono refused_until;
};

enum refresh_cause { CAUSE_TIMER, CAUSE_NOTIFY, CAUSE_REFRESH, CAUSE_RETRANSFER };

struct refresh {
    struct refresh_policy policy;
    unsigned primary_count;

    struct refresh_primary *primaries;
    bool has_content, expired, held;
    bool has_serial; /* newest version that we fetched, held or not */
    struct serial serial;
    bool has_timers;
    struct refresh_timers timers;
    uint32_t failures;    /* rounds in a row */
    bool has_unserved;    /* all primaries say that they do not serve it ... */
    struct mono unserved; /* ... since then; silence of one ends it as little as it begins it */

    int pinned;        /* the primary that the content came from; -1: not known */
    bool has_ahead;    /* another one has a newer version ... */
    struct mono ahead; /* ... since then */
    bool ahead_seen;   /* and has it still, in this round */

    bool has_back;    /* all primaries that answer are behind us ... */
    bool back_is_new; /* which whoever tells people of it has to do yet */
    struct mono back; /* ... since then */

    struct mono due; /* next round */
    bool has_expiry;
    struct mono expires;
    bool failed_since_start;
    bool has_answer, has_current; /* since the start */
    struct mono last_answer;      /* a primary answered a probe or transfer */
    struct mono last_current;     /* we were shown to be current */

    /* the round */
    enum refresh_step step;
    bool running; /* the step has left the queue */
    enum refresh_cause cause;
    unsigned at;     /* primary of the step */
    uint64_t asked;  /* bit i: primary i was asked */
    uint64_t silent; /* bit i: primary i answers nobody, as other zones have found */
    int notifier;    /* primary that sent the NOTIFY which began the round, or -1 */
    bool any_serial;
    bool whole;                  /* what the primary sent as increments was of no use */
    bool urgent;                 /* a NOTIFY came while the step was queued */
    bool operator;               /* a person waits for it */
    bool current, alive, missed; /* some primary: has our serial; answered; has what we can't get */
    bool gained;                 /* a new version came in */
    bool claimed;                /* some primary serves the zone */
    uint64_t disowned;           /* bit i: primary i says that it does not */
    bool full;                   /* who has our serial vouches for the SOA's whole time of expiry */
    uint32_t vouched_s;          /* else: for so long at most (RFC 7314) */

    /* what came while the step ran, or must wait a little */
    bool want_notify, want_refresh, want_retransfer;
    bool want_operator; /* a person wants one of the latter two */
    bool notify_has_serial;
    struct serial notify_serial;
    int notify_primary;
    bool had_round;
    struct mono last_round;
    bool last_fruitless; /* the last NOTIFY promised a version that was not there */
};

/* What the store knows of a zone at start. */
struct refresh_start {
    bool has_content, expired, held;
    bool has_serial;
    struct serial serial;
    struct wall next_check, expires_at, last_success; /* 0: none */
    struct wall unserved_since;                       /* 0: it is served, as far as we know */
    uint32_t failures;
    bool has_pinned;
    unsigned pinned; /* the primary that the content came from */
};

/* `primary_count` may be 0 only if no plan is ever asked for. True in *doubtful if the wall clock
 * says that the zone expired while nobody looked: it is served until a round has failed. */
void refresh_init(struct refresh *r, const struct refresh_policy *policy, unsigned primary_count,
                  const struct refresh_start *start, struct mono now, struct wall wall,
                  bool *doubtful);
void refresh_done(struct refresh *r);

/* The next moment at which refresh_wake must be called; false if there is none before work ends. */
bool refresh_alarm(const struct refresh *r, struct mono *at);
struct refresh_plan refresh_wake(struct refresh *r, struct mono now);

/* These primaries (bit i: primary i) give no zone an answer just now. They are asked last, as those
 * that failed this zone lately; by an operator's round as ever. Before a round begins or goes on.
 */
void refresh_set_silent(struct refresh *r, uint64_t silent);
/* The step that is queued is for one of them, and another primary may be asked instead: *plan. */
bool refresh_elsewhere(struct refresh *r, struct refresh_plan *plan, struct mono now);

/* The probe or transfer of the plan has left the queue and runs. */
void refresh_started(struct refresh *r);

/* Results of what runs. */
struct refresh_plan refresh_probed(struct refresh *r, const struct probe_report *report,
                                   struct mono now);
struct refresh_plan refresh_transferred(struct refresh *r, const struct transfer_report *report,
                                        struct mono now);

/* A NOTIFY that may be believed; `primary` is the one it came from, or -1. `serial` NULL: it
 * brought none. */
struct refresh_plan refresh_notified(struct refresh *r, int primary, const struct serial *serial,
                                     struct mono now);

/* Somebody wants a look now, or a transfer whatever the serial; an operator, who goes before all
 * else that waits, or we ourselves. */
struct refresh_plan refresh_asked(struct refresh *r, bool retransfer, bool operator,
                                  struct mono now);

/* The zone was changed by somebody else: an operator rolled it back and holds it, or released it.
 * `serial` is the one that primaries are compared with from now on. */
void refresh_set_zone(struct refresh *r, bool held, bool expired, bool has_serial,
                      struct serial serial);

/* Whom the next round asks first, and whether by a transfer, if nothing comes meanwhile; false if
 * there is nobody. */
bool refresh_first(const struct refresh *r, unsigned *primary, bool *transfer);

/* Until when a version that was just transferred may be served: as its SOA says, or for what the
 * primary has left of that (RFC 7314 4), whichever is less. */
struct mono refresh_deadline(const struct refresh *r, const struct transfer_report *report,
                             struct mono now);

/* Persistent form of a moment: wall time, at `now`. */
struct wall refresh_wall(struct mono at, struct mono now, struct wall wall);

/* "REFUSED" and so on, for logs. */
const char *transfer_outcome_text(enum transfer_outcome o);

#endif
