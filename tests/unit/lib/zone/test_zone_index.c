/* A zone with an index answers each look-up as its pages do, in all versions that are in use. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lib/base/mem.h"
#include "lib/zone/zone_index_internal.h"
#include "tests/unit/lib/zone/zone_util.h"

static const struct name_key key = {.start = 0x0123456789abcdefu, .factor = 0x9e3779b97f4a7c15u};

static enum zone_has plain_look(const struct zone *z, const struct zone_path *p, struct node *node)
{
    if (p->labels == 0)
        return zone_look(p, 0, node);
    return pages_look(z, p->steps->name, p->rel_len, node);
}

/* The name and the wildcard below it. */
static void check_name(const struct zone *z, const uint8_t *name)
{
    uint8_t wildcard[NAME_MAX_OCTETS + 2] = "\1*";
    struct name_steps steps;
    struct zone_path path;
    struct node a = {0}, b = {0};
    enum zone_has has;

    name_steps_init(&steps, &key, name);
    assert_true(zone_path_init(&path, z, &steps));
    has = zone_look(&path, 0, &a);
    assert_int_equal(has, plain_look(z, &path, &b));
    if (has == ZONE_HAS_NODE) {
        assert_ptr_equal(a.rel_owner, b.rel_owner);
        assert_ptr_equal(a.body, b.body);
        assert_int_equal(a.rrsets, b.rrsets);
        assert_int_equal(a.rel_len, b.rel_len);
    }
    if (name_len(name) + 2 > NAME_MAX_OCTETS)
        return;
    has = zone_look_wildcard(&path, 0, &a);
    (void)name_copy(wildcard + 2, name);
    name_steps_init(&steps, &key, wildcard);
    assert_true(zone_path_init(&path, z, &steps));
    assert_int_equal(has, plain_look(z, &path, &b));
    assert_int_equal(has, zone_look(&path, 0, &b));
}

/* Each owner, each name above one, and names that may not be there. */
static void check_version(const struct zone *z, uint64_t seed)
{
    struct zone_iter it;
    struct node n;
    uint8_t name[NAME_MAX_OCTETS];

    zone_iter_init(&it, z);
    while (zone_next(&it, &n)) {
        (void)node_owner(name, &n, zone_apex(z));
        for (const uint8_t *p = name; !name_eq(p, zone_apex(z)); p = name_parent(p))
            check_name(z, p);
    }
    for (unsigned i = 0; i < 2000; i++) {
        random_owner(&seed, name, zone_apex(z), 500);
        check_name(z, name);
    }
    check_name(z, zone_apex(z));
}

/* The next serial. */
static void change_soa(struct changeset *cs, const struct zone *z)
{
    uint8_t rdata[600];
    struct errinfo e = {{0}};
    struct soa soa;
    struct rr rr;

    assert_true(zone_soa(z, &rr, &soa));
    assert_ok(changeset_remove(cs, &rr, &e));
    memcpy(rdata, rr.rdata, rr.rdata_len);
    put_u32(rdata + rr.rdata_len - 20, soa.serial.v + 1);
    rr.rdata = rdata;
    assert_ok(changeset_add(cs, &rr, &e));
}

static struct zone *changed(const struct zone *z, uint64_t *seed, unsigned changes)
{
    struct changeset *cs = changeset_new(zone_apex(z));
    struct errinfo e = {{0}};
    struct test_rr t = {0};
    struct zone *next;
    struct zone_rr_iter it;
    struct rr rr;
    unsigned out_of = 1 + (unsigned)zone_records(z) / (changes + 1);

