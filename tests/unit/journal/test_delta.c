/* Deltas in our packs: what comes out of them, how long their chains get, and that stock git reads
 * them; and packs that are merged by copying. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "journal/journal_internal.h"
#include "lib/base/mem.h"
#include "tests/tools/bench_zones.h"
#include "tests/tools/journal_fixture.h"

enum { RECORDS = 6000, VERSIONS = 120 };

/* ---- The encoding ---- */

static struct buf octets_make(struct rng *r, size_t n)
{
    struct buf b = BUF_INIT;

    for (size_t i = 0; i < n; i++)
        buf_u8(&b, (uint8_t)('a' + rng_below(r, 4)));
    return b;
}

/* Replaces, inserts and removes pieces. */
static struct buf octets_edit(struct rng *r, const struct buf *from)
{
    struct buf to = BUF_INIT;
    size_t i = 0;

    while (i < from->len) {
        size_t n = 1 + rng_below(r, 200);

        n = n < from->len - i ? n : from->len - i;
        buf_put(&to, from->data + i, n);
        i += n;
        for (size_t k = rng_below(r, 40) / 20 * rng_below(r, 300); k; k--)
            buf_u8(&to, (uint8_t)rng_below(r, 256));
        i += rng_below(r, 40) / 30 * rng_below(r, 300);
    }
    return to;
}

static void check_pair(const struct buf *from, const struct buf *to)
{
    struct delta_text a = {from->data, from->len};
    struct delta_text b = {to->data, to->len};
    struct buf d = BUF_INIT;

    delta_encode(&d, &a, &b);
    assert_true(delta_check(&d, &a, &b));
    if (d.len > 8) { /* of a damaged one, or one cut short, it says so or gives the same */
        d.len--;
        assert_false(delta_check(&d, &a, &b));
    }
    buf_free(&d);
}

static void test_encoding(void **state)
{
    struct rng r = {7};
    struct buf none = BUF_INIT;

    (void)state;
    for (unsigned i = 0; i < 400; i++) {
        struct buf from = octets_make(&r, 1 + rng_below(&r, i % 40 == 0 ? 200000 : 3000));
        struct buf to = octets_edit(&r, &from);

        check_pair(&from, &to);
        check_pair(&to, &from);
        check_pair(&from, &from);
        check_pair(&from, &none);
        check_pair(&none, &from);
        for (size_t k = 0; k < from.len; k += 1 + rng_below(&r, 500)) /* the same length */
            from.data[k] ^= 1;
        check_pair(&from, &to);
        buf_free(&from);
        buf_free(&to);
    }
}

static void test_a_small_edit_is_a_small_delta(void **state)
{
    struct rng r = {3};
    struct buf from = octets_make(&r, 9000), to = BUF_INIT, d = BUF_INIT;

    (void)state;
    buf_put(&to, from.data, from.len);
    to.data[100] = '.';
    to.data[8000] = '.';
    delta_encode(&d, &(struct delta_text){from.data, from.len},
                 &(struct delta_text){to.data, to.len});
    assert_in_range(d.len, 10, 30);
    buf_free(&from);
    buf_free(&to);
    buf_free(&d);
}

/* ---- Packs ---- */

struct history {
    char *dir;
    struct journal *j;
    uint8_t apex[NAME_MAX_OCTETS];
    struct zone *first;
    struct journal_oid commits[VERSIONS + 1];
    struct journal_oid contents[VERSIONS + 1];
    struct changeset *changes[VERSIONS + 1];
    unsigned n;
};

static struct journal_entry version_of(struct history *h, unsigned v)
{
    struct journal_entry en = entry_of(h->first, v);

    en.to.v = v;
    if (v > 1) {
        h->changes[v] = bench_change(h->apex, v - 1, RECORDS);
        en.content = NULL;
        en.changes = h->changes[v];
        en.parent = h->commits[v - 1];
        en.has_from = true;
        en.from.v = v - 1;
        en.added = 2;
        en.removed = 1;
    }
    return en;
}

