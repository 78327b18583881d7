/* Directories of zone files, with the real store, loop and file system: from a file to a commit. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "syncd/watch_internal.h"

#define DEADLINE_S 60

struct world;
typedef bool condition(struct world *w);

struct world {
    char dir[32];
    char zones[64];
    struct config *config;
    struct loop *loop;
    struct committer *committer;
    struct zone_cache *cache;
    struct store_readers *readers;
    struct watch *watch;

    /* What the watch told. */
    unsigned changes, enough;
    struct store_zone last;

    condition *until;
    struct event *look;
    unsigned looks;
};

/* ---- The world of the watch ---- */

static void submit(void *ctx, struct commit_job *job)
{
    struct world *w = ctx;

    commit_submit(w->committer, job);
}

static const struct config_zone *no_section(void *ctx, const uint8_t *zone)
{
    (void)ctx;
    (void)zone;
    return NULL;
}

static enum err read_row(const struct world *w, const uint8_t *zone, struct store_zone *out)
{
    struct store *s = NULL;
    enum err rc = store_open_reader(&s, w->dir, NULL);

    if (rc == OK)
        rc = store_zone_get(s, zone, out, NULL);
    store_close(s);
    return rc;
}

static bool get_row(void *ctx, const uint8_t *zone, struct store_zone *out)
{
    return read_row(ctx, zone, out) == OK;
}

static void no_explanation(void *ctx, const char *path, struct errinfo *e)
{
    (void)ctx;
    (void)path;
    (void)e;
}

static void changed(void *ctx, const struct store_zone *row)
{
    struct world *w = ctx;

    w->changes++;
    w->last = *row;
}

static void load_config(struct world *w, const char *items)
{
    char path[64];
    FILE *f;
    struct errinfo e = {{0}};

    (void)snprintf(path, sizeof(path), "%s/conf", w->dir);
    f = fopen(path, "we");
    assert_non_null(f);
    (void)fprintf(f, "data-dir = \"%s\"\ndirectory \"%s\" { settle = 10ms %s }\n", w->dir, w->zones,
                  items);
    assert_int_equal(fclose(f), 0);
    config_unref(w->config);
    w->config = NULL;
    if (config_load(&w->config, path, &e) != OK)
        fail_msg("%s", e.text);
}

static void start(struct world *w)
{
    struct watch_ops ops = {.ctx = w,
                            .commit = submit,
                            .section = no_section,
                            .row = get_row,
                            .explain = no_explanation,
                            .changed = changed};
    struct errinfo e = {{0}};

    if (loop_new(&w->loop, clock_real(), 2, &e) ||
        committer_start(&w->committer, w->loop, w->dir, clock_real(), 1u << 20, NULL, NULL, &e))
        fail_msg("%s", e.text);
    w->cache = zone_cache_new(1u << 20);
    ops.loop = w->loop;
    ops.cache = w->cache;
    ops.readers = w->readers = store_readers_new(w->dir);
    w->watch = watch_new(&ops, w->config);
}

static void stop(struct world *w)
{
    watch_free(w->watch);
    committer_stop(w->committer);
    loop_free(w->loop);
    zone_cache_free(w->cache);
    store_readers_free(w->readers);
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
    (void)st;
    (void)flag;
    (void)ftw;
    return remove(path);
}

static int make_world(void **state)
{
    struct world *w = xcalloc(1, sizeof(*w));

    log_init("test", LOG_ERROR, LOG_TEXT);
    (void)snprintf(w->dir, sizeof(w->dir), "/tmp/zl-watch-XXXXXX");
    if (!mkdtemp(w->dir))
        return -1;
    (void)snprintf(w->zones, sizeof(w->zones), "%s/zones", w->dir);
    if (mkdir(w->zones, 0700) != 0)
        return -1;
    load_config(w, "");
    start(w);
    *state = w;
    return 0;
}

