/* The store: the truth of now. One SQLite database in WAL mode; docs/design.md has the rules that
 * keep it whole.
 *
 * Exactly one connection in the world writes and checkpoints: the one from store_open_writer, which
 * holds the lock file. All others come from store_open_reader: read-only, never a checkpoint, no
 * mmap. A struct store belongs to one thread at a time; none may be carried over a fork. In the
 * writer's process the writer is opened before any reader (they share the -shm file's descriptor),
 * and nothing else may open the database file at all: closing it would drop SQLite's locks.
 *
 * A failed fsync or other I/O error of a commit is never retried: ERR_IO from a writing function
 * means "stop this process and recover from the disk at the next start", and the connection writes
 * nothing any more. ERR_LIMIT means that the disk is full: the transaction is rolled back, and may
 * be tried again later.
 */
#ifndef ZL_STORE_STORE_H
#define ZL_STORE_STORE_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/base/bytes.h"
#include "lib/base/clock.h"
#include "lib/base/err.h"
#include "lib/base/serial.h"
#include "lib/zone/changeset.h"
#include "lib/zone/zone.h"

struct store;

#define STORE_OID_BYTES 20 /* a git object id */
#define STORE_FILE_MAX 512 /* a path with its NUL */

enum zone_kind {
    ZONE_LOCAL = 1,     /* we own its serial: import, later UPDATE and API */
    ZONE_SECONDARY = 2, /* it comes from primaries */
};

/* Where the zone was declared; only its owner may take it away. */
enum zone_source {
    SOURCE_CONFIG = 1,
    SOURCE_OPERATOR = 2,
    SOURCE_AUTOPRIMARY = 3,
    SOURCE_CATALOG = 4,
};

/* One row of `zone`. A plain struct, owns nothing. Wall times are 0 where there is none. */
struct store_zone {
    int64_t id; /* given by the store */
    uint8_t name[NAME_MAX_OCTETS];
    enum zone_kind kind;
    enum zone_source source;
    char account[64];
    uint8_t catalog[NAME_MAX_OCTETS]; /* that lists the zone; the root name: none. Its own name: it
                                         is a catalog, and answered only to who may transfer it */
    uint8_t member[64];               /* its label there: the first octet is the length; 0: none */
    uint8_t nameserver[NAME_MAX_OCTETS]; /* of the autoprimary row that brought it; root: none */
    char file[STORE_FILE_MAX]; /* of a watched directory, that the zone is read from; "": none */

    bool has_content;     /* a version is stored and served */
    struct serial serial; /* of the served version */
    bool ours; /* that is of a series of our own (syncd/series.h), and at the primaries the */
    struct serial theirs;  /* same content has this one; taken when content is put, as `serial` */
    uint64_t version;      /* number of the served version */
    uint64_t last_version; /* highest number given out for this zone (waiting ones included) */
    uint64_t seq;          /* change that made the served version */
    uint64_t records;
    uint8_t tip_oid[STORE_OID_BYTES]; /* newest journaled commit of the zone; zeros: none */

    bool expired; /* authd answers SERVFAIL */
    bool removed; /* not served; history kept */

    bool held;             /* newer versions from the primary are not served */
    uint64_t held_version; /* the version whose content is held */
    struct wall held_at;
    char held_by[64];
    char held_reason[256];
    bool hold_has_serial; /* until a version waits whose serial is newer than this, ... */
    struct serial hold_serial;
    struct wall hold_until; /* ... or until then, whichever comes first; 0: neither */

    /* The newest version that our guards did not let through, waiting for an operator: it counts
     * as long as no newer one is served (store_zone_is_quarantined). */
    uint64_t quarantine_version; /* 0: none */
    struct wall quarantine_at;
    char quarantine_reason[256];
    bool quarantine_rejected; /* an operator has said no to it */

    /* The newest version that passed all guards and waits for its time, as long as no newer one is
     * served (store_zone_is_staged). Given by the store. */
    uint64_t staged_version; /* 0: none */
    bool staged_rejected;    /* an operator has said no to it, and to those before it */

