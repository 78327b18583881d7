/* What git is called with, and what its output means. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/mem.h"
#include "syncd/remote_helper.h"

static void add(char **list, size_t max, char *text)
{
    size_t n = 0;

    while (list[n])
        n++;
    if (n + 1 >= max)
        abort();
    list[n] = text;
}

static void add_arg(struct remote_command *c, const char *text)
{
    add(c->args, REMOTE_ARGS_MAX, xstrdup(text));
}

static void add_env(struct remote_command *c, const char *text)
{
    add(c->env, REMOTE_ENV_MAX, xstrdup(text));
}

static char *env_text(const char *name, const char *value)
{
    return xasprintf("%s=%s", name, value);
}

/* The file names are harmless to a shell: config_remotes.c sees to it. */
static void add_ssh(struct remote_command *c, const struct config_remote *r)
{
    char *key = r->ssh_key[0]
                    ? xasprintf(" -i %s -o IdentitiesOnly=yes -o IdentityAgent=none", r->ssh_key)
                    : xstrdup("");

    add(c->env, REMOTE_ENV_MAX,
        xasprintf("GIT_SSH_COMMAND=ssh -F none -T -o BatchMode=yes -o StrictHostKeyChecking=yes"
                  " -o UserKnownHostsFile=%s -o ForwardAgent=no -o ClearAllForwardings=yes"
                  " -o PermitLocalCommand=no -o ConnectTimeout=30 -o ServerAliveInterval=15%s",
                  r->known_hosts[0] ? r->known_hosts : "/dev/null", key));
    add_env(c, "GIT_SSH_VARIANT=ssh");
    free(key);
}

static void add_environment(struct remote_command *c, const struct config_remote *r,
                            const char *dir, const char *path)
{
    static const char *const fixed[] = {
        "GIT_CONFIG_NOSYSTEM=1",    "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null",
        "GIT_TERMINAL_PROMPT=0",    "GIT_ASKPASS=/bin/false",      "SSH_ASKPASS=/bin/false",
        "GIT_NO_REPLACE_OBJECTS=1", "GIT_PROTOCOL_FROM_USER=0",    "LC_ALL=C"};

    for (size_t i = 0; i < sizeof(fixed) / sizeof(fixed[0]); i++)
        add_env(c, fixed[i]);
    add(c->env, REMOTE_ENV_MAX, env_text("PATH", path));
    add(c->env, REMOTE_ENV_MAX, env_text("HOME", dir));
    add(c->env, REMOTE_ENV_MAX, env_text("XDG_CONFIG_HOME", dir));
    add(c->env, REMOTE_ENV_MAX, env_text("GIT_DIR", dir));
    if (config_remote_is_ssh(r)) {
        add_env(c, "GIT_ALLOW_PROTOCOL=ssh");
        add_ssh(c, r);
    } else {
        add_env(c, r->url[0] == '/' ? "GIT_ALLOW_PROTOCOL=file" : "GIT_ALLOW_PROTOCOL=https");
    }
    if (r->credentials[0]) {
        add_env(c, "GIT_CONFIG_COUNT=1");
        add_env(c, "GIT_CONFIG_KEY_0=credential.helper");
        add(c->env, REMOTE_ENV_MAX,
            xasprintf("GIT_CONFIG_VALUE_0=store --file=%s", r->credentials));
    }
}

void remote_command_make(struct remote_command *out, const struct config_remote *r,
                         enum remote_part part, const char *dir, const char *path)
{
    static const char *const push[] = {"git",         "push",        "--porcelain",
                                       "--no-verify", "--no-signed", "--recurse-submodules=no",
                                       NULL};
    static const char *const list[] = {"git", "ls-remote", "--quiet", "--refs", NULL};

    *out = (struct remote_command){.args = {NULL}};
    for (const char *const *arg = part == REMOTE_REFS ? list : push; *arg; arg++)
        add_arg(out, *arg);
    if (part == REMOTE_POINTERS)
        add_arg(out, "--prune");
    add_arg(out, "--");
    add_arg(out, r->url);
    if (part == REMOTE_HISTORY) {
        add_arg(out, "refs/heads/*:refs/heads/*");
        add_arg(out, "refs/zoneledger/*:refs/zoneledger/*");
    } else if (part == REMOTE_POINTERS) {
        add_arg(out, "+refs/waiting/*:refs/waiting/*");
        add_arg(out, "+refs/quarantine/*:refs/quarantine/*");
    }
    add_environment(out, r, dir, path);
}

void remote_command_free(struct remote_command *c)
{
    for (size_t i = 0; i < REMOTE_ARGS_MAX; i++)
        free(c->args[i]);
    for (size_t i = 0; i < REMOTE_ENV_MAX; i++)
        free(c->env[i]);
}

/* ---- Output ---- */

/* "!\trefs/heads/a:refs/heads/a\t[rejected] (non-fast-forward)" */
static bool says_diverged(const char *line, size_t n)
{
    static const char *const words[] = {"(non-fast-forward)", "(fetch first)", "(needs force)",
                                        "(already exists)"};

    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (memmem(line, n, words[i], strlen(words[i])))
            return true;
    }
    return false;
}

static bool is_hint(const char *line, size_t n)
{
    return n == 0 || strncmp(line, "hint:", 5) == 0 || strncmp(line, "To ", 3) == 0 ||
           (n == 4 && strncmp(line, "Done", 4) == 0);
}

/* Lines that say what was wrong, the refused branches first; peers' words, made safe. */
static void add_line(struct remote_result *r, const char *line, size_t n)
{
    size_t used = strlen(r->text);

    if (used && used + 3 < sizeof(r->text)) {
        r->text[used++] = ';';
        r->text[used++] = ' ';
    }
    for (size_t i = 0; i < n && used + 1 < sizeof(r->text); i++)
        r->text[used++] = line[i] >= ' ' && line[i] <= '~' ? line[i] : ' ';
    r->text[used] = 0;
}

static const char *line_end(const char *at)
{
    return at + strcspn(at, "\n");
}

void remote_result_read(struct remote_result *out, int exit_code, const char *text)
{
    bool diverged = false;

    out->refused = 0;
    out->text[0] = 0;
    out->outcome = exit_code == 0 ? REMOTE_DONE : REMOTE_FAILED;
    /* An empty journal, and an empty remote. */
    if (exit_code == 0 || strstr(text, "No refs in common and none specified")) {
        out->outcome = REMOTE_DONE;
        return;
    }
    for (const char *at = text; *at; at = line_end(at) + (*line_end(at) == '\n')) {
        size_t n = (size_t)(line_end(at) - at);

        if (at[0] != '!' || n < 2)
            continue;
        diverged = diverged || says_diverged(at, n);
        if (out->refused++ < 3)
            add_line(out, at + 2, n - 2);
    }
    for (const char *at = text; *at; at = line_end(at) + (*line_end(at) == '\n')) {
        size_t n = (size_t)(line_end(at) - at);

        if (!strchr("!=*+- \t", at[0]) && !is_hint(at, n))
            add_line(out, at, n);
    }
    if (diverged)
        out->outcome = REMOTE_DIVERGED;
    if (!out->text[0])
        (void)snprintf(out->text, sizeof(out->text), "git ended with %d", exit_code);
}
