#include "syncd/remote_helper.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/base/bytes.h"
#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "syncd/helper.h"

#define OUTPUT_MAX 65536 /* octets of git's output that are kept */

/* ---- One push, or one list of refs: the runner ---- */

struct runner {
    enum remote_op op;
    const struct config_remote *remote;
    const char *dir;
    const char *path; /* where programs are */
    struct mono deadline;
};

static void send_result(enum remote_op op, struct remote_result *r)
{
    r->kind = REMOTE_RESULT;
    r->op = op;
    (void)send(HELPER_SOCKET, r, sizeof(*r), MSG_NOSIGNAL);
}

static void send_pieces(const char *name, const struct buf *text)
{
    struct remote_piece p = {.kind = REMOTE_PIECE};

    (void)snprintf(p.name, sizeof(p.name), "%s", name);
    for (size_t at = 0; at < text->len; at += p.len) {
        p.len = (uint32_t)(text->len - at < sizeof(p.data) ? text->len - at : sizeof(p.data));
        memcpy(p.data, text->data + at, p.len);
        if (send(HELPER_SOCKET, &p, sizeof(p), MSG_NOSIGNAL) < 0)
            return;
    }
}

static void run_git(struct remote_result *out, const struct runner *r, enum remote_part part)
{
    size_t max = part == REMOTE_REFS ? REMOTE_REFS_MAX : OUTPUT_MAX;
    struct remote_command c;
    struct buf text = BUF_INIT;
    struct helper_outcome end;

    remote_command_make(&c, r->remote, part, r->dir, r->path);
    helper_run(&end, &text,
               &(struct helper_command){.args = c.args,
                                        .env = c.env,
                                        .dir = r->dir,
                                        .deadline = r->deadline,
                                        .output_max = max});
    if (end.kind == HELPER_TIMED_OUT) {
        out->outcome = REMOTE_TIMED_OUT;
        (void)snprintf(out->text, sizeof(out->text), "took longer than %u s and was ended",
                       r->remote->time_limit_s);
    } else {
        int code = end.kind == HELPER_KILLED ? 128 + end.code : end.code;

        remote_result_read(out, end.kind == HELPER_NOT_STARTED && !code ? 1 : code,
                           buf_cstr(&text));
    }
    if (part == REMOTE_REFS && out->outcome == REMOTE_DONE && text.len >= max) {
        out->outcome = REMOTE_FAILED;
        (void)snprintf(out->text, sizeof(out->text), "its list of refs is too long");
    } else if (part == REMOTE_REFS && out->outcome == REMOTE_DONE) {
        send_pieces(r->remote->name, &text);
    }
    buf_free(&text);
    remote_command_free(&c);
}

static _Noreturn void runner_main(const struct runner *r)
{
    struct remote_result result = {.outcome = REMOTE_FAILED};
    struct errinfo e = {0};

    (void)snprintf(result.name, sizeof(result.name), "%s", r->remote->name);
    if (helper_drop(r->remote->user, &e) != OK) {
        (void)snprintf(result.text, sizeof(result.text), "%.300s", e.text);
    } else if (r->op == REMOTE_LIST) {
        run_git(&result, r, REMOTE_REFS);
    } else {
        run_git(&result, r, REMOTE_HISTORY);
        if (result.outcome == REMOTE_DONE)
            run_git(&result, r, REMOTE_POINTERS);
    }
    send_result(r->op, &result);
    _exit(0);
}

/* ---- The helper ---- */

struct running {
    pid_t pid;
    enum remote_op op;
    char name[REMOTE_NAME_MAX];
};

struct helper {
    const char *config_path;
    struct config *config;
    char dir[64];
    struct running *runners;
    size_t n, cap;
};

static const char *const links[] = {"objects", "refs", "packed-refs", "shallow"};

static enum err write_text(const char *path, const char *text, struct errinfo *e)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    enum err rc = OK;

    if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text))
        rc = err_sys(errno, e, "%s", path);
    if (fd >= 0)
        (void)close(fd);
    return rc;
}

/* A repository whose configuration is ours, and whose refs and objects are the journal's. */
static enum err make_repository(struct helper *h, struct errinfo *e)
{
    char *head = NULL;
    char *config = NULL;
    enum err rc = OK;

    (void)snprintf(h->dir, sizeof(h->dir), "/tmp/zoneledger-push-XXXXXX");
    if (!mkdtemp(h->dir) || chmod(h->dir, 0755) != 0)
        return err_sys(errno, e, "%s", h->dir);
    head = xasprintf("%s/HEAD", h->dir);
    config = xasprintf("%s/config", h->dir);
    if ((rc = write_text(head, "ref: refs/heads/%2E\n", e)) == OK)
        rc = write_text(config,
                        "[core]\n\trepositoryformatversion = 0\n\tbare = true\n"
                        "[gc]\n\tauto = 0\n[pack]\n\tthreads = 1\n",
                        e);
    for (size_t i = 0; i < sizeof(links) / sizeof(links[0]) && rc == OK; i++) {
        char *to = xasprintf("%s/journal.git/%s", h->config->data_dir, links[i]);
        char *at = xasprintf("%s/%s", h->dir, links[i]);

        if (symlink(to, at) != 0)
            rc = err_sys(errno, e, "%s", at);
        free(to);
        free(at);
    }
    free(head);
    free(config);
    return rc;
}