    /* Replication state, so that timers outlive restarts. */
    bool has_primary_serial;
    struct serial primary_serial; /* last one seen at a primary */
    struct wall last_check;       /* last probe that got an answer */
    struct wall last_success;     /* last probe or transfer that proved us current */
    struct wall next_check;
    struct wall expires_at;     /* unless it is held */
    uint64_t renewal;           /* grows when expires_at or held changes; given by the store */
    uint32_t failures;          /* in a row */
    struct wall unserved_since; /* all its primaries say that they do not serve it, since then */
    bool orphan;                /* ... for so long that it is called an orphan */
    char last_error[512];
    char last_primary[128];
};

static inline bool store_zone_is_quarantined(const struct store_zone *z)
{
    return z->quarantine_version > z->version && !z->quarantine_rejected;
}

static inline bool store_zone_is_staged(const struct store_zone *z)
{
    return z->staged_version > z->version && !z->staged_rejected;
}

/* It is held, and will be released by itself. */
static inline bool store_zone_has_rule(const struct store_zone *z)
{
    return z->held && (z->hold_has_serial || z->hold_until.s != 0);
}

/* The serial that the served content has where it comes from. */
static inline struct serial store_zone_theirs(const struct store_zone *z)
{
    return z->ours ? z->theirs : z->serial;
}

static inline bool store_zone_is_catalog(const struct store_zone *z)
{
    return !name_is_root(z->catalog) && name_eq(z->catalog, z->name);
}

/* Who changed what, from where, by which key, why: goes into change log and journal. */
enum origin_kind {
    ORIGIN_AXFR = 1,
    ORIGIN_IXFR,
    ORIGIN_IMPORT,
    ORIGIN_ROLLBACK,
    ORIGIN_RELEASE,
    ORIGIN_UPDATE,
    ORIGIN_API,
    ORIGIN_CATALOG,
    ORIGIN_REMOVE,   /* same content, but not served any more */
    ORIGIN_UNDELETE, /* served again */
};

struct origin {
    enum origin_kind kind;
    char who[128];      /* "192.0.2.1@53", or the operator's user name */
    char source[256];   /* primary's name, file name, "v12" */
    char key[256];      /* TSIG key name, never a secret; "" if none */
    char transport[16]; /* "tcp", "udp", "tls", "unix" */
    char reason[512];   /* the operator's words */
};

const char *origin_name(enum origin_kind kind); /* "axfr", "import" ... */

enum change_kind {
    CHANGE_INITIAL = 1, /* from nothing: the content is in the pages, no change set is stored */
    CHANGE_DELTA = 2,   /* a change set */
    CHANGE_STATE = 3,   /* no content: the zone row changed (expired, revived, held, removed ...) */
};

/* One row of `change`, as read. */
struct store_change {
    uint64_t seq;
    int64_t zone_id;
    uint8_t zone[NAME_MAX_OCTETS];
    enum change_kind kind;
    bool has_from;
    struct serial from;
    struct serial to;
    bool ours; /* `to` is our own; at the primaries it is ... */
    struct serial theirs;
    uint64_t version; /* that it makes; 0 for CHANGE_STATE */
    bool waiting;     /* fetched while the zone is held: journaled, not served */
    bool quarantined; /* waiting, since a guard did not let it through */
    struct wall at;
    struct origin origin;
    bool big; /* many records, and many of its version's: reading the content costs less */
    struct changeset *changes; /* NULL unless CHANGE_DELTA, and if big; owned by this struct */
    uint64_t added, removed;   /* records */
    bool journaled;
    uint8_t oid[STORE_OID_BYTES];
};
void store_change_done(struct store_change *c); /* frees what it owns */

/* One row of `version`: every version ever. */
struct store_version {
    uint64_t version;
    uint64_t seq;
    bool has_from;
    struct serial from;
    struct serial serial;
    bool ours; /* the serial is our own; at the primaries it is ... */
    struct serial theirs;
    struct wall at;
    struct origin origin;
    uint64_t added, removed; /* records */
    uint64_t records;        /* in the zone then */
    bool waiting;            /* was not served when it came ... */
    bool quarantined;        /* ... since a guard did not let it through */
    bool thinned;            /* its content is kept no more: journal/thin.h */
    bool journaled;
    bool lost; /* the journal has its commit or its content no more */
    uint8_t oid[STORE_OID_BYTES];
    uint8_t content_oid[STORE_OID_BYTES]; /* the tree: the content id */
};

/* ---- Opening ---- */

/* Creates or opens DIR/zoneledger.db; takes DIR/lock (ERR_BUSY if another syncd has it, its pid in
 * the text); migrates the schema; quick_check. A newer schema than ours is ERR_UNSUPPORTED. */
