/* Seccomp: the system calls of each daemon, by name, so that libseccomp finds their numbers on any
 * architecture. A name that it does not know is one that this architecture does not have. */
#include <errno.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <termios.h>
#include <unistd.h>

#include "lib/base/cage_internal.h"

/* PR_SET_VMA of newer headers: malloc names its memory. */
#define NAME_OF_MEMORY 0x53564d41

/* ---- Lists ---- */

static const char *const calls_of_both[] = {
    /* memory; mmap and mprotect are below */
    "munmap", "mremap", "madvise", "brk", "mlock", "munlock",
    /* files; openat is below */
    "read", "readv", "pread64", "preadv", "write", "writev", "lseek", "_llseek", "close", "fstat",
    "fstat64", "stat", "stat64", "lstat", "newfstatat", "fstatat64", "statx", "access", "faccessat",
    "faccessat2", "readlink", "readlinkat", "getdents64", "getcwd", "fcntl", "fcntl64", "dup",
    "dup2", "dup3", "fadvise64", "pipe2", "fstatfs", "statfs",
    /* waiting */
    "epoll_create1", "epoll_ctl", "epoll_wait", "epoll_pwait", "epoll_pwait2", "eventfd2",
    "timerfd_create", "timerfd_settime", "timerfd_gettime", "poll", "ppoll", "select", "pselect6",
    /* sockets; making them is below */
    "socketpair", "connect", "accept", "accept4", "sendto", "sendmsg", "sendmmsg", "recvfrom",
    "recvmsg", "recvmmsg", "shutdown", "getsockopt", "setsockopt", "getsockname", "getpeername",
    /* time */
    "clock_gettime", "clock_getres", "clock_nanosleep", "nanosleep", "gettimeofday", "time",
    "times",
    /* threads and signals; clone is below */
    "set_robust_list", "get_robust_list", "rseq", "futex", "sched_yield", "sched_getaffinity",
    "sched_setaffinity", "sched_getparam", "sched_getscheduler", "membarrier", "set_tid_address",
    "gettid", "getpid", "getppid", "getcpu", "exit", "exit_group", "rt_sigaction", "rt_sigprocmask",
    "rt_sigreturn", "rt_sigtimedwait", "rt_sigpending", "sigaltstack", "restart_syscall",
    "arch_prctl",
    /* looking */
    "getuid", "geteuid", "getgid", "getegid", "getresuid", "getresgid", "getgroups", "uname",
    "sysinfo", "getrusage", "getrlimit", "ugetrlimit", "prlimit64", "setrlimit", "getrandom",
    "getpriority", "capget"};

static const char *const calls_of_syncd[] = {"bind",
                                             "listen",
                                             "openat",
                                             "open",
                                             "creat",
                                             "rename",
                                             "renameat",
                                             "renameat2",
                                             "unlink",
                                             "unlinkat",
                                             "link",
                                             "linkat",
                                             "symlink",
                                             "symlinkat",
                                             "mkdir",
                                             "mkdirat",
                                             "rmdir",
                                             "ftruncate",
                                             "truncate",
                                             "fallocate",
                                             "fsync",
                                             "fdatasync",
                                             "sync_file_range",
                                             "chmod",
                                             "fchmod",
                                             "fchmodat",
                                             "chown",
                                             "fchown",
                                             "fchownat",
                                             "lchown",
                                             "utimensat",
                                             "utimes",
                                             "utime",
                                             "pwrite64",
                                             "pwritev",
                                             "flock",
                                             "umask",
                                             "copy_file_range",
                                             "sendfile",
                                             "splice",
                                             "msync",
                                             "memfd_create",
                                             "inotify_init1",
                                             "inotify_add_watch",
                                             "inotify_rm_watch",
                                             "setpriority",
                                             "ioprio_set"};

/* The runtime of sanitizers: it looks for leaks from a process of its own, and writes reports. */
static const char *const calls_of_sanitizers[] = {
    "openat",   "mmap",        "mprotect",         "clone",    "wait4",
    "ptrace",   "prctl",       "tgkill",           "tkill",    "kill",
    "ioctl",    "pipe",        "getpgrp",          "open",     "sched_setscheduler",
    "unlink",   "personality", "process_vm_readv", "getdents", "mincore",
    "mlockall", "munlockall"};

