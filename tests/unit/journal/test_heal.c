/* What a crash, an operator or a bad disk does to a journal, and what is left of it afterwards. */
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
#include "lib/base/mem.h"
#include "tests/tools/journal_fixture.h"

static const uint8_t example[] = "\7example\3com";
static const uint8_t other[] = "\5other\3org";

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

static void write_file(const char *path, const char *text)
{
    FILE *f = fopen(path, "we");

    assert_non_null(f);
    assert_int_equal(fputs(text, f) >= 0, 1);
    assert_int_equal(fclose(f), 0);
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

/* Below the journal, or an absolute path. */
static bool exists(const char *where, const char *name)
{
    char *path = xasprintf("%s/%s%s", name[0] == '/' ? "" : dir, where, name);
    bool there = access(path, F_OK) == 0;

    free(path);
    return there;
}

/* ---- */

static void test_open_twice(void **state)
{
    struct journal *j;
    struct errinfo e = {0};
    struct buf out = BUF_INIT;

    (void)state;
    (void)rmdir(dir);
    assert_int_equal(journal_open(&j, dir, "node", false, &e), ERR_NOT_FOUND);
    journal_close(open_journal(true));
    journal_close(open_journal(true));
    journal_close(open_journal(false));
    assert_true(git_fsck_is_clean(dir));
    assert_int_equal(git_run(dir, &out, "config", "gc.auto", NULL), 0);
    assert_string_equal(buf_cstr(&out), "0\n");
    assert_int_equal(git_run(dir, &out, "rev-parse", "--is-bare-repository", NULL), 0);
    assert_string_equal(buf_cstr(&out), "true\n");
    buf_free(&out);
}

/* Killed at any step of making the repository. */
static void test_half_made(void **state)
{
    static const char *const gone[] = {"HEAD", "config"};
    char path[4096];

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        journal_close(open_journal(true));
        (void)snprintf(path, sizeof(path), "%s/%s", dir, gone[i]);
        assert_int_equal(unlink(path), 0);
        journal_close(open_journal(true));
        assert_true(git_fsck_is_clean(dir));
        write_file(path, ""); /* as after a power cut */
        journal_close(open_journal(true));
        assert_true(git_fsck_is_clean(dir));
    }
    write_file(path, "[core\nbare = \"");
    journal_close(open_journal(true));
    assert_true(git_fsck_is_clean(dir));
    assert_true(exists("", "config.bad"));
}

static void test_config_of_operator_stays(void **state)
{
    struct buf out = BUF_INIT;

    (void)state;
    journal_close(open_journal(true));
    assert_int_equal(git_run(dir, NULL, "remote", "add", "off", "/nowhere", NULL), 0);
    assert_int_equal(git_run(dir, NULL, "config", "gc.auto", "1", NULL), 0);
    journal_close(open_journal(true));
    assert_int_equal(git_run(dir, &out, "config", "remote.off.url", NULL), 0);
    assert_string_equal(buf_cstr(&out), "/nowhere\n");
    assert_int_equal(git_run(dir, &out, "config", "gc.auto", NULL), 0);
    assert_string_equal(buf_cstr(&out), "0\n");
    buf_free(&out);
}

static void test_leftovers_are_swept(void **state)
{
    static const char *const leftovers[] = {
        "objects/pack/pack_git2_Ab12Cd",
        "objects/pack/pack-0123456789012345678901234567890123456789.idx",
        "objects/pack/pack-0123456789012345678901234567890123456789.keep",
        "objects/pack/pack-0123456789012345678901234567890123456789.idx.lock",
        "objects/pack/tmp_pack_old",
        "refs/heads/example.com.lock",
        "refs/waiting/x.lock",
        "HEAD.lock",
        "config.lock",
        "packed-refs.lock",
    };
    struct timespec old[2] = {{.tv_sec = 1000000000}, {.tv_sec = 1000000000}};
    char path[4096];
    struct journal *j = open_journal(true);
    struct journal_oid c = put_version(j, example, 1, (struct journal_oid){{0}});

    (void)state;
    journal_close(j);
    for (size_t i = 0; i < sizeof(leftovers) / sizeof(leftovers[0]); i++) {
        (void)snprintf(path, sizeof(path), "%s/%s", dir, leftovers[i]);
        write_file(path, "left over");
        assert_int_equal(utimensat(AT_FDCWD, path, old, 0), 0);
    }
    (void)snprintf(path, sizeof(path), "%s/objects/pack/tmp_pack_new", dir);
    write_file(path, "a git that runs now");
    j = open_journal(true);
    for (size_t i = 0; i < sizeof(leftovers) / sizeof(leftovers[0]); i++)
        assert_false(exists("", leftovers[i]));
    assert_true(exists("", "objects/pack/tmp_pack_new"));
    assert_int_equal(unlink(path), 0);
    assert_true(journal_has(j, &c));
    journal_close(j);
    assert_true(git_fsck_is_clean(dir));
}

