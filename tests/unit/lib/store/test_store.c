/* Opening, the schema and its steps, zone rows, metadata. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "lib/base/mem.h"
#include "lib/store/store_internal.h"
#include "tests/tools/journal_fixture.h"
#include "tests/tools/store_fixture.h"

static const uint8_t example[] = "\7example\3com";
static struct errinfo e;

static int64_t ask(struct store *s, const char *sql)
{
    sqlite3_stmt *st = NULL;
    int64_t v;

    assert_int_equal(sqlite3_prepare_v2(s->db, sql, -1, &st, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(st), SQLITE_ROW);
    v = sqlite3_column_int64(st, 0);
    (void)sqlite3_finalize(st);
    return v;
}

static void test_open(void **state)
{
    static const char *const files[] = {"", "-wal", "-shm"};
    char *dir = temp_dir_new(), *sub = xasprintf("%s/a b%%20?c#d", dir);
    struct store *s = must_open_writer(sub), *r = must_open_reader(sub);
    struct stat st;

    (void)state;
    assert_int_equal(ask(s, "PRAGMA page_size"), STORE_DB_PAGE_BYTES);
    assert_int_equal(ask(s, "PRAGMA synchronous"), 2);
    assert_int_equal(ask(s, "PRAGMA user_version"), schema_count());
    for (int i = 0; i < 2; i++) {
        struct store *c = i ? r : s;

        assert_int_equal(ask(c, "PRAGMA wal_autocheckpoint"), 0);
        assert_int_equal(ask(c, "PRAGMA mmap_size"), 0);
        assert_int_equal(ask(c, "PRAGMA foreign_keys"), 1);
        assert_int_equal(ask(c, "PRAGMA trusted_schema"), 0);
        assert_int_equal(ask(c, "PRAGMA cell_size_check"), 1);
        assert_int_equal(ask(c, "PRAGMA busy_timeout"), STORE_BUSY_TIMEOUT_MS);
    }
    assert_int_equal(stat(sub, &st), 0);
    assert_int_equal(st.st_mode & 07777, 02750);
    for (size_t i = 0; i < 3; i++) {
        char *path = xasprintf("%s/zoneledger.db%s", sub, files[i]);

        assert_int_equal(stat(path, &st), 0);
        assert_int_equal(st.st_mode & 07777, 0640);
        free(path);
    }
    assert_int_equal(verify_faults(s, NULL), 0);
    store_close(r);
    store_close(s);
    free(sub);
    temp_dir_free(dir);
}

static void test_reader_comes_first(void **state)
{
    char *dir = temp_dir_new(), *path = xasprintf("%s/zoneledger.db", dir);
    struct store *s = NULL;
    FILE *f;

    (void)state;
    assert_int_equal(store_open_reader(&s, dir, &e), ERR_NOT_FOUND);
    assert_non_null(strstr(e.text, "syncd has to start first"));
    f = fopen(path, "w"); /* the writer was killed between making the file and the schema */
    assert_non_null(f);
    assert_int_equal(fclose(f), 0);
    assert_int_equal(store_open_reader(&s, dir, &e), ERR_NOT_FOUND);
    assert_null(s);
    store_close(must_open_writer(dir));
    s = must_open_reader(dir);
    store_close(s);
    free(path);
    temp_dir_free(dir);
}

static void test_newer_schema(void **state)
{
    char *dir = temp_dir_new();
    struct store *s = must_open_writer(dir), *refused = NULL;

    (void)state;
    assert_int_equal(sql_exec(s, "PRAGMA user_version = 999", &e), OK);
    assert_int_equal(store_open_reader(&refused, dir, &e), ERR_UNSUPPORTED);
    store_close(s);
    assert_int_equal(store_open_writer(&refused, dir, &e), ERR_UNSUPPORTED);
    assert_non_null(strstr(e.text, "has schema 999"));
    assert_null(refused);
    temp_dir_free(dir);
}

