/* Small files and directories, durably: fsync of the file and of the directory that names it. */
#ifndef ZL_BASE_FILE_H
#define ZL_BASE_FILE_H

#include <stddef.h>
#include <sys/types.h>

#include "lib/base/err.h"

/* Writes a small file as a whole: `path`.lock (git's convention, which the journal sweeps at
 * start), fsync, rename, fsync of the directory. Whoever reads sees the old one or the new one.
 * Errors: ERR_IO; ERR_LIMIT if the disk is full. */
MUST_USE enum err file_replace(const char *path, const void *data, size_t len, mode_t mode,
                               struct errinfo *e);
/* Makes the names in a directory durable. ERR_IO, ERR_NOT_FOUND. */
MUST_USE enum err dir_sync(const char *path, struct errinfo *e);
/* ... in the directory that holds `path`. */
MUST_USE enum err dir_sync_parent(const char *path, struct errinfo *e);

/* err_sys, but ERR_LIMIT if the disk is full. "what path: reason". */
enum err err_file(int errnum, struct errinfo *e, const char *what, const char *path);

#endif
