/* Versions go in, come out, differ; stock git reads them too. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <stdio.h>

#include "journal/repair.h"
#include "lib/base/mem.h"
#include "tests/tools/journal_fixture.h"

#define APEX "example.com."

static char *dir;
static struct journal *j;

static int setup(void **state)
{
    struct errinfo e = {0};

    (void)state;
    dir = temp_dir_new();
    return journal_open(&j, dir, "node-1", true, &e) == OK ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    journal_close(j);
    temp_dir_free(dir);
    return 0;
}

static void must(enum err rc, const struct errinfo *e)
{
    if (rc)
        fail_msg("%s: %s", err_name(rc), e->text);
}

static void text_eq(const struct zone *a, const struct zone *b)
{
    struct buf x = BUF_INIT;
    struct buf y = BUF_INIT;

    zone_to_text(&x, a);
    zone_to_text(&y, b);
    assert_string_equal(buf_cstr(&x), buf_cstr(&y));
    buf_free(&x);
    buf_free(&y);
}

/* A chain of versions with their content, by change sets. */
enum { CHAIN = 12 };

struct chain {
    struct zone *zones[CHAIN];
    struct changeset *changes[CHAIN];
    struct journal_entry entries[CHAIN];
};

static void chain_make(struct chain *c, unsigned records)
{
    struct line_set lines = {0};
    struct errinfo e = {0};

    *c = (struct chain){0};
    line_set_soa(&lines, APEX, 100);
    line_set_add(&lines, "%s 300 IN NS ns.%s", APEX, APEX);
    for (unsigned i = 0; i < records; i++)
        line_set_add(&lines, "h%u.%s 300 IN A 192.0.2.%u", i, APEX, i % 250);
    for (unsigned v = 0; v < CHAIN; v++) {
        line_set_soa(&lines, APEX, 100 + v);
        line_set_add(&lines, "v%u.%s 300 IN TXT \"version %u\" \"\\%03u\"", v, APEX, v, v * 20);
        if (v % 3 == 2)
            line_set_drop(&lines, 3 + v);
        c->zones[v] = zone_of_lines(APEX, &lines);
        c->entries[v] = entry_of(c->zones[v], v + 1);
        if (v == 0)
            continue;
        must(zone_diff(&c->changes[v], c->zones[v - 1], c->zones[v], &e), &e);
        c->entries[v].changes = c->changes[v];
        c->entries[v].content = NULL;
        c->entries[v].has_from = true;
        c->entries[v].from = zone_serial(c->zones[v - 1]);
        c->entries[v].parent_entry = (int)v - 1;
        c->entries[v].added = c->changes[v]->added.n;
        c->entries[v].removed = c->changes[v]->removed.n;
    }
    line_set_free(&lines);
}

static void chain_free(struct chain *c)
{
    for (unsigned v = 0; v < CHAIN; v++) {
        zone_unref(c->zones[v]);
        changeset_free(c->changes[v]);
    }
}

static uint64_t packs(void)
{
    struct journal_stats s = {0};
    struct errinfo e = {0};

    must(journal_stats(j, &s, &e), &e);
    return s.packs;
}

static void chain_reads_back(const struct chain *c, struct journal *from)
{
    struct errinfo e = {0};

    for (unsigned v = 0; v < CHAIN; v++) {
        struct journal_commit got;
        struct journal_oid id;
        struct zone *z = NULL;

        assert_true(journal_has(from, &c->entries[v].commit));
        must(journal_zone_load(&z, from, zone_apex(c->zones[v]), &c->entries[v].commit, &e), &e);
        text_eq(z, c->zones[v]);
        zone_unref(z);
        must(journal_content_id(&id, c->zones[v], &e), &e);
        assert_memory_equal(&id, &c->entries[v].content_id, sizeof(id));
        must(journal_commit_get(from, &c->entries[v].commit, &got, &e), &e);
        assert_memory_equal(&got.content_id, &id, sizeof(id));
        assert_memory_equal(&got.commit, &c->entries[v].commit, sizeof(id));
        assert_int_equal(journal_oid_is_none(&got.parent), v == 0);
        if (v > 0)
            assert_memory_equal(&got.parent, &c->entries[v - 1].commit, sizeof(id));
        assert_int_equal(got.version, v + 1);
        assert_int_equal(got.to.v, 100 + v);
        assert_int_equal(got.has_from, v > 0);
        assert_string_equal(got.origin, "axfr");
        assert_string_equal(got.author, "192.0.2.1@53");
    }
}

