/* When all places for TCP connections are taken, the one that has been idle longest makes room for
 * a new one (RFC 7766 6.2.3 lets a server close what is idle). Connections belong to workers, which
 * share nothing; so each shows here since when its oldest idle connection has been idle, and any
 * worker may ask the one with the oldest to close it.
 *
 * Threads: a seat is shown by its worker alone; the rest may be called by any. No lock.
 */
#ifndef ZL_AUTHD_IDLE_BOARD_H
#define ZL_AUTHD_IDLE_BOARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/clock.h"
#include "lib/base/err.h"

#define IDLE_NONE INT64_MAX

struct idle_board;

MUST_USE enum err idle_board_new(struct idle_board **out, size_t seats, struct errinfo *e);
void idle_board_free(struct idle_board *b); /* NULL is fine */

/* Milliseconds of struct mono, or IDLE_NONE. */
void idle_board_show(struct idle_board *b, size_t seat, int64_t since_ms);
/* Whose is the oldest? False if nobody has an idle one. */
bool idle_board_oldest(struct idle_board *b, size_t *seat);

/* Asks a worker to close its oldest; it becomes readable on its descriptor. */
void idle_board_ask(struct idle_board *b, size_t seat);
/* A descriptor that is readable while somebody asks; the board's. */
int idle_board_fd(const struct idle_board *b, size_t seat);
/* How often it was asked since the last call. */
uint64_t idle_board_asked(struct idle_board *b, size_t seat);

#endif
