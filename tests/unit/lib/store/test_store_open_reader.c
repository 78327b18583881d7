/* A reader under another user: member of the store's group, who may read the files and write none
 * of them. docs/store.md, "Readers", states what this test holds SQLite to. */
#include <grp.h>
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

enum { STORE_GROUP = 61500, READER = 61501 };

static const uint8_t example[] = "\7example\3com";
static struct errinfo e;

/* ---- The reader's process ---- */

static int reader_answer(struct store **r, const char *line, const char *dir)
{
    struct store_zone z;
    struct zone *zone = NULL;
    enum err rc;

    if (strcmp(line, "open") == 0)
        rc = store_open_reader(r, dir, &e);
    else if (strcmp(line, "begin") == 0)
        rc = store_read_begin(*r, &e);
    else if (strcmp(line, "end") == 0)
        return store_read_end(*r), printf("ok\n");
    else if (strcmp(line, "close") == 0)
        return store_close(*r), *r = NULL, printf("ok\n");
    else if (strcmp(line, "look") != 0)
        rc = sql_exec(*r, line, &e);
    else if (!(rc = store_zone_get(*r, example, &z, &e)) &&
             !(rc = store_zone_load(&zone, *r, &z, &e))) {
        uint32_t serial = zone_serial(zone).v;

        zone_unref(zone);
        return printf("%u\n", serial == z.serial.v ? serial : 0);
    }
    return printf("%s %s\n", err_name(rc), rc ? e.text : "");
}

static int reader_main(const char *dir)
{
    static const gid_t groups[] = {STORE_GROUP};
    struct store *r = NULL;
    char line[512];

    if (setgroups(1, groups) != 0 || setgid(READER) != 0 || setuid(READER) != 0)
        return 1;
    while (fgets(line, sizeof(line), stdin)) {
        line[strcspn(line, "\n")] = 0;
        e.text[0] = 0;
        (void)reader_answer(&r, line, dir);
        (void)fflush(stdout);
    }
    store_close(r);
    return 0;
}

/* ---- The writer's process ---- */

static int writer_main(const char *dir)
{
    struct store *s = must_open_writer(dir);
    struct store_zone z = plain_row(example);
    struct zone *old = NULL, *next;
    char line[512];

    if (store_zone_get(s, example, &z, &e) == OK && store_zone_load(&old, s, &z, &e))
        return 1;
    while (fgets(line, sizeof(line), stdin)) {
        if (strcmp(line, "checkpoint\n") == 0) {
            (void)printf("%s\n", err_name(store_checkpoint(s, &e)));
        } else {
            next = plain_zone(example, z.serial.v + 1, 1000, z.serial.v);
            (void)must_commit(s, &z, old, next, 1);
            zone_unref(old);
            old = next;
            (void)printf("%u\n", z.serial.v);
        }
        (void)fflush(stdout);
    }
    store_close(s);
    zone_unref(old);
    return 0;
}

/* ---- Tests ---- */

struct setup {
    char *base;
    char *dir;
    struct helper w, r, r2;
};

static int setup(void **state)
{
    struct setup *t = xcalloc(1, sizeof(*t));

    t->base = temp_dir_new();
    t->dir = xasprintf("%s/store", t->base);
    /* As an operator would: the directory belongs to the store's group and hands that on. */
    if (chmod(t->base, 0755) != 0 || mkdir(t->dir, 0750) != 0 ||
        chown(t->dir, 0, STORE_GROUP) != 0 || chmod(t->dir, 02750) != 0)
        return -1;
    helper_start(&t->w, "writer", t->dir, NULL);
    helper_start(&t->r, "reader", t->dir, NULL);
    helper_start(&t->r2, "reader", t->dir, NULL);
    *state = t;
    return 0;
}

static int teardown(void **state)
{
    struct setup *t = *state;

    helper_end(&t->r);
    helper_end(&t->r2);
    temp_dir_free(t->base);
    free(t->dir);
    free(t);
    return 0;
}

#define ASK(helper, line, want) assert_string_equal(helper_ask(&t->helper, line), want)

static void remove_file(const struct setup *t, const char *suffix)
{
    char *path = xasprintf("%s/zoneledger.db%s", t->dir, suffix);

    assert_int_equal(unlink(path), 0);
    free(path);
}

static void assert_refused(struct helper *h, const char *line, const char *want)
{
    const char *got = helper_ask(h, line);

    if (strncmp(got, want, strlen(want)) != 0)
        fail_msg("%s: %s, not %s", line, got, want);
}

