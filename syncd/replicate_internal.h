/* What the parts of the replicator share:
 *   replicate.c          the table of zones, and what others ask of it
 *   replicate_config.c   which zones there are: configuration against rows
 *   replicate_run.c      from plans to work, and from results to plans
 *   replicate_commit.c   what goes to the store
 *   replicate_provision.c  zones that appear by themselves
 *   replicate_stage.c    versions that wait for their time
 *   replicate_remove.c   and go again
 *   replicate_catalog.c  zones that come and go with catalogs
 *   replicate_owner.c    whose they are
 *   replicate_why.c      what would make them appear
 *   replicate_numbers.c  what operators count
 *   replicate_next.c     what comes next, in words
 *   replicate_net.c      the real world
 */
#ifndef ZL_SYNCD_REPLICATE_INTERNAL_H
#define ZL_SYNCD_REPLICATE_INTERNAL_H

#include "lib/base/log.h"
#include "lib/zone/catalog.h"
#include "syncd/autoprimary.h"
#include "syncd/notify_in.h"
#include "syncd/replicate.h"
#include "syncd/stage.h"
#include "syncd/zone_row.h"

struct zone_list {
    struct zone_entry *head, *tail;
};

/* Of a zone that has, or had, versions that wait for their time. */
struct zone_stage {
    struct stage_list list;
    bool publishing; /* one is on its way to be served: */
    struct publication result;
    struct mono rest_since; /* of what waits on behind it */
    struct mono retry_at;   /* not before, after trouble */
};

/* One zone. Lives as long as the replicator. */
struct zone_entry {
    struct sched_task task; /* first, so that a task is its zone */
    struct replicator *replicator;
    struct zone_entry *next; /* in the hash bucket */

    struct zone_row row;
    const struct config_zone *section; /* its own, or its autoprimary's; NULL: none */
    const struct config_zone *config;  /* the same, if it has primaries here */
    unsigned generation;               /* of the configuration that last named it */
    struct catalog_state *owner;       /* the catalog that it shall be of; NULL: none */
    bool going;      /* the owner does not have it any more; it waits in `going` */
    bool unwanted;   /* its owner took it away */
    bool fetch_anew; /* being fetched whatever the serial; then its label changes */

    bool scheduled; /* `refresh` is in use */
    struct refresh refresh;
    struct refresh_plan plan;
    void *probe, *transfer;     /* handles of what runs */
    struct soundness sound;     /* the newest version that was */
    bool committing;            /* a transfer's result is on its way to the store ... */
    struct commit_wait *commit; /* ... for the present schedule, if this is there */

    struct zone_stage *stage; /* NULL: none */
    bool expiring;            /* the store is being told that the zone has expired */
    bool row_busy;            /* a row job is queued or on its way */
    struct zone_entry *next_row;
    bool orphan;            /* counted among the replicator's */
    struct origin *removal; /* it is being removed, for this reason; NULL: it is not */
    bool dirty;             /* state that is not stored yet */
    struct zone_entry *next_dirty;
};

/* A zone that was announced, while its primary is asked for its nameservers. */
struct provision {
    struct replicator *replicator;
    struct announcement announcement;
    struct tls_identity *identity; /* of it; NULL: none */
    int primary;                   /* to be asked, index into config.primaries */
    void *nsquery;                 /* NULL: waits for its turn */
    struct provision *next;
};

/* A catalog that is configured, or was; lives as long as the replicator. */
struct catalog_state {
    struct replicator *replicator;
    struct catalog_state *next;
    uint8_t name[NAME_MAX_OCTETS];       /* folded */
    const struct config_catalog *config; /* NULL: not configured now */
    struct catalog *list;                /* of the newest version that could be read; NULL: none */
    void *loading;                       /* handle of what reads it */
    bool again;                          /* it changed while it was read */
    char *error;                         /* why the last version could not be read, or NULL */
    size_t zones;                        /* whose owner it is */
    size_t refused, told;                /* members that it does not get; said in the log */

