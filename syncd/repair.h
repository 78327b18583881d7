/* Mending the journal: what it has lost, and the store still knows, is made again, with the ids
 * that it had; the rest is copied from another repository, or is named and marked as lost.
 *
 * 1. Each pack is read. Damaged ones go aside, their good objects into a new one.
 * 2. Each version is looked at: its commit and all that hangs off it. One that is not whole is
 *    copied, or made again of its row in the store and a content that is still to be had: its tree,
 *    if only the commit is gone; its change set, on the version before; the pages and the change
 *    log.
 * 3. A version that cannot be had is marked in the store. Where history breaks off, git is told.
 *    Only if the present version itself cannot be made under its old id (the node has another name
 *    since, or another key) does it get a new one, so that the history goes on.
 * 4. Refs are set from the store.
 *
 * In the journal's thread, with its handles; replication goes on meanwhile, and the log of changes
 * waits.
 */
#ifndef ZL_SYNCD_REPAIR_H
#define ZL_SYNCD_REPAIR_H

#include "journal/repair.h"
#include "syncd/commit.h"

#define REPAIR_LOST_MAX 10000 /* that are listed; all are counted, and marked in the store */

struct repair_env {
    struct journal *journal; /* the writer's handle, which signs as it does now */
    struct store *store;     /* a reader */
    struct committer *committer;
    const struct journal_key *key; /* that signs now; NULL: none */
};

struct repair_wish {
    const uint8_t *zone; /* NULL: all of them */
    bool dry_run;
    const char *from; /* a repository on this machine with what others may still have; NULL: none */
};

struct repair_lost {
    char *zone;
    uint64_t version, seq;
    struct serial serial;
    struct wall at;
    char *why;
};

struct repair_report {
    char **damaged; /* packs, with their first damaged object */
    size_t damaged_count, damaged_cap;
    struct journal_salvage packs;
    uint64_t zones, versions; /* looked at */
    uint64_t again;           /* versions that were made again of what the store knows */
    uint64_t copied;          /* ... from another repository */
    uint64_t renewed;         /* present versions that got another id */
    uint64_t refs;
    uint64_t cuts; /* commits that have no parent here */
    uint64_t lost_count;
    struct repair_lost *lost;
    size_t lost_listed, lost_cap;
};
void repair_report_free(struct repair_report *r);

/* ERR_NOT_FOUND (no such zone), ERR_LIMIT, ERR_BUSY, ERR_IO. What was mended before an error stays
 * so. */
MUST_USE enum err repair_run(struct repair_report *out, const struct repair_env *env,
                             const struct repair_wish *wish, struct errinfo *e);

#endif
