/* UPDATEs (RFC 2136) on their way, from authd's hand-over to the answer: who may, in whose turn,
 * and the commit. Those of one zone are done one after the other, in the order in which they came;
 * the work is done in a thread of the pool, on the newest version. The answer says that the change
 * is durable. Loop thread only.
 *
 *   message ─▶ signature, policy ─▶ queue of its zone ─▶ pool: update_apply ─▶ commit ─▶ answer
 *                                        ▲                                      │ somebody else has
 *                                        └──────────────────────────────────────┘ changed the zone
 */
#ifndef ZL_SYNCD_UPDATES_H
#define ZL_SYNCD_UPDATES_H

#include "lib/store/store_readers.h"
#include "syncd/commit.h"
#include "syncd/front.h"
#include "syncd/keyring.h"
#include "syncd/loop.h"
#include "syncd/zone_cache.h"

#define UPDATES_MAX 1000 /* on their way; more are answered with SERVFAIL */
#define UPDATES_PER_ZONE_MAX 100

struct updates;

struct updates_ops {
    void *ctx;
    struct loop *loop;
    struct zone_cache *cache;
    struct store_readers *readers; /* lent */

    void (*commit)(void *ctx, struct commit_job *job); /* as commit_submit */
    /* A promise of the answer to the message that is looked at (front_later). */
    struct front_later *(*later)(void *ctx);
    /* The zone's row as it is known; false: there is none. */
    bool (*row)(void *ctx, const uint8_t *zone, struct store_zone *out);
    /* Its section of the configuration, which must live until updates_reload. */
    const struct config_zone *(*section)(void *ctx, const uint8_t *zone);
    /* A change is committed; `row` is as stored now. */
    void (*changed)(void *ctx, const struct store_zone *row);
};

/* *ops is copied; takes references. */
struct updates *updates_new(const struct updates_ops *ops, struct config *config,
                            struct keyring *keys);
/* No more are taken: what waits, and what comes, is answered with SERVFAIL, and what is being
 * committed with what comes of it; so nobody is told that a change failed which is there after the
 * next start. True if there is none of these; else `over` is called when the last one is. */
bool updates_close(struct updates *u, loop_fn *over, void *ctx);
/* What is not committed yet is forgotten. Before the loop, after the front. */
void updates_free(struct updates *u);
void updates_reload(struct updates *u, struct config *config, struct keyring *keys);

/* Answers an UPDATE, now (appended to `reply`) or later. */
void updates_message(struct updates *u, const struct ho_frame *m, struct buf *reply);

#endif
