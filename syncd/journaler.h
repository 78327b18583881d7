/* The journal thread: drains the store's change log into the journal. What a crash leaves undone
 * is found in the store at the next start, and the same change makes the same commit.
 *
 * The served versions of a zone are one line, refs/heads/<zone>. Versions fetched while the zone
 * is held hang off it on refs/waiting/<zone>, each a child of the content it was made from.
 */
#ifndef ZL_SYNCD_JOURNALER_H
#define ZL_SYNCD_JOURNALER_H

#include "lib/base/config.h"
#include "syncd/commit.h"
#include "syncd/repair.h"
#include "syncd/signing.h"
#include "syncd/thinner.h"

struct journaler;

/* Opens DATA_DIR/journal.git, mends refs from the store, starts the thread, which drains at once.
 * A journal that cannot be opened, is removed while it runs, or turns out to be damaged is not the
 * end: it is tried again, made anew, or repaired from the store. ERR_BUSY if another process writes
 * to it.
 * `signing` (NULL: none) is lent until journaler_stop. `config` (NULL: defaults) says how the
 * history is signed, and so does journaler_configure after a reload (any thread). */
MUST_USE enum err journaler_start(struct journaler **out, struct committer *committer,
                                  const char *data_dir, const char *node, struct signing *signing,
                                  const struct config *config, struct errinfo *e);
void journaler_configure(struct journaler *j, const struct config *config);
/* Drains what is there (unless it fails), then stops. */
void journaler_stop(struct journaler *j);

/* Thins these zones' histories, soon (thinner.h). Takes the wish over. Any thread. */
void journaler_thin(struct journaler *j, struct thin_wish *wish);

/* There may be something to drain. Any thread. */
void journaler_wake(struct journaler *j);

/* A repair that an operator has asked for (repair.h): done by the journal thread, in its turn. */
struct journaler_repair {
    struct repair_wish wish;                  /* what it points to lives until `done` */
    void (*done)(struct journaler_repair *q); /* in the journal thread; `q` is the caller's again */
    void *ctx;

    enum err rc; /* out */
    struct errinfo error;
    struct repair_report report;

    struct journaler_repair *next;
};
/* Any thread. */
void journaler_repair(struct journaler *j, struct journaler_repair *q);

struct journaler_status {
    struct thinner_status thinning;
    uint64_t written;  /* commits since the start */
    uint64_t seq;      /* all versions made by changes up to this one have commits and refs */
    uint64_t settling; /* versions that have commits in the store, and refs in a moment */
    uint64_t lost;     /* versions that are marked as lost; as of the last look, seconds ago */
    uint64_t packs, pack_bytes;
    uint64_t checkpoint; /* number of the newest; 0: none */
    uint64_t uncovered;  /* versions that wait for the next one, about */
    bool failing;
    char last_error[ERR_TEXT_MAX];
};
/* Any thread. */
void journaler_status(struct journaler *j, struct journaler_status *out);

#endif
