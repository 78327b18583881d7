/* syncd: what it is asked to do, and what kind of process it is. */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>

#include "lib/base/bus.h"
#include "lib/base/descriptors.h"
#include "lib/base/log.h"
#include "syncd/daemon.h"
#include "syncd/guard_helper.h"
#include "syncd/options.h"
#include "syncd/remote_helper.h"
#include "syncd/repair_fetch.h"
#include "syncd/restore.h"
#include "syncd/settings.h"

static int restore(const struct config *config, const char *from)
{
    struct restore_report r;
    struct errinfo e = {0};

    if (restore_run(&r, config, from, &e) != OK) {
        (void)fprintf(stderr, "syncd: nothing is restored: %s\n", e.text);
        return 1;
    }
    (void)printf("restored: %llu zones (%llu removed, %llu held), %llu versions (%llu waiting), "
                 "changes up to %llu\n",
                 (unsigned long long)r.zones, (unsigned long long)r.removed,
                 (unsigned long long)r.held, (unsigned long long)r.versions,
                 (unsigned long long)r.waiting, (unsigned long long)r.last_seq);
    if (r.missing)
        (void)printf("%llu versions are not in that repository\n", (unsigned long long)r.missing);
    return 0;
}

static int fetch(const struct config *config, const char *from)
{
    struct errinfo e = {0};

    if (repair_fetch(config, from, &e) == OK)
        return 0;
    (void)fprintf(stderr, "syncd: nothing is fetched: %s\n", e.text);
    return 1;
}

static int check(const char *path, const struct config *c)
{
    (void)printf("%s: right; %zu zones, %zu primaries, %zu keys\n", path, c->zone_count,
                 c->primary_count, c->key_count);
    return 0;
}

int main(int argc, char **argv)
{
    struct options o = {.config_path = "/etc/zoneledger/zoneledger.conf"};
    const struct cage none = {0};
    struct config *config = NULL;
    struct keyring *keys = NULL;
    struct errinfo e = {0};
    int code;

    if (argc == 3 && strcmp(argv[1], "--remote-helper") == 0)
        return remote_helper_main(argv[2]);
    if (argc == 3 && strcmp(argv[1], "--guard-helper") == 0)
        return guard_helper_main(argv[2]);
    code = options_parse(&o, argc, argv);
    if (code >= 0)
        return code;
    if (settings_load(&config, &keys, o.config_path, &none, &e) != OK) {
        (void)fprintf(stderr, "syncd: %s\n", e.text);
        return 1;
    }
    if (o.check || o.restore || o.fetch_from) {
        if (!o.check) {
            (void)umask(0027);
            log_init("syncd", config->log_level, config->log_format);
        }
        code = o.check     ? check(o.config_path, config)
               : o.restore ? restore(config, o.restore_from)
                           : fetch(config, o.fetch_from);
        keyring_unref(keys);
        config_unref(config);
        return code;
    }
    (void)umask(0027);
    (void)signal(SIGPIPE, SIG_IGN);
    bus_guard_install();
    (void)prctl(PR_SET_DUMPABLE, 0); /* secrets stay out of core dumps */
    descriptors_raise();
    log_init("syncd", config->log_level, config->log_format);
    return daemon_run(o.config_path, config, keys);
}
