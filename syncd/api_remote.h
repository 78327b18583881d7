/* The control surface by TCP: its listeners (section api), and whose key a request bears.
 *
 * Threads: the loop's.
 */
#ifndef ZL_SYNCD_API_REMOTE_H
#define ZL_SYNCD_API_REMOTE_H

#include <event2/http.h>

#include "lib/base/config.h"
#include "syncd/loop.h"

struct api_remote;

/* `on_request` is called with `ctx` for each request, before anybody asked who it is. */
struct api_remote *api_remote_new(struct loop *loop,
                                  void (*on_request)(struct evhttp_request *, void *), void *ctx);
/* Ends all connections. NULL is fine. */
void api_remote_free(struct api_remote *r);

/* Listens where the configuration says, with its certificate, and no more where it doesn't. An
 * address that stays is listened at all the while. On error all is as before, but that addresses
 * may have been added. Keeps a reference. */
MUST_USE enum err api_remote_configure(struct api_remote *r, struct config *config,
                                       struct errinfo *e);

/* The key in the request's X-API-Key, and where it came from. ERR_AUTH: it has none, or not a right
 * one from there; ERR_LIMIT: too many such came from there. Lent by the configuration. */
MUST_USE enum err api_remote_key(const struct config_api_key **out, struct addr *from,
                                 struct api_remote *r, struct evhttp_request *http,
                                 struct errinfo *e);

#endif
