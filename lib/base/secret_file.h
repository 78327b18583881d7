/* Files with secrets: nobody but its owner may change one, and not everybody may read it. */
#ifndef ZL_BASE_SECRET_FILE_H
#define ZL_BASE_SECRET_FILE_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/base/err.h"

/* Reads the whole file into buf; *len is what there is of it. The caller wipes buf after use, also
 * after an error. `links`: the path may end in a symbolic link; what it leads to is checked.
 *
 * Errors: ERR_DENIED if the file is not root's or ours, is not regular, or has a mode that lets
 * others write or everybody read; ERR_FORMAT if it is longer than cap; ERR_IO. The text does not
 * name the path: the caller knows what the file is. */
MUST_USE enum err secret_file_read(char *buf, size_t cap, size_t *len, const char *path, bool links,
                                   struct errinfo *e);

#endif