MUST_USE enum err store_open_writer(struct store **out, const char *dir, struct errinfo *e);
/* Read permission on the directory and the three files is enough, also while no syncd runs.
 * ERR_NOT_FOUND while no syncd has made the database, its -wal and -shm files and this schema: try
 * again. ERR_UNSUPPORTED if the schema is newer. ERR_DENIED without the permission. */
MUST_USE enum err store_open_reader(struct store **out, const char *dir, struct errinfo *e);
void store_close(struct store *s);

/* ---- Reading (either kind of connection) ---- */

/* Several reads of one moment; calls nest. Keep it short: a reader must never pin the WAL. Any
 * function that reads may give ERR_BUSY when syncd died in the middle of an update of the WAL's
 * index: it comes right when syncd is back. */
MUST_USE enum err store_read_begin(struct store *s, struct errinfo *e);
void store_read_end(struct store *s);

MUST_USE enum err store_zone_get(struct store *s, const uint8_t *name, struct store_zone *out,
                                 struct errinfo *e); /* ERR_NOT_FOUND */
MUST_USE enum err store_zone_get_id(struct store *s, int64_t id, struct store_zone *out,
                                    struct errinfo *e);
typedef enum err store_zone_fn(void *ctx, const struct store_zone *z, struct errinfo *e);
MUST_USE enum err store_zone_each(struct store *s, store_zone_fn *f, void *ctx, struct errinfo *e);
/* In order of id those that serve an old version: held, or with a newer one that is quarantined,
 * rejected or not. */
MUST_USE enum err store_zone_each_aside(struct store *s, store_zone_fn *f, void *ctx,
                                        struct errinfo *e);
/* The zones that are held by a rule (store_zone_has_rule). Cost: those that are held. */
MUST_USE enum err store_zone_ruled_each(struct store *s, store_zone_fn *f, void *ctx,
                                        struct errinfo *e);

/* The zones with a renewal > after, in that order, at most `max`: what a reader must look at who
 * knows of all zones when each may expire. No zone has the number of another. */
MUST_USE enum err store_renewal_each(struct store *s, uint64_t after, uint32_t max,
                                     store_zone_fn *f, void *ctx, struct errinfo *e);

/* The served content as it is now (or in this snapshot), which may be newer than *z; every page is
 * checked. ERR_NOT_FOUND, ERR_CORRUPT. */
MUST_USE enum err store_zone_load(struct zone **out, struct store *s, const struct store_zone *z,
                                  struct errinfo *e);
/* The SOA of the served content, at the cost of one page: its RDATA is appended. Errors as above.
 */
MUST_USE enum err store_zone_soa(struct buf *rdata, uint32_t *ttl, struct store *s,
                                 const struct store_zone *z, struct errinfo *e);
/* Of the served content the one page in which `owner` is, if it is there at all: a zone with some
 * of the owners around it, in which zone_find finds it. Errors as above. */
MUST_USE enum err store_zone_part(struct zone **out, struct store *s, const struct store_zone *z,
                                  const uint8_t *owner, struct errinfo *e);
/* The newest version fetched while the zone is held: served content with the waiting changes
 * applied. ERR_NOT_FOUND if nothing waits. */
MUST_USE enum err store_zone_load_waiting(struct zone **out, struct store *s,
                                          const struct store_zone *z, struct errinfo *e);
/* Content of a version whose following changes are all in the log still: worked back from the
 * served content. For the journal's drain after a crash. ERR_NOT_FOUND if they were pruned. */
MUST_USE enum err store_zone_load_version(struct zone **out, struct store *s,
                                          const struct store_zone *z, uint64_t version,
                                          struct errinfo *e);

/* One condensed change set from a version that was served to the one that is served now, joined
 * from the change log: the cost is the changes', not the zone's. ERR_NOT_FOUND if the log does not
 * reach back to it, or if it weighs more than max_bytes. */
MUST_USE enum err store_changes_since(struct changeset **out, struct store *s,
                                      const struct store_zone *z, uint64_t version,
                                      uint64_t max_bytes, struct errinfo *e);

/* Last seq (0: none) and the first from which the log is complete (last + 1 if it is empty). Who
 * has seen less than first - 1 must read the zones again. */
MUST_USE enum err store_seq(struct store *s, uint64_t *last, uint64_t *first, struct errinfo *e);

