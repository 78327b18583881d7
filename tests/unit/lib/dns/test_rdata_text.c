#include "lib/dns/rr.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "rdata_cases.h"

static char whom[2048];

static const char *label(uint16_t type, const char *text)
{
    char name[TYPE_TEXT_MAX];

    type_to_text(name, type);
    (void)snprintf(whom, sizeof(whom), "%s %s", name, text);
    return whom;
}

static void is_octets(const struct buf *got, const uint8_t *want, size_t n, const char *what)
{
    if (got->len != n || (n && memcmp(got->data, want, n) != 0)) {
        for (size_t i = 0; i < got->len; i++)
            print_error("%02x", got->data[i]);
        fail_msg(" are not the octets of: %s", what);
    }
}

/* Parses text that lies in memory without an octet to spare. */
static enum err parse(struct buf *out, uint16_t type, const char *text, size_t n, struct errinfo *e)
{
    uint8_t *exact = exact_copy(text, n);
    enum err rc = rdata_from_text(out, type, (const char *)exact, n, CASE_ORIGIN, e);

    free(exact);
    return rc;
}

static void text_to_wire_to_text(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        const struct rdata_case *c = &cases[i];
        const char *printed = case_printed(c);
        const char *what = label(c->type, c->text);
        uint8_t want[CASE_WIRE_MAX];
        size_t n = unhex(want, c->hex);
        struct buf wire = BUF_INIT;
        struct buf text = BUF_INIT;
        struct errinfo e = {{0}};
        uint8_t *exact;

        if (parse(&wire, c->type, c->text, strlen(c->text), &e) != OK)
            fail_msg("%s: %s", what, e.text);
        is_octets(&wire, want, n, what);
        exact = exact_copy(wire.data, wire.len);
        buf_str(&text, "before ");
        rdata_to_text(&text, c->type, exact, wire.len);
        assert_string_equal(buf_cstr(&text) + 7, printed);
        wire.len = 0;
        if (parse(&wire, c->type, printed, strlen(printed), &e) != OK)
            fail_msg("%s: what is printed does not read back: %s", what, e.text);
        is_octets(&wire, want, n, what);
        free(exact);
        buf_free(&wire);
        buf_free(&text);
    }
}

static void every_type_has_a_case(void **state)
{
    (void)state;
    for (unsigned type = 1; type <= UINT16_MAX; type++) {
        char name[TYPE_TEXT_MAX];
        bool found = false;

        type_to_text(name, (uint16_t)type);
        if (strncmp(name, "TYPE", 4) == 0 || !type_is_data((uint16_t)type))
            continue;
        for (size_t i = 0; i < COUNT(cases) && !found; i++)
            found = cases[i].type == type;
        if (!found)
            fail_msg("%s", name);
    }
}

/* Any piece of a good text is good or bad, but is read without harm, and if it is good what it
 * means prints and reads back. */
static void pieces_of_text(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        const struct rdata_case *c = &cases[i];
        struct buf wire = BUF_INIT;
        struct buf again = BUF_INIT;
        struct buf text = BUF_INIT;

        for (size_t n = 0; n <= strlen(c->text); n++) {
            struct errinfo e = {{0}};

            wire.len = text.len = again.len = 0;
            buf_str(&wire, "keep");
            if (parse(&wire, c->type, c->text, n, &e) != OK) {
                assert_true(e.text[0] != 0 && wire.len == 4);
                assert_memory_equal(wire.data, "keep", 4);
                continue;
            }
            assert_memory_equal(wire.data, "keep", 4);
            rdata_to_text(&text, c->type, wire.data + 4, wire.len - 4);
            assert_int_equal(parse(&again, c->type, (const char *)text.data, text.len, &e), OK);
            is_octets(&again, wire.data + 4, wire.len - 4, label(c->type, c->text));
        }
        buf_free(&wire);
        buf_free(&again);
        buf_free(&text);
    }
}

