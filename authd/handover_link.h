/* A connection to syncd's hand-over socket that comes back by itself: 100 ms after it was lost or
 * refused, then twice as long each time, up to half a second.
 *
 * Threads: the one that runs the base. Callbacks may not free the link.
 */
#ifndef ZL_AUTHD_HANDOVER_LINK_H
#define ZL_AUTHD_HANDOVER_LINK_H

#include <event2/event.h>
#include <stdbool.h>

#include "lib/net/handover.h"

struct handover_link;

/* One frame from syncd; anything but OK ends the connection. */
typedef enum err handover_frame_fn(void *ctx, const struct ho_frame *f, struct errinfo *e);
/* After each connection made (`why` is NULL) or lost. */
typedef void handover_state_fn(void *ctx, bool connected, const struct errinfo *why);

/* `run_dir` is lent for the life of the link, and so is `stats_fd`, which goes with each HELLO
 * unless it is -1. The first attempt is made at once. */
struct handover_link *handover_link_new(struct event_base *base, const char *run_dir,
                                        enum ho_role role, int stats_fd, handover_frame_fn *frame,
                                        handover_state_fn *state, void *ctx);
void handover_link_free(struct handover_link *l);

/* Tries now instead of when its time comes, if there is no connection: each worker has a link of
 * its own, and one that just missed syncd's start would tell primaries SERVFAIL meanwhile, which
 * not all of them ask again after. Calls back if it connects; does nothing while a loss is told.
 * Cost: a refused connect() to a Unix socket.
 */
void handover_link_wake(struct handover_link *l);

/* False if syncd is away, or takes nothing now. Never calls back. */
bool handover_link_send(struct handover_link *l, const struct ho_frame *f);
/* The same for a STREAM with its connection, which stays the caller's too. */
bool handover_link_send_stream(struct handover_link *l, const struct ho_frame *f, int connection);

#endif