    change_soa(cs, z);
    zone_rr_iter_init(&it, z);
    while (zone_rr_next(&it, &rr)) {
        if (rr.type != RR_SOA && dice(seed, out_of) == 0)
            assert_ok(changeset_remove(cs, &rr, &e));
    }
    for (unsigned i = 0; i < changes; i++) {
        struct node n;
        struct rrset s;

        do /* an RRset of its own: TTLs need not agree then */
            random_rr(seed, &t, zone_apex(z), 500);
        while (zone_find(z, t.rr.owner, &n) && node_rrset(&n, t.rr.type, &s));
        t.rr.ttl = 60;
        if (t.rr.type != RR_RRSIG)
            assert_ok(changeset_add(cs, &t.rr, &e));
    }
    buf_free(&t.rdata);
    changeset_finish(cs);
    next = zone_applied(z, cs);
    changeset_free(cs);
    return next;
}

#define VERSIONS 60
#define LIVE 4 /* versions that readers may still have */

struct version {
    struct zone *zone;
    struct zone_gone *gone;
};

static void version_drop(struct version *v)
{
    zone_gone_forget(v->gone);
    zone_unref(v->zone);
}

/* What the table would be if it were made for these pages. */
static void check_nothing_left(const struct zone *z)
{
    const struct index_table *t = atomic_load(&atomic_load(&z->view)->index->table);
    uint64_t entries = 0, passed = 0;

    for (size_t i = 0; i < t->n; i++) {
        passed += atomic_load(&t->lines[i].passed);
        for (unsigned k = 0; k < INDEX_LINE_ENTRIES; k++) {
            uint64_t entry = atomic_load(&t->lines[i].entries[k]);

            entries += entry != 0;
            if (entry)
                assert_non_null(view_page(atomic_load(&z->view), entry_slot(entry)));
        }
    }
    assert_int_equal(entries, t->used);
    assert_true(passed < t->n * INDEX_LINE_ENTRIES); /* no count went below zero */
}

static void run_versions(uint64_t seed, uint32_t records, unsigned changes)
{
    struct version v[VERSIONS] = {{0}};

    v[0].zone = random_zone(seed, 0, records, 0, 1, EXAMPLE);
    zone_index_make(v[0].zone, &key);
    check_version(v[0].zone, seed);
    for (unsigned i = 1; i < VERSIONS; i++) {
        unsigned oldest = i < LIVE ? 0 : i - LIVE;

        v[i].zone = changed(v[i - 1].zone, &seed, changes);
        v[i - 1].gone = zone_index_follow(v[i].zone, v[i - 1].zone);
        zone_index_make(v[i].zone, &key);
        check_version(v[i].zone, seed);
        check_version(v[oldest].zone, seed);
        if (i >= LIVE)
            version_drop(&v[oldest]);
    }
    for (unsigned i = VERSIONS - LIVE; i + 1 < VERSIONS; i++)
        version_drop(&v[i]);
    check_version(v[VERSIONS - 1].zone, seed);
    check_nothing_left(v[VERSIONS - 1].zone);
    zone_unref(v[VERSIONS - 1].zone);
}

static void test_few_changes(void **state)
{
    (void)state;
    run_versions(1, 3000, 1);
    run_versions(2, 3000, 5);
}

/* Most pages change, and in the end all. */
static void test_many_changes(void **state)
{
    (void)state;
    run_versions(3, 2000, 100);
    run_versions(4, 600, 700);
}

/* A page by itself needs no index; one that grows gets it, one that shrinks loses it. */
static void test_one_page(void **state)
{
    struct zone *small = zone_of("@ 300 SOA ns host 1 1 2 3 4\na.b 1 A 1.1.1.1\n", EXAMPLE);
    struct zone *big = random_zone(5, 0, 2000, 0, 2, EXAMPLE);

    (void)state;
    zone_index_make(small, &key);
    assert_null(atomic_load(&small->view));
    assert_int_equal(zone_index_bytes(small), 0);
    check_version(small, 5);
    assert_null(zone_index_follow(big, small));
    zone_index_make(big, &key);
    assert_non_null(atomic_load(&big->view));
    assert_true(zone_index_bytes(big) > zone_records(big) * 8);
    assert_null(zone_index_follow(small, big));
    assert_null(zone_index_follow(big, big));
    assert_null(zone_index_follow(big, NULL));
    zone_index_make(small, &key);
    assert_null(atomic_load(&small->view));
    zone_unref(small);
    zone_unref(big);
}

