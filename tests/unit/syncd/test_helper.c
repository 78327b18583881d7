/* Programs that helpers run: how they end, and that nothing of them stays. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "syncd/helper.h"

static struct helper_outcome run(struct buf *text, char *program, char *script, int64_t ms,
                                 size_t max)
{
    char *const args[] = {program, (char[]){"-c"}, script, NULL};
    char *const env[] = {(char[]){"PATH=" HELPER_PATH}, (char[]){"COLOUR=blue"}, NULL};
    struct helper_command c = {.args = args,
                               .env = env,
                               .dir = "/",
                               .deadline = mono_add_ms(clock_mono(clock_real()), ms),
                               .output_max = max};
    struct helper_outcome out;

    text->len = 0;
    helper_run(&out, text, &c);
    return out;
}

static struct helper_outcome sh(struct buf *text, char *script)
{
    return run(text, (char[]){"sh"}, script, 60000, 4096);
}

static void test_how_it_ends(void **state)
{
    struct buf text = BUF_INIT;
    struct helper_outcome o;

    (void)state;
    o = sh(&text, (char[]){"echo $COLOUR $HOME; pwd >&2"});
    assert_true(o.kind == HELPER_EXITED && o.code == 0);
    assert_string_equal(buf_cstr(&text), "blue\n/\n");
    o = sh(&text, (char[]){"exit 3"});
    assert_true(o.kind == HELPER_EXITED && o.code == 3);
    o = sh(&text, (char[]){"kill -9 $$"});
    assert_true(o.kind == HELPER_KILLED && o.code == SIGKILL);
    o = run(&text, (char[]){"/nonexistent/program"}, (char[]){""}, 60000, 4096);
    assert_int_equal(o.kind, HELPER_NOT_STARTED);
    assert_string_equal(buf_cstr(&text), "/nonexistent/program: is not installed\n");
    buf_free(&text);
}

static void test_its_output_is_bounded_and_read_to_the_end(void **state)
{
    struct buf text = BUF_INIT;
    struct helper_outcome o;

    (void)state;
    o = run(&text, (char[]){"sh"}, (char[]){"head -c 3000000 /dev/zero; exit 5"}, 60000, 1000);
    assert_true(o.kind == HELPER_EXITED && o.code == 5);
    assert_int_equal(text.len, 1000);
    buf_free(&text);
}

static void test_too_slow_is_ended_with_all_that_it_started(void **state)
{
    struct buf text = BUF_INIT;
    struct helper_outcome o;
    pid_t child;

    (void)state;
    o = run(&text, (char[]){"sh"}, (char[]){"sleep 1000 & echo $!; wait"}, 300, 4096);
    assert_int_equal(o.kind, HELPER_TIMED_OUT);
    child = (pid_t)strtol(buf_cstr(&text), NULL, 10);
    if (child > 0) { /* a loaded machine may not have come so far */
        for (int i = 0; i < 2000 && kill(child, 0) == 0; i++)
            (void)usleep(5000);
        assert_int_not_equal(kill(child, 0), 0);
    }
    buf_free(&text);
}

/* It keeps stdout open, and would keep a pipe's reader waiting. */
static void test_what_stays_in_the_background_keeps_nobody(void **state)
{
    struct buf text = BUF_INIT;
    struct helper_outcome o;

    (void)state;
    o = sh(&text, (char[]){"sleep 1000 & echo said; exit 0"});
    assert_true(o.kind == HELPER_EXITED && o.code == 0);
    assert_string_equal(buf_cstr(&text), "said\n");
    buf_free(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_how_it_ends),
        cmocka_unit_test(test_its_output_is_bounded_and_read_to_the_end),
        cmocka_unit_test(test_too_slow_is_ended_with_all_that_it_started),
        cmocka_unit_test(test_what_stays_in_the_background_keeps_nobody),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