/* Calls f for changes with seq > after, in order, at most `max`. The struct is lent. A big change
 * comes without its change set. */
typedef enum err store_change_fn(void *ctx, const struct store_change *c, struct errinfo *e);
MUST_USE enum err store_change_each(struct store *s, uint64_t after, uint32_t max,
                                    store_change_fn *f, void *ctx, struct errinfo *e);
/* The same for changes that the journal has not recorded (CHANGE_STATE never counts). */
MUST_USE enum err store_unjournaled_each(struct store *s, uint32_t max, store_change_fn *f,
                                         void *ctx, struct errinfo *e);
MUST_USE enum err store_unjournaled_count(struct store *s, uint64_t *n, struct errinfo *e);

typedef enum err store_version_fn(void *ctx, const struct store_version *v, struct errinfo *e);
/* Newest first, numbers below `before` (0: from the newest), at most max. */
MUST_USE enum err store_version_each(struct store *s, int64_t zone_id, uint64_t before,
                                     uint32_t max, store_version_fn *f, void *ctx,
                                     struct errinfo *e);
/* Of all zones, by the changes that made them: newest first, seq below `before` (0: from the
 * newest), at most max. f may read other things of the store. */
typedef enum err store_version_all_fn(void *ctx, int64_t zone_id, const struct store_version *v,
                                      struct errinfo *e);
MUST_USE enum err store_version_all_each(struct store *s, uint64_t before, uint32_t max,
                                         store_version_all_fn *f, void *ctx, struct errinfo *e);
/* Numbers of the zone's versions that changed records of this owner and type (0: of any; the SOA's
 * changes are not in the index); newest first, below `before` (0: from the newest), at most max.
 * Not `sure`: it may not have; its change must be looked at. Cost: what is found, however long the
 * history; and the changes of the owner's other types on the way. */
typedef enum err store_touched_fn(void *ctx, uint64_t version, bool sure, struct errinfo *e);
MUST_USE enum err store_touched_each(struct store *s, int64_t zone_id, const uint8_t *owner,
                                     uint16_t type, uint64_t before, uint32_t max,
                                     store_touched_fn *f, void *ctx, struct errinfo *e);
MUST_USE enum err store_version_get(struct store *s, int64_t zone_id, uint64_t version,
                                    struct store_version *out, struct errinfo *e);
/* The newest version that waits, or was kept aside, behind what is served. ERR_NOT_FOUND. */
MUST_USE enum err store_version_newest_waiting(struct store *s, const struct store_zone *z,
                                               struct store_version *out, struct errinfo *e);
/* The newest version with this serial / the newest made at or before this time and not waiting /
 * the one whose commit id starts with these hex digits. ERR_NOT_FOUND; ERR_CONFLICT if a prefix
 * fits several. */
MUST_USE enum err store_version_by_serial(struct store *s, int64_t zone_id, struct serial serial,
                                          struct store_version *out, struct errinfo *e);
MUST_USE enum err store_version_by_time(struct store *s, int64_t zone_id, struct wall at,
                                        struct store_version *out, struct errinfo *e);
MUST_USE enum err store_version_by_oid(struct store *s, int64_t zone_id, const char *hex,
                                       struct store_version *out, struct errinfo *e);

/* How many versions are marked as lost. */
MUST_USE enum err store_lost_count(struct store *s, uint64_t *n, struct errinfo *e);
/* The oldest version behind this one that was served and is not thinned. ERR_NOT_FOUND. */
MUST_USE enum err store_version_kept_after(struct store *s, int64_t zone_id, uint64_t version,
                                           struct store_version *out, struct errinfo *e);
/* The commit ids of all thinned versions, in no particular order. */
typedef enum err store_thinned_fn(void *ctx, const uint8_t oid[STORE_OID_BYTES], struct errinfo *e);
MUST_USE enum err store_thinned_each(struct store *s, store_thinned_fn *f, void *ctx,
                                     struct errinfo *e);

/* The versions newer than what is served that wait for their time, or did when they were rejected;
 * oldest first. `since` is by the monotonic clock then, which a reboot has begin anew. Any kind of
 * connection. */
struct store_staged {
    uint64_t version;
    struct serial serial;
    struct mono since;
};
typedef void store_staged_fn(void *ctx, const struct store_staged *v);
MUST_USE enum err store_staged_each(struct store *s, const struct store_zone *z, store_staged_fn *f,
                                    void *ctx, struct errinfo *e);

