/* The question for a zone's content id, and its answer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "lib/dns/content_query.h"
#include "lib/dns/rr.h"

#define ID "0123456789abcdef0123456789abcdef01234567"

static struct query asking(const char *text, uint16_t type, uint16_t class)
{
    struct query q = {.qtype = type, .qclass = class};

    assert_int_equal(name_from_text(q.qname, text, strlen(text), NULL, NULL), OK);
    return q;
}

static void test_only_its_own_question_is_one(void **state)
{
    struct query q = asking("_content-id.example.", RR_TXT, CLASS_CH);
    (void)state;

    assert_true(content_query_is(&q));
    q = asking("_content-id.", RR_TXT, CLASS_CH); /* of the root zone */
    assert_true(content_query_is(&q));
    q = asking("_content-id.example.", RR_TXT, CLASS_IN);
    assert_false(content_query_is(&q));
    q = asking("_content-id.example.", RR_A, CLASS_CH);
    assert_false(content_query_is(&q));
    q = asking("x._content-id.example.", RR_TXT, CLASS_CH);
    assert_false(content_query_is(&q));
    q = asking("id.server.", RR_TXT, CLASS_CH);
    assert_false(content_query_is(&q));
}

static void test_a_name_made_is_a_name_asked_for(void **state)
{
    struct query q = asking("example.net.", RR_TXT, CLASS_CH);
    struct query made = {.qtype = RR_TXT, .qclass = CLASS_CH};
    uint8_t longest[NAME_MAX_OCTETS + 64];
    size_t n = 0;
    (void)state;

    assert_true(content_query_name(made.qname, q.qname));
    assert_true(content_query_is(&made));
    assert_true(name_eq(name_parent(made.qname), q.qname));
    while (n + 4 < NAME_MAX_OCTETS - 12) { /* one that has no room for the label */
        memcpy(longest + n, "\3abc", 4);
        n += 4;
    }
    memcpy(longest + n, "\3abc\3abc", 9);
    assert_false(content_query_name(made.qname, longest));
}

static void test_an_answer_is_read_as_it_was_put(void **state)
{
    struct content_answer a = {.serial = {4294967295u}, .version = 7, .id = ID};
    struct content_answer back;
    struct buf rdata = BUF_INIT;
    (void)state;

    content_answer_put(&rdata, &a);
    assert_true(content_answer_read(&back, rdata.data, rdata.len));
    assert_int_equal(back.serial.v, a.serial.v);
    assert_int_equal(back.version, 7);
    assert_string_equal(back.id, ID);
    for (size_t cut = 0; cut < rdata.len; cut++) {
        uint8_t *part = test_malloc(cut + 1);

        memcpy(part, rdata.data, cut);
        assert_false(content_answer_read(&back, part, cut));
        test_free(part);
    }
    buf_u8(&rdata, 0);
    assert_false(content_answer_read(&back, rdata.data, rdata.len));
    buf_free(&rdata);
}

static void refused(const char *serial, const char *version, const char *id)
{
    const char *const parts[] = {serial, version, id};
    struct content_answer back;
    struct buf rdata = BUF_INIT;

    for (int i = 0; i < 3; i++) {
        buf_u8(&rdata, (uint8_t)strlen(parts[i]));
        buf_str(&rdata, parts[i]);
    }
    assert_false(content_answer_read(&back, rdata.data, rdata.len));
    buf_free(&rdata);
}

static void test_other_texts_are_refused(void **state)
{
    (void)state;
    refused("serial=4294967296", "version=1", "content-id=" ID);
    refused("serial=-1", "version=1", "content-id=" ID);
    refused("serial=", "version=1", "content-id=" ID);
    refused("serial=1", "version=1x", "content-id=" ID);
    refused("serial=1", "version=1", "content-id=" ID "0");
    refused("serial=1", "version=1", "content-id=0123456789ABCDEF0123456789abcdef01234567");
    refused("version=1", "serial=1", "content-id=" ID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_only_its_own_question_is_one),
        cmocka_unit_test(test_a_name_made_is_a_name_asked_for),
        cmocka_unit_test(test_an_answer_is_read_as_it_was_put),
        cmocka_unit_test(test_other_texts_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
