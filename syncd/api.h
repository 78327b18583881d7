/* The control surface: HTTP and JSON on the Unix socket RUN_DIR/control.sock, and by TLS where the
 * configuration says so. zonectl is its client. On the socket, who may connect may act: its mode
 * and group are the gate (0660), and the peer's user name goes into the history. By TLS each
 * request needs a key, whose role must do for the route; the key's name goes into the history.
 * Routes are rows of one table (api_routes.c); docs/api.md lists them.
 */
#ifndef ZL_SYNCD_API_H
#define ZL_SYNCD_API_H

#include "lib/base/config.h"
#include "syncd/commit.h"
#include "syncd/front.h"
#include "syncd/guard_command.h"
#include "syncd/journaler.h"
#include "syncd/notify_out.h"
#include "syncd/remotes.h"
#include "syncd/replicate.h"
#include "syncd/signature_ends.h"
#include "syncd/signing.h"
#include "syncd/watch.h"
#include "syncd/xfrout.h"

/* What the handlers work on; all lent, all outlive the API. `config` changes with a reload. */
struct api_env {
    struct loop *loop;
    struct committer *committer;
    struct journaler *journaler;
    struct front *front;
    struct replicator *replicator;
    struct xfrout *xfrout;
    struct notify_out *notify;
    struct watch *watch;
    struct remotes *remotes;
    struct guard_commands *guards;
    struct signature_ends *ends;
    struct signing *signing;
    struct config *config;
    struct store_readers *readers; /* lent */
    struct zone_cache *cache;      /* lent */
    const char *sandbox;           /* what is in force of it */
    /* The rows of autoprimaries in the store are other ones: puts them in force. */
    enum err (*autoprimaries_changed)(void *ctx, struct errinfo *e);
    void *ctx;
};

struct api;

MUST_USE enum err api_start(struct api **out, const struct api_env *env, struct errinfo *e);
void api_stop(struct api *a);
/* After a reload; takes a reference of its own. */
void api_set_config(struct api *a, struct config *config);

#endif
