/* A staged version whose time is over becomes the served one: what is to be committed for it. */
#ifndef ZL_SYNCD_PUBLISH_H
#define ZL_SYNCD_PUBLISH_H

#include "syncd/commit.h"
#include "syncd/history.h"

struct publish_spec {
    struct store_zone row;
    uint64_t version; /* of `row`'s zone: to be served */
    uint64_t newest;  /* the newest one that waits; it does so on, behind the served one, as a
                         version of its own; those in between are passed over */
    uint32_t stage_s;
    bool forward; /* a serial that went back is accepted: as in series_follow */
};

struct publication {
    enum err rc;
    struct errinfo error;
    struct commit_job *job; /* the version, served */

    struct zone *served, *rest; /* what waits on; NULL: nothing */
    struct changeset *changes;  /* served -> rest */
    struct origin origin;
};
void publication_done(struct publication *p);

/* Pool thread. Cost: the zone, once or twice. */
void publication_make(struct publication *out, struct history *h, const struct publish_spec *spec);

typedef void publish_done_fn(void *ctx, struct publication *p); /* may move things out of *p */
/* Does that in the pool, then calls `done` in the loop thread. */
void publish_start(struct loop *loop, struct store_readers *readers,
                   const struct publish_spec *spec, publish_done_fn *done, void *ctx);

#endif
