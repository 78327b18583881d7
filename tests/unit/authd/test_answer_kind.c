/* What an answer is, and the name that its rate is counted for: never one that a stranger can vary
 * at will. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "authd/answer.h"
#include "tests/tools/answer_fixture.h"

static const char *const zones[][2] = {
    {"example.", "@ 300 SOA ns h 1 2 3 4 60\n"
                 "@ NS ns\n"
                 "ns A 192.0.2.1\n"
                 "www A 192.0.2.2\n"
                 "alias CNAME www\n"
                 "dangling CNAME nothing.other.\n"
                 "*.wild A 192.0.2.3\n"
                 "*.far CNAME nothing.other.\n"
                 "sub NS ns.sub\n"
                 "ns.sub A 192.0.2.4\n"
                 "moved DNAME other.\n"
                 "a.ent A 192.0.2.5\n"},
    {"other.", "@ 300 SOA ns h 1 2 3 4 60\n@ NS ns\nns A 192.0.2.1\nx A 192.0.2.9\n"},
};

struct expected {
    const char *qname, *qtype;
    enum answer_kind kind;
    const char *name; /* NULL: none */
    const char *zone; /* NULL: none */
};

static const struct expected cases[] = {
    {"www.example.", "A", ANSWER_DATA, "www.example.", "example."},
    {"WwW.eXample.", "A", ANSWER_DATA, "www.example.", "example."},
    {"www.example.", "ANY", ANSWER_DATA, "www.example.", "example."},
    {"www.example.", "MX", ANSWER_NO_TYPE, "example.", "example."},
    {"ent.example.", "A", ANSWER_NO_TYPE, "example.", "example."},
    {"none.Example.", "A", ANSWER_NO_NAME, "example.", "example."},
    {"random.a.WILD.example.", "A", ANSWER_DATA, "wild.example.", "example."},
    {"random.wild.example.", "MX", ANSWER_NO_TYPE, "example.", "example."},
    {"alias.example.", "A", ANSWER_DATA, "alias.example.", "example."},
    /* The rcode is that of the chain's end, the kind that of its beginning. */
    {"dangling.example.", "A", ANSWER_DATA, "dangling.example.", "example."},
    {"random.far.example.", "A", ANSWER_DATA, "far.example.", "example."},
    {"random.SUB.example.", "A", ANSWER_REFERRAL, "sub.example.", "example."},
    {"sub.example.", "DS", ANSWER_NO_TYPE, "example.", "example."},
    {"random.moved.example.", "A", ANSWER_DATA, "moved.example.", "example."},
    {"x.moved.example.", "A", ANSWER_DATA, "moved.example.", "example."},
    {"elsewhere.", "A", ANSWER_ERROR, NULL, NULL},
    {"example.", "AXFR", ANSWER_ERROR, NULL, NULL},
};

static void kinds_and_names(void **state)
{
    struct zonedb *db = text_zonedb(zones, 2);
    struct answerer *a = answerer_new(db);
    uint8_t query[65535], out[4096];
    char text[NAME_TEXT_MAX];

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct expected *x = &cases[i];
        struct ask q = {.qname = x->qname, .qtype = x->qtype};
        size_t len = ask_build(query, &q);

        (void)answer_octets(a, plain_config(), query, len, false, out, sizeof(out));
        assert_int_equal(a->kind, x->kind);
        assert_int_equal(a->limit_name != NULL, x->name != NULL);
        if (x->name) {
            (void)name_to_text(text, a->limit_name);
            assert_string_equal(text, x->name);
        }
        assert_int_equal(a->served != NULL, x->zone != NULL);
        if (x->zone) {
            (void)name_to_text(text, zone_apex(a->served->zone));
            assert_string_equal(text, x->zone);
        }
    }
    free(a);
    zonedb_free(db);
}

static void an_empty_answer_says_tc_alone(void **state)
{
    struct zonedb *db = text_zonedb(zones, 2);
    struct answerer *a = answerer_new(db);
    uint8_t query[65535], out[4096];
    struct ask q = {.qname = "WWW.example.", .qtype = "A", .edns = true, .dnssec = true};
    struct ask plain = {.qname = "none.example.", .qtype = "A"};
    size_t len = ask_build(query, &q);
    char *text;

    (void)state;
    (void)answer_octets(a, plain_config(), query, len, false, out, sizeof(out));
    text = answer_text(out, answer_empty(a, plain_config(), out, sizeof(out)));
    assert_string_equal(text, "NOERROR tc\nopt 1232 do\n");
    free(text);
    len = ask_build(query, &plain);
    (void)answer_octets(a, plain_config(), query, len, false, out, sizeof(out));
    assert_int_equal(answer_empty(a, plain_config(), out, sizeof(out)), len);
    assert_int_equal(out[3] & 15, 0); /* whether the name is there, TCP tells */
    free(a);
    zonedb_free(db);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kinds_and_names),
        cmocka_unit_test(an_empty_answer_says_tc_alone),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
