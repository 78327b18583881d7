/* Addresses of names that are not ours: asked of the operator's resolvers, and remembered.
 *
 * Nobody waits for it: an answer comes when it comes, to all who asked for the same name. What came
 * is kept for its TTL (a minute to a day; a name without addresses for five minutes). Nothing is
 * opened before the first question. The answers are not authenticated: use them only for what an
 * attacker gains nothing by. Loop thread only.
 */
#ifndef ZL_SYNCD_RESOLVE_H
#define ZL_SYNCD_RESOLVE_H

#include "lib/base/config.h"
#include "lib/dns/name.h"
#include "syncd/loop.h"

#define RESOLVE_ADDRESSES_MAX 8 /* of one name; more are not kept */

struct resolver;

struct resolver *resolver_new(struct loop *loop, const struct config *config);
void resolver_free(struct resolver *r); /* nobody who waits is told; NULL is fine */
/* Others are asked from now on, and what is remembered is forgotten. */
void resolver_reload(struct resolver *r, const struct config *config);

/* `addresses` is lent, with port 0; none if the name has none, or nobody could say. */
typedef void resolve_done_fn(void *ctx, const struct addr *addresses, size_t count);
/* Called once, perhaps from within. */
void resolver_ask(struct resolver *r, const uint8_t *name, resolve_done_fn *done, void *ctx);

#endif
