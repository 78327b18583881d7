/* The secondary's work for all zones: schedules, probes, transfers, NOTIFY, and what they commit.
 *
 * It makes and removes the rows of zones that the configuration names, keeps a copy of each row,
 * and decides with refresh.h and sched.h. What touches the world goes through struct
 * replicator_ops, so that tests drive it with scripted peers and scripted time.
 * Loop thread only.
 */
#ifndef ZL_SYNCD_REPLICATE_H
#define ZL_SYNCD_REPLICATE_H

#include "lib/base/config.h"
#include "lib/net/handover.h"
#include "syncd/catalog_read.h"
#include "syncd/commit.h"
#include "syncd/keyring.h"
#include "syncd/notify_in.h"
#include "syncd/nsquery.h"
#include "syncd/probe.h"
#include "syncd/publish.h"
#include "syncd/sched.h"
#include "syncd/xfrin.h"
#include "syncd/zone_row.h"

struct replicator;

/* Where the newest version that came from a primary is from. */
struct replicator_fetched {
    struct serial serial;
    char primary[sizeof(((struct origin *)NULL)->source)]; /* by its name then */
};

/* The world, as functions. Handles are opaque; results come later, never from within the call. */
struct replicator_ops {
    void *ctx;
    const struct clock *clock;

    void *(*probe)(void *ctx, const struct probe_spec *spec, probe_done_fn *done, void *arg);
    void (*probe_cancel)(void *ctx, void *handle);
    void *(*transfer)(void *ctx, const struct xfrin_spec *spec, const struct xfrin_events *events,
                      void *arg);
    void (*transfer_cancel)(void *ctx, void *handle);
    void *(*nsquery)(void *ctx, const struct nsquery_spec *spec, nsquery_done_fn *done, void *arg);
    void (*nsquery_cancel)(void *ctx, void *handle);
    /* Reads what a catalog says: `content` (a reference is taken), or what the store has. */
    void *(*catalog)(void *ctx, const struct store_zone *row, struct zone *content,
                     catalog_done_fn *done, void *arg);
    void (*catalog_cancel)(void *ctx, void *handle);
    void (*commit)(void *ctx, struct commit_job *job); /* as commit_submit */
    /* An increment led to `z`, which is served since change `seq`; NULL: nobody wants to know. */
    void (*keep)(void *ctx, struct zone *z, uint64_t seq);

    /* Another section holds for a zone (lower case) now, without a reload; NULL: nobody wants to
     * know. */
    void (*section_changed)(void *section_ctx, const uint8_t *zone);
    void *section_ctx;

    /* replicator_run must be called at `at`, or before. Replaces the time given before. */
    void (*alarm)(void *ctx, struct mono at);

    /* All rows of the store. */
    enum err (*rows)(void *ctx, store_zone_fn *f, void *arg, struct errinfo *e);
    /* As store_staged_each. NULL, as publish: there are none. */
    enum err (*staged)(void *ctx, const struct store_zone *row, store_staged_fn *f, void *arg,
                       struct errinfo *e);
    /* As publish_start. */
    void (*publish)(void *ctx, const struct publish_spec *spec, publish_done_fn *done, void *arg);
    /* The newest version that came from a primary. ERR_NOT_FOUND. */
    enum err (*fetched)(void *ctx, const struct store_zone *row, struct replicator_fetched *out,
                        struct errinfo *e);
};

/* Reads all rows, and submits what the configuration (config_check passed it) changes about them.
 * Takes references to config and keys; *ops is copied. */
MUST_USE enum err replicator_new(struct replicator **out, const struct replicator_ops *ops,
                                 struct config *config, struct keyring *keys, struct errinfo *e);
/* Ends all work; what was submitted is still committed. State not yet stored is submitted. */
void replicator_free(struct replicator *r);

/* A new configuration (config_check passed it): zones come and go, work with primaries that changed
 * begins anew. */
void replicator_reload(struct replicator *r, struct config *config, struct keyring *keys);

/* Does what is due. Called by whoever implements ops->alarm. */
void replicator_run(struct replicator *r);

/* Answers a message handed over by authd (front_message_fn): NOTIFY, signed queries; UPDATE is
 * NOTIMP. Nothing is appended to `reply` if none shall be sent. */
void replicator_message(struct replicator *r, const struct ho_frame *message, struct buf *reply);
/* The NOTIFY part of it. */
void replicator_notify(struct replicator *r, const struct ho_frame *message, struct buf *reply);