    struct zone_entry **going; /* not in the list any more, and not removed yet */
    size_t going_count, going_cap;
    bool braked;                 /* they wait for the operator */
    struct mono hour;            /* its beginning */
    size_t had, removed_in_hour; /* zones then, and those that went since */
};

/* How many zones came from one section. */
struct section_state {
    uint32_t zones;
    struct mono hour; /* its beginning */
    uint32_t in_hour;
};

/* What is said of a transfer in the log, however it ends. */
struct transfer_facts {
    bool incremental;      /* changes came, or were asked for where nothing came */
    const char *transport; /* "udp", "tcp", "tls" */
    const char *reason;    /* of a failure, in one word; NULL: nothing is wrong */
    uint64_t sequences, messages, records, octets;
    uint32_t ms;
};

/* A commit on its way; outlives the replicator if need be. */
struct commit_wait {
    struct replicator *replicator; /* NULL: it is gone */
    struct zone_entry *zone;
    struct commit_wait *prev, *next;

    struct transfer_report report; /* of the transfer that this commits */
    struct transfer_facts facts;
    uint64_t duplicates;
    bool sound;              /* by DNSSEC, ... */
    struct wall sound_until; /* ... with signatures that are good so long */
    bool revive;             /* the second step for a held zone that had expired */
};

struct replicator {
    struct replicator_ops ops;
    struct config *config;
    unsigned generation; /* counts configurations */
    struct keyring *keys;
    struct sched *sched;
    struct notify_limiter *limiter;
    struct token_bucket warnings; /* about refused NOTIFYs */
    uint8_t hash_key[16];

    struct zone_entry **buckets;
    size_t bucket_count, zone_count;

    struct catalog_state *catalogs;
    struct replicator_counts counts;
    struct primary_numbers *primaries; /* of config.primaries */
    size_t primary_count;
    struct section_state *sections; /* of config.autoprimaries */
    struct provision *provisions;   /* oldest first */
    unsigned provision_count, provisions_asking;
    struct why *whys; /* questions on their way */

    struct zone_list rows; /* wait for their row job */
    unsigned rows_under_way;
    struct zone_list dirty;
    struct mono flush_at;      /* while `dirty` isn't empty */
    struct commit_wait *waits; /* all under way */
    size_t orphans;
    size_t doubtful; /* zones that had expired by the wall clock at start */
    bool stopping;
};

static inline struct mono replicate_now(const struct replicator *r)
{
    return clock_mono(r->ops.clock);
}

/* ---- replicate.c ---- */

struct zone_entry *replicate_find(const struct replicator *r, const uint8_t *zone);
/* A new entry for this row. */
struct zone_entry *replicate_add(struct replicator *r, const struct store_zone *row);

/* ---- replicate_config.c ---- */

/* Makes `config` the replicator's, gives each entry its part of it, and makes entries for new
 * zones. */
void replicate_configure(struct replicator *r, struct config *config);
/* Gives a zone that is read from a file, and has no section, that of its directory. */
void replicate_directory(struct zone_entry *z);
/* Whether the stored row is as the configuration wants it. */
bool replicate_row_fits(const struct zone_entry *z);

/* The zone is configured as this section, of the configuration in force; `old` is the one before,
 * while one is changed, else NULL. */
void replicate_give(struct zone_entry *z, const struct config *old, const struct config_zone *cz);
/* Nothing configures the zone any more. */
void replicate_take(struct zone_entry *z);

/* ---- replicate_numbers.c ---- */

/* A new configuration is in force. */
void replicate_numbers_configure(struct replicator *r, const struct config *old);
void replicate_numbers_free(struct replicator *r);
/* Which of the zone's primaries (bit i: primary i) give no zone an answer just now. */
uint64_t replicate_silent(const struct replicator *r, const struct zone_entry *z);
/* This one is asked all the same: nobody else needs to find out for a while. */
void replicate_scout(struct replicator *r, const struct config_primary *p);
void replicate_count_probe(struct replicator *r, const struct config_primary *p,
                           const struct probe_report *report);
