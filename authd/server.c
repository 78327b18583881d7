#include "authd/server.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "authd/grace.h"
#include "authd/listen.h"
#include "authd/updater.h"
#include "authd/worker.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"

struct server {
    struct config *first; /* the one we started with: paths and addresses are its */
    struct shared shared;
    struct updater *updater;
    struct worker **workers;
    size_t worker_count;
};

/* ---- Start ---- */

static size_t cores(void)
{
    cpu_set_t set;
    int n = sched_getaffinity(0, sizeof(set), &set) == 0 ? CPU_COUNT(&set) : 1;

    return n > 0 ? (size_t)n : 1;
}

/* As many descriptors as we are allowed: connections are limited by tcp-clients. */
static void raise_descriptors(const struct config *c)
{
    struct rlimit r;

    if (getrlimit(RLIMIT_NOFILE, &r) != 0)
        return;
    r.rlim_cur = r.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &r);
    if (r.rlim_max != RLIM_INFINITY && r.rlim_max < c->tcp_clients + 256)
        log_warning(say("fewer descriptors than tcp-clients needs"),
                    kv_u64("descriptors", r.rlim_max), kv_u64("tcp_clients", c->tcp_clients));
}

static enum err open_workers(struct server *s, struct errinfo *e)
{
    const struct config *c = s->first;
    size_t n = c->workers ? c->workers : cores();
    enum err rc;

    if (c->listen_count == 0)
        return err_set(ERR_FORMAT, e, "%s: nothing to listen on: set listen in section authd",
                       c->path);
    for (size_t i = 0; i < c->listen_count; i++) {
        if ((rc = listen_probe(&c->listen[i], e)))
            return rc;
    }
    s->workers = xcalloc(n, sizeof(struct worker *));
    for (size_t i = 0; i < n; i++) {
        if ((rc = worker_new(&s->workers[i], &s->shared, c->listen, c->listen_count, e)))
            return rc;
        s->worker_count++;
    }
    return OK;
}

/* The group's id: the configured one, or the user's own. */
static enum err find_group(gid_t *out, const char *name, const struct passwd *user,
                           struct errinfo *e)
{
    const struct group *g;

    *out = user->pw_gid;
    if (!name[0])
        return OK;
    if (!(g = getgrnam(name)))
        return err_set(ERR_NOT_FOUND, e, "there is no group '%s'", name);
    *out = g->gr_gid;
    return OK;
}

static enum err become_user(const struct config *c, struct errinfo *e)
{
    const struct passwd *user;
    gid_t gid;
    uid_t uid;
    enum err rc;

    if (!c->authd_user[0] || geteuid() != 0)
        return OK;
    if (!(user = getpwnam(c->authd_user)))
        return err_set(ERR_NOT_FOUND, e, "there is no user '%s'", c->authd_user);
    uid = user->pw_uid;
    if ((rc = find_group(&gid, c->authd_group, user, e)))
        return rc;
    if (initgroups(c->authd_user, gid) != 0 || setresgid(gid, gid, gid) != 0 ||
        setresuid(uid, uid, uid) != 0)
        return err_sys(errno, e, "cannot become user '%s'", c->authd_user);
    if (uid != 0 && setuid(0) == 0)
        return err_set(ERR_DENIED, e, "root's rights did not go away");
    log_info(say("became another user"), kv_str("user", c->authd_user), kv_u64("uid", uid),
             kv_u64("gid", gid));
    return OK;
}

/* Signals are the main thread's. */
static enum err start_threads(struct server *s, struct errinfo *e)
{
    sigset_t all, old;
    enum err rc;

    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &old);
    rc = updater_start(&s->updater, s->shared.zonedb, s->first->data_dir, s->first->run_dir,
                       s->shared.clock, e);
    for (size_t i = 0; i < s->worker_count && rc == OK; i++)
        rc = worker_start(s->workers[i], e);
    (void)pthread_sigmask(SIG_SETMASK, &old, NULL);
    return rc;
}

static void log_listening(const struct server *s)
{
    for (size_t i = 0; i < s->first->listen_count; i++) {
        char text[ADDR_TEXT_MAX];

        addr_to_text(text, &s->first->listen[i]);
        log_info(say("listening"), kv_str("address", text), kv_u64("workers", s->worker_count));
    }
}

enum err server_start(struct server **out, struct config *config, struct errinfo *e)
{
    struct server *s = xcalloc(1, sizeof(*s));
    const struct clock *clock = clock_real();
    enum err rc;

    s->first = config;
    s->shared = (struct shared){
        .zonedb = zonedb_new(clock),
        .quota = tcp_quota_new(config->tcp_clients, config->tcp_per_source, clock),
        .clock = clock,
        .run_dir = config->run_dir,
    };
    atomic_init(&s->shared.config, config_ref(config));
    raise_descriptors(config);
    if ((rc = open_workers(s, e)) || (rc = become_user(config, e)) || (rc = start_threads(s, e))) {
        server_stop(s);
        return rc;
    }
    log_listening(s);
    *out = s;
    return OK;
}

void server_stop(struct server *s)
{
    if (!s)
        return;
    for (size_t i = 0; i < s->worker_count; i++)
        worker_stop(s->workers[i]);
    free(s->workers);
    updater_stop(s->updater);
    zonedb_free(s->shared.zonedb);
    tcp_quota_free(s->shared.quota);
    config_unref(atomic_load(&s->shared.config));
    config_unref(s->first);
    free(s);
}

/* ---- Reload ---- */

static bool same_listen(const struct config *a, const struct config *b)
{
    if (a->listen_count != b->listen_count)
        return false;
    for (size_t i = 0; i < a->listen_count; i++) {
        if (!addr_eq(&a->listen[i], &b->listen[i]))
            return false;
    }
    return true;
}

static void warn_unchanged(const struct config *old, const struct config *new)
{
    if (!same_listen(old, new))
        log_warning(say("listen changes only with a restart"));
    if (old->workers != new->workers)
        log_warning(say("workers changes only with a restart"));
    if (strcmp(old->data_dir, new->data_dir) != 0 || strcmp(old->run_dir, new->run_dir) != 0)
        log_warning(say("data-dir and run-dir change only with a restart"));
    if (strcmp(old->authd_user, new->authd_user) != 0 ||
        strcmp(old->authd_group, new->authd_group) != 0)
        log_warning(say("user and group change only with a restart"));
}

void server_reload(struct server *s, struct config *config)
{
    struct config *old;

    warn_unchanged(s->first, config);
    log_init("authd", config->log_level, config->log_format);
    tcp_quota_limit(s->shared.quota, config->tcp_clients, config->tcp_per_source);
    old = atomic_exchange(&s->shared.config, config);
    grace_wait();
    config_unref(old);
    log_info(say("configuration reloaded"), kv_str("file", config->path));
}