/* 40 parents, each with a child, each about a page by itself. */
static struct zone *parents_and_children(const uint8_t *filler, uint16_t len)
{
    struct zone_builder *b = zone_builder_new(EXAMPLE, NULL);
    struct errinfo e = {{0}};
    struct zone *z = NULL;

    add_soa(b, EXAMPLE, 1);
    for (unsigned i = 0; i < 80; i++) {
        char line[64];
        struct test_rr t;
        struct rr rr;

        (void)snprintf(line, sizeof(line), "%sp%02u 1 A 1.1.1.1", i % 2 ? "c." : "", i / 2);
        test_rr_parse(&t, line, EXAMPLE);
        rr = t.rr;
        rr.type = 65280;
        rr.rdata = filler;
        rr.rdata_len = len;
        assert_ok(zone_builder_add(b, &rr, &e));
        buf_free(&t.rdata);
    }
    assert_ok(zone_builder_finish(&z, b, NULL, &e));
    zone_builder_free(b);
    return z;
}

static struct zone *without_parent(const struct zone *z, unsigned i, const uint8_t *filler,
                                   uint16_t len)
{
    struct changeset *cs = changeset_new(EXAMPLE);
    uint8_t owner[NAME_MAX_OCTETS];
    struct rr rr = {.owner = owner,
                    .type = 65280,
                    .rclass = CLASS_IN,
                    .ttl = 1,
                    .rdata = filler,
                    .rdata_len = len};
    struct errinfo e = {{0}};
    struct zone *next;
    char name[16];

    (void)snprintf(name, sizeof(name), "p%02u", i);
    assert_ok(name_from_text(owner, name, strlen(name), EXAMPLE, &e));
    change_soa(cs, z);
    assert_ok(changeset_remove(cs, &rr, &e));
    changeset_finish(cs);
    next = zone_applied(z, cs);
    changeset_free(cs);
    return next;
}

/* An owner that is the last of its page goes; what is below it stands in the next page, which does
 * not change, and makes it an empty non-terminal. */
static void test_owner_goes_from_above_others(void **state)
{
    static const uint8_t filler[3500];
    struct zone *z = parents_and_children(filler, sizeof(filler));

    (void)state;
    zone_index_make(z, &key);
    for (unsigned i = 0; i < 40; i++) {
        struct zone *next = without_parent(z, i, filler, sizeof(filler));
        struct zone_gone *gone = zone_index_follow(next, z);

        assert_non_null(gone);
        check_version(next, i);
        check_version(z, i);
        zone_gone_forget(gone);
        zone_unref(z);
        z = next;
        check_version(z, i);
    }
    zone_unref(z);
}

/* Many names below one that owns nothing: it is entered once, not once a page. */
static void test_below_is_entered_once(void **state)
{
    struct zone_builder *b = zone_builder_new(EXAMPLE, NULL);
    struct errinfo e = {{0}};
    struct zone *z = NULL;
    const struct index_table *t;
    unsigned below = 0;

    (void)state;
    add_soa(b, EXAMPLE, 1);
    for (unsigned i = 0; i < 5000; i++) {
        char line[64];
        struct test_rr rr;

        (void)snprintf(line, sizeof(line), "h%u.sub 1 A 1.1.1.1", i);
        test_rr_parse(&rr, line, EXAMPLE);
        assert_ok(zone_builder_add(b, &rr.rr, &e));
        buf_free(&rr.rdata);
    }
    assert_ok(zone_builder_finish(&z, b, NULL, &e));
    zone_builder_free(b);
    assert_true(zone_page_count(z) > 10);
    zone_index_make(z, &key);
    t = atomic_load(&atomic_load(&z->view)->index->table);
    for (size_t i = 0; i < t->n; i++) {
        for (unsigned k = 0; k < INDEX_LINE_ENTRIES; k++)
            below += entry_below(atomic_load(&t->lines[i].entries[k]));
    }
    assert_int_equal(below, 1);
    assert_int_equal(t->used, 5001);
    check_version(z, 6);
    zone_unref(z);
}