static const struct {
    uint16_t type;
    const char *text;
    const char *why;
} bad[] = {
    {RR_A, "", "A field 1: it is missing"},
    {RR_A, "192.0.2", "'192.0.2' is not an IPv4 address"},
    {RR_A, "192.0.2.256", "IPv4"},
    {RR_A, "192.0.2.1.", "IPv4"},
    {RR_A, "192.0.02.1", "IPv4"},
    {RR_A, "192.0.2.1 192.0.2.2", "more than this type has"},
    {RR_A, "2001:db8::1", "IPv4"},
    {RR_A, "\\# 3 c00002", "too short"},
    {RR_A, "\\# 5 c000020101", "left over"},
    {RR_A, "\\# 4 c00002", "length says 4 octets, but there are 3"},
    {RR_A, "\\# 4 c00002011", "not valid hex"},
    {RR_A, "\\# 4 c000020g", "not valid hex"},
    {RR_A, "\\# x", "not a number"},
    {RR_A, "\\#", "missing"},
    {RR_A, "\\# 65536 00", "not a number"},
    {RR_AAAA, "2001:db8::1::2", "IPv6"},
    {RR_AAAA, "192.0.2.1", "IPv6"},
    {RR_AAAA, "fe80::1%eth0", "IPv6"},
    {RR_NS, "a..b", "empty label"},
    {RR_NS, "\"\"", "name is empty"},
    {RR_NS, "a b", "more than this type has"},
    {RR_MX, "65536 a", "not a number from 0 to 65535"},
    {RR_MX, "-1 a", "not a number"},
    {RR_MX, "1 ", "MX field 2: it is missing"},
    {RR_MX, "1a a", "not a number"},
    {RR_SOA, ". . 1 2 3 4", "SOA field 7: it is missing"},
    {RR_SOA, ". . 1h 2 3 4 5", "SOA field 3"},
    {RR_SOA, ". . 4294967296 2 3 4 5", "SOA field 3"},
    {RR_SOA, ". . 1 2 3 4 4294967296", "32-bit"},
    {RR_SOA, ". . 1 2 3 4 99999999w", "32-bit"},
    {RR_SOA, ". . 1 2 3 4 18446744073709551617", "32-bit"},
    {RR_SOA, ". . 1 2 3 4 h", "neither a number nor a time"},
    {RR_SOA, ". . 1 2 3 4 1y", "neither a number nor a time"},
    {RR_SOA, ". . 1 2 3 4 1hh", "neither a number nor a time"},
    {RR_TXT, "", "missing"},
    {RR_TXT, "\"open", "quote is not closed"},
    {RR_TXT, "\"open\\\"", "quote is not closed"},
    {RR_TXT, "a\\", "middle of an escape"},
    {RR_TXT, "\\256", "\\DDD"},
    {RR_TXT, "\\12", "\\DDD"},
    {RR_TXT, "\\1a2", "\\DDD"},
    {RR_HINFO, "one", "HINFO field 2: it is missing"},
    {RR_ISDN, "1 2 3", "more than this type has"},
    {RR_WKS, "192.0.2.1 tcp nosuchservice", "not a port"},
    {RR_WKS, "192.0.2.1 tcp 65536", "not a port"},
    {RR_WKS, "192.0.2.1 256", "not a protocol"},
    {RR_NSAP, "47", "0x"},
    {RR_NSAP, "0x", "empty"},
    {RR_NSAP, "0x4", "odd number"},
    {RR_NSAP, "0x4g", "hex"},
    {RR_ATMA, "+", "empty"},
    {RR_ATMA, "+12a", "digits only"},
    {RR_ATMA, "4", "odd number"},
    {RR_NULL, "anything", "\\# LENGTH HEX"},
    {RR_LOC, "91 N 0 E 0", "beyond 90"},
    {RR_LOC, "90 0 0.001 N 0 E 0", "beyond 90"},
    {RR_LOC, "0 N 181 E 0", "beyond 180"},
    {RR_LOC, "0 60 N 0 E 0", "degrees, minutes"},
    {RR_LOC, "0 0 60 N 0 E 0", "degrees, minutes"},
    {RR_LOC, "0 0 0 0 N 0 E 0", "degrees, minutes"},
    {RR_LOC, "-1 N 0 E 0", "degrees, minutes"},
    {RR_LOC, "1.5 N 0 E 0", "degrees, minutes"},
    {RR_LOC, "0 0 0.0001 N 0 E 0", "degrees, minutes"},
    {RR_LOC, "0 \" \" 0 E 0", "degrees, minutes"},
    {RR_LOC, "0 E 0 N 0", "degrees, minutes"},
    {RR_LOC, "0 N 0 E", "missing"},
    {RR_LOC, "0 N 0 E -100000.01", "altitude"},
    {RR_LOC, "0 N 0 E 42849672.96", "altitude"},
    {RR_LOC, "0 N 0 E m", "altitude"},
    {RR_LOC, "0 N 0 E 0 90000001", "size"},
    {RR_LOC, "0 N 0 E 0 -1", "size"},
    {RR_LOC, "0 N 0 E 0 1 1 1 1", "more than this type has"},
    {RR_NXT, "a. TYPE128", "1 to 127"},
    {RR_NXT, "a. TYPE0", "1 to 127"},
    {RR_NXT, "a.", "bitmap"},
    {RR_APL, "1:192.0.2.0", "ADDRESS/PREFIX"},
    {RR_APL, "1:192.0.2.0/33", "prefix length"},
    {RR_APL, "2:::/129", "prefix length"},
    {RR_APL, "3:::/1", "ADDRESS/PREFIX"},
    {RR_APL, "!", "ADDRESS/PREFIX"},
    {RR_APL, "1:2001:db8::/32", "IPv4"},
    {RR_APL, "2:192.0.2.0/24", "IPv6"},
    {RR_APL, "/", "ADDRESS/PREFIX"},
    {RR_A6, "129 ::", "not a number"},
    {RR_A6, "64 ::", "missing"},
    {RR_A6, "0 :: a.", "more than this type has"},
    {RR_CERT, "NOSUCH 1 1 AQID", "known name"},
    {RR_CERT, "1 1 1", "missing"},
    {RR_DS, "1 8 2", "missing"},
    {RR_DS, "1 NOSUCH 2 00", "known name"},
    {RR_DS, "1 8 2 0", "hex"},
    {RR_SSHFP, "1 1 xx", "hex"},
    {RR_IPSECKEY, "10 4 2 . AQID", "not a number from 0 to 3"},
    {RR_IPSECKEY, "10 0 2 a. AQID", "'.'"},
    {RR_IPSECKEY, "10 1 2 a. AQID", "IPv4"},
    {RR_IPSECKEY, "10 1 2", "missing"},
    {RR_AMTRELAY, "10 2 0 .", "not a number from 0 to 1"},
    {RR_AMTRELAY, "10 0 4 .", "not a number from 0 to 3"},
    {RR_RRSIG, "NOTYPE 5 3 86400 20030322173103 20030220173103 2642 . AQID", "not a type"},
    {RR_RRSIG, "A 5 3 86400 2003032217310 20030220173103 2642 . AQID", "not a time"},
    {RR_RRSIG, "A 5 3 86400 20031322173103 20030220173103 2642 . AQID", "not a time"},
    {RR_RRSIG, "A 5 3 86400 20030229173103 20030220173103 2642 . AQID", "not a time"},
    {RR_RRSIG, "A 5 3 86400 20030301240000 20030220173103 2642 . AQID", "not a time"},
    {RR_RRSIG, "A 5 3 86400 00001231235959 20030220173103 2642 . AQID", "not a time"},
    {RR_RRSIG, "A 5 3 86400 \" 2003032217310\" 20030220173103 2642 . AQID", "not a time"},
    {RR_RRSIG, "A 5 3 86400 20030322173103 20030220173103 2642 .", "missing"},
    {RR_RRSIG, "A 5 3 86400 20030322173103 20030220173103 2642 . AQI", "base64"},
    {RR_RRSIG, "A 5 3 86400 20030322173103 20030220173103 2642 . AQID=", "base64"},
    {RR_RRSIG, "A 5 3 86400 20030322173103 20030220173103 2642 . AR==", "base64"},
    {RR_NSEC, "a. NOSUCHTYPE", "not a type"},
    {RR_NSEC, "a. TYPE65536", "not a type"},
    {RR_NSEC3, "1 0 0 aab 2T7B4G4VSA5SMI47K61MV5BV1A22BOJR", "hex"},
    {RR_NSEC3, "1 0 0 - 2T7B4G4VSA5SMI47K61MV5BV1A22BOJW", "base32hex"},
    {RR_NSEC3, "1 0 0 - -", "base32hex"},
    {RR_NSEC3, "1 0 0 -", "missing"},
    {RR_HIP, "2 20 AQID x.y..", "empty label"},
    {RR_HIP, "2 2 AQID", "hex"},
    {RR_HIP, "2 20", "missing"},
    {RR_NID, "10 14:4fff:ff20", "groups"},
    {RR_NID, "10 14:4fff:ff20:ee64:1", "groups"},
    {RR_NID, "10 14:4fff:ff20:10000", "groups"},
    {RR_NID, "10 14:4fff::ee64", "groups"},
    {RR_EUI48, "00-00-5e-00-53", "groups"},
    {RR_EUI48, "00-00-5e-00-53-2a-00", "groups"},
    {RR_EUI48, "0-00-5e-00-53-2a", "groups"},
    {RR_EUI48, "00:00:5e:00:53:2a", "groups"},
    {RR_EUI48, "00-00-5e-00-53-2g", "groups"},
    {RR_EUI64, "00-00-5e-ef-10-00-00", "groups"},
    {RR_CAA, "0 is-sue \"x\"", "letters and digits"},
    {RR_CAA, "0 \"\" \"x\"", "tag is empty"},
    {RR_CAA, "256 issue \"x\"", "not a number"},
    {RR_CAA, "0 issue", "missing"},
    {RR_URI, "1 2", "missing"},
    {RR_SVCB, "1", "missing"},
    {RR_SVCB, "1 . nosuchkey=1", "not a SvcParam key"},
    {RR_SVCB, "1 . key65536=1", "not a SvcParam key"},
    {RR_SVCB, "1 . key01=1", "not a SvcParam key"},
    {RR_SVCB, "1 . key=1", "not a SvcParam key"},
    {RR_SVCB, "1 . key65535=1", "value is malformed"},
    {RR_SVCB, "1 . \"alpn=h2\"", "not a SvcParam key"},
    {RR_SVCB, "1 . alpn", "value is malformed"},
    {RR_SVCB, "1 . alpn=", "no value"},
    {RR_SVCB, "1 . alpn=\"\"", "no value"},
    {RR_SVCB, "1 . alpn=h2,,h3", "1 to 255"},
    {RR_SVCB, "1 . alpn=h2,", "1 to 255"},
    {RR_SVCB, "1 . no-default-alpn", "without alpn"},
    {RR_SVCB, "1 . alpn=h2 no-default-alpn=x", "value is malformed"},
    {RR_SVCB, "1 . port=", "no value"},
    {RR_SVCB, "1 . port=65536", "not a port"},
    {RR_SVCB, "1 . port=53,54", "not a port"},
    {RR_SVCB, "1 . ipv4hint=192.0.2", "IPv4"},
    {RR_SVCB, "1 . ipv4hint=192.0.2.1,", "IPv4"},
    {RR_SVCB, "1 . ipv6hint=192.0.2.1", "IPv6"},
    {RR_SVCB, "1 . ech=A", "base64"},
    {RR_SVCB, "1 . ohttp=1", "value is malformed"},
    {RR_SVCB, "1 . mandatory=alpn", "value is malformed"},
    {RR_SVCB, "1 . mandatory=mandatory", "value is malformed"},
    {RR_SVCB, "1 . mandatory=port,port port=53", "value is malformed"},
    {RR_SVCB, "1 . mandatory=nosuch", "not a key"},
    {RR_SVCB, "1 . port=53 port=54", "stands twice"},
    {RR_SVCB, "1 . port=53 key3=54", "stands twice"},
    {RR_SVCB, "1 . key7=\"a", "quote is not closed"},
    {65280, "text", "unknown type"},
    {65280, "\\# 1", "length says 1 octets, but there are 0"},
};

