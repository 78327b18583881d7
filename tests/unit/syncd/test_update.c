/* UPDATE, RFC 2136 section by section: what is form, what is required, what is changed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/base/mem.h"
#include "syncd/update.h"
#include "tests/tools/answer_fixture.h"

#define SOA "\3ns1\7example\0\4host\7example\0"
#define A1 "\300\0\2\1"
#define A2 "\300\0\2\2"

/* A record of a message: owner below the apex ("" is the apex, "." the root), and RDATA. */
struct record {
    const char *owner;
    uint16_t type, rclass;
    uint32_t ttl;
    const char *rdata;
    uint16_t len;
};

#define MAX 6

struct update_case {
    struct record required[MAX], wanted[MAX];
    uint16_t rcode;
    const char *adds, *removes; /* words that must be in the change; NULL: nothing changes */
};

#define END                                                                                        \
    {                                                                                              \
        NULL, 0, 0, 0, NULL, 0                                                                     \
    }
#define WWW_A1                                                                                     \
    {                                                                                              \
        "\3www", RR_A, CLASS_IN, 60, A1, 4                                                         \
    }

static struct zone *zone;
static uint8_t message[MSG_MAX_OCTETS];

static void put_record(struct buf *b, const struct record *r)
{
    buf_put(b, r->owner, strlen(r->owner));
    buf_put(b, "\7example", 9);
    buf_u16(b, r->type);
    buf_u16(b, r->rclass);
    buf_u32(b, r->ttl);
    buf_u16(b, r->len);
    buf_put(b, r->rdata, r->len);
}

static uint16_t put_records(struct buf *b, const struct record *list)
{
    uint16_t n = 0;

    while (n < MAX && list[n].owner)
        put_record(b, &list[n++]);
    return n;
}

static size_t message_of(const struct update_case *c)
{
    struct buf b = BUF_INIT;
    size_t len;

    buf_put(&b, "\0\1\50\0\0\1\0\0\0\0\0\0\7example\0\0\6\0\1", 25);
    put_u16(b.data + 6, 0);
    {
        uint16_t required = put_records(&b, c->required);
        uint16_t wanted = put_records(&b, c->wanted);

        put_u16(b.data + 6, required);
        put_u16(b.data + 8, wanted);
    }
    len = b.len;
    memcpy(message, b.data, len);
    buf_free(&b);
    return len;
}

static bool may(void *ctx, const uint8_t *owner, uint16_t type)
{
    (void)ctx;
    (void)type;
    return !name_eq(owner, (const uint8_t *)"\6locked\7example");
}

static char *list_text(const struct rr_list *l)
{
    struct buf b = BUF_INIT;
    char *text;

    for (size_t i = 0; i < l->n; i++) {
        if (l->rrs[i].type != RR_SOA)
            rr_to_text(&b, &l->rrs[i]);
    }
    text = xstrdup(buf_cstr(&b));
    buf_free(&b);
    return text;
}

