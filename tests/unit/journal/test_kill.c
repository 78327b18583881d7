/* A writer killed at each named point, and at each system call that changes the disk: the next
 * start ends with the same ids, and stock git finds nothing wrong.
 *
 * The program is its own victim: `test_kill victim DIRECTORY` writes a small history.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "journal/journal.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "tests/tools/journal_fixture.h"

#define APEX "example.com."
#define CALLS_MAX 3000

enum { VERSIONS = 4 };

/* ---- The victim ---- */

static void must(enum err rc, const struct errinfo *e)
{
    if (rc == OK)
        return;
    (void)fprintf(stderr, "victim: %s: %s\n", err_name(rc), e->text);
    exit(1);
}

static struct zone *version_make(uint32_t v)
{
    struct line_set lines = {0};
    struct zone *z;

    line_set_soa(&lines, APEX, v);
    for (uint32_t i = 0; i < 300 + v; i++)
        line_set_add(&lines, "h%u.%s 300 IN A 192.0.2.%u", i, APEX, i % 7 == v ? v : 9);
    z = zone_of_lines(APEX, &lines);
    line_set_free(&lines);
    return z;
}

/* Each version is a call; then the ref, then the packs are merged. Prints the last commit. */
static int victim(const char *dir)
{
    struct journal_oid tip = {{0}};
    struct zone *before = NULL;
    struct journal *j = NULL;
    struct errinfo e = {0};
    char hex[JOURNAL_HEX_MAX];

    log_init("victim", LOG_ERROR, LOG_TEXT);
    must(journal_open(&j, dir, "node", true, &e), &e);
    for (uint32_t v = 1; v <= VERSIONS; v++) {
        struct zone *z = version_make(v);
        struct journal_entry en = entry_of(z, v);
        struct changeset *cs = NULL;

        must(zone_diff(&cs, before, z, &e), &e);
        en.parent = tip;
        en.changes = before ? cs : NULL;
        must(journal_write(j, &en, 1, &e), &e);
        must(journal_ref_set(j, LINE_SERVED, en.zone, &en.commit, &e), &e);
        tip = en.commit;
        changeset_free(cs);
        zone_unref(before);
        before = z;
    }
    must(journal_repack(j, &e), &e);
    zone_unref(before);
    journal_close(j);
    journal_oid_hex(hex, &tip);
    (void)printf("%s\n", hex);
    return 0;
}

/* ---- The hunter ---- */

static const char *self;
static char first_tip[64]; /* what an undisturbed victim prints */

/* Runs a command; *out gets what it prints to stdout. The exit code, or -1 if a signal ended it. */
static int run(char *out, size_t cap, const char *fault, const char *const *argv)
{
    int fds[2];
    int status = 0;
    size_t used = 0;
    ssize_t n;
    pid_t pid;

    assert_int_equal(pipe(fds), 0);
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        (void)dup2(fds[1], STDOUT_FILENO);
        (void)close(fds[0]);
        (void)setenv("ASAN_OPTIONS", "detect_leaks=0", 1); /* it cannot look while traced */
        if (fault)
            (void)setenv("ZL_FAULT", fault, 1);
        (void)execvp(argv[0], (char *const *)(uintptr_t)argv);
        _exit(127);
    }
    (void)close(fds[1]);
    while (used + 1 < cap && (n = read(fds[0], out + used, cap - used - 1)) > 0)
        used += (size_t)n;
    out[used] = 0;
    (void)close(fds[0]);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        continue;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void no_leftovers(const char *dir)
{
    static const char *const ends[] = {".pack", ".idx", ".keep"};
    char *path = xasprintf("%s/objects/pack", dir);
    DIR *d = opendir(path);
    const struct dirent *ent;

    assert_non_null(d);
    while ((ent = readdir(d))) {
        bool known = ent->d_name[0] == '.';

        for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
            size_t n = strlen(ent->d_name);

            known |= n > 6 && strcmp(ent->d_name + n - strlen(ends[i]), ends[i]) == 0;
        }
        if (!known)
            fail_msg("left over: %s", ent->d_name);
    }
    (void)closedir(d);
    free(path);
}

