#include "syncd/guard_command.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <event2/event.h>

#include "lib/base/log.h"
#include "lib/base/mem.h"

#define TICK_MS 1000
#define GRACE_MS 10000 /* the helper ends what is too slow itself */

enum check_state { CHECK_QUEUED, CHECK_WRITING, CHECK_RUNNING, CHECK_REMOVING };

struct guard_check {
    struct guard_commands *g;
    struct guard_check *prev, *next; /* of g's list, oldest first */
    uint64_t id;
    enum check_state state;
    bool cancelled;
    uint8_t zone[NAME_MAX_OCTETS];
    char command[CONFIG_COMMAND_MAX + 1];
    uint32_t time_s;
    struct zone *old_zone, *new_zone;
    char *dir;
    mode_t mode;
    struct mono deadline; /* for an answer */
    guard_check_fn *done;
    void *ctx;

    enum err rc; /* of writing the files */
    struct errinfo error;
};

struct guard_commands {
    struct loop *loop;
    int helper; /* -1: there is none */
    char *data_dir;
    uint32_t at_once;
    mode_t mode; /* of directories */
    uint64_t last_id;
    bool stopped, pumping;
    struct event *tick, *answers;
    struct guard_check *head, *tail;
    struct guard_command_counts counts;
};

/* ---- What an answer means ---- */

static const char *name_of(const struct config_command *command)
{
    const char *slash = command->arg_count ? strrchr(command->args[0], '/') : NULL;

    return slash && slash[1] ? slash + 1 : "the guard command";
}

static void say_of(struct guard_verdict *v, const char *name, const char *what)
{
    size_t n = strlen(v->reason);

    (void)snprintf(v->reason + n, sizeof(v->reason) - n, "%s%s: %s", n ? "; " : "", name, what);
}

void guard_command_judge(struct guard_verdict *v, const struct config_command *command,
                         const struct guard_answer *a)
{
    char text[sizeof(a->text) + 64];

    switch ((enum helper_end_kind)a->kind) {
    case HELPER_EXITED:
        if (a->code == 0)
            return;
        if (a->text[0])
            (void)snprintf(text, sizeof(text), "%s", a->text);
        else
            (void)snprintf(text, sizeof(text), "it ended with %d", (int)a->code);
        v->quarantine = true;
        say_of(v, name_of(command), text);
        return;
    case HELPER_KILLED:
        (void)snprintf(text, sizeof(text), "it was killed by signal %d", (int)a->code);
        break;
    case HELPER_TIMED_OUT:
        (void)snprintf(text, sizeof(text), "it took longer than %u s and was ended",
                       (unsigned)command->time_s);
        break;
    case HELPER_NOT_STARTED:
    default: /* whatever came by the socket */
        (void)snprintf(text, sizeof(text), "it could not be run: %s",
                       a->text[0] ? a->text : "for no reason given");
        break;
    }
    v->quarantine = v->quarantine || !command->failure_serves;
    v->alert = v->alert || command->failure_serves;
    say_of(v, name_of(command), text);
}

/* ---- The list ---- */

static void list_remove(struct guard_check *c)
{
    struct guard_commands *g = c->g;

    *(c->prev ? &c->prev->next : &g->head) = c->next;
    *(c->next ? &c->next->prev : &g->tail) = c->prev;
}

static void check_free(struct guard_check *c)
{
    zone_unref(c->old_zone);
    zone_unref(c->new_zone);
    free(c->dir);
    free(c);
}

static struct guard_check *find_running(struct guard_commands *g, uint64_t id)
{
    struct guard_check *c = g->head;

    while (c && (c->id != id || c->state != CHECK_RUNNING))
        c = c->next;
    return c;
}

/* ---- The way of a check ---- */

static void pump(struct guard_commands *g);

static void remove_work(void *ctx)
{
    const struct guard_check *c = ctx;

    guard_files_remove(c->dir);
}

static void remove_done(void *ctx)
{
    struct guard_check *c = ctx;

    list_remove(c);
    check_free(c);
}

/* Gives its place away. What is written already is taken away in the pool: it may be large. */
static void leave(struct guard_check *c, bool written)
{
    struct guard_commands *g = c->g;

    if (c->state == CHECK_QUEUED)
        g->counts.queued--;
    else
        g->counts.running--;
    c->state = CHECK_REMOVING;
    if (written && !g->stopped) {
        loop_work(g->loop, remove_work, remove_done, c);
    } else {
        if (written)
            guard_files_remove(c->dir);
        list_remove(c);
        check_free(c);
    }
    pump(g);
}