void replicate_count_transfer(struct replicator *r, const struct config_primary *p,
                              const struct xfrin_result *result);

/* ---- replicate_catalog.c ---- */

/* The zones that catalogs own: as the configuration in force says; `old` is the one before. */
void replicate_give_catalogs(struct replicator *r, const struct config *old);
void replicate_catalogs_free(struct replicator *r);
/* The catalog's served content is another one now: `content` (lent), or what the store has. */
void replicate_catalog_changed(struct catalog_state *c, struct zone *content);
/* The catalog that this zone is, or NULL. */
struct catalog_state *replicate_catalog_of(const struct zone_entry *z);

/* ---- replicate_owner.c ---- */

struct catalog_state *replicate_catalog_find(const struct replicator *r, const uint8_t *name);
/* Does its list have the zone? Fills *m. */
bool replicate_catalog_lists(const struct catalog_state *c, const uint8_t *zone,
                             struct catalog_member *m);
/* May the zone be this catalog's, if it is nobody else's? */
enum err replicate_catalog_admits(const struct catalog_state *c, const struct catalog_member *m,
                                  struct errinfo *e);
/* ERR_CONFLICT if it is somebody's whom no catalog may take it from. `z` may be NULL. */
enum err replicate_of_others(const struct zone_entry *z, struct errinfo *e);
void replicate_set_owner(struct zone_entry *z, struct catalog_state *c);
/* Gives the zone to whom it belongs. `old`: the configuration before, while one is changed. */
void replicate_settle_owner(struct replicator *r, const uint8_t *zone, const struct config *old);
/* If the member is not this catalog's: counts it, and says why. */
void replicate_count_refused(struct catalog_state *c, const uint8_t *zone);
void replicate_log_member(enum log_level level, const char *sentence, const struct catalog_state *c,
                          const uint8_t *zone, const char *error);
/* Whether the row says who owns the zone. */
bool replicate_owner_fits(const struct zone_entry *z);
/* Has the row say so. */
void replicate_owner_row(struct store_zone *row, const struct zone_entry *z);
/* The transfer for which `fetch_anew` stood is over. */
void replicate_fetched_anew(struct zone_entry *z);
/* The zone was removed; if a catalog came to want it meanwhile, it comes back. */
void replicate_wanted_again(struct zone_entry *z);

/* ---- replicate_provision.c ---- */

/* The section that gave us this zone, or NULL. */
const struct config_autoprimary *replicate_autoprimary(const struct zone_entry *z);
/* As notify_env.may_appear. */
enum err replicate_may_appear(void *replicator, const uint8_t *zone,
                              const struct access_client *who, struct errinfo *e);
/* A NOTIFY for a zone that may appear. */
void replicate_announced(struct replicator *r, const uint8_t *zone,
                         const struct access_client *who);
/* Whether there is room for one more zone of this section, an index into config.autoprimaries.
 * ERR_LIMIT. */
MUST_USE enum err replicate_section_room(const struct replicator *r, int section,
                                         struct errinfo *e);
/* A new configuration is in force instead of `old` (NULL: none was): counts anew, stops asking. */
void replicate_provision_reset(struct replicator *r, const struct config *old);
/* And so are its keys: what was announced is judged by it, and asked for again. */
void replicate_provision_again(struct replicator *r);
void replicate_provision_free(struct replicator *r);

/* ---- replicate_remove.c ---- */

/* The zone's row says since now that it is removed: nobody looks after it any more. */
void replicate_gone(struct zone_entry *z);
/* After a round: is it an orphan, not one any more, or one for too long? */
void replicate_look_orphan(struct zone_entry *z);
/* The row has just been read, or stored: it counts among the orphans, or does not. */
void replicate_count_orphan(struct zone_entry *z);
/* ... and since now that it is there again: its autoprimary's section holds for it. */
void replicate_back(struct zone_entry *z);