static void bad_text_is_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(bad); i++) {
        struct buf wire = BUF_INIT;
        struct errinfo e = {{0}};
        char type[TYPE_TEXT_MAX];

        type_to_text(type, bad[i].type);
        buf_u8(&wire, 0xee);
        if (parse(&wire, bad[i].type, bad[i].text, strlen(bad[i].text), &e) != ERR_FORMAT)
            fail_msg("accepted: %s", label(bad[i].type, bad[i].text));
        if (!strstr(e.text, bad[i].why) || strncmp(e.text, type, strlen(type)) != 0)
            fail_msg("%s: \"%s\"", label(bad[i].type, bad[i].text), e.text);
        assert_int_equal(wire.len, 1);
        assert_int_equal(parse(&wire, bad[i].type, bad[i].text, strlen(bad[i].text), NULL),
                         ERR_FORMAT);
        buf_free(&wire);
    }
}

static void strings_have_255_octets(void **state)
{
    struct buf wire = BUF_INIT;
    struct errinfo e = {{0}};
    char text[300];

    (void)state;
    memset(text, 'x', sizeof(text));
    assert_int_equal(parse(&wire, RR_TXT, text, 255, &e), OK);
    assert_int_equal(wire.len, 256);
    assert_int_equal(parse(&wire, RR_TXT, text, 256, &e), ERR_FORMAT);
    assert_non_null(strstr(e.text, "longer than 255"));
    assert_int_equal(wire.len, 256);
    buf_free(&wire);
}

