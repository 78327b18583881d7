#include "lib/dns/response.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lib/dns/message_build.h"
#include "msg_util.h"

static uint8_t query[512];
static size_t query_len;
static struct raw m;

static int make_query(void **state)
{
    const struct msg_query_spec spec = {
        .qname = N("\7Example\3com"), .qtype = RR_SOA, .id = 0x1234};

    (void)state;
    query_len = msg_build_query(query, sizeof(query), &spec);
    return query_len == 29 ? 0 : -1;
}

static enum response_outcome check(enum response_kind kind, struct response *out)
{
    return response_check(out, kind, query, query_len, m.b, m.w.pos);
}

struct response_case {
    const char *what;
    uint16_t flags;
    const char *qname; /* NULL: no question */
    uint16_t qtype;
    uint16_t id;
    enum response_outcome single;
    enum response_outcome next;
};

#define NAME "\7example\3com"

static const struct response_case cases[] = {
    {"answer", MSG_QR | MSG_AA, NAME, RR_SOA, 0x1234, RESPONSE_OK, RESPONSE_OK},
    {"refused", MSG_QR | RCODE_REFUSED, NAME, RR_SOA, 0x1234, RESPONSE_OK, RESPONSE_OK},
    {"TC", MSG_QR | MSG_TC, NAME, RR_SOA, 0x1234, RESPONSE_TRUNCATED, RESPONSE_TRUNCATED},
    {"query", 0, NAME, RR_SOA, 0x1234, RESPONSE_NOT_RESPONSE, RESPONSE_NOT_RESPONSE},
    {"ID", MSG_QR, NAME, RR_SOA, 0x1235, RESPONSE_OTHER_ID, RESPONSE_OTHER_ID},
    {"opcode", MSG_QR | OPCODE_NOTIFY << 11, NAME, RR_SOA, 0x1234, RESPONSE_OTHER_OPCODE,
     RESPONSE_OTHER_OPCODE},
    {"type", MSG_QR, NAME, RR_NS, 0x1234, RESPONSE_OTHER_QUESTION, RESPONSE_OTHER_QUESTION},
    {"name", MSG_QR, "\7example\3net", RR_SOA, 0x1234, RESPONSE_OTHER_QUESTION,
     RESPONSE_OTHER_QUESTION},
    {"no question", MSG_QR, NULL, 0, 0x1234, RESPONSE_OTHER_QUESTION, RESPONSE_OK},
    {"no question, error", MSG_QR | RCODE_FORMERR, NULL, 0, 0x1234, RESPONSE_OK, RESPONSE_OK},
    {"no question, TC", MSG_QR | MSG_TC, NULL, 0, 0x1234, RESPONSE_OTHER_QUESTION,
     RESPONSE_TRUNCATED},
};

static void tells_ours_from_others(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct response_case *c = &cases[i];
        struct response out;

        raw_begin(&m, c->flags, c->qname != NULL, 0, 0, 0);
        put_u16(m.b, c->id);
        if (c->qname)
            raw_question(&m, N(c->qname), c->qtype);
        if (check(RESPONSE_SINGLE, &out) != c->single || check(RESPONSE_NEXT, &out) != c->next)
            fail_msg("%s", c->what);
        assert_true(strlen(response_outcome_text(c->single)) > 5);
        if (c->single == RESPONSE_OK) {
            assert_int_equal(out.rcode, c->flags & MSG_RCODE_MASK);
            assert_int_equal(out.has_question, c->qname != NULL);
        }
    }
}

static void refuses_what_is_not_whole(void **state)
{
    struct response out;
    size_t len;

    (void)state;
    raw_begin(&m, MSG_QR, 1, 1, 0, 1);
    raw_question(&m, N(NAME), RR_SOA);
    raw_rr(&m, N(NAME), RR_SOA, CLASS_IN, 60, zeros, 22);
    raw_opt(&m, 1u << 24, "", 0);
    assert_int_equal(check(RESPONSE_SINGLE, &out), RESPONSE_OK);
    assert_int_equal(out.rcode, RCODE_BADVERS);
    assert_int_equal(out.layout.sections[SECTION_ANSWER], 29);
    len = m.w.pos;
    for (m.w.pos = 0; m.w.pos < len; m.w.pos++)
        assert_int_equal(check(RESPONSE_SINGLE, &out), RESPONSE_FORMAT);
    m.w.pos = len + 1;
    m.b[len] = 0;
    assert_int_equal(check(RESPONSE_SINGLE, &out), RESPONSE_FORMAT);
    raw_begin(&m, MSG_QR, 2, 0, 0, 0);
    raw_question(&m, N(NAME), RR_SOA);
    raw_question(&m, N(NAME), RR_SOA);
    assert_int_equal(check(RESPONSE_SINGLE, &out), RESPONSE_OTHER_QUESTION);
    assert_int_equal(check(RESPONSE_NEXT, &out), RESPONSE_OTHER_QUESTION);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tells_ours_from_others),
        cmocka_unit_test(refuses_what_is_not_whole),
    };

    return cmocka_run_group_tests(tests, make_query, NULL);
}
