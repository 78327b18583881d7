#include "lib/dns/rr.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "rdata_cases.h"

static const struct {
    uint16_t type;
    const char *name;
} types[] = {
    {RR_A, "A"},          {RR_NS, "NS"},         {RR_SOA, "SOA"},     {RR_NSAP_PTR, "NSAP-PTR"},
    {RR_AAAA, "AAAA"},    {RR_NSEC3, "NSEC3"},   {RR_HTTPS, "HTTPS"}, {RR_NSEC3PARAM, "NSEC3PARAM"},
    {RR_URI, "URI"},      {RR_WALLET, "WALLET"}, {RR_TA, "TA"},       {RR_DLV, "DLV"},
    {RR_OPT, "OPT"},      {RR_TKEY, "TKEY"},     {RR_TSIG, "TSIG"},   {RR_IXFR, "IXFR"},
    {RR_AXFR, "AXFR"},    {RR_MAILB, "MAILB"},   {RR_MAILA, "MAILA"}, {RR_ANY, "ANY"},
    {0, "TYPE0"},         {54, "TYPE54"},        {263, "TYPE263"},    {65280, "TYPE65280"},
    {65535, "TYPE65535"},
};

static void types_as_text(void **state)
{
    char text[TYPE_TEXT_MAX];
    uint16_t type;

    (void)state;
    for (size_t i = 0; i < COUNT(types); i++) {
        type_to_text(text, types[i].type);
        assert_string_equal(text, types[i].name);
    }
    for (unsigned t = 0; t <= UINT16_MAX; t++) {
        char lower[TYPE_TEXT_MAX];
        char generic[TYPE_TEXT_MAX];
        size_t n;

        type_to_text(text, (uint16_t)t);
        n = strlen(text);
        for (size_t i = 0; i <= n; i++)
            lower[i] = text[i] >= 'A' && text[i] <= 'Z' ? (char)(text[i] + 32) : text[i];
        assert_true(type_from_text(&type, text, n) && type == t);
        assert_true(type_from_text(&type, lower, n) && type == t);
        (void)snprintf(generic, sizeof(generic), "TYPE%u", t);
        assert_true(type_from_text(&type, generic, strlen(generic)) && type == t);
    }
}

static void what_is_no_type(void **state)
{
    static const char *const texts[] = {"",          "AA",         "NSEC3PARAMS",     "TYPE",
                                        "TYPE65536", "TYPE1x",     "TYPE-1",          "TYPE 1",
                                        "TYP",       "type123456", "NSAP_PTR",        "NSAP\rPTR",
                                        "*",         "CLASS1",     "TYPE999999999999"};
    uint16_t type = 77;

    (void)state;
    for (size_t i = 0; i < COUNT(texts); i++) {
        size_t n = strlen(texts[i]);
        char *exact = (char *)exact_copy(texts[i], n);

        if (type_from_text(&type, exact, n))
            fail_msg("%s", texts[i]);
        free(exact);
    }
    assert_false(type_from_text(&type, "A\0A", 3));
    assert_false(type_from_text(&type, "A\0", 2));
    assert_int_equal(type, 77);
}

static void classes(void **state)
{
    static const struct {
        uint16_t rclass;
        const char *name;
    } list[] = {{1, "IN"},    {3, "CH"},     {4, "HS"},     {254, "NONE"},
                {255, "ANY"}, {2, "CLASS2"}, {0, "CLASS0"}, {65535, "CLASS65535"}};
    char text[TYPE_TEXT_MAX];
    uint16_t c = 0;

    (void)state;
    for (size_t i = 0; i < COUNT(list); i++) {
        class_to_text(text, list[i].rclass);
        assert_string_equal(text, list[i].name);
        assert_true(class_from_text(&c, text, strlen(text)) && c == list[i].rclass);
    }
    assert_true(class_from_text(&c, "in", 2) && c == CLASS_IN);
    assert_true(class_from_text(&c, "class1", 6) && c == CLASS_IN);
    assert_false(class_from_text(&c, "", 0));
    assert_false(class_from_text(&c, "CLASS65536", 10));
    assert_false(class_from_text(&c, "INN", 3));
}

static void kinds_of_types(void **state)
{
    (void)state;
    for (unsigned t = 0; t <= UINT16_MAX; t++) {
        bool data = t != 0 && t != RR_OPT && !(t >= 128 && t <= 255);

        assert_int_equal(type_is_data((uint16_t)t), data);
        assert_int_equal(type_is_singleton((uint16_t)t),
                         t == RR_SOA || t == RR_CNAME || t == RR_DNAME);
    }
}