/* Killed between the renames of index and pack, with the index's lock behind: the same pack is
 * written again under the same name. */
static void test_replay_after_half_a_pack(void **state)
{
    struct journal *j = open_journal(true);
    struct journal_oid first = put_version(j, example, 1, (struct journal_oid){{0}});
    char *pack = pack_file(".pack");
    char *idx = pack_file(".idx");
    char *lock = xasprintf("%s.lock", idx);

    (void)state;
    journal_close(j);
    assert_int_equal(unlink(pack), 0);
    write_file(lock, "half");
    j = open_journal(true);
    assert_false(exists("", idx));
    assert_false(journal_has(j, &first));
    assert_memory_equal(put_version(j, example, 1, (struct journal_oid){{0}}).id, first.id, 20);
    assert_true(exists("", pack));
    assert_true(journal_has(j, &first));
    journal_close(j);
    assert_true(git_fsck_is_clean(dir));
    free(pack);
    free(idx);
    free(lock);
}

static void test_pack_without_index(void **state)
{
    struct journal *j = open_journal(true);
    struct journal_oid c = put_version(j, example, 1, (struct journal_oid){{0}});
    char *idx = pack_file(".idx");

    (void)state;
    journal_close(j);
    assert_int_equal(unlink(idx), 0);
    j = open_journal(false); /* a reader changes nothing */
    assert_false(journal_has(j, &c));
    journal_close(j);
    j = open_journal(true);
    assert_true(journal_has(j, &c));
    assert_true(exists("", idx));
    journal_close(j);
    assert_true(git_fsck_is_clean(dir));
    free(idx);
}

/* Each octet of an index in turn: found before libgit2 maps it, and made again from the pack. */
static void test_corrupt_index(void **state)
{
    struct journal *j = open_journal(true);
    struct journal_oid c = put_version(j, example, 1, (struct journal_oid){{0}});
    char *idx = pack_file(".idx");
    struct stat st;

    (void)state;
    journal_close(j);
    assert_int_equal(stat(idx, &st), 0);
    for (long at = 0; at < st.st_size; at += at < 8 || at > 1020 ? 7 : 101) {
        flip_octet(idx, at);
        j = open_journal(false);
        assert_false(journal_has(j, &c));
        journal_close(j);
        j = open_journal(true);
        assert_true(journal_has(j, &c));
        journal_close(j);
    }
    assert_int_equal(truncate(idx, st.st_size / 2), 0);
    journal_close(open_journal(true));
    assert_int_equal(truncate(idx, 0), 0);
    j = open_journal(true);
    assert_true(journal_has(j, &c));
    journal_close(j);
    assert_true(exists("objects/pack/bad/", strrchr(idx, '/') + 1));
    assert_true(git_fsck_is_clean(dir));
    free(idx);
}

/* What only this pack held is lost, and says so; the rest goes on. */
static void test_truncated_pack(void **state)
{
    struct journal *j = open_journal(true);
    struct journal_oid a = put_version(j, example, 1, (struct journal_oid){{0}});
    char *pack = pack_file(".pack");
    struct journal_commit c;
    struct errinfo e = {0};
    struct journal_oid b = put_version(j, other, 2, (struct journal_oid){{0}});
    struct stat st;

    (void)state;
    journal_close(j);
    assert_int_equal(stat(pack, &st), 0);
    assert_int_equal(chmod(pack, 0600), 0);
    assert_int_equal(truncate(pack, st.st_size - 1), 0);
    j = open_journal(false);
    assert_false(journal_has(j, &a));
    assert_true(journal_has(j, &b));
    journal_close(j);
    j = open_journal(true);
    assert_false(journal_has(j, &a));
    assert_true(journal_has(j, &b));
    assert_int_equal(journal_commit_get(j, &a, &c, &e), ERR_NOT_FOUND);
    assert_false(exists("", pack));
    assert_true(exists("objects/pack/bad/", strrchr(pack, '/') + 1));
    /* the same version again */
    assert_memory_equal(put_version(j, example, 1, (struct journal_oid){{0}}).id, a.id, 20);
    assert_true(journal_has(j, &a));
    journal_close(j);
    assert_true(git_fsck_is_clean(dir));
    free(pack);
}

