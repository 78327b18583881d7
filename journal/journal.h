/* The journal: the truth of then. One bare git repository, a branch a zone, a commit a version.
 * docs/journal-format.md states the format to the octet: two nodes that hold the same zone compute
 * the same tree id, the zone's *content id*.
 *
 * A library without threads, sockets or SQL. All writing goes through one struct journal owned by
 * one thread (but for the merging of packs, below); any number of other handles on the same path
 * may read, each owned by one thread at a time.
 *
 * Durability: when journal_write returns OK, the pack, its index and the directory are on disk
 * (fsync). Refs are derived: the caller keeps each tip in the store, and sets refs from it.
 */
#ifndef ZL_JOURNAL_JOURNAL_H
#define ZL_JOURNAL_JOURNAL_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/base/bytes.h"
#include "lib/base/clock.h"
#include "lib/base/err.h"
#include "lib/zone/changeset.h"
#include "lib/zone/zone.h"

struct journal;

#define JOURNAL_OID_BYTES 20
#define JOURNAL_HEX_MAX 41
#define JOURNAL_REF_MAX 256

struct journal_oid {
    uint8_t id[JOURNAL_OID_BYTES]; /* zeros: none */
};

void journal_oid_hex(char out[JOURNAL_HEX_MAX], const struct journal_oid *oid);
bool journal_oid_read(struct journal_oid *out, const char *hex); /* 40 digits, lower case */
bool journal_oid_is_none(const struct journal_oid *oid);

/* Creates (bare, gc.auto=0) or opens the repository at `path`. A writer also sweeps temporary
 * files, stale locks and indexes without packs, and every handle checks the trailer of each pack
 * index before it is used. `node` is the committer's name. User and system git configuration is
 * ignored. Errors: ERR_IO, ERR_CORRUPT; ERR_BUSY if another process writes to it (its pid in the
 * text), whatever its store is. */
MUST_USE enum err journal_open(struct journal **out, const char *path, const char *node,
                               bool writer, struct errinfo *e);
void journal_close(struct journal *j);

/* Is the repository as the writer left it? Cost: a few looks at the file system. */
enum journal_look {
    JOURNAL_SAME,
    JOURNAL_CHANGED, /* packs went, or are not what they were, by nobody of ours: have a closer look
                      */
    JOURNAL_GONE,    /* it, or what makes it a repository: close it, and open it anew */
};
enum journal_look journal_look(struct journal *j);

/* The full ref name of a zone, "refs/heads/...", escaped as docs/journal-format.md says. */
void journal_ref_name(char out[JOURNAL_REF_MAX], const uint8_t *zone);
/* The zone that a ref stands for; false for hashed and foreign refs. */
bool journal_ref_zone(uint8_t zone[NAME_MAX_OCTETS], const char *ref);

/* One version to record. All pointers are lent for the call. */
struct journal_entry {
    const uint8_t *zone;
    struct journal_oid parent;       /* the previous version's commit, or none */
    int parent_entry;                /* >= 0: the parent is this earlier entry of the same call */
    const struct changeset *changes; /* against the parent's content; NULL for a first version */
    const struct zone *content;      /* needed without a parent; otherwise may be NULL */
    bool has_from;
    bool waiting;     /* fetched while held */
    bool quarantined; /* waiting, since a guard did not let it through */
    struct serial from, to;
    bool ours; /* `to` is of our own series; at the primaries it is ... */
    struct serial theirs;
    uint64_t seq;
    uint64_t version;
    uint64_t added, removed; /* records, for the subject */
    struct wall at;
    const char *origin; /* "axfr" ... */
    const char *who;    /* author: primary or operator */
    const char *source; /* these may be "" and may hold any octets: they are made safe */
    const char *key;
    const char *transport;
    const char *reason;

    struct journal_oid commit;     /* out */
    struct journal_oid content_id; /* out: the tree */
};

/* Writes all entries as one pack. The same entry always makes the same ids, and objects that are
 * there already are not written again, so that a replay after a crash is harmless. No ref moves.
 * An entry with `content` never fails for its parent: if that is damaged, the version is written as
 * a whole; if its commit is missing, history is cut there (logged, and told to git). Cost: in
 * proportion to the changes. Errors: ERR_LIMIT (the disk is full: try later), ERR_BUSY (the
 * directory is gone, or cannot be written: the same), ERR_IO (do not retry), ERR_CORRUPT (a parent
 * is damaged or missing; names the zone), ERR_CONFLICT (a change set doesn't fit its parent),
 * ERR_CHECK (libgit2 takes an object for a SHA-1 collision attack). */
MUST_USE enum err journal_write(struct journal *j, struct journal_entry *entries, size_t n,
                                struct errinfo *e);

/* The served versions of a zone are one line of commits; versions fetched while it is held hang off
 * it on a line of their own, so that a commit's parent is always the content it was made from. */
enum journal_line {
    LINE_SERVED,     /* refs/heads/<zone> */
    LINE_WAITING,    /* refs/waiting/<zone> */
    LINE_QUARANTINE, /* refs/quarantine/<zone>: versions that a guard did not let through */
};

/* Points the zone's ref at a commit, whatever was there (also a corrupt ref). ERR_NOT_FOUND if the
 * commit isn't in the journal. */