/* The victim again, undisturbed, on what is left. */
static void recovers(const char *dir, const char *what)
{
    char out[64];
    const char *argv[] = {self, "victim", dir, NULL};

    if (run(out, sizeof(out), NULL, argv) != 0)
        fail_msg("%s: no recovery", what);
    assert_string_equal(out, first_tip);
    no_leftovers(dir);
    if (!git_fsck_is_clean(dir))
        fail_msg("%s: git fsck", what);
}

static int learn_tip(void **state)
{
    char *dir = temp_dir_new();
    const char *argv[] = {self, "victim", dir, NULL};
    int rc = run(first_tip, sizeof(first_tip), NULL, argv);

    (void)state;
    temp_dir_free(dir);
    return rc;
}

static void test_named_points(void **state)
{
    static const char *const points[] = {
        "file:before_rename",    "journal:after_keep",   "journal:before_commit",
        "journal:between_names", "journal:after_pack",   "journal:before_ref",
        "journal:before_drop",   "journal:after_drop",   "journal:after_keep@3",
        "journal:after_pack@5",  "journal:after_drop@2", "journal:after_drop@6",
        "journal:before_ref@4",  "journal:before_check",
    };

    (void)state;
#ifndef FAULT_POINTS
    print_message("built without fault points\n");
    skip();
#endif
    for (size_t i = 0; i < sizeof(points) / sizeof(points[0]); i++) {
        char *dir = temp_dir_new();
        char out[64];
        const char *argv[] = {self, "victim", dir, NULL};

        if (run(out, sizeof(out), points[i], argv) != -1)
            fail_msg("%s was not passed", points[i]);
        recovers(dir, points[i]);
        temp_dir_free(dir);
    }
}

/* The n-th call of one kind, n = first, first + stride ... until there is none; how many there
 * were. */
static unsigned kill_at_calls(const char *call, unsigned first, unsigned stride)
{
    unsigned n = first;
    int rc = -1;

    for (; rc != 0 && n < CALLS_MAX; n += stride) {
        char *dir = temp_dir_new();
        char *trace = xasprintf("trace=%s", call);
        char *inject = xasprintf("inject=%s:signal=KILL:when=%u", call, n);
        char *what = xasprintf("%s %u", call, n);
        char out[64];
        const char *argv[] = {"strace", "-f",   "-o", "/dev/null", "-e", trace,
                              "-e",     inject, self, "victim",    dir,  NULL};

        if ((rc = run(out, sizeof(out), NULL, argv)) == 0)
            assert_string_equal(out, first_tip);
        else
            recovers(dir, what);
        temp_dir_free(dir);
        free(trace);
        free(inject);
        free(what);
    }
    assert_int_equal(rc, 0);
    return n;
}

/* ZL_STRIDE=1 takes each call in turn, which needs the better part of a minute. */
static void test_system_calls(void **state)
{
    static const char *const calls[] = {"write", "pwrite64", "fsync", "rename",
                                        "link",  "unlink",   "mkdir"};
    const char *seed = getenv("ZL_SEED");
    const char *stride_text = getenv("ZL_STRIDE");
    unsigned stride = stride_text ? (unsigned)strtoul(stride_text, NULL, 10) : 7;
    unsigned first = 1 + (seed ? (unsigned)strtoul(seed, NULL, 10) : 0) % stride;
    char out[64];
    const char *version[] = {"strace", "-V", NULL};

    (void)state;
    if (run(out, sizeof(out), NULL, version) != 0) {
        print_message("no strace here\n");
        skip();
    }
    for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
        print_message("%s: up to %u\n", calls[i], kill_at_calls(calls[i], first, stride));
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_named_points),
        cmocka_unit_test(test_system_calls),
    };

    if (argc == 3 && strcmp(argv[1], "victim") == 0)
        return victim(argv[2]);
    self = argv[0];
    return cmocka_run_group_tests(tests, learn_tip, NULL);
}
