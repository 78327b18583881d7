/* Checkpoints: lists that grow by what changed, signed commits that stock git verifies, and nothing
 * else taken for one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "journal/checkpoint.h"
#include "journal/journal_internal.h"
#include "lib/base/mem.h"
#include "tests/tools/journal_fixture.h"

struct place {
    char *dir, *repo;
    struct journal *j;
    struct journal_key *key;
    struct journal_checkpoint last;
};

static struct place place_new(void)
{
    struct place p = {.dir = temp_dir_new()};
    struct errinfo e = {0};

    p.repo = xasprintf("%s/journal.git", p.dir);
    assert_int_equal(journal_key_make(&p.key, &e), OK);
    assert_int_equal(journal_open(&p.j, p.repo, "node-1", true, &e), OK);
    return p;
}

static void place_done(struct place *p)
{
    journal_close(p->j);
    journal_key_free(p->key);
    free(p->repo);
    temp_dir_free(p->dir);
}

/* Some commit id: a checkpoint does not ask whether it is there. */
static struct journal_oid oid_of(unsigned zone, uint64_t version)
{
    struct journal_oid o = {{0}};

    (void)snprintf((char *)o.id, sizeof(o.id), "%u/%llu", zone, (unsigned long long)version);
    return o;
}

struct tips {
    uint8_t (*names)[NAME_MAX_OCTETS];
    struct journal_tip *list;
    size_t n;
};

static struct tips tips_of(unsigned first, unsigned n, uint64_t version)
{
    struct tips t = {.n = n};

    t.names = xcalloc(n, sizeof(*t.names));
    t.list = xcalloc(n, sizeof(*t.list));
    for (unsigned i = 0; i < n; i++) {
        char *text = xasprintf("z%u.example.", first + i);

        name_of(t.names[i], text);
        t.list[i] = (struct journal_tip){t.names[i], version, oid_of(first + i, version)};
        free(text);
    }
    return t;
}

static void tips_done(struct tips *t)
{
    free(t->names);
    free(t->list);
}

static void put(struct place *p, unsigned first, unsigned n, uint64_t version, uint64_t seq)
{
    struct tips t = tips_of(first, n, version);
    struct errinfo e = {0};

    assert_int_equal(journal_checkpoint_write(&p->last, p->j, p->last.number ? &p->last : NULL,
                                              t.list, t.n, seq, (struct wall){1000 + (int64_t)seq},
                                              p->key, &e),
                     OK);
    assert_int_equal(journal_checkpoint_set(p->j, &p->last.commit, &e), OK);
    tips_done(&t);
}

static void expect(struct place *p, unsigned zone, uint64_t version)
{
    struct tips t = tips_of(zone, 1, version);
    struct journal_tip found = {.version = 0};
    struct errinfo e = {0};
    enum err rc = journal_checkpoint_find(&found, p->j, &p->last, t.names[0], &e);

    assert_int_equal(rc, version ? OK : ERR_NOT_FOUND);
    if (version) {
        assert_int_equal(found.version, version);
        assert_memory_equal(found.commit.id, t.list[0].commit.id, sizeof(found.commit.id));
    }
    tips_done(&t);
}

static enum err count_one(void *ctx, const struct journal_tip *tip, struct errinfo *e)
{
    (void)tip;
    (void)e;
    ++*(size_t *)ctx;
    return OK;
}

static size_t count(struct place *p)
{
    struct errinfo e = {0};
    size_t n = 0;

    assert_int_equal(journal_checkpoint_each(p->j, &p->last, count_one, &n, &e), OK);
    return n;
}

static void test_each_one_lists_what_is_newest(void **state)
{
    struct place p = place_new();
    struct journal_checkpoint again;
    struct journal_oid tip;
    struct errinfo e = {0};
    uint8_t root[NAME_MAX_OCTETS] = {0};
    struct journal_tip of_root = {root, 3, oid_of(7, 3)};

    (void)state;
    put(&p, 0, 3, 1, 3);
    put(&p, 1, 1, 2, 4);
    expect(&p, 0, 1);
    expect(&p, 1, 2);
    expect(&p, 3, 0);
    put(&p, 3, 1000, 1, 1004); /* from one blob to a tree of parts */
    expect(&p, 1, 2);
    expect(&p, 1002, 1);
    put(&p, 500, 2, 9, 1006);
    expect(&p, 501, 9);
    expect(&p, 502, 1);
    assert_int_equal(count(&p), 1003);
    assert_int_equal(p.last.number, 4);
    assert_int_equal(journal_checkpoint_tip(p.j, &tip, &e), OK);
    assert_int_equal(journal_checkpoint_get(&again, p.j, &tip, &e), OK);
    assert_int_equal(again.number, 4);
    assert_int_equal(again.seq, 1006);
    assert_int_equal(again.at.s, 2006);
    assert_memory_equal(again.tree.id, p.last.tree.id, sizeof(again.tree.id));
    assert_memory_equal(again.parent.id, p.last.parent.id, sizeof(again.parent.id));
    assert_int_equal(journal_checkpoint_write(&p.last, p.j, &again, &of_root, 1, 1007,
                                              (struct wall){3000}, p.key, &e),
                     OK);
    assert_int_equal(journal_checkpoint_find(&of_root, p.j, &p.last, root, &e), OK);
    assert_int_equal(of_root.version, 3);
    assert_true(git_fsck_is_clean(p.repo));
    place_done(&p);
}