/* Asks the primaries now / fetches the zone whatever the serial. ERR_NOT_FOUND, ERR_CONFLICT (the
 * zone has no primaries here). */
MUST_USE enum err replicator_refresh(struct replicator *r, const uint8_t *zone, struct errinfo *e);
MUST_USE enum err replicator_retransfer(struct replicator *r, const uint8_t *zone,
                                        struct errinfo *e);

/* An operator's change to the zone is committed; `row` is as stored now. */
void replicator_row_changed(struct replicator *r, const struct store_zone *row);

/* Takes away a zone that came by itself (its source is an autoprimary or a catalog). Its history
 * gets a version with the content it has and this origin, whose kind becomes ORIGIN_REMOVE: `who`
 * did it (an operator, the primary's address), `source` is by what (a catalog's name), `reason` in
 * words. The row keeps account, catalog and primary, the content stays in the store, and an
 * undelete brings all of it back. Its place in its autoprimary's zones-max is free again. Returns
 * before it is stored: what fails then is logged, and the zone stays; ask again. Once is enough
 * while it is on its way. ERR_NOT_FOUND if it is not here, or removed already; ERR_CONFLICT if it
 * stands in the configuration, was imported, or is in its catalog still. */
MUST_USE enum err replicator_remove(struct replicator *r, const uint8_t *zone,
                                    const struct origin *origin, struct errinfo *e);

/* How many zones are marked as orphans: none of their primaries serves them. */
size_t replicator_orphans(const struct replicator *r);

/* The row as the replicator knows it, with state that may not be stored yet. ERR_NOT_FOUND. */
MUST_USE enum err replicator_row(struct replicator *r, const uint8_t *zone, struct store_zone *out,
                                 struct errinfo *e);

/* The section of the configuration that holds for a zone (folded name), whether it is here or not:
 * its own, or its autoprimary's. Lent until the next reload; NULL: none. */
const struct config_zone *replicator_section(const struct replicator *r, const uint8_t *zone);

/* ---- Autoprimaries ---- */

/* What a NOTIFY for the zone from this address, signed with this key (index into config.keys, -1:
 * unsigned), would do: each rule in its order, up to the first that refuses. Its sender is asked
 * for the zone's nameservers, as a NOTIFY would have it; nothing is changed. */
enum why_verdict { WHY_REFUSED, WHY_REFRESH, WHY_PROVISION };

#define WHY_STEPS_MAX 12

struct why_step {
    const char *rule; /* "4.1": docs/operator.md */
    const char *what; /* one word for it */
    bool passed;
    char text[ERR_TEXT_MAX];
};

struct why_report {
    enum why_verdict verdict;
    struct why_step steps[WHY_STEPS_MAX];
    size_t count;
    char account[64]; /* of WHY_PROVISION */
};

/* Called once, perhaps from within replicator_why. */
typedef void replicator_why_fn(void *ctx, const struct why_report *report);
void replicator_why(struct replicator *r, const uint8_t *zone, const struct addr *source, int key,
                    replicator_why_fn *done, void *ctx);

/* All sections in force, those of the file first: how many zones are there from each, and how many
 * of them came in this hour. Lent for the call. */
typedef void replicator_autoprimary_fn(void *ctx, const struct config *c,
                                       const struct config_autoprimary *a, uint32_t zones,
                                       uint32_t in_hour);
void replicator_autoprimaries(const struct replicator *r, replicator_autoprimary_fn *f, void *ctx);

/* One zone, lent; cheap to look at. */
struct replicator_zone {
    const struct zone_row *row;
    const struct config_zone *section; /* as replicator_section */
};
/* False if it is not known at all. */
bool replicator_zone(const struct replicator *r, const uint8_t *zone, struct replicator_zone *out);
/* All of them, in no order. */
typedef void replicator_zone_fn(void *ctx, const struct replicator_zone *zone);
void replicator_each_zone(const struct replicator *r, replicator_zone_fn *f, void *ctx);

struct replicator_status {
    struct store_zone row;
    bool configured;     /* it has primaries here */
    const char *doing;   /* "waiting", "probe queued", "probing", "transfer queued",
                            "transferring", "committing" */
    const char *primary; /* name of the one it works with, or NULL */
    bool quarantined;    /* a primary has a version that our checks refused */
    bool serial_back;    /* all primaries that answer are behind us */
};
MUST_USE enum err replicator_status(struct replicator *r, const uint8_t *zone,
                                    struct replicator_status *out, struct errinfo *e);

/* What comes next for a secondary zone, for a person: "SOA query to hidden-1, 192.0.2.1@53 in 3 min
 * 20 s". "" if nothing does. */