static void write_chain(struct chain *c)
{
    struct errinfo e = {0};

    must(journal_write(j, c->entries, CHAIN, &e), &e);
    must(journal_ref_set(j, LINE_SERVED, c->entries[0].zone, &c->entries[CHAIN - 1].commit, &e),
         &e);
}

static void round_trip(unsigned records)
{
    struct chain c;
    struct journal *reader = NULL;
    struct errinfo e = {0};

    chain_make(&c, records);
    write_chain(&c);
    assert_int_equal(packs(), 1);
    chain_reads_back(&c, j);
    must(journal_open(&reader, dir, "", false, &e), &e);
    chain_reads_back(&c, reader);
    journal_close(reader);
    assert_true(git_fsck_is_clean(dir));
    chain_free(&c);
}

static void test_small_zone(void **state)
{
    (void)state;
    round_trip(20);
}

static void test_large_zone(void **state)
{
    (void)state;
    round_trip(3000);
}

static void test_empty_call(void **state)
{
    struct errinfo e = {0};

    (void)state;
    must(journal_write(j, NULL, 0, &e), &e);
    assert_int_equal(packs(), 0);
}

/* After a crash the same is written again: the same ids, and no new pack. */
static void test_replay(void **state)
{
    struct chain c;
    struct journal_entry again[CHAIN];
    struct errinfo e = {0};

    (void)state;
    chain_make(&c, 600);
    write_chain(&c);
    memcpy(again, c.entries, sizeof(again));
    for (unsigned v = 0; v < CHAIN; v++)
        memset(&again[v].commit, 0, 2 * sizeof(struct journal_oid));
    must(journal_write(j, again, CHAIN, &e), &e);
    assert_int_equal(packs(), 1);
    for (unsigned v = 0; v < CHAIN; v++)
        assert_memory_equal(&again[v].commit, &c.entries[v].commit, sizeof(struct journal_oid));
    journal_close(j);
    must(journal_open(&j, dir, "node-1", true, &e), &e);
    for (unsigned v = 1; v < CHAIN; v++) { /* one by one, with the parent as an id */
        again[v].parent_entry = -1;
        again[v].parent = c.entries[v - 1].commit;
        must(journal_write(j, &again[v], 1, &e), &e);
        assert_memory_equal(&again[v].commit, &c.entries[v].commit, sizeof(struct journal_oid));
    }
    assert_int_equal(packs(), 1);
    chain_free(&c);
}

/* Two nodes: other commits, the same content ids. */
static void test_two_nodes(void **state)
{
    struct chain c;
    struct journal_entry first;
    struct journal *other = NULL;
    char *other_dir = temp_dir_new();
    struct errinfo e = {0};

    (void)state;
    chain_make(&c, 300);
    write_chain(&c);
    first = c.entries[0];
    must(journal_open(&other, other_dir, "node-2", true, &e), &e);
    must(journal_write(other, &first, 1, &e), &e);
    assert_memory_equal(&first.content_id, &c.entries[0].content_id, sizeof(first.content_id));
    assert_memory_not_equal(&first.commit, &c.entries[0].commit, sizeof(first.commit));
    journal_close(other);
    temp_dir_free(other_dir);
    chain_free(&c);
}

/* ---- Differences ---- */

static size_t count_of(const struct rr_list *l, const uint8_t *owner)
{
    size_t n = 0;

    for (size_t i = 0; i < l->n; i++)
        n += name_eq(l->rrs[i].owner, owner);
    return n;
}

/* For an owner the same as for all, and nothing else. */
static void diff_of_owner_is(const struct chain *c, unsigned a, unsigned b, const uint8_t *owner,
                             const struct changeset *all)
{
    struct changeset *got = NULL;
    struct errinfo e = {0};

    must(journal_diff_owner(&got, j, zone_apex(c->zones[a]), owner, &c->entries[a].commit,
                            &c->entries[b].commit, &e),
         &e);
    assert_int_equal(got->added.n, count_of(&all->added, owner));
    assert_int_equal(got->removed.n, count_of(&all->removed, owner));
    assert_int_equal(count_of(&got->added, owner), got->added.n);
    changeset_free(got);
}