static void soa_fields(void **state)
{
    uint8_t rdata[64];
    size_t n = unhex(rdata, "026e73076578616d706c650000"
                            "7fffffff00000002000000030000000400000005");
    struct soa soa;

    (void)state;
    assert_true(soa_parse(&soa, rdata, n));
    assert_ptr_equal(soa.mname, rdata);
    assert_ptr_equal(soa.rname, rdata + 12);
    assert_int_equal(soa.serial.v, 0x7fffffff);
    assert_int_equal(soa.refresh_s, 2);
    assert_int_equal(soa.retry_s, 3);
    assert_int_equal(soa.expire_s, 4);
    assert_int_equal(soa.minimum_s, 5);
    soa_set_serial(rdata, n, (struct serial){0x80000001});
    assert_true(soa_parse(&soa, rdata, n));
    assert_int_equal(soa.serial.v, 0x80000001);
    assert_int_equal(soa.refresh_s, 2);
    for (size_t cut = 0; cut < n; cut++) {
        uint8_t *exact = exact_copy(rdata, cut);

        assert_false(soa_parse(&soa, exact, cut));
        soa_set_serial(exact, cut, (struct serial){1}); /* stays inside */
        free(exact);
    }
    assert_false(soa_parse(&soa, rdata, n + 1));
    assert_false(soa_parse(&soa, NULL, 0));
}

#define N(literal) ((const uint8_t *)(literal))

static void order_of_records(void **state)
{
    static const struct rr list[] = {
        {N("\7example"), N("\300\0\2\1"), 5, RR_A, CLASS_IN, 4},
        {N("\7example"), N("\300\0\2\2"), 4, RR_A, CLASS_IN, 4},
        {N("\7example"), N("\2ns"), 3, RR_NS, CLASS_IN, 4},
        {N("\7example"), N("\2nt"), 3, RR_NS, CLASS_IN, 4},
        {N("\1a\7example"), N("\300\0\2\1"), 5, RR_A, CLASS_IN, 4},
        {N("\1a\7example"), NULL, 5, 65280, CLASS_IN, 0},
        {N("\1a\7example"), N("\0"), 5, 65280, CLASS_IN, 1},
        {N("\1b\7example"), N("\300\0\2\1"), 5, RR_A, CLASS_IN, 4},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(list); i++) {
        for (size_t j = 0; j < COUNT(list); j++) {
            int d = rr_cmp(&list[i], &list[j]);

            assert_int_equal((d > 0) - (d < 0), (i > j) - (i < j));
        }
    }
    {
        struct rr other = {N("\7EXAMPLE"), N("\2NS"), 99, RR_NS, CLASS_CH, 4};

        assert_int_equal(rr_cmp(&list[2], &other), 0);
    }
}

static void records_as_lines(void **state)
{
    static const struct {
        struct rr rr;
        const char *line;
    } list[] = {
        {{N("\7example"), N("\300\0\2\1"), 3600, RR_A, CLASS_IN, 4},
         "example. 3600 IN A 192.0.2.1\n"},
        {{N(""), N("\0\012\2mx"), 0, RR_MX, CLASS_IN, 6}, ". 0 IN MX 10 mx.\n"},
        {{N("\3a b\1*"), N("\1\""), 2147483647, RR_TXT, CLASS_IN, 2},
         "a\\032b.*. 2147483647 IN TXT \"\\\"\"\n"},
        {{N("\1a"), NULL, 4294967295, 65280, CLASS_IN, 0}, "a. 4294967295 IN TYPE65280 \\# 0\n"},
        {{N("\1a"), NULL, 1, RR_APL, CLASS_IN, 0}, "a. 1 IN APL \\# 0\n"},
        {{N("\1a"), N("\300\0\2"), 1, RR_A, CLASS_IN, 3}, "a. 1 IN A \\# 3 C00002\n"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(list); i++) {
        struct buf line = BUF_INIT;

        rr_to_text(&line, &list[i].rr);
        assert_string_equal(buf_cstr(&line), list[i].line);
        buf_free(&line);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(types_as_text),    cmocka_unit_test(what_is_no_type),
        cmocka_unit_test(classes),          cmocka_unit_test(kinds_of_types),
        cmocka_unit_test(soa_fields),       cmocka_unit_test(order_of_records),
        cmocka_unit_test(records_as_lines),
    };

    return cmocka_run_group_tests_name("rr", tests, NULL, NULL);
}
