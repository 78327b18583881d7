#include "syncd/remote_helper.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/base/bytes.h"
#include "lib/base/cage.h"
#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"

#define SOCKET_FD 3
#define OUTPUT_MAX 65536 /* octets of git's output that are kept */
#define DEFAULT_PATH "/usr/local/bin:/usr/bin:/bin"

/* ---- One push: the runner ---- */

struct runner {
    const struct config_remote *remote;
    const char *dir;
    const char *path; /* where programs are */
    struct mono deadline;
};

/* Also as root: git, and what it starts, can do nothing that another user could not. */
static enum err drop_everything(struct errinfo *e)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct none[2] = {{0}};
    const struct rlimit no_core = {0, 0};

    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        return err_sys(errno, e, "NO_NEW_PRIVS");
    for (unsigned n = 0; n < 64 && geteuid() == 0; n++)
        (void)prctl(PR_CAPBSET_DROP, n, 0, 0, 0); /* those that there are */
    (void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
    if (syscall(SYS_capset, &header, none) != 0)
        return err_sys(errno, e, "giving up capabilities");
    (void)setrlimit(RLIMIT_CORE, &no_core);
    return OK;
}

/* In git's process, between fork and exec. */
static _Noreturn void become_git(const struct remote_command *c, const char *dir, int out)
{
    static const int by_default[] = {SIGTERM, SIGINT, SIGHUP, SIGPIPE};
    int null = open("/dev/null", O_RDONLY | O_CLOEXEC);

    (void)setpgid(0, 0);
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    for (size_t i = 0; i < sizeof(by_default) / sizeof(by_default[0]); i++)
        (void)signal(by_default[i], SIG_DFL);
    if (null < 0 || dup2(null, 0) < 0 || dup2(out, 1) < 0 || dup2(out, 2) < 0 || chdir(dir) != 0)
        _exit(126);
    (void)syscall(SYS_close_range, 3u, ~0u, 0u); /* all are close-on-exec anyway */
    (void)execvpe("git", c->args, c->env);
    (void)dprintf(2, "git: %s\n", errno == ENOENT ? "is not installed" : strerror(errno));
    _exit(127);
}

/* Reads what git says until it and all that it started are gone; false at the deadline. */
static bool read_output(struct buf *out, int fd, struct mono deadline)
{
    char chunk[4096];

    for (;;) {
        int64_t left = deadline.ms - clock_mono(clock_real()).ms;
        struct pollfd p = {.fd = fd, .events = POLLIN};
        ssize_t n;

        if (left <= 0)
            return false;
        if (poll(&p, 1, left > 1000000 ? 1000000 : (int)left) <= 0)
            continue;
        n = read(fd, chunk, sizeof(chunk));
        if (n <= 0)
            return true;
        if (out->len < OUTPUT_MAX)
            buf_put(out, chunk, (size_t)n);
    }
}

static void run_git(struct remote_result *out, const struct runner *r, enum remote_part part)
{
    struct remote_command c;
    struct buf text = BUF_INIT;
    int pipe_fds[2];
    int status = 0;
    bool in_time;
    pid_t pid;

    remote_command_make(&c, r->remote, part, r->dir, r->path);
    if (pipe2(pipe_fds, O_CLOEXEC) != 0 || (pid = fork()) < 0) {
        out->outcome = REMOTE_FAILED;
        (void)snprintf(out->text, sizeof(out->text), "starting git: %s", strerror(errno));
        goto out;
    }
    if (pid == 0)
        become_git(&c, r->dir, pipe_fds[1]);
    (void)close(pipe_fds[1]);
    in_time = read_output(&text, pipe_fds[0], r->deadline);
    (void)close(pipe_fds[0]);
    if (!in_time)
        (void)kill(-pid, SIGKILL);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        continue;
    if (in_time) {
        remote_result_read(out, WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status),
                           buf_cstr(&text));
    } else {
        out->outcome = REMOTE_TIMED_OUT;
        (void)snprintf(out->text, sizeof(out->text), "took longer than %u s and was ended",
                       r->remote->time_limit_s);
    }
out:
    buf_free(&text);
    remote_command_free(&c);
}

static _Noreturn void runner_main(const struct runner *r)
{
    struct remote_result result = {.outcome = REMOTE_FAILED};
    struct errinfo e = {0};

    (void)snprintf(result.name, sizeof(result.name), "%s", r->remote->name);
    (void)setpriority(PRIO_PROCESS, 0, 10);
    if (become_user(r->remote->user, "", &e) != OK || drop_everything(&e) != OK) {
        (void)snprintf(result.text, sizeof(result.text), "%.300s", e.text);
    } else {
        /* Changing the user forgets it. */
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
        run_git(&result, r, REMOTE_HISTORY);
        if (result.outcome == REMOTE_DONE)
            run_git(&result, r, REMOTE_POINTERS);
    }
    (void)send(SOCKET_FD, &result, sizeof(result), MSG_NOSIGNAL);
    _exit(0);
}

