#include "lib/base/descriptors.h"

#include <limits.h>
#include <sys/resource.h>

static int for_peers = INT_MAX; /* written before there are threads */

void descriptors_raise(void)
{
    struct rlimit r;

    if (getrlimit(RLIMIT_NOFILE, &r) != 0)
        return;
    if (r.rlim_cur != r.rlim_max) {
        rlim_t before = r.rlim_cur;

        r.rlim_cur = r.rlim_max;
        if (setrlimit(RLIMIT_NOFILE, &r) != 0)
            r.rlim_cur = before;
    }
    if (r.rlim_cur == RLIM_INFINITY || r.rlim_cur > INT_MAX)
        for_peers = INT_MAX;
    else if (r.rlim_cur < 2 * DESCRIPTORS_OWN)
        for_peers = (int)(r.rlim_cur / 2);
    else
        for_peers = (int)r.rlim_cur - DESCRIPTORS_OWN;
}

bool descriptors_spare(int fd)
{
    return fd < for_peers;
}