MUST_USE enum err journal_ref_set(struct journal *j, enum journal_line line, const uint8_t *zone,
                                  const struct journal_oid *commit, struct errinfo *e);
/* ERR_NOT_FOUND, ERR_CORRUPT. */
MUST_USE enum err journal_ref_get(struct journal *j, enum journal_line line, const uint8_t *zone,
                                  struct journal_oid *out, struct errinfo *e);

/* A waiting line that ends without being continued is kept at a ref of its own: nothing else would
 * name its commits in a clone. The name is refs/zoneledger/waiting/<zone>/v<version>. */
MUST_USE enum err journal_ref_keep(struct journal *j, const uint8_t *zone, uint64_t version,
                                   const struct journal_oid *commit, struct errinfo *e);

/* All refs whose names start so ("refs/heads/"), in no particular order. */
typedef enum err journal_ref_fn(void *ctx, const char *ref, const struct journal_oid *commit,
                                struct errinfo *e);
MUST_USE enum err journal_ref_each(struct journal *j, const char *prefix, journal_ref_fn *f,
                                   void *ctx, struct errinfo *e);

/* True if the commit and its tree are in the object database. */
bool journal_has(struct journal *j, const struct journal_oid *commit);

/* The content of a commit. ERR_NOT_FOUND, ERR_CORRUPT. */
MUST_USE enum err journal_zone_load(struct zone **out, struct journal *j, const uint8_t *zone,
                                    const struct journal_oid *commit, struct errinfo *e);

/* What leads from one commit's content to another's; equal subtrees are skipped. `from` may be
 * none: everything is added. */
MUST_USE enum err journal_diff(struct changeset **out, struct journal *j, const uint8_t *zone,
                               const struct journal_oid *from, const struct journal_oid *to,
                               struct errinfo *e);

/* The same for the records of one owner (NULL: of all). Cost: the parts that it is in, not the
 * zone.
 */
MUST_USE enum err journal_diff_owner(struct changeset **out, struct journal *j, const uint8_t *zone,
                                     const uint8_t *owner, const struct journal_oid *from,
                                     const struct journal_oid *to, struct errinfo *e);

/* What a commit says of itself. */
struct journal_commit {
    struct journal_oid commit, parent, content_id;
    struct wall at;
    bool has_from;
    struct serial from, to;
    bool ours; /* `to` is of a series of the node's own; at the primaries it is ... */
    struct serial theirs;
    uint64_t seq;
    uint64_t version;
    uint64_t added, removed; /* records, as the subject has them */
    bool waiting, quarantined;
    char author[128];
    char origin[32];
    char source[256];
    char key[256];
    char transport[16];
    char reason[512];
    char subject[512];
};
MUST_USE enum err journal_commit_get(struct journal *j, const struct journal_oid *commit,
                                     struct journal_commit *out, struct errinfo *e);
/* The same, and whose version it is. */
MUST_USE enum err journal_commit_zone(struct journal *j, const struct journal_oid *commit,
                                      struct journal_commit *out, uint8_t zone[NAME_MAX_OCTETS],
                                      struct errinfo *e);

/* The content id that a zone has, without writing anything. Cost: the whole zone. */
MUST_USE enum err journal_content_id(struct journal_oid *out, const struct zone *z,
                                     struct errinfo *e);

/* Packs that git fetched become like ours: guarded by .keep files. */
MUST_USE enum err journal_adopt_packs(struct journal *j, struct errinfo *e);

/* Merging small packs into larger ones, geometrically and with deltas, in two steps. The long one
 * makes the new pack, durable and checked to hold all that the old ones do. It may run in any
 * thread with a reading handle of its own, one at a time, while the writer writes. The short one is
 * the writer's: the old packs go, if the new one is there. Either may be left out, or end in a
 * crash, at any point.
 *
 * `stop` (NULL: never) is asked now and then, and ends it with ERR_CLOSED and nothing done. *out is
 * NULL if there is nothing to do. _finish frees it. */
struct journal_merge;
typedef bool journal_stop_fn(void *ctx);
MUST_USE enum err journal_merge_make(struct journal_merge **out, struct journal *j,
                                     journal_stop_fn *stop, void *ctx, struct errinfo *e);
MUST_USE enum err journal_merge_finish(struct journal *j, struct journal_merge *m,
                                       struct errinfo *e);
/* The short step in pieces, for a writer that has others waiting: at most `max` of the old packs
 * go. *done when none is left; then, or on an error, journal_merge_free it. */
MUST_USE enum err journal_merge_some(struct journal *j, struct journal_merge *m, size_t max,
                                     bool *done, struct errinfo *e);
/* It came from journal_thin_make. */
bool journal_merge_thins(const struct journal_merge *m);
void journal_merge_free(struct journal_merge *m);

/* Both, in the writer's thread. OK when there is nothing to do. */
MUST_USE enum err journal_repack(struct journal *j, struct errinfo *e);

/* For status. */
struct journal_stats {
    uint64_t packs;
    uint64_t pack_bytes;
};
MUST_USE enum err journal_stats(struct journal *j, struct journal_stats *out, struct errinfo *e);

#endif
