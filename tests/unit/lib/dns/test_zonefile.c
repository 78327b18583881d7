/* Zone files read: input → the journal's lines, or where and what the first error is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "lib/dns/zonefile.h"

static const uint8_t origin[] = {2, 'e', 'x', 0};

static enum err append(void *ctx, const struct rr *rr, struct errinfo *e)
{
    (void)e;
    assert_true(rr->ttl <= 0x7fffffff);
    rr_to_text(ctx, rr);
    return OK;
}

static const char *read_text(struct buf *out, const char *text, size_t len,
                             const struct zonefile_opts *opts)
{
    struct errinfo e = {0};
    enum err rc = zonefile_read_mem(text, len, opts, append, out, &e);

    if (rc) {
        buf_printf(out, "%s", e.text);
        assert_true(e.text[0]);
    }
    return buf_cstr(out);
}

/* A line at least, so that a wrong result stands beside what it should be. */
static void check(const char *text, const char *expected)
{
    struct zonefile_opts opts = {.origin = origin, .path = "f", .generate_max = 1000};
    struct buf out = BUF_INIT;
    const char *got = read_text(&out, text, strlen(text), &opts);

    if (strcmp(got, expected) != 0)
        print_error("input:    %s\n", text);
    assert_string_equal(got, expected);
    buf_free(&out);
}

struct example {
    const char *text;
    const char *expected;
};

#define CHECK_ALL(table)                                                                           \
    for (size_t i = 0; i < sizeof(table) / sizeof((table)[0]); i++)                                \
    check((table)[i].text, (table)[i].expected)

static void test_entries(void **state)
{
    static const struct example t[] = {
        {"", ""},
        {"\n\n ; nothing\n\t\n", ""},
        {"a 1 IN A 192.0.2.1", "a.ex. 1 IN A 192.0.2.1\n"}, /* no newline at the end */
        {"a 1 IN A 192.0.2.1\r\nb 2 IN A 192.0.2.2\r\n",
         "a.ex. 1 IN A 192.0.2.1\nb.ex. 2 IN A 192.0.2.2\n"},
        {"a IN 1 A 192.0.2.1\n", "a.ex. 1 IN A 192.0.2.1\n"},
        {"a 1 a 192.0.2.1 ; comment with \"quote ( and )\n", "a.ex. 1 IN A 192.0.2.1\n"},
        {"a\t1\tCLASS1\tTYPE1\t192.0.2.1\n", "a.ex. 1 IN A 192.0.2.1\n"},
        {"a. 1 A 192.0.2.1\n", "a. 1 IN A 192.0.2.1\n"},
        {"@ 1 NS @\n", "ex. 1 IN NS ex.\n"},
        {". 1 NS .\n", ". 1 IN NS .\n"},
        {"\\@ 1 NS a\\.b\n", "\\@.ex. 1 IN NS a\\.b.ex.\n"},
        {"a 1 A 192.0.2.1\n  A 192.0.2.2\n\tAAAA ::1\n",
         "a.ex. 1 IN A 192.0.2.1\na.ex. 1 IN A 192.0.2.2\na.ex. 1 IN AAAA ::1\n"},
        {"A 1 A 192.0.2.1\nIN 2 TXT x\n300 3 TXT x\n",
         "A.ex. 1 IN A 192.0.2.1\nIN.ex. 2 IN TXT \"x\"\n300.ex. 3 IN TXT \"x\"\n"},
        {"a 1 MX ( 10 ; ten\n  m ; host\n ) ; end\nb 1 A 192.0.2.1\n",
         "a.ex. 1 IN MX 10 m.ex.\nb.ex. 1 IN A 192.0.2.1\n"},
        {"a ( 1\r\nIN\r\nTXT\r\n\"x ; y\"\r\n) z\r\n", "a.ex. 1 IN TXT \"x ; y\" \"z\"\n"},
        {"a 1 TXT ((x) (y\n))\n", "a.ex. 1 IN TXT \"x\" \"y\"\n"},
        {"a 1 TXT \"a\"\"b\"c\n", "a.ex. 1 IN TXT \"a\" \"b\" \"c\"\n"},
        {"a 1 TXT k=\"v w\" \\065\"b\"\n", "a.ex. 1 IN TXT \"k=\" \"v w\" \"A\" \"b\"\n"},
        {"a 1 TXT ( k=\"v w\"z )\n", "a.ex. 1 IN TXT \"k=\" \"v w\" \"z\"\n"},
        {"a 1 SVCB ( 1 .\n alpn=\"h2,h3\" key65280=\"x y\")\n",
         "a.ex. 1 IN SVCB 1 . alpn=\"h2,h3\" key65280=\"x y\"\n"},
        {"a 1 TXT \"\" \"a\\\"b\\\\\" \\065\\x\n", "a.ex. 1 IN TXT \"\" \"a\\\"b\\\\\" \"Ax\"\n"},
        {"a\\032b.c\\.d 1 A 192.0.2.1\n", "a\\032b.c\\.d.ex. 1 IN A 192.0.2.1\n"},
        {"\\$TTL 1 A 192.0.2.1\n", "\\$TTL.ex. 1 IN A 192.0.2.1\n"},
        {"a 1 TYPE65534 \\# 3 01 0203\n", "a.ex. 1 IN TYPE65534 \\# 3 010203\n"},
        {"a 1 A \\# 4 c0000201\n", "a.ex. 1 IN A 192.0.2.1\n"},
        {"a 1 MX \\# ( 3 000a\n 00 )\n", "a.ex. 1 IN MX 10 .\n"},
        {"a 1 TYPE16 \"x\"\n", "a.ex. 1 IN TXT \"x\"\n"},
        {"*.a 1 CNAME *\n", "*.a.ex. 1 IN CNAME *.ex.\n"},
        {"a 1 SVCB 1 . alpn=\"h2,h3\" port=443\n", "a.ex. 1 IN SVCB 1 . alpn=\"h2,h3\" port=443\n"},
        {"MiXed 1 NS NS.Case\n", "MiXed.ex. 1 IN NS NS.Case.ex.\n"},
        {"a 1 SRV 1 2 3 s\na 1 PTR p\na 1 AAAA 2001:DB8::0:1\n",
         "a.ex. 1 IN SRV 1 2 3 s.ex.\na.ex. 1 IN PTR p.ex.\na.ex. 1 IN AAAA 2001:db8::1\n"},
    };

    (void)state;
    CHECK_ALL(t);
}