static void diff_is(const struct chain *c, unsigned a, unsigned b)
{
    struct changeset *got = NULL;
    struct changeset *want = NULL;
    struct buf x = BUF_INIT;
    struct buf y = BUF_INIT;
    struct errinfo e = {0};

    must(journal_diff(&got, j, zone_apex(c->zones[a]), &c->entries[a].commit, &c->entries[b].commit,
                      &e),
         &e);
    must(zone_diff(&want, c->zones[a], c->zones[b], &e), &e);
    changeset_encode(&x, got);
    changeset_encode(&y, want);
    if (a != b) {
        assert_int_equal(x.len, y.len);
        assert_memory_equal(x.data, y.data, x.len);
    }
    assert_int_equal(got->added.n, want->added.n);
    assert_int_equal(got->removed.n, want->removed.n);
    assert_int_equal(got->from.v, 100 + a);
    assert_int_equal(got->to.v, 100 + b);
    for (size_t i = 0; i < want->added.n && i < 20; i++)
        diff_of_owner_is(c, a, b, want->added.rrs[i].owner, want);
    for (size_t i = 0; i < want->removed.n && i < 20; i++)
        diff_of_owner_is(c, a, b, want->removed.rrs[i].owner, want);
    diff_of_owner_is(c, a, b, (const uint8_t *)"\5never\3org", want);
    buf_free(&x);
    buf_free(&y);
    changeset_free(got);
    changeset_free(want);
}

static void test_diff(void **state)
{
    static const unsigned sizes[] = {20, 243, 250, 3000}; /* two of them grow over the limit */
    struct errinfo e = {0};

    (void)state;
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        struct chain c;
        struct changeset *all = NULL;
        const struct journal_oid none = {{0}};

        chain_make(&c, sizes[i]);
        must(journal_write(j, c.entries, CHAIN, &e), &e);
        for (unsigned a = 0; a < CHAIN; a += 2)
            for (unsigned b = 0; b < CHAIN; b += 3)
                diff_is(&c, a, b);
        must(journal_diff(&all, j, c.entries[0].zone, &none, &c.entries[3].commit, &e), &e);
        assert_int_equal(all->added.n, zone_records(c.zones[3]));
        assert_int_equal(all->removed.n, 0);
        assert_false(all->has_from);
        assert_int_equal(all->to.v, 103);
        changeset_free(all);
        chain_free(&c);
    }
}

/* ---- Refusals ---- */

static void test_wrong_parents(void **state)
{
    struct chain c;
    struct journal_entry en;
    struct journal_commit got;
    struct zone *z = NULL;
    struct changeset *cs = NULL;
    struct errinfo e = {0};
    uint8_t other[NAME_MAX_OCTETS];

    (void)state;
    chain_make(&c, 30);
    write_chain(&c);
    en = c.entries[5];
    en.parent_entry = -1;
    en.parent = (struct journal_oid){{1, 2, 3}};
    assert_int_equal(journal_write(j, &en, 1, &e), ERR_CORRUPT);
    assert_non_null(strstr(e.text, "zone " APEX));

    en.content = c.zones[5]; /* with the content at hand history is cut, as in a shallow clone */
    must(journal_write(j, &en, 1, &e), &e);
    must(journal_commit_get(j, &en.commit, &got, &e), &e);
    assert_memory_equal(&got.parent, &en.parent, sizeof(got.parent));
    assert_true(journal_is_cut(j, &en.commit));
    assert_memory_equal(&en.content_id, &c.entries[5].content_id, sizeof(en.content_id));

    en = c.entries[5]; /* not the version that the change set was made from */
    en.parent_entry = -1;
    en.parent = c.entries[8].commit;
    assert_int_equal(journal_write(j, &en, 1, &e), ERR_CONFLICT);
    assert_non_null(strstr(e.text, "zone " APEX));

    name_of(other, "other.org.");
    assert_int_equal(journal_zone_load(&z, j, other, &c.entries[0].commit, &e), ERR_NOT_FOUND);
    assert_int_equal(journal_diff(&cs, j, other, &c.entries[0].commit, &c.entries[1].commit, &e),
                     ERR_NOT_FOUND);
    assert_int_equal(journal_zone_load(&z, j, c.entries[0].zone, &c.entries[0].content_id, &e),
                     ERR_CORRUPT); /* a tree, not a commit */
    assert_int_equal(journal_commit_get(j, &(struct journal_oid){{9}}, &got, &e), ERR_NOT_FOUND);
    assert_false(journal_has(j, &(struct journal_oid){{9}}));
    assert_true(git_fsck_is_clean(dir));
    chain_free(&c);
}