/* Below the i-th name a hundred others, the last of which alone owns something. */
static void deep_rr(struct test_rr *t, unsigned i)
{
    char line[300] = "";

    for (unsigned k = 0; k < 100; k++)
        memcpy(line + 2 * k, "x.", 2);
    (void)snprintf(line + 200, sizeof(line) - 200, "d%u 60 A 1.1.1.1", i);
    test_rr_parse(t, line, EXAMPLE);
}

/* Far more names than owners, made anew and by a change: a page needs more room than the table had
 * altogether. */
static void test_more_names_than_owners(void **state)
{
    struct zone_builder *b = zone_builder_new(EXAMPLE, NULL);
    struct changeset *cs = changeset_new(EXAMPLE);
    struct errinfo e = {{0}};
    struct zone *z = NULL, *next;
    struct zone_gone *gone;

    (void)state;
    add_soa(b, EXAMPLE, 1);
    for (unsigned i = 0; i < 300; i++) {
        struct test_rr rr;

        deep_rr(&rr, i);
        assert_ok(i % 10 != 0 ? zone_builder_add(b, &rr.rr, &e) : changeset_add(cs, &rr.rr, &e));
        buf_free(&rr.rdata);
    }
    assert_ok(zone_builder_finish(&z, b, NULL, &e));
    zone_builder_free(b);
    assert_true(zone_page_count(z) > 1);
    zone_index_make(z, &key);
    check_version(z, 8);
    change_soa(cs, z);
    changeset_finish(cs);
    next = zone_applied(z, cs);
    changeset_free(cs);
    gone = zone_index_follow(next, z);
    zone_index_make(next, &key);
    check_version(next, 9);
    check_version(z, 9);
    zone_gone_forget(gone);
    check_version(next, 10);
    zone_unref(z);
    zone_unref(next);
}

/* Full lines, and entries that went on to others. */
static void test_table(void **state)
{
    struct index_table *t = index_table_new(1), *grown;
    uint64_t seed = 7;
    uint64_t entries[200];

    (void)state;
    for (unsigned round = 0; round < 50; round++) {
        for (unsigned i = 0; i < 18; i++) {
            /* all at home in one line */
            entries[i] = index_entry(dice(&seed, 16), 1 + i, false, i);
            index_put(t, entries[i]);
        }
        assert_int_equal(t->used, 18);
        for (unsigned i = 0; i < 18; i++)
            index_take(t, entries[(i * 7 + round) % 18]);
        index_take(t, entries[0]); /* not there: nothing happens */
        assert_int_equal(t->used, 0);
        for (size_t i = 0; i < t->n; i++)
            assert_int_equal(atomic_load(&t->lines[i].passed), 0);
    }
    for (unsigned i = 0; i < 200; i++) {
        if ((grown = index_table_grown(t, 1))) {
            assert_int_equal(grown->used, t->used);
            assert_true(grown->n > t->n);
            index_table_free(t);
            t = grown;
        }
        entries[i] = index_entry(dice(&seed, 1u << INDEX_HASH_BITS), 1 + i, false, i);
        index_put(t, entries[i]);
    }
    for (unsigned i = 0; i < 200; i++)
        index_take(t, entries[i]);
    assert_int_equal(t->used, 0);
    grown = index_table_grown(t, 10000); /* at once */
    assert_true(grown->n * INDEX_LINE_ENTRIES > 10000);
    assert_null(index_table_grown(grown, 10000));
    index_table_free(grown);
    index_table_free(t);
    index_table_free(NULL);
    zone_gone_forget(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_few_changes),
        cmocka_unit_test(test_many_changes),
        cmocka_unit_test(test_one_page),
        cmocka_unit_test(test_owner_goes_from_above_others),
        cmocka_unit_test(test_below_is_entered_once),
        cmocka_unit_test(test_more_names_than_owners),
        cmocka_unit_test(test_table),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
