/* What the helper processes have in common. syncd cannot start programs once its cage is closed, so
 * it starts helpers before: itself, executed anew with an option and the path of the configuration,
 * with nothing but a socket (SOCK_SEQPACKET). What a helper runs it reads in the configuration
 * itself: a syncd that somebody broke into can ask, but not choose.
 *
 *     syncd (in its cage) <-- socket --> helper -- fork --> runner -- exec --> program
 *
 * The runner gives up what it has, then watches the program. When syncd goes away, however it does,
 * so do helper, runners and what they run.
 */
#ifndef ZL_SYNCD_HELPER_H
#define ZL_SYNCD_HELPER_H

#include <sys/types.h>

#include "lib/base/bytes.h"
#include "lib/base/clock.h"
#include "lib/base/err.h"

#define HELPER_SOCKET 3 /* in the helper */
#define HELPER_PATH "/usr/local/bin:/usr/bin:/bin"

/* Starts `syncd OPTION CONFIG`; *fd is syncd's end of the socket, non-blocking. Before threads and
 * the cage. ERR_IO. */
MUST_USE enum err helper_launch(int *fd, const char *option, const char *config_path,
                                struct errinfo *e);

/* ---- In the helper ---- */

/* It ends when its socket does, and so after syncd: signals are ignored. */
void helper_settle(void);

/* A runner: 0 in it, its process id in the helper, -1 with errno set. helper_stop ends it and what
 * it runs, and it ends with the helper. */
pid_t helper_fork(void);
void helper_stop(pid_t runner);

/* ---- In a runner ---- */

/* Becomes the user (become_user), without capabilities and new privileges, also as root. */
MUST_USE enum err helper_drop(const char *user, struct errinfo *e);

struct helper_command {
    char *const *args; /* as execve takes them; args[0] is looked for in the PATH of `env` */
    char *const *env;
    const char *dir; /* where it works */
    struct mono deadline;
    size_t output_max; /* octets of its output that are kept */
};

enum helper_end_kind {
    HELPER_EXITED,
    HELPER_KILLED,      /* by a signal */
    HELPER_TIMED_OUT,   /* and was ended */
    HELPER_NOT_STARTED, /* or could not become the program: the output says why */
};

struct helper_outcome {
    enum helper_end_kind kind;
    int code; /* exit code or signal */
};

/* Runs it in a process group of its own, which is ended with it. What it says, to stdout or stderr,
 * is appended to `output`. */
void helper_run(struct helper_outcome *out, struct buf *output, const struct helper_command *c);

#endif