static const char *const calls_of_intruders[] = {"execve",
                                                 "execveat",
                                                 "fork",
                                                 "vfork",
                                                 "ptrace",
                                                 "process_vm_readv",
                                                 "process_vm_writev",
                                                 "process_madvise",
                                                 "kcmp",
                                                 "pidfd_open",
                                                 "pidfd_getfd",
                                                 "mount",
                                                 "umount2",
                                                 "pivot_root",
                                                 "chroot",
                                                 "move_mount",
                                                 "mount_setattr",
                                                 "open_tree",
                                                 "fsopen",
                                                 "fsconfig",
                                                 "fsmount",
                                                 "fspick",
                                                 "setns",
                                                 "unshare",
                                                 "init_module",
                                                 "finit_module",
                                                 "delete_module",
                                                 "kexec_load",
                                                 "kexec_file_load",
                                                 "bpf",
                                                 "perf_event_open",
                                                 "userfaultfd",
                                                 "keyctl",
                                                 "add_key",
                                                 "request_key",
                                                 "setuid",
                                                 "setgid",
                                                 "setreuid",
                                                 "setregid",
                                                 "setresuid",
                                                 "setresgid",
                                                 "setgroups",
                                                 "setfsuid",
                                                 "setfsgid",
                                                 "capset",
                                                 "open_by_handle_at",
                                                 "name_to_handle_at",
                                                 "personality",
                                                 "reboot",
                                                 "swapon",
                                                 "swapoff",
                                                 "sethostname",
                                                 "setdomainname",
                                                 "settimeofday",
                                                 "clock_settime",
                                                 "clock_adjtime",
                                                 "adjtimex",
                                                 "iopl",
                                                 "ioperm",
                                                 "modify_ldt",
                                                 "quotactl",
                                                 "acct",
                                                 "syslog",
                                                 "io_uring_setup",
                                                 "io_uring_enter",
                                                 "io_uring_register",
                                                 "mknod",
                                                 "mknodat",
                                                 "setsid",
                                                 "setpgid",
                                                 "vhangup",
                                                 "nfsservctl",
                                                 "lookup_dcookie",
                                                 "uselib"};

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* ---- The end of an intruder ---- */

static const char *end_program = "?";
static int end_numbers[COUNT(calls_of_intruders)];

static void put(char **at, const char *end, const char *text)
{
    while (*text && *at < end)
        *(*at)++ = *text++;
}

static void put_number(char **at, const char *end, int n)
{
    char digits[12];
    size_t i = sizeof(digits);

    digits[--i] = '\0';
    do
        digits[--i] = (char)('0' + n % 10);
    while ((n /= 10) > 0 && i > 0);
    put(at, end, digits + i);
}

/* May run anywhere, so nothing that takes a lock or memory. Dies of the same signal, by which a
 * supervisor knows; a core is not written. */
static void on_refused(int number, siginfo_t *info, void *context)
{
    static const struct sigaction by_default = {.sa_handler = SIG_DFL};
    char line[256];
    char *at = line;
    const char *end = line + sizeof(line) - 1;
    const char *name = info->si_syscall == SYS_clone ? "clone" : "?";

    (void)context;
    for (size_t i = 0; i < COUNT(calls_of_intruders); i++) {
        if (end_numbers[i] == info->si_syscall)
            name = calls_of_intruders[i];
    }
    put(&at, end, end_program);
    put(&at, end,
        " error: a system call was refused that this program never makes; stopping call=");
    put(&at, end, name);
    put(&at, end, " number=");
    put_number(&at, end, info->si_syscall);
    *at++ = '\n';
    (void)!write(STDERR_FILENO, line, (size_t)(at - line));
    (void)sigaction(number, &by_default, NULL);
    (void)raise(number); /* comes when this handler returns */
}