static void test_foreign_database(void **state)
{
    char *dir = temp_dir_new(), *path = xasprintf("%s/zoneledger.db", dir);
    struct store *s = NULL;
    sqlite3 *db = NULL;
    FILE *f;

    (void)state;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "CREATE TABLE other (a)", NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
    assert_int_equal(store_open_writer(&s, dir, &e), ERR_UNSUPPORTED);
    assert_non_null(strstr(e.text, "another program"));
    f = fopen(path, "w");
    assert_non_null(f);
    for (int i = 0; i < 1000; i++)
        (void)fputs("this is not a database\n", f);
    assert_int_equal(fclose(f), 0);
    assert_int_equal(store_open_writer(&s, dir, &e), ERR_CORRUPT);
    free(path);
    temp_dir_free(dir);
}

/* A store as the first release made it. */
static void test_schema_1(void **state)
{
    char *dir = temp_dir_new(), *path = xasprintf("%s/zoneledger.db", dir);
    struct store *s;
    struct store_zone z;
    sqlite3 *db = NULL;
    char sql[96];

    (void)state;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    for (size_t i = 0; schema_steps[0].statements[i]; i++)
        assert_int_equal(sqlite3_exec(db, schema_steps[0].statements[i], NULL, NULL, NULL), 0);
    (void)snprintf(sql, sizeof(sql), "PRAGMA application_id = %d; PRAGMA user_version = 1",
                   SCHEMA_APPLICATION_ID);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(
        sqlite3_exec(
            db,
            "INSERT INTO zone (name, kind, source, account, version, last_version, seq,"
            " records, expired, removed, held_at, held_by, held_reason, last_check,"
            " last_success, next_check, expires_at, failures, last_error, last_primary)"
            " VALUES (x'076578616D706C6503636F6D00', 2, 1, '', 0, 0, 0, 0, 0, 0, 0, '', '', 0, 0,"
            " 0, 77, 0, '', '')",
            NULL, NULL, NULL),
        SQLITE_OK);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
    s = must_open_writer(dir);
    assert_int_equal(ask(s, "PRAGMA user_version"), schema_count());
    assert_int_equal(store_zone_get(s, example, &z, &e), OK);
    assert_int_equal(z.expires_at.s, 77);
    assert_int_equal(z.renewal, 0);
    store_close(s);
    free(path);
    temp_dir_free(dir);
}

static const char *const next_1[] = {"CREATE TABLE later (a INTEGER) STRICT",
                                     "INSERT INTO later VALUES (1)", NULL};
static const char *const next_2[] = {"ALTER TABLE later ADD COLUMN b TEXT",
                                     "UPDATE later SET b = 'x'", NULL};
static const char *const step_bad[] = {"CREATE TABLE half (a)", "INSERT INTO missing VALUES (1)",
                                       NULL};

#define STEPS_MAX 16

/* Today's steps, and two more. */
static unsigned with_later(struct schema_step out[STEPS_MAX], const char *const *last)
{
    unsigned n = schema_count();

    assert_true(n + 2 <= STEPS_MAX);
    memcpy(out, schema_steps, n * sizeof(out[0]));
    out[n] = (struct schema_step){next_1};
    out[n + 1] = (struct schema_step){last};
    return n;
}

/* From a store of today's schema that holds a zone, forward by two steps at once. */
static void test_migration(void **state)
{
    struct schema_step good[STEPS_MAX];
    struct schema_step bad[STEPS_MAX];
    unsigned n = with_later(good, next_2);
    char *dir = temp_dir_new();
    struct store *s = must_open_writer(dir);
    struct store_zone z = plain_row(example);
    char words[32];

    (void)state;
    (void)with_later(bad, step_bad);
    assert_int_equal(store_begin(s, &e), OK);
    assert_int_equal(store_zone_put(s, &z, &e), OK);
    assert_int_equal(store_commit(s, &e), OK);

    assert_int_not_equal(schema_migrate(s, bad, n + 2, &e), OK);
    (void)snprintf(words, sizeof(words), "schema step %u", n + 2);
    assert_non_null(strstr(e.text, words));
    assert_int_equal(ask(s, "PRAGMA user_version"), n);
    assert_int_equal(ask(s, "SELECT count(*) FROM sqlite_schema WHERE name IN ('later', 'half')"),
                     0);

    s->broken = false; /* an error in SQL text counts as "stop" */
    assert_int_equal(schema_migrate(s, good, n + 2, &e), OK);
    assert_int_equal(ask(s, "PRAGMA user_version"), n + 2);
    assert_int_equal(ask(s, "SELECT count(*) FROM later WHERE b = 'x'"), 1);
    assert_int_equal(store_zone_get(s, example, &z, &e), OK);
    assert_int_equal(schema_migrate(s, good, n + 2, &e), OK); /* nothing to do */
    assert_int_equal(schema_migrate(s, good, n + 1, &e), ERR_UNSUPPORTED);
    store_close(s);
    temp_dir_free(dir);
}

