/* Where in the configuration something stands, for error texts. Part of config.c's files. */
#ifndef ZL_BASE_CONFIG_WHERE_H
#define ZL_BASE_CONFIG_WHERE_H

#include <confuse.h>

#include "lib/base/config.h"

/* The file of a section; one that may stand there once only has no file name of its own. */
static inline const char *config_file_of(const cfg_t *sec, const char *path)
{
    return sec && sec->filename ? sec->filename : path;
}

/* ERR_FORMAT with "FILE:LINE: SECTION 'TITLE': " before the sentence. */
enum err config_fail_at(const struct config *c, cfg_t *sec, struct errinfo *e, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

#endif