/* One bad entry: nothing of the call is written, its outputs stay. */
static void test_all_or_nothing(void **state)
{
    struct chain c;
    struct errinfo e = {0};

    (void)state;
    chain_make(&c, 30);
    c.entries[7].parent_entry = 2;
    assert_int_equal(journal_write(j, c.entries, CHAIN, &e), ERR_CONFLICT);
    assert_int_equal(packs(), 0);
    assert_true(journal_oid_is_none(&c.entries[0].commit));
    chain_free(&c);
}

/* ---- Merging packs ---- */

static void test_repack(void **state)
{
    struct chain c;
    struct journal *reader = NULL;
    struct journal_stats before;
    struct journal_stats after;
    struct errinfo e = {0};

    (void)state;
    chain_make(&c, 2000);
    must(journal_repack(j, &e), &e); /* nothing there */
    must(journal_write(j, c.entries, 1, &e), &e);
    must(journal_repack(j, &e), &e); /* one pack */
    must(journal_open(&reader, dir, "", false, &e), &e);
    for (unsigned v = 1; v < CHAIN; v++) {
        c.entries[v].parent_entry = -1;
        c.entries[v].parent = c.entries[v - 1].commit;
        must(journal_write(j, &c.entries[v], 1, &e), &e);
    }
    must(journal_ref_set(j, LINE_SERVED, c.entries[0].zone, &c.entries[CHAIN - 1].commit, &e), &e);
    must(journal_stats(j, &before, &e), &e);
    assert_int_equal(before.packs, CHAIN);
    chain_reads_back(&c, reader);
    must(journal_repack(j, &e), &e);
    must(journal_stats(j, &after, &e), &e);
    assert_true(after.packs < 3);
    assert_true(after.pack_bytes < before.pack_bytes);
    chain_reads_back(&c, j);
    chain_reads_back(&c, reader); /* it had the old packs open */
    must(journal_repack(j, &e), &e);
    assert_int_equal(packs(), after.packs);
    journal_close(reader);
    must(journal_open(&reader, dir, "", false, &e), &e);
    chain_reads_back(&c, reader);
    journal_close(reader);
    assert_true(git_fsck_is_clean(dir));
    chain_free(&c);
}

/* A reader that knew the old packs only by name, and one that never looked. */
static void test_reader_opened_before_all(void **state)
{
    struct chain c;
    struct journal *reader = NULL;
    struct errinfo e = {0};

    (void)state;
    must(journal_open(&reader, dir, "", false, &e), &e);
    chain_make(&c, 400);
    for (unsigned v = 0; v < CHAIN; v++) {
        if (v > 0) {
            c.entries[v].parent_entry = -1;
            c.entries[v].parent = c.entries[v - 1].commit;
        }
        must(journal_write(j, &c.entries[v], 1, &e), &e);
        if (v == 6) {
            struct journal_stats s;
            must(journal_stats(reader, &s, &e), &e);
        }
    }
    must(journal_repack(j, &e), &e);
    chain_reads_back(&c, reader);
    journal_close(reader);
    chain_free(&c);
}

/* ---- Stock git ---- */

static void test_git_reads_it(void **state)
{
    struct chain c;
    struct buf out = BUF_INIT;
    struct buf text = BUF_INIT;
    char *copy = temp_dir_new();
    char *clone = xasprintf("%s/clone", copy);
    struct errinfo e = {0};

    (void)state;
    chain_make(&c, 20);
    c.entries[CHAIN - 1].reason = "line one\nSerial: 666\n\nZone: evil.";
    c.entries[CHAIN - 1].who = "mallory <m@example> 1 +0000\nauthor x";
    must(journal_write(j, c.entries, CHAIN, &e), &e);
    must(journal_ref_set(j, LINE_SERVED, c.entries[0].zone, &c.entries[CHAIN - 1].commit, &e), &e);
    assert_true(git_fsck_is_clean(dir));

    assert_int_equal(git_run(dir, &out, "show", "refs/heads/example.com:zone", NULL), 0);
    zone_to_text(&text, c.zones[CHAIN - 1]);
    assert_string_equal(buf_cstr(&out), buf_cstr(&text));

    assert_int_equal(git_run(dir, &out, "log", "--format=%s", "example.com", NULL), 0);
    assert_non_null(strstr(buf_cstr(&out), "example.com 109 → 110 (+2 −1)\n"));
    assert_int_equal(git_run(dir, &out, "log", "-1",
                             "--format=%an|%ae|%cn|%at|%(trailers:key=Serial,valueonly)|%(trailers:"
                             "key=Zone,valueonly)",
                             "example.com", NULL),
                     0);
    assert_string_equal(buf_cstr(&out),
                        "mallory %3Cm@example%3E 1 +0000%0Aauthor x|axfr@zoneledger.invalid|node-1|"
                        "1790000012|111\n|example.com.\n\n");

    assert_int_equal(git_run(dir, &out, "diff", "example.com~1", "example.com", NULL), 0);
    assert_non_null(strstr(buf_cstr(&out), "+v11.example.com. 300 IN TXT \"version 11\""));

    assert_int_equal(git_run(copy, &out, "clone", "--quiet", "-b", "example.com", dir, clone, NULL),
                     0);
    assert_int_equal(git_run(clone, &out, "log", "--oneline", NULL), 0);
    assert_int_equal(git_run(clone, &out, "blame", "zone", NULL), 0);

    free(clone);
    temp_dir_free(copy);
    buf_free(&out);
    buf_free(&text);
    chain_free(&c);
}

