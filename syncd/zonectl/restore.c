/* zonectl journal restore: offline, so it is syncd itself that does it, without its daemon. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/mem.h"
#include "syncd/zonectl/zonectl.h"

/* The syncd that came with this zonectl: beside it, or in the sbin beside its bin; or in PATH. */
char *find_syncd(void)
{
    char self[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
    char *slash;

    self[n > 0 ? n : 0] = 0;
    if ((slash = strrchr(self, '/')))
        *slash = 0;
    for (size_t i = 0; slash && i < 2; i++) {
        char *path = xasprintf(i == 0 ? "%s/syncd" : "%s/../sbin/syncd", self);

        if (access(path, X_OK) == 0)
            return path;
        free(path);
    }
    return xstrdup("syncd");
}

bool is_here(const struct call *c, const char *what)
{
    if (c->opt->url)
        (void)fprintf(stderr, "zonectl: %s works on the node itself, not with --url\n", what);
    return !c->opt->url;
}

int run_journal_restore(const struct call *c)
{
    char *syncd, *config, *restore;

    if (!is_here(c, "restore"))
        return EXIT_USAGE;
    syncd = find_syncd();
    config = xasprintf("--config=%s",
                       c->opt->config ? c->opt->config : "/etc/zoneledger/zoneledger.conf");
    restore = c->arg_count ? xasprintf("--restore=%s", c->args[0]) : xstrdup("--restore");
    (void)execvp(syncd, (char *const[]){syncd, config, restore, NULL});
    (void)fprintf(stderr, "zonectl: %s: %s\n", syncd, strerror(errno));
    free(syncd);
    free(config);
    free(restore);
    return EXIT_UNREACHABLE;
}