static void finish(struct guard_check *c, const struct guard_answer *answer)
{
    guard_check_fn *done = c->done;
    struct guard_commands *g = c->g;
    void *ctx = c->ctx;

    if (answer->kind != HELPER_EXITED)
        g->counts.failed++;
    else if (answer->code)
        g->counts.rejected++;
    else
        g->counts.passed++;
    leave(c, true);
    done(ctx, answer);
}

static void finish_failed(struct guard_check *c, const char *why)
{
    struct guard_answer a = {.id = c->id, .kind = HELPER_NOT_STARTED};

    guard_first_line(a.text, sizeof(a.text), why, strlen(why));
    finish(c, &a);
}

static void write_work(void *ctx)
{
    struct guard_check *c = ctx;

    c->rc = guard_files_write(c->dir, c->mode, c->old_zone, c->new_zone, &c->error);
}

static bool ask_helper(struct guard_commands *g, const struct guard_request *q)
{
    return g->helper >= 0 &&
           send(g->helper, q, sizeof(*q), MSG_NOSIGNAL | MSG_DONTWAIT) == sizeof(*q);
}

static void run(struct guard_check *c)
{
    struct guard_request q = {.op = GUARD_CHECK, .id = c->id, .time_s = c->time_s};

    (void)name_to_text(q.zone, c->zone);
    if (c->old_zone)
        (void)snprintf(q.old_serial, sizeof(q.old_serial), "%u",
                       (unsigned)zone_serial(c->old_zone).v);
    (void)snprintf(q.new_serial, sizeof(q.new_serial), "%u", (unsigned)zone_serial(c->new_zone).v);
    (void)memcpy(q.command, c->command, sizeof(q.command));
    c->state = CHECK_RUNNING;
    c->deadline =
        mono_add_ms(clock_mono(loop_clock(c->g->loop)), (int64_t)c->time_s * 1000 + GRACE_MS);
    if (!ask_helper(c->g, &q))
        finish_failed(c, c->g->helper < 0 ? "the helper for guard commands does not run: restart "
                                            "syncd"
                                          : "the helper for guard commands does not listen");
}

static void write_done(void *ctx)
{
    struct guard_check *c = ctx;

    if (c->cancelled || c->g->stopped)
        leave(c, true);
    else if (c->rc)
        finish_failed(c, c->error.text);
    else
        run(c);
}

/* Lets those begin that have a place, oldest first. */
static void pump(struct guard_commands *g)
{
    struct guard_check *c, *next;

    if (g->pumping || g->stopped)
        return;
    g->pumping = true;
    for (c = g->head; c && g->counts.running < g->at_once; c = next) {
        next = c->next;
        if (c->state != CHECK_QUEUED)
            continue;
        g->counts.queued--;
        g->counts.running++;
        c->state = CHECK_WRITING;
        loop_work(g->loop, write_work, write_done, c);
    }
    g->pumping = false;
}

struct guard_check *guard_check_start(struct guard_commands *g, const struct guard_check_spec *spec,
                                      guard_check_fn *done, void *ctx)
{
    struct guard_check *c = xcalloc(1, sizeof(*c));

    c->g = g;
    c->id = ++g->last_id;
    (void)name_copy(c->zone, spec->zone);
    config_command_text(c->command, spec->command);
    c->time_s = spec->command->time_s;
    c->old_zone = spec->old_zone ? zone_ref(spec->old_zone) : NULL;
    c->new_zone = zone_ref(spec->new_zone);
    c->dir = guard_directory(g->data_dir, c->id);
    c->mode = g->mode;
    c->done = done;
    c->ctx = ctx;
    c->prev = g->tail;
    *(g->tail ? &g->tail->next : &g->head) = c;
    g->tail = c;
    g->counts.queued++;
    pump(g);
    return c;
}

void guard_check_cancel(struct guard_check *c)
{
    if (!c)
        return;
    c->cancelled = true;
    if (c->state == CHECK_WRITING)
        return; /* write_done sees it */
    if (c->state == CHECK_RUNNING) {
        struct guard_request q = {.op = GUARD_CANCEL, .id = c->id};

        (void)ask_helper(c->g, &q);
    }
    leave(c, c->state == CHECK_RUNNING);
}

/* ---- The helper ---- */

/* Fails those that run, all or the late ones; each may begin another, at the end of the list. */
static void fail_running(struct guard_commands *g, bool all, const char *why)
{
    struct mono now = clock_mono(loop_clock(g->loop));
    struct guard_check *c = g->head;

    while (c) {
        if (c->state == CHECK_RUNNING && (all || mono_cmp(now, c->deadline) > 0)) {
            finish_failed(c, why);
            c = g->head; /* the list is another one now */
        } else {
            c = c->next;
        }
    }
}

