/* cageprobe ROLE DIRECTORY ATTEMPT: enters the cage of a daemon as the daemon does, with DIRECTORY
 * as all that it may see, then does what somebody would who has broken into it. Prints "allowed" or
 * "refused: ERROR"; the worst attempts end with SIGSYS. The cage is that of a release, also in a
 * build with a sanitizer. The file DIRECTORY/file must be there. */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/base/cage.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"

static const char *directory;
static int tcp_socket = -1; /* made before the cage was closed */

static long try_open(const char *path, int flags)
{
    return open(path, flags, 0600);
}

static char *in_directory(const char *name)
{
    return xasprintf("%s/%s", directory, name);
}

static long do_read(void)
{
    char *path = in_directory("file");
    long rc = try_open(path, O_RDONLY);

    free(path);
    return rc;
}

static long do_write(void)
{
    char *path = in_directory("file");
    long rc = try_open(path, O_WRONLY);

    free(path);
    return rc;
}

static long do_create(void)
{
    char *path = in_directory("new");
    long rc = try_open(path, O_CREAT | O_RDWR);

    free(path);
    return rc;
}

static long do_remove(void)
{
    char *path = in_directory("file");
    long rc = unlink(path);

    free(path);
    return rc;
}

static long do_passwd(void)
{
    return try_open("/etc/passwd", O_RDONLY);
}

static long do_escape(void)
{
    char *path = in_directory("../../../../../../../../etc/passwd");
    long rc = try_open(path, O_RDONLY);

    free(path);
    return rc;
}

static long do_list_root(void)
{
    return try_open("/", O_RDONLY | O_DIRECTORY);
}

static long do_execve(void)
{
    char *const argv[] = {"true", NULL};

    return execve("/bin/true", argv, NULL);
}

static long do_fork(void)
{
    return syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL);
}

static long do_clone3(void)
{
    return syscall(SYS_clone3, NULL, 0);
}

static void *nothing(void *ctx)
{
    return ctx;
}

static long do_thread(void)
{
    pthread_t t;

    errno = pthread_create(&t, NULL, nothing, NULL);
    return errno ? -1 : pthread_join(t, NULL);
}

static long do_ptrace(void)
{
    return ptrace(PTRACE_TRACEME, 0, NULL, NULL);
}

static long do_packet(void)
{
    return socket(AF_PACKET, SOCK_RAW, 0);
}

static long do_netlink(void)
{
    return socket(AF_NETLINK, SOCK_RAW, 0);
}

static long do_inet(void)
{
    return socket(AF_INET, SOCK_STREAM, 0);
}

static long do_unix(void)
{
    return socket(AF_UNIX, SOCK_STREAM, 0);
}

static struct sockaddr_in loopback(void)
{
    return (struct sockaddr_in){
        .sin_family = AF_INET, .sin_port = htons(9), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

static long do_connect(void)
{
    struct sockaddr_in to = loopback();

    return connect(tcp_socket, (const struct sockaddr *)&to, sizeof(to));
}

static long do_bind(void)
{
    struct sockaddr_in to = loopback();

    to.sin_port = 0;
    return bind(tcp_socket, (const struct sockaddr *)&to, sizeof(to));
}

static long do_code(void)
{
    return mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1,
                0) == MAP_FAILED
               ? -1
               : 0;
}

static long do_protect(void)
{
    void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    return p == MAP_FAILED ? -1 : mprotect(p, 4096, PROT_READ | PROT_EXEC);
}

static long do_setuid(void)
{
    return setuid(0);
}

static long do_mount(void)
{
    return syscall(SYS_mount, "none", directory, "tmpfs", 0, NULL);
}

static long do_kill(void)
{
    return kill(getppid(), 0);
}

static long do_unknown(void)
{
    return syscall(SYS_sched_rr_get_interval, 0, NULL);
}

static long do_capability(void)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct now[2] = {{0}};

    if (syscall(SYS_capget, &header, now) != 0)
        return -1;
    errno = EPERM;
    return now[0].effective || now[0].permitted || now[1].effective || now[1].permitted ? 0 : -1;
}

static const struct {
    const char *name;
    long (*f)(void);
} attempts[] = {
    {"read", do_read},
    {"write", do_write},
    {"create", do_create},
    {"remove", do_remove},
    {"passwd", do_passwd},
    {"escape", do_escape},
    {"list", do_list_root},
    {"execve", do_execve},
    {"fork", do_fork},
    {"clone3", do_clone3},
    {"thread", do_thread},
    {"ptrace", do_ptrace},
    {"packet", do_packet},
    {"netlink", do_netlink},
    {"inet", do_inet},
    {"unix", do_unix},
    {"connect", do_connect},
    {"bind", do_bind},
    {"code", do_code},
    {"protect", do_protect},
    {"setuid", do_setuid},
    {"mount", do_mount},
    {"kill", do_kill},
    {"unknown", do_unknown},
    {"capability", do_capability},
};

static void enter(enum cage_role role)
{
    struct cage c;
    struct cage_report report;
    struct errinfo e = {0};

    cage_init(&c, "cageprobe", role);
    cage_done(&c); /* without the paths for sanitizers */
    c.sanitized = false;
    cage_allow(&c, directory, role == CAGE_ANSWERS ? CAGE_READ : CAGE_WRITE);
    if (cage_enter(&report, &c, &e) != OK) {
        (void)fprintf(stderr, "cageprobe: %s\n", e.text);
        _exit(70);
    }
    cage_log(&report);
    cage_done(&c);
}

int main(int argc, char **argv)
{
    long (*f)(void) = NULL;

    for (size_t i = 0; argc == 4 && i < sizeof(attempts) / sizeof(attempts[0]); i++) {
        if (strcmp(argv[3], attempts[i].name) == 0)
            f = attempts[i].f;
    }
    if (!f) {
        (void)fputs("usage: cageprobe authd|syncd DIRECTORY ATTEMPT\n", stderr);
        return 64;
    }
    directory = argv[2];
    tcp_socket = socket(AF_INET, SOCK_STREAM, 0);
    log_init("cageprobe", LOG_INFO, LOG_TEXT);
    enter(strcmp(argv[1], "syncd") == 0 ? CAGE_REPLICATES : CAGE_ANSWERS);
    errno = 0;
    if (f() >= 0)
        (void)printf("allowed\n");
    else
        (void)printf("refused: %s\n", strerror(errno));
    (void)fflush(stdout);
    _exit(0); /* a sanitizer would look for leaks, which the cage of a release prevents */
}
