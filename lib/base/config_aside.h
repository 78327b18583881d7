/* Sections of which there may be a hundred thousand, set aside while the parser reads on:
 * libconfuse compares the title of each new section with all that it has, which takes a minute and
 * a half for so many. Part of config.c, which alone calls it; one file is parsed at a time.
 */
#ifndef ZL_BASE_CONFIG_ASIDE_H
#define ZL_BASE_CONFIG_ASIDE_H

#include <confuse.h>

#include "lib/base/config.h"

/* Before parsing: sections of this name (which have titles) are set aside from now on. */
void config_aside_begin(cfg_t *cfg, const char *name);

/* After parsing, whatever came of it: they are in the tree again, in their order. ERR_FORMAT if two
 * have the same title. */
MUST_USE enum err config_aside_end(const struct config *c, cfg_t *cfg, struct errinfo *e);

#endif
