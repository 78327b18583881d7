#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/dns/message_build.h"
#include "syncd/keyring.h"

static char dir[] = "/tmp/test_keyring.XXXXXX";

static void write_file(const char *name, const char *text, mode_t mode)
{
    char path[128];
    int fd;

    (void)snprintf(path, sizeof(path), "%s/%s", dir, name);
    (void)unlink(path);
    fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    assert_int_equal(fchmod(fd, mode), 0);
    assert_int_equal(close(fd), 0);
}

static enum err load(struct keyring **out, size_t n, const char *const names[],
                     const char *const files[], struct errinfo *e)
{
    struct config_key keys[4] = {{0}};
    struct config config = {.keys = keys, .key_count = n};
    char paths[4][128];

    for (size_t i = 0; i < n; i++) {
        char name[64];

        (void)snprintf(paths[i], sizeof(paths[i]), "%s/%s", dir, files[i]);
        (void)snprintf(name, sizeof(name), "%s", names[i]);
        keys[i].name = strdup(name);
        keys[i].algorithm = strdup("hmac-sha256");
        keys[i].secret_file = paths[i];
    }
    enum err rc = keyring_load(out, &config, e);
    for (size_t i = 0; i < n; i++) {
        free(keys[i].name);
        free(keys[i].algorithm);
    }
    return rc;
}

static void test_find(void **state)
{
    struct keyring *k;
    struct errinfo e = {{0}};
    int index = -1;

    (void)state;
    write_file("a", "c2VjcmV0 c2VjcmV0\n", 0600);
    write_file("b", "c2VjcmV0c2VjcmV1", 0640);
    assert_int_equal(
        load(&k, 2, (const char *[]){"One.Key", "two"}, (const char *[]){"a", "b"}, &e), OK);
    assert_ptr_equal(keyring_find(k, (const uint8_t *)"\3oNE\3key", &index), keyring_get(k, 0));
    assert_int_equal(index, 0);
    assert_ptr_equal(keyring_find(k, (const uint8_t *)"\3two", &index), keyring_get(k, 1));
    assert_int_equal(index, 1);
    assert_null(keyring_find(k, (const uint8_t *)"\5three", &index));
    assert_null(keyring_get(k, -1));
    assert_null(keyring_get(k, 2));
    keyring_unref(keyring_ref(k));
    keyring_unref(k);
    keyring_unref(NULL);
}

/* Signed with a key of ours, with a stranger's, not at all. */
static void test_verify(void **state)
{
    static const struct wall now = {1700000000};
    struct msg_query_spec q = {.qname = (const uint8_t *)"\7example", .qtype = RR_SOA, .id = 1};
    struct tsig_key *stranger = NULL;
    struct keyring *k;
    struct errinfo e = {{0}};

    (void)state;
    write_file("a", "c2VjcmV0 c2VjcmV0\n", 0600);
    write_file("b", "c2VjcmV0c2VjcmV1", 0640);
    assert_int_equal(
        load(&k, 2, (const char *[]){"One.Key", "two"}, (const char *[]){"a", "b"}, &e), OK);
    assert_int_equal(
        tsig_key_new(&stranger, (const uint8_t *)"\3two", TSIG_HMAC_SHA256, "eA==", 4, &e), OK);
    for (int i = 0; i < 4; i++) {
        static const enum tsig_outcome want[] = {TSIG_OK, TSIG_OK, TSIG_BADSIG, TSIG_MISSING};
        struct tsig_key *key = i < 2 ? keyring_get(k, i) : i == 2 ? stranger : NULL;
        struct tsig client = {.key = NULL};
        struct tsig server = {.key = NULL};
        struct msg_layout layout;
        uint8_t wire[512];
        size_t len = msg_build_query(wire, sizeof(wire), &q);
        int index = 7;

        if (key)
            assert_true(tsig_sign_request(&client, key, wire, &len, sizeof(wire), now));
        assert_true(msg_layout_read(&layout, wire, len));
        assert_int_equal(keyring_verify(k, &server, wire, len, layout.tsig, now, &index), want[i]);
        assert_int_equal(index, i < 2 ? i : -1);
        assert_int_equal(tsig_rcode(want[i]), i == 2 ? RCODE_NOTAUTH : RCODE_NOERROR);
        tsig_done(&client);
        tsig_done(&server);
    }
    assert_int_equal(tsig_rcode(TSIG_FORMERR), RCODE_FORMERR);
    tsig_key_unref(stranger);
    keyring_unref(k);
}

