/* Our catalogs with the real store and loop: from zones that come and go to commits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/zone/catalog.h"
#include "syncd/producer.h"
#include "tests/tools/config_fixture.h"

#define DEADLINE_S 60
#define ZONES 3

static const uint8_t catalog[] = "\1c\7invalid";
static const uint8_t names[ZONES][8] = {"\1a\4test", "\1b\4test", "\1d\4test"};
static const char text[] = "producer \"c.invalid\" { transfer-from = {\"::1\"} }\n"
                           "zone \"a.test\" { catalog = \"c.invalid\" catalog-group = \"g\" }\n";

struct world;
typedef bool condition(struct world *w);

struct world {
    char dir[32];
    struct config *config;
    struct loop *loop;
    struct committer *committer;
    struct zone_cache *cache;
    struct store_readers *readers;
    struct producer *producer;

    struct zone_row rows[ZONES]; /* what the replicator would have */
    struct zone_row own;         /* the catalog's */
    struct config_zone sections[2];
    bool meddle; /* somebody else changes the catalog between its reading and its commit */
    unsigned changes;

    condition *until;
    struct event *look;
    unsigned looks;
};

/* ---- The world of the producer ---- */

static enum err read_row(const struct world *w, struct store_zone *out, struct zone **content)
{
    struct store *s = NULL;
    enum err rc = store_open_reader(&s, w->dir, NULL);

    if (rc == OK)
        rc = store_zone_get(s, catalog, out, NULL);
    if (rc == OK && content)
        rc = store_zone_load(content, s, out, NULL);
    store_close(s);
    return rc;
}

static void submit(void *ctx, struct commit_job *job)
{
    struct world *w = ctx;

    if (w->meddle) { /* marks it as expired */
        struct commit_job *other = commit_job_new(COMMIT_SERVED, &job->base);

        w->meddle = false;
        other->row.expired = true;
        commit_submit(w->committer, other);
    }
    commit_submit(w->committer, job);
}

static bool find(void *ctx, const uint8_t *zone, struct replicator_zone *out)
{
    struct world *w = ctx;

    if (name_eq(zone, catalog)) {
        *out = (struct replicator_zone){.row = &w->own, .section = &w->sections[1]};
        return true;
    }
    for (size_t i = 0; i < ZONES; i++) {
        if (name_eq(zone, names[i])) {
            *out = (struct replicator_zone){.row = &w->rows[i], .section = &w->sections[0]};
            return true;
        }
    }
    return false;
}

static void each(void *ctx, replicator_zone_fn *f, void *arg)
{
    struct world *w = ctx;
    struct replicator_zone z;

    for (size_t i = 0; i < ZONES; i++) {
        assert_true(find(w, names[i], &z));
        f(arg, &z);
    }
    assert_true(find(w, catalog, &z));
    f(arg, &z);
}

static void changed(void *ctx, const struct store_zone *row)
{
    struct world *w = ctx;

    w->changes++;
    zone_row_set(&w->own, row);
}

static void on_committed(void *ctx, uint64_t seq, const struct commit_job *jobs)
{
    struct world *w = ctx;

    (void)seq;
    if (w->producer)
        producer_committed(w->producer, jobs);
}

static void start(struct world *w)
{
    struct producer_ops ops = {
        .ctx = w, .commit = submit, .zone = find, .each_zone = each, .changed = changed};
    struct errinfo e = {{0}};

    if (loop_new(&w->loop, clock_real(), 2, &e) ||
        committer_start(&w->committer, w->loop, w->dir, clock_real(), 1u << 20, on_committed, w,
                        &e))
        fail_msg("%s", e.text);
    w->cache = zone_cache_new(1u << 20);
    ops.loop = w->loop;
    ops.cache = w->cache;
    ops.readers = w->readers = store_readers_new(w->dir);
    w->producer = producer_new(&ops, w->config);
}

static void stop(struct world *w)
{
    producer_free(w->producer);
    w->producer = NULL;
    committer_stop(w->committer);
    loop_free(w->loop);
    zone_cache_free(w->cache);
    store_readers_free(w->readers);
}

static void set_row(struct zone_row *row, const uint8_t *name, bool here)
{
    struct store_zone z = {.id = 7, .kind = ZONE_LOCAL, .source = SOURCE_OPERATOR};

    (void)name_copy(z.name, name);
    z.has_content = here;
    zone_row_set(row, &z);
}