static void rdata_has_65535_octets(void **state)
{
    struct buf text = BUF_INIT;
    struct buf wire = BUF_INIT;
    struct errinfo e = {{0}};

    (void)state;
    for (unsigned i = 0; i < 65535; i++)
        buf_str(&text, "\"\" ");
    assert_int_equal(parse(&wire, RR_TXT, (const char *)text.data, text.len, &e), OK);
    assert_int_equal(wire.len, 65535);
    buf_str(&text, "\"\"");
    assert_int_equal(parse(&wire, RR_TXT, (const char *)text.data, text.len, &e), ERR_FORMAT);
    assert_non_null(strstr(e.text, "65535"));
    buf_free(&text);
    buf_free(&wire);
}

/* As many SvcParams as RDATA holds, in the wrong order. */
static void many_svcparams(void **state)
{
    struct buf text = BUF_INIT;
    struct buf wire = BUF_INIT;
    struct buf printed = BUF_INIT;
    struct errinfo e = {{0}};

    (void)state;
    buf_str(&text, "1 .");
    for (unsigned i = 0; i < 16383; i++)
        buf_printf(&text, " key%u", 65534 - i);
    assert_int_equal(parse(&wire, RR_SVCB, (const char *)text.data, text.len, &e), OK);
    assert_int_equal(wire.len, 3 + 16383 * 4);
    rdata_to_text(&printed, RR_SVCB, wire.data, wire.len);
    assert_non_null(strstr(buf_cstr(&printed), "1 . key49152 key49153 "));
    buf_free(&text);
    buf_free(&wire);
    buf_free(&printed);
}

