/* What our catalogs say next: members that come, stay, go, move and come back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "syncd/producer_plan.h"
#include "tests/unit/lib/zone/zone_util.h"

#define A N("\1a\7invalid")
#define B N("\1b\7invalid")
#define ONE N("\3one\4test")
#define TWO N("\3two\4test")
#define NOWHERE PRODUCER_NOWHERE

/* Two catalogs, as they are by now. */
struct world {
    struct producer_catalog c[2];
    struct producer_plan plan;
    uint64_t versions[2];
};

static void world_init(struct world *w)
{
    *w = (struct world){.c = {{.apex = A, .first = {100}}, {.apex = B, .first = {200}}}};
}

static void world_done(struct world *w)
{
    for (size_t i = 0; i < 2; i++)
        zone_unref(w->c[i].base);
}

/* Makes a plan, checks each change set against what it leads to, and takes the next versions; what
 * the plan says of moved zones is in *moved. Returns how many catalogs changed. */
static unsigned step(struct world *w, const struct producer_want *wants, size_t n, bool all,
                     struct producer_moved *moved, size_t *moved_count)
{
    struct errinfo e = {{0}};
    unsigned changed = 0;

    w->plan = (struct producer_plan){
        .catalogs = w->c, .catalog_count = 2, .wants = wants, .want_count = n, .all = all};
    for (size_t i = 0; i < 2; i++)
        w->c[i].version = w->versions[i] + 1;
    assert_ok(producer_plan_make(&w->plan, &e));
    for (size_t i = 0; i < 2; i++) {
        struct producer_catalog *c = &w->c[i];
        struct zone *again = NULL;

        if (!c->next)
            continue;
        assert_ok(zone_apply(&again, c->base, c->changes, NULL, &e));
        assert_int_equal(zone_serial(again).v, c->base ? zone_serial(c->base).v + 1 : c->first.v);
        zone_unref(c->base);
        c->base = again;
        w->versions[i]++;
        changed++;
    }
    if (moved_count) {
        *moved_count = w->plan.moved_count;
        if (w->plan.moved_count)
            *moved = w->plan.moved[0];
    }
    producer_plan_done(&w->plan);
    return changed;
}

static bool member(const struct world *w, size_t i, const uint8_t *zone, char label[65])
{
    struct catalog *list = NULL;
    struct catalog_member m;
    struct errinfo e = {{0}};
    bool there;

    assert_ok(catalog_parse(&list, w->c[i].base, &e));
    there = catalog_find(list, zone, &m);
    if (there)
        (void)snprintf(label, 65, "%.*s", (int)m.label[0], (const char *)m.label + 1);
    catalog_free(list);
    return there;
}

static void assert_text(const struct world *w, size_t i, const char *line, bool there)
{
    struct buf text = BUF_INIT;

    zone_to_text(&text, w->c[i].base);
    if ((strstr(buf_cstr(&text), line) != NULL) != there)
        fail_msg("'%s' is%s in\n%s", line, there ? " not" : "", buf_cstr(&text));
    buf_free(&text);
}

static void what_every_catalog_has(void **state)
{
    struct world w;

    (void)state;
    world_init(&w);
    assert_int_equal(step(&w, NULL, 0, true, NULL, NULL), 2);
    assert_text(&w, 0, "a.invalid. 0 IN SOA invalid. invalid. 100 3600 600 2147483646 0\n", true);
    assert_text(&w, 0, "a.invalid. 0 IN NS invalid.\n", true);
    assert_text(&w, 0, "version.a.invalid. 0 IN TXT \"2\"\n", true);
    assert_int_equal(zone_records(w.c[0].base), 3);
    assert_int_equal(step(&w, NULL, 0, true, NULL, NULL), 0); /* nothing new is no version */
    world_done(&w);
}

static void members_keep_their_label_until_they_were_away(void **state)
{
    struct producer_want both[] = {{.zone = ONE, .catalog = 0, .group = ""},
                                   {.zone = TWO, .catalog = 0, .group = "gold"}};
    struct producer_want gone = {.zone = ONE, .catalog = NOWHERE, .group = ""};
    char first[65], now[65], two[65];
    struct world w;

    (void)state;
    world_init(&w);
    assert_int_equal(step(&w, both, 2, true, NULL, NULL), 2);
    assert_true(member(&w, 0, ONE, first) && member(&w, 0, TWO, two));
    assert_int_equal(strlen(first), 32);
    assert_string_not_equal(first, two);
    assert_text(&w, 0, " 0 IN TXT \"gold\"\n", true);

    both[1].group = "";
    assert_int_equal(step(&w, both + 1, 1, false, NULL, NULL), 1);
    assert_text(&w, 0, "gold", false);
    assert_true(member(&w, 0, ONE, now)); /* nothing was said of it */
    assert_string_equal(now, first);

    assert_int_equal(step(&w, &gone, 1, false, NULL, NULL), 1);
    assert_false(member(&w, 0, ONE, now));
    assert_int_equal(step(&w, both, 1, false, NULL, NULL), 1);
    assert_true(member(&w, 0, ONE, now));
    assert_string_not_equal(now, first);

    (void)strcpy(first, now); /* away and back between two looks */
    both[0].fresh = true;
    assert_int_equal(step(&w, both, 2, true, NULL, NULL), 1);
    assert_true(member(&w, 0, ONE, now));
    assert_string_not_equal(now, first);

    assert_int_equal(step(&w, both + 1, 1, true, NULL, NULL), 1); /* not among all: not here */
    assert_false(member(&w, 0, ONE, now));
    assert_int_equal(zone_records(w.c[0].base), 4);
    world_done(&w);
}

