/* Guard commands, on syncd's side: versions that passed all other guards wait here for what the
 * operator's program says of them (guard_helper.h runs it).
 *
 *    QUEUED ──a place is free──▶ WRITING (pool: the files) ──▶ RUNNING ──answer──▶ done
 *
 * A bounded number is beyond QUEUED, so what hangs keeps other commands waiting at most, and no
 * thread at all. Nothing is remembered: whoever is cancelled, or killed, fetches the version again.
 * Loop thread only, but for the writing of files.
 */
#ifndef ZL_SYNCD_GUARD_COMMAND_H
#define ZL_SYNCD_GUARD_COMMAND_H

#include "lib/zone/zone.h"
#include "syncd/guard.h"
#include "syncd/guard_helper.h"
#include "syncd/loop.h"

struct guard_commands;
struct guard_check;

/* `helper`: the socket, taken over; -1: none. Sweeps what a crash left in DATA-DIR/guard. */
struct guard_commands *guard_commands_new(struct loop *loop, int helper, const char *data_dir,
                                          const struct config *config);
void guard_commands_reload(struct guard_commands *g, const struct config *config);
void guard_commands_stop(struct guard_commands *g); /* the helper ends, and what it runs */
void guard_commands_free(struct guard_commands *g); /* when the loop and its threads are gone */

struct guard_check_spec {
    uint8_t zone[NAME_MAX_OCTETS];
    const struct config_command *command; /* copied */
    struct zone *old_zone;                /* NULL: a first version; references are taken */
    struct zone *new_zone;
};

/* Called once, later, unless the check is cancelled before; the check is freed behind it. */
typedef void guard_check_fn(void *ctx, const struct guard_answer *answer);

struct guard_check *guard_check_start(struct guard_commands *g, const struct guard_check_spec *spec,
                                      guard_check_fn *done, void *ctx);
void guard_check_cancel(struct guard_check *c); /* what runs is ended; NULL is fine */

struct guard_command_counts {
    size_t queued, running;            /* now */
    uint64_t passed, rejected, failed; /* since the start */
};
void guard_commands_count(const struct guard_commands *g, struct guard_command_counts *out);

/* What the answer means for the version, added to what *v says already. Pure. */
void guard_command_judge(struct guard_verdict *v, const struct config_command *command,
                         const struct guard_answer *answer);

/* Writes the three files into `dir`, which is made. Any thread; blocks. ERR_IO. */
MUST_USE enum err guard_files_write(const char *dir, mode_t mode, const struct zone *old_zone,
                                    const struct zone *new_zone, struct errinfo *e);
void guard_files_remove(const char *dir);

#endif
