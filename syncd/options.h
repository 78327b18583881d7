/* syncd's command line. */
#ifndef ZL_SYNCD_OPTIONS_H
#define ZL_SYNCD_OPTIONS_H

#include <stdbool.h>

struct options {
    const char *config_path;
    bool check; /* read the configuration, and no more */
    bool restore;
    const char *fetch_from;   /* NULL: not asked for */
    const char *restore_from; /* NULL: the journal that is there */
};

/* Fills in what is given, and prints what is asked for. Returns -1 to go on, or the exit code. */
int options_parse(struct options *o, int argc, char **argv);

#endif