/* A flipped bit inside an object is found when it is read. */
static void test_bit_rot(void **state)
{
    struct journal *j = open_journal(true);
    struct journal_oid a = put_version(j, example, 1, (struct journal_oid){{0}});
    char *pack = pack_file(".pack");
    struct journal_commit c;
    struct errinfo e = {0};
    struct stat st;

    (void)state;
    journal_close(j);
    assert_int_equal(stat(pack, &st), 0);
    flip_octet(pack, -40); /* the commit, the last object */
    j = open_journal(true);
    assert_int_equal(journal_commit_get(j, &a, &c, &e), ERR_CORRUPT);
    assert_false(journal_has(j, &a));
    journal_close(j);
    free(pack);
}

static void test_refs(void **state)
{
    struct journal *j = open_journal(true);
    struct journal_oid a = put_version(j, example, 1, (struct journal_oid){{0}});
    struct journal_oid b = put_version(j, example, 2, a);
    struct journal_oid got = {{0}};
    struct errinfo e = {0};
    char path[4096];
    char packed[4096];

    (void)state;
    (void)snprintf(path, sizeof(path), "%s/refs/heads/example.com", dir);
    (void)snprintf(packed, sizeof(packed), "%s/packed-refs", dir);
    assert_int_equal(journal_ref_get(j, LINE_SERVED, other, &got, &e), ERR_NOT_FOUND);
    assert_int_equal(journal_ref_get(j, LINE_WAITING, example, &got, &e), ERR_NOT_FOUND);
    assert_int_equal(journal_ref_set(j, LINE_WAITING, example, &a, &e), OK);
    assert_int_equal(journal_ref_get(j, LINE_WAITING, example, &got, &e), OK);
    assert_memory_equal(&got, &a, sizeof(a));
    assert_int_equal(journal_ref_set(j, LINE_SERVED, example, &(struct journal_oid){{1}}, &e),
                     ERR_NOT_FOUND);

    write_file(path, ""); /* 0 bytes, as after a power cut */
    assert_int_equal(journal_ref_get(j, LINE_SERVED, example, &got, &e), ERR_CORRUPT);
    assert_int_equal(journal_ref_set(j, LINE_SERVED, example, &b, &e), OK);
    assert_int_equal(journal_ref_get(j, LINE_SERVED, example, &got, &e), OK);
    assert_memory_equal(&got, &b, sizeof(b));

    write_file(path, "garbage, much longer than an object id would be\n");
    assert_int_equal(journal_ref_get(j, LINE_SERVED, example, &got, &e), ERR_CORRUPT);
    assert_int_equal(journal_ref_set(j, LINE_SERVED, example, &a, &e), OK);
    assert_int_equal(journal_ref_set(j, LINE_SERVED, example, &b, &e), OK);

    assert_int_equal(unlink(path), 0);
    assert_int_equal(mkdir(path, 0700), 0); /* an empty directory in the way */
    assert_int_equal(journal_ref_set(j, LINE_SERVED, example, &b, &e), OK);

    assert_int_equal(git_run(dir, NULL, "pack-refs", "--all", NULL), 0); /* by hand */
    assert_int_not_equal(access(path, F_OK), 0);
    assert_int_equal(journal_ref_get(j, LINE_SERVED, example, &got, &e), OK);
    assert_memory_equal(&got, &b, sizeof(b));
    assert_int_equal(journal_ref_set(j, LINE_SERVED, example, &a, &e), OK);
    assert_int_equal(journal_ref_get(j, LINE_SERVED, example, &got, &e), OK);
    assert_memory_equal(&got, &a, sizeof(a));
    write_file(packed, "nonsense");
    assert_int_equal(journal_ref_set(j, LINE_SERVED, example, &b, &e), OK);
    assert_int_equal(journal_ref_get(j, LINE_SERVED, example, &got, &e), OK);
    assert_memory_equal(&got, &b, sizeof(b));
    journal_close(j);
    j = open_journal(true);
    assert_true(exists("", "packed-refs.bad"));
    assert_int_equal(journal_ref_get(j, LINE_SERVED, example, &got, &e), OK);
    assert_memory_equal(&got, &b, sizeof(b));
    assert_int_equal(journal_ref_get(j, LINE_WAITING, example, &got, &e), ERR_NOT_FOUND);
    journal_close(j);
    assert_true(git_fsck_is_clean(dir));
}