static void remove_repository(const struct helper *h)
{
    static const char *const files[] = {"HEAD", "config"};

    for (size_t i = 0; i < sizeof(links) / sizeof(links[0]) + 2; i++) {
        char *path = xasprintf("%s/%s", h->dir, i < 2 ? files[i] : links[i - 2]);

        (void)unlink(path);
        free(path);
    }
    (void)rmdir(h->dir);
}

static void answer_failure(enum remote_op op, const char *name, const char *text)
{
    struct remote_result r = {.outcome = REMOTE_FAILED};

    (void)snprintf(r.name, sizeof(r.name), "%s", name);
    (void)snprintf(r.text, sizeof(r.text), "%.300s", text);
    send_result(op, &r);
}

static const struct config_remote *find_remote(const struct config *c, const char *name)
{
    for (size_t i = 0; i < c->remote_count; i++) {
        if (strcmp(c->remotes[i].name, name) == 0)
            return &c->remotes[i];
    }
    return NULL;
}

static void start_runner(struct helper *h, enum remote_op op, const char *name)
{
    const char *path = getenv("PATH");
    struct runner r = {.op = op,
                       .remote = find_remote(h->config, name),
                       .dir = h->dir,
                       .path = path && path[0] ? path : HELPER_PATH};
    pid_t pid;

    if (!r.remote) {
        answer_failure(op, name, "the configuration has no such remote");
        return;
    }
    r.deadline = mono_add_ms(clock_mono(clock_real()), (int64_t)r.remote->time_limit_s * 1000);
    pid = helper_fork();
    if (pid == 0)
        runner_main(&r);
    if (pid < 0) {
        answer_failure(op, name, strerror(errno));
        return;
    }
    h->runners = xgrow(h->runners, &h->cap, h->n + 1, sizeof(*h->runners));
    h->runners[h->n].pid = pid;
    h->runners[h->n].op = op;
    (void)snprintf(h->runners[h->n].name, sizeof(h->runners[h->n].name), "%s", r.remote->name);
    h->n++;
}

/* What a reload of syncd refused is refused here too: both read the same file. */
static void read_config(struct helper *h)
{
    struct config *c = NULL;
    struct errinfo e = {0};

    if (config_load(&c, h->config_path, &e) != OK) {
        log_warning(say("remotes stay as they were: the configuration is wrong"), kv_err(&e));
        return;
    }
    config_unref(h->config);
    h->config = c;
}

/* A runner that ended without a word (killed, say) would leave its remote "pushing" for ever. */
static void reap(struct helper *h)
{
    for (size_t i = 0; i < h->n;) {
        int status = 0;

        if (waitpid(h->runners[i].pid, &status, WNOHANG) == 0) {
            i++;
            continue;
        }
        if (status != 0)
            answer_failure(h->runners[i].op, h->runners[i].name, "git was killed");
        h->runners[i] = h->runners[--h->n];
    }
}

/* Until syncd is gone. */
static void serve(struct helper *h)
{
    for (;;) {
        struct pollfd p = {.fd = HELPER_SOCKET, .events = POLLIN};
        struct remote_request q;
        ssize_t n;

        n = poll(&p, 1, h->n ? 1000 : -1);
        reap(h);
        if (n <= 0)
            continue;
        n = recv(HELPER_SOCKET, &q, sizeof(q), 0);
        if (n <= 0)
            return;
        if (n != sizeof(q))
            continue;
        q.name[sizeof(q.name) - 1] = 0;
        if (q.op == REMOTE_PUSH || q.op == REMOTE_LIST)
            start_runner(h, (enum remote_op)q.op, q.name);
        else if (q.op == REMOTE_RELOAD)
            read_config(h);
    }
}

int remote_helper_main(const char *config_path)
{
    struct helper h = {.config_path = config_path};
    struct errinfo e = {0};

    log_init("syncd", LOG_WARNING, LOG_TEXT);
    helper_settle();
    if (config_load(&h.config, config_path, &e) != OK) {
        log_error(say("the helper for remotes cannot start"), kv_err(&e));
        return 1;
    }
    log_init("syncd", h.config->log_level, h.config->log_format);
    if (make_repository(&h, &e) != OK) {
        log_error(say("the helper for remotes cannot start"), kv_err(&e));
        config_unref(h.config);
        return 1;
    }
    serve(&h);
    for (size_t i = 0; i < h.n; i++)
        helper_stop(h.runners[i].pid);
    remove_repository(&h);
    config_unref(h.config);
    free(h.runners);
    return 0;
}

enum err remote_helper_start(int *fd, const char *config_path, struct errinfo *e)
{
    return helper_launch(fd, "--remote-helper", config_path, e);
}