/* How many versions were made by changes behind this one, and when the first of them was made (0 if
 * there is none). */
MUST_USE enum err store_versions_behind(struct store *s, uint64_t seq, uint64_t *n,
                                        struct wall *since, struct errinfo *e);

/* ---- Writing (the writer's connection only) ---- */

/* One transaction (BEGIN IMMEDIATE); many changes may go into one (group commit). */
MUST_USE enum err store_begin(struct store *s, struct errinfo *e);
MUST_USE enum err store_commit(struct store *s, struct errinfo *e); /* durable when it returns */
void store_rollback(struct store *s); /* fine when no transaction runs */

/* A part of a transaction that can fail alone (SAVEPOINT). */
MUST_USE enum err store_part_begin(struct store *s, struct errinfo *e);
MUST_USE enum err store_part_end(struct store *s, bool keep, struct errinfo *e);

/* Inserts or updates the row with this name; *z is then the row as stored. No change row. What the
 * served content is (serial, version, last_version, seq, records, tip_oid) is not taken from *z:
 * copies of a row grow old. */
MUST_USE enum err store_zone_put(struct store *s, struct store_zone *z, struct errinfo *e);
/* Only the replication state (primary serial, checks, failures, last error). No change row. */
MUST_USE enum err store_zone_put_state(struct store *s, const struct store_zone *z,
                                       struct errinfo *e);
/* The zone row and a CHANGE_STATE row, so that authd looks at it. */
MUST_USE enum err store_zone_put_served(struct store *s, struct store_zone *z, struct wall at,
                                        uint64_t *seq, struct errinfo *e);

/* The one way served content changes: pages, zone row, version row, change row. `old_zone` is the
 * served content, `new_zone` the next, `cs` what leads from one to the other; for a first version
 * old_zone and cs are NULL (a cs without `from` will do too). The row must be there (z->id); its
 * other columns are taken from *z as in store_zone_put, but expired becomes false. *z is then the
 * row as stored. A change set that is nearly the whole content is not kept, if the journal has all
 * versions before it and none waits: content before it is ERR_NOT_FOUND from then on.
 * Errors: ERR_CONFLICT if the stored row is not at z->version any more, or cs does not lead from
 * there to new_zone; ERR_LIMIT; ERR_IO. */
MUST_USE enum err store_change_put(struct store *s, struct store_zone *z,
                                   const struct zone *old_zone, const struct zone *new_zone,
                                   const struct changeset *cs, const struct origin *origin,
                                   struct wall at, uint64_t *seq, struct errinfo *e);

/* A version fetched while the zone is held, or one that a guard did not let through (for the reason
 * in its origin; the row says so from then on): a waiting change row (against the newest waiting
 * version, or the served one) and a version row; the served content stays. */
MUST_USE enum err store_waiting_put(struct store *s, struct store_zone *z,
                                    const struct zone *new_zone, const struct changeset *cs,
                                    const struct origin *origin, struct wall at, bool quarantined,
                                    uint64_t *seq, struct errinfo *e);

/* Behind store_waiting_put: the version that it made waits for its time, since then. *z is then the
 * row as stored, as in the next. */
MUST_USE enum err store_staged_put(struct store *s, struct store_zone *z, uint64_t version,
                                   struct mono since, struct errinfo *e);
/* None that waits for its time now is served when that comes. */
MUST_USE enum err store_staged_reject(struct store *s, struct store_zone *z, struct errinfo *e);

/* A version with the content of the one before it: what happened is that the zone was taken away,
 * or brought back (origin->kind is ORIGIN_REMOVE or ORIGIN_UNDELETE, and z->removed says it too).
 * The row's columns are taken from *z as in store_zone_put. A zone without content gets a change of
 * state alone. ERR_CONFLICT as in store_change_put. */
MUST_USE enum err store_mark_put(struct store *s, struct store_zone *z, const struct origin *origin,
                                 struct wall at, uint64_t *seq, struct errinfo *e);

/* After the journal made its commits durable: the ids into version and zone rows, in any order; the
 * zone's tip only moves forward. ERR_NOT_FOUND. */
MUST_USE enum err store_journaled_put(struct store *s, uint64_t seq,
                                      const uint8_t oid[STORE_OID_BYTES],
                                      const uint8_t content_oid[STORE_OID_BYTES],
                                      struct errinfo *e);