static void test_stale_ref_lock(void **state)
{
    struct journal *j = open_journal(true);
    struct journal_oid a = put_version(j, example, 1, (struct journal_oid){{0}});
    struct errinfo e = {0};
    char path[4096];

    (void)state;
    (void)snprintf(path, sizeof(path), "%s/refs/heads/other.org.lock", dir);
    write_file(path, "");
    assert_int_equal(journal_ref_set(j, LINE_SERVED, other, &a, &e), OK);
    assert_false(exists("", path));
    journal_close(j);
}

/* `git gc` by hand between a commit and its ref must not lose the commit. */
static void test_gc_by_hand(void **state)
{
    struct journal *j = open_journal(true);
    struct journal *reader;
    struct journal_oid a = put_version(j, example, 1, (struct journal_oid){{0}});
    char path[4096];
    struct errinfo e = {0};

    (void)state;
    reader = open_journal(false);
    (void)snprintf(path, sizeof(path), "%s/refs/heads/example.com", dir);
    assert_int_equal(unlink(path), 0); /* not set yet */
    assert_int_equal(git_run(dir, NULL, "gc", "--prune=now", "--quiet", NULL), 0);
    assert_int_equal(git_run(dir, NULL, "repack", "-a", "-d", "--write-midx", NULL), 0);
    assert_true(journal_has(j, &a));
    assert_true(journal_has(reader, &a));
    assert_int_equal(journal_ref_set(j, LINE_SERVED, example, &a, &e), OK);
    (void)put_version(j, example, 2, a);
    (void)put_version(j, other, 3, (struct journal_oid){{0}});
    assert_int_equal(journal_repack(j, &e), OK);
    assert_true(journal_has(reader, &a));
    journal_close(reader);
    journal_close(j);
    assert_true(git_fsck_is_clean(dir));
}

/* Packs made by others (a restored clone) are read, loose objects too. */
static void test_restored_from_clone(void **state)
{
    struct journal *j = open_journal(true);
    struct journal_oid a = put_version(j, example, 1, (struct journal_oid){{0}});
    struct journal_oid b = put_version(j, example, 2, a);
    char *copy = temp_dir_new();
    char *was = dir;
    struct errinfo e = {0};

    (void)state;
    journal_close(j);
    assert_int_equal(git_run(copy, NULL, "init", "--bare", "--quiet", NULL), 0);
    assert_int_equal(git_run(copy, NULL, "fetch", "--quiet", dir, "refs/*:refs/*", NULL), 0);
    dir = copy; /* few objects: git unpacked them */
    j = open_journal(true);
    assert_true(journal_has(j, &a));
    assert_true(journal_has(j, &b));
    (void)put_version(j, example, 3, b);
    assert_int_equal(journal_repack(j, &e), OK);
    journal_close(j);
    assert_true(git_fsck_is_clean(dir));
    dir = was;
    temp_dir_free(copy);
}

int main(void)
{
#define HEAL_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        HEAL_TEST(test_open_twice),
        HEAL_TEST(test_half_made),
        HEAL_TEST(test_config_of_operator_stays),
        HEAL_TEST(test_leftovers_are_swept),
        HEAL_TEST(test_replay_after_half_a_pack),
        HEAL_TEST(test_pack_without_index),
        HEAL_TEST(test_corrupt_index),
        HEAL_TEST(test_truncated_pack),
        HEAL_TEST(test_bit_rot),
        HEAL_TEST(test_refs),
        HEAL_TEST(test_stale_ref_lock),
        HEAL_TEST(test_gc_by_hand),
        HEAL_TEST(test_restored_from_clone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
