#include "syncd/daemon.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "syncd/autoprimary_rows.h"
#include "syncd/daemon_internal.h"
#include "syncd/settings.h"

#define STOP_PATIENCE_S 3 /* for updates that are being committed */

/* Puts a configuration and its keys in force; takes the references over. */
static void put_in_force(struct syncd *s, struct config *config, struct keyring *keys)
{
    replicator_reload(s->replicator, config, keys);
    xfrout_reload(s->xfrout, config, keys);
    notify_out_reload(s->notify, config, keys);
    updates_reload(s->updates, config, keys);
    producer_reload(s->producer, config);
    watch_reload(s->watch, config);
    remotes_reload(s->remotes, config);
    journaler_configure(s->journaler, config);
    retention_configure(s->retention, config);
    guard_commands_reload(s->guards, config);
    signature_ends_reload(s->ends, config);
    replicator_each(s->replicator, daemon_watch_row, s);
    watch_start(s->watch);
    api_set_config(s->api, config);
    config_unref(s->config);
    keyring_unref(s->keys);
    s->config = config;
    s->keys = keys;
}

/* An operator added or removed an autoprimary. */
static enum err on_autoprimaries(void *ctx, struct errinfo *e)
{
    struct syncd *s = ctx;
    struct config *config = NULL;
    enum err rc = autoprimary_rows_config(&config, s->file, s->data_dir, e);

    if (rc == OK)
        put_in_force(s, config, keyring_ref(s->keys));
    return rc;
}

/* The old configuration stays in force unless the whole new one is right. */
static void reload(struct syncd *s)
{
    struct config *file = NULL;
    struct config *config = NULL;
    struct keyring *keys = NULL;
    struct errinfo e = {0};

    if (settings_load(&file, &keys, s->config_path, &s->cage, &e) != OK ||
        autoprimary_rows_config(&config, file, s->data_dir, &e) != OK) {
        log_error(say("reload refused, the old configuration stays"), kv_err(&e));
        keyring_unref(keys);
        config_unref(file);
        return;
    }
    if (strcmp(config->data_dir, s->config->data_dir) != 0 ||
        strcmp(config->run_dir, s->config->run_dir) != 0)
        log_warning(say("data-dir and run-dir change only with a restart"));
    if (config->sandbox != s->config->sandbox)
        log_warning(say("sandbox changes only with a restart"));
    log_init("syncd", config->log_level, config->log_format);
    watch_again(s->watch);
    put_in_force(s, config, keys);
    config_unref(s->file);
    s->file = file;
    log_info(say("configuration reloaded"), kv_str("file", s->config_path),
             kv_u64("zones", config->zone_count));
}

static void on_updates_over(void *ctx)
{
    struct syncd *s = ctx;

    loop_stop(s->loop);
}

static void on_patience_over(evutil_socket_t fd, short what, void *ctx)
{
    (void)fd;
    (void)what;
    on_updates_over(ctx);
}

static void on_signal(evutil_socket_t number, short what, void *ctx)
{
    static const struct timeval patience = {.tv_sec = STOP_PATIENCE_S};
    struct syncd *s = ctx;

    (void)what;
    if (number == SIGHUP) {
        reload(s);
        return;
    }
    if (s->stopping) { /* it is meant at once, then */
        loop_stop(s->loop);
        return;
    }
    s->stopping = true;
    log_info(say("stopping"), kv_str("signal", number == SIGINT ? "SIGINT" : "SIGTERM"));
    if (updates_close(s->updates, on_updates_over, s) ||
        event_base_once(loop_base(s->loop), -1, EV_TIMEOUT, on_patience_over, s, &patience) != 0)
        loop_stop(s->loop);
}

static enum err make_dir(const char *path, mode_t mode, struct errinfo *e)
{
    if (mkdir(path, mode) != 0 && errno != EEXIST)
        return err_sys(errno, e, "directory %s", path);
    return OK;
}

