/* What daemon.c (start, stop, reload) and daemon_glue.c (what the parts ask of each other) share.
 */
#ifndef ZL_SYNCD_DAEMON_INTERNAL_H
#define ZL_SYNCD_DAEMON_INTERNAL_H

#include "lib/base/cage.h"
#include "syncd/api.h"
#include "syncd/content_query.h"
#include "syncd/hold_rules.h"
#include "syncd/notify_out.h"
#include "syncd/producer.h"
#include "syncd/remotes.h"
#include "syncd/retention.h"
#include "syncd/signature_ends.h"
#include "syncd/updates.h"
#include "syncd/watch.h"
#include "syncd/xfrout.h"

struct syncd {
    const char *config_path;
    struct config *file;   /* as it was read */
    char *data_dir;        /* whatever a reload says: the store does not move */
    struct config *config; /* with the autoprimaries of the store; what is in force */
    struct cage cage;
    char sandbox[64];
    struct keyring *keys;
    struct loop *loop;
    struct committer *committer;
    struct signing *signing;
    struct journaler *journaler;
    struct front *front;
    struct content_queries content_queries;
    struct replicator *replicator;
    struct replicator_ops ops;
    struct replicator_net *net;
    struct zone_cache *cache;
    struct store_readers *readers;
    struct xfrout *xfrout;
    struct notify_out *notify;
    struct updates *updates;
    struct producer *producer;
    struct hold_rules *hold_rules;
    struct watch *watch;
    int remote_helper; /* its socket, until `remotes` has it; -1: none */
    int guard_helper;  /* the same for `guards` */
    struct guard_commands *guards;
    struct remotes *remotes;
    struct signature_ends *ends;
    struct retention *retention;
    struct api *api;
    struct event *signals[3];
    bool stopping;
};

/* ---- daemon_glue.c: callbacks of the parts; ctx is the struct syncd ---- */

const struct config_zone *daemon_section(void *ctx, const uint8_t *zone);
/* A followed catalog has the zone in another group, say. */
void daemon_section_changed(void *ctx, const uint8_t *zone);
/* Loop thread, after each transaction that changed something. */
void daemon_committed(void *ctx, uint64_t seq, const struct commit_job *jobs);
/* What authd hands over, or tells. */
extern const struct front_events daemon_front_events;
struct front_later *daemon_answer_later(void *ctx);
/* `watch` hears of each zone that is there. */
void daemon_watch_row(void *ctx, const struct replicator_status *status);
/* What was committed just before the last stop may not have been told. */
void daemon_tell_of_row(void *ctx, const struct replicator_status *status);

struct updates *daemon_updates(struct syncd *s);
struct producer *daemon_producer(struct syncd *s);
struct hold_rules *daemon_hold_rules(struct syncd *s);
struct watch *daemon_watch(struct syncd *s);

#endif
