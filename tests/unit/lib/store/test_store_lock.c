/* Exactly one connection in the world writes and checkpoints. */
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
#include "lib/store/store_internal.h"
#include "tests/tools/journal_fixture.h"
#include "tests/tools/store_fixture.h"

static const uint8_t example[] = "\7example\3com";
static struct errinfo e;

/* ---- The other process: one answer for each line ---- */

static struct store *mine;

static enum err forbidden(const char *what)
{
    struct store_zone z = plain_row(example);
    uint64_t n = 0;

    if (strcmp(what, "begin") == 0)
        return store_begin(mine, &e);
    if (strcmp(what, "checkpoint") == 0)
        return store_checkpoint(mine, &e);
    if (strcmp(what, "zone") == 0)
        return store_zone_put(mine, &z, &e);
    if (strcmp(what, "prune") == 0)
        return store_prune(mine, 0, &n, &e);
    return sql_exec(mine, what, &e); /* SQL that the library would never send */
}

static enum err answer(const char *line, const char *dir)
{
    struct store *old = mine;

    if (strcmp(line, "open-writer") == 0 || strcmp(line, "open-reader") == 0) {
        mine = NULL;
        store_close(old);
        return line[5] == 'w' ? store_open_writer(&mine, dir, &e)
                              : store_open_reader(&mine, dir, &e);
    }
    if (strcmp(line, "close") == 0) {
        mine = NULL;
        store_close(old);
        return OK;
    }
    return forbidden(line);
}

static int helper_main(const char *dir)
{
    char line[512];

    while (fgets(line, sizeof(line), stdin)) {
        line[strcspn(line, "\n")] = 0;
        e.text[0] = 0;
        (void)printf("%s %s\n", err_name(answer(line, dir)), e.text);
        (void)fflush(stdout);
    }
    return 0;
}

/* ---- Tests ---- */

static void test_second_writer(void **state)
{
    char *dir = temp_dir_new(), pid[64];
    struct store *s = must_open_writer(dir), *refused = NULL;
    struct helper h;

    (void)state;
    (void)snprintf(pid, sizeof(pid), "the process %ld has", (long)getpid());
    assert_int_equal(store_open_writer(&refused, dir, &e), ERR_BUSY); /* the same process */
    assert_null(refused);
    helper_start(&h, dir, NULL);
    assert_non_null(strstr(helper_ask(&h, "open-writer"), "busy"));
    assert_non_null(strstr(helper_ask(&h, "open-writer"), pid));
    /* The refused ones did not break the lock of the first. */
    assert_int_equal(store_open_writer(&refused, dir, &e), ERR_BUSY);
    store_close(s);
    assert_string_equal(helper_ask(&h, "open-writer"), "ok ");
    assert_int_equal(store_open_writer(&refused, dir, &e), ERR_BUSY);
    helper_kill(&h); /* a lock ends with its process, however that ends */
    store_close(must_open_writer(dir));
    temp_dir_free(dir);
}

static off_t size_of(const char *dir, const char *file)
{
    char *path = xasprintf("%s/%s", dir, file);
    struct stat st;
    off_t n = stat(path, &st) == 0 ? st.st_size : -1;

    free(path);
    return n;
}

/* As the same user, so that only how it was opened stands in the way. */
static void test_reader_cannot_write(void **state)
{
    static const char *const tries[] = {
        "INSERT INTO metadata (key, value) VALUES ('a', 'b')",
        "UPDATE log SET last_seq = 7",
        "DELETE FROM log",
        "CREATE TABLE t (a)",
        "PRAGMA user_version = 7",
        "PRAGMA wal_checkpoint(PASSIVE)",
        "PRAGMA wal_checkpoint(TRUNCATE)",
        "VACUUM",
        "begin",
        "zone",
        "prune",
        "checkpoint",
    };
    char *dir = temp_dir_new();
    struct store *s = must_open_writer(dir);
    struct store_zone z = plain_row(example);
    struct zone *a = plain_zone(example, 1, 100, 1);
    struct helper h;
    off_t db, wal;

    (void)state;
    (void)must_commit(s, &z, NULL, a, 1);
    db = size_of(dir, "zoneledger.db");
    wal = size_of(dir, "zoneledger.db-wal");
    assert_true(wal > 0);
    helper_start(&h, dir, NULL);
    for (int alone = 0; alone < 2; alone++) {
        assert_string_equal(helper_ask(&h, "open-reader"), "ok ");
        for (size_t i = 0; i < sizeof(tries) / sizeof(tries[0]); i++) {
            const char *got = helper_ask(&h, tries[i]);

            if (strncmp(got, "denied", 6) != 0)
                fail_msg("%s: %s", tries[i], got);
        }
        /* For this one SQLite wants a lock that a descriptor for reading cannot get. */
        assert_non_null(strstr(helper_ask(&h, "PRAGMA journal_mode = DELETE"), "Bad file desc"));
        assert_string_equal(helper_ask(&h, "close"), "ok ");
        assert_int_equal(size_of(dir, "zoneledger.db-wal"), wal);
        assert_int_equal(size_of(dir, "zoneledger.db"), db);
        if (alone == 0) {
            s->broken = true; /* closes like a crash: nothing is checkpointed */
            store_close(s);
        }
    }
    helper_end(&h);
    s = must_open_writer(dir);
    assert_int_equal(verify_faults(s, NULL), 0);
    assert_int_equal(store_checkpoint(s, &e), OK);
    assert_true(size_of(dir, "zoneledger.db") > db);
    store_close(s);
    zone_unref(a);
    temp_dir_free(dir);
}

/* A reader that stays away does not stop the log from starting over, and one that stays in its
 * snapshot only delays it. */
static void test_checkpoints(void **state)
{
    char *dir = temp_dir_new();
    struct store *s = must_open_writer(dir), *r = must_open_reader(dir);
    struct store_zone z = plain_row(example);
    struct zone *v[2] = {plain_zone(example, 1, 2000, 1), NULL};
    off_t wal = 0;

    (void)state;
    (void)must_commit(s, &z, NULL, v[0], 1);
    assert_int_equal(store_read_begin(r, &e), OK);
    for (uint32_t i = 2; i < 100; i++) {
        v[1] = plain_zone(example, i, 2000, i);
        (void)must_commit(s, &z, v[0], v[1], 1);
        zone_unref(v[0]);
        v[0] = v[1];
        assert_int_equal(store_checkpoint(s, &e), OK);
        if (i == 50)
            store_read_end(r);
        if (i == 55)
            wal = size_of(dir, "zoneledger.db-wal");
    }
    assert_int_equal(size_of(dir, "zoneledger.db-wal"), wal);
    zone_unref(v[0]);
    store_close(r);
    store_close(s);
    temp_dir_free(dir);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_second_writer),
        cmocka_unit_test(test_reader_cannot_write),
        cmocka_unit_test(test_checkpoints),
    };

    if (argc == 2 && strcmp(argv[0], "helper") == 0)
        return helper_main(argv[1]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
