/* The tree is a pure function of the content: docs/journal-format.md section 2. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <stdio.h>

#include "journal/journal_internal.h"
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
    return journal_open(&j, dir, "node", true, &e) == OK ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    journal_close(j);
    temp_dir_free(dir);
    return 0;
}

/* ---- What the rules say of any tree ---- */

struct walked {
    struct line_set lines;
    size_t trees, blobs;
};

struct counts {
    uint64_t records;
    uint64_t owners;
};

static struct counts walk_text(struct walked *w, const struct object *o, const char *digits)
{
    const char *pos = (const char *)o->data;
    const char *end = pos + o->len;
    struct counts c = {0, 0};
    struct line l;
    struct line_rr before = {.rdata = BUF_INIT};
    struct line_rr now = {.rdata = BUF_INIT};
    struct errinfo e = {0};

    while (line_next(&l, &pos, end)) {
        uint8_t hash[32];
        char hex[65];

        assert_int_equal(l.text[l.len], '\n');
        if (line_parse(&now, &l, &e))
            fail_msg("%s", e.text);
        sha256_bytes(hash, now.owner, name_len(now.owner));
        hex_write(hex, hash, sizeof(hash));
        assert_memory_equal(hex, digits, strlen(digits));
        if (c.records)
            assert_true(rr_cmp(&before.rr, &now.rr) < 0);
        c.owners += c.records == 0 || !name_eq(before.owner, now.owner);
        c.records++;
        memcpy(before.owner, now.owner, sizeof(now.owner));
        before.rdata.len = 0;
        buf_put(&before.rdata, now.rdata.data, now.rdata.len);
        before.rr = now.rr;
        before.rr.owner = before.owner;
        before.rr.rdata = before.rdata.data;
        line_set_add(&w->lines, "%.*s", (int)l.len, l.text);
    }
    buf_free(&before.rdata);
    buf_free(&now.rdata);
    return c;
}

static struct counts walk(struct walked *w, const struct part *part, const char *digits)
{
    struct counts sum = {0, 0};
    struct object o = {0};
    struct part children[16];
    struct errinfo e = {0};

