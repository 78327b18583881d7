/* What an operator can do to a zone: import, roll back, hold, release, remove, undelete. Each
 * function works in a pool thread, reads what it needs, and gives the commit job that does it: the
 * one way of all changes.
 */
#ifndef ZL_SYNCD_OPERATE_H
#define ZL_SYNCD_OPERATE_H

#include "lib/base/config.h"
#include "syncd/commit.h"
#include "syncd/guard.h"
#include "syncd/history.h"
#include "syncd/import.h"

/* How a hold ends by itself: when a version waits with a serial newer than this, or at a time,
 * whichever comes first. */
struct hold_rule {
    bool has_serial;
    struct serial serial;
    struct wall until; /* 0: at no time */
};

struct operator_act {
    const char *who;    /* from the socket's peer credentials, or "api:" and the key's name */
    bool remote;        /* it came by TCP */
    const char *reason; /* "" if none was given */
    bool force;         /* old signatures that have expired are served all the same */
    enum config_rollback_serial serial; /* of a rollback of a zone from primaries */
    struct hold_rule rule;              /* for the hold that it begins */
    struct wall now;
};

/* A rollback to `spec` (history_find). A zone of our own gets the old content under a serial that
 * goes forward, so that secondaries follow. A zone from a primary gets the old version under a
 * serial of ours or as it was, serial too (act->serial; series.h), and is held: newer versions are
 * fetched and wait until release. *job is not submitted. job->changes is what would change; *target
 * the version rolled back to. Cost: what differs, if that is little and the served content is in
 * h->cache. Errors: history_find's; ERR_EXISTS if that content is what is served already;
 * ERR_CONFLICT if the zone is removed; ERR_CHECK if the old version has signatures that have
 * expired, or does not bear the serial that is wanted. */
MUST_USE enum err operate_rollback(struct commit_job **job, struct store_version *target,
                                   struct history *h, const struct store_zone *row,
                                   const char *spec, const struct operator_act *act,
                                   struct errinfo *e);

/* Holds the zone at the version that is served. A zone that is held already gets act->rule instead
 * of the one it has (and the reason, if there is one): ERR_EXISTS if it has just that rule.
 * ERR_CONFLICT for a zone that has no primaries, no content, or is removed. */
MUST_USE enum err operate_hold(struct commit_job **job, const struct store_zone *row,
                               const struct operator_act *act, struct errinfo *e);

/* Ends the hold. With a waiting version it becomes the served one; otherwise only the hold goes. Of
 * a zone that is not held, the newest version that waits for its time is served now. ERR_CONFLICT
 * if there is neither. */
MUST_USE enum err operate_release(struct commit_job **job, struct history *h,
                                  const struct store_zone *row, const struct operator_act *act,
                                  struct errinfo *e);

/* The same, by the zone's rule, of which `why` says what came true. What waits must pass the guards
 * first, since no operator has looked at it: ERR_CHECK if it does not. *verdict says what they
 * found. */
MUST_USE enum err operate_release_by_rule(struct commit_job **job, struct guard_verdict *verdict,
                                          struct history *h, const struct store_zone *row,
                                          const struct guard_spec *guards, const char *why,
                                          struct errinfo *e);

/* A zone of our own from a zone file's text: made, or brought to this content, under a serial as
 * `wish` says. `row` is the present row, or one with id 0 and the name for a zone that is new.
 * ERR_FORMAT with file:line:column; ERR_CHECK; ERR_SERIAL; ERR_CONFLICT if the zone comes from
 * primaries; ERR_EXISTS if nothing would change. */
MUST_USE enum err operate_import(struct commit_job **job, struct history *h,
                                 const struct store_zone *row, const char *file_name,
                                 const char *text, size_t len, const struct import_wish *wish,
                                 const struct zone_limits *limits, const struct operator_act *act,
                                 struct errinfo *e);

/* The quarantined version becomes the served one. ERR_CONFLICT if there is none, or if the zone is
 * held: then release decides. */
MUST_USE enum err operate_approve(struct commit_job **job, struct history *h,
                                  const struct store_zone *row, const struct operator_act *act,
                                  struct errinfo *e);
/* The quarantined version is not asked about any more; the old one stays until the primary has
 * another one that the guards let through. ERR_CONFLICT if there is none. */
MUST_USE enum err operate_reject(struct commit_job **job, const struct store_zone *row,
                                 const struct operator_act *act, struct errinfo *e);

/* No version that waits for its time now is served; the next one from the primary waits as ever.
 * ERR_CONFLICT if none does. */
MUST_USE enum err operate_reject_staged(struct commit_job **job, const struct store_zone *row,
                                        const struct operator_act *act, struct errinfo *e);

/* The zone is not served any more; content and history stay, and so do its account and where it
 * came from. ERR_CONFLICT if that is so already, or if the configuration or a catalog has the zone:
 * it would come back from there. */
MUST_USE enum err operate_remove(struct commit_job **job, const struct store_zone *row,
                                 const struct operator_act *act, struct errinfo *e);

/* A removed zone is served again: with the content it had, or (`spec` is not "") with that of an
 * older version, under a serial and with a hold as in operate_rollback. A zone from primaries may
 * be served for its SOA's whole time of expiry from now on, whatever its primaries say. Errors:
 * history_find's; ERR_CONFLICT if the zone is not removed, or went with the configuration or with
 * a catalog.
 */
MUST_USE enum err operate_undelete(struct commit_job **job, struct history *h,
                                   const struct store_zone *row, const char *spec,
                                   const struct operator_act *act, struct errinfo *e);

#endif
