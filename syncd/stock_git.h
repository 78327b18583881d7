/* Stock git gets objects from other repositories, and judges them. For commands that are processes
 * of their own (`syncd --restore`, `--fetch`): the daemon starts no programs.
 */
#ifndef ZL_SYNCD_STOCK_GIT_H
#define ZL_SYNCD_STOCK_GIT_H

#include "lib/base/err.h"

/* All that the history has, into the bare repository at `path`; each object is checked on its way.
 * ERR_CORRUPT: git has said on standard error what is wrong. */
MUST_USE enum err stock_git_fetch(const char *path, const char *from, struct errinfo *e);
MUST_USE enum err stock_git_fsck(const char *path, struct errinfo *e);

#endif
