/* Packs are merged beside the writing: the writer never waits for it, and nothing is lost. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <pthread.h>
#include <semaphore.h>

#include "journal/journal.h"
#include "lib/base/mem.h"
#include "syncd/packmerge.h"
#include "tests/tools/journal_fixture.h"

#define APEX "example.com."
#define RECORDS 300

enum { VERSIONS_MAX = 5000 };

struct history {
    char *dir;
    struct journal *j;
    struct line_set lines;
    struct zone *tip;
    unsigned n;
    struct journal_oid commits[VERSIONS_MAX];
};

static struct history *history_new(void)
{
    struct history *h = xcalloc(1, sizeof(*h));
    struct errinfo e = {0};

    h->dir = temp_dir_new();
    assert_int_equal(journal_open(&h->j, h->dir, "node", true, &e), OK);
    line_set_soa(&h->lines, APEX, 1);
    for (unsigned i = 0; i < RECORDS; i++)
        line_set_add(&h->lines, "h%u.%s 300 IN A 192.0.2.%u", i, APEX, i % 250);
    return h;
}

static void history_free(struct history *h)
{
    zone_unref(h->tip);
    line_set_free(&h->lines);
    journal_close(h->j);
    temp_dir_free(h->dir);
    free(h);
}

/* One more version in a pack of its own, and its ref. */
static void write_one(struct history *h)
{
    struct changeset *cs = NULL;
    struct journal_entry en;
    struct errinfo e = {0};
    struct zone *z;

    line_set_soa(&h->lines, APEX, h->n + 1);
    line_set_add(&h->lines, "v%u.%s 300 IN A 192.0.2.1", h->n, APEX);
    z = zone_of_lines(APEX, &h->lines);
    en = entry_of(z, h->n + 1);
    if (h->tip) {
        assert_int_equal(zone_diff(&cs, h->tip, z, &e), OK);
        en.changes = cs;
        en.parent = h->commits[h->n - 1];
    }
    if (journal_write(h->j, &en, 1, &e) ||
        journal_ref_set(h->j, LINE_SERVED, en.zone, &en.commit, &e))
        fail_msg("%s", e.text);
    h->commits[h->n++] = en.commit;
    changeset_free(cs);
    zone_unref(h->tip);
    h->tip = z;
}

static uint64_t packs_of(struct journal *j)
{
    struct journal_stats s;
    struct errinfo e = {0};

    assert_int_equal(journal_stats(j, &s, &e), OK);
    return s.packs;
}

/* By the handle that wrote it, and by a new one. */
static void all_readable(const struct history *h)
{
    struct journal *fresh = NULL;
    uint8_t apex[NAME_MAX_OCTETS];
    struct errinfo e = {0};

    name_of(apex, APEX);
    assert_int_equal(journal_open(&fresh, h->dir, "", false, &e), OK);
    for (unsigned v = 0; v < h->n; v++) {
        struct journal *handles[] = {h->j, fresh};

        for (unsigned i = 0; i < 2; i++) {
            struct zone *z = NULL;

            if (journal_zone_load(&z, handles[i], apex, &h->commits[v], &e))
                fail_msg("version %u: %s", v + 1, e.text);
            assert_int_equal(zone_serial(z).v, v + 1);
            assert_int_equal(zone_records(z), RECORDS + 2 + v);
            zone_unref(z);
        }
    }
    journal_close(fresh);
}

/* ---- A merging that does not end ---- */

struct held {
    const char *dir;
    sem_t inside, go_on;
    bool asked;
    bool stop; /* what it is told when it goes on */
    struct journal_merge *made;
    enum err rc;
};

static bool hold(void *ctx)
{
    struct held *m = ctx;

    if (m->asked)
        return m->stop;
    m->asked = true;
    (void)sem_post(&m->inside);
    (void)sem_wait(&m->go_on);
    return m->stop;
}

static void *held_main(void *ctx)
{
    struct held *m = ctx;
    struct journal *j = NULL;
    struct errinfo e = {0};

    m->rc = journal_open(&j, m->dir, "merger", false, &e);
    if (m->rc == OK)
        m->rc = journal_merge_make(&m->made, j, hold, m, &e);
    journal_close(j);
    return NULL;
}

/* While it hangs in the middle, the writer goes on. */
static void merge_while_writing(struct history *h, struct held *m)
{
    pthread_t thread;

    m->dir = h->dir;
    assert_int_equal(sem_init(&m->inside, 0, 0), 0);
    assert_int_equal(sem_init(&m->go_on, 0, 0), 0);
    for (unsigned i = 0; i < 10; i++)
        write_one(h);
    assert_int_equal(pthread_create(&thread, NULL, held_main, m), 0);
    (void)sem_wait(&m->inside);
    for (unsigned i = 0; i < 10; i++)
        write_one(h);
    (void)sem_post(&m->go_on);
    assert_int_equal(pthread_join(thread, NULL), 0);
    (void)sem_destroy(&m->inside);
    (void)sem_destroy(&m->go_on);
}