/* `at_once` versions in a pack, up to `last`. */
static void write_up_to(struct history *h, unsigned last, unsigned at_once)
{
    struct errinfo e = {0};

    while (h->n < last) {
        struct journal_entry list[VERSIONS];
        unsigned n = last - h->n < at_once ? last - h->n : at_once;

        for (unsigned i = 0; i < n; i++) {
            list[i] = version_of(h, h->n + 1 + i);
            list[i].parent_entry = (int)i - 1;
        }
        if (journal_write(h->j, list, n, &e))
            fail_msg("%s", e.text);
        for (unsigned i = 0; i < n; i++) {
            h->commits[++h->n] = list[i].commit;
            h->contents[h->n] = list[i].content_id;
        }
        assert_int_equal(journal_ref_set(h->j, LINE_SERVED, h->apex, &h->commits[h->n], &e), OK);
    }
}

static struct history *history_new(void)
{
    struct history *h = xcalloc(1, sizeof(*h));
    struct errinfo e = {0};

    h->dir = temp_dir_new();
    bench_zone_name(h->apex, 1);
    h->first = bench_zone(h->apex, RECORDS);
    assert_int_equal(journal_open(&h->j, h->dir, "node", true, &e), OK);
    return h;
}

static void history_free(struct history *h)
{
    for (unsigned i = 0; i <= VERSIONS; i++)
        changeset_free(h->changes[i]);
    zone_unref(h->first);
    journal_close(h->j);
    temp_dir_free(h->dir);
    free(h);
}

/* By a new handle, whose content ids are computed from what it read. */
static void all_readable(const struct history *h)
{
    struct journal *fresh = NULL;
    struct errinfo e = {0};

    assert_int_equal(journal_open(&fresh, h->dir, "", false, &e), OK);
    for (unsigned v = 1; v <= h->n; v += 7) {
        struct journal_oid id;
        struct zone *z = NULL;

        if (journal_zone_load(&z, fresh, h->apex, &h->commits[v], &e))
            fail_msg("version %u: %s", v, e.text);
        assert_int_equal(journal_content_id(&id, z, &e), OK);
        assert_memory_equal(&id, &h->contents[v], sizeof(id));
        zone_unref(z);
    }
    journal_close(fresh);
    assert_true(git_fsck_is_clean(h->dir));
}

/* What stock git says of the packs: the number of deltas and the longest chain. */
static void chains(const struct history *h, unsigned *deltas, unsigned *longest)
{
    char *command =
        xasprintf("git -C %s verify-pack -v %s/objects/pack/pack-*.idx", h->dir, h->dir);
    FILE *f = popen(command, "r");
    char line[256];

    assert_non_null(f);
    *deltas = *longest = 0;
    while (fgets(line, sizeof(line), f)) {
        unsigned depth;

        if (sscanf(line, "%*40s %*s %*u %*u %*u %u", &depth) == 1) {
            ++*deltas;
            *longest = depth > *longest ? depth : *longest;
        }
    }
    assert_int_equal(pclose(f), 0);
    free(command);
}

/* However versions are written, their ids are the same. */
static void same_ids(const struct history *a, const struct history *b)
{
    assert_int_equal(a->n, b->n);
    assert_memory_equal(a->commits, b->commits, sizeof(a->commits));
    assert_memory_equal(a->contents, b->contents, sizeof(a->contents));
}

static void test_a_batch_has_deltas(void **state)
{
    struct history *one = history_new(), *many = history_new();
    unsigned deltas, longest;

    (void)state;
    write_up_to(one, 1, 1);
    write_up_to(one, VERSIONS, 1);
    write_up_to(many, 1, 1);
    write_up_to(many, VERSIONS, VERSIONS);
    same_ids(one, many);
    chains(one, &deltas, &longest);
    assert_int_equal(deltas, 0);
    chains(many, &deltas, &longest);
    assert_in_range(deltas, 4 * VERSIONS, 10 * VERSIONS);
    assert_in_range(longest, 10, 24);
    all_readable(one);
    all_readable(many);
    history_free(one);
    history_free(many);
}

