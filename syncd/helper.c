#include "syncd/helper.h"

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
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/base/cage.h"
#include "lib/base/mem.h"

#define NOT_STARTED 127 /* exit code of what could not become the program */

/* ---- In syncd ---- */

enum err helper_launch(int *fd, const char *option, const char *config_path, struct errinfo *e)
{
    int pair[2];
    pid_t pid;

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0)
        return err_sys(errno, e, "syncd %s: socketpair", option);
    if ((pid = fork()) < 0) {
        int failed = errno;

        (void)close(pair[0]);
        (void)close(pair[1]);
        return err_sys(failed, e, "syncd %s", option);
    }
    if (pid == 0) {
        char *const args[] = {(char[]){"syncd"}, xstrdup(option), xstrdup(config_path), NULL};

        /* dup2 onto itself would keep close-on-exec */
        if (pair[1] == HELPER_SOCKET ? fcntl(HELPER_SOCKET, F_SETFD, 0) != 0
                                     : dup2(pair[1], HELPER_SOCKET) < 0)
            _exit(126);
        (void)execv("/proc/self/exe", args);
        _exit(127);
    }
    (void)close(pair[1]);
    if (fcntl(pair[0], F_SETFL, O_NONBLOCK) != 0)
        return err_sys(errno, e, "syncd %s", option);
    *fd = pair[0];
    return OK;
}

/* ---- In the helper ---- */

void helper_settle(void)
{
    (void)signal(SIGTERM, SIG_IGN);
    (void)signal(SIGINT, SIG_IGN);
    (void)signal(SIGHUP, SIG_IGN);
    (void)fcntl(HELPER_SOCKET, F_SETFD, FD_CLOEXEC);
}

static volatile pid_t running_group; /* of the runner's program; 0: none */

/* The helper is gone, or wants an end: nothing that we started stays. */
static void on_end(int number)
{
    (void)number;
    if (running_group)
        (void)kill(-running_group, SIGKILL);
    _exit(1);
}

pid_t helper_fork(void)
{
    pid_t parent = getpid();
    pid_t pid = fork();

    if (pid == 0) {
        (void)signal(SIGTERM, on_end);
        (void)prctl(PR_SET_PDEATHSIG, SIGTERM, 0, 0, 0);
        if (getppid() != parent)
            _exit(1);
    }
    return pid;
}

void helper_stop(pid_t runner)
{
    (void)kill(runner, SIGTERM);
}

/* ---- In a runner ---- */

static enum err give_up(struct errinfo *e)
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

enum err helper_drop(const char *user, struct errinfo *e)
{
    pid_t parent = getppid();
    enum err rc;

    (void)setpriority(PRIO_PROCESS, 0, 10);
    if ((rc = become_user(user, "", e)) || (rc = give_up(e)))
        return rc;
    (void)prctl(PR_SET_PDEATHSIG, SIGTERM, 0, 0, 0); /* changing the user forgets it */
    if (getppid() != parent)
        _exit(1);
    return OK;
}

/* In the program's process, between fork and exec. */
static _Noreturn void become_program(const struct helper_command *c, int out)
{
    static const int by_default[] = {SIGTERM, SIGINT, SIGHUP, SIGPIPE};
    int null = open("/dev/null", O_RDONLY | O_CLOEXEC);

    (void)setpgid(0, 0);
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    for (size_t i = 0; i < sizeof(by_default) / sizeof(by_default[0]); i++)
        (void)signal(by_default[i], SIG_DFL);
    if (null < 0 || dup2(null, 0) < 0 || dup2(out, 1) < 0 || dup2(out, 2) < 0)
        _exit(NOT_STARTED);
    (void)syscall(SYS_close_range, 3u, ~0u, 0u); /* all are close-on-exec anyway */
    if (chdir(c->dir) != 0) {
        (void)dprintf(2, "%s: %s\n", c->dir, strerror(errno));
        _exit(NOT_STARTED);
    }
    (void)execvpe(c->args[0], c->args, c->env);
    (void)dprintf(2, "%s: %s\n", c->args[0],
                  errno == ENOENT ? "is not installed" : strerror(errno));
    _exit(NOT_STARTED);
}

/* False at the end of what it says. */
static bool read_some(struct buf *out, size_t max, int fd)
{
    char chunk[4096];
    ssize_t n = read(fd, chunk, sizeof(chunk));

    if (n > 0 && out->len < max)
        buf_put(out, chunk, max - out->len < (size_t)n ? max - out->len : (size_t)n);
    return n > 0 || (n < 0 && (errno == EINTR || errno == EAGAIN));
}

/* Until the program is gone, or the deadline has come: false. What it left running in the
 * background keeps nobody waiting. */
static bool watch(struct buf *out, const struct helper_command *c, int fd, int pidfd)
{
    bool more = true;

    for (;;) {
        int64_t left = c->deadline.ms - clock_mono(clock_real()).ms;
        struct pollfd p[2] = {{.fd = more ? fd : -1, .events = POLLIN},
                              {.fd = pidfd, .events = POLLIN}};

        if (left <= 0)
            return false;
        if (poll(p, 2, left > 1000000 ? 1000000 : (int)left) <= 0)
            continue;
        if (p[0].revents)
            more = read_some(out, c->output_max, fd);
        else if (p[1].revents)
            return true;
    }
}

void helper_run(struct helper_outcome *out, struct buf *output, const struct helper_command *c)
{
    int pipe_fds[2];
    int status = 0;
    int pidfd = -1;
    bool in_time;
    pid_t pid;

    *out = (struct helper_outcome){.kind = HELPER_NOT_STARTED};
    if (pipe2(pipe_fds, O_CLOEXEC) != 0 || (pid = fork()) < 0) {
        buf_printf(output, "starting %s: %s", c->args[0], strerror(errno));
        return;
    }
    if (pid == 0)
        become_program(c, pipe_fds[1]);
    (void)setpgid(pid, pid); /* whoever of us comes first */
    running_group = pid;
    (void)close(pipe_fds[1]);
    pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    in_time = watch(output, c, pipe_fds[0], pidfd);
    (void)kill(-pid, SIGKILL); /* while its number is not anybody else's */
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        continue;
    running_group = 0;
    (void)close(pidfd);
    (void)close(pipe_fds[0]);
    if (!in_time)
        out->kind = HELPER_TIMED_OUT;
    else if (WIFSIGNALED(status))
        *out = (struct helper_outcome){HELPER_KILLED, WTERMSIG(status)};
    else if (WEXITSTATUS(status) != NOT_STARTED)
        *out = (struct helper_outcome){HELPER_EXITED, WEXITSTATUS(status)};
    else
        out->code = NOT_STARTED;
}
