/* The process that runs `git push` and `git ls-remote` (helper.h says why it is one of its own):
 * the history is not to be handed out by a process that holds TSIG secrets and the store. syncd can
 * say "push to the remote NAME", "what refs has it?", "read the configuration again", and nothing
 * else: where to, with which key and as whom, the helper reads in the configuration.
 *
 * A runner is one push, or one such question: another user if the configuration says so, no
 * capabilities, no new privileges, a clean environment, a time limit. git does not read the
 * journal's own configuration, which syncd could write: it works in a directory of the helper's,
 * whose refs and objects are links to the journal's.
 */
#ifndef ZL_SYNCD_REMOTE_HELPER_H
#define ZL_SYNCD_REMOTE_HELPER_H

#include "lib/base/config.h"

#define REMOTE_NAME_MAX 41

#define REMOTE_REFS_MAX ((size_t)64 << 20) /* octets of a list of refs */

enum remote_op { REMOTE_PUSH = 1, REMOTE_RELOAD = 2, REMOTE_LIST = 3 };

struct remote_request {
    uint32_t op;
    char name[REMOTE_NAME_MAX];
};

enum remote_outcome {
    REMOTE_DONE = 1,
    REMOTE_FAILED,
    REMOTE_DIVERGED, /* it has a branch that ours does not continue; the others were pushed */
    REMOTE_TIMED_OUT,
};

/* What comes back is one of these two, told apart by `kind`. */
enum remote_answer { REMOTE_RESULT = 1, REMOTE_PIECE = 2 };

struct remote_result {
    uint32_t kind; /* REMOTE_RESULT */
    uint32_t op;   /* REMOTE_PUSH, REMOTE_LIST */
    char name[REMOTE_NAME_MAX];
    uint32_t outcome;
    uint32_t refused; /* branches */
    char text[400];   /* what git said, on one line; "" if all is well */
};

/* A piece of the list of refs that a REMOTE_LIST asked for; the result ends it. */
struct remote_piece {
    uint32_t kind; /* REMOTE_PIECE */
    uint32_t len;
    char name[REMOTE_NAME_MAX];
    char data[32768];
};

/* Starts it; *fd is syncd's end of the socket, non-blocking. Before threads and the cage. */
MUST_USE enum err remote_helper_start(int *fd, const char *config_path, struct errinfo *e);

/* What `syncd --remote-helper CONFIG` is; the socket is descriptor 3. */
int remote_helper_main(const char *config_path);

/* ---- For the helper and its tests ---- */

#define REMOTE_ARGS_MAX 20
#define REMOTE_ENV_MAX 24

/* A command as execve takes it; everything on the heap. */
struct remote_command {
    char *args[REMOTE_ARGS_MAX];
    char *env[REMOTE_ENV_MAX];
};

/* The refs of a push. What was served, and who did what, only ever grows: it is never forced.
 * Waiting and quarantined versions are pointers that move and go. */
enum remote_part { REMOTE_HISTORY, REMOTE_POINTERS, REMOTE_REFS /* git ls-remote */ };

/* `dir`: the helper's directory; `path`: where programs are. */
void remote_command_make(struct remote_command *out, const struct config_remote *r,
                         enum remote_part part, const char *dir, const char *path);
void remote_command_free(struct remote_command *c);

/* What came of one `git push --porcelain`, or `git ls-remote`, from its exit code and all that it
 * wrote. */
void remote_result_read(struct remote_result *out, int exit_code, const char *text);

#endif
