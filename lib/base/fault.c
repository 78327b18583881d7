#include "lib/base/fault.h"

#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static atomic_ulong passages; /* of the one point that ZL_FAULT names */

void fault_point(const char *name)
{
    const char *want = getenv("ZL_FAULT");
    size_t n = strlen(name);
    unsigned long at = 1;

    if (!want || strncmp(want, name, n) != 0 || (want[n] != 0 && want[n] != '@'))
        return;
    if (want[n] == '@')
        at = strtoul(want + n + 1, NULL, 10);
    if (atomic_fetch_add(&passages, 1) + 1 == at)
        (void)kill(getpid(), SIGKILL);
}