/* ---- The helper ---- */

struct running {
    pid_t pid;
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

static void answer_failure(const char *name, const char *text)
{
    struct remote_result r = {.outcome = REMOTE_FAILED};

    (void)snprintf(r.name, sizeof(r.name), "%s", name);
    (void)snprintf(r.text, sizeof(r.text), "%.300s", text);
    (void)send(SOCKET_FD, &r, sizeof(r), MSG_NOSIGNAL);
}

static const struct config_remote *find_remote(const struct config *c, const char *name)
{
    for (size_t i = 0; i < c->remote_count; i++) {
        if (strcmp(c->remotes[i].name, name) == 0)
            return &c->remotes[i];
    }
    return NULL;
}

static void start_push(struct helper *h, const char *name)
{
    const char *path = getenv("PATH");
    struct runner r = {.remote = find_remote(h->config, name),
                       .dir = h->dir,
                       .path = path && path[0] ? path : DEFAULT_PATH};
    pid_t parent = getpid();
    pid_t pid;

    if (!r.remote) {
        answer_failure(name, "the configuration has no such remote");
        return;
    }
    r.deadline = mono_add_ms(clock_mono(clock_real()), (int64_t)r.remote->time_limit_s * 1000);
    pid = fork();
    if (pid == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
        if (getppid() != parent)
            _exit(1);
        runner_main(&r);
    }
    if (pid < 0) {
        answer_failure(name, strerror(errno));
        return;
    }
    h->runners = xgrow(h->runners, &h->cap, h->n + 1, sizeof(*h->runners));
    h->runners[h->n].pid = pid;
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
            answer_failure(h->runners[i].name, "the push was killed");
        h->runners[i] = h->runners[--h->n];
    }
}

/* Until syncd is gone. */
static void serve(struct helper *h)
{
    for (;;) {
        struct pollfd p = {.fd = SOCKET_FD, .events = POLLIN};
        struct remote_request q;
        ssize_t n;

        n = poll(&p, 1, h->n ? 1000 : -1);
        reap(h);
        if (n <= 0)
            continue;
        n = recv(SOCKET_FD, &q, sizeof(q), 0);
        if (n <= 0)
            return;
        if (n != sizeof(q))
            continue;
        q.name[sizeof(q.name) - 1] = 0;
        if (q.op == REMOTE_PUSH)
            start_push(h, q.name);
        else if (q.op == REMOTE_RELOAD)
            read_config(h);
    }
}

int remote_helper_main(const char *config_path)
{
    struct helper h = {.config_path = config_path};
    struct errinfo e = {0};

    log_init("syncd", LOG_WARNING, LOG_TEXT);
    /* It ends when its socket does, and so after syncd. */
    (void)signal(SIGTERM, SIG_IGN);
    (void)signal(SIGINT, SIG_IGN);
    (void)signal(SIGHUP, SIG_IGN);
    (void)fcntl(SOCKET_FD, F_SETFD, FD_CLOEXEC);
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
        (void)kill(h.runners[i].pid, SIGKILL); /* and so git, by its parent's death */
    remove_repository(&h);
    config_unref(h.config);
    free(h.runners);
    return 0;
}

enum err remote_helper_start(int *fd, const char *config_path, struct errinfo *e)
{
    int pair[2];
    pid_t pid;

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0)
        return err_sys(errno, e, "helper for remotes: socketpair");
    if ((pid = fork()) < 0) {
        int failed = errno;

        (void)close(pair[0]);
        (void)close(pair[1]);
        return err_sys(failed, e, "helper for remotes");
    }
    if (pid == 0) {
        char *const args[] = {(char[]){"syncd"}, (char[]){"--remote-helper"}, xstrdup(config_path),
                              NULL};

        /* dup2 onto itself would keep close-on-exec */
        if (pair[1] == SOCKET_FD ? fcntl(SOCKET_FD, F_SETFD, 0) != 0 : dup2(pair[1], SOCKET_FD) < 0)
            _exit(126);
        (void)execv("/proc/self/exe", args);
        _exit(127);
    }
    (void)close(pair[1]);
    if (fcntl(pair[0], F_SETFL, O_NONBLOCK) != 0)
        return err_sys(errno, e, "helper for remotes");
    *fd = pair[0];
    return OK;
}