static struct store_zone full_row(const uint8_t *name)
{
    struct store_zone z = plain_row(name);

    z.kind = ZONE_LOCAL;
    z.source = SOURCE_OPERATOR;
    (void)snprintf(z.account, sizeof(z.account), "O'Brien\"; DROP TABLE zone; --");
    memcpy(z.catalog, "\3cat\4test", 10);
    memcpy(z.member, "\3a\0Z", 4); /* any octets, case is kept */
    memcpy(z.nameserver, "\3ns1\4test", 10);
    z.unserved_since.s = 1780000000;
    (void)snprintf(z.file, sizeof(z.file), "/var/lib/zones/example.com.zone");
    z.orphan = true;
    z.expired = z.removed = z.held = true;
    z.held_version = 3;
    z.held_at.s = 1790000000;
    (void)snprintf(z.held_by, sizeof(z.held_by), "alice");
    memset(z.held_reason, 'r', sizeof(z.held_reason) - 1);
    z.has_primary_serial = true;
    z.primary_serial.v = UINT32_MAX;
    z.last_check.s = 1;
    z.last_success.s = 2;
    z.next_check.s = 3;
    z.expires_at.s = INT64_C(1) << 40;
    z.failures = UINT32_MAX;
    (void)snprintf(z.last_error, sizeof(z.last_error), "\xff\xfe line\nline");
    (void)snprintf(z.last_primary, sizeof(z.last_primary), "2001:db8::1@53");
    return z;
}

static void put_row(struct store *s, struct store_zone *z)
{
    assert_int_equal(store_begin(s, &e), OK);
    assert_int_equal(store_zone_put(s, z, &e), OK);
    assert_int_equal(store_commit(s, &e), OK);
}

static void test_zone_row(void **state)
{
    static const uint8_t upper[] = "\7EXAMPLE\3Com";
    char *dir = temp_dir_new();
    struct store *s = must_open_writer(dir), *r = must_open_reader(dir);
    struct store_zone z = full_row(upper), got, same;

    (void)state;
    assert_int_equal(store_zone_get(r, example, &got, &e), ERR_NOT_FOUND);
    assert_non_null(strstr(e.text, "example.com."));
    put_row(s, &z);
    assert_int_equal(z.id, 1);
    assert_true(memcmp(z.name, example, sizeof(example)) == 0); /* folded */
    same = full_row(example);
    same.id = z.id;
    assert_memory_equal(&z, &same, sizeof(z));
    assert_int_equal(store_zone_get(r, upper, &got, &e), OK);
    assert_memory_equal(&got, &z, sizeof(z));
    assert_int_equal(store_zone_get_id(r, z.id, &got, &e), OK);
    assert_memory_equal(&got, &z, sizeof(z));

    z.held = z.removed = z.has_primary_serial = false;
    memset(z.catalog, 0, sizeof(z.catalog));
    memset(z.member, 0, sizeof(z.member));
    memset(z.nameserver, 0, sizeof(z.nameserver));
    z.held_version = z.primary_serial.v = 0;
    same = z;
    put_row(s, &z);
    same.renewal = 1; /* the hold is over */
    assert_memory_equal(&z, &same, sizeof(z));
    assert_int_equal(store_zone_get(r, example, &got, &e), OK);
    assert_memory_equal(&got, &z, sizeof(z));
    store_close(r);
    store_close(s);
    temp_dir_free(dir);
}

