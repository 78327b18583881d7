/* The control surface by TCP: sections api and api-key. Part of config.c, which alone calls it. */
#ifndef ZL_BASE_CONFIG_API_H
#define ZL_BASE_CONFIG_API_H

#include <confuse.h>

#include "lib/base/config.h"

/* The single items of section api are set. */
MUST_USE enum err config_take_api(struct config *c, cfg_t *cfg, struct errinfo *e);
void config_free_api(struct config *c);

#endif