static void test_origin(void **state)
{
    static const struct example t[] = {
        {"$ORIGIN sub\na 1 NS b\n$ORIGIN net.\na 1 NS b\n$origin .\na 1 NS b\n",
         "a.sub.ex. 1 IN NS b.sub.ex.\na.net. 1 IN NS b.net.\na. 1 IN NS b.\n"},
        {"a 1 A 192.0.2.1\n$ORIGIN b\n A 192.0.2.2\n",
         "a.ex. 1 IN A 192.0.2.1\na.ex. 1 IN A 192.0.2.2\n"},
        {"$ORIGIN\n", "f:1:1: $ORIGIN takes one name"},
        {"$ORIGIN a b\n", "f:1:1: $ORIGIN takes one name"},
    };

    (void)state;
    CHECK_ALL(t);
}

#define SOA_TEXT "SOA a. b. 1 2 3 4 "

static void test_ttl(void **state)
{
    static const struct example t[] = {
        {"$TTL 1h\na A 192.0.2.1\nb 5 A 192.0.2.1\nc A 192.0.2.1\n$TTL 2\nd A 192.0.2.1\n",
         "a.ex. 3600 IN A 192.0.2.1\nb.ex. 5 IN A 192.0.2.1\nc.ex. 3600 IN A 192.0.2.1\n"
         "d.ex. 2 IN A 192.0.2.1\n"},
        {"a 5 A 192.0.2.1\nb A 192.0.2.1\nb 6 A 192.0.2.1\nc A 192.0.2.1\n",
         "a.ex. 5 IN A 192.0.2.1\nb.ex. 5 IN A 192.0.2.1\nb.ex. 6 IN A 192.0.2.1\n"
         "c.ex. 6 IN A 192.0.2.1\n"},
        {"@ " SOA_TEXT "77\nb A 192.0.2.1\n",
         "ex. 77 IN SOA a. b. 1 2 3 4 77\nb.ex. 77 IN A 192.0.2.1\n"},
        {"@ 9 " SOA_TEXT "77\nb A 192.0.2.1\n",
         "ex. 9 IN SOA a. b. 1 2 3 4 77\nb.ex. 9 IN A 192.0.2.1\n"},
        {"$TTL 8\n@ " SOA_TEXT "77\n", "ex. 8 IN SOA a. b. 1 2 3 4 77\n"},
        {"@ " SOA_TEXT "4294967295\n", "ex. 2147483647 IN SOA a. b. 1 2 3 4 4294967295\n"},
        {"a 2147483647 A 192.0.2.1\n", "a.ex. 2147483647 IN A 192.0.2.1\n"},
        {"a 0 A 192.0.2.1\n", "a.ex. 0 IN A 192.0.2.1\n"},
        {"a 1W2d3H4m5s A 192.0.2.1\n", "a.ex. 788645 IN A 192.0.2.1\n"},
        {"a A 192.0.2.1\n", "f:1:3: no TTL, and neither a $TTL nor a record with one before"},
        {"a 2147483648 A 192.0.2.1\n", "f:1:3: TTL '2147483648' is above 2147483647"},
        {"$TTL 99999999999999999999999w\n",
         "f:1:6: TTL '99999999999999999999999w' is above 2147483647"},
        {"$TTL 1x\n", "f:1:6: '1x' is no TTL"},
        {"$TTL -1\n", "f:1:6: '-1' is no TTL"},
        {"$TTL \"1\"\n", "f:1:7: '1' is no TTL"},
        {"$TTL\n", "f:1:1: $TTL takes one TTL"},
        {"a 1h30 A 192.0.2.1\n", "f:1:3: '1h30' is no TTL"},
    };

    (void)state;
    CHECK_ALL(t);
}

