/* Guard commands: what an answer means, what is kept of their words, and the files they read. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/base/mem.h"
#include "syncd/guard_command.h"
#include "tests/tools/journal_fixture.h"

static struct guard_verdict judge(enum helper_end_kind kind, int code, const char *text,
                                  bool failure_serves)
{
    char path[] = "/opt/checks/look";
    char *args[] = {path};
    struct config_command command = {
        .args = args, .arg_count = 1, .time_s = 30, .failure_serves = failure_serves};
    struct guard_answer a = {.kind = kind, .code = code};
    struct guard_verdict v = {.quarantine = false};

    (void)snprintf(a.text, sizeof(a.text), "%s", text);
    guard_command_judge(&v, &command, &a);
    return v;
}

static void test_its_exit_code_decides(void **state)
{
    struct guard_verdict v;

    (void)state;
    v = judge(HELPER_EXITED, 0, "all is well", false);
    assert_false(v.quarantine || v.alert);
    assert_string_equal(v.reason, "");
    for (int serves = 0; serves < 2; serves++) { /* no is no, whatever is said of failures */
        v = judge(HELPER_EXITED, 1, "no MX", serves);
        assert_true(v.quarantine);
        assert_string_equal(v.reason, "look: no MX");
    }
    v = judge(HELPER_EXITED, 77, "", false);
    assert_true(v.quarantine);
    assert_string_equal(v.reason, "look: it ended with 77");
}

static void test_what_it_cannot_say_is_decided_by_the_configuration(void **state)
{
    static const struct {
        uint32_t kind;
        int code;
        const char *text, *reason;
    } cases[] = {
        {HELPER_KILLED, 9, "words", "look: it was killed by signal 9"},
        {HELPER_TIMED_OUT, 0, "words", "look: it took longer than 30 s and was ended"},
        {HELPER_NOT_STARTED, 127, "look: is not installed",
         "look: it could not be run: look: is not installed"},
        {HELPER_NOT_STARTED, 0, "", "look: it could not be run: for no reason given"},
        {4711, 0, "", "look: it could not be run: for no reason given"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct guard_verdict no = judge(cases[i].kind, cases[i].code, cases[i].text, false);
        struct guard_verdict yes = judge(cases[i].kind, cases[i].code, cases[i].text, true);

        assert_true(no.quarantine && !no.alert);
        assert_true(yes.alert && !yes.quarantine);
        assert_string_equal(no.reason, cases[i].reason);
        assert_string_equal(yes.reason, cases[i].reason);
    }
}

static void test_it_adds_to_what_was_found_before(void **state)
{
    struct guard_verdict v = {.alert = true, .reason = "other NS records"};
    struct config_command none = {.args = NULL};
    struct guard_answer a = {.kind = HELPER_EXITED, .code = 1, .text = "no"};

    (void)state;
    guard_command_judge(&v, &none, &a);
    assert_true(v.quarantine && v.alert);
    assert_string_equal(v.reason, "other NS records; the guard command: no");
    memset(v.reason, 'x', sizeof(v.reason) - 1); /* no room */
    guard_command_judge(&v, &none, &a);
    assert_int_equal(strlen(v.reason), sizeof(v.reason) - 1);
}

static void test_the_first_line_is_kept_printable(void **state)
{
    static const struct {
        const char *text;
        size_t len;
        const char *line;
    } cases[] = {
        {"", 0, ""},
        {"one\ntwo\n", 8, "one"},
        {"\n \r\n  one  \r\ntwo", 16, "one"},
        {"a\tb\\c", 5, "a\\009b\\092c"},
        {"\0\xff", 2, "\\000\\255"},
    };
    char out[64];
    char small[8];

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        guard_first_line(out, sizeof(out), cases[i].text, cases[i].len);
        assert_string_equal(out, cases[i].line);
    }
    guard_first_line(small, sizeof(small), "0123456789", 10);
    assert_string_equal(small, "0123456");
    guard_first_line(small, sizeof(small), "0123\001\002", 6); /* an escape is whole or not there */
    assert_string_equal(small, "0123");
}

static struct zone *zone_of(uint32_t serial, const char *more)
{
    struct line_set l = {0};
    struct zone *z;

    line_set_add(&l, "example. 3600 IN SOA ns.example. h.example. %u 2 3 4 5", (unsigned)serial);
    line_set_add(&l, "example. 3600 IN NS ns.example.");
    line_set_add(&l, "%s", more);
    z = zone_of_lines("example.", &l);
    line_set_free(&l);
    return z;
}

static void read_file(char out[512], const char *dir, const char *name, mode_t mode)
{
    char *path = xasprintf("%s/%s", dir, name);
    FILE *f = fopen(path, "re");
    struct stat st;
    size_t n;

    assert_non_null(f);
    assert_int_equal(fstat(fileno(f), &st), 0);
    assert_int_equal(st.st_mode & 0777, mode);
    n = fread(out, 1, 511, f);
    out[n] = 0;
    (void)fclose(f);
    free(path);
}

static void test_files_have_both_zones_and_what_differs(void **state)
{
    char dir[] = "/tmp/zl-guard-XXXXXX";
    struct zone *was = zone_of(1, "a.example. 60 IN A 192.0.2.1");
    struct zone *is = zone_of(2, "b.example. 60 IN A 192.0.2.2");
    char text[512];
    struct errinfo e;

    (void)state;
    assert_non_null(mkdtemp(dir));
    assert_int_equal(guard_files_write(dir, 0700, was, is, &e), ERR_IO); /* it is there already */
    assert_int_equal(rmdir(dir), 0);
    assert_int_equal(guard_files_write(dir, 0700, was, is, &e), OK);
    read_file(text, dir, GUARD_OLD, 0600);
    assert_non_null(strstr(text, "\na.example. 60 IN A 192.0.2.1\n"));
    read_file(text, dir, GUARD_NEW, 0600);
    assert_non_null(strstr(text, "\nb.example. 60 IN A 192.0.2.2\n"));
    read_file(text, dir, GUARD_DIFF, 0600);
    assert_string_equal(text, "-example. 3600 IN SOA ns.example. h.example. 1 2 3 4 5\n"
                              "-a.example. 60 IN A 192.0.2.1\n"
                              "+example. 3600 IN SOA ns.example. h.example. 2 2 3 4 5\n"
                              "+b.example. 60 IN A 192.0.2.2\n");
    guard_files_remove(dir);
    assert_int_not_equal(access(dir, F_OK), 0);
    assert_int_equal(guard_files_write(dir, 0750, NULL, is, &e), OK); /* a first version */
    read_file(text, dir, GUARD_OLD, 0640);
    assert_string_equal(text, "");
    guard_files_remove(dir);
    zone_unref(was);
    zone_unref(is);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_its_exit_code_decides),
        cmocka_unit_test(test_what_it_cannot_say_is_decided_by_the_configuration),
        cmocka_unit_test(test_it_adds_to_what_was_found_before),
        cmocka_unit_test(test_the_first_line_is_kept_printable),
        cmocka_unit_test(test_files_have_both_zones_and_what_differs),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
