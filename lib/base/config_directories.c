#include <stdlib.h>
#include <string.h>

#include "lib/base/config_where.h"
#include "lib/base/config_zones.h"
#include "lib/base/mem.h"

#define PATH_OCTETS_MAX 255 /* of the directory: with a file's name the row of a zone has room */

/* Without slashes at its end. */
static char *clean_path(const char *title)
{
    char *path = xstrdup(title);
    size_t n = strlen(path);

    while (n > 1 && path[n - 1] == '/')
        path[--n] = 0;
    return path;
}

bool config_serial_from_text(enum config_serial *out, const char *text)
{
    static const char *const words[] = {[CONFIG_SERIAL_KEEP] = "keep",
                                        [CONFIG_SERIAL_INCREMENT] = "increment",
                                        [CONFIG_SERIAL_DATE] = "date"};

    for (unsigned i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (strcmp(words[i], text) == 0) {
            *out = (enum config_serial)i;
            return true;
        }
    }
    return false;
}

static bool is_twice(const struct config *c, const struct config_directory *d)
{
    for (const struct config_directory *o = c->directories; o < d; o++) {
        if (strcmp(o->path, d->path) == 0)
            return true;
    }
    return false;
}

static enum err take_directory(struct config *c, struct config_directory *d, cfg_t *sec,
                               struct errinfo *e)
{
    enum err rc;

    d->path = clean_path(cfg_title(sec));
    d->line = d->zone.line = sec->line;
    d->remove = strcmp(cfg_getstr(sec, "remove"), "yes") == 0;
    d->settle_ms = config_number_of(sec, "settle");
    d->interval_s = config_number_of(sec, "interval");
    if ((rc = config_take_transfers(c, &d->zone, sec, e)) ||
        (rc = config_take_membership(c, &d->zone, sec, e)))
        return rc;
    if (d->path[0] != '/' || strlen(d->path) > PATH_OCTETS_MAX)
        return config_fail_at(c, sec, e,
                              "its name is the path from the root on, at most 255 octets long");
    if (is_twice(c, d))
        return config_fail_at(c, sec, e, "stands there twice");
    if ((rc = config_take_account(&d->account, c, sec, e)))
        return rc;
    if (!config_serial_from_text(&d->serial, cfg_getstr(sec, "serial")))
        return config_fail_at(c, sec, e, "serial should be keep, increment or date");
    return OK;
}

enum err config_take_directories(struct config *c, cfg_t *cfg, struct errinfo *e)
{
    unsigned n = cfg_size(cfg, "directory");
    enum err rc;

    c->directories = xcalloc(n, sizeof(*c->directories));
    for (unsigned i = 0; i < n; i++) {
        rc = take_directory(c, &c->directories[c->directory_count++],
                            cfg_getnsec(cfg, "directory", i), e);
        if (rc)
            return rc;
    }
    return OK;
}

void config_free_directories(struct config *c)
{
    for (size_t i = 0; i < c->directory_count; i++) {
        free(c->directories[i].path);
        free(c->directories[i].account);
        config_zone_done(&c->directories[i].zone);
    }
    free(c->directories);
}

const struct config_directory *config_directory_of(const struct config *c, const char *file)
{
    const char *slash = strrchr(file, '/');

    for (size_t i = 0; slash && i < c->directory_count; i++) {
        const char *path = c->directories[i].path;
        size_t n = strcmp(path, "/") == 0 ? 0 : strlen(path);

        if (n == (size_t)(slash - file) && strncmp(path, file, n) == 0)
            return &c->directories[i];
    }
    return NULL;
}
