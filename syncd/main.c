/* syncd: the parts, put together; signals; reload. */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/cage.h"
#include "lib/base/descriptors.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/net/config_check.h"
#include "syncd/api.h"
#include "syncd/autoprimary_rows.h"
#include "syncd/content_query.h"
#include "syncd/notify_out.h"
#include "syncd/private_query.h"
#include "syncd/producer.h"
#include "syncd/remotes.h"
#include "syncd/restore.h"
#include "syncd/updates.h"
#include "syncd/watch.h"
#include "syncd/xfrout.h"

struct syncd {
    const char *config_path;
    bool restore;
    const char *restore_from; /* NULL: the journal that is there */
    struct config *file;      /* as it was read */
    char *data_dir;           /* whatever a reload says: the store does not move */
    struct config *config;    /* with the autoprimaries of the store; what is in force */
    struct cage cage;
    char sandbox[64];
    struct keyring *keys;
    struct loop *loop;
    struct committer *committer;
    struct signing *signing;
    struct journaler *journaler;
    struct front *front;
    struct content_queries content_queries;
    struct replicator *replicator;
    struct replicator_ops ops;
    struct replicator_net *net;
    struct zone_cache *cache;
    struct store_readers *readers;
    struct xfrout *xfrout;
    struct notify_out *notify;
    struct updates *updates;
    struct producer *producer;
    struct watch *watch;
    int remote_helper; /* its socket, until `remotes` has it; -1: none */
    struct remotes *remotes;
    struct api *api;
    struct event *signals[3];
};

/* ---- Glue ---- */

static const struct config_zone *section_of(void *ctx, const uint8_t *zone)
{
    struct syncd *s = ctx;

    return replicator_section(s->replicator, zone);
}

/* That of a new zone, of which the replicator does not know yet, is its directory's. */
static const struct config_zone *section_of_row(struct syncd *s, const struct store_zone *row)
{
    const struct config_zone *c = replicator_section(s->replicator, row->name);
    const struct config_directory *d =
        !c && row->file[0] ? config_directory_of(s->config, row->file) : NULL;

    return d ? &d->zone : c;
}

/* Our secondaries hear of a new version. */
static void tell_secondaries(struct syncd *s, const struct commit_job *job)
{
    struct soa fields;
    struct rr soa;

    if (job->rc == OK && job->kind == COMMIT_MARK && !job->row.removed && job->row.has_content)
        notify_out_zone(s->notify, job->row.name, section_of_row(s, &job->row), NULL,
                        job->row.serial, job->seq);
    if (job->rc != OK || job->kind != COMMIT_CHANGE || !zone_soa(job->new_zone, &soa, &fields))
        return;
    notify_out_zone(s->notify, job->row.name, section_of_row(s, &job->row), &soa, fields.serial,
                    job->seq);
}

/* Loop thread, after each transaction that changed something. */
static void on_committed(void *ctx, uint64_t seq, const struct commit_job *jobs)
{
    struct syncd *s = ctx;

    if (s->front)
        front_hint(s->front, seq);
    for (const struct commit_job *j = jobs; j && s->notify; j = j->next)
        tell_secondaries(s, j);
    if (s->producer)
        producer_committed(s->producer, jobs);
    if (s->journaler)
        journaler_wake(s->journaler);
}

static bool is_update(const struct ho_frame *m)
{
    return m->wire_len >= MSG_HEADER_OCTETS &&
           (get_u16(m->wire + 2) & MSG_OPCODE_MASK) == OPCODE_UPDATE << 11;
}

static void on_message(void *ctx, const struct ho_frame *message, struct buf *reply)
{
    struct syncd *s = ctx;
    struct private_query_env env = {.config = s->config,
                                    .keys = s->keys,
                                    .now = clock_wall(loop_clock(s->loop)),
                                    .section = section_of,
                                    .ctx = s};

    if (is_update(message))
        updates_message(s->updates, message, reply);
    else if (!content_query(&s->content_queries, &env, message, reply) &&
             !private_query(&env, message, reply) && !xfrout_datagram(s->xfrout, message, reply))
        replicator_message(s->replicator, message, reply);
}

/* ---- Updates ---- */

static void submit_commit(void *ctx, struct commit_job *job)
{
    struct syncd *s = ctx;

    commit_submit(s->committer, job);
}

static struct front_later *answer_later(void *ctx)
{
    struct syncd *s = ctx;

    return front_later(s->front);
}

static bool known_row(void *ctx, const uint8_t *zone, struct store_zone *out)
{
    struct syncd *s = ctx;

    return replicator_row(s->replicator, zone, out, NULL) == OK;
}

static void row_changed(void *ctx, const struct store_zone *row)
{
    struct syncd *s = ctx;

    replicator_row_changed(s->replicator, row);
}