void replicator_next(const struct replicator *r, const uint8_t *zone, char *out, size_t room);

/* All zones, in no order. */
typedef void replicator_status_fn(void *ctx, const struct replicator_status *status);
void replicator_each(struct replicator *r, replicator_status_fn *f, void *ctx);

/* ---- Numbers ---- */

/* Since the start. */
struct replicator_counts {
    uint64_t transfers[2][TRANSFER_OUTCOMES]; /* whole zones, increments */
    uint64_t octets;                          /* of all of them */
    uint64_t faults[XFRIN_FAULTS];            /* of those that failed or were refused */
    uint64_t fallbacks[XFRIN_FAULTS];  /* increments that could not be used: the whole zone next */
    uint64_t datagrams[DATAGRAM_ENDS]; /* increments asked for by UDP */
    uint64_t probes[PROBE_OUTCOMES];
    uint64_t notifies[NOTIFY_VERDICTS];
    uint64_t notifies_limited; /* over what one source may send */
};
const struct replicator_counts *replicator_counts(const struct replicator *r);
/* What waits and what runs now. */
void replicator_queues(const struct replicator *r, struct sched_counts *out);

/* One primary's, since the start or since it is configured. */
struct primary_numbers {
    uint64_t probes, probes_failed, transfers, transfers_failed, octets;
    uint64_t fallbacks;        /* its increments could not be used */
    uint64_t failures;         /* in a row, of any zone: it gave no answer */
    uint32_t last_ms;          /* that the last probe took */
    struct wall last_answer;   /* 0: never */
    struct wall failing_since; /* 0: it is not */
    char *last_error;          /* or NULL */
    struct mono ask_again;     /* while it is silent: by one zone that has others to ask */
};
/* All primaries of the configuration, in its order; `zones` have it among theirs. Cost: all zones.
 */
typedef void replicator_primary_fn(void *ctx, const struct config_primary *p,
                                   const struct primary_numbers *n, size_t zones);
void replicator_each_primary(struct replicator *r, replicator_primary_fn *f, void *ctx);

/* ---- Catalogs (RFC 9432) ---- */

struct replicator_catalog {
    uint8_t name[NAME_MAX_OCTETS];
    const struct config_catalog *config; /* lent until the next reload */
    size_t members;                      /* in its list */
    size_t zones;                        /* that are its own here, those that go included */
    size_t refused;    /* members that somebody else has, or that a rule refuses */
    size_t going;      /* zones that it does not have any more */
    bool braked;       /* they wait for the operator */
    bool read;         /* some version of it could be read */
    const char *error; /* why the newest one could not, or NULL */
};
typedef void replicator_catalog_fn(void *ctx, const struct replicator_catalog *catalog);
void replicator_each_catalog(struct replicator *r, replicator_catalog_fn *f, void *ctx);

enum replicator_member { MEMBER_SERVED, MEMBER_COMING, MEMBER_REFUSED, MEMBER_GOING };
/* All members of a catalog, and its zones that go; `why` unless "" says why one is refused.
 * ERR_NOT_FOUND. */
typedef void replicator_member_fn(void *ctx, const uint8_t *zone, enum replicator_member state,
                                  const char *why);
MUST_USE enum err replicator_each_member(struct replicator *r, const uint8_t *catalog,
                                         replicator_member_fn *f, void *ctx, struct errinfo *e);

/* OK if the zone is this catalog's, or could be; else the rule that keeps it from being so. */
MUST_USE enum err replicator_catalog_why(struct replicator *r, const uint8_t *catalog,
                                         const uint8_t *zone, struct errinfo *e);

/* The zones that wait to be removed may go. ERR_NOT_FOUND; ERR_CONFLICT: none waits. */
MUST_USE enum err replicator_catalog_approve(struct replicator *r, const uint8_t *catalog,
                                             size_t *removed, struct errinfo *e);

/* ---- The real world (replicate_net.c) ---- */

struct replicator_net;

/* Probes and transfers by sockets, commits by the committer, rows from the store (readers, cache
 * and commands are lent; the latter may be NULL). */
struct replicator_net *replicator_net_new(struct replicator_ops *ops, struct loop *loop,
                                          struct committer *committer,
                                          struct store_readers *readers, struct zone_cache *cache,
                                          struct guard_commands *commands);
/* After replicator_new, before the loop runs. */
void replicator_net_attach(struct replicator_net *n, struct replicator *r);
/* After replicator_free. */
void replicator_net_free(struct replicator_net *n);

#endif
