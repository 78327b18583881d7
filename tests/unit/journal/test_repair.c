/* What is damaged is found, saved as far as it can be, and made again under the ids that it had. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "journal/journal_internal.h"
#include "journal/repair.h"
#include "lib/base/bus.h"
#include "lib/base/mem.h"
#include "tests/tools/journal_fixture.h"

static const uint8_t example[] = "\7example\3com";

static char *dir;

static int setup(void **state)
{
    (void)state;
    dir = temp_dir_new();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    temp_dir_free(dir);
    return 0;
}

static struct journal *open_journal(bool writer)
{
    struct journal *j = NULL;
    struct errinfo e = {0};

    if (journal_open(&j, dir, "node", writer, &e))
        fail_msg("%s", e.text);
    return j;
}

/* A version made by hand: `n` is its content and its number. One pack. */
static struct journal_oid put_version(struct journal *j, const uint8_t *zone, unsigned n,
                                      struct journal_oid parent)
{
    struct journal_entry en = {
        .zone = zone,
        .to = {n},
        .seq = n,
        .version = n,
        .at = {1790000000},
        .origin = "axfr",
        .who = "192.0.2.1",
        .source = "",
        .key = "",
        .transport = "tcp",
        .reason = "",
    };
    struct packer p;
    struct part part = {.kind = PART_BLOB};
    struct journal_oid tree;
    struct journal_oid commit;
    struct buf b = BUF_INIT;
    struct errinfo e = {0};

    packer_init(&p, j, false);
    for (unsigned i = 0; i < 50; i++)
        buf_printf(&b, "r%u.example.com. %u IN A 192.0.2.%u\n", i * n, n, i);
    assert_int_equal(packer_put(&p, OBJ_BLOB, b.data, b.len, &part.oid, &e), OK);
    assert_int_equal(top_put(&p, &part, &tree, &e), OK);
    b.len = 0;
    commit_encode(&b, &en, j->node, &parent, &tree);
    assert_int_equal(packer_put(&p, OBJ_COMMIT, b.data, b.len, &commit, &e), OK);
    if (packer_install(&p, &e))
        fail_msg("%s", e.text);
    packer_done(&p);
    buf_free(&b);
    assert_int_equal(journal_ref_set(j, LINE_SERVED, zone, &commit, &e), OK);
    return commit;
}

/* The path of the only file in the pack directory that ends so. */
static char *pack_file(const char *end)
{
    char *path = xasprintf("%s/objects/pack", dir);
    DIR *d = opendir(path);
    const struct dirent *ent;
    char *found = NULL;

    assert_non_null(d);
    while ((ent = readdir(d))) {
        size_t n = strlen(ent->d_name);

        if (n < strlen(end) || strcmp(ent->d_name + n - strlen(end), end) != 0)
            continue;
        assert_null(found);
        found = xasprintf("%s/%s", path, ent->d_name);
    }
    (void)closedir(d);
    free(path);
    return found;
}

static void flip_octet(const char *path, long at)
{
    FILE *f;
    int c;

    assert_int_equal(chmod(path, 0600), 0);
    f = fopen(path, "r+e");
    assert_non_null(f);
    assert_int_equal(fseek(f, at, at < 0 ? SEEK_END : SEEK_SET), 0);
    c = fgetc(f);
    assert_int_equal(fseek(f, at, at < 0 ? SEEK_END : SEEK_SET), 0);
    assert_int_not_equal(fputc(c ^ 0x55, f), EOF);
    assert_int_equal(fclose(f), 0);
}

struct told {
    unsigned n;
    char text[256];
};

static void on_fault(void *ctx, const char *text)
{
    struct told *t = ctx;

    t->n++;
    (void)snprintf(t->text, sizeof(t->text), "%s", text);
}

static struct journal_entry entry_again(const uint8_t *zone, unsigned n, struct journal_oid parent,
                                        struct journal_oid commit, struct journal_oid tree)
{
    return (struct journal_entry){.zone = zone,
                                  .parent = parent,
                                  .parent_entry = -1,
                                  .to = {n},
                                  .seq = n,
                                  .version = n,
                                  .at = {1790000000},
                                  .origin = "axfr",
                                  .who = "192.0.2.1",
                                  .source = "",
                                  .key = "",
                                  .transport = "tcp",
                                  .reason = "",
                                  .commit = commit,
                                  .content_id = tree};
}

static struct journal_oid tree_of(struct journal *j, const struct journal_oid *commit)
{
    struct journal_commit c;
    struct errinfo e = {0};

    if (journal_commit_get(j, commit, &c, &e))
        fail_msg("%s", e.text);
    return c.content_id;
}

/* Each octet of a pack in turn: never taken for whole, and what is good in it is saved. */
static void test_salvage(void **state)
{
    struct journal *j = open_journal(true);
    struct journal_oid none = {{0}};
    struct journal_oid a = put_version(j, example, 1, none);
    struct journal_oid tree = tree_of(j, &a);
    char *pack = pack_file(".pack");
    struct errinfo e = {0};
    struct stat st;
    unsigned mended = 0;

    (void)state;
    journal_close(j);
    assert_int_equal(stat(pack, &st), 0);
    for (long at = 12; at < st.st_size - 20; at += 29) {
        struct journal_check *c;
        struct journal_again *again;
        struct journal_salvage s;
        struct told told = {0};
        struct journal_entry en = entry_again(example, 1, none, a, tree);

        flip_octet(pack, at);
        j = open_journal(true);
        c = journal_check_new(j);
        assert_int_equal(journal_check_packs(c, on_fault, &told, &e), OK);
        assert_int_equal(told.n, 1);
        assert_non_null(strstr(told.text, " is damaged"));
        assert_int_not_equal(journal_check_commit(c, &a, &e), OK);
        assert_non_null(strstr(e.text, "is missing or damaged"));
        assert_int_equal(journal_salvage(c, &s, &e), OK);
        assert_int_equal(s.packs, 1);
        assert_int_equal(s.saved + s.lost, 3); /* commit, tree and blob */
        assert_int_not_equal(s.lost, 0);
        assert_false(journal_salvage_wanted(j));
        again = journal_again_new(c, false, NULL);
        if (journal_again_make(again, &en, &e) ==
            OK) { /* the commit was hit: its content is left */
            mended++;
            assert_int_equal(journal_again_flush(again, true, &e), OK);
            assert_true(journal_has(j, &a));
        }
        journal_again_free(again);
        journal_check_free(c);
        journal_close(j);
        temp_dir_free(dir);
        dir = temp_dir_new();
        j = open_journal(true);
        assert_memory_equal(put_version(j, example, 1, none).id, a.id, sizeof(a.id));
        journal_close(j);
        free(pack);
        pack = pack_file(".pack");
    }
    assert_int_not_equal(mended, 0);
    free(pack);
}