static void test_modes(void **state)
{
    static const struct {
        mode_t mode;
        enum err rc;
    } table[] = {{0400, OK},         {0600, OK},         {0640, OK},         {0440, OK},
                 {0660, ERR_DENIED}, {0620, ERR_DENIED}, {0644, ERR_DENIED}, {0604, ERR_DENIED},
                 {0602, ERR_DENIED}, {0666, ERR_DENIED}};

    (void)state;
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        struct keyring *k = NULL;
        struct errinfo e = {{0}};

        write_file("mode", "c2VjcmV0c2VjcmV0", table[i].mode);
        assert_int_equal(load(&k, 1, (const char *[]){"k"}, (const char *[]){"mode"}, &e),
                         table[i].rc);
        if (table[i].rc) {
            assert_non_null(strstr(e.text, "key 'k'"));
            assert_non_null(strstr(e.text, "/mode"));
            assert_non_null(strstr(e.text, "chmod"));
        }
        keyring_unref(k);
    }
}

static void test_bad_files(void **state)
{
    struct keyring *k = NULL;
    struct errinfo e = {{0}};
    char big[5000];
    char link[128];

    (void)state;
    assert_int_equal(load(&k, 1, (const char *[]){"k"}, (const char *[]){"nowhere"}, &e), ERR_IO);
    assert_non_null(strstr(e.text, "nowhere"));

    write_file("empty", "", 0600);
    assert_int_equal(load(&k, 1, (const char *[]){"k"}, (const char *[]){"empty"}, &e), ERR_FORMAT);
    write_file("text", "canary-secret!", 0600);
    assert_int_equal(load(&k, 1, (const char *[]){"k"}, (const char *[]){"text"}, &e), ERR_FORMAT);
    assert_null(strstr(e.text, "canary")); /* no text holds the secret */
    memset(big, 'A', sizeof(big) - 1);
    big[sizeof(big) - 1] = 0;
    write_file("big", big, 0600);
    assert_int_equal(load(&k, 1, (const char *[]){"k"}, (const char *[]){"big"}, &e), ERR_FORMAT);

    write_file("a", "c2VjcmV0c2VjcmV0", 0600);
    (void)snprintf(link, sizeof(link), "%s/link", dir);
    (void)unlink(link);
    assert_int_equal(symlink("a", link), 0);
    assert_int_equal(load(&k, 1, (const char *[]){"k"}, (const char *[]){"link"}, &e), ERR_IO);
    assert_int_equal(load(&k, 1, (const char *[]){"k"}, (const char *[]){"."}, &e), ERR_DENIED);
    assert_int_equal(load(&k, 1, (const char *[]){"a..b"}, (const char *[]){"a"}, &e), ERR_FORMAT);
    assert_int_equal(load(&k, 2, (const char *[]){"k.", "K"}, (const char *[]){"a", "a"}, &e),
                     ERR_EXISTS);
    assert_null(k);
}

static int make_dir(void **state)
{
    (void)state;
    return mkdtemp(dir) ? 0 : -1;
}

static int remove_dir(void **state)
{
    static const char *const files[] = {"a", "b", "mode", "empty", "text", "big", "link"};
    char path[128];

    (void)state;
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        (void)snprintf(path, sizeof(path), "%s/%s", dir, files[i]);
        (void)unlink(path);
    }
    return rmdir(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_find),
        cmocka_unit_test(test_verify),
        cmocka_unit_test(test_modes),
        cmocka_unit_test(test_bad_files),
    };

    return cmocka_run_group_tests_name("syncd/keyring", tests, make_dir, remove_dir);
}
