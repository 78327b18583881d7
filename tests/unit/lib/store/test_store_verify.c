/* Damage of every kind is found, named, and never served. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/base/mem.h"
#include "lib/store/store_internal.h"
#include "tests/tools/journal_fixture.h"
#include "tests/tools/store_fixture.h"

static const uint8_t example[] = "\7example\3com";
static struct errinfo e;

#define VERSIONS 6

struct setup {
    char *dir;
    struct store *s;
    struct store_zone z;
};

/* Version 4 is the served one; 5 and 6 wait. */
static int setup(void **state)
{
    struct setup *t = xcalloc(1, sizeof(*t));
    struct zone *old = NULL;

    t->dir = temp_dir_new();
    t->s = must_open_writer(t->dir);
    t->z = plain_row(example);
    for (uint32_t i = 1; i <= VERSIONS; i++) {
        struct zone *next = plain_zone(example, i, 300, i);

        if (i <= 4)
            must_journal(t->s, must_commit(t->s, &t->z, old, next, i));
        else
            (void)must_commit_waiting(t->s, &t->z, old, next, i);
        zone_unref(old);
        old = next;
    }
    zone_unref(old);
    *state = t;
    return 0;
}

static int teardown(void **state)
{
    struct setup *t = *state;

    store_close(t->s);
    temp_dir_free(t->dir);
    free(t);
    return 0;
}

struct fault {
    char text[ERR_TEXT_MAX]; /* all of them */
    bool data_lost;
    unsigned n;
};

static void collect(void *ctx, const uint8_t *zone, bool data_lost, const char *text)
{
    struct fault *f = ctx;
    size_t n = strlen(f->text);

    (void)zone;
    (void)snprintf(f->text + n, sizeof(f->text) - n, "%s\n", text);
    f->data_lost |= data_lost;
    f->n++;
}

static void test_faults(void **state)
{
    static const struct {
        const char *sql;
        const char *says;
    } cases[] = {
        {"UPDATE zone SET serial = 99", "the zone row says 99"},
        {"UPDATE zone SET records = 5", "the zone row says 5"},
        {"UPDATE zone SET version = 3", "disagree"},
        {"UPDATE zone SET last_version = 7", "the newest version is 6"},
        {"UPDATE version SET records = 5 WHERE version = 4", "version 4 and the zone row disagree"},
        {"UPDATE version SET waiting = 1 WHERE version = 4", "version 4 and the zone row disagree"},
        {"DELETE FROM version WHERE version = 2", "some are missing"},
        {"DELETE FROM version WHERE version = 2",
         "without the row it belongs to, in table: change"},
        {"DELETE FROM change WHERE seq = 3", "has a gap"},
        {"DELETE FROM change WHERE seq = 3", "does not reach back"},
        {"DELETE FROM change WHERE seq = 6", "is not in the change log: seq 6"},
        {"UPDATE log SET last_seq = 5", "beyond the counter: seq 6"},
        {"UPDATE change SET (sum, data) = (SELECT sum, data FROM change WHERE seq = 2) WHERE seq = "
         "4",
         "does not fit"},
        {"UPDATE change SET data = x'00' WHERE seq = 4", "change 4"},
        {"UPDATE change SET data = zeroblob(length(data)) WHERE seq = 6", "change 6"},
        {"UPDATE change SET kind = 1, sum = NULL, data = NULL WHERE seq = 4", "disagree: seq 4"},
        {"DELETE FROM page", "its content is gone"},
        {"DELETE FROM page WHERE rowid = (SELECT min(rowid) FROM page)", "SOA"},
        {"DELETE FROM page WHERE rowid = (SELECT max(rowid) FROM page)", "records"},
        {"UPDATE page SET key = x'6100' WHERE rowid = (SELECT max(rowid) FROM page)",
         "under the key of its first owner"},
        {"UPDATE page SET data = substr(data, 1, length(data) - 1)", "zone example.com."},
        {"UPDATE page SET data = zeroblob(100)", "the checksum does not fit"},
        {"INSERT INTO page VALUES (7, x'', 0, x'00')",
         "without the row it belongs to, in table: page"},
        {"INSERT INTO zone (id, name, kind, source, account, version, last_version, seq, records,"
         " expired, removed, held_at, held_by, held_reason, last_check, last_success, next_check,"
         " expires_at, failures, last_error, last_primary)"
         " SELECT 2, x'036f726700', kind, source, account, 0, 0, 0, 0, 0, 0, 0, '', '', 0, 0, 0, 0,"
         " 0, '', '' FROM zone;"
         "INSERT INTO page VALUES (2, x'', 0, x'00')",
         "pages of a zone without content: zone id 2"},
    };
    struct setup *t = *state;
    struct fault f;

    assert_int_equal(verify_faults(t->s, NULL), 0);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(sql_exec(t->s, "PRAGMA foreign_keys = OFF", &e), OK);
        assert_int_equal(store_begin(t->s, &e), OK);
        if (sql_exec(t->s, cases[i].sql, &e))
            fail_msg("%s: %s", cases[i].sql, e.text);
        memset(&f, 0, sizeof(f));
        assert_int_equal(store_verify(t->s, collect, &f, &e), OK);
        store_rollback(t->s);
        if (!strstr(f.text, cases[i].says))
            fail_msg("%s: found: %s", cases[i].sql, f.text);
    }
    assert_int_equal(verify_faults(t->s, NULL), 0);
}

/* Each octet of the database file turned over, one every few: opening or checking says so, or the
 * octet was one that nothing uses. Never a crash, and never other content. */
static void test_damaged_file(void **state)
{
    struct setup *t = *state;
    char *path = xasprintf("%s/zoneledger.db", t->dir);
    struct zone *want = NULL;
    struct buf file = BUF_INIT;
    unsigned noticed = 0, tried = 0;
    FILE *f;
    int c;

    assert_int_equal(store_zone_load(&want, t->s, &t->z, &e), OK);
    store_close(t->s);
    t->s = NULL;
    f = fopen(path, "r");
    assert_non_null(f);
    while ((c = fgetc(f)) != EOF)
        buf_u8(&file, (uint8_t)c);
    assert_int_equal(fclose(f), 0);
    for (size_t at = 0; at < file.len; at += 797) {
        struct store *s = NULL;
        struct zone *got = NULL;
        struct fault faults = {"", false, 0};
        enum err rc;

        f = fopen(path, "r+");
        assert_non_null(f);
        assert_int_equal(fseek(f, (long)at, SEEK_SET), 0);
        (void)fputc(file.data[at] ^ 0x5a, f);
        assert_int_equal(fclose(f), 0);
        tried++;
        if (!(rc = store_open_writer(&s, t->dir, &e)) &&
            !(rc = store_verify(s, collect, &faults, &e)) && faults.n == 0) {
            assert_int_equal(store_zone_load(&got, s, &t->z, &e), OK);
            assert_true(same_content(got, want));
        } else {
            noticed++;
        }
        zone_unref(got);
        store_close(s);
        f = fopen(path, "w");
        assert_non_null(f);
        assert_int_equal(fwrite(file.data, 1, file.len, f), file.len);
        assert_int_equal(fclose(f), 0);
    }
    print_message("%u of %u damages noticed\n", noticed, tried);
    assert_true(noticed > 0);
    zone_unref(want);
    buf_free(&file);
    free(path);
    t->s = must_open_writer(t->dir);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {TEST(test_faults), TEST(test_damaged_file)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