static void test_refused(void **state)
{
    static const struct example t[] = {
        {" A 192.0.2.1\n", "f:1:2: no owner, and none before that could be used"},
        {"a 1 IN\n", "f:1:5: the entry ends before its type"},
        {"a\n", "f:1:1: the entry ends before its type"},
        {"a 1 \"A\" 192.0.2.1\n", "f:1:6: a type is expected here"},
        {"a 1 2 A 192.0.2.1\n", "f:1:5: unknown type '2'"},
        {"a 1 IN IN A 192.0.2.1\n", "f:1:8: class 'IN': only IN is served here"},
        {"a 1 CH TXT x\n", "f:1:5: class 'CH': only IN is served here"},
        {"a 1 CLASS3 TXT x\n", "f:1:5: class 'CLASS3': only IN is served here"},
        {"\n\na 1 FOO x\n", "f:3:5: unknown type 'FOO'"},
        {"a 1 TYPE65536 \\# 0\n", "f:1:5: unknown type 'TYPE65536'"},
        {"a 1 ANY x\n", "f:1:5: type 'ANY' cannot stand in a zone"},
        {"a 1 OPT x\n", "f:1:5: type 'OPT' cannot stand in a zone"},
        {"a 1 TYPE250 \\# 0\n", "f:1:5: type 'TYPE250' cannot stand in a zone"},
        {"\"a\" 1 A 192.0.2.1\n", "f:1:1: a quoted string is no owner"},
        {"a 1 TXT \"x\ny\"\n", "f:1:9: the quoted string does not end on its line"},
        {"a 1 TXT \"x", "f:1:9: the quoted string does not end"},
        {"a 1 TXT x\\", "f:1:10: nothing to escape behind the backslash"},
        {"a 1 TXT x\\\n", "f:1:10: nothing to escape behind the backslash"},
        {"a 1 TXT \\256\n", "f:1:9: an escape \\DDD needs three digits, at most 255"},
        {"a 1 TXT \\25\n", "f:1:9: an escape \\DDD needs three digits, at most 255"},
        {"a 1 TXT x\ry\n", "f:1:10: carriage return without a line feed"},
        {"a 1 TXT x)\n", "f:1:10: ')' without a '(' before it"},
        {"a 1 TXT (x\nb 1 TXT y\n", "f:1:9: '(' is never closed"},
        {"a 1 TXT x\001\n", "f:1:10: control character \\001"},
        {"a 1 TXT \"x\177\"\n", "f:1:11: control character \\127"},
        {"a 1 (\n TXT\n x \f )\n", "f:3:4: control character \\012"},
        {"$FOO x\n", "f:1:1: unknown directive '$FOO'"},
        {"$INCLUDE x\n", "f:1:10: $INCLUDE is not allowed here"},
        {"$INCLUDE\n", "f:1:1: $INCLUDE takes a file and perhaps an origin"},
    };

    (void)state;
    CHECK_ALL(t);
}