static enum err catch_refused(const struct cage *c, struct errinfo *e)
{
    struct sigaction action = {.sa_sigaction = on_refused, .sa_flags = SA_SIGINFO};

    end_program = c->program;
    for (size_t i = 0; i < COUNT(calls_of_intruders); i++)
        end_numbers[i] = seccomp_syscall_resolve_name(calls_of_intruders[i]);
    return sigaction(SIGSYS, &action, NULL) == 0 ? OK : err_sys(errno, e, "signal SIGSYS");
}

/* ---- Rules ---- */

/* libseccomp gives the negative of an errno; the first failure stays. */
struct rules {
    scmp_filter_ctx filter;
    int failed;
};

static bool in_list(const char *const *list, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++) {
        if (strcmp(list[i], name) == 0)
            return true;
    }
    return false;
}

/* A rule that is what happens anyway is no error. */
static void add(struct rules *r, uint32_t action, const char *name, unsigned n,
                const struct scmp_arg_cmp *args)
{
    int call = seccomp_syscall_resolve_name(name);
    int rc;

    if (call == __NR_SCMP_ERROR || r->failed)
        return;
    rc = seccomp_rule_add_array(r->filter, action, call, n, args);
    if (rc < 0 && rc != -EEXIST && rc != -EACCES)
        r->failed = -rc;
}

static void add_list(struct rules *r, uint32_t action, const char *const *list, size_t n)
{
    for (size_t i = 0; i < n; i++)
        add(r, action, list[i], 0, NULL);
}

/* Allowed if none of these bits is set in the argument, else refused with `error`. */
static void add_without(struct rules *r, const char *name, unsigned arg, const uint64_t *bits,
                        size_t n, int error)
{
    struct scmp_arg_cmp none = {.arg = arg, .op = SCMP_CMP_MASKED_EQ};

    for (size_t i = 0; i < n; i++) {
        struct scmp_arg_cmp has = {
            .arg = arg, .op = SCMP_CMP_MASKED_EQ, .datum_a = bits[i], .datum_b = bits[i]};

        none.datum_a |= bits[i];
        add(r, SCMP_ACT_ERRNO((uint32_t)error), name, 1, &has);
    }
    add(r, SCMP_ACT_ALLOW, name, 1, &none);
}

/* Allowed if the argument is one of these. */
static void add_values(struct rules *r, const char *name, unsigned arg, const uint64_t *values,
                       size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct scmp_arg_cmp is = {.arg = arg, .op = SCMP_CMP_EQ, .datum_a = values[i]};

        add(r, SCMP_ACT_ALLOW, name, 1, &is);
    }
}

/* Threads, but no processes. What clone3 shall do stands in memory, where no filter can look; glibc
 * takes clone if it is not there. */
static void add_threads(struct rules *r)
{
    static const struct scmp_arg_cmp thread = {
        .arg = 0, .op = SCMP_CMP_MASKED_EQ, .datum_a = CLONE_THREAD, .datum_b = CLONE_THREAD};
    static const struct scmp_arg_cmp process = {
        .arg = 0, .op = SCMP_CMP_MASKED_EQ, .datum_a = CLONE_THREAD, .datum_b = 0};
    const uint64_t self[] = {(uint64_t)getpid()};

    add(r, SCMP_ACT_ERRNO(ENOSYS), "clone3", 0, NULL);
    add(r, SCMP_ACT_ALLOW, "clone", 1, &thread);
    add(r, SCMP_ACT_TRAP, "clone", 1, &process);
    add_values(r, "tgkill", 0, self, 1); /* abort and raise */
}

static void add_sockets(struct rules *r, enum cage_role role)
{
    static const uint64_t families[] = {AF_UNIX, AF_INET, AF_INET6};
    static const struct scmp_arg_cmp others[] = {
        [CAGE_ANSWERS] = {.arg = 0, .op = SCMP_CMP_GT, .datum_a = AF_UNIX},
        [CAGE_REPLICATES] = {.arg = 0, .op = SCMP_CMP_GT, .datum_a = AF_INET6}};

    add_values(r, "socket", 0, families, role == CAGE_ANSWERS ? 1 : COUNT(families));
    add(r, SCMP_ACT_ERRNO(EAFNOSUPPORT), "socket", 1, &others[role]);
}

