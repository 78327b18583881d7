/* What goes into a cage, and what is said of it; tests/integration/test_privileges.py tries it. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/base/cage.h"
#include "lib/base/mem.h"

static char dir[] = "/tmp/test_cage.XXXXXX";

static char *below(const char *name)
{
    return xasprintf("%s/%s", dir, name);
}

static void make_file(const char *name)
{
    char *path = below(name);
    int fd = open(path, O_CREAT | O_WRONLY, 0600);

    assert_true(fd >= 0);
    assert_int_equal(close(fd), 0);
    free(path);
}

static void make_dir(const char *name)
{
    char *path = below(name);

    assert_int_equal(mkdir(path, 0700), 0);
    free(path);
}

/* DIR/a/file, DIR/b/file, and DIR/a/link to the latter. */
static int setup(void **state)
{
    char *link;

    (void)state;
    assert_non_null(mkdtemp(dir));
    link = below("a/link");
    make_dir("a");
    make_dir("b");
    make_file("a/file");
    make_file("b/file");
    assert_int_equal(symlink("../b/file", link), 0);
    free(link);
    return 0;
}

static int teardown(void **state)
{
    static const char *const names[] = {"a/link", "a/file",    "b/file", "a",
                                        "b",      "late/file", "late"};

    (void)state;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        char *path = below(names[i]);

        (void)remove(path);
        free(path);
    }
    return rmdir(dir);
}

static void init(struct cage *c)
{
    cage_init(c, "test", CAGE_ANSWERS);
    cage_done(c); /* what a sanitizer needs is not our subject */
    c->sanitized = false;
}

static void test_directories_of_files(void **state)
{
    struct cage c;
    char *link = below("a/link"), *a = below("a"), *b = below("b");

    (void)state;
    init(&c);
    cage_allow_file(&c, NULL);
    cage_allow_file(&c, "");
    assert_int_equal(c.n, 0);
    cage_allow_file(&c, link); /* where it is looked for, and where it is */
    assert_int_equal(c.n, 2);
    assert_string_equal(c.paths[0].path, a);
    assert_string_equal(c.paths[1].path, b);
    cage_allow_file(&c, "/zoneledger.conf"); /* not the whole system for it */
    assert_string_equal(c.paths[2].path, "/zoneledger.conf");
    cage_allow_file(&c, "zoneledger.conf");
    assert_string_equal(c.paths[3].path, ".");
    for (size_t i = 0; i < c.n; i++)
        assert_int_equal(c.paths[i].access, CAGE_READ);
    cage_done(&c);
    free(link);
    free(a);
    free(b);
}

static void explain(const struct cage *c, const char *name, bool out_of_reach)
{
    struct errinfo e = {0};
    char *path = below(name);

    (void)err_set(ERR_IO, &e, "no");
    assert_int_equal(cage_explain(ERR_IO, c, path, &e), ERR_IO);
    assert_int_equal(strstr(e.text, "the sandbox does not reach") != NULL, out_of_reach);
    assert_non_null(strstr(e.text, "no"));
    free(path);
}

static void test_explanation(void **state)
{
    struct cage c;
    char *a = below("a");

    (void)state;
    init(&c);
    cage_allow(&c, a, CAGE_READ);
    explain(&c, "b/file", false); /* it is open */
    c.closed = true;
    explain(&c, "a/file", false);
    explain(&c, "b/file", true);
    explain(&c, "a/link", true); /* leads out */
    explain(&c, "a/missing", false);
    cage_done(&c);
    free(a);
}

static void test_words(void **state)
{
    static const struct {
        struct cage_report report;
        const char *text;
    } cases[] = {
        {{.seccomp = true, .landlock_abi = 4}, "seccomp, Landlock 4"},
        {{.seccomp = true}, "seccomp"},
        {{.landlock_abi = 2}, "Landlock 2"},
        {{.landlock_abi = 0}, "no capabilities"},
    };
    char text[64];

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        cage_text(text, sizeof(text), &cases[i].report);
        assert_string_equal(text, cases[i].text);
    }
    cage_text(text, sizeof(text), NULL);
    assert_string_equal(text, "off");
}

/* In a process of its own: what is made later below a directory that was not there can be read, and
 * nothing can be written. Exit codes from 10 on are failures. */
static int live_in_cage(void)
{
    struct cage c;
    struct cage_report r;
    struct errinfo e = {0};
    char *late = below("late"), *file = below("late/file");

    init(&c);
    cage_allow(&c, late, CAGE_READ);
    if (cage_enter(&r, &c, &e) != OK)
        return 10;
    if (!r.landlock_abi)
        return 1;
    if (strcmp(r.not_there_yet, late) != 0 || !c.closed)
        return 11;
    if (write(STDOUT_FILENO, "!", 1) != 1) /* the parent makes the file when it reads this */
        return 12;
    for (int tries = 0; access(file, R_OK) != 0; tries++) {
        if (errno != ENOENT || tries == 20000)
            return 13;
        (void)usleep(1000);
    }
    if (open(file, O_RDONLY) < 0)
        return 14;
    if (open(file, O_RDWR) >= 0 || open("/etc/passwd", O_RDONLY) >= 0)
        return 15;
    return 0;
}

static void test_a_directory_that_comes_later(void **state)
{
    int status = 0, pipes[2];
    char octet;
    pid_t pid;

    (void)state;
    assert_int_equal(pipe(pipes), 0);
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        (void)dup2(pipes[1], STDOUT_FILENO);
        _exit(live_in_cage());
    }
    (void)close(pipes[1]);
    if (read(pipes[0], &octet, 1) == 1) {
        make_dir("late");
        make_file("late/file");
    }
    (void)close(pipes[0]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    if (WEXITSTATUS(status) == 1) {
        print_message("skipped: this kernel has no Landlock\n");
        skip();
    }
    assert_int_equal(WEXITSTATUS(status), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_directories_of_files),
        cmocka_unit_test(test_explanation),
        cmocka_unit_test(test_words),
        cmocka_unit_test(test_a_directory_that_comes_later),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