/* Errors in names and RDATA are worded elsewhere; here counts that they have the right place. */
static void test_places(void **state)
{
    static const struct example t[] = {
        {"a..b 1 A 192.0.2.1\n", "f:1:1: owner 'a..b': "},
        {".a 1 A 192.0.2.1\n", "f:1:1: owner '.a': "},
        {"\n$ORIGIN a..b\n", "f:2:9: origin 'a..b': "},
        {"a 1 A 192.0.2.256\n", "f:1:7: "},
        {"a 1 A 192.0.2.1 x\n", "f:1:7: "},
        {"a 1 A 192.0.2\n", "f:1:7: "},
        {"a 1 A\n", "f:1:5: "},
        {"a 1 AAAA 1::2::3\n", "f:1:10: "},
        {"a 1 MX (\n\n  70000 m )\n", "f:3:3: "},
        {"a 1 MX 10\n", "f:1:8: "},
        {"a 1 MX 10 a..b\n", "f:1:8: "},
        {"a 1 TXT\n", "f:1:5: "},
        {"a 1 A \\# 3 010203\n", "f:1:7: "},
        {"a 1 TYPE1234 xyz\n", "f:1:14: "},
        {"a 1 TYPE1234 \\# 3 0102\n", "f:1:14: "},
        {"a 1 NS \"x\"y\n", "f:1:8: "},
        {"a 1 DS 1 2 (\n 3 xyz )\n", "f:1:8: "},
        {"0123456789012345678901234567890123456789012345678901234567890123 1 NS a\n",
         "f:1:1: owner '012345678901234567890123456789012345678901234567890123...': "},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
        struct zonefile_opts opts = {.origin = origin, .path = "f"};
        struct buf out = BUF_INIT;
        const char *got = read_text(&out, t[i].text, strlen(t[i].text), &opts);
        size_t n = strlen(t[i].expected);

        if (strncmp(got, t[i].expected, n) != 0 || strlen(got) == n)
            fail_msg("%s gives %s, not %s...", t[i].text, got, t[i].expected);
        buf_free(&out);
    }
}