static struct updates *start_updates(struct syncd *s)
{
    struct updates_ops ops = {.ctx = s,
                              .loop = s->loop,
                              .cache = s->cache,
                              .readers = s->readers,
                              .commit = submit_commit,
                              .later = answer_later,
                              .row = known_row,
                              .section = section_of,
                              .changed = row_changed};

    return updates_new(&ops, s->config, s->keys);
}

/* ---- Catalogs that we make ---- */

static bool producer_zone(void *ctx, const uint8_t *zone, struct replicator_zone *out)
{
    struct syncd *s = ctx;

    return replicator_zone(s->replicator, zone, out);
}

static void producer_each_zone(void *ctx, replicator_zone_fn *f, void *arg)
{
    struct syncd *s = ctx;

    replicator_each_zone(s->replicator, f, arg);
}

/* A followed catalog has the zone in another group, say. */
static void section_changed(void *ctx, const uint8_t *zone)
{
    struct syncd *s = ctx;

    if (s->producer)
        producer_touch(s->producer, zone);
}

static struct producer *start_producer(struct syncd *s)
{
    struct producer_ops ops = {.ctx = s,
                               .loop = s->loop,
                               .cache = s->cache,
                               .readers = s->readers,
                               .commit = submit_commit,
                               .zone = producer_zone,
                               .each_zone = producer_each_zone,
                               .changed = row_changed};

    return producer_new(&ops, s->config);
}

/* ---- Directories of zone files ---- */

static void explain_directory(void *ctx, const char *path, struct errinfo *e)
{
    struct syncd *s = ctx;

    (void)!cage_explain(ERR_IO, &s->cage, path, e);
}

static struct watch *make_watch(struct syncd *s)
{
    struct watch_ops ops = {.ctx = s,
                            .loop = s->loop,
                            .cache = s->cache,
                            .readers = s->readers,
                            .commit = submit_commit,
                            .section = section_of,
                            .row = known_row,
                            .explain = explain_directory,
                            .changed = row_changed};

    return watch_new(&ops, s->config);
}

static void watch_row(void *ctx, const struct replicator_status *status)
{
    struct syncd *s = ctx;

    watch_known(s->watch, &status->row);
}

static void on_served(void *ctx, uint64_t seq)
{
    struct syncd *s = ctx;

    notify_out_served(s->notify, seq);
}

static void on_stream(void *ctx, const struct ho_frame *stream, int fd)
{
    struct syncd *s = ctx;

    xfrout_take(s->xfrout, stream, fd);
}

/* What was committed just before the last stop may not have been told. */
static void tell_of_row(void *ctx, const struct replicator_status *status)
{
    struct syncd *s = ctx;
    const struct store_zone *row = &status->row;

    if (row->has_content && !row->removed && !row->expired)
        notify_out_zone(s->notify, row->name, replicator_section(s->replicator, row->name), NULL,
                        row->serial, 0);
}

/* The file that is read for it; NULL: none. */
static const char *authorities_of(const struct config_tls *t)
{
    if (!t->on || !t->hostname[0])
        return NULL;
    return t->ca[0] ? t->ca : tls_system_authorities();
}

static void explain_tls(enum err rc, const struct cage *cage, const struct config_tls *t,
                        struct errinfo *e)
{
    const char *const files[] = {authorities_of(t), t->certificate, t->key};

    for (size_t i = 0; t->on && i < sizeof(files) / sizeof(files[0]); i++) {
        (void)!cage_explain(rc, cage, files[i], e); /* gives rc back */
    }
}

/* `cage`: as it is by now. */
static enum err load_config(struct config **config, struct keyring **keys, const char *path,
                            const struct cage *cage, struct errinfo *e)
{
    struct config *c = NULL;
    enum err rc;

    if ((rc = config_load(&c, path, e)))
        return rc;
    if ((rc = config_check(c, e)) || (rc = keyring_load(keys, c, e))) {
        for (size_t i = 0; i < c->key_count; i++)
            (void)!cage_explain(rc, cage, c->keys[i].secret_file, e); /* gives rc back */
        for (size_t i = 0; i < c->primary_count; i++)
            explain_tls(rc, cage, &c->primaries[i].tls, e);
        config_unref(c);
        return rc;
    }
    *config = c;
    return OK;
}

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
    replicator_each(s->replicator, watch_row, s);
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

    if (load_config(&file, &keys, s->config_path, &s->cage, &e) != OK ||
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

static void on_signal(evutil_socket_t number, short what, void *ctx)
{
    struct syncd *s = ctx;

    (void)what;
    if (number == SIGHUP) {
        reload(s);
        return;
    }
    log_info(say("stopping"), kv_str("signal", number == SIGINT ? "SIGINT" : "SIGTERM"));
    loop_stop(s->loop);
}

/* ---- Start and stop ---- */

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
                          .signing = s->signing,
                          .config = s->config,
                          .readers = s->readers,
                          .sandbox = s->sandbox,
                          .autoprimaries_changed = on_autoprimaries,
                          .ctx = s};

    return api_start(&s->api, &env, e);
}