/* ---- replicate_stage.c ---- */

/* Whether a version waits for its time. */
bool replicate_is_staged(const struct zone_entry *z);
/* The serial of the newest one that does, or did when it was rejected; false: there is none. */
bool replicate_staged_serial(struct zone_entry *z, struct serial *out);
/* This one does since now. */
void replicate_staged(struct zone_entry *z, uint64_t version, struct serial serial,
                      struct mono since);
/* The one whose time is over first, and when, whatever keeps it from being served; NULL: none. */
const struct store_staged *replicate_stage_next(const struct zone_entry *z, struct mono *at);
/* When replicate_stage_run must be called; false: nothing is to come by itself. */
bool replicate_stage_alarm(const struct zone_entry *z, struct mono *at);
/* Publishes what is due. */
void replicate_stage_run(struct zone_entry *z);
/* After a reload: they may wait for longer, or less long. */
void replicate_stages_again(struct replicator *r);
void replicate_stage_free(struct zone_entry *z);

/* ---- replicate_why.c ---- */

/* Ends all questions on their way. */
void replicate_why_end(struct replicator *r, const char *reason);

/* ---- replicate_run.c ---- */

/* Begins, or begins anew, to look after a zone whose row fits. */
void replicate_schedule(struct zone_entry *z);
/* Ends it; what runs is cancelled. */
void replicate_unschedule(struct zone_entry *z);
/* The next moment to look at it is another one, perhaps. */
void replicate_alarm(struct zone_entry *z);
/* Does what the plan says. */
void replicate_follow(struct zone_entry *z, struct refresh_plan plan);
/* Starts what may start, and sets the alarm. At the end of every way in. */
void replicate_settle(struct replicator *r);
/* The transfer is over, its result committed or not. */
void replicate_transferred(struct zone_entry *z, const struct transfer_report *report,
                           const struct transfer_facts *facts, const char *error);
struct transfer_facts replicate_facts(const struct xfrin_result *result);
/* How it is reached by TLS, lent; NULL: without. */
struct tls_peer *replicate_tls(const struct replicator *r, const struct config_primary *p);
const struct config_primary *replicate_primary(const struct zone_entry *z, unsigned index);
/* The serial that primaries are compared with. */
bool replicate_newest(const struct zone_entry *z, struct serial *out);

/* ---- replicate_commit.c ---- */

/* What a transfer brought; takes the zones and changes out of *result. */
void replicate_commit_version(struct zone_entry *z, struct xfrin_result *result);
/* The zone has expired: authd shall know. */
void replicate_commit_expired(struct zone_entry *z);
/* Tells the store once more, if it could not take that before. */
void replicate_retry_expired(struct zone_entry *z);
/* The row as the configuration wants it, when its turn comes. */
void replicate_commit_row(struct zone_entry *z);
/* The state of the zone shall be stored soon. */
void replicate_dirty(struct zone_entry *z);
/* Submits what is due; all of it if `all`. */
void replicate_flush(struct replicator *r, bool all);
/* Has row jobs submitted, a bounded number at a time. */
void replicate_submit_rows(struct replicator *r);
/* For who submits a job of his own: what waits for it; the end of waiting, false if the replicator
 * is gone (free it then); the job itself; and the row that comes back with it, of which everything
 * but the timers is taken. */
struct commit_wait *replicate_wait_new(struct zone_entry *z);
bool replicate_wait_end(struct commit_wait *w);
void replicate_submit(struct replicator *r, struct commit_job *job, commit_done_fn *done,
                      void *ctx);
void replicate_take_row(struct zone_entry *z, const struct store_zone *stored);
/* Waiting commits don't come back to the replicator any more. */
void replicate_abandon_commits(struct replicator *r);
/* The row with its timers as they are now. */
void replicate_full_row(struct store_zone *out, const struct zone_entry *z);

#endif
