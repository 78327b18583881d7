/* What the configuration's parser cannot know: whether names are names and algorithms exist. */
#ifndef ZL_NET_CONFIG_CHECK_H
#define ZL_NET_CONFIG_CHECK_H

#include "lib/base/config.h"

/* ERR_FORMAT with file:line and the name; also for a zone that stands there twice under two
 * spellings. Both daemons call it behind config_load. */
MUST_USE enum err config_check(const struct config *c, struct errinfo *e);

#endif
