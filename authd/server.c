#include "authd/server.h"

#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "authd/cookie_front.h"
#include "authd/descriptors.h"
#include "authd/grace.h"
#include "authd/listen.h"
#include "authd/privileges.h"
#include "authd/tls_front.h"
#include "authd/updater.h"
#include "authd/worker.h"
#include "lib/base/descriptors.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"

struct server {
    struct config *first; /* the one we started with: paths and addresses are its */
    struct shared shared;
    struct cage cage;
    struct tls_tickets *tickets; /* outlive certificates */
    struct cookie_front cookies;
    struct updater *updater;
    struct worker **workers;
    size_t worker_count;
};

static void limit_clients(struct server *s, const struct config *c)
{
    tcp_quota_limit(s->shared.quota, descriptors_for_clients(c, s->worker_count),
                    c->tcp_per_source);
}

/* ---- Start ---- */

static size_t cores(void)
{
    cpu_set_t set;
    int n = sched_getaffinity(0, sizeof(set), &set) == 0 ? CPU_COUNT(&set) : 1;

    return n > 0 ? (size_t)n : 1;
}

static enum err probe_addresses(const struct config *c, struct errinfo *e)
{
    enum err rc = OK;

    if (c->listen_count + c->listen_tls_count == 0)
        return err_set(ERR_FORMAT, e, "%s: nothing to listen on: set listen in section authd",
                       c->path);
    for (size_t i = 0; i < c->listen_count && rc == OK; i++)
        rc = listen_probe(&c->listen[i], true, e);
    for (size_t i = 0; i < c->listen_tls_count && rc == OK; i++)
        rc = listen_probe(&c->listen_tls[i], false, e);
    return rc;
}

static enum err open_workers(struct server *s, struct errinfo *e)
{
    size_t n = s->first->workers ? s->first->workers : cores();
    enum err rc;

    if ((rc = probe_addresses(s->first, e)) || (rc = idle_board_new(&s->shared.idle_board, n, e)) ||
        (rc = stats_create(&s->shared.stats, n, s->first->zone_counters ? STATS_ZONES_MAX : 0,
                           s->shared.clock, e)))
        return rc;
    zonedb_count_in(s->shared.zonedb, s->shared.stats);
    s->workers = xcalloc(n, sizeof(struct worker *));
    for (size_t i = 0; i < n; i++) {
        if ((rc = worker_new(&s->workers[i], &s->shared, i, s->first, e)))
            return rc;
        s->worker_count++;
    }
    limit_clients(s, s->first);
    return OK;
}

/* With the rights that a reload will have: what cannot be read then fails now. */
static enum err load_tls(struct server *s, struct errinfo *e)
{
    struct tls_server *tls = NULL;
    enum err rc = tls_front_load(&tls, s->first, s->tickets, s->shared.clock, e);

    atomic_store(&s->shared.tls, tls);
    return rc;
}

static enum err load_cookies(struct server *s, struct errinfo *e)
{
    struct cookie_secrets *loaded = NULL;
    enum err rc = cookie_front_load(&loaded, s->first, e);

    if (rc == OK)
        cookie_front_set(&s->cookies, &s->shared, s->first, loaded);
    return rc;
}

/* Signals are the main thread's. */
static enum err start_threads(struct server *s, struct errinfo *e)
{
    sigset_t all, old;
    enum err rc;

    (void)sigfillset(&all);
    (void)sigdelset(&all, SIGSYS); /* cage.h: it names the call that it ends a thread for */
    (void)pthread_sigmask(SIG_SETMASK, &all, &old);
    rc = updater_start(&s->updater, s->shared.zonedb, stats_fd(s->shared.stats), s->first->data_dir,
                       s->first->run_dir, s->shared.clock, e);
    for (size_t i = 0; i < s->worker_count && rc == OK; i++)
        rc = worker_start(s->workers[i], e);
    (void)pthread_sigmask(SIG_SETMASK, &old, NULL);
    return rc;
}

static void log_address(const struct server *s, const struct addr *a, bool is_tls)
{
    char text[ADDR_TEXT_MAX];

    addr_to_text(text, a);
    log_info(say("listening"), kv_str("address", text), kv_bool("tls", is_tls),
             kv_u64("workers", s->worker_count));
}

static void log_listening(const struct server *s)
{
    for (size_t i = 0; i < s->first->listen_count; i++)
        log_address(s, &s->first->listen[i], false);
    for (size_t i = 0; i < s->first->listen_tls_count; i++)
        log_address(s, &s->first->listen_tls[i], true);
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
    s->shared.rrl = rrl_new(config->rrl_buckets, clock);
    atomic_init(&s->shared.config, config_ref(config));
    atomic_init(&s->shared.tls, NULL);
    atomic_init(&s->shared.cookies, NULL);
    s->tickets = tls_tickets_new(clock);
    descriptors_raise();
    if ((rc = open_workers(s, e)) || (rc = privileges_drop(&s->cage, config, e)) ||
        (rc = load_tls(s, e)) || (rc = load_cookies(s, e)) || (rc = start_threads(s, e))) {
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
    idle_board_free(s->shared.idle_board);
    rrl_free(s->shared.rrl);
    stats_free(s->shared.stats);
    tls_server_free(atomic_load(&s->shared.tls));
    tls_tickets_free(s->tickets);
    cookie_front_done(&s->shared);
    config_unref(atomic_load(&s->shared.config));
    config_unref(s->first);
    cage_done(&s->cage);
    free(s);
}

/* ---- Reload ---- */

static bool same_addresses(const struct addr *a, size_t na, const struct addr *b, size_t nb)
{
    for (size_t i = 0; i < na && na == nb; i++) {
        if (!addr_eq(&a[i], &b[i]))
            return false;
    }
    return na == nb;
}

static bool same_listen(const struct config *a, const struct config *b)
{
    return same_addresses(a->listen, a->listen_count, b->listen, b->listen_count) &&
           same_addresses(a->listen_tls, a->listen_tls_count, b->listen_tls, b->listen_tls_count);
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
    if (old->rrl_buckets != new->rrl_buckets)
        log_warning(say("rrl-buckets changes only with a restart"));
    if (old->zone_counters != new->zone_counters)
        log_warning(say("zone-counters changes only with a restart"));
    if (old->sandbox != new->sandbox)
        log_warning(say("sandbox changes only with a restart"));
}

enum err server_reload(struct server *s, struct config *config, struct errinfo *e)
{
    struct cookie_secrets *secrets = NULL;
    struct tls_server *tls = NULL;
    struct config *old;
    enum err rc = cookie_front_load(&secrets, config, e);

    if (rc || (rc = tls_front_load(&tls, config, s->tickets, s->shared.clock, e))) {
        cookie_front_wipe(secrets);
        rc = privileges_explain(rc, &s->cage, config, e);
        config_unref(config);
        return rc;
    }
    warn_unchanged(s->first, config);
    log_init("authd", config->log_level, config->log_format);
    limit_clients(s, config);
    old = atomic_exchange(&s->shared.config, config);
    if (tls) /* if it listens for TLS no more: not before a restart */
        tls_front_replace(&s->shared, tls);
    else
        grace_wait();
    config_unref(old);
    cookie_front_set(&s->cookies, &s->shared, config, secrets);
    log_info(say("configuration reloaded"), kv_str("file", config->path));
    return OK;
}

void server_tick(struct server *s)
{
    cookie_front_roll(&s->cookies, &s->shared);
}