/* Packs of one version, and of several, become one in which nearly all are deltas; and again. */
static void test_merging_makes_deltas(void **state)
{
    struct history *h = history_new();
    struct journal_stats before, after;
    struct errinfo e = {0};
    unsigned deltas, longest;

    (void)state;
    write_up_to(h, 40, 1);
    assert_int_equal(journal_stats(h->j, &before, &e), OK);
    assert_int_equal(journal_repack(h->j, &e), OK);
    assert_int_equal(journal_stats(h->j, &after, &e), OK);
    assert_int_equal(after.packs, 1);
    assert_true(after.pack_bytes < before.pack_bytes * 2 / 3);
    all_readable(h);
    write_up_to(h, VERSIONS, 20);
    assert_int_equal(journal_repack(h->j, &e), OK);
    all_readable(h);
    chains(h, &deltas, &longest);
    assert_in_range(deltas, 5 * VERSIONS, 10 * VERSIONS);
    assert_in_range(longest, 20, 50);
    history_free(h);
}

/* What stock git made of it, with chains the other way round, is merged with ours; also where an
 * object is in both. */
static void test_packs_of_git(void **state)
{
    struct history *h = history_new();
    struct errinfo e = {0};
    char *command;

    (void)state;
    write_up_to(h, 30, 1);
    command = xasprintf("cd %s && mkdir kept && cp objects/pack/pack-* kept && "
                        "rm objects/pack/*.keep && git repack -adfq && "
                        "cp -n kept/* objects/pack/",
                        h->dir);
    assert_int_equal(system(command), 0);
    free(command);
    write_up_to(h, 60, 10);
    assert_int_equal(journal_repack(h->j, &e), OK);
    all_readable(h);
    assert_int_equal(journal_repack(h->j, &e), OK);
    write_up_to(h, VERSIONS, 1);
    assert_int_equal(journal_repack(h->j, &e), OK);
    all_readable(h);
    history_free(h);
}

/* A bit that fell over in an old pack isn't copied: nothing is merged, nothing goes. */
static void test_damage_is_not_copied(void **state)
{
    struct history *h = history_new();
    struct journal_stats before, after;
    struct errinfo e = {0};
    char *path, *command;
    FILE *f;
    int c;

    (void)state;
    write_up_to(h, 1, 1);
    write_up_to(h, 10, 1);
    command = xasprintf("ls -S %s/objects/pack/*.pack | head -1", h->dir);
    f = popen(command, "r");
    path = xcalloc(1, 4096);
    assert_non_null(fgets(path, 4096, f));
    path[strcspn(path, "\n")] = 0;
    (void)pclose(f);
    assert_int_equal(chmod(path, 0600), 0);
    f = fopen(path, "r+");
    assert_non_null(f);
    assert_int_equal(fseek(f, 5000, SEEK_SET), 0);
    c = fgetc(f);
    assert_int_equal(fseek(f, 5000, SEEK_SET), 0);
    assert_int_equal(fputc(c ^ 4, f), c ^ 4);
    assert_int_equal(fclose(f), 0);
    assert_int_equal(journal_stats(h->j, &before, &e), OK);
    assert_int_equal(journal_repack(h->j, &e), ERR_CORRUPT);
    assert_non_null(strstr(e.text, "is damaged"));
    assert_int_equal(journal_stats(h->j, &after, &e), OK);
    assert_int_equal(after.packs, before.packs);
    free(path);
    free(command);
    history_free(h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_encoding),
        cmocka_unit_test(test_a_small_edit_is_a_small_delta),
        cmocka_unit_test(test_a_batch_has_deltas),
        cmocka_unit_test(test_merging_makes_deltas),
        cmocka_unit_test(test_packs_of_git),
        cmocka_unit_test(test_damage_is_not_copied),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