/* Without an index, what stands before the damage. */
static void test_salvage_without_index(void **state)
{
    struct journal *j = open_journal(true);
    struct journal_oid none = {{0}};
    struct journal_check *c;
    struct journal_salvage s;
    struct errinfo e = {0};
    char *pack, *idx;
    struct stat st;

    (void)state;
    (void)put_version(j, example, 1, none);
    journal_close(j);
    pack = pack_file(".pack");
    idx = pack_file(".idx");
    assert_int_equal(unlink(idx), 0);
    assert_int_equal(stat(pack, &st), 0);
    assert_int_equal(chmod(pack, 0600), 0);
    assert_int_equal(truncate(pack, st.st_size - 60), 0); /* into the last object */
    j = open_journal(true);
    assert_true(journal_salvage_wanted(j));
    c = journal_check_new(j);
    assert_int_equal(journal_salvage(c, &s, &e), OK);
    assert_int_equal(s.saved, 2);
    assert_false(journal_salvage_wanted(j));
    journal_check_free(c);
    journal_close(j);
    free(pack);
    free(idx);
}

/* A pack that is read, and gets shorter meanwhile: an error, no signal. */
static void test_pack_is_cut_while_it_is_mapped(void **state)
{
    static const char *const ends[] = {".pack", ".idx"};
    struct journal_oid none = {{0}};

    (void)state;
    bus_guard_install();
    for (size_t i = 0; i < 2; i++) {
        struct journal *j = open_journal(true);
        struct journal_oid a = put_version(j, example, 1, none);
        char *file = pack_file(ends[i]);

        assert_true(journal_has(j, &a));
        assert_int_equal(chmod(file, 0600), 0);
        assert_int_equal(truncate(file, 0), 0);
        assert_int_equal(git_libgit2_opts(GIT_OPT_ENABLE_CACHING, 0), 0);
        (void)journal_has(j, &a); /* whatever it says */
        assert_int_equal(journal_look(j), JOURNAL_CHANGED);
        assert_int_equal(journal_look(j), JOURNAL_SAME); /* told once */
        assert_false(journal_has(j, &a));
        journal_close(j);
        free(file);
        temp_dir_free(dir);
        dir = temp_dir_new();
    }
    assert_int_equal(git_libgit2_opts(GIT_OPT_ENABLE_CACHING, 1), 0);
}

/* The parent is nowhere: history is cut there, for git too, until it is back. */
static void test_cuts(void **state)
{
    struct journal *j = open_journal(true);
    struct journal_oid none = {{0}};
    struct journal_oid got;
    struct journal_oid a = put_version(j, example, 1, none);
    struct journal_oid b = put_version(j, example, 2, (struct journal_oid){{7}});
    struct errinfo e = {0};
    size_t n = 0;

    (void)state;
    assert_false(journal_is_cut(j, &b));
    assert_int_equal(journal_cuts_set(j, (struct journal_oid[]){a, b, a}, 3, &n, &e), OK);
    assert_int_equal(n, 1);
    assert_true(journal_is_cut(j, &b));
    assert_false(journal_is_cut(j, &a));
    assert_int_equal(journal_before_loss_get(j, example, 2, &got, &e), ERR_NOT_FOUND);
    assert_int_equal(journal_before_loss_set(j, example, 1, &a, &e), OK);
    assert_int_equal(journal_before_loss_get(j, example, 2, &got, &e), OK);
    assert_memory_equal(&got, &a, sizeof(a));
    assert_int_equal(journal_before_loss_get(j, example, 1, &got, &e), ERR_NOT_FOUND);
    assert_true(git_fsck_is_clean(dir));
    assert_int_equal(journal_before_loss_drop(j, example, 1, &e), OK);
    assert_int_equal(journal_before_loss_drop(j, example, 1, &e), OK);
    journal_close(j);
}

static void test_one_writer(void **state)
{
    struct journal *j = open_journal(true);
    struct journal *second = NULL;
    struct errinfo e = {0};
    char pid[32];

    (void)state;
    (void)snprintf(pid, sizeof(pid), "pid %ld", (long)getpid());
    assert_int_equal(journal_open(&second, dir, "other", true, &e), ERR_BUSY);
    assert_non_null(strstr(e.text, pid));
    journal_close(open_journal(false)); /* readers are welcome */
    journal_close(j);
    journal_close(open_journal(true));
}

int main(void)
{
#define REPAIR_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        REPAIR_TEST(test_salvage),
        REPAIR_TEST(test_salvage_without_index),
        REPAIR_TEST(test_pack_is_cut_while_it_is_mapped),
        REPAIR_TEST(test_cuts),
        REPAIR_TEST(test_one_writer),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
