/* syncd's one event loop, its way to run work elsewhere, and its view of time: what tests replace.
 */
#ifndef ZL_SYNCD_LOOP_H
#define ZL_SYNCD_LOOP_H

#include <event2/event.h>
#include <stdint.h>

#include "lib/base/clock.h"
#include "lib/base/err.h"

struct loop;

typedef void loop_fn(void *ctx);

MUST_USE enum err loop_new(struct loop **out, const struct clock *clock, uint32_t pool_threads,
                           struct errinfo *e);
void loop_free(struct loop *l); /* joins the pool's threads first */

struct event_base *loop_base(struct loop *l);
const struct clock *loop_clock(struct loop *l);

void loop_run(struct loop *l);  /* until loop_stop */
void loop_stop(struct loop *l); /* any thread */

/* Has `f` run in the loop thread, in order of posting. Any thread. */
void loop_post(struct loop *l, loop_fn *f, void *ctx);

/* Has `work` run in a thread of the pool, then `done` in the loop thread. Loop thread only. */
void loop_work(struct loop *l, loop_fn *work, loop_fn *done, void *ctx);

#endif