static const struct update_case cases[] = {
    /* 3.2: prerequisites */
    {{{"\3www", RR_ANY, CLASS_ANY, 0, "", 0}, END}, {END}, RCODE_NOERROR, NULL, NULL},
    {{{"\2no", RR_ANY, CLASS_ANY, 0, "", 0}, END}, {END}, RCODE_NXDOMAIN, NULL, NULL},
    {{{"\1b\1c", RR_ANY, CLASS_ANY, 0, "", 0}, END}, {END}, RCODE_NXDOMAIN, NULL, NULL},
    {{{"\3www", RR_A, CLASS_ANY, 0, "", 0}, END}, {END}, RCODE_NOERROR, NULL, NULL},
    {{{"\3www", RR_MX, CLASS_ANY, 0, "", 0}, END}, {END}, RCODE_NXRRSET, NULL, NULL},
    {{{"\2no", RR_ANY, CLASS_NONE, 0, "", 0}, END}, {END}, RCODE_NOERROR, NULL, NULL},
    {{{"\3www", RR_ANY, CLASS_NONE, 0, "", 0}, END}, {END}, RCODE_YXDOMAIN, NULL, NULL},
    {{{"\3www", RR_A, CLASS_NONE, 0, "", 0}, END}, {END}, RCODE_YXRRSET, NULL, NULL},
    {{{"\3www", RR_A, CLASS_IN, 0, A1, 4}, {"\3www", RR_A, CLASS_IN, 0, A2, 4}, END},
     {END},
     RCODE_NOERROR,
     NULL,
     NULL},
    {{{"\3www", RR_A, CLASS_IN, 0, A1, 4}, END}, {END}, RCODE_NXRRSET, NULL, NULL},
    {{{"\3WWW", RR_A, CLASS_IN, 0, A1, 4}, {"\3www", RR_A, CLASS_IN, 0, A1, 4}, END},
     {END},
     RCODE_NXRRSET,
     NULL,
     NULL},
    /* their form */
    {{{"\3www", RR_ANY, CLASS_ANY, 1, "", 0}, END}, {END}, RCODE_FORMERR, NULL, NULL},
    {{{"\3www", RR_A, CLASS_ANY, 0, A1, 4}, END}, {END}, RCODE_FORMERR, NULL, NULL},
    {{{"\3www", RR_A, CLASS_NONE, 0, A1, 4}, END}, {END}, RCODE_FORMERR, NULL, NULL},
    {{{"\3www", RR_A, CLASS_CH, 0, A1, 4}, END}, {END}, RCODE_FORMERR, NULL, NULL},
    {{{"\3www", RR_ANY, CLASS_IN, 0, "", 0}, END}, {END}, RCODE_FORMERR, NULL, NULL},
    {{{"\3www", RR_A, CLASS_IN, 0, "\1\2", 2}, END}, {END}, RCODE_FORMERR, NULL, NULL},

    /* 3.4.1: the form of updates, and that one bad record spoils all */
    {{END}, {WWW_A1, {"\1x", RR_A, CLASS_ANY, 1, "", 0}, END}, RCODE_FORMERR, NULL, NULL},
    {{END}, {{"\1x", RR_A, CLASS_ANY, 0, A1, 4}, END}, RCODE_FORMERR, NULL, NULL},
    {{END}, {{"\1x", RR_A, CLASS_NONE, 1, A1, 4}, END}, RCODE_FORMERR, NULL, NULL},
    {{END}, {{"\1x", RR_ANY, CLASS_NONE, 0, "", 0}, END}, RCODE_FORMERR, NULL, NULL},
    {{END}, {{"\1x", RR_ANY, CLASS_IN, 0, "", 0}, END}, RCODE_FORMERR, NULL, NULL},
    {{END}, {{"\1x", RR_AXFR, CLASS_ANY, 0, "", 0}, END}, RCODE_FORMERR, NULL, NULL},
    {{END}, {{"\1x", RR_TSIG, CLASS_ANY, 0, "", 0}, END}, RCODE_FORMERR, NULL, NULL},
    {{END}, {{"\1x", RR_A, CLASS_CH, 0, A1, 4}, END}, RCODE_FORMERR, NULL, NULL},
    {{END}, {{"\1x", RR_A, CLASS_IN, 60, "\1", 1}, END}, RCODE_FORMERR, NULL, NULL},
    {{END}, {{"\1x", RR_A, CLASS_IN, 60, "", 0}, END}, RCODE_FORMERR, NULL, NULL},
    {{END}, {WWW_A1, {"\6locked", RR_A, CLASS_IN, 60, A1, 4}, END}, RCODE_REFUSED, NULL, NULL},
    {{END}, {{"\6locked", RR_ANY, CLASS_ANY, 0, "", 0}, END}, RCODE_REFUSED, NULL, NULL},

    /* 3.4.2.2: adding */
    {{END}, {{"\1x", RR_A, CLASS_IN, 60, A1, 4}, END}, RCODE_NOERROR, "x.example. 60 IN A", ""},
    {{END}, {{"\3www", RR_A, CLASS_IN, 300, A1, 4}, END}, RCODE_NOERROR, NULL, NULL},
    {{END}, /* the TTL of all of an RRset */
     {{"\3www", RR_A, CLASS_IN, 9, A1, 4}, END},
     RCODE_NOERROR,
     "www.example. 9 IN A 192.0.2.2",
     "www.example. 300 IN A 192.0.2.2"},
    {{END}, {{"\3www", RR_CNAME, CLASS_IN, 9, "\1x\0", 3}, END}, RCODE_NOERROR, NULL, NULL},
    {{END}, {{"\5alias", RR_A, CLASS_IN, 9, A1, 4}, END}, RCODE_NOERROR, NULL, NULL},
    {{END},
     {{"\5alias", RR_CNAME, CLASS_IN, 300, "\1x\0", 3}, END},
     RCODE_NOERROR,
     "alias.example. 300 IN CNAME x.",
     "alias.example. 300 IN CNAME www.example."},
    {{END},
     {{"\1d", RR_DNAME, CLASS_IN, 300, "\1x\0", 3}, END},
     RCODE_NOERROR,
     "d.example. 300 IN DNAME x.",
     "d.example. 300 IN DNAME other."},
    {{END}, /* an older SOA, and one that isn't at the apex */
     {{"", RR_SOA, CLASS_IN, 9, SOA "\0\0\0\6\0\0\0\1\0\0\0\1\0\0\0\1\0\0\0\1", 47}, END},
     RCODE_NOERROR,
     NULL,
     NULL},
    {{END}, /* what zone_check refuses: something below a DNAME */
     {{"\1x\1d", RR_A, CLASS_IN, 9, A1, 4}, END},
     RCODE_REFUSED,
     NULL,
     NULL},

    /* 3.4.2.3 and 3.4.2.4: taking away */
    {{END}, {{"\3www", RR_A, CLASS_ANY, 0, "", 0}, END}, RCODE_NOERROR, "", "A 192.0.2.1"},
    {{END}, {{"\3www", RR_ANY, CLASS_ANY, 0, "", 0}, END}, RCODE_NOERROR, "", "TXT \"x\""},
    {{END}, {{"\3www", RR_A, CLASS_NONE, 0, A2, 4}, END}, RCODE_NOERROR, "", "A 192.0.2.2"},
    {{END}, {{"\2no", RR_ANY, CLASS_ANY, 0, "", 0}, END}, RCODE_NOERROR, NULL, NULL},
    {{END}, {{"\3www", RR_A, CLASS_NONE, 0, "\1\1\1\1", 4}, END}, RCODE_NOERROR, NULL, NULL},
    {{END}, {{"", RR_ANY, CLASS_ANY, 0, "", 0}, END}, RCODE_NOERROR, "", "MX 10"},
    {{END}, {{"", RR_SOA, CLASS_ANY, 0, "", 0}, END}, RCODE_NOERROR, NULL, NULL},
    {{END}, {{"", RR_NS, CLASS_ANY, 0, "", 0}, END}, RCODE_NOERROR, NULL, NULL},
    {{END}, /* one NS goes, the last one stays */
     {{"", RR_NS, CLASS_NONE, 0, "\3ns1\7example\0", 13},
      {"", RR_NS, CLASS_NONE, 0, "\3ns2\7example\0", 13},
      END},
     RCODE_NOERROR,
     "",
     "NS ns1.example."},
    {{END}, {{"\3sub", RR_NS, CLASS_ANY, 0, "", 0}, END}, RCODE_NOERROR, "", "NS ns.sub.example."},
    {{END}, /* in order: what is gone may come again */
     {{"\3www", RR_ANY, CLASS_ANY, 0, "", 0}, {"\3www", RR_CNAME, CLASS_IN, 5, "\1y\0", 3}, END},
     RCODE_NOERROR,
     "www.example. 5 IN CNAME y.",
     "www.example. 300 IN A 192.0.2.1"},
    {{END},
     {{"\1x", RR_A, CLASS_IN, 5, A1, 4}, {"\1x", RR_A, CLASS_NONE, 0, A1, 4}, END},
     RCODE_NOERROR,
     NULL,
     NULL},
};

