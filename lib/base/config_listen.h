/* Where authd listens, and for whom: the lists of addresses in section authd. Part of config.c,
 * which alone calls it. */
#ifndef ZL_BASE_CONFIG_LISTEN_H
#define ZL_BASE_CONFIG_LISTEN_H

#include <confuse.h>

#include "lib/base/config.h"

/* listen, listen-tls, proxy-from and rrl-exempt; c->path and the single items are set. */
MUST_USE enum err config_take_listen(struct config *c, cfg_t *authd, struct errinfo *e);
/* resolvers, in section syncd. */
MUST_USE enum err config_take_resolvers(struct config *c, cfg_t *syncd, struct errinfo *e);

#endif