static void add_special(struct rules *r, const struct cage *c)
{
    static const uint64_t writing[] = {O_WRONLY, O_RDWR, O_CREAT, O_TRUNC};
    static const uint64_t executable[] = {PROT_EXEC};
    static const uint64_t controls[] = {FIONREAD, FIONBIO, TCGETS};
    static const uint64_t settings[] = {PR_SET_NAME, PR_GET_NAME, PR_GET_DUMPABLE, NAME_OF_MEMORY};

    if (!c->sanitized) {
        add_without(r, "mmap", 2, executable, 1, EACCES);
        add_without(r, "mmap2", 2, executable, 1, EACCES);
        add_without(r, "mprotect", 2, executable, 1, EACCES);
        add_values(r, "ioctl", 1, controls, COUNT(controls));
        add_values(r, "prctl", 0, settings, COUNT(settings));
        add_threads(r);
        if (c->role == CAGE_ANSWERS)
            add_without(r, "openat", 2, writing, COUNT(writing), EACCES);
    }
    if (c->role == CAGE_ANSWERS) /* SQLite tries it on what it opens, as root */
        add(r, SCMP_ACT_ERRNO(EPERM), "fchown", 0, NULL);
    add_sockets(r, c->role);
}

static void add_rules(struct rules *r, const struct cage *c)
{
    add_list(r, SCMP_ACT_ALLOW, calls_of_both, COUNT(calls_of_both));
    if (c->role == CAGE_REPLICATES)
        add_list(r, SCMP_ACT_ALLOW, calls_of_syncd, COUNT(calls_of_syncd));
    if (c->sanitized) {
        add_list(r, SCMP_ACT_ALLOW, calls_of_sanitizers, COUNT(calls_of_sanitizers));
        add(r, SCMP_ACT_ERRNO(ENOSYS), "clone3", 0, NULL);
    }
    add_special(r, c);
    for (size_t i = 0; i < COUNT(calls_of_intruders); i++) {
        const char *name = calls_of_intruders[i];

        if (!c->sanitized || !in_list(calls_of_sanitizers, COUNT(calls_of_sanitizers), name))
            add(r, SCMP_ACT_TRAP, name, 0, NULL);
    }
}

/* Asked with the system call itself: libseccomp would fall back to prctl, which also works below
 * valgrind, and then refuse what valgrind itself does. */
static bool kernel_filters(void)
{
    const uint32_t action = SECCOMP_RET_TRAP;

    return syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) == 0;
}

enum err calls_enter(bool *out, char why[64], const struct cage *c, struct errinfo *e)
{
    struct rules r = {.filter =
                          seccomp_init(c->sanitized ? SCMP_ACT_TRAP : SCMP_ACT_ERRNO(ENOSYS))};
    enum err rc = OK;
    int failed;

    if (!r.filter)
        return err_set(ERR_LIMIT, e, "seccomp: no memory for the rules");
    if (!kernel_filters()) {
        (void)snprintf(why, 64, "%s", strerror(errno));
        goto out;
    }
    add_rules(&r, c);
    (void)seccomp_attr_set(r.filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
    (void)seccomp_attr_set(r.filter, SCMP_FLTATR_CTL_NNP, 0); /* it is set */
    (void)seccomp_attr_set(r.filter, SCMP_FLTATR_CTL_SSB, 1); /* no foreign code runs in here */
    (void)seccomp_attr_set(r.filter, SCMP_FLTATR_CTL_OPTIMIZE, 2); /* a tree, not a list */
    if (r.failed)
        rc = err_sys(r.failed, e, "seccomp: making the rules");
    else if ((rc = catch_refused(c, e)) == OK && (failed = seccomp_load(r.filter)) != 0)
        rc = err_sys(-failed, e, "seccomp: closing");
    *out = rc == OK;
out:
    seccomp_release(r.filter);
    return rc;
}