/* Every commit is seen at once, in any order of opening, checkpoints and restarts of the log. */
static void test_sees_commits(void **state)
{
    struct setup *t = *state;

    ASK(w, "commit", "1");
    ASK(r, "open", "ok ");
    ASK(r, "look", "1");
    ASK(w, "commit", "2");
    ASK(r, "look", "2");
    assert_refused(&t->r, "INSERT INTO metadata VALUES ('a', 'b')", "denied");
    assert_refused(&t->r, "PRAGMA wal_checkpoint(TRUNCATE)", "denied");
    ASK(r, "begin", "ok ");
    ASK(w, "commit", "3");
    ASK(w, "checkpoint", "ok");
    ASK(w, "commit", "4");
    ASK(r, "look", "2");
    ASK(r2, "open", "ok ");
    ASK(r2, "look", "4");
    ASK(r, "end", "ok");
    ASK(r, "look", "4");
    ASK(w, "checkpoint", "ok"); /* all of the log: it starts over */
    ASK(r, "look", "4");
    ASK(w, "commit", "5");
    ASK(r, "look", "5");
    ASK(r2, "look", "5");
    helper_end(&t->w);
}

/* Without a writer: after a crash, after a clean end, with the reader there before and opened only
 * then; and the writer that comes back is seen. */
static void test_writer_goes(void **state)
{
    struct setup *t = *state;

    ASK(w, "commit", "1");
    ASK(r, "open", "ok ");
    ASK(w, "commit", "2");
    helper_kill(&t->w);
    ASK(r, "look", "2");
    ASK(r2, "open", "ok ");
    ASK(r2, "look", "2");
    ASK(r, "close", "ok");
    ASK(r2, "close", "ok");
    ASK(r, "open", "ok "); /* alone */
    ASK(r, "look", "2");
    helper_start(&t->w, "writer", t->dir, NULL);
    ASK(w, "commit", "3");
    ASK(r, "look", "3");
    ASK(w, "commit", "4");
    ASK(r, "look", "4");
    helper_end(&t->w); /* a clean end, with a checkpoint */
    ASK(r, "look", "4");
    ASK(r2, "open", "ok ");
    ASK(r2, "look", "4");
    helper_start(&t->w, "writer", t->dir, NULL);
    ASK(r2, "look", "4");
    ASK(w, "commit", "5"); /* the first one of a fresh log */
    ASK(r, "look", "5");
    ASK(r2, "look", "5");
    helper_end(&t->w);
}

/* A reader cannot make the files beside the database: it waits for the writer. */
static void test_files_missing(void **state)
{
    struct setup *t = *state;

    ASK(w, "commit", "1");
    helper_kill(&t->w);
    remove_file(t, "-shm");
    assert_refused(&t->r, "open", "not-found");
    helper_start(&t->w, "writer", t->dir, NULL);
    ASK(w, "commit", "2");
    ASK(r, "open", "ok ");
    ASK(r, "look", "2");
    ASK(r, "close", "ok");
    helper_end(&t->w);
    remove_file(t, "-wal");
    remove_file(t, "-shm");
    assert_refused(&t->r, "open", "not-found");
    helper_start(&t->w, "writer", t->dir, NULL);
    ASK(w, "commit", "3");
    ASK(r, "open", "ok ");
    ASK(r, "look", "3");
    helper_end(&t->w);
}

static void test_not_in_the_group(void **state)
{
    struct setup *t = *state;

    ASK(w, "commit", "1");
    assert_int_equal(chown(t->dir, 0, 0), 0);
    assert_refused(&t->r, "open", "denied");
    helper_end(&t->w);
}

/* Only root can become a second user. */
static void test_needs_root(void **state)
{
    (void)state;
    skip();
}

int main(int argc, char **argv)
{
    const struct CMUnitTest without_root[] = {cmocka_unit_test(test_needs_root)};
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_sees_commits),
        TEST(test_writer_goes),
        TEST(test_files_missing),
        TEST(test_not_in_the_group),
    };

    if (argc == 3 && strcmp(argv[1], "reader") == 0)
        return reader_main(argv[2]);
    if (argc == 3 && strcmp(argv[1], "writer") == 0)
        return writer_main(argv[2]);
    if (geteuid() != 0)
        return cmocka_run_group_tests(without_root, NULL, NULL);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
