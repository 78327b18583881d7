/* Holds that end by themselves: `until newer than SERIAL`, and by time.
 *
 *    a commit to a zone with a rule, a timer, the start ──▶ look (pool: which zones, what waits)
 *         ──▶ which rules have come true ──▶ each (pool): guards, job ──▶ commit
 *
 * The rules stand in the rows of the store, so a crash at any moment loses none, and each start
 * judges them all. What a rule would serve has been looked at by nobody: it must pass the zone's
 * guards, its command too. If it does not, the zone stays held, the log says why, once a version;
 * the next version that waits is judged anew, and an operator may release at any time.
 *
 * Time: `until` is of the wall clock, and is turned into a moment of the monotonic one when the
 * rule is first seen: a wall clock that is set while this process runs neither shortens nor
 * prolongs a hold. A start has nothing but the wall clock to go by.
 *
 * Cost of a look: the zones that are held by a rule. Loop thread only.
 */
#ifndef ZL_SYNCD_HOLD_RULES_H
#define ZL_SYNCD_HOLD_RULES_H

#include "lib/base/config.h"
#include "lib/store/store_readers.h"
#include "syncd/commit.h"
#include "syncd/guard_command.h"
#include "syncd/loop.h"
#include "syncd/zone_cache.h"

struct hold_rules_ops {
    void *ctx;
    struct loop *loop;
    struct store_readers *readers; /* lent, as the next one */
    struct zone_cache *cache;
    void (*commit)(void *ctx, struct commit_job *job);                    /* takes it over */
    struct guard_commands *commands;                                      /* lent; NULL: none */
    struct config *(*config)(void *ctx);                                  /* in force; lent */
    const struct config_zone *(*section)(void *ctx, const uint8_t *zone); /* or NULL */
    void (*changed)(void *ctx, const struct store_zone *row);             /* it was released */
};

struct hold_rules;

struct hold_rules *hold_rules_new(const struct hold_rules_ops *ops);
void hold_rules_free(struct hold_rules *h); /* NULL is fine; what runs in the pool ends alone */

/* Jobs that were just done (linked by next, lent). */
void hold_rules_committed(struct hold_rules *h, const struct commit_job *jobs);
/* Judges all rules. */
void hold_rules_look(struct hold_rules *h);

/* Pure: has the rule of this row come true? Fills `why` with what did, in words. `waiting` NULL:
 * nothing waits. `due`: the time has come. */
#define HOLD_RULE_WHY_MAX 96
bool hold_rule_true(char why[HOLD_RULE_WHY_MAX], const struct store_zone *row,
                    const struct serial *waiting, bool due);

#endif
