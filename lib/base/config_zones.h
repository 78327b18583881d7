/* Keys, primaries, secondaries and zones. Part of config.c, which alone calls it. */
#ifndef ZL_BASE_CONFIG_ZONES_H
#define ZL_BASE_CONFIG_ZONES_H

#include <confuse.h>

#include "lib/base/config.h"

MUST_USE enum err config_take_zones(struct config *c, cfg_t *cfg, struct errinfo *e);
void config_free_zones(struct config *c);

#endif
