/* What authd is left with once its sockets are bound: another user, and a cage (lib/base/cage.h) in
 * which it can read its store, its configuration and its certificate, and reach syncd. */
#ifndef ZL_AUTHD_PRIVILEGES_H
#define ZL_AUTHD_PRIVILEGES_H

#include "lib/base/cage.h"
#include "lib/base/config.h"

/* No way back. Before the first thread is started. *cage is the caller's, for privileges_explain
 * and cage_done, also on error. */
MUST_USE enum err privileges_drop(struct cage *cage, const struct config *c, struct errinfo *e);

/* Says in *e, if so, that a file of the new configuration is out of reach. Returns rc. */
enum err privileges_explain(enum err rc, const struct cage *cage, const struct config *c,
                            struct errinfo *e);

#endif