static enum err add_signals(struct syncd *s, struct errinfo *e)
{
    static const int numbers[] = {SIGHUP, SIGTERM, SIGINT};

    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        s->signals[i] = evsignal_new(loop_base(s->loop), numbers[i], on_signal, s);
        if (!s->signals[i] || evsignal_add(s->signals[i], NULL) != 0)
            return err_set(ERR_LIMIT, e, "cannot wait for signals");
    }
    return OK;
}

static enum err start_api(struct syncd *s, struct errinfo *e)
{
    struct api_env env = {.loop = s->loop,
                          .committer = s->committer,
                          .journaler = s->journaler,
                          .front = s->front,
                          .replicator = s->replicator,
                          .xfrout = s->xfrout,
                          .notify = s->notify,
                          .watch = s->watch,
                          .remotes = s->remotes,
                          .guards = s->guards,
                          .ends = s->ends,
                          .signing = s->signing,
                          .config = s->config,
                          .readers = s->readers,
                          .cache = s->cache,
                          .sandbox = s->sandbox,
                          .autoprimaries_changed = on_autoprimaries,
                          .ctx = s};

    return api_start(&s->api, &env, e);
}

static enum err start_retention(struct syncd *s, struct errinfo *e)
{
    struct retention_env env = {.loop = s->loop,
                                .readers = s->readers,
                                .replicator = s->replicator,
                                .journaler = s->journaler};

    return retention_start(&s->retention, &env, s->config, e);
}

static enum err add_autoprimaries(struct syncd *s, struct errinfo *e)
{
    struct config *config = NULL;
    enum err rc = autoprimary_rows_config(&config, s->file, s->data_dir, e);

    if (rc)
        return rc;
    config_unref(s->config);
    s->config = config;
    return OK;
}

/* Programs of their own, which are outside of the cage. */
static enum err start_helpers(struct syncd *s, struct errinfo *e)
{
    enum err rc = OK;

    if (s->config->remote_count)
        rc = remote_helper_start(&s->remote_helper, s->config_path, e);
    if (rc == OK && config_command_find(s->config, NULL, 0))
        rc = guard_helper_start(&s->guard_helper, s->config_path, e);
    return rc;
}

static void start_remotes(struct syncd *s)
{
    struct remotes_env env = {.loop = s->loop,
                              .committer = s->committer,
                              .journaler = s->journaler,
                              .readers = s->readers,
                              .helper = s->remote_helper};

    s->remotes = remotes_new(&env, s->config);
    s->remote_helper = -1;
}

/* The store first: its lock is what keeps a second syncd away from everything else. */
static enum err start_parts(struct syncd *s, struct errinfo *e)
{
    const struct config *c = s->config;
    enum err rc;

