#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "syncd/remote_helper.h"

static struct config_remote remote_at(char *url)
{
    static char none[] = "";

    return (struct config_remote){.name = (char[]){"b"},
                                  .url = url,
                                  .ssh_key = none,
                                  .known_hosts = none,
                                  .credentials = none,
                                  .user = none};
}

static bool has(char *const *list, const char *text)
{
    for (size_t i = 0; list[i]; i++) {
        if (strcmp(list[i], text) == 0)
            return true;
    }
    return false;
}

static const char *starting(char *const *list, const char *prefix)
{
    for (size_t i = 0; list[i]; i++) {
        if (strncmp(list[i], prefix, strlen(prefix)) == 0)
            return list[i];
    }
    return NULL;
}

static void history_is_never_forced(void **state)
{
    char url[] = "/srv/b.git";
    struct config_remote r = remote_at(url);
    struct remote_command c;

    (void)state;
    remote_command_make(&c, &r, REMOTE_HISTORY, "/d", "/bin");
    assert_true(has(c.args, "refs/heads/*:refs/heads/*"));
    assert_false(has(c.args, "--prune"));
    assert_false(has(c.args, "--force"));
    assert_null(starting(c.args, "+"));
    assert_true(has(c.env, "GIT_ALLOW_PROTOCOL=file"));
    assert_true(has(c.env, "GIT_DIR=/d"));
    assert_null(starting(c.env, "GIT_SSH_COMMAND="));
    remote_command_free(&c);
}

static void each_transport_has_its_own_environment(void **state)
{
    static char key[] = "/k", file[] = "/c";
    char ssh[] = "git@h:x", https[] = "https://h/x";
    struct config_remote r = remote_at(ssh);
    struct remote_command c;

    (void)state;
    r.ssh_key = key;
    remote_command_make(&c, &r, REMOTE_POINTERS, "/d", "/bin");
    assert_true(has(c.env, "GIT_ALLOW_PROTOCOL=ssh"));
    assert_non_null(strstr(starting(c.env, "GIT_SSH_COMMAND="), " -i /k "));
    assert_true(has(c.args, "--prune"));
    remote_command_free(&c);

    r = remote_at(https);
    r.credentials = file;
    remote_command_make(&c, &r, REMOTE_HISTORY, "/d", "/bin");
    assert_true(has(c.env, "GIT_ALLOW_PROTOCOL=https"));
    assert_true(has(c.env, "GIT_CONFIG_VALUE_0=store --file=/c"));
    remote_command_free(&c);
}

struct said {
    int code;
    const char *text;
    enum remote_outcome outcome;
    uint32_t refused;
    const char *part; /* of what is told */
};

static const struct said says[] = {
    {0, "To /b\n*\trefs/heads/x:refs/heads/x\t[new branch]\nDone\n", REMOTE_DONE, 0, ""},
    {1, "No refs in common and none specified; doing nothing.\nerror: failed\n", REMOTE_DONE, 0,
     ""},
    {1, "To /b\n!\trefs/heads/x:refs/heads/x\t[rejected] (non-fast-forward)\nDone\nhint: pull\n",
     REMOTE_DIVERGED, 1, "refs/heads/x"},
    {1,
     "!\trefs/heads/x:refs/heads/x\t[rejected] (fetch first)\n"
     "!\trefs/heads/y:refs/heads/y\t[remote rejected] (hook declined)\n",
     REMOTE_DIVERGED, 2, "hook declined"},
    {1, "!\trefs/heads/y:refs/heads/y\t[remote rejected] (hook declined)\n", REMOTE_FAILED, 1,
     "hook declined"},
    {128, "fatal: '/b' does not appear to be a git repository\n", REMOTE_FAILED, 0,
     "does not appear"},
    {128, "fatal: \x1b[31mred\xff\n", REMOTE_FAILED, 0, "fatal:  [31mred "},
    {137, "", REMOTE_FAILED, 0, "git ended with 137"},
};

static void what_git_says_is_understood(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(says) / sizeof(says[0]); i++) {
        struct remote_result r = {.refused = 9};

        remote_result_read(&r, says[i].code, says[i].text);
        assert_int_equal(r.outcome, says[i].outcome);
        assert_int_equal(r.refused, says[i].refused);
        assert_non_null(strstr(r.text, says[i].part));
    }
}

/* Lines of any length, and any number of them. */
static void much_output_is_cut(void **state)
{
    static char text[20000];
    struct remote_result r;

    (void)state;
    memset(text, 'x', sizeof(text) - 1);
    remote_result_read(&r, 1, text);
    assert_int_equal(strlen(r.text), sizeof(r.text) - 1);
    for (size_t i = 0; i < sizeof(text) - 1; i += 7)
        text[i] = '\n';
    remote_result_read(&r, 1, text);
    assert_true(strlen(r.text) < sizeof(r.text));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(history_is_never_forced),
        cmocka_unit_test(each_transport_has_its_own_environment),
        cmocka_unit_test(what_git_says_is_understood),
        cmocka_unit_test(much_output_is_cut),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