/* All commands that an operator types, on names that are like options, ids and files of git. */
static void test_git_on_dangerous_names(void **state)
{
    static const char *const names[] = {
        ".",        "-x.example.",
        "x.lock.",  "head.",
        "config.",  "info.",
        "\\@.",     "a/b.c.",
        "\\..\\..", "da39a3ee5e6b4b0d3255bfef95601890afd80709.",
        "objects.", "\\000\\255.x.",
    };
    struct buf out = BUF_INIT;
    struct errinfo e = {0};

    (void)state;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        struct line_set lines = {0};
        struct journal_entry en;
        struct journal_oid got;
        struct zone *z;
        char ref[JOURNAL_REF_MAX];
        char *expr;

        line_set_soa(&lines, names[i], 7);
        z = zone_of_lines(names[i], &lines);
        en = entry_of(z, 1);
        must(journal_write(j, &en, 1, &e), &e);
        must(journal_ref_set(j, LINE_SERVED, en.zone, &en.commit, &e), &e);
        must(journal_ref_get(j, LINE_SERVED, en.zone, &got, &e), &e);
        assert_memory_equal(&got, &en.commit, sizeof(got));
        journal_ref_name(ref, en.zone);
        assert_int_equal(git_run(dir, &out, "log", "--format=%H", ref, NULL), 0);
        expr = xasprintf("%s:zone", ref);
        assert_int_equal(git_run(dir, &out, "show", expr, NULL), 0);
        assert_non_null(strstr(buf_cstr(&out), " IN SOA "));
        free(expr);
        zone_unref(z);
        line_set_free(&lines);
    }
    assert_true(git_fsck_is_clean(dir));
    buf_free(&out);
}

static void test_waiting_line(void **state)
{
    struct chain c;
    struct journal_commit got;
    struct buf out = BUF_INIT;
    struct errinfo e = {0};

    (void)state;
    chain_make(&c, 10);
    for (unsigned v = 6; v < CHAIN; v++)
        c.entries[v].waiting = true;
    must(journal_write(j, c.entries, CHAIN, &e), &e);
    must(journal_ref_set(j, LINE_SERVED, c.entries[0].zone, &c.entries[5].commit, &e), &e);
    must(journal_ref_set(j, LINE_WAITING, c.entries[0].zone, &c.entries[11].commit, &e), &e);
    must(journal_commit_get(j, &c.entries[11].commit, &got, &e), &e);
    assert_true(got.waiting);
    assert_non_null(strstr(got.subject, ") waiting"));
    assert_int_equal(
        git_run(dir, &out, "rev-list", "--count", "example.com..refs/waiting/example.com", NULL),
        0);
    assert_string_equal(buf_cstr(&out), "6\n");
    buf_free(&out);
    chain_free(&c);
}

int main(void)
{
#define JOURNAL_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        JOURNAL_TEST(test_small_zone),    JOURNAL_TEST(test_large_zone),
        JOURNAL_TEST(test_empty_call),    JOURNAL_TEST(test_replay),
        JOURNAL_TEST(test_two_nodes),     JOURNAL_TEST(test_diff),
        JOURNAL_TEST(test_wrong_parents), JOURNAL_TEST(test_all_or_nothing),
        JOURNAL_TEST(test_repack),        JOURNAL_TEST(test_reader_opened_before_all),
        JOURNAL_TEST(test_git_reads_it),  JOURNAL_TEST(test_git_on_dangerous_names),
        JOURNAL_TEST(test_waiting_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
