#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lib/base/mem.h"
#include "tests/unit/lib/zone/zone_util.h"

#define TOP "@ 300 SOA ns host 1 1 2 3 4\n@ 1 NS ns\n"
#define SIG "RRSIG CNAME 13 3 1 20300101000000 20200101000000 1 @ AAAA\n"

static void test_table(void **state)
{
    static const struct {
        const char *zone;
        const char *fault; /* NULL: none */
    } cases[] = {
        {TOP, NULL},
        {"", "example.org. SOA: no SOA"},
        {"@ 1 NS ns\n", "example.org. SOA: no SOA"},
        {"w 1 NS ns\n", "example.org. SOA: no SOA"},
        {"@ 300 SOA ns host 1 1 2 3 4\n", "example.org. NS: no NS"},
        {TOP "@ 300 SOA ns host 2 1 2 3 4\n", "example.org. SOA: more than one"},
        {TOP "w 300 SOA ns host 2 1 2 3 4\n", "w.example.org. SOA: a SOA below"},
        {TOP "w 1 CNAME a\n", NULL},
        {TOP "w 1 CNAME a\nw 1 CNAME b\n", "w.example.org. CNAME: more than one"},
        {TOP "w 1 CNAME a\nw 1 A 1.1.1.1\n", "w.example.org. A: stands beside a CNAME"},
        {TOP "w 1 CNAME a\nw 1 TXT x\n", "w.example.org. TXT: stands beside a CNAME"},
        {TOP "w 1 CNAME a\nw 1 DNAME x\n", "w.example.org. DNAME: stands beside a CNAME"},
        {TOP "@ 1 CNAME a\n", "example.org. NS: stands beside a CNAME"},
        {TOP "w 1 CNAME a\nw 1 NSEC @ CNAME RRSIG NSEC\nw 1 " SIG "w 1 KEY 0 3 13 AAAA\n", NULL},
        {TOP "w 1 CNAME a\nx.w 1 A 1.1.1.1\n", NULL},
        {TOP "w 1 DNAME a.\nw 1 A 1.1.1.1\nw 1 NS ns\n", NULL},
        {TOP "w 1 DNAME a.\nw 1 DNAME b.\n", "w.example.org. DNAME: more than one"},
        {TOP "w 1 DNAME a.\nww 1 A 1.1.1.1\nx 1 A 1.1.1.1\n", NULL},
        {TOP "w 1 DNAME a.\nx.w 1 A 1.1.1.1\n", "x.w.example.org. A: stands below a DNAME"},
        {TOP "w 1 DNAME a.\nz.y.x.w 1 A 1.1.1.1\n", "z.y.x.w.example.org. A: stands below"},
        {TOP "@ 1 DNAME a.\nns 1 A 1.1.1.1\n", "ns.example.org. A: stands below a DNAME"},
        /* NSEC3 names of a zone with DNAME at its apex */
        {TOP "@ 1 DNAME a.\n"
             "0p9mhaveqvm6t7vbl5lop2u3t2rp3tom 1 NSEC3 1 1 1 ab 2t7b4g4vsa5smi47k61mv5bv1a22bojr "
             "NS SOA DNAME\n",
         NULL},
        {TOP "\\000 1 A 1.1.1.1\n* 1 CNAME a\n*.* 1 A 1.1.1.1\n", NULL},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct zone *z = zone_of(cases[i].zone, EXAMPLE);
        struct errinfo e = {{0}};

        if (zone_check(z, &e) != (cases[i].fault ? ERR_CHECK : OK))
            fail_msg("case %zu: '%s'", i, e.text);
        if (cases[i].fault)
            assert_text_has(e, cases[i].fault);
        zone_unref(z);
    }
}