static void a_move_is_said_first_and_the_label_goes_along(void **state)
{
    struct producer_want want = {.zone = ONE, .catalog = 0, .group = ""};
    struct producer_moved moved;
    char label[65], now[65];
    struct world w;
    size_t n;

    (void)state;
    world_init(&w);
    assert_int_equal(step(&w, &want, 1, true, NULL, NULL), 2);
    assert_true(member(&w, 0, ONE, label));

    want.catalog = 1;
    want.ready = true; /* a left-over of another move counts for nothing */
    assert_int_equal(step(&w, &want, 1, true, &moved, &n), 1);
    assert_text(&w, 0, " 0 IN PTR b.invalid.\n", true);
    assert_false(member(&w, 1, ONE, now));
    assert_int_equal(n, 1);
    assert_true(moved.fresh && moved.waiting && moved.catalog == 0 && moved.to == 1);

    want.ready = false;
    assert_int_equal(step(&w, &want, 1, true, &moved, &n), 0);
    assert_true(n == 1 && !moved.fresh && moved.waiting);

    want.ready = true;
    assert_int_equal(step(&w, &want, 1, false, &moved, &n), 1);
    assert_true(n == 1 && !moved.waiting);
    assert_true(member(&w, 1, ONE, now));
    assert_string_equal(now, label);

    want.due = true;
    assert_int_equal(step(&w, &want, 1, false, &moved, &n), 1);
    assert_int_equal(n, 0);
    assert_false(member(&w, 0, ONE, now));
    assert_int_equal(zone_records(w.c[0].base), 3);

    want.due = want.ready = false;
    want.catalog = NOWHERE;
    assert_int_equal(step(&w, &want, 1, false, NULL, NULL), 1);
    assert_int_equal(zone_records(w.c[1].base), 3);
    world_done(&w);
}

static void a_zone_that_comes_back_has_never_left(void **state)
{
    struct producer_want want = {.zone = ONE, .catalog = 0, .group = ""};
    char label[65], now[65];
    struct world w;

    (void)state;
    world_init(&w);
    (void)step(&w, &want, 1, true, NULL, NULL);
    assert_true(member(&w, 0, ONE, label));
    want.catalog = 1;
    (void)step(&w, &want, 1, true, NULL, NULL);
    want.catalog = 0;
    assert_int_equal(step(&w, &want, 1, true, NULL, NULL), 1);
    assert_text(&w, 0, "b.invalid", false);
    assert_true(member(&w, 0, ONE, now));
    assert_string_equal(now, label);
    want.catalog = 1; /* it was removed meanwhile: nothing goes along */
    want.fresh = true;
    assert_int_equal(step(&w, &want, 1, true, NULL, NULL), 2);
    assert_false(member(&w, 0, ONE, now));
    assert_true(member(&w, 1, ONE, now));
    assert_string_not_equal(now, label);
    world_done(&w);
}

static void content_of_others_is_replaced_whole(void **state)
{
    static const char foreign[] = "@ 0 SOA a. b. 7 1 2 3 4\n@ 0 NS invalid.\nx 5 A 192.0.2.1\n"
                                  "@ 0 TXT \"else\"\n";
    struct producer_want want = {.zone = ONE, .catalog = 0, .group = ""};
    char label[65];
    struct world w;

    (void)state;
    world_init(&w);
    w.c[0].base = zone_of(foreign, A);
    w.c[0].foreign = true;
    w.c[1].blocked = true;
    assert_int_equal(step(&w, &want, 1, false, NULL, NULL), 0);
    assert_true(w.plan.incomplete); /* it would lack all others */
    w.c[0].blocked = false;
    assert_int_equal(step(&w, &want, 1, true, NULL, NULL), 1);
    assert_int_equal(zone_records(w.c[0].base), 4);
    assert_int_equal(zone_serial(w.c[0].base).v, 8);
    assert_true(member(&w, 0, ONE, label));
    world_done(&w);
}

static void what_is_for_a_blocked_catalog_stays(void **state)
{
    struct producer_want want = {.zone = ONE, .catalog = 0, .group = ""};
    char label[65];
    struct world w;

    (void)state;
    world_init(&w);
    (void)step(&w, &want, 1, true, NULL, NULL);
    want.catalog = 1;
    w.c[1].blocked = true;
    assert_int_equal(step(&w, &want, 1, true, NULL, NULL), 0);
    assert_true(member(&w, 0, ONE, label));
    world_done(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_every_catalog_has),
        cmocka_unit_test(members_keep_their_label_until_they_were_away),
        cmocka_unit_test(a_move_is_said_first_and_the_label_goes_along),
        cmocka_unit_test(a_zone_that_comes_back_has_never_left),
        cmocka_unit_test(content_of_others_is_replaced_whole),
        cmocka_unit_test(what_is_for_a_blocked_catalog_stays),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