static int drop_world(void **state)
{
    struct world *w = *state;

    stop(w);
    config_unref(w->config);
    (void)nftw(w->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    free(w);
    return 0;
}

static void on_look(evutil_socket_t fd, short what, void *ctx)
{
    struct world *w = ctx;

    (void)fd;
    (void)what;
    if (w->until(w) || ++w->looks > DEADLINE_S * 100)
        loop_stop(w->loop);
}

/* Runs the loop until it is so. */
static void wait_until(struct world *w, condition *until)
{
    struct timeval often = {.tv_usec = 10000};

    w->until = until;
    w->looks = 0;
    w->look = event_new(loop_base(w->loop), -1, EV_PERSIST, on_look, w);
    assert_int_equal(event_add(w->look, &often), 0);
    loop_run(w->loop);
    event_free(w->look);
    assert_true(until(w));
}

/* ---- Files ---- */

static void put(struct world *w, const char *name, const char *text)
{
    char path[128], new[128];
    FILE *f;

    (void)snprintf(path, sizeof(path), "%s/%s", w->zones, name);
    (void)snprintf(new, sizeof(new), "%s/.new", w->zones);
    f = fopen(new, "we");
    assert_non_null(f);
    (void)fputs(text, f);
    assert_int_equal(fclose(f), 0);
    assert_int_equal(rename(new, path), 0);
}

static void take_away(struct world *w, const char *name)
{
    char path[128];

    (void)snprintf(path, sizeof(path), "%s/%s", w->zones, name);
    assert_int_equal(unlink(path), 0);
}

#define ZONE(serial, more)                                                                         \
    "$TTL 300\n@ SOA ns host " serial " 3600 600 86400 300\n@ NS ns\nns A 192.0.2.1\n" more

static const uint8_t a_test[] = "\1a\4test";

static struct store_zone row_of(const struct world *w, const uint8_t *zone)
{
    struct store_zone row = {.id = 0};

    (void)!read_row(w, zone, &row);
    return row;
}

/* ---- Status ---- */

struct seen {
    size_t zones, wrong, errors;
    char error[ERR_TEXT_MAX];
};

static void on_status(void *ctx, const struct watch_status *s)
{
    struct seen *seen = ctx;

    if (s->is_directory) {
        seen->zones += s->zones;
        seen->wrong += s->wrong;
    } else {
        seen->errors++;
        (void)snprintf(seen->error, sizeof(seen->error), "%s", s->error);
    }
}

static struct seen status(const struct world *w)
{
    struct seen seen = {.zones = 0};

    watch_each(w->watch, on_status, &seen);
    return seen;
}

static bool is_wrong(struct world *w)
{
    return status(w).wrong > 0;
}

static bool is_right(struct world *w)
{
    return status(w).wrong == 0 && w->watch->commits == 0 && !w->watch->batch_running;
}

static bool serial_1(struct world *w)
{
    return row_of(w, a_test).serial.v == 1;
}

static bool serial_2(struct world *w)
{
    return row_of(w, a_test).serial.v == 2;
}

static bool is_removed(struct world *w)
{
    return row_of(w, a_test).removed;
}

static bool has_enough(struct world *w)
{
    return w->changes >= w->enough;
}

/* ---- Tests ---- */

static void names_of_files(void **state)
{
    static const struct {
        const char *name;
        enum watch_name kind;
        const char *zone; /* as the store has it; NULL: none */
    } cases[] = {
        {"a.test.zone", NAME_ZONE, "\1a\4test"},
        {"A.Test.zone", NAME_ZONE, "\1a\4test"},
        {"a.test..zone", NAME_ZONE, "\1a\4test"},
        {"test.zone", NAME_ZONE, "\4test"},
        {"x\\047y.test.zone", NAME_ZONE, "\3x/y\4test"},
        {"a..test.zone", NAME_ZONE, NULL},
        {"\\300.zone", NAME_ZONE, NULL},
        {".zone", NAME_IGNORED, NULL},
        {".a.test.zone", NAME_IGNORED, NULL},
        {"#a.test.zone#", NAME_IGNORED, NULL},
        {"a.test.zone~", NAME_IGNORED, NULL},
        {"a.test.zone.bak", NAME_OTHER, NULL},
        {"a.test.ZONE", NAME_OTHER, NULL},
        {"zone", NAME_OTHER, NULL},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint8_t zone[NAME_MAX_OCTETS];
        struct errinfo e = {{0}};

        assert_int_equal(watch_name_kind(cases[i].name), cases[i].kind);
        if (cases[i].kind != NAME_ZONE)
            continue;
        assert_int_equal(watch_zone_of(zone, cases[i].name, &e), cases[i].zone ? OK : ERR_FORMAT);
        if (cases[i].zone)
            assert_string_equal((const char *)zone, cases[i].zone);
        else
            assert_non_null(strstr(e.text, "its name is not NAME.zone"));
    }
}

static void a_file_is_followed(void **state)
{
    struct world *w = *state;
    struct store_zone row;

    put(w, "a.test.zone", ZONE("1", ""));
    watch_start(w->watch);
    wait_until(w, serial_1);
    row = row_of(w, a_test);
    assert_int_equal(row.kind, ZONE_LOCAL);
    assert_true(strncmp(row.file, w->zones, strlen(w->zones)) == 0);
    put(w, "a.test.zone", ZONE("2", "x A 192.0.2.1\n"));
    wait_until(w, serial_2);

    put(w, "a.test.zone", ZONE("3", "x A 192.0.2\n"));
    wait_until(w, is_wrong);
    assert_non_null(strstr(status(w).error, "a.test.zone:5:"));
    row = row_of(w, a_test);
    assert_string_equal(row.last_error, status(w).error);
    assert_int_equal(row.serial.v, 2);
    put(w, "a.test.zone", ZONE("2", "x A 192.0.2.1\n"));
    wait_until(w, is_right);
    assert_string_equal(row_of(w, a_test).last_error, "");
    assert_int_equal(row_of(w, a_test).version, 2);
}

/* Stops in the middle of everything: nothing is left behind, and nothing is lost. */
static void it_may_be_stopped_at_any_time(void **state)
{
    struct world *w = *state;

    for (int i = 0; i < 5; i++) {
        char name[32];

        for (int k = 0; k < 100; k++) {
            (void)snprintf(name, sizeof(name), "z%d-%d.test.zone", i, k);
            put(w, name, ZONE("1", ""));
        }
        watch_start(w->watch);
        w->enough = w->changes + (unsigned)i * 20;
        wait_until(w, has_enough);
        stop(w);
        start(w);
    }
    put(w, "a.test.zone", ZONE("1", ""));
    watch_start(w->watch);
    wait_until(w, serial_1);
    wait_until(w, is_right);
    assert_int_equal(status(w).zones, 501);
}

/* What is missing at the start is known by its row. */
static void a_file_that_vanished(void **state)
{
    struct world *w = *state;
    struct store_zone row;

    put(w, "a.test.zone", ZONE("1", ""));
    put(w, "b.test.zone", ZONE("1", ""));
    watch_start(w->watch);
    wait_until(w, serial_1);
    stop(w);
    take_away(w, "a.test.zone");
    start(w);
    row = row_of(w, a_test);
    watch_known(w->watch, &row);
    watch_start(w->watch);
    wait_until(w, is_wrong);
    assert_non_null(strstr(row_of(w, a_test).last_error, "the file is not there any more"));
    assert_false(row_of(w, a_test).removed);

    load_config(w, "remove = yes");
    watch_again(w->watch);
    watch_reload(w->watch, w->config);
    watch_start(w->watch);
    wait_until(w, is_removed);
    wait_until(w, is_right);
    put(w, "a.test.zone", ZONE("2", ""));
    wait_until(w, serial_2);
    assert_false(row_of(w, a_test).removed);
}

static void a_directory_that_is_not_configured_any_more(void **state)
{
    struct world *w = *state;

    put(w, "a.test.zone", ZONE("1", ""));
    watch_start(w->watch);
    wait_until(w, serial_1);
    put(w, "a.test.zone", "");
    wait_until(w, is_wrong);
    (void)snprintf(w->zones + strlen(w->zones), 8, "-new");
    load_config(w, "");
    watch_reload(w->watch, w->config);
    watch_start(w->watch);
    wait_until(w, is_right);
    assert_string_equal(row_of(w, a_test).last_error, "");
    assert_int_equal(row_of(w, a_test).failures, 0);
    assert_int_equal(status(w).zones, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_of_files),
        cmocka_unit_test_setup_teardown(a_file_is_followed, make_world, drop_world),
        cmocka_unit_test_setup_teardown(it_may_be_stopped_at_any_time, make_world, drop_world),
        cmocka_unit_test_setup_teardown(a_file_that_vanished, make_world, drop_world),
        cmocka_unit_test_setup_teardown(a_directory_that_is_not_configured_any_more, make_world,
                                        drop_world),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