/* Marks a version as one that the journal has lost, or has again. */
MUST_USE enum err store_lost_put(struct store *s, int64_t zone_id, uint64_t version, bool lost,
                                 struct errinfo *e);
/* The journal's record has the version (journal_thin_record), so its content may go. ERR_NOT_FOUND.
 */
MUST_USE enum err store_thinned_put(struct store *s, int64_t zone_id, uint64_t version,
                                    struct errinfo *e);

/* Drops the oldest change rows until what stays weighs at most max_bytes (each row its change set
 * and 64 octets); never one that is not journaled. What a waiting version needs is kept, but counts
 * as dropped from the log: only store_zone_load_waiting and _version still find it. */
MUST_USE enum err store_prune(struct store *s, uint64_t max_bytes, uint64_t *dropped,
                              struct errinfo *e);

/* A checkpoint on the writer's connection, PASSIVE, or TRUNCATE when the log has grown large. */
MUST_USE enum err store_checkpoint(struct store *s, struct errinfo *e);

/* Key and value pairs: node name, format versions. Values are text. ERR_NOT_FOUND. */
MUST_USE enum err store_meta_get(struct store *s, const char *key, struct buf *value,
                                 struct errinfo *e);
MUST_USE enum err store_meta_put(struct store *s, const char *key, const char *value,
                                 struct errinfo *e);

/* ---- Autoprimaries that an operator added ---- */

/* One row of `autoprimary`: whoever speaks from `ip` may bring zones with `nameserver` among their
 * NS records. Rows of one nameserver and account belong together: each address is a primary of
 * their zones, and the limits are the same in all of them. */
struct store_autoprimary {
    char ip[64]; /* ADDRESS, or ADDRESS@PORT */
    uint8_t nameserver[NAME_MAX_OCTETS];
    char account[64];
    char key[256]; /* TSIG key's name; "": none */
    uint32_t zones_max, zones_per_hour;
    char suffixes[1024]; /* names with a space between; "": any zone */
    struct wall added_at;
    char added_by[64];
    bool retired; /* brings no zones any more, but is a primary of those it brought */
};

typedef enum err store_autoprimary_fn(void *ctx, const struct store_autoprimary *a,
                                      struct errinfo *e);
/* In the order of nameserver, account, ip. */
MUST_USE enum err store_autoprimary_each(struct store *s, store_autoprimary_fn *f, void *ctx,
                                         struct errinfo *e);
/* Adds a row; the limits hold for all rows of this nameserver and account from now on. ERR_EXISTS
 * if there is one with this ip and nameserver that is not retired. Writer only. */
MUST_USE enum err store_autoprimary_put(struct store *s, const struct store_autoprimary *a,
                                        struct errinfo *e);
/* The row is gone, or retired while there are zones that came by it. ERR_NOT_FOUND. Writer only. */
MUST_USE enum err store_autoprimary_remove(struct store *s, const char *ip,
                                           const uint8_t *nameserver, struct errinfo *e);

/* ---- What operators did ---- */

struct store_act {
    uint64_t id; /* grows */
    struct wall at;
    char who[64];
    char action[64]; /* the verb of zonectl */
    bool has_zone;
    uint8_t zone[NAME_MAX_OCTETS];
    char detail[512]; /* what it was given: "to=v3" */
    char reason[512];
    uint64_t version; /* of the zone that it made; 0: none */
};
typedef enum err store_act_fn(void *ctx, const struct store_act *a, struct errinfo *e);
/* Newest first, ids below `before` (0: from the newest), at most max. */
MUST_USE enum err store_act_each(struct store *s, uint64_t before, uint32_t max, store_act_fn *f,
                                 void *ctx, struct errinfo *e);
/* Adds one (its id is not looked at); very old ones go. Writer only. */
MUST_USE enum err store_act_put(struct store *s, const struct store_act *a, struct errinfo *e);

/* ---- Checking (zonectl verify) ---- */

typedef void store_fault_fn(void *ctx, const uint8_t *zone /* or NULL */, bool data_lost,
                            const char *text);
/* integrity_check, foreign keys, chains of versions and changes, pages, zone checks; calls f for
 * each fault. */
MUST_USE enum err store_verify(struct store *s, store_fault_fn *f, void *ctx, struct errinfo *e);

#endif
