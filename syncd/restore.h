/* Makes a node's store anew from its history, offline: `syncd --restore FROM`, which is what
 * `zonectl journal restore` runs. FROM is a repository that the history was pushed to, or a clone;
 * without it the journal that is in the data directory is taken.
 *
 * The store must have no zones, and it is all or nothing: one transaction. Versions, their numbers,
 * commits and the numbers of changes are as they were, so the history goes on where it ended.
 */
#ifndef ZL_SYNCD_RESTORE_H
#define ZL_SYNCD_RESTORE_H

#include "journal/journal.h"
#include "lib/base/config.h"
#include "lib/dns/namemap.h"
#include "lib/store/store.h"

struct restore_report {
    uint64_t zones, removed, held, versions, waiting;
    uint64_t missing; /* versions that the repository does not name any more */
    uint64_t last_seq;
};

/* `from` may be NULL. ERR_EXISTS (the store, or with `from` the journal, is not empty), ERR_BUSY
 * (syncd runs), ERR_CORRUPT, ERR_IO. */
MUST_USE enum err restore_run(struct restore_report *out, const struct config *c, const char *from,
                              struct errinfo *e);

/* Files that root makes could not be written by syncd's own user: who is root becomes the owner of
 * the directory. */
MUST_USE enum err restore_become_owner(const char *dir, struct errinfo *e);

/* ---- restore_zone.c ---- */

struct restore {
    const struct config *config;
    struct namemap sections; /* name -> struct config_zone, of zones with primaries */
    struct journal *journal;
    struct store *store; /* a writer, in a transaction */
    struct wall now;
    struct restore_report report;

    struct restore_ref *kept; /* older waiting lines, sorted by `ref` */
    size_t kept_count, kept_cap;
};

struct restore_ref {
    char *ref;
    struct journal_oid commit;
};

/* One zone, of which `tip` is the newest served version. */
MUST_USE enum err restore_zone(struct restore *r, const char *ref, const struct journal_oid *tip,
                               struct errinfo *e);

#endif