static void on_tick(evutil_socket_t fd, short what, void *ctx)
{
    (void)fd;
    (void)what;
    fail_running(ctx, false, "the helper for guard commands did not answer");
}

static void lose_helper(struct guard_commands *g)
{
    log_error(say("the helper for guard commands ended: no command is run until syncd is "
                  "restarted"));
    event_free(g->answers);
    g->answers = NULL;
    (void)close(g->helper);
    g->helper = -1;
    fail_running(g, true, "the helper for guard commands ended: restart syncd");
}

static void on_answer(evutil_socket_t fd, short what, void *ctx)
{
    struct guard_commands *g = ctx;
    struct guard_answer a;
    ssize_t n;

    (void)what;
    while ((n = recv(fd, &a, sizeof(a), MSG_DONTWAIT)) == sizeof(a)) {
        struct guard_check *c = find_running(g, a.id);

        a.text[sizeof(a.text) - 1] = 0;
        if (c)
            finish(c, &a);
    }
    if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
        lose_helper(g);
}

/* ---- Start, reload, stop ---- */

/* The bit that hands the data directory's group on stays: who is not in it could not set it again.
 */
static void set_mode(const char *dir, mode_t mode)
{
    struct stat st;

    if (stat(dir, &st) == 0 && (st.st_mode & 0777) != mode)
        (void)chmod(dir, (st.st_mode & 07000) | mode);
}

static void take_settings(struct guard_commands *g, const struct config *config)
{
    char *dir = xasprintf("%s/guard", g->data_dir);

    g->at_once = config->guard_commands;
    g->mode = config->guard_user[0] ? 0750 : 0700;
    set_mode(dir, g->mode);
    free(dir);
}

/* What a crash left. */
static void sweep(const char *guard_dir)
{
    DIR *d = opendir(guard_dir);
    const struct dirent *entry;

    while (d && (entry = readdir(d))) {
        char *dir = xasprintf("%s/%s", guard_dir, entry->d_name);

        if (entry->d_name[0] != '.')
            guard_files_remove(dir);
        free(dir);
    }
    if (d)
        (void)closedir(d);
}

static void make_directory(const struct guard_commands *g)
{
    char *dir = xasprintf("%s/guard", g->data_dir);

    if (mkdir(dir, g->mode) != 0 && errno != EEXIST)
        log_warning(say("there is no directory for the files of guard commands"),
                    kv_str("directory", dir), kv_str("error", strerror(errno)));
    set_mode(dir, g->mode);
    sweep(dir);
    free(dir);
}

struct guard_commands *guard_commands_new(struct loop *loop, int helper, const char *data_dir,
                                          const struct config *config)
{
    struct guard_commands *g = xcalloc(1, sizeof(*g));
    struct timeval tick = {.tv_usec = TICK_MS % 1000 * 1000, .tv_sec = TICK_MS / 1000};

    g->loop = loop;
    g->helper = helper;
    g->data_dir = xstrdup(data_dir);
    take_settings(g, config);
    if (helper < 0)
        return g;
    make_directory(g);
    g->tick = event_new(loop_base(loop), -1, EV_PERSIST, on_tick, g);
    g->answers = event_new(loop_base(loop), helper, EV_READ | EV_PERSIST, on_answer, g);
    if (!g->tick || event_add(g->tick, &tick) != 0 || !g->answers ||
        event_add(g->answers, NULL) != 0)
        abort(); /* as for want of memory */
    return g;
}

void guard_commands_reload(struct guard_commands *g, const struct config *config)
{
    struct guard_request q = {.op = GUARD_RELOAD};

    take_settings(g, config);
    if (g->helper < 0 && config_command_find(config, NULL, 0))
        log_warning(say("the first guard command is run only after a restart of syncd; until then "
                        "it fails"));
    if (g->helper >= 0 && !ask_helper(g, &q))
        log_warning(say("the helper for guard commands does not listen"));
    pump(g);
}

void guard_commands_count(const struct guard_commands *g, struct guard_command_counts *out)
{
    *out = g->counts;
}

void guard_commands_stop(struct guard_commands *g)
{
    if (!g)
        return;
    g->stopped = true;
    if (g->tick)
        event_free(g->tick);
    if (g->answers)
        event_free(g->answers);
    if (g->helper >= 0)
        (void)close(g->helper);
    g->tick = g->answers = NULL;
    g->helper = -1;
}

void guard_commands_free(struct guard_commands *g)
{
    struct guard_check *next;

    if (!g)
        return;
    for (struct guard_check *c = g->head; c; c = next) {
        next = c->next;
        guard_files_remove(c->dir);
        check_free(c);
    }
    free(g->data_dir);
    free(g);
}