/* A link is there to be changed: what lies beside the directory that it leads to is next. */
static void allow_directory(struct cage *cage, const char *path)
{
    struct stat st;

    cage_allow(cage, path, CAGE_READ);
    if (lstat(path, &st) == 0 && S_ISLNK(st.st_mode))
        cage_allow_file(cage, path);
}

/* What syncd opens: its own directories, what a reload reads again, directories of zone files, and
 * the names of users, for the history. Files that operators import come through the control socket.
 */
static enum err enter_cage(struct syncd *s, struct errinfo *e)
{
    const struct config *c = s->config;
    struct cage *cage = &s->cage;
    struct cage_report report;
    enum err rc;

    cage_init(cage, "syncd", CAGE_REPLICATES);
    cage_text(s->sandbox, sizeof(s->sandbox), NULL);
    if (!c->sandbox) {
        log_warning(say("the cage is open: sandbox is off"));
        return OK;
    }
    cage_allow(cage, c->data_dir, CAGE_WRITE);
    cage_allow(cage, c->run_dir, CAGE_WRITE);
    cage_allow(cage, "/etc", CAGE_READ);
    cage_allow_file(cage, "/etc/resolv.conf"); /* often a link to somewhere else */
    cage_allow_file(cage, c->path);
    for (size_t i = 0; i < c->key_count; i++)
        cage_allow_file(cage, c->keys[i].secret_file);
    for (size_t i = 0; i < c->primary_count; i++) {
        const struct config_tls *t = &c->primaries[i].tls;

        cage_allow_file(cage, authorities_of(t));
        cage_allow_file(cage, t->certificate);
        cage_allow_file(cage, t->key);
    }
    for (size_t i = 0; i < c->directory_count; i++)
        allow_directory(cage, c->directories[i].path);
    if ((rc = cage_enter(&report, cage, e)))
        return rc;
    cage_log(&report);
    cage_text(s->sandbox, sizeof(s->sandbox), &report);
    return OK;
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

/* A program of its own, which is outside of the cage. */
static enum err start_remote_helper(struct syncd *s, struct errinfo *e)
{
    return s->config->remote_count ? remote_helper_start(&s->remote_helper, s->config_path, e) : OK;
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
static enum err start(struct syncd *s, struct errinfo *e)
{
    static const struct front_events events = {on_message, on_stream, on_served};
    const struct config *c = s->config;
    enum err rc;