static void check(size_t i, const struct update_case *c, const struct update_result *r)
{
    char *added, *removed;

    if (r->rcode != c->rcode)
        fail_msg("case %zu: rcode %u: %s", i, (unsigned)r->rcode, r->error.text);
    if (!r->next != !c->adds)
        fail_msg("case %zu: %s", i, r->next ? "a change" : "no change");
    if (!r->next)
        return;
    added = list_text(&r->changes->added);
    removed = list_text(&r->changes->removed);
    if (!strstr(added, c->adds) || !strstr(removed, c->removes))
        fail_msg("case %zu: added %s, removed %s", i, added, removed);
    assert_int_equal(r->changes->from.v, 7);
    assert_int_equal(r->changes->to.v, 8);
    assert_int_equal(zone_serial(r->next).v, 8);
    free(added);
    free(removed);
}

static void test_cases(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct update_result r;

        update_apply(&r, zone, message, message_of(&cases[i]), NULL, may, NULL);
        check(i, &cases[i], &r);
        update_result_done(&r);
    }
}

static void test_serial_of_the_message(void **state)
{
    static const struct update_case c = {
        {END},
        {{"", RR_SOA, CLASS_IN, 9, SOA "\0\0\0\144\0\0\0\1\0\0\0\1\0\0\0\1\0\0\0\1", 47}, END},
        RCODE_NOERROR,
        NULL,
        NULL};
    struct update_result r;

    (void)state;
    update_apply(&r, zone, message, message_of(&c), NULL, may, NULL);
    assert_int_equal(r.rcode, RCODE_NOERROR);
    assert_non_null(r.next);
    assert_int_equal(zone_serial(r.next).v, 100);
    update_result_done(&r);
}

static void test_outside_and_broken(void **state)
{
    static const struct update_case c = {{END}, {WWW_A1, END}, RCODE_NOERROR, NULL, NULL};
    size_t len = message_of(&c);
    struct update_result r;

    (void)state;
    for (size_t n = 0; n < len; n++) {
        update_apply(&r, zone, message, n, NULL, may, NULL);
        assert_int_equal(r.rcode, RCODE_FORMERR);
        assert_null(r.next);
        update_result_done(&r);
    }
    message[25] = 0; /* the owner becomes the root */
    memmove(message + 26, message + 25 + 13, len - 25 - 13);
    update_apply(&r, zone, message, len - 12, NULL, may, NULL);
    assert_int_equal(r.rcode, RCODE_NOTZONE);
    update_result_done(&r);
}

static int setup(void **state)
{
    (void)state;
    zone =
        text_zone("example.", "$TTL 300\n@ SOA ns1 host 7 3600 900 604800 300\n@ NS ns1\n@ NS ns2\n"
                              "@ MX 10 www\nns1 A 192.0.2.1\nns2 A 192.0.2.2\n"
                              "www A 192.0.2.1\nwww A 192.0.2.2\nwww TXT x\nalias CNAME www\n"
                              "d DNAME other.\nsub NS ns.sub\nns.sub A 192.0.2.5\n"
                              "a.b.c MX 1 www\nlocked A 192.0.2.6\n");
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    zone_unref(zone);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cases),
        cmocka_unit_test(test_serial_of_the_message),
        cmocka_unit_test(test_outside_and_broken),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
