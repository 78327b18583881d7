#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/secret_file.h"

#define CAP 32

static char path[] = "/tmp/zl-secret-XXXXXX";
static char link_path[64];

static int make_file(void **state)
{
    int fd = mkstemp(path);

    (void)state;
    assert_int_equal(write(fd, "secret\n", 7), 7);
    (void)close(fd);
    (void)snprintf(link_path, sizeof(link_path), "%s.link", path);
    assert_int_equal(symlink(path, link_path), 0);
    return 0;
}

static int drop_file(void **state)
{
    (void)state;
    (void)unlink(path);
    (void)unlink(link_path);
    return 0;
}

static const struct {
    mode_t mode;
    enum err rc;
    const char *says;
} modes[] = {
    {0600, OK, ""},
    {0400, OK, ""},
    {0640, OK, ""},
    {0644, ERR_DENIED, "0644, so others may read"},
    {0604, ERR_DENIED, "0604, so others may read"},
    {0660, ERR_DENIED, "0660, so others may change"},
    {0602, ERR_DENIED, "0602, so others may change"},
};

static void modes_are_checked(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
        struct errinfo e = {{0}};
        char buf[CAP];
        size_t len = 0;

        assert_int_equal(chmod(path, modes[i].mode), 0);
        assert_int_equal(secret_file_read(buf, CAP, &len, path, false, &e), modes[i].rc);
        if (modes[i].rc) {
            assert_non_null(strstr(e.text, modes[i].says));
            continue;
        }
        assert_int_equal(len, 7);
        assert_memory_equal(buf, "secret\n", 7);
    }
    assert_int_equal(chmod(path, 0600), 0);
}

static void other_things_are_refused(void **state)
{
    struct errinfo e = {{0}};
    char buf[CAP];
    size_t len = 99;

    (void)state;
    assert_int_equal(secret_file_read(buf, 6, &len, path, false, &e), ERR_FORMAT);
    assert_int_equal(secret_file_read(buf, CAP, &len, "/tmp", false, &e), ERR_DENIED);
    assert_int_equal(secret_file_read(buf, CAP, &len, "/nowhere/at/all", false, &e), ERR_IO);
    assert_int_equal(secret_file_read(buf, CAP, &len, link_path, false, &e), ERR_IO);
    assert_int_equal(len, 99);
    assert_int_equal(secret_file_read(buf, CAP, &len, link_path, true, &e), OK);
    assert_int_equal(len, 7);
    assert_int_equal(chmod(path, 0644), 0); /* the link's own mode says nothing */
    assert_int_equal(secret_file_read(buf, CAP, &len, link_path, true, &e), ERR_DENIED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(modes_are_checked),
                                       cmocka_unit_test(other_things_are_refused)};

    return cmocka_run_group_tests(tests, make_file, drop_file);
}