    if ((rc = make_dir(c->data_dir, 0750, e)) || (rc = make_dir(c->run_dir, 0750, e)) ||
        (rc = start_remote_helper(s, e)) || (rc = enter_cage(s, e)) ||
        (rc = loop_new(&s->loop, clock_real(), c->pool_threads, e)) ||
        (rc = committer_start(&s->committer, s->loop, c->data_dir, clock_real(),
                              c->change_log_bytes, on_committed, s, e)) ||
        (rc = signing_open(&s->signing, c->data_dir, c->node, clock_wall(clock_real()), e)) ||
        (rc = journaler_start(&s->journaler, s->committer, c->data_dir, c->node, s->signing, e)) ||
        (rc = add_autoprimaries(s, e)))
        return rc;
    s->readers = store_readers_new(c->data_dir);
    s->xfrout = xfrout_new(s->loop, s->config, s->keys, s->readers, section_of, answer_later, s);
    s->notify = notify_out_new(s->loop, s->config, s->keys, s->readers);
    s->cache = zone_cache_new(c->zone_cache_bytes);
    s->net = replicator_net_new(&s->ops, s->loop, s->committer, s->readers, s->cache);
    s->ops.section_changed = section_changed;
    s->ops.section_ctx = s;
    if ((rc = replicator_new(&s->replicator, &s->ops, s->config, s->keys, e)))
        return rc;
    replicator_net_attach(s->net, s->replicator);
    s->updates = start_updates(s);
    s->producer = start_producer(s);
    s->watch = make_watch(s);
    start_remotes(s);
    replicator_each(s->replicator, watch_row, s);
    if ((rc = front_start(&s->front, s->loop, c->run_dir, &events, s, e)) || (rc = start_api(s, e)))
        return rc;
    s->content_queries =
        (struct content_queries){.loop = s->loop, .front = s->front, .readers = s->readers};
    replicator_each(s->replicator, tell_of_row, s);
    watch_start(s->watch);
    return add_signals(s, e);
}

/* Nothing here is needed for safety: kill -9 is a normal way to stop, too. */
static void stop(struct syncd *s)
{
    struct front *front = s->front;

    api_stop(s->api);
    s->front = NULL; /* no more hints */
    front_stop(front);
    watch_free(s->watch);
    remotes_stop(s->remotes);
    if (s->remote_helper >= 0)
        (void)close(s->remote_helper);
    updates_free(s->updates);
    producer_free(s->producer);
    s->producer = NULL;
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
    remotes_free(s->remotes);
    signing_free(s->signing);
    zone_cache_free(s->cache); /* threads of the loop have used these */
    store_readers_free(s->readers);
    keyring_unref(s->keys);
    config_unref(s->config);
    config_unref(s->file);
    free(s->data_dir);
    cage_done(&s->cage);
}

/* ---- Command line ---- */

static const struct option long_options[] = {
    {"config", required_argument, NULL, 'c'},
    {"check-config", no_argument, NULL, 'C'},
    {"help-config", no_argument, NULL, 'H'},
    {"version", no_argument, NULL, 'V'},
    {"help", no_argument, NULL, 'h'},
    {"restore", optional_argument, NULL, 'R'},
    {NULL, 0, NULL, 0},
};

static void usage(FILE *to)
{
    (void)fputs("usage: syncd [--config FILE] [--check-config]\n\n"
                "Replicates zones into the store and keeps their history.\n\n"
                "  -c, --config FILE   default: /etc/zoneledger/zoneledger.conf\n"
                "      --check-config  read and check it, say what is wrong, and exit\n"
                "      --help-config   all configuration items\n"
                "      --restore[=REPOSITORY]  make the store anew from the history, and exit\n"
                "      --version, -h, --help\n",
                to);
}

static void help_config(void)
{
    struct buf text = BUF_INIT;

    config_help(&text);
    (void)fwrite(text.data, 1, text.len, stdout);
    buf_free(&text);
}

/* Returns -1 to go on, or the exit code. */
static int parse_options(struct syncd *s, bool *check, int argc, char **argv)
{
    int c;

    while ((c = getopt_long(argc, argv, "c:h", long_options, NULL)) != -1) {
        switch (c) {
        case 'c':
            s->config_path = optarg;
            break;
        case 'C':
            *check = true;
            break;
        case 'R':
            s->restore = true;
            s->restore_from = optarg;
            break;
        case 'H':
            help_config();
            return 0;
        case 'V':
            (void)puts("syncd " ZL_VERSION);
            return 0;
        case 'h':
            usage(stdout);
            return 0;
        default:
            usage(stderr);
            return 64;
        }
    }
    if (optind < argc) {
        usage(stderr);
        return 64;
    }
    return -1;
}

static int restore(const struct syncd *s)
{
    struct restore_report r;
    struct errinfo e = {0};

    if (restore_run(&r, s->config, s->restore_from, &e) != OK) {
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

static void free_config(struct syncd *s)
{
    keyring_unref(s->keys);
    config_unref(s->config);
    config_unref(s->file);
    free(s->data_dir);
}

int main(int argc, char **argv)
{
    struct syncd s = {.config_path = "/etc/zoneledger/zoneledger.conf", .remote_helper = -1};
    struct config *config = NULL;
    struct keyring *keys = NULL;
    struct errinfo e = {0};
    bool check = false;
    int code;

    if (argc == 3 && strcmp(argv[1], "--remote-helper") == 0)
        return remote_helper_main(argv[2]);
    code = parse_options(&s, &check, argc, argv);

    if (code >= 0)
        return code;
    if (load_config(&config, &keys, s.config_path, &s.cage, &e) != OK) {
        (void)fprintf(stderr, "syncd: %s\n", e.text);
        return 1;
    }
    s.file = config;
    s.config = config_ref(config);
    s.data_dir = xstrdup(config->data_dir);
    s.keys = keys;
    if (check) {
        (void)printf("%s: right; %zu zones, %zu primaries, %zu keys\n", s.config_path,
                     s.config->zone_count, s.config->primary_count, s.config->key_count);
        free_config(&s);
        return 0;
    }
    (void)umask(0027);
    if (s.restore) {
        log_init("syncd", s.config->log_level, s.config->log_format);
        code = restore(&s);
        free_config(&s);
        return code;
    }
    (void)signal(SIGPIPE, SIG_IGN);
    (void)prctl(PR_SET_DUMPABLE, 0); /* secrets stay out of core dumps */
    descriptors_raise();
    log_init("syncd", s.config->log_level, s.config->log_format);
    if (start(&s, &e) != OK) {
        log_error(say("cannot start"), kv_err(&e));
        code = 1;
    } else {
        log_info(say("ready"), kv_str("node", s.config->node), kv_str("data", s.config->data_dir),
                 kv_u64("zones", s.config->zone_count), kv_str("release", ZL_VERSION));
        loop_run(s.loop);
        code = 0;
    }
    stop(&s);
    return code;
}
