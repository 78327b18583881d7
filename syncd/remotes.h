/* Pushing the history to other repositories. What is new is pushed soon after it is in the journal,
 * by a process of its own (remote_helper.h): nothing here ever waits for it, and neither commits
 * nor replication notice a remote that is slow or gone. What a remote lacks is its backlog; the
 * store remembers how far each is, also over a restart.
 *
 * A remote that has something on a branch which ours does not continue has been tampered with, or
 * is another node's: that is an error for people to look at, and nothing is overwritten.
 *
 * Loop thread, all of it.
 */
#ifndef ZL_SYNCD_REMOTES_H
#define ZL_SYNCD_REMOTES_H

#include "lib/store/store_readers.h"
#include "syncd/commit.h"
#include "syncd/journaler.h"
#include "syncd/remote_lists.h"

struct remotes;

struct remotes_env {
    struct loop *loop;
    struct committer *committer;
    struct journaler *journaler;
    struct store_readers *readers;
    int helper; /* the socket, owned from now on; -1: there is none */
};

struct remotes *remotes_new(const struct remotes_env *env, const struct config *config);
void remotes_stop(struct remotes *r); /* the helper ends, and what it does */
void remotes_free(struct remotes *r); /* when the loop and its threads are gone */
void remotes_reload(struct remotes *r, const struct config *config);

/* Pushes to this remote now, or to all of them (NULL), also after a failure. ERR_NOT_FOUND,
 * ERR_CLOSED (there is no helper). */
MUST_USE enum err remotes_push(struct remotes *r, const char *name, struct errinfo *e);

/* Asks a remote what it has; f is called once, also if there is no answer. ERR_NOT_FOUND,
 * ERR_CLOSED, ERR_BUSY. */
MUST_USE enum err remotes_list(struct remotes *r, const char *name, remote_list_fn *f, void *ctx,
                               struct errinfo *e);
/* All versions by changes up to this one were pushed to it, as far as is known; 0: none. */
uint64_t remotes_seq(struct remotes *r, const char *name);

enum remote_state {
    REMOTE_STARTING, /* not tried yet */
    REMOTE_OK,
    REMOTE_FAILING,
    REMOTE_HAS_DIVERGED,
};
const char *remote_state_name(enum remote_state s);

struct remote_status {
    const char *name; /* lent for the call, as is url */
    const char *url;
    enum remote_state state;
    bool pushing;
    uint64_t backlog; /* versions that it lacks */
    int64_t lag_s;    /* age of the oldest of them; 0: none */
    uint64_t seq;     /* it has all up to this change */
    uint64_t pushes, failures;
    uint64_t failures_in_row;
    uint32_t refused; /* branches, at the last push */
    struct wall last_push, failing_since;
    int64_t retry_s; /* until the next try after a failure */
    const char *error;
};
typedef void remote_status_fn(void *ctx, const struct remote_status *s);
void remotes_each(struct remotes *r, remote_status_fn *f, void *ctx);

#endif