/* However it came to be, the same list is the same tree; the same checkpoint has the same id. */
static void test_the_same_is_the_same(void **state)
{
    struct place a = place_new(), b = place_new();
    struct journal_checkpoint first;

    (void)state;
    put(&a, 0, 400, 1, 400);
    first = a.last;
    put(&a, 100, 50, 2, 450);
    put(&b, 150, 250, 1, 250);
    put(&b, 0, 100, 1, 350);
    put(&b, 100, 50, 2, 400);
    assert_memory_equal(a.last.tree.id, b.last.tree.id, sizeof(a.last.tree.id));
    journal_key_free(b.key);
    b.key = a.key;
    b.last = (struct journal_checkpoint){.number = 0};
    put(&b, 0, 400, 1, 400);
    assert_memory_equal(first.commit.id, b.last.commit.id, sizeof(first.commit.id));
    b.key = NULL;
    place_done(&a);
    place_done(&b);
}

/* 20,000 zones: one that changed costs a few objects. */
static void test_a_checkpoint_costs_what_changed(void **state)
{
    struct place p = place_new();
    struct journal_stats before = {0}, after = {0};
    struct errinfo e = {0};

    (void)state;
    put(&p, 0, 20000, 1, 20000);
    assert_int_equal(journal_stats(p.j, &before, &e), OK);
    put(&p, 777, 1, 2, 20001);
    assert_int_equal(journal_stats(p.j, &after, &e), OK);
    print_message("20,000 zones: %llu octets, one more version: %llu\n",
                  (unsigned long long)before.pack_bytes,
                  (unsigned long long)(after.pack_bytes - before.pack_bytes));
    assert_true(after.pack_bytes - before.pack_bytes < 16384);
    place_done(&p);
}

static void test_stock_git_verifies_it(void **state)
{
    struct place p = place_new();
    struct journal_signer signer = journal_key_signer(p.key);
    char text[JOURNAL_KEY_TEXT_MAX];
    struct buf out = BUF_INIT;
    char *path = xasprintf("%s/signers", p.dir), *option;
    enum journal_signature found = SIGNATURE_NONE;
    struct errinfo e = {0};
    size_t which = 9;
    FILE *f = fopen(path, "w");

    (void)state;
    put(&p, 0, 3, 1, 3);
    assert_int_equal(journal_signature_check(p.j, &p.last.commit, &signer, 1, &found, &which, &e),
                     OK);
    assert_int_equal(found, SIGNATURE_GOOD);
    journal_signer_text(text, &signer);
    assert_non_null(f);
    (void)fprintf(f, "node-1 namespaces=\"git\" %s\n", text);
    assert_int_equal(fclose(f), 0);
    option = xasprintf("gpg.ssh.allowedSignersFile=%s", path);
    if (access("/usr/bin/ssh-keygen", X_OK) == 0)
        assert_int_equal(git_run(p.repo, &out, "-c", "gpg.format=ssh", "-c", option,
                                 "verify-commit", "refs/zoneledger/checkpoints", NULL),
                         0);
    buf_free(&out);
    assert_int_equal(git_run(p.repo, &out, "show", "refs/zoneledger/checkpoints:zone", NULL), 0);
    assert_non_null(strstr(buf_cstr(&out), "z1.example. 0 IN TXT \"v1\" \""));
    buf_free(&out);
    free(option);
    free(path);
    place_done(&p);
}

static void test_other_commits_are_none(void **state)
{
    struct place p = place_new();
    struct journal_checkpoint c;
    struct line_set lines = {0};
    struct journal_entry entry;
    struct errinfo e = {0};
    struct zone *z;
    struct object o = {0};
    struct buf changed = BUF_INIT;

    (void)state;
    line_set_add(&lines, "example. 3600 IN SOA ns.example. h.example. 1 2 3 4 5");
    line_set_add(&lines, "example. 3600 IN NS ns.example.");
    z = zone_of_lines("example.", &lines);
    entry = entry_of(z, 1);
    assert_int_equal(journal_write(p.j, &entry, 1, &e), OK);
    assert_int_equal(journal_checkpoint_get(&c, p.j, &entry.commit, &e), ERR_CORRUPT);
    put(&p, 0, 3, 1, 3);
    assert_int_equal(object_get(p.j, NULL, &p.last.commit, OBJ_COMMIT, &o, &e), OK);
    buf_put(&changed, o.data, o.len);
    object_done(&o);
    for (size_t i = changed.len - 40; i < changed.len; i++) {
        struct packer packer;
        struct journal_oid id;
        uint8_t was = changed.data[i];

        packer_init(&packer, p.j, false);
        changed.data[i] = was == '9' ? '8' : '9';
        assert_int_equal(packer_put(&packer, OBJ_COMMIT, changed.data, changed.len, &id, &e), OK);
        assert_int_equal(packer_install(&packer, &e), OK);
        assert_int_equal(journal_checkpoint_get(&c, p.j, &id, &e), ERR_CORRUPT);
        changed.data[i] = was;
        packer_done(&packer);
    }
    buf_free(&changed);
    zone_unref(z);
    line_set_free(&lines);
    place_done(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_one_lists_what_is_newest),
        cmocka_unit_test(test_the_same_is_the_same),
        cmocka_unit_test(test_a_checkpoint_costs_what_changed),
        cmocka_unit_test(test_stock_git_verifies_it),
        cmocka_unit_test(test_other_commits_are_none),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