/* An old copy of the row may bring new replication state, but never older content. */
static void test_zone_row_state(void **state)
{
    char *dir = temp_dir_new();
    struct store *s = must_open_writer(dir);
    struct store_zone z = plain_row(example), old, got;
    struct zone *a = plain_zone(example, 1, 3, 1);

    (void)state;
    put_row(s, &z);
    old = z;
    (void)must_commit(s, &z, NULL, a, 10);
    old.failures = 7;
    old.orphan = true;
    (void)snprintf(old.account, sizeof(old.account), "nobody");
    assert_int_equal(store_begin(s, &e), OK);
    assert_int_equal(store_zone_put_state(s, &old, &e), OK);
    assert_int_equal(store_commit(s, &e), OK);
    assert_int_equal(store_zone_get(s, example, &got, &e), OK);
    assert_int_equal(got.failures, 7);
    assert_true(got.orphan);
    assert_string_equal(got.account, "");
    assert_int_equal(got.version, 1);
    put_row(s, &old);
    assert_int_equal(old.version, 1); /* and the caller's copy is new again */
    assert_int_equal(old.serial.v, 1);
    assert_string_equal(old.account, "nobody");

    old = plain_row((const uint8_t *)"\3org");
    assert_int_equal(store_begin(s, &e), OK);
    assert_int_equal(store_zone_put_state(s, &old, &e), ERR_NOT_FOUND);
    store_rollback(s);
    zone_unref(a);
    store_close(s);
    temp_dir_free(dir);
}

/* Names with any octets, as zones with content. */
static size_t hostile_name(uint8_t out[NAME_MAX_OCTETS], unsigned i)
{
    static const char *const labels[] = {"\1\0", "\1'",    "\1\"", "\1;",  "\1%", "\1\xff",
                                         "\1\\", "\4a.bc", "\2--", "\1\n", "\1*", "\5%s%n$"};
    const size_t n = sizeof(labels) / sizeof(labels[0]);

    if (i < n) {
        size_t len = (size_t)(uint8_t)labels[i][0] + 1;
        memcpy(out, labels[i], len);
        memcpy(out + len, "\3com", 5);
        return len + 5;
    }
    if (i == n) { /* the root */
        out[0] = 0;
        return 1;
    }
    if (i == n + 1) { /* 255 octets */
        for (size_t k = 0; k < 254; k++)
            out[k] = k % 2 ? (uint8_t)(k / 2) : 1;
        out[254] = 0;
        (void)name_fold(out, out);
        return 255;
    }
    return 0;
}

static enum err count_zone(void *ctx, const struct store_zone *z, struct errinfo *err)
{
    unsigned *n = ctx;
    uint8_t name[NAME_MAX_OCTETS];
    size_t len = hostile_name(name, *n);

    (void)err;
    assert_memory_equal(z->name, name, len);
    ++*n;
    return OK;
}

static enum err on_renewed(void *ctx, const struct store_zone *z, struct errinfo *err)
{
    uint64_t *at = ctx;

    (void)err;
    assert_true(z->renewal > *at);
    *at = z->renewal;
    return OK;
}

/* How many zones were renewed behind *at, which moves on. */
static unsigned renewed(struct store *s, uint64_t *at)
{
    unsigned n = 0;

    for (uint64_t before = *at;; before = *at, n++) {
        assert_int_equal(store_renewal_each(s, before, 1, on_renewed, at, &e), OK);
        if (*at == before)
            return n;
    }
}

/* A reader that knows all deadlines finds those that changed, and no others. */
static void test_renewals(void **state)
{
    char *dir = temp_dir_new();
    struct store *s = must_open_writer(dir);
    struct store_zone a = plain_row((const uint8_t *)"\1a"), b = plain_row((const uint8_t *)"\1b");
    uint64_t at = 0;

    (void)state;
    assert_int_equal(store_begin(s, &e), OK);
    assert_int_equal(store_zone_put(s, &a, &e), OK);
    assert_int_equal(store_zone_put(s, &b, &e), OK);
    assert_int_equal(renewed(s, &at), 0);
    a.expires_at.s = 1000;
    assert_int_equal(store_zone_put_state(s, &a, &e), OK);
    b.expires_at.s = 1000;
    assert_int_equal(store_zone_put(s, &b, &e), OK);
    assert_int_equal(renewed(s, &at), 2);
    a.failures = 3; /* nothing that matters */
    assert_int_equal(store_zone_put_state(s, &a, &e), OK);
    b.expired = true;
    assert_int_equal(store_zone_put(s, &b, &e), OK);
    assert_int_equal(renewed(s, &at), 0);
    b.held = true; /* a held zone does not expire */
    assert_int_equal(store_zone_put(s, &b, &e), OK);
    assert_int_equal(renewed(s, &at), 1);
    b.held_version = 1; /* still held */
    assert_int_equal(store_zone_put(s, &b, &e), OK);
    assert_int_equal(renewed(s, &at), 0);
    b.held = false;
    assert_int_equal(store_zone_put(s, &b, &e), OK);
    a.expires_at.s = 2000;
    assert_int_equal(store_zone_put_state(s, &a, &e), OK);
    a.expires_at.s = 3000; /* twice between two looks counts once */
    assert_int_equal(store_zone_put_state(s, &a, &e), OK);
    assert_int_equal(renewed(s, &at), 2);
    assert_int_equal(store_commit(s, &e), OK);
    store_close(s);
    temp_dir_free(dir);
}

