#include "syncd/stock_git.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static enum err run_git(const char *const *args, const char *what, struct errinfo *e)
{
    int status = 0;
    pid_t pid = fork();

    if (pid < 0)
        return err_sys(errno, e, "starting git");
    if (pid == 0) {
        (void)dup2(STDERR_FILENO, STDOUT_FILENO);
        (void)setenv("GIT_CONFIG_NOSYSTEM", "1", 1);
        (void)setenv("GIT_NO_REPLACE_OBJECTS", "1", 1);
        (void)setenv("GIT_ALLOW_PROTOCOL", "file:ssh:https", 1);
        (void)execvp("git", (char *const *)(uintptr_t)args);
        (void)fprintf(stderr, "git: %s\n", strerror(errno));
        _exit(127);
    }
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        continue;
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        return err_set(ERR_CORRUPT, e, "%s failed; git has said why", what);
    return OK;
}

enum err stock_git_fetch(const char *repository, const char *from, struct errinfo *e)
{
    const char *const args[] = {"git",
                                "--git-dir",
                                repository,
                                "-c",
                                "fetch.fsckObjects=true",
                                "-c",
                                "fetch.unpackLimit=1",
                                "-c",
                                "core.fsync=all",
                                "fetch",
                                "--quiet",
                                "--no-write-fetch-head",
                                "--no-tags",
                                "--no-auto-maintenance",
                                "--update-shallow", /* it may have cuts of its own */
                                "--",
                                from,
                                "refs/heads/*:refs/heads/*",
                                "+refs/waiting/*:refs/waiting/*",
                                "+refs/quarantine/*:refs/quarantine/*",
                                "refs/zoneledger/*:refs/zoneledger/*",
                                NULL};

    return run_git(args, "git fetch", e);
}

enum err stock_git_fsck(const char *repository, struct errinfo *e)
{
    const char *const args[] = {"git",    "--git-dir", repository,      "fsck",
                                "--full", "--strict",  "--no-dangling", NULL};

    return run_git(args, "git fsck", e);
}