static void test_change_table(void **state)
{
    static const struct {
        const char *base, *changes;
        const char *fault;
    } cases[] = {
        {"", "", NULL},
        {"", "-@ 1 NS ns\n", "example.org. NS: no NS"},
        {"", "+@ 300 SOA ns host 2 1 2 3 4\n", "example.org. SOA: more than one"},
        {"", "+w 300 SOA ns host 2 1 2 3 4\n", "w.example.org. SOA: a SOA below"},
        {"w 1 A 1.1.1.1\n", "+w 1 CNAME a\n", "w.example.org. A: stands beside"},
        {"w 1 CNAME a\n", "+w 1 A 1.1.1.1\n", "w.example.org. A: stands beside"},
        {"w 1 CNAME a\n", "-w 1 CNAME a\n+w 1 A 1.1.1.1\n", NULL},
        {"w 1 CNAME a\n", "+w 1 CNAME b\n", "w.example.org. CNAME: more than one"},
        {"w 1 DNAME a.\n", "+x.w 1 A 1.1.1.1\n", "x.w.example.org. A: stands below"},
        {"w 1 DNAME a.\n", "+z.y.x.w 1 A 1.1.1.1\n", "z.y.x.w.example.org. A: stands below"},
        {"w 1 DNAME a.\n", "-w 1 DNAME a.\n+x.w 1 A 1.1.1.1\n", NULL},
        {"x.w 1 A 1.1.1.1\n", "+w 1 DNAME a.\n", "x.w.example.org. A: stands below"},
        {"x.w 1 A 1.1.1.1\n", "-x.w 1 A 1.1.1.1\n+w 1 DNAME a.\n", NULL},
        {"ns 1 A 1.1.1.1\n", "+@ 1 DNAME a.\n", "ns.example.org. A: stands below"},
        {"@ 1 DNAME a.\n", "+ns 1 A 1.1.1.1\n", "ns.example.org. A: stands below"},
        {"w 1 DNAME a.\n", "+ww 1 A 1.1.1.1\n+v 1 A 1.1.1.1\n", NULL},
        {"@ 1 DNAME a.\n",
         "+0p9mhaveqvm6t7vbl5lop2u3t2rp3tom 1 NSEC3 1 1 1 ab 2t7b4g4vsa5smi47k61mv5bv1a22bojr NS\n",
         NULL},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char *text = xasprintf(TOP "%s", cases[i].base);
        struct zone *base = zone_of(text, EXAMPLE);
        struct changeset *cs = changes_of(cases[i].changes, EXAMPLE);
        struct errinfo e = {{0}};
        struct zone *z;

        cs->has_from = true;
        cs->from = cs->to = (struct serial){1};
        assert_ok(zone_check(base, &e));
        z = zone_applied(base, cs);
        if (zone_check_change(z, cs, &e) != (cases[i].fault ? ERR_CHECK : OK))
            fail_msg("case %zu: '%s'", i, e.text);
        if (cases[i].fault)
            assert_text_has(e, cases[i].fault);
        zone_unref(z);
        zone_unref(base);
        changeset_free(cs);
        free(text);
    }
}

/* Names and types out of so few that every rule is met often. */
static void add_random(uint64_t *seed, struct changeset *cs)
{
    static const char *const owners[] = {"@", "a", "b.a", "c.b.a", "d.a", "ab", "*.a", "e"};
    static const char *const records[] = {
        "1 A 1.1.1.1", "1 NS ns",
        "1 CNAME x.",  "1 DNAME y.",
        "1 TXT z",     "1 DNAME w.",
        "1 NSEC @ A",  "300 SOA ns host 9 1 2 3 4",
        "1 A 1.1.1.1", "1 NSEC3 1 1 1 ab 2t7b4g4vsa5smi47k61mv5bv1a22bojr A",
    };
    char line[128];
    struct test_rr t;
    struct errinfo e = {{0}};

    (void)snprintf(line, sizeof(line), "%s %s", owners[dice(seed, 8)], records[dice(seed, 10)]);
    test_rr_parse(&t, line, EXAMPLE);
    assert_ok(changeset_add(cs, &t.rr, &e));
    buf_free(&t.rdata);
}

static struct zone *random_small(uint64_t *seed)
{
    struct zone *top = zone_of(TOP, EXAMPLE);
    struct changeset *cs = changeset_new(EXAMPLE);
    struct errinfo e = {{0}};
    struct zone *z = NULL;

    for (uint32_t n = dice(seed, 5); n > 0; n--)
        add_random(seed, cs);
    changeset_finish(cs);
    cs->has_from = true;
    cs->from = cs->to = (struct serial){1};
    if (zone_apply(&z, top, cs, NULL, &e))
        z = zone_ref(top); /* "adds what is there": as good as any other */
    changeset_free(cs);
    zone_unref(top);
    return z;
}

/* From a version that is in order, both checks say the same of the next. */
static void test_change_says_the_same(void **state)
{
    uint64_t seed = 77;
    unsigned good = 0;
    unsigned bad = 0;

    (void)state;
    while (good < 400 || bad < 400) {
        struct zone *a = random_small(&seed);
        struct zone *b = random_small(&seed);
        struct errinfo e = {{0}};

        if (zone_check(a, &e) == OK) {
            struct changeset *cs = diff_of(a, b);
            enum err rc = zone_check(b, &e);

            assert_int_equal(zone_check_change(b, cs, &e), rc);
            good += rc == OK;
            bad += rc != OK;
            changeset_free(cs);
        }
        zone_unref(a);
        zone_unref(b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table),
        cmocka_unit_test(test_change_table),
        cmocka_unit_test(test_change_says_the_same),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
