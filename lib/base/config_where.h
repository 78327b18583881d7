/* Where in the configuration something stands, for error texts. Part of config.c's files. */
#ifndef ZL_BASE_CONFIG_WHERE_H
#define ZL_BASE_CONFIG_WHERE_H

#include <confuse.h>

/* The file of a section; one that may stand there once only has no file name of its own. */
static inline const char *config_file_of(const cfg_t *sec, const char *path)
{
    return sec && sec->filename ? sec->filename : path;
}

#endif
