/* What a daemon gives up once it has opened what it needs, so that who breaks into it gains little:
 *
 *   privileges   no new ones (NO_NEW_PRIVS), no capabilities, no core dump
 *   Landlock     files and directories: those named, and no others; no TCP connections (authd)
 *   seccomp      system calls: those on a list (cage_calls.c), and no others
 *
 * Landlock and seccomp are used as far as the kernel has them; the first line of the log that says
 * "the cage is closed" says what is in force. What is refused and how:
 *  - a call that only an intruder makes (execve, ptrace, mount, setuid ...) ends the process with
 *    SIGSYS, after a line that names it;
 *  - any other call that is not on the list fails with ENOSYS. What we link with may come to use
 *    a new call with an update, and has a way without it on older kernels; a nameserver that dies
 *    of that would be the greater harm. Builds with a sanitizer, in which all tests run, end there
 *    too, so the list is complete for what the tests do;
 *  - writing, other directories, other kinds of sockets, executable memory: EACCES, EAFNOSUPPORT.
 *
 * All of it is for the calling thread and those it starts later: enter before the first is started.
 */
#ifndef ZL_BASE_CAGE_H
#define ZL_BASE_CAGE_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/base/err.h"

enum cage_role {
    CAGE_ANSWERS,    /* authd: reads, and writes to sockets that it has; makes Unix sockets */
    CAGE_REPLICATES, /* syncd: writes files as well, and makes sockets of its own */
};

enum cage_access {
    CAGE_READ,  /* files below a directory, or one file */
    CAGE_WRITE, /* everything below a directory, but for devices, FIFOs and programs */
};

struct cage_path {
    char *path;
    enum cage_access access;
};

struct cage {
    const char *program; /* lent for the life of the process, as below */
    enum cage_role role;
    bool sanitized; /* also allow what the runtime of a sanitizer needs; see cage_init */
    bool closed;    /* Landlock is in force */
    struct cage_path *paths;
    size_t n, cap;
};

/* What is in force. */
struct cage_report {
    bool capabilities_kept; /* some: those that the role needs as root */
    bool seccomp;
    int landlock_abi;        /* 0: none */
    char missing[128];       /* why, if one of them is not; "" if nothing is */
    char not_there_yet[256]; /* a path whose parent is allowed, since it does not exist; "" */
};

/* `sanitized` is set if this is such a build. */
void cage_init(struct cage *c, const char *program, enum cage_role role);
void cage_done(struct cage *c);

/* A path that is not there yet gives its nearest parent, to be read only. */
void cage_allow(struct cage *c, const char *path, enum cage_access access);
/* A file that may be replaced by another of that name: its directory, and that in which it really
 * is, if it is a link. NULL and "" are fine. */
void cage_allow_file(struct cage *c, const char *file);

/* No way back. Errors: ERR_IO if the kernel refuses what it has; then nothing should be served. */
MUST_USE enum err cage_enter(struct cage_report *out, struct cage *c, struct errinfo *e);

/* Explains a failure in *e: a file that a new configuration names may lie where the cage, which is
 * as the configuration was at the start, does not reach. Returns rc. */
enum err cage_explain(enum err rc, const struct cage *c, const char *file, struct errinfo *e);

/* The lines of the log about it. */
void cage_log(const struct cage_report *r);

/* The same in a few words, for status: "seccomp, Landlock 4"; "off" for NULL. */
void cage_text(char *out, size_t size, const struct cage_report *r);

/* Becomes the user for good: groups, all group and user ids. `group` "" is the user's own.
 * Nothing is done for user "" or if we are not root. ERR_NOT_FOUND, ERR_DENIED, ERR_IO. */
MUST_USE enum err become_user(const char *user, const char *group, struct errinfo *e);

#endif
