#include "tests/tools/journal_fixture.h"

#include <errno.h>
#include <ftw.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/base/mem.h"

#define ARGS_MAX 32

static _Noreturn void fail_now(const char *what)
{
    (void)fprintf(stderr, "journal fixture: %s\n", what);
    abort();
}

/* ---- Directories ---- */

char *temp_dir_new(void)
{
    const char *base = getenv("TMPDIR");
    char *dir = xasprintf("%s/zl-journal-XXXXXX", base ? base : "/tmp");

    if (!mkdtemp(dir))
        fail_now("mkdtemp");
    return dir;
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
    (void)st;
    (void)flag;
    (void)ftw;
    return remove(path);
}

void temp_dir_free(char *dir)
{
    if (dir)
        (void)nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    free(dir);
}

/* ---- git ---- */

static _Noreturn void child(int out, const char **argv)
{
    (void)dup2(out, STDOUT_FILENO);
    (void)dup2(out, STDERR_FILENO);
    (void)setenv("GIT_CONFIG_NOSYSTEM", "1", 1);
    (void)setenv("GIT_CONFIG_GLOBAL", "/dev/null", 1);
    (void)setenv("HOME", "/nonexistent", 1);
    (void)setenv("LC_ALL", "C.UTF-8", 1);
    (void)setenv("GIT_PAGER", "cat", 1);
    (void)setenv("GIT_TERMINAL_PROMPT", "0", 1);
    (void)execvp("git", (char *const *)(uintptr_t)argv);
    _exit(127);
}

int git_run(const char *dir, struct buf *out, const char *arg, ...)
{
    const char *argv[ARGS_MAX] = {"git", "-C", dir};
    struct buf text = BUF_INIT;
    size_t n = 3;
    int fds[2];
    int status = 0;
    ssize_t got;
    va_list ap;
    pid_t pid;

    va_start(ap, arg);
    for (const char *a = arg; a && n + 1 < ARGS_MAX; a = va_arg(ap, const char *))
        argv[n++] = a;
    va_end(ap);
    if (pipe(fds) < 0 || (pid = fork()) < 0)
        fail_now("fork");
    if (pid == 0)
        child(fds[1], argv);
    (void)close(fds[1]);
    do {
        buf_reserve(&text, 65536);
        got = read(fds[0], text.data + text.len, 65536);
        if (got > 0)
            text.len += (size_t)got;
    } while (got > 0 || (got < 0 && errno == EINTR));
    (void)close(fds[0]);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        continue;
    if (out) {
        out->len = 0;
        buf_put(out, text.data, text.len);
        (void)buf_cstr(out);
    }
    buf_free(&text);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}

bool git_fsck_is_clean(const char *dir)
{
    struct buf out = BUF_INIT;
    bool clean = git_run(dir, &out, "fsck", "--full", "--strict", "--no-progress", NULL) == 0;
    char *save = NULL;

    for (char *l = strtok_r((char *)out.data, "\n", &save); l && clean;
         l = strtok_r(NULL, "\n", &save))
        clean = strncmp(l, "notice:", 7) == 0 || strncmp(l, "dangling ", 9) == 0;
    if (!clean)
        (void)git_run(dir, &out, "fsck", "--full", "--strict", "--no-progress", NULL),
            (void)fprintf(stderr, "git fsck: %s\n", buf_cstr(&out));
    buf_free(&out);
    return clean;
}

/* ---- Chance ---- */

uint64_t rng_next(struct rng *r)
{
    uint64_t z = (r->state += UINT64_C(0x9e3779b97f4a7c15));

    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

/* ---- Names ---- */

void name_of(uint8_t out[NAME_MAX_OCTETS], const char *text)
{
    if (name_from_text(out, text, strlen(text), NULL, NULL))
        fail_now(text);
}
