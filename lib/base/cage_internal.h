/* What cage.c, cage_landlock.c and cage_calls.c share. */
#ifndef ZL_BASE_CAGE_INTERNAL_H
#define ZL_BASE_CAGE_INTERNAL_H

#include "lib/base/cage.h"

/* Both: OK and nothing in *out if the kernel does not have it; `why` then says so. */
MUST_USE enum err landlock_enter(int *abi, char why[64], char not_there_yet[256],
                                 const struct cage *c, struct errinfo *e);
MUST_USE enum err calls_enter(bool *out, char why[64], const struct cage *c, struct errinfo *e);

#endif