    if (object_get(j, NULL, &part->oid, part->kind == PART_TREE ? OBJ_TREE : OBJ_BLOB, &o, &e))
        fail_msg("%s", e.text);
    if (part->kind == PART_BLOB) {
        w->blobs++;
        sum = walk_text(w, &o, digits);
        assert_true(sum.records <= PART_RECORDS_MAX || sum.owners == 1);
    } else {
        w->trees++;
        assert_int_equal(part_children(children, &o, &e), OK);
        for (unsigned i = 0; i < 16; i++) {
            char deeper[80];
            struct counts c;

            if (children[i].kind == PART_NONE)
                continue;
            (void)snprintf(deeper, sizeof(deeper), "%s%x", digits, i);
            c = walk(w, &children[i], deeper);
            assert_true(c.records > 0);
            sum.records += c.records;
            sum.owners += c.owners;
        }
        assert_true(sum.records > PART_RECORDS_MAX && sum.owners > 1);
    }
    object_done(&o);
    return sum;
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The tree follows the rules and holds the zone's records, no others. */
static void tree_is_lawful(const struct journal_oid *tree, const struct zone *z)
{
    struct walked w = {.trees = 0};
    struct line_set want = {0};
    struct part part;
    struct errinfo e = {0};
    struct zone_rr_iter it;
    struct buf b = BUF_INIT;
    struct rr rr;

    assert_int_equal(top_get(j, NULL, tree, &part, &e), OK);
    assert_int_equal(walk(&w, &part, "").records, zone_records(z));
    zone_rr_iter_init(&it, z);
    while (zone_rr_next(&it, &rr)) {
        b.len = 0;
        rr_to_text(&b, &rr);
        line_set_add(&want, "%.*s", (int)b.len - 1, (char *)b.data);
    }
    assert_int_equal(want.n, w.lines.n);
    qsort(want.lines, want.n, sizeof(char *), by_text);
    qsort(w.lines.lines, w.lines.n, sizeof(char *), by_text);
    for (size_t i = 0; i < want.n; i++)
        assert_string_equal(want.lines[i], w.lines.lines[i]);
    buf_free(&b);
    line_set_free(&want);
    line_set_free(&w.lines);
}

/* ---- Histories ---- */

struct history {
    struct line_set lines;
    struct zone *zone;
    struct journal_oid commit;
    uint32_t version;
};

/* Records the next version by its change set alone, and compares with the tree from scratch. */
static void step(struct history *h)
{
    struct changeset *cs = NULL;
    struct zone *next;
    struct journal_entry en;
    struct journal_oid want;
    struct errinfo e = {0};

    line_set_soa(&h->lines, APEX, ++h->version);
    next = zone_of_lines(APEX, &h->lines);
    en = entry_of(next, h->version);
    if (h->zone) {
        assert_int_equal(zone_diff(&cs, h->zone, next, &e), OK);
        en.parent = h->commit;
        en.changes = cs;
        en.content = NULL;
    }
    if (journal_write(j, &en, 1, &e))
        fail_msg("version %u: %s", h->version, e.text);
    assert_int_equal(journal_content_id(&want, next, &e), OK);
    assert_memory_equal(&want, &en.content_id, sizeof(want));
    changeset_free(cs);
    zone_unref(h->zone);
    h->zone = next;
    h->commit = en.commit;
}

static void history_end(struct history *h)
{
    struct journal_oid tree;
    struct errinfo e = {0};

    assert_int_equal(journal_content_id(&tree, h->zone, &e), OK);
    tree_is_lawful(&tree, h->zone);
    zone_unref(h->zone);
    line_set_free(&h->lines);
}

static void add_random(struct history *h, struct rng *rng, unsigned owners)
{
    unsigned owner = (unsigned)rng_below(rng, owners);

    line_set_add(&h->lines, "h%u.%s 300 IN A 10.%u.%u.%u", owner, APEX,
                 (unsigned)rng_below(rng, 256), (unsigned)rng_below(rng, 256),
                 (unsigned)rng_below(rng, 256));
}

static void drop_random(struct history *h, struct rng *rng)
{
    if (h->lines.n > 1)
        line_set_drop(&h->lines, 1 + rng_below(rng, h->lines.n - 1));
}

/* Up and down over the limit by single records. */
static void test_around_the_limit(void **state)
{
    struct history h = {.version = 0};
    struct rng rng = {1};

    (void)state;
    step(&h);
    while (h.lines.n < 253)
        add_random(&h, &rng, 10000);
    step(&h);
    for (unsigned i = 0; i < 60; i++) {
        if (i / 8 % 2 == 0)
            add_random(&h, &rng, 10000);
        else
            drop_random(&h, &rng);
        step(&h);
    }
    history_end(&h);
}

/* Random sizes of change, few owners and many, zones from one record to a few thousand. */
static void random_history(uint64_t seed, unsigned owners, unsigned size, unsigned steps)
{
    struct history h = {.version = 0};
    struct rng rng = {seed};

    step(&h);
    for (unsigned i = 0; i < steps; i++) {
        unsigned goal = (unsigned)rng_below(&rng, size);
        unsigned most = 1 + (unsigned)rng_below(&rng, i % 4 == 0 ? size : 8);

        for (unsigned k = 0; k < most; k++) {
            if (h.lines.n <= goal)
                add_random(&h, &rng, owners);
            else
                drop_random(&h, &rng);
        }
        step(&h);
    }
    history_end(&h);
}

static void test_random_histories(void **state)
{
    (void)state;
    random_history(2, 1000000, 600, 60);
    random_history(3, 3, 900, 40);
    random_history(4, 40, 2000, 40);
    random_history(5, 1000000, 6000, 25);
}

/* Emptied down to the SOA and filled again. */
static void test_to_nothing_and_back(void **state)
{
    struct history h = {.version = 0};
    struct rng rng = {6};

    (void)state;
    for (int round = 0; round < 2; round++) {
        while (h.lines.n < 1500) {
            if (h.lines.n == 0)
                line_set_soa(&h.lines, APEX, 1);
            add_random(&h, &rng, 100000);
        }
        step(&h);
        while (h.lines.n > 400)
            drop_random(&h, &rng);
        step(&h);
        while (h.lines.n > 200)
            drop_random(&h, &rng);
        step(&h);
        while (h.lines.n > 1)
            drop_random(&h, &rng);
        step(&h);
    }
    history_end(&h);
}

/* One owner with more than 256 records stays one blob, alone or beside others. */
static void test_large_owner(void **state)
{
    struct history h = {.version = 0};
    struct rng rng = {7};

    (void)state;
    step(&h);
    for (unsigned i = 0; i < 400; i++)
        line_set_add(&h.lines, "big.%s 60 IN A 10.1.%u.%u", APEX, i / 250, i % 250);
    step(&h);
    for (unsigned i = 0; i < 300; i++)
        add_random(&h, &rng, 100000);
    step(&h);
    for (unsigned i = 0; i < 6; i++) { /* the large owner shrinks under the limit */
        for (unsigned k = 0; k < 50; k++)
            line_set_drop(&h.lines, 1 + k);
        step(&h);
    }
    history_end(&h);
}

/* Changes of the TTL alone: the record stands in both lists. */
static void test_ttl_changes(void **state)
{
    struct history h = {.version = 0};

    (void)state;
    step(&h);
    for (unsigned ttl = 1; ttl < 6; ttl++) {
        while (h.lines.n > 1)
            line_set_drop(&h.lines, 1);
        for (unsigned i = 0; i < 300; i++)
            line_set_add(&h.lines, "t%u.%s %u IN TXT \"x\"", i, APEX, i % 3 == 0 ? ttl : 1);
        step(&h);
    }
    history_end(&h);
}

/* Names in RDATA keep their case; a removal in another case finds its record. */
static void test_case_of_rdata(void **state)
{
    static const uint8_t other_case[] = "\2nS\7eXample\3cOM";
    uint8_t apex[NAME_MAX_OCTETS];
    struct rr ns = {.owner = apex,
                    .rdata = other_case,
                    .rdata_len = sizeof(other_case),
                    .ttl = 300,
                    .type = RR_NS,
                    .rclass = CLASS_IN};
    struct line_set lines = {0};
    struct journal_entry first;
    struct journal_entry second;
    struct journal_oid want;
    struct changeset *cs;
    struct zone *z;
    struct zone *next;
    struct errinfo e = {0};

    (void)state;
    name_of(apex, APEX);
    line_set_soa(&lines, APEX, 1);
    line_set_add(&lines, "%s 300 IN NS Ns.Example.Com.", APEX);
    z = zone_of_lines(APEX, &lines);
    line_set_drop(&lines, 1);
    next = zone_of_lines(APEX, &lines);
    cs = changeset_new(apex);
    assert_int_equal(changeset_remove(cs, &ns, &e), OK);
    changeset_finish(cs);

    first = entry_of(z, 1);
    assert_int_equal(journal_write(j, &first, 1, &e), OK);
    second = entry_of(next, 2);
    second.parent = first.commit;
    second.content = NULL;
    second.changes = cs;
    if (journal_write(j, &second, 1, &e))
        fail_msg("%s", e.text);
    assert_int_equal(journal_content_id(&want, next, &e), OK);
    assert_memory_equal(&want, &second.content_id, sizeof(want));

    second.parent = second.commit; /* once more: it isn't there now */
    assert_int_equal(journal_write(j, &second, 1, &e), ERR_CONFLICT);
    assert_non_null(strstr(e.text, "example.com. NS"));

    changeset_free(cs);
    zone_unref(z);
    zone_unref(next);
    line_set_free(&lines);
}

/* Large zones, three levels deep, and hostile owners. */
static void test_deep_tree(void **state)
{
    struct line_set lines = {0};
    struct walked w = {.trees = 0};
    struct part part;
    struct zone *z;
    struct journal_entry en;
    struct errinfo e = {0};

    (void)state;
    line_set_soa(&lines, APEX, 1);
    for (unsigned i = 0; i < 6000; i++)
        line_set_add(&lines, "d%u.%s 300 IN TXT \"%u\"", i, APEX, i);
    for (unsigned c = 0; c < 256; c++)
        line_set_add(&lines, "\\%03u\\%03u.%s 300 IN TXT \"\\%03u;\\\"\"", c, 255 - c, APEX, c);
    z = zone_of_lines(APEX, &lines);
    en = entry_of(z, 1);
    assert_int_equal(journal_write(j, &en, 1, &e), OK);
    tree_is_lawful(&en.content_id, z);
    assert_int_equal(top_get(j, NULL, &en.content_id, &part, &e), OK);
    (void)walk(&w, &part, "");
    assert_int_equal(w.trees, 17);
    assert_int_equal(w.blobs, 256);
    line_set_free(&w.lines);
    zone_unref(z);
    line_set_free(&lines);
}

/* Known ids: another program that follows the specification gets the same. */
static void test_known_ids(void **state)
{
    struct line_set lines = {0};
    struct buf out = BUF_INIT;
    struct journal_oid id;
    struct journal_entry en;
    struct errinfo e = {0};
    struct zone *z;
    char hex[JOURNAL_HEX_MAX];
    char *expr;

    (void)state;
    line_set_soa(&lines, APEX, 1);
    line_set_add(&lines, "%s 300 IN NS ns.%s", APEX, APEX);
    z = zone_of_lines(APEX, &lines);
    en = entry_of(z, 1);
    assert_int_equal(journal_write(j, &en, 1, &e), OK);
    assert_int_equal(journal_content_id(&id, z, &e), OK);
    journal_oid_hex(hex, &id);
    expr = xasprintf("%s:zone", hex);
    assert_int_equal(git_run(dir, &out, "cat-file", "-p", expr, NULL), 0);
    assert_string_equal(
        buf_cstr(&out),
        "example.com. 300 IN NS ns.example.com.\n"
        "example.com. 3600 IN SOA ns.example.com. host.example.com. 1 7200 3600 1209600 300\n");
    assert_string_equal(hex, "76ec41d9c510e49cfeed6df77903a8df2f06c2d0");
    free(expr);
    buf_free(&out);
    zone_unref(z);
    line_set_free(&lines);
}

int main(void)
{
#define TREE_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TREE_TEST(test_around_the_limit),    TREE_TEST(test_random_histories),
        TREE_TEST(test_to_nothing_and_back), TREE_TEST(test_large_owner),
        TREE_TEST(test_ttl_changes),         TREE_TEST(test_case_of_rdata),
        TREE_TEST(test_deep_tree),           TREE_TEST(test_known_ids),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