static int make_world(void **state)
{
    struct world *w = xcalloc(1, sizeof(*w));
    struct store_zone own = {.id = 0, .kind = ZONE_LOCAL};

    log_init("test", LOG_ERROR, LOG_TEXT);
    (void)snprintf(w->dir, sizeof(w->dir), "/tmp/zl-producer-XXXXXX");
    if (!mkdtemp(w->dir))
        return -1;
    w->config = text_config(text);
    w->sections[0] = w->config->zones[0];
    w->sections[1] = w->config->zones[1];
    for (size_t i = 0; i < ZONES; i++)
        set_row(&w->rows[i], names[i], i == 0);
    (void)name_copy(own.name, catalog);
    zone_row_set(&w->own, &own);
    start(w);
    *state = w;
    return 0;
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
    (void)st;
    (void)flag;
    (void)ftw;
    return remove(path);
}

static int drop_world(void **state)
{
    struct world *w = *state;

    stop(w);
    for (size_t i = 0; i < ZONES; i++)
        zone_row_done(&w->rows[i]);
    zone_row_done(&w->own);
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

/* Which of the zones are listed, as bits; -1: there is no catalog. */
static int listed(const struct world *w)
{
    struct store_zone row;
    struct zone *z = NULL;
    struct catalog *list = NULL;
    struct catalog_member m;
    int bits = 0;

    if (read_row(w, &row, &z) != OK)
        return -1;
    assert_true(store_zone_is_catalog(&row) && row.kind == ZONE_LOCAL);
    assert_int_equal(catalog_parse(&list, z, NULL), OK);
    for (size_t i = 0; i < ZONES; i++)
        bits |= catalog_find(list, names[i], &m) ? 1 << i : 0;
    catalog_free(list);
    zone_unref(z);
    return bits;
}

static bool first_is_listed(struct world *w)
{
    return listed(w) == 1;
}

static bool all_are_listed(struct world *w)
{
    return listed(w) == 7;
}

/* The store has it before the loop thread is told. */
static bool first_is_told(struct world *w)
{
    return listed(w) == 1 && w->changes > 0;
}

/* ---- ---- */

static void what_comes_together_is_one_version(void **state)
{
    struct world *w = *state;
    struct store_zone row;

    wait_until(w, first_is_told);
    assert_int_equal(w->changes, 1);
    for (size_t i = 1; i < ZONES; i++) {
        set_row(&w->rows[i], names[i], true);
        producer_touch(w->producer, names[i]);
    }
    wait_until(w, all_are_listed);
    assert_int_equal(read_row(w, &row, NULL), OK);
    assert_int_equal(row.version, 2);
}

static void a_conflict_is_looked_at_again(void **state)
{
    struct world *w = *state;

    wait_until(w, first_is_listed);
    w->meddle = true;
    for (size_t i = 1; i < ZONES; i++) {
        set_row(&w->rows[i], names[i], true);
        producer_touch(w->producer, names[i]);
    }
    wait_until(w, all_are_listed);
    assert_false(w->meddle);
}

static bool round_has_begun(struct world *w)
{
    return ++w->looks > 30;
}

/* The next start finds what was not committed. */
static void it_may_stop_at_any_moment(void **state)
{
    struct world *w = *state;

    for (int i = 0; i < 3; i++) {
        set_row(&w->rows[i], names[i], true);
        wait_until(w, round_has_begun);
        stop(w);
        start(w);
    }
    wait_until(w, all_are_listed);
}

static bool is_removed(struct world *w)
{
    struct store_zone row;

    return read_row(w, &row, NULL) == OK && row.removed;
}

static void a_catalog_that_is_not_configured_any_more_goes(void **state)
{
    struct world *w = *state;
    struct config *none = text_config("node = \"n\"\n");

    wait_until(w, first_is_listed);
    w->sections[0].member_of = NULL;
    w->sections[1].producer = NULL;
    producer_reload(w->producer, none);
    wait_until(w, is_removed);
    config_unref(none);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_comes_together_is_one_version, make_world, drop_world),
        cmocka_unit_test_setup_teardown(a_conflict_is_looked_at_again, make_world, drop_world),
        cmocka_unit_test_setup_teardown(it_may_stop_at_any_moment, make_world, drop_world),
        cmocka_unit_test_setup_teardown(a_catalog_that_is_not_configured_any_more_goes, make_world,
                                        drop_world),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
