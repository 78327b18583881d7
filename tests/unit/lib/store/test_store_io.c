/* The disk fails at every write and every sync in turn, by a layer between SQLite and the system.
 * What must hold: the failing call says ERR_IO (ERR_LIMIT when the disk is full), nothing is
 * written after a failed sync, and the next opening finds what was acknowledged or the change in
 * flight. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/store/store_internal.h"
#include "tests/tools/journal_fixture.h"
#include "tests/tools/store_fixture.h"

static const uint8_t example[] = "\7example\3com";
static struct errinfo e;

/* ---- The layer ---- */

static struct {
    bool sync; /* which call fails: a sync, or a write */
    int code;  /* with what */
    int left;  /* calls until then; < 0: never */
    bool failed;
    int after; /* writes and syncs seen after the failure */
} plan;

static sqlite3_vfs *below;
static sqlite3_vfs layer;
static const sqlite3_io_methods *methods_below[4]; /* SQLite's unix layer has a few sets of them */
static sqlite3_io_methods methods[4];

static const sqlite3_io_methods *real(const sqlite3_file *f)
{
    return methods_below[f->pMethods - methods];
}

static bool fails(bool sync)
{
    if (plan.failed) {
        plan.after++;
        return false;
    }
    if (plan.sync != sync || plan.left < 0 || plan.left-- > 0)
        return false;
    return plan.failed = true;
}

static int layer_write(sqlite3_file *f, const void *p, int n, sqlite3_int64 at)
{
    return fails(false) ? plan.code : real(f)->xWrite(f, p, n, at);
}

/* No power is cut here: the syncs that succeed need not wait for the disk. */
static int layer_sync(sqlite3_file *f, int flags)
{
    (void)f;
    (void)flags;
    return fails(true) ? plan.code : SQLITE_OK;
}

static int layer_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *f, int flags, int *out)
{
    int rc = below->xOpen(below, name, f, flags, out);
    size_t i = 0;

    (void)vfs;
    if (!f->pMethods)
        return rc;
    while (methods_below[i] && methods_below[i] != f->pMethods)
        i++;
    methods_below[i] = f->pMethods;
    methods[i] = *f->pMethods;
    methods[i].xWrite = layer_write;
    methods[i].xSync = layer_sync;
    f->pMethods = &methods[i];
    return rc;
}

static int layer_install(void **state)
{
    (void)state;
    plan.left = -1;
    below = sqlite3_vfs_find(NULL);
    layer = *below;
    layer.zName = "failing";
    layer.xOpen = layer_open;
    return sqlite3_vfs_register(&layer, 1);
}

/* ---- A writer's life, up to the first error ---- */

static enum err live(const char *dir, uint32_t *told)
{
    struct store_zone z = plain_row(example);
    struct zone *cur = NULL, *next = NULL;
    struct store *s = NULL;
    uint64_t seq = 0;
    enum err rc = store_open_writer(&s, dir, &e);

    for (uint32_t serial = 1; !rc && serial <= 4; serial++) {
        next = plain_zone_but(example, serial, 200, serial, serial);
        if (!(rc = store_begin(s, &e)) && !(rc = put_change(s, &z, cur, next, 1, &seq, &e)))
            rc = store_commit(s, &e);
        if (!rc) {
            *told = serial;
            if (serial % 2 == 0)
                rc = store_checkpoint(s, &e);
        } else if (s) {
            store_rollback(s);
        }
        zone_unref(cur);
        cur = next;
    }
    if (rc == ERR_IO && s) {
        plan.after = 0;
        assert_int_equal(store_begin(s, &e), ERR_IO);
        assert_int_equal(store_checkpoint(s, &e), ERR_IO);
        store_close(s);
        assert_int_equal(plan.after, 0);
    } else {
        store_close(s);
    }
    zone_unref(cur);
    return rc;
}

static void check(const char *dir, uint32_t told)
{
    struct store *s = must_open_writer(dir);
    struct store_zone z = {0};
    struct zone *got = NULL, *want;
    enum err rc = store_zone_get(s, example, &z, &e);

    assert_true(rc == OK || (rc == ERR_NOT_FOUND && told == 0));
    assert_true(z.serial.v == told || z.serial.v == told + 1);
    if (z.has_content) {
        want = plain_zone_but(example, z.serial.v, 200, z.serial.v, z.serial.v);
        assert_int_equal(store_zone_load(&got, s, &z, &e), OK);
        assert_true(same_content(got, want));
        zone_unref(got);
        zone_unref(want);
    }
    assert_int_equal(verify_faults(s, NULL), 0);
    store_close(s);
}

static void sweep(bool sync, int code, enum err want)
{
    enum err rc = want;
    int n = 0;

    for (; n < 1000; n++) {
        char *dir = temp_dir_new();
        uint32_t told = 0;

        memset(&plan, 0, sizeof(plan));
        plan.sync = sync;
        plan.code = code;
        plan.left = n;
        rc = live(dir, &told);
        /* Some failures hurt nobody: a file that grows ahead, the last checkpoint. */
        if (rc && rc != want)
            fail_msg("call %d: %s: %s", n, err_name(rc), e.text);
        if (!plan.failed) {
            assert_int_equal(told, 4);
            n = 2000 + n;
        }
        plan.left = -1;
        plan.failed = false;
        check(dir, told);
        temp_dir_free(dir);
    }
    assert_true(n > 2005); /* it ended because nothing was left to fail */
    print_message("%d calls failed\n", n - 2001);
}

static void test_sync_fails(void **state)
{
    (void)state;
    sweep(true, SQLITE_IOERR_FSYNC, ERR_IO);
}

static void test_write_fails(void **state)
{
    (void)state;
    sweep(false, SQLITE_IOERR_WRITE, ERR_IO);
}

static void test_disk_full(void **state)
{
    (void)state;
    sweep(false, SQLITE_FULL, ERR_LIMIT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sync_fails),
        cmocka_unit_test(test_write_fails),
        cmocka_unit_test(test_disk_full),
    };

    return cmocka_run_group_tests(tests, layer_install, NULL);
}
