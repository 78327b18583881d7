/* syncd's side of the hand-over socket (lib/net/handover.h): takes what authd hands over, sends
 * hints, and asks authd what it serves. Loop thread only.
 */
#ifndef ZL_SYNCD_FRONT_H
#define ZL_SYNCD_FRONT_H

#include "lib/net/handover.h"
#include "lib/net/stats.h"
#include "syncd/loop.h"

struct front;

/* A client's message. The answer, if any, is appended to `reply` (empty: the client gets none),
 * unless front_later was called. */
typedef void front_message_fn(void *ctx, const struct ho_frame *message, struct buf *reply);

/* From within a front_message_fn: the answer comes later, by front_answer, which must be called
 * once. By then the client, or the front, may be gone. */
struct front_later;
struct front_later *front_later(struct front *f);
void front_answer(struct front_later *l, const uint8_t *wire, size_t len); /* len 0: none */

/* A connection on which a transfer is asked for; fd becomes the callee's. */
typedef void front_stream_fn(void *ctx, const struct ho_frame *stream, int fd);

/* authd serves what the change log holds up to seq. */
typedef void front_served_fn(void *ctx, uint64_t seq);

struct front_events {
    front_message_fn *message;
    front_stream_fn *stream;
    front_served_fn *served;
};

MUST_USE enum err front_start(struct front **out, struct loop *loop, const char *run_dir,
                              const struct front_events *events, void *ctx, struct errinfo *e);
void front_stop(struct front *f);

/* Tells every authd that the change log has reached seq. A lost hint does no harm. */
void front_hint(struct front *f, uint64_t seq);

/* Calls f with the counters of each authd that is connected and passed them. */
typedef void front_stats_fn(void *ctx, const struct stats *s);
void front_each_stats(const struct front *f, front_stats_fn *fn, void *ctx);

/* True while an authd's updater is connected. */
bool front_has_authd(const struct front *f);

/* Asks authd what it serves of a zone. `answer` is called once: with its TELL frame, or with NULL
 * when there is no authd, or none answers within the time. */
typedef void front_tell_fn(void *ctx, const struct ho_frame *tell);
void front_ask(struct front *f, const uint8_t *zone, uint32_t timeout_ms, front_tell_fn *answer,
               void *ctx);

#endif