    if ((rc = make_dir(c->data_dir, 0750, e)) || (rc = make_dir(c->run_dir, 0750, e)) ||
        (rc = start_helpers(s, e)) ||
        (rc = settings_cage(&s->cage, s->sandbox, sizeof(s->sandbox), c, e)) ||
        (rc = loop_new(&s->loop, clock_real(), c->pool_threads, e)) ||
        (rc = committer_start(&s->committer, s->loop, c->data_dir, clock_real(),
                              c->change_log_bytes, daemon_committed, s, e)) ||
        (rc = signing_open(&s->signing, c->data_dir, c->node, clock_wall(clock_real()), e)) ||
        (rc = journaler_start(&s->journaler, s->committer, c->data_dir, c->node, s->signing, c,
                              e)) ||
        (rc = add_autoprimaries(s, e)))
        return rc;
    s->readers = store_readers_new(c->data_dir);
    s->xfrout =
        xfrout_new(s->loop, s->config, s->keys, s->readers, daemon_section, daemon_answer_later, s);
    s->notify = notify_out_new(s->loop, s->config, s->keys, s->readers);
    s->cache = zone_cache_new(c->zone_cache_bytes);
    s->guards = guard_commands_new(s->loop, s->guard_helper, s->data_dir, s->config);
    s->guard_helper = -1;
    s->net = replicator_net_new(&s->ops, s->loop, s->committer, s->readers, s->cache, s->guards);
    s->ops.section_changed = daemon_section_changed;
    s->ops.section_ctx = s;
    if ((rc = replicator_new(&s->replicator, &s->ops, s->config, s->keys, e)))
        return rc;
    replicator_net_attach(s->net, s->replicator);
    s->updates = daemon_updates(s);
    s->producer = daemon_producer(s);
    s->hold_rules = daemon_hold_rules(s);
    s->watch = daemon_watch(s);
    start_remotes(s);
    s->ends = signature_ends_new(s->loop, s->readers, s->config);
    replicator_each(s->replicator, daemon_watch_row, s);
    if ((rc = front_start(&s->front, s->loop, c->run_dir, &daemon_front_events, s, e)) ||
        (rc = start_api(s, e)) || (rc = start_retention(s, e)))
        return rc;
    s->content_queries =
        (struct content_queries){.loop = s->loop, .front = s->front, .readers = s->readers};
    replicator_each(s->replicator, daemon_tell_of_row, s);
    watch_start(s->watch);
    hold_rules_look(s->hold_rules);
    return add_signals(s, e);
}

/* Nothing here is needed for safety: kill -9 is a normal way to stop, too. */
static void stop_parts(struct syncd *s)
{
    struct front *front = s->front;

    api_stop(s->api);
    retention_stop(s->retention);
    s->front = NULL; /* no more hints */
    front_stop(front);
    watch_free(s->watch);
    remotes_stop(s->remotes);
    if (s->remote_helper >= 0)
        (void)close(s->remote_helper);
    guard_commands_stop(s->guards);
    signature_ends_stop(s->ends);
    if (s->guard_helper >= 0)
        (void)close(s->guard_helper);
    updates_free(s->updates);
    producer_free(s->producer);
    s->producer = NULL;
    hold_rules_free(s->hold_rules);
    s->hold_rules = NULL;
    replicator_free(s->replicator);
    notify_out_free(s->notify);
    s->notify = NULL;
    xfrout_free(s->xfrout);
    if (s->net)
        replicator_net_free(s->net);
    for (size_t i = 0; i < sizeof(s->signals) / sizeof(s->signals[0]); i++) {
        if (s->signals[i])
            event_free(s->signals[i]);
    }
    /* The journal thread waits for the writer, so it ends first. */
    journaler_stop(s->journaler);
    s->journaler = NULL;
    committer_stop(s->committer);
    loop_free(s->loop);
    retention_free(s->retention);
    remotes_free(s->remotes);
    guard_commands_free(s->guards);
    signature_ends_free(s->ends);
    signing_free(s->signing);
    zone_cache_free(s->cache); /* threads of the loop have used these */
    store_readers_free(s->readers);
    keyring_unref(s->keys);
    config_unref(s->config);
    config_unref(s->file);
    free(s->data_dir);
    cage_done(&s->cage);
}

int daemon_run(const char *config_path, struct config *config, struct keyring *keys)
{
    struct syncd s = {.config_path = config_path,
                      .file = config,
                      .data_dir = xstrdup(config->data_dir),
                      .config = config_ref(config),
                      .keys = keys,
                      .remote_helper = -1,
                      .guard_helper = -1};
    struct errinfo e = {0};
    int code = 0;

    if (start_parts(&s, &e) != OK) {
        log_error(say("cannot start"), kv_err(&e));
        code = 1;
    } else {
        log_info(say("ready"), kv_str("node", s.config->node), kv_str("data", s.config->data_dir),
                 kv_u64("zones", s.config->zone_count), kv_str("release", ZL_VERSION));
        loop_run(s.loop);
    }
    stop_parts(&s);
    return code;
}