/* A sentence for a person is one line whatever stood in the input. */
static void errors_are_one_line(void **state)
{
    static const char *const texts[] = {"\"a\nb\"", "\"\x1b[31m\"", "\xff\xfe", "\"\r\""};
    struct buf wire = BUF_INIT;

    (void)state;
    for (size_t i = 0; i < COUNT(texts); i++) {
        struct errinfo e = {{0}};

        assert_int_equal(parse(&wire, RR_A, texts[i], strlen(texts[i]), &e), ERR_FORMAT);
        for (const char *p = e.text; *p; p++)
            assert_true(*p >= 0x20 && *p < 0x7f);
    }
    buf_free(&wire);
}

/* What rdata_check refuses prints all the same, and nothing is read past its end. */
static void broken_rdata_prints_generic(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        uint8_t wire[CASE_WIRE_MAX];
        size_t n = unhex(wire, cases[i].hex);

        for (size_t cut = 0; cut < n; cut++) {
            uint8_t *exact = exact_copy(wire, cut);
            struct buf text = BUF_INIT;
            struct buf again = BUF_INIT;

            rdata_to_text(&text, cases[i].type, exact, cut);
            if (rdata_check(cases[i].type, exact, cut, NULL) != OK) {
                assert_memory_equal(text.data, "\\# ", 3);
            } else {
                assert_int_equal(
                    parse(&again, cases[i].type, (const char *)text.data, text.len, NULL), OK);
                is_octets(&again, exact, cut, label(cases[i].type, cases[i].text));
            }
            buf_free(&text);
            buf_free(&again);
            free(exact);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_to_wire_to_text),
        cmocka_unit_test(every_type_has_a_case),
        cmocka_unit_test(pieces_of_text),
        cmocka_unit_test(bad_text_is_refused),
        cmocka_unit_test(strings_have_255_octets),
        cmocka_unit_test(rdata_has_65535_octets),
        cmocka_unit_test(many_svcparams),
        cmocka_unit_test(errors_are_one_line),
        cmocka_unit_test(broken_rdata_prints_generic),
    };

    return cmocka_run_group_tests_name("rdata text", tests, NULL, NULL);
}
