#include "syncd/guard_helper.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/base/log.h"
#include "lib/base/mem.h"

#define OUTPUT_MAX 4096
#define ENV_MAX 12

struct running {
    pid_t pid;
    uint64_t id;
};

struct helper {
    const char *config_path;
    char *data_dir; /* it does not move with a reload */
    struct config *config;
    struct running *runners;
    size_t n, cap;
};

char *guard_directory(const char *data_dir, uint64_t id)
{
    return xasprintf("%s/guard/%llu", data_dir, (unsigned long long)id);
}

/* ---- What it said ---- */

static bool is_plain(char c)
{
    return c >= ' ' && c <= '~' && c != '\\';
}

void guard_first_line(char *out, size_t room, const char *text, size_t len)
{
    size_t at = 0, n = 0, end = 0;

    while (at < len && (text[at] == '\n' || text[at] == '\r' || text[at] == ' '))
        at++;
    for (; at < len && text[at] != '\n'; at++) {
        size_t need = is_plain(text[at]) ? 1 : 4;

        if (n + need + 1 > room)
            break;
        if (need == 1)
            out[n++] = text[at];
        else
            n += (size_t)snprintf(out + n, room - n, "\\%03u", (unsigned)(unsigned char)text[at]);
        if (text[at] != ' ' && text[at] != '\r')
            end = n;
    }
    out[end] = 0;
}

/* ---- The runner ---- */

static void answer(uint64_t id, enum helper_end_kind kind, int code, const char *text, size_t len)
{
    struct guard_answer a = {.id = id, .kind = kind, .code = code};

    guard_first_line(a.text, sizeof(a.text), text, len);
    (void)send(HELPER_SOCKET, &a, sizeof(a), MSG_NOSIGNAL);
}

static void answer_failure(uint64_t id, const char *text)
{
    answer(id, HELPER_NOT_STARTED, 0, text, strlen(text));
}

static void make_env(char *env[ENV_MAX], const char *dir, const struct guard_request *q)
{
    size_t n = 0;

    env[n++] = xstrdup("PATH=" HELPER_PATH);
    env[n++] = xstrdup("LC_ALL=C");
    env[n++] = xasprintf("ZONE=%s", q->zone);
    env[n++] = xasprintf("OLD_SERIAL=%s", q->old_serial);
    env[n++] = xasprintf("NEW_SERIAL=%s", q->new_serial);
    env[n++] = xasprintf("OLD_FILE=%s/" GUARD_OLD, dir);
    env[n++] = xasprintf("NEW_FILE=%s/" GUARD_NEW, dir);
    env[n++] = xasprintf("DIFF_FILE=%s/" GUARD_DIFF, dir);
    env[n] = NULL;
}

/* Its memory goes with the process. */
static _Noreturn void runner_main(const struct helper *h, const struct config_command *cmd,
                                  const struct guard_request *q)
{
    struct buf text = BUF_INIT;
    struct errinfo e = {0};
    struct helper_outcome end;
    struct mono deadline = mono_add_ms(clock_mono(clock_real()), (int64_t)cmd->time_s * 1000);
    char **args = xcalloc(cmd->arg_count + 1, sizeof(*args));
    char *env[ENV_MAX];

    for (size_t i = 0; i < cmd->arg_count; i++)
        args[i] = cmd->args[i];
    make_env(env, guard_directory(h->data_dir, q->id), q);
    if (helper_drop(h->config->guard_user, &e) != OK) {
        answer_failure(q->id, e.text);
        _exit(0);
    }
    helper_run(
        &end, &text,
        &(struct helper_command){
            .args = args, .env = env, .dir = "/", .deadline = deadline, .output_max = OUTPUT_MAX});
    answer(q->id, end.kind, end.code, buf_cstr(&text), text.len);
    _exit(0);
}

/* ---- The helper ---- */

static void start_check(struct helper *h, const struct guard_request *q)
{
    const struct config_command *cmd = config_command_find(h->config, q->command, q->time_s);
    pid_t pid;

    if (!cmd || !q->command[0]) {
        answer_failure(q->id, "the configuration has no such command");
        return;
    }
    pid = helper_fork();
    if (pid == 0)
        runner_main(h, cmd, q);
    if (pid < 0) {
        answer_failure(q->id, strerror(errno));
        return;
    }
    h->runners = xgrow(h->runners, &h->cap, h->n + 1, sizeof(*h->runners));
    h->runners[h->n++] = (struct running){pid, q->id};
}

static void cancel(const struct helper *h, uint64_t id)
{
    for (size_t i = 0; i < h->n; i++) {
        if (h->runners[i].id == id)
            helper_stop(h->runners[i].pid);
    }
}

/* What a reload of syncd refused is refused here too: both read the same file. */
static void read_config(struct helper *h)
{
    struct config *c = NULL;
    struct errinfo e = {0};

    if (config_load(&c, h->config_path, &e) != OK) {
        log_warning(say("guard commands stay as they were: the configuration is wrong"),
                    kv_err(&e));
        return;
    }
    config_unref(h->config);
    h->config = c;
}

/* A runner that ended without a word would leave its zone waiting. */
static void reap(struct helper *h)
{
    for (size_t i = 0; i < h->n;) {
        int status = 0;

        if (waitpid(h->runners[i].pid, &status, WNOHANG) == 0) {
            i++;
            continue;
        }
        if (status != 0)
            answer_failure(h->runners[i].id, "it was ended");
        h->runners[i] = h->runners[--h->n];
    }
}

static void end_texts(struct guard_request *q)
{
    q->zone[sizeof(q->zone) - 1] = 0;
    q->old_serial[sizeof(q->old_serial) - 1] = 0;
    q->new_serial[sizeof(q->new_serial) - 1] = 0;
    q->command[sizeof(q->command) - 1] = 0;
}

/* Until syncd is gone. */
static void serve(struct helper *h)
{
    struct guard_request q;

    for (;;) {
        struct pollfd p = {.fd = HELPER_SOCKET, .events = POLLIN};
        ssize_t n = poll(&p, 1, h->n ? 1000 : -1);

        reap(h);
        if (n <= 0)
            continue;
        n = recv(HELPER_SOCKET, &q, sizeof(q), 0);
        if (n <= 0)
            return;
        if (n != sizeof(q))
            continue;
        end_texts(&q);
        if (q.op == GUARD_CHECK)
            start_check(h, &q);
        else if (q.op == GUARD_CANCEL)
            cancel(h, q.id);
        else if (q.op == GUARD_RELOAD)
            read_config(h);
    }
}

int guard_helper_main(const char *config_path)
{
    struct helper h = {.config_path = config_path};
    struct errinfo e = {0};

    log_init("syncd", LOG_WARNING, LOG_TEXT);
    helper_settle();
    if (config_load(&h.config, config_path, &e) != OK) {
        log_error(say("the helper for guard commands cannot start"), kv_err(&e));
        return 1;
    }
    log_init("syncd", h.config->log_level, h.config->log_format);
    h.data_dir = xstrdup(h.config->data_dir);
    serve(&h);
    for (size_t i = 0; i < h.n; i++)
        helper_stop(h.runners[i].pid);
    config_unref(h.config);
    free(h.data_dir);
    free(h.runners);
    return 0;
}

enum err guard_helper_start(int *fd, const char *config_path, struct errinfo *e)
{
    return helper_launch(fd, "--guard-helper", config_path, e);
}