static void test_nul(void **state)
{
    static const struct {
        const char *text;
        size_t len;
        const char *expected;
    } t[] = {
        {"a 1 TXT x\0y\n", 12, "f:1:10: NUL octet"},
        {"a 1 TXT \"x\0\"\n", 13, "f:1:11: NUL octet"},
        {"; \0\n", 4, "f:1:3: NUL octet"},
        {"a 1 TXT x\\\0\n", 12, "f:1:10: nothing to escape behind the backslash"},
        {"\0", 1, "f:1:1: NUL octet"},
        {"a 1 TXT x\n\0\0", 12, "a.ex. 1 IN TXT \"x\"\nf:2:1: NUL octet"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
        struct zonefile_opts opts = {.origin = origin, .path = "f"};
        struct buf out = BUF_INIT;

        assert_string_equal(read_text(&out, t[i].text, t[i].len, &opts), t[i].expected);
        buf_free(&out);
    }
}

static void test_generate(void **state)
{
    static const struct example t[] = {
        {"$GENERATE 1-3 h$ 5 A 192.0.2.$\n",
         "h1.ex. 5 IN A 192.0.2.1\nh2.ex. 5 IN A 192.0.2.2\nh3.ex. 5 IN A 192.0.2.3\n"},
        {"$TTL 1\n$generate 250-260/5 x${0,4,X}o${1,0,o}x${-1,0,x} IN A 192.0.2.1\n",
         "x00FAo373xf9.ex. 1 IN A 192.0.2.1\nx00FFo400xfe.ex. 1 IN A 192.0.2.1\n"
         "x0104o405x103.ex. 1 IN A 192.0.2.1\n"},
        {"$GENERATE 1-17/8 ${0,3,n}.${0,7,N} 1 PTR p$\n",
         "1.0.1.0.0.0.ex. 1 IN PTR p1.ex.\n9.0.9.0.0.0.ex. 1 IN PTR p9.ex.\n"
         "1.1.1.1.0.0.ex. 1 IN PTR p17.ex.\n"},
        {"$GENERATE 0-0 a${-1}b${+2,2} 1 TXT $\n", "a-1b02.ex. 1 IN TXT \"0\"\n"},
        {"$GENERATE 0-0 a${-1,0,x} 1 TXT $\n", "affffffff.ex. 1 IN TXT \"0\"\n"},
        {"$GENERATE 1-1 a$$b\\$c 1 TXT \\$$\n", "a\\$b\\$c.ex. 1 IN TXT \"$1\"\n"},
        {"$GENERATE 1-1 a$ 1 MX \"10 mx$\"\n", "a1.ex. 1 IN MX 10 mx1.ex.\n"},
        {"$GENERATE 1-1 a$ 1 MX 10 mx$ ; c\n", "a1.ex. 1 IN MX 10 mx1.ex.\n"},
        {"$GENERATE 1-1 a$ 1 MX ( 10\n mx$ )\n", "a1.ex. 1 IN MX 10 mx1.ex.\n"},
        {"$GENERATE 1-1 a$ 1 TXT \"\\\"a $\\\" b\"\n", "a1.ex. 1 IN TXT \"a 1\" \"b\"\n"},
        {"$GENERATE 1-1 a$ 1 TXT \"a $\" \"b\"\n", "a1.ex. 1 IN TXT \"a 1\" \"b\"\n"},
        {"$GENERATE 1-1 a$ 1 MX \"( 10 mx$ ) ; comment\"\n", "a1.ex. 1 IN MX 10 mx1.ex.\n"},
        {"$GENERATE 1-1 a$ 1 TXT \"x;y\"\n", "a1.ex. 1 IN TXT \"x\"\n"},
        {"$GENERATE 1-1 a$ 1 TXT \"\\\"x;$\\\"\"\n", "a1.ex. 1 IN TXT \"x;1\"\n"},
        {"$GENERATE 1-1 a 1 TXT \"\"\n", "f:1:23: RDATA for 1 is empty"},
        {"$GENERATE 1-1 a 1 TXT \"\\\"x\"\n",
         "f:1:23: RDATA for 1: the quoted string does not end"},
        {"a 1 A 192.0.2.1\n$GENERATE 1-1 @ A 192.0.2.2\n TXT x\n",
         "a.ex. 1 IN A 192.0.2.1\nex. 1 IN A 192.0.2.2\na.ex. 1 IN TXT \"x\"\n"},
        {"$GENERATE 1-1 a A 192.0.2.1\n",
         "f:1:17: no TTL, and neither a $TTL nor a record with one before"},
        {"$GENERATE 1-1 a A\n", "f:1:1: $GENERATE takes a range, an owner, a type and RDATA"},
        {"$GENERATE 1-1 a 1 A\n", "f:1:19: no RDATA behind the type"},
        {"$GENERATE 3-1 a 1 A 192.0.2.1\n",
         "f:1:11: the range must be start-stop or start-stop/step"},
        {"$GENERATE 1-3/0 a 1 A 192.0.2.1\n",
         "f:1:11: the range must be start-stop or start-stop/step"},
        {"$GENERATE 1-2147483648 a 1 A 192.0.2.1\n",
         "f:1:11: the range must be start-stop or start-stop/step"},
        {"$GENERATE 1-1x a 1 A 192.0.2.1\n",
         "f:1:11: the range must be start-stop or start-stop/step"},
        {"$GENERATE 1-1001 a 1 A 192.0.2.1\n", "f:1:11: $GENERATE of more than 1000 records"},
        {"$GENERATE 1-1 a${ 1 A 192.0.2.1\n",
         "f:1:15: ${offset,width,base} is wrong or gives too big a number"},
        {"$GENERATE 1-1 a${1,2,q} 1 A 192.0.2.1\n",
         "f:1:15: ${offset,width,base} is wrong or gives too big a number"},
        {"$GENERATE 1-1 a${2147483647} 1 A 192.0.2.1\n",
         "f:1:15: ${offset,width,base} is wrong or gives too big a number"},
        {"$GENERATE 1-1 a 1 A 192.0.2.${1,256}\n",
         "f:1:21: ${offset,width,base} is wrong or gives too big a number"},
        {"$GENERATE 1-1 \"a\" 1 A 192.0.2.1\n", "f:1:15: a quoted string is no owner"},
        {"$GENERATE 1-1 a 1 CH A 192.0.2.1\n", "f:1:19: class 'CH': only IN is served here"},
    };

    (void)state;
    CHECK_ALL(t);
}

static void test_ttl_parse(void **state)
{
    uint32_t v = 7;

    (void)state;
    assert_true(zonefile_ttl_parse(&v, "2w", 2));
    assert_int_equal(v, 1209600);
    assert_true(zonefile_ttl_parse(&v, "68y", 2));
    assert_int_equal(v, 68);
    assert_false(zonefile_ttl_parse(&v, "", 0));
    assert_false(zonefile_ttl_parse(&v, "68y", 3));
    assert_false(zonefile_ttl_parse(&v, "3551w", 5));
    assert_int_equal(v, 68);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_entries),  cmocka_unit_test(test_origin),
        cmocka_unit_test(test_ttl),      cmocka_unit_test(test_refused),
        cmocka_unit_test(test_places),   cmocka_unit_test(test_nul),
        cmocka_unit_test(test_generate), cmocka_unit_test(test_ttl_parse),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
