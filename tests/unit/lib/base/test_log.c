#include "lib/base/log.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static char caught[4096];

/* What `write` puts on stderr while f runs. */
static const char *catch_stderr(void (*f)(void))
{
    int ends[2];
    int was = dup(STDERR_FILENO);
    ssize_t n;

    assert_true(was >= 0);
    assert_int_equal(pipe(ends), 0);
    assert_true(dup2(ends[1], STDERR_FILENO) >= 0);
    f();
    assert_true(dup2(was, STDERR_FILENO) >= 0);
    (void)close(was);
    (void)close(ends[1]);
    n = read(ends[0], caught, sizeof(caught) - 1);
    (void)close(ends[0]);
    assert_true(n >= 0);
    caught[n] = 0;
    return caught;
}

static void some_lines(void)
{
    log_error(say("an error"));
    log_warning(say("a warning"), kv_u64("n", 18446744073709551615u));
    log_info(say("some info"), kv_i64("n", -5), kv_bool("yes", true), kv_bool("no", false));
    log_debug(say("not seen"));
}

static void hostile_line(void)
{
    struct errinfo e = {"bad \"thing\""};

    log_info(say("peer said"), kv_str("text", "a\nERROR b=c\x1b[0m\\ \"q\" \xff"),
             kv_str("plain", "192.0.2.1@53"), kv_str("none", NULL), kv_str("empty", ""),
             kv_str("eq", "a=b"), kv_err(&e));
}

static unsigned count_lines(const char *s)
{
    unsigned n = 0;

    for (; *s; s++)
        n += *s == '\n';
    return n;
}

static void lines_of_text(void **state)
{
    const char *out;

    (void)state;
    (void)unsetenv("JOURNAL_STREAM");
    log_init("authd", LOG_INFO, LOG_TEXT);
    out = catch_stderr(some_lines);
    assert_int_equal(count_lines(out), 3);
    assert_non_null(strstr(out, "Z authd error: an error\n"));
    assert_non_null(strstr(out, "Z authd warning: a warning n=18446744073709551615\n"));
    assert_non_null(strstr(out, "Z authd info: some info n=-5 yes=true no=false\n"));
    assert_null(strstr(out, "not seen"));
}

static void levels(void **state)
{
    enum log_level level = LOG_ERROR;

    (void)state;
    log_init("authd", LOG_ERROR, LOG_TEXT);
    assert_true(log_on(LOG_ERROR));
    assert_false(log_on(LOG_WARNING));
    assert_int_equal(count_lines(catch_stderr(some_lines)), 1);
    log_init("authd", LOG_DEBUG, LOG_TEXT);
    assert_int_equal(count_lines(catch_stderr(some_lines)), 4);
    assert_true(log_level_from_text(&level, "debug") && level == LOG_DEBUG);
    assert_true(log_level_from_text(&level, "warning") && level == LOG_WARNING);
    assert_false(log_level_from_text(&level, "loud"));
    assert_false(log_level_from_text(&level, ""));
    assert_int_equal(level, LOG_WARNING);
}

static void values_cannot_forge_lines(void **state)
{
    const char *out;

    (void)state;
    log_init("syncd", LOG_INFO, LOG_TEXT);
    out = catch_stderr(hostile_line);
    assert_int_equal(count_lines(out), 1);
    assert_non_null(
        strstr(out, " text=\"a\\u000aERROR b=c\\u001b[0m\\\\ \\\"q\\\" \\u00ff\" plain=192.0.2.1@53"
                    " none=- empty=\"\" eq=\"a=b\" error=\"bad \\\"thing\\\"\"\n"));
}

static void lines_of_json(void **state)
{
    const char *out;

    (void)state;
    log_init("syncd", LOG_INFO, LOG_JSON);
    out = catch_stderr(hostile_line);
    assert_int_equal(count_lines(out), 1);
    assert_memory_equal(out, "{\"time\":\"", 9);
    assert_non_null(
        strstr(out, "\"program\":\"syncd\",\"level\":\"info\",\"message\":\"peer said\","
                    "\"text\":\"a\\u000aERROR b=c\\u001b[0m\\\\ \\\"q\\\" \\u00ff\","
                    "\"plain\":\"192.0.2.1@53\",\"none\":\"-\",\"empty\":\"\",\"eq\":\"a=b\","
                    "\"error\":\"bad \\\"thing\\\"\"}\n"));
    out = catch_stderr(some_lines);
    assert_non_null(strstr(out, "\"n\":-5,\"yes\":true,\"no\":false}\n"));
}

static void priorities_for_journald(void **state)
{
    const char *out;

    (void)state;
    assert_int_equal(setenv("JOURNAL_STREAM", "8:1", 1), 0);
    log_init("authd", LOG_DEBUG, LOG_TEXT);
    out = catch_stderr(some_lines);
    assert_memory_equal(out, "<3>authd error: an error\n<4>authd warning:", 42);
    assert_non_null(strstr(out, "\n<6>authd info:"));
    assert_non_null(strstr(out, "\n<7>authd debug:"));
    (void)unsetenv("JOURNAL_STREAM");
    log_init("test", LOG_INFO, LOG_TEXT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_of_text),
        cmocka_unit_test(levels),
        cmocka_unit_test(values_cannot_forge_lines),
        cmocka_unit_test(lines_of_json),
        cmocka_unit_test(priorities_for_journald),
    };

    return cmocka_run_group_tests_name("log", tests, NULL, NULL);
}
