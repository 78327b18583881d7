/* Sections `remote`: git servers that the history is pushed to. */
#include <stdlib.h>
#include <string.h>

#include "lib/base/config_where.h"
#include "lib/base/config_zones.h"
#include "lib/base/mem.h"

#define NAME_OCTETS_MAX 40
#define URL_OCTETS_MAX 1000

static const char alphanumerics[] =
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";

static bool is_made_of(const char *text, const char *more)
{
    for (const char *p = text; *p; p++) {
        if (!strchr(alphanumerics, *p) && !strchr(more, *p))
            return false;
    }
    return true;
}

/* git hands these file names to a shell: none has anything that means something there. */
static bool is_plain_path(const char *path)
{
    return !path[0] || (path[0] == '/' && is_made_of(path, "/._+@-"));
}

static bool starts_with(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

/* "host" of "scheme://user@host:port/path"; its length in *n. NULL: there is none. */
static const char *find_host(const char *authority, size_t *user, size_t *n)
{
    size_t all = strcspn(authority, "/");
    const char *at = memchr(authority, '@', all);

    *user = at ? (size_t)(at - authority) : 0;
    if (at)
        authority = at + 1;
    *n = strcspn(authority, ":/");
    return *n && authority[0] != '-' ? authority : NULL;
}

static const char *check_ssh(const char *authority)
{
    size_t user, n;

    if (!find_host(authority, &user, &n) || authority[0] == '-')
        return "url: names no host";
    if (memchr(authority, ':', user))
        return "url: has a password, which would be seen in the list of processes; use ssh-key";
    return strchr(authority, '/') ? NULL : "url: names no repository";
}

static const char *check_https(const char *authority)
{
    size_t user, n;

    if (!find_host(authority, &user, &n))
        return "url: names no host";
    if (authority[user] == '@')
        return "url: has a user name or password, which would be seen in the list of processes; "
               "put them in a file, and name it in credentials";
    return NULL;
}

/* "user@host:path", as git takes it for ssh. */
static const char *check_scp(const char *url)
{
    size_t n = strcspn(url, ":/");

    if (url[n] != ':' || n == 0 || !url[n + 1] || url[0] == '-' || starts_with(url + n, "::"))
        return "url should be ssh://HOST/PATH, HOST:PATH, https://HOST/PATH or a path from the "
               "root on";
    return strstr(url, "@-") ? "url: names no host" : NULL;
}

static const char *check_url(const char *url)
{
    if (!url[0])
        return "needs url";
    if (strlen(url) > URL_OCTETS_MAX)
        return "url: is longer than 1000 octets";
    for (const char *p = url; *p; p++) {
        if (*p <= ' ' || *p > '~')
            return "url: has something else than printable ASCII in it";
    }
    if (url[0] == '/')
        return NULL;
    if (starts_with(url, "ssh://"))
        return check_ssh(url + strlen("ssh://"));
    if (starts_with(url, "https://"))
        return check_https(url + strlen("https://"));
    if (strstr(url, "://"))
        return "url should be ssh://, https://, HOST:PATH or a path from the root on";
    return check_scp(url);
}

bool config_remote_is_ssh(const struct config_remote *r)
{
    return r->url[0] != '/' && !starts_with(r->url, "https://");
}

static const char *check_remote(const struct config_remote *r)
{
    const char *wrong = check_url(r->url);

    if (wrong)
        return wrong;
    if (!r->name[0] || strlen(r->name) > NAME_OCTETS_MAX || !is_made_of(r->name, "._-"))
        return "its name should be letters, digits, '.', '_' and '-', at most 40";
    if (!is_plain_path(r->ssh_key) || !is_plain_path(r->known_hosts) ||
        !is_plain_path(r->credentials))
        return "ssh-key, known-hosts and credentials are paths from the root on, of letters, "
               "digits, '/', '.', '_', '+', '@' and '-'";
    if ((r->ssh_key[0] || r->known_hosts[0]) && !config_remote_is_ssh(r))
        return "ssh-key and known-hosts are for remotes by ssh";
    if (r->credentials[0] && !starts_with(r->url, "https://"))
        return "credentials is for remotes by https";
    if (r->retry_max_s < r->interval_s)
        return "retry-max is less than interval";
    return NULL;
}

enum err config_take_remotes(struct config *c, cfg_t *cfg, struct errinfo *e)
{
    unsigned n = cfg_size(cfg, "remote");

    c->remotes = xcalloc(n, sizeof(*c->remotes));
    for (unsigned i = 0; i < n; i++) {
        cfg_t *sec = cfg_getnsec(cfg, "remote", i);
        struct config_remote *r = &c->remotes[c->remote_count++];
        const char *wrong;

        r->name = xstrdup(cfg_title(sec));
        r->url = xstrdup(cfg_getstr(sec, "url"));
        r->ssh_key = xstrdup(cfg_getstr(sec, "ssh-key"));
        r->known_hosts = xstrdup(cfg_getstr(sec, "known-hosts"));
        r->credentials = xstrdup(cfg_getstr(sec, "credentials"));
        r->user = xstrdup(cfg_getstr(sec, "user"));
        r->interval_s = config_number_of(sec, "interval");
        r->retry_max_s = config_number_of(sec, "retry-max");
        r->time_limit_s = config_number_of(sec, "time-limit");
        if ((wrong = check_remote(r)))
            return config_fail_at(c, sec, e, "%s", wrong);
    }
    return OK;
}

void config_free_remotes(struct config *c)
{
    for (size_t i = 0; i < c->remote_count; i++) {
        free(c->remotes[i].name);
        free(c->remotes[i].url);
        free(c->remotes[i].ssh_key);
        free(c->remotes[i].known_hosts);
        free(c->remotes[i].credentials);
        free(c->remotes[i].user);
    }
    free(c->remotes);
}
