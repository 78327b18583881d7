#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lib/base/mem.h"
#include "tests/unit/lib/zone/zone_util.h"

#define OLD_SOA "@ 300 SOA ns host 1 1 2 3 4\n"
#define NEW_SOA "@ 300 SOA ns host 2 1 2 3 4\n"
#define NEXT_SOA "@ 300 SOA ns host 3 1 2 3 4\n"
#define OLD_SOA_TEXT "example.org. 300 IN SOA ns.example.org. host.example.org. 1 1 2 3 4\n"
#define NEW_SOA_TEXT "example.org. 300 IN SOA ns.example.org. host.example.org. 2 1 2 3 4\n"
#define NEXT_SOA_TEXT "example.org. 300 IN SOA ns.example.org. host.example.org. 3 1 2 3 4\n"

static void test_finish(void **state)
{
    static const struct {
        const char *in, *out;
    } cases[] = {
        {"", ""},
        /* order */
        {"+b 1 A 1.1.1.2\n+a 1 TXT x\n+b 1 A 1.1.1.1\n+a 1 A 1.1.1.1\n",
         "+a.example.org. 1 IN A 1.1.1.1\n+a.example.org. 1 IN TXT \"x\"\n"
         "+b.example.org. 1 IN A 1.1.1.1\n+b.example.org. 1 IN A 1.1.1.2\n"},
        /* duplicates; the lowest TTL stays */
        {"+a 1 A 1.1.1.1\n+A 1 A 1.1.1.1\n", "+a.example.org. 1 IN A 1.1.1.1\n"},
        {"+a 9 A 1.1.1.1\n+a 3 A 1.1.1.1\n+a 5 A 1.1.1.1\n", "+a.example.org. 3 IN A 1.1.1.1\n"},
        /* what goes and comes back stays */
        {"-a 1 A 1.1.1.1\n+a 1 A 1.1.1.1\n", ""},
        {"-a 1 A 1.1.1.1\n-b 1 A 1.1.1.1\n+a 1 A 1.1.1.1\n+c 1 A 1.1.1.1\n",
         "-b.example.org. 1 IN A 1.1.1.1\n+c.example.org. 1 IN A 1.1.1.1\n"},
        /* but not with another TTL or other octets */
        {"-a 1 A 1.1.1.1\n+a 2 A 1.1.1.1\n",
         "-a.example.org. 1 IN A 1.1.1.1\n+a.example.org. 2 IN A 1.1.1.1\n"},
        {"-a 1 NS b.\n+a 1 NS B.\n", "-a.example.org. 1 IN NS b.\n+a.example.org. 1 IN NS B.\n"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct changeset *cs = changes_of(cases[i].in, EXAMPLE);

        assert_changes(cs, cases[i].out);
        assert_false(cs->has_from);
        changeset_free(cs);
    }
    changeset_free(NULL);
}

static void test_serials(void **state)
{
    struct changeset *cs = changes_of("+a 1 A 1.1.1.1\n-" OLD_SOA "+" NEW_SOA, EXAMPLE);
    struct changeset *first = changes_of("+" NEW_SOA "+@ 1 NS ns\n+@ 1 A 1.1.1.1\n", EXAMPLE);
    struct changeset *below = changes_of("+x "
                                         "300 SOA ns host 9 1 2 3 4\n",
                                         EXAMPLE);

    (void)state;
    assert_true(cs->has_from);
    assert_int_equal(cs->from.v, 1);
    assert_int_equal(cs->to.v, 2);
    assert_false(first->has_from);
    assert_int_equal(first->to.v, 2);
    assert_int_equal(below->to.v, 0);
    changeset_free(cs);
    changeset_free(first);
    changeset_free(below);
}

static void test_refused(void **state)
{
    struct changeset *cs = changeset_new(EXAMPLE);
    struct errinfo e = {{0}};
    struct rr rr = {.owner = N("\3www\7example\3com"),
                    .rdata = (const uint8_t *)"\1\2\3\4",
                    .rdata_len = 4,
                    .type = RR_A,
                    .rclass = CLASS_IN};

    (void)state;
    assert_int_equal(changeset_add(cs, &rr, &e), ERR_CHECK);
    assert_text_has(e, "www.example.com. A: outside the zone");
    assert_int_equal(changeset_remove(cs, &rr, &e), ERR_CHECK);
    rr.owner = EXAMPLE;
    rr.rclass = CLASS_NONE;
    assert_int_equal(changeset_remove(cs, &rr, &e), ERR_CHECK);
    rr.rclass = CLASS_IN;
    rr.type = RR_ANY;
    assert_int_equal(changeset_remove(cs, &rr, &e), ERR_CHECK);
    rr.type = RR_A;
    rr.ttl = UINT32_MAX;
    assert_int_equal(changeset_add(cs, &rr, &e), ERR_CHECK);
    assert_int_equal(cs->added.n + cs->removed.n, 0);
    changeset_free(cs);
}

static void test_invert(void **state)
{
    struct changeset *cs =
        changes_of("-" OLD_SOA "-b 1 A 1.1.1.1\n+" NEW_SOA "+a 1 A 1.1.1.1\n", EXAMPLE);
    struct changeset *first = changes_of("+" NEW_SOA, EXAMPLE);
    struct changeset *back = NULL;
    struct errinfo e = {{0}};

    (void)state;
    assert_ok(changeset_invert(&back, cs, &e));
    assert_true(back->has_from);
    assert_int_equal(back->from.v, 2);
    assert_int_equal(back->to.v, 1);
    assert_changes(back, "-" NEW_SOA_TEXT "-a.example.org. 1 IN A 1.1.1.1\n+" OLD_SOA_TEXT
                         "+b.example.org. 1 IN A 1.1.1.1\n");
    changeset_free(back);
    assert_int_equal(changeset_invert(&back, first, &e), ERR_SERIAL);
    changeset_free(first);
    changeset_free(cs);
}

static void test_join(void **state)
{
    static const struct {
        const char *a, *b, *joined;
        enum err rc;
        const char *says;
    } cases[] = {
        {"", "", "", OK, ""},
        {"+x 1 A 1.1.1.1\n", "+y 1 A 1.1.1.1\n",
         "+x.example.org. 1 IN A 1.1.1.1\n+y.example.org. 1 IN A 1.1.1.1\n", OK, ""},
        {"+x 1 A 1.1.1.1\n", "-x 1 A 1.1.1.1\n", "", OK, ""},
        {"-x 1 A 1.1.1.1\n", "+x 1 A 1.1.1.1\n", "", OK, ""},
        {"-x 1 A 1.1.1.1\n", "+x 2 A 1.1.1.1\n",
         "-x.example.org. 1 IN A 1.1.1.1\n+x.example.org. 2 IN A 1.1.1.1\n", OK, ""},
        {"-x 1 A 1.1.1.1\n+x 2 A 1.1.1.1\n", "-x 2 A 1.1.1.1\n+x 1 A 1.1.1.1\n", "", OK, ""},
        {"-x 1 A 1.1.1.1\n+x 2 A 1.1.1.1\n", "-x 2 A 1.1.1.1\n+x 3 A 1.1.1.1\n",
         "-x.example.org. 1 IN A 1.1.1.1\n+x.example.org. 3 IN A 1.1.1.1\n", OK, ""},
        {"-x 1 A 1.1.1.1\n+x 2 A 1.1.1.1\n", "-x 2 A 1.1.1.1\n", "-x.example.org. 1 IN A 1.1.1.1\n",
         OK, ""},
        {"+x 1 A 1.1.1.1\n", "+x 1 A 1.1.1.1\n", "", ERR_CONFLICT,
         "x.example.org. A: added by both"},
        {"-x 1 A 1.1.1.1\n", "-x 1 A 1.1.1.1\n", "", ERR_CONFLICT,
         "x.example.org. A: removed by both"},
        {"+x 1 A 1.1.1.1\n", "-x 2 A 1.1.1.1\n", "", ERR_CONFLICT,
         "x.example.org. A: removed with TTL 2, but was added with TTL 1"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct changeset *a = changes_of(cases[i].a, EXAMPLE);
        struct changeset *b = changes_of(cases[i].b, EXAMPLE);
        struct changeset *joined = NULL;
        struct errinfo e = {{0}};

        b->has_from = true;
        assert_int_equal(changeset_join(&joined, a, b, &e), cases[i].rc);
        if (joined)
            assert_changes(joined, cases[i].joined);
        assert_text_has(e, cases[i].says);
        changeset_free(joined);
        changeset_free(a);
        changeset_free(b);
    }
}

static void test_join_serials(void **state)
{
    struct changeset *a = changes_of("-" OLD_SOA "+" NEW_SOA, EXAMPLE);
    struct changeset *b = changes_of("-" NEW_SOA "+" NEXT_SOA, EXAMPLE);
    struct changeset *back = changes_of("-" NEXT_SOA "+" OLD_SOA, EXAMPLE);
    struct changeset *other = changeset_new(ROOT);
    struct changeset *joined = NULL;
    struct changeset *round = NULL;
    struct errinfo e = {{0}};

    (void)state;
    assert_ok(changeset_join(&joined, a, b, &e));
    assert_int_equal(joined->from.v, 1);
    assert_int_equal(joined->to.v, 3);
    assert_changes(joined, "-" OLD_SOA_TEXT "+" NEXT_SOA_TEXT);
    assert_ok(changeset_join(&round, joined, back, &e));
    assert_changes(round, "");
    assert_int_equal(round->from.v, 1);
    assert_int_equal(round->to.v, 1);
    changeset_free(joined);
    assert_int_equal(changeset_join(&joined, b, a, &e), ERR_SERIAL);
    assert_text_has(e, "serial 3 is followed by one from 1");
    assert_int_equal(changeset_join(&joined, a, other, &e), ERR_CONFLICT);
    changeset_free(a);
    changeset_free(b);
    changeset_free(back);
    changeset_free(other);
    changeset_free(round);
}

/* The example of docs/page-format.md. */
static const uint8_t example[] = {
    0x5a, 0x43, 0x01, 0x01, 0x78, 0xc4, 0x05, 0x2d, 0x78, 0xc4, 0x05, 0x2e, 0x00, 0x00, 0x00,
    0x02, 0x00, 0x00, 0x00, 0x03, 0x00, 0x00, 0x06, 0x00, 0x00, 0x0e, 0x10, 0x00, 0x36, 0x02,
    0x6e, 0x73, 0x07, 0x65, 0x78, 0x61, 0x6d, 0x70, 0x6c, 0x65, 0x03, 0x6f, 0x72, 0x67, 0x00,
    0x04, 0x68, 0x6f, 0x73, 0x74, 0x07, 0x65, 0x78, 0x61, 0x6d, 0x70, 0x6c, 0x65, 0x03, 0x6f,
    0x72, 0x67, 0x00, 0x78, 0xc4, 0x05, 0x2d, 0x00, 0x00, 0x1c, 0x20, 0x00, 0x00, 0x03, 0x84,
    0x00, 0x12, 0x75, 0x00, 0x00, 0x00, 0x01, 0x2c, 0x04, 0x03, 0x77, 0x77, 0x77, 0x00, 0x01,
    0x00, 0x00, 0x01, 0x2c, 0x00, 0x04, 0xc0, 0x00, 0x02, 0x51, 0x00, 0x00, 0x06, 0x00, 0x00,
    0x0e, 0x10, 0x00, 0x36, 0x02, 0x6e, 0x73, 0x07, 0x65, 0x78, 0x61, 0x6d, 0x70, 0x6c, 0x65,
    0x03, 0x6f, 0x72, 0x67, 0x00, 0x04, 0x68, 0x6f, 0x73, 0x74, 0x07, 0x65, 0x78, 0x61, 0x6d,
    0x70, 0x6c, 0x65, 0x03, 0x6f, 0x72, 0x67, 0x00, 0x78, 0xc4, 0x05, 0x2e, 0x00, 0x00, 0x1c,
    0x20, 0x00, 0x00, 0x03, 0x84, 0x00, 0x12, 0x75, 0x00, 0x00, 0x00, 0x01, 0x2c, 0x04, 0x03,
    0x77, 0x77, 0x77, 0x00, 0x01, 0x00, 0x00, 0x01, 0x2c, 0x00, 0x04, 0xc0, 0x00, 0x02, 0x52,
    0xff, 0x00, 0x10, 0x00, 0x00, 0x01, 0x2c, 0x00, 0x04, 0x03, 0x6e, 0x65, 0x77};

static void test_octets(void **state)
{
    struct changeset *cs = changes_of("-@ 3600 SOA ns host 2026112301 7200 900 1209600 300\n"
                                      "-www 300 A 192.0.2.81\n"
                                      "+@ 3600 SOA ns host 2026112302 7200 900 1209600 300\n"
                                      "+www 300 A 192.0.2.82\n"
                                      "+www 300 TXT new\n",
                                      EXAMPLE);
    struct buf code = BUF_INIT;
    struct changeset *back = NULL;
    struct errinfo e = {{0}};
    char *text = changes_text(cs);

    (void)state;
    changeset_encode(&code, cs);
    assert_int_equal(code.len, sizeof(example));
    assert_memory_equal(code.data, example, sizeof(example));
    assert_ok(changeset_decode(&back, example, sizeof(example), EXAMPLE, &e));
    assert_changes(back, text);
    assert_true(back->has_from);
    assert_int_equal(back->from.v, 2026112301);
    assert_int_equal(back->to.v, 2026112302);
    free(text);
    buf_free(&code);
    changeset_free(back);
    changeset_free(cs);
}

/* Decodes octets that end where they end; what is accepted must be written the same way again. */
static enum err decode_exact(const uint8_t *data, size_t len, struct errinfo *e)
{
    uint8_t *copy = xmemdup(data, len);
    struct changeset *cs = NULL;
    enum err rc = changeset_decode(&cs, copy, len, EXAMPLE, e);

    if (!rc) {
        struct buf code = BUF_INIT;

        changeset_encode(&code, cs);
        assert_int_equal(code.len, len);
        assert_memory_equal(code.data, copy, len);
        buf_free(&code);
        changeset_free(cs);
    }
    free(copy);
    return rc;
}

static void test_damage(void **state)
{
    static const struct {
        size_t at;
        uint8_t octet;
        const char *says;
    } cases[] = {
        {0x00, 0, "no change set"},
        {0x02, 2, "no change set"},
        {0x03, 3, "no change set"},
        {0x03, 0, "no change set"},
        {0x07, 1, "another serial"},
        {0x0b, 1, "another serial"},
        {0x0c, 0xff, "removed: 4278190082 records"},
        {0x0f, 3, "removed: record 2: SOA: out of order"},
        {0x13, 2, "too many"},
        {0x13, 4, "added: record 3"},
        {0x14, 255, "removed: record 0: no owner"},
        {0x16, 1, "removed: record 0: A"},
        {0x16, 0, "removed: record 0"},
        {0x17, 0x80, "TTL"},
        {0x1d, 0xc0, "removed: record 0: SOA"},
        {0x54, 4, "removed: record 1: no owner"},
        {0x55, 'W', "removed: record 1: no owner"},
        {0x5f, 3, "removed: record 1"},
        {0xb6, 1, "added: record 2"},
    };
    struct errinfo e = {{0}};

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint8_t copy[sizeof(example)];

        memcpy(copy, example, sizeof(copy));
        copy[cases[i].at] = cases[i].octet;
        if (decode_exact(copy, sizeof(copy), &e) != ERR_CORRUPT)
            fail_msg("octet %zu set to %u is accepted", cases[i].at, cases[i].octet);
        assert_text_has(e, cases[i].says);
    }
    for (size_t n = 0; n < sizeof(example); n++)
        assert_int_equal(decode_exact(example, n, &e), ERR_CORRUPT);
    for (size_t bit = 0; bit < 8 * sizeof(example); bit++) {
        uint8_t copy[sizeof(example)];

        memcpy(copy, example, sizeof(copy));
        copy[bit / 8] ^= (uint8_t)(1u << bit % 8);
        (void)decode_exact(copy, sizeof(copy), &e);
    }
}

/* An owner that is written out although it is that of the record before. */
static void test_owner_said_twice(void **state)
{
    uint8_t copy[sizeof(example) + 4];
    struct errinfo e = {{0}};
    size_t at = 0xb4;

    (void)state;
    memcpy(copy, example, at);
    memcpy(copy + at, "\4\3www", 5);
    memcpy(copy + at + 5, example + at + 1, sizeof(example) - at - 1);
    assert_int_equal(decode_exact(copy, sizeof(copy), &e), ERR_CORRUPT);
    assert_text_has(e, "says an owner twice");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_finish),
        cmocka_unit_test(test_serials),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_invert),
        cmocka_unit_test(test_join),
        cmocka_unit_test(test_join_serials),
        cmocka_unit_test(test_octets),
        cmocka_unit_test(test_damage),
        cmocka_unit_test(test_owner_said_twice),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
