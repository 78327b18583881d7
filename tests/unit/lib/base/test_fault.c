/* The named points that other tests kill processes at. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/base/fault.h"

/* Exit status of a child that passes two points three times in turn, or -signal. */
static int passages_until(const char *want)
{
    int status = 0;
    pid_t pid = fork();

    if (pid == 0) {
        (void)setenv("ZL_FAULT", want, 1);
        for (int i = 0; i < 3; i++) {
            fault_point("room:point");
            fault_point("room:point_two");
        }
        _exit(7);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

static void test_points(void **state)
{
    static const struct {
        const char *want;
        int result;
    } cases[] = {
        {"", 7},
        {"room", 7},
        {"room:poin", 7},
        {"room:other", 7},
        {"room:point@4", 7},
        {"room:point@x", 7},
        {"room:point", -SIGKILL},
        {"room:point_two", -SIGKILL},
        {"room:point@1", -SIGKILL},
        {"room:point_two@3", -SIGKILL},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_int_equal(passages_until(cases[i].want), cases[i].result);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_points)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