static void test_writing_goes_on(void **state)
{
    struct history *h = history_new();
    struct held m = {.stop = false};
    struct errinfo e = {0};

    (void)state;
    merge_while_writing(h, &m);
    assert_int_equal(m.rc, OK);
    assert_non_null(m.made);
    assert_int_equal(packs_of(h->j), 21); /* nothing goes before the writer says so */
    all_readable(h);
    assert_int_equal(journal_merge_finish(h->j, m.made, &e), OK);
    assert_in_range(packs_of(h->j), 11,
                    13); /* what came meanwhile, the new one, and what was left */
    all_readable(h);
    write_one(h);
    all_readable(h);
    history_free(h);
}

static void test_it_can_be_stopped(void **state)
{
    struct history *h = history_new();
    struct held m = {.stop = true};

    (void)state;
    merge_while_writing(h, &m);
    assert_int_equal(m.rc, ERR_CLOSED);
    assert_null(m.made);
    assert_int_equal(packs_of(h->j), 20);
    all_readable(h);
    history_free(h);
}

/* Somebody took the new pack away before the old ones went: then these stay. */
static void test_nothing_goes_without_the_new_pack(void **state)
{
    struct history *h = history_new();
    struct journal_merge *made = NULL;
    struct errinfo e = {0};
    char *command;

    (void)state;
    for (unsigned i = 0; i < 10; i++)
        write_one(h);
    command = xasprintf("ls %s/objects/pack >%s/before", h->dir, h->dir);
    assert_int_equal(system(command), 0);
    free(command);
    assert_int_equal(journal_merge_make(&made, h->j, NULL, NULL, &e), OK);
    assert_non_null(made);
    command = xasprintf("cd %s/objects/pack && ls | grep -vxFf ../../before | xargs rm", h->dir);
    assert_int_equal(system(command), 0);
    free(command);
    assert_int_equal(journal_merge_finish(h->j, made, &e), ERR_NOT_FOUND);
    assert_int_equal(packs_of(h->j), 10);
    all_readable(h);
    history_free(h);
}

/* The old packs go a few at a time: the writer writes in between, and everything is readable all
 * the time. One who stops half-way leaves what the next merging finds. */
static void test_old_packs_go_in_pieces(void **state)
{
    struct history *h = history_new();
    struct journal_merge *made = NULL;
    struct errinfo e = {0};
    unsigned pieces = 0;
    bool done = false;

    (void)state;
    for (unsigned i = 0; i < 20; i++)
        write_one(h);
    assert_int_equal(journal_merge_make(&made, h->j, NULL, NULL, &e), OK);
    assert_non_null(made);
    for (; !done; pieces++) {
        assert_int_equal(journal_merge_some(h->j, made, 3, &done, &e), OK);
        write_one(h);
        all_readable(h);
    }
    journal_merge_free(made);
    assert_in_range(pieces, 6, 7);
    assert_int_equal(packs_of(h->j), 1 + pieces);

    for (unsigned i = 0; i < 20; i++)
        write_one(h);
    assert_int_equal(journal_merge_make(&made, h->j, NULL, NULL, &e), OK);
    assert_int_equal(journal_merge_some(h->j, made, 3, &done, &e), OK);
    assert_false(done);
    journal_merge_free(made);
    all_readable(h);
    assert_int_equal(journal_repack(h->j, &e), OK);
    assert_int_equal(packs_of(h->j), 1);
    all_readable(h);
    history_free(h);
}

/* ---- The thread ---- */

static void on_made(void *ctx)
{
    (void)sem_post(ctx);
}

static void test_thread(void **state)
{
    struct history *h = history_new();
    struct packmerge *m = NULL;
    struct errinfo e = {0};
    unsigned finished = 0;
    sem_t made;

    (void)state;
    assert_int_equal(sem_init(&made, 0, 0), 0);
    assert_int_equal(packmerge_start(&m, h->dir, NULL, on_made, &made, &e), OK);
    while (finished < 5) {
        struct journal_merge *merge;

        for (unsigned i = 0; i < 4; i++)
            write_one(h);
        packmerge_want(m);
        for (unsigned i = 0; i < 4; i++)
            write_one(h);
        (void)sem_wait(&made);
        merge = packmerge_take(m);
        assert_non_null(merge);
        assert_null(packmerge_take(m));
        assert_int_equal(journal_merge_finish(h->j, merge, &e), OK);
        finished++;
    }
    assert_true(packs_of(h->j) < h->n);
    packmerge_want(m);
    packmerge_stop(m); /* in the middle of it, or not: either is fine */
    all_readable(h);
    (void)sem_destroy(&made);
    history_free(h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_writing_goes_on),
        cmocka_unit_test(test_it_can_be_stopped),
        cmocka_unit_test(test_nothing_goes_without_the_new_pack),
        cmocka_unit_test(test_old_packs_go_in_pieces),
        cmocka_unit_test(test_thread),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
