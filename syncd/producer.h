/* The catalog zones that we make (RFC 9432): zones of our own whose content is which zones are
 * here. A zone whose section says `catalog` is listed in that one once it has content, until it is
 * removed.
 *
 *   committed, reloaded ─▶ zones to look at ─▶ a short wait ─▶ pool: producer_plan ─▶ commits
 *
 * What is listed, and under which label, stands in the catalog zones alone; at start, after a
 * reload and whenever somebody else has changed one of them, all zones are compared with them.
 * Between those, only zones that something happened to are. All that comes within the short wait is
 * one new version. One round of work at a time. Loop thread only.
 */
#ifndef ZL_SYNCD_PRODUCER_H
#define ZL_SYNCD_PRODUCER_H

#include "lib/store/store_readers.h"
#include "syncd/commit.h"
#include "syncd/replicate.h"
#include "syncd/zone_cache.h"

struct producer;

struct producer_ops {
    void *ctx;
    struct loop *loop;
    struct zone_cache *cache;
    struct store_readers *readers; /* lent */

    void (*commit)(void *ctx, struct commit_job *job); /* as commit_submit */
    /* As replicator_zone and replicator_each_zone. */
    bool (*zone)(void *ctx, const uint8_t *zone, struct replicator_zone *out);
    void (*each_zone)(void *ctx, replicator_zone_fn *f, void *arg);
    /* A catalog is committed; `row` is as stored now. */
    void (*changed)(void *ctx, const struct store_zone *row);
};

/* *ops is copied; takes a reference. All catalogs are looked at soon. */
struct producer *producer_new(const struct producer_ops *ops, struct config *config);
/* What is not committed yet is forgotten: the next start finds it. */
void producer_free(struct producer *p);
/* After the replicator has taken the new configuration. */
void producer_reload(struct producer *p, struct config *config);

/* These jobs are committed (see commit_hint_fn): zones may have come and gone. */
void producer_committed(struct producer *p, const struct commit_job *jobs);
/* Something else about a zone (lower case) has changed: its section, say. */
void producer_touch(struct producer *p, const uint8_t *zone);

#endif
