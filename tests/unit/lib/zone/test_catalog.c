/* What a catalog zone says, and which ones are broken (RFC 9432). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lib/base/bytes.h"
#include "lib/zone/catalog.h"
#include "tests/unit/lib/zone/zone_util.h"

#define CATALOG N("\3cat\7example")
#define TOP "@ 0 SOA invalid. invalid. 1 1 2 3 4\n@ 0 NS invalid.\n"
#define V2 TOP "version 0 TXT \"2\"\n"

static struct catalog *parsed(const char *text)
{
    struct zone *z = zone_of(text, CATALOG);
    struct catalog *c = NULL;
    struct errinfo e = {{0}};

    assert_ok(catalog_parse(&c, z, &e));
    zone_unref(z);
    return c;
}

/* "zone label [coo NAME] [group]..." */
static void member_text(struct buf *out, const struct catalog_member *m)
{
    char name[NAME_TEXT_MAX];

    (void)name_to_text(name, m->zone);
    buf_printf(out, "%s %.*s", name, (int)m->label[0], (const char *)m->label + 1);
    if (m->coo) {
        (void)name_to_text(name, m->coo);
        buf_printf(out, " coo %s", name);
    }
    for (unsigned i = 0; i < m->group_count; i++) {
        uint8_t len;
        const uint8_t *group = catalog_group(m, i, &len);

        buf_printf(out, " [%.*s]", (int)len, (const char *)group);
    }
}

static void assert_list(const char *zone, const char *expected)
{
    struct catalog *c = parsed(zone);
    struct buf out = {0};

    for (size_t i = 0; i < catalog_count(c); i++) {
        struct catalog_member m;

        catalog_at(c, i, &m);
        member_text(&out, &m);
        buf_str(&out, "\n");
    }
    assert_string_equal(buf_cstr(&out), expected);
    buf_free(&out);
    catalog_free(c);
}

static void test_lists(void **state)
{
    (void)state;
    assert_list(V2, "");
    assert_list(V2 "b.zones 0 PTR Beta.test.\na.zones 0 PTR alpha.test.\n",
                "alpha.test. a\nbeta.test. b\n");
    assert_list(V2 "a.zones 0 PTR a.test.\ncoo.a.zones 0 PTR OTHER.cat.\n"
                   "group.a.zones 0 TXT \"signed\"\ngroup.a.zones 0 TXT \"big\" \"ger\"\n",
                "a.test. a coo other.cat. [bigger] [signed]\n");
    /* The root, and what is not known: other types, other properties, nodes without PTR, deep. */
    assert_list(V2 "r.zones 0 PTR .\nr.zones 0 A 192.0.2.1\nx.r.zones 0 TXT \"y\"\n"
                   "group.x.ext.r.zones 0 TXT \"z\"\ncoo.n.zones 0 PTR c.test.\n"
                   "ext 0 TXT \"mine\"\nzones 0 PTR no.member.\nzonesx 0 PTR no.member.\n",
                ". r\n");
    /* Too long for any name that was agreed upon: as if it were not there. */
    assert_list(V2 "a.zones 0 PTR a.test.\ngroup.a.zones 0 TXT "
                   "\"0123456789012345678901234567890123456789012345678901234567890123456789"
                   "0123456789012345678901234567890123456789012345678901234567890123456789\" "
                   "\"0123456789012345678901234567890123456789012345678901234567890123456789"
                   "0123456789012345678901234567890123456789012345678901234567890123456789\"\n",
                "a.test. a\n");
}

static void test_broken(void **state)
{
    static const struct {
        const char *zone, *words;
    } cases[] = {
        {TOP, "version.cat.example. has no TXT"},
        {TOP "version 0 A 192.0.2.1\n", "version.cat.example. has no TXT"},
        {TOP "version 0 TXT \"1\"\n", "is not the one record"},
        {TOP "version 0 TXT \"2\" \"\"\n", "is not the one record"},
        {V2 "version 0 TXT \"3\"\n", "is not the one record"},
        {V2 "a.zones 0 PTR a.test.\na.zones 0 PTR b.test.\n", "a.zones.cat.example. has several"},
        {V2 "a.zones 0 PTR a.test.\ncoo.a.zones 0 PTR a.\ncoo.a.zones 0 PTR b.\n",
         "coo.a.zones.cat.example. has several"},
        {V2 "a.zones 0 PTR a.test.\nb.zones 0 PTR A.test.\n", "a.test. stands there twice"},
        {V2 "a.zones 0 PTR @\n", "a.zones.cat.example. names the catalog itself"},
    };
    struct errinfo e;

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct zone *z = zone_of(cases[i].zone, CATALOG);
        struct catalog *c = NULL;

        assert_int_equal(catalog_parse(&c, z, &e), ERR_CHECK);
        assert_null(c);
        assert_text_has(e, cases[i].words);
        zone_unref(z);
    }
}

static void test_find(void **state)
{
    struct catalog *c = parsed(V2 "a.zones 0 PTR a.test.\nb.zones 0 PTR b.test.\n"
                                  "c.zones 0 PTR c.test.\n");
    struct catalog_member m;

    (void)state;
    assert_true(catalog_find(c, N("\1A\4test"), &m) && m.label[1] == 'a');
    assert_true(catalog_find(c, N("\1c\4test"), &m) && m.label[1] == 'c');
    assert_false(catalog_find(c, N("\1d\4test"), &m));
    assert_false(catalog_find(c, N("\4test"), &m));
    assert_false(catalog_find(NULL, N("\4test"), &m));
    catalog_free(c);
}

static void note(void *ctx, const struct catalog_member *was, const struct catalog_member *is)
{
    struct buf *out = ctx;

    buf_str(out, !was ? "+ " : !is ? "- " : "! ");
    member_text(out, is ? is : was);
    buf_str(out, "\n");
}

static void assert_diff(const struct catalog *was, const struct catalog *is, const char *expected)
{
    struct buf out = {0};

    catalog_diff(was, is, note, &out);
    assert_string_equal(buf_cstr(&out), expected);
    buf_free(&out);
}

static void test_diff(void **state)
{
    struct catalog *a = parsed(V2 "a.zones 0 PTR a.test.\nb.zones 0 PTR b.test.\n"
                                  "c.zones 0 PTR c.test.\nd.zones 0 PTR d.test.\n");
    struct catalog *b = parsed(V2 "b.zones 0 PTR b.test.\nx.zones 0 PTR c.test.\n"
                                  "d.zones 0 PTR d.test.\ngroup.d.zones 0 TXT \"g\"\n"
                                  "e.zones 0 PTR e.test.\n");

    (void)state;
    assert_diff(a, b, "- a.test. a\n! c.test. x\n! d.test. d [g]\n+ e.test. e\n");
    assert_diff(a, a, "");
    assert_diff(NULL, NULL, "");
    assert_diff(b, NULL, "- b.test. b\n- c.test. x\n- d.test. d [g]\n- e.test. e\n");
    catalog_free(a);
    catalog_free(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_lists), cmocka_unit_test(test_broken),
                                       cmocka_unit_test(test_find), cmocka_unit_test(test_diff)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