static void test_hostile_names(void **state)
{
    char *dir = temp_dir_new();
    struct store *s = must_open_writer(dir);
    uint8_t name[NAME_MAX_OCTETS];
    unsigned n = 0, seen = 0;

    (void)state;
    for (size_t len; (len = hostile_name(name, n)) > 0; n++) {
        uint32_t hosts = len < 200 ? 3 : 0;
        struct store_zone z = plain_row(name), got;
        struct zone *a = plain_zone(name, 1, hosts, 1), *loaded = NULL;

        (void)must_commit(s, &z, NULL, a, 10);
        assert_int_equal(store_zone_get(s, name, &got, &e), OK);
        assert_int_equal(got.id, z.id);
        assert_int_equal(store_zone_load(&loaded, s, &got, &e), OK);
        assert_true(same_content(loaded, a));
        zone_unref(loaded);
        zone_unref(a);
    }
    assert_int_equal(store_zone_each(s, count_zone, &seen, &e), OK);
    assert_int_equal(seen, n);
    assert_int_equal(verify_faults(s, NULL), 0);
    store_close(s);
    temp_dir_free(dir);
}

/* A callback that asks the same question again gets its own walk. */
static enum err count_again(void *ctx, const struct store_zone *z, struct errinfo *err)
{
    void **args = ctx;
    unsigned n = 0;

    (void)z;
    assert_int_equal(store_zone_each(args[0], count_zone, &n, err), OK);
    *(unsigned *)args[1] += n;
    return OK;
}

static enum err stop_at_once(void *ctx, const struct store_zone *z, struct errinfo *err)
{
    (void)ctx;
    (void)z;
    return err_set(ERR_CLOSED, err, "enough");
}

static void test_nested_walks(void **state)
{
    char *dir = temp_dir_new();
    struct store *s = must_open_writer(dir);
    unsigned total = 0;
    void *args[] = {s, &total};

    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        struct store_zone z = plain_row(example);
        (void)hostile_name(z.name, i);
        put_row(s, &z);
    }
    assert_int_equal(store_zone_each(s, count_again, args, &e), OK);
    assert_int_equal(total, 9);
    assert_int_equal(store_zone_each(s, stop_at_once, NULL, &e), ERR_CLOSED);
    assert_string_equal(e.text, "enough");
    assert_int_equal(store_zone_each(s, count_again, args, &e), OK);
    store_close(s);
    temp_dir_free(dir);
}

static void test_metadata(void **state)
{
    char *dir = temp_dir_new();
    struct store *s = must_open_writer(dir);
    struct buf value = BUF_INIT;

    (void)state;
    assert_int_equal(store_meta_get(s, "node", &value, &e), ERR_NOT_FOUND);
    assert_int_equal(store_begin(s, &e), OK);
    assert_int_equal(store_meta_put(s, "node", "a", &e), OK);
    assert_int_equal(store_meta_put(s, "node", "ns1'.example", &e), OK);
    assert_int_equal(store_commit(s, &e), OK);
    assert_int_equal(store_meta_get(s, "node", &value, &e), OK);
    assert_string_equal(buf_cstr(&value), "ns1'.example");
    buf_free(&value);
    store_close(s);
    temp_dir_free(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_open),           cmocka_unit_test(test_reader_comes_first),
        cmocka_unit_test(test_newer_schema),   cmocka_unit_test(test_foreign_database),
        cmocka_unit_test(test_migration),      cmocka_unit_test(test_zone_row),
        cmocka_unit_test(test_renewals),       cmocka_unit_test(test_schema_1),
        cmocka_unit_test(test_zone_row_state), cmocka_unit_test(test_hostile_names),
        cmocka_unit_test(test_nested_walks),   cmocka_unit_test(test_metadata),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
