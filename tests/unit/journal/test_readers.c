/* Readers with handles and threads of their own, while the writer writes and merges packs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdatomic.h>

#include "journal/journal.h"
#include "tests/tools/journal_fixture.h"

#define APEX "example.com."

enum { VERSIONS = 60, READERS = 2 };

struct shared {
    char *dir;
    atomic_uint written;
    atomic_uint failed;
    struct journal_oid commits[VERSIONS]; /* read below `written` */
};

static void *reader_main(void *ctx)
{
    struct shared *s = ctx;
    struct journal *j = NULL;
    struct errinfo e = {0};
    uint8_t apex[NAME_MAX_OCTETS];
    struct rng rng = {(uintptr_t)&j};
    unsigned rounds = 0;
    unsigned n = 0;

    name_of(apex, APEX);
    if (journal_open(&j, s->dir, "", false, &e)) {
        atomic_fetch_add(&s->failed, 1);
        return NULL;
    }
    while (n < VERSIONS || rounds < 20) {
        struct journal_commit c;
        struct zone *z = NULL;
        unsigned v;

        n = atomic_load(&s->written);
        if (n == 0)
            continue;
        v = (unsigned)rng_below(&rng, n);
        if (journal_commit_get(j, &s->commits[v], &c, &e) || c.to.v != v + 1 ||
            journal_zone_load(&z, j, apex, &s->commits[v], &e) || zone_serial(z).v != v + 1) {
            print_message("version %u: %s\n", v, e.text);
            atomic_fetch_add(&s->failed, 1);
            zone_unref(z);
            break;
        }
        zone_unref(z);
        rounds++;
    }
    journal_close(j);
    return NULL;
}

static void write_all(struct shared *s, struct journal *j)
{
    struct line_set lines = {0};
    struct zone *before = NULL;
    struct errinfo e = {0};

    line_set_soa(&lines, APEX, 1);
    for (unsigned i = 0; i < 290; i++)
        line_set_add(&lines, "h%u.%s 300 IN A 192.0.2.%u", i, APEX, i % 250);
    for (unsigned v = 0; v < VERSIONS; v++) {
        struct changeset *cs = NULL;
        struct journal_entry en;
        struct zone *z;

        line_set_soa(&lines, APEX, v + 1);
        line_set_drop(&lines, 1 + v);
        z = zone_of_lines(APEX, &lines);
        en = entry_of(z, v + 1);
        if (before) {
            assert_int_equal(zone_diff(&cs, before, z, &e), OK);
            en.changes = cs;
            en.parent = s->commits[v - 1];
        }
        if (journal_write(j, &en, 1, &e) || (v % 8 == 7 && journal_repack(j, &e)))
            fail_msg("%s", e.text);
        s->commits[v] = en.commit;
        atomic_store(&s->written, v + 1);
        changeset_free(cs);
        zone_unref(before);
        before = z;
    }
    zone_unref(before);
    line_set_free(&lines);
}

static void test_readers(void **state)
{
    static struct shared s;
    pthread_t threads[READERS];
    struct journal *j = NULL;
    struct errinfo e = {0};

    (void)state;
    s.dir = temp_dir_new();
    assert_int_equal(journal_open(&j, s.dir, "node", true, &e), OK);
    for (unsigned i = 0; i < READERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, reader_main, &s), 0);
    write_all(&s, j);
    for (unsigned i = 0; i < READERS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_int_equal(atomic_load(&s.failed), 0);
    journal_close(j);
    temp_dir_free(s.dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_readers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
