/* EDNS options of answers: NSID (RFC 5001), EXPIRE (7314), keepalive (7828), padding (7830, 8467),
 * cookies (7873, 9018), extended errors (8914), ZONEVERSION (9660).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/tools/answer_fixture.h"

#define NONE (-1)

static const char *const zones[][2] = {
    {"example.", "@ SOA ns1 host 7 3600 900 604800 300\n@ NS ns1\nns1 A 192.0.2.1\n"
                 "www A 192.0.2.80\nalias CNAME www.other.\nsub NS ns1.sub\nns1.sub A 192.0.2.2\n"
                 "$GENERATE 1-60 many TXT text-$-to-fill-it\n"},
    {"other.", "@ SOA ns1 host 9 3600 900 1000 300\n@ NS ns1\nns1 A 192.0.2.1\nwww A 192.0.2.81\n"},
    {".", "@ SOA ns1.example. host.example. 11 3600 900 604800 300\n@ NS ns1.example.\n"},
};

static const struct cookie_secrets secrets = {.count = 1, .secret = {"0123456789abcde"}};
static const struct addr source = {.ip = {192, 0, 2, 99}, .port = 4711, .family = 4};

static struct zonedb *db;
static struct answerer *answerer;
static uint8_t query[MSG_MAX_OCTETS], out[MSG_MAX_OCTETS];
static struct writer query_options;
static uint8_t options[4096];

static int setup(void **state)
{
    (void)state;
    db = text_zonedb(zones, sizeof(zones) / sizeof(zones[0]));
    zonedb_set_whole(db);
    answerer = answerer_new(db);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    free(answerer);
    zonedb_free(db);
    return 0;
}

/* ---- Asking ---- */

static void option(uint16_t code, const void *data, uint16_t len)
{
    edns_put_option(&query_options, code, data, len);
}

static void no_options(void)
{
    query_options = writer_of(options, sizeof(options));
}

/* What was asked last, and what came. */
static struct {
    struct answer_made made;
    struct msg_layout m;
    size_t query_len;
} last;

/* Asks with the options that were put since no_options. */
static void ask_as(const struct answer_client *client, const char *qname, const char *qtype)
{
    size_t len = ask_build(query, &(struct ask){.qname = qname, .qtype = qtype, .edns = true});

    put_u16(query + len - 2, (uint16_t)query_options.pos);
    memcpy(query + len, options, query_options.pos);
    last.query_len = len + query_options.pos;
    last.made = answer_make(answerer, plain_config(), client, query, last.query_len, out, 65535);
    assert_int_equal(last.made.action, ANSWER_SEND);
    assert_true(msg_layout_read(&last.m, out, last.made.len));
    assert_true(last.m.edns.present);
    assert_int_equal(last.m.edns.version, 0);
}

static void ask(enum ho_transport t, const char *qname, const char *qtype)
{
    struct answer_client client = {
        .transport = t, .source = &source, .cookies = &secrets, .mono = {5000}, .wall = {1000}};

    ask_as(&client, qname, qtype);
}

/* The answer's option. Data and length, or length NONE; each stands there once at most. */
static int got(const uint8_t **data, uint16_t code)
{
    struct reader r = reader_of(out, last.made.len);
    int len = NONE;

    (void)read_bytes(&r, last.m.edns.options_at);
    for (uint16_t left = last.m.edns.options_len; left > 0;) {
        uint16_t c = read_u16(&r);
        uint16_t n = read_u16(&r);
        const uint8_t *p = read_bytes(&r, n);

        assert_non_null(p);
        if (c == code) {
            assert_int_equal(len, NONE);
            len = n;
            *data = p;
        }
        left = (uint16_t)(left - 4 - n);
    }
    return len;
}

static void check_none(uint16_t code)
{
    const uint8_t *data;

    assert_int_equal(got(&data, code), NONE);
}

static void check_option(uint16_t code, const void *want, int len)
{
    const uint8_t *data = NULL;

    assert_int_equal(got(&data, code), len);
    if (len > 0)
        assert_memory_equal(data, want, (size_t)len);
}

static uint16_t error_of(void)
{
    const uint8_t *data;

    return got(&data, OPTION_EDE) == 2 ? get_u16(data) : EDE_NONE;
}

/* ---- Nothing that was not asked for ---- */

static void test_nothing_unasked(void **state)
{
    static const enum ho_transport ways[] = {HO_UDP, HO_TCP, HO_TLS};

    (void)state;
    no_options();
    for (size_t i = 0; i < 3; i++) {
        ask(ways[i], "example.", "SOA");
        assert_int_equal(last.m.edns.options_len, 0);
    }
}

static void test_unknown_and_twice(void **state)
{
    (void)state;
    no_options();
    option(65001, "x", 1);
    option(OPTION_NSID, "", 0);
    option(OPTION_NSID, "", 0);
    option(0, "", 0);
    option(OPTION_CLIENT_SUBNET, "\0\1\0\0", 4); /* is for resolvers, RFC 7871: not ours to echo */
    ask(HO_UDP, "www.example.", "A");
    assert_int_equal(last.made.rcode, RCODE_NOERROR);
    check_option(OPTION_NSID, "node-1", 6);
    assert_int_equal(last.m.edns.options_len, 10);
}

/* A later version's options are not read, and none come back (RFC 6891 6.1.3). */
static void test_badvers_has_no_options(void **state)
{
    size_t len = ask_build(query, &(struct ask){.qname = "example.", .qtype = "SOA", .edns = true});
    struct answer_client client = {.transport = HO_TCP, .source = &source, .cookies = &secrets};

    (void)state;
    no_options();
    option(OPTION_NSID, "", 0);
    option(OPTION_COOKIE, "01234567", 8);
    option(OPTION_TCP_KEEPALIVE, "", 0);
    put_u16(query + len - 2, (uint16_t)query_options.pos);
    query[len - 5] = 1;
    memcpy(query + len, options, query_options.pos);
    last.made =
        answer_make(answerer, plain_config(), &client, query, len + query_options.pos, out, 512);
    assert_true(msg_layout_read(&last.m, out, last.made.len));
    assert_int_equal(last.made.rcode, RCODE_BADVERS);
    assert_int_equal(last.m.edns.version, 0);
    assert_int_equal(last.m.edns.options_len, 0);
}

/* ---- Keepalive ---- */

static void test_keepalive(void **state)
{
    (void)state;
    no_options();
    option(OPTION_TCP_KEEPALIVE, "", 0);
    ask(HO_TCP, "example.", "SOA");
    check_option(OPTION_TCP_KEEPALIVE, "\0\144", 2); /* 10 s in units of 100 ms */
    ask(HO_TLS, "nowhere.", "A");
    check_option(OPTION_TCP_KEEPALIVE, "\0\144", 2);
    ask(HO_UDP, "example.", "SOA"); /* RFC 7828 3.2.2 */
    check_none(OPTION_TCP_KEEPALIVE);
}

/* ---- Padding ---- */

static void test_padding_fills_blocks(void **state)
{
    static const char *const names[][2] = {{"example.", "SOA"},      {"many.example.", "TXT"},
                                           {"nowhere.test.", "A"},   {"absent.example.", "A"},
                                           {"x.sub.example.", "MX"}, {"alias.example.", "A"}};

    (void)state;
    no_options();
    option(OPTION_PADDING, "\0\0\0", 3);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        const uint8_t *data;
        int n;

        ask(HO_TLS, names[i][0], names[i][1]);
        assert_int_equal(last.made.len % 468, 0);
        n = got(&data, OPTION_PADDING);
        assert_in_range(n, 0, 467);
        for (int k = 0; k < n; k++)
            assert_int_equal(data[k], 0); /* RFC 7830 3 */
        ask(HO_TCP, names[i][0], names[i][1]);
        check_none(OPTION_PADDING);
        ask(HO_UDP, names[i][0], names[i][1]);
        check_none(OPTION_PADDING);
    }
}

/* Each length of question, so that each length of padding comes, none among them. */
static void test_every_padding(void **state)
{
    bool seen[468] = {false};
    unsigned count = 0;

    (void)state;
    for (unsigned n = 0; n < 468; n++) {
        const uint8_t *data;
        char name[] =
            "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.bbbbbbbbbbbbbbbbb"
            "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb.test.";
        int len;

        no_options();
        option(OPTION_PADDING, "", 0);
        if (n >= 234) {
            option(OPTION_NSID, "", 0);
            option(OPTION_COOKIE, "01234567", 8);
        }
        ask(HO_TLS, name + n % 118 + (name[n % 118] == '.'), "A");
        assert_int_equal(last.made.len % 468, 0);
        len = got(&data, OPTION_PADDING);
        assert_in_range(len, 0, 467);
        count += !seen[len];
        seen[len] = true;
    }
    assert_in_range(count, 100, 468);
}

/* ---- Extended errors ---- */

static void test_extended_errors(void **state)
{
    static const struct {
        const char *qname, *qtype;
        uint16_t rcode, error;
    } cases[] = {
        {"example.", "SOA", RCODE_NOERROR, EDE_NONE},
        {"absent.example.", "A", RCODE_NXDOMAIN, EDE_NONE},
        {"x.sub.example.", "A", RCODE_NOERROR, EDE_NONE},
        {"example.", "AXFR", RCODE_REFUSED, EDE_NOT_SUPPORTED},
        {"example.", "MAILA", RCODE_NOTIMP, EDE_NOT_SUPPORTED},
    };

    (void)state;
    no_options();
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        ask(HO_UDP, cases[i].qname, cases[i].qtype);
        assert_int_equal(last.made.rcode, cases[i].rcode);
        assert_int_equal(error_of(), cases[i].error);
    }
}

static void test_errors_of_zones(void **state)
{
    static const uint8_t root[] = {0};
    static const uint8_t other[] = "\5other";

    (void)state;
    no_options();
    assert_true(zonedb_remove(db, root));
    ask(HO_UDP, "nowhere.", "A");
    assert_int_equal(last.made.rcode, RCODE_REFUSED);
    assert_int_equal(error_of(), EDE_NOT_AUTHORITATIVE);
    assert_true(zonedb_set_lapsed(db, other, true));
    ask(HO_UDP, "www.other.", "A");
    assert_int_equal(last.made.rcode, RCODE_SERVFAIL);
    assert_int_equal(error_of(), EDE_INVALID_DATA);
    ask(HO_UDP, "alias.example.", "A"); /* the alias is right, and ends there */
    assert_int_equal(last.made.rcode, RCODE_NOERROR);
    assert_int_equal(error_of(), EDE_NONE);
    assert_true(zonedb_set_lapsed(db, other, false));
    zonedb_put(db, text_zone(zones[2][0], zones[2][1]), 1, 1, false);
}

/* While zones are still read, what is not here may come yet. */
static void test_not_ready(void **state)
{
    struct zonedb *young = text_zonedb(zones, 1);
    struct answerer *before = answerer;

    (void)state;
    no_options();
    answerer = answerer_new(young);
    ask(HO_UDP, "www.other.", "A");
    assert_int_equal(last.made.rcode, RCODE_REFUSED);
    assert_int_equal(error_of(), EDE_NOT_READY);
    zonedb_set_whole(young);
    ask(HO_UDP, "www.other.", "A");
    assert_int_equal(error_of(), EDE_NOT_AUTHORITATIVE);
    free(answerer);
    zonedb_free(young);
    answerer = before;
}

/* ---- EXPIRE ---- */

static void check_expire(const char *qname, const char *qtype, uint32_t want)
{
    uint8_t data[4];

    ask(HO_UDP, qname, qtype);
    put_u32(data, want);
    check_option(OPTION_EXPIRE, data, 4);
}

static void test_expire(void **state)
{
    static const uint8_t other[] = "\5other";

    (void)state;
    no_options();
    option(OPTION_EXPIRE, "", 0);
    assert_true(zonedb_set_deadline(db, other, (struct wall){0}, 1, 5000 + 77999));
    check_expire("other.", "SOA", 77);
    check_expire("OTHER.", "SOA", 77);
    assert_true(zonedb_set_deadline(db, other, (struct wall){0}, 2, 4000));
    check_expire("other.", "SOA", 0);
    assert_true(zonedb_set_deadline(db, other, (struct wall){0}, 3, SERVED_FOR_EVER));
    check_expire("other.", "SOA", 1000); /* ours, or held: as its SOA says */
    ask(HO_UDP, "www.other.", "SOA");
    check_none(OPTION_EXPIRE);
    ask(HO_UDP, "other.", "NS");
    check_none(OPTION_EXPIRE);
    ask(HO_UDP, "x.sub.example.", "SOA");
    check_none(OPTION_EXPIRE);
}

/* ---- ZONEVERSION ---- */

static void check_version(const char *qname, const char *qtype, uint8_t labels, uint32_t serial)
{
    uint8_t data[6] = {labels, 0};

    ask(HO_UDP, qname, qtype);
    put_u32(data + 2, serial);
    check_option(OPTION_ZONEVERSION, data, 6);
}

static void test_zoneversion(void **state)
{
    static const uint8_t other[] = "\5other";

    (void)state;
    no_options();
    option(OPTION_ZONEVERSION, "", 0);
    check_version("www.example.", "A", 1, 7);
    check_version("absent.example.", "A", 1, 7);
    check_version("www.example.", "MX", 1, 7);
    check_version("alias.example.", "A", 1, 7); /* not that of other. */
    check_version("x.sub.example.", "A", 1, 7); /* the zone that refers */
    check_version("example.", "DS", 0, 11);     /* is of the zone above */
    check_version("nowhere.", "A", 0, 11);
    assert_true(zonedb_set_lapsed(db, other, true));
    check_version("www.other.", "A", 1, 9);
    assert_true(zonedb_set_lapsed(db, other, false));
    no_options();
    option(OPTION_ZONEVERSION, "\1\0\0\0\0\1", 6); /* what the query says is not looked at */
    check_version("www.example.", "A", 1, 7);
    ask(HO_UDP, "version.bind.", "MAILA");
    check_none(OPTION_ZONEVERSION);
}

/* ---- Cookies ---- */

static void learn(uint8_t cookie[COOKIE_OCTETS])
{
    const uint8_t *data = NULL;

    no_options();
    option(OPTION_COOKIE, "01234567", 8);
    ask(HO_UDP, "www.example.", "A");
    assert_int_equal(last.made.rcode, RCODE_NOERROR);
    assert_int_not_equal(last.made.cookie, COOKIE_GOOD);
    assert_int_equal(got(&data, OPTION_COOKIE), COOKIE_OCTETS);
    assert_memory_equal(data, "01234567", 8);
    memcpy(cookie, data, COOKIE_OCTETS);
}

static void test_cookie_makes_a_client_known(void **state)
{
    static const char *const names[][2] = {
        {"www.example.", "A"}, {"x.example.", "A"}, {"example.", "AXFR"}};
    uint8_t cookie[COOKIE_OCTETS];

    (void)state;
    learn(cookie);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        no_options();
        option(OPTION_COOKIE, cookie, COOKIE_OCTETS);
        ask(HO_UDP, names[i][0], names[i][1]);
        assert_int_equal(last.made.cookie, COOKIE_GOOD);
        check_option(OPTION_COOKIE, cookie, COOKIE_OCTETS);
        cookie[COOKIE_OCTETS - 1] ^= 1;
        no_options();
        option(OPTION_COOKIE, cookie, COOKIE_OCTETS);
        ask(HO_UDP, names[i][0], names[i][1]);
        assert_int_not_equal(last.made.cookie, COOKIE_GOOD);
        assert_int_not_equal(last.made.rcode, RCODE_BADCOOKIE); /* RFC 7873 5.2.4 */
        cookie[COOKIE_OCTETS - 1] ^= 1;
        check_option(OPTION_COOKIE, cookie, COOKIE_OCTETS);
    }
}

static void test_cookie_of_another_address(void **state)
{
    struct addr other = {.ip = {192, 0, 2, 98}, .family = 4};
    struct answer_client client = {
        .transport = HO_UDP, .source = &other, .cookies = &secrets, .wall = {1000}};
    uint8_t cookie[COOKIE_OCTETS];

    (void)state;
    learn(cookie);
    no_options();
    option(OPTION_COOKIE, cookie, COOKIE_OCTETS);
    ask_as(&client, "www.example.", "A");
    assert_int_not_equal(last.made.cookie, COOKIE_GOOD);
    client.source = &source;
    ask_as(&client, "www.example.", "A");
    assert_int_equal(last.made.cookie, COOKIE_GOOD);
    client.wall.s += COOKIE_LIFE_S + 1;
    ask_as(&client, "www.example.", "A");
    assert_int_not_equal(last.made.cookie, COOKIE_GOOD);
    client.cookies = NULL;
    ask_as(&client, "www.example.", "A");
    assert_int_not_equal(last.made.cookie, COOKIE_GOOD);
    check_none(OPTION_COOKIE);
}

static void test_malformed_cookies(void **state)
{
    static const uint8_t zeros[64];

    (void)state;
    for (uint16_t n = 0; n < 64; n++) {
        bool right = n == 8 || (n >= 16 && n <= 40);

        no_options();
        option(OPTION_COOKIE, zeros, n);
        ask(HO_UDP, "www.example.", "A");
        assert_int_equal(last.made.rcode, right ? RCODE_NOERROR : RCODE_FORMERR);
        assert_int_equal(last.m.header.counts[SECTION_ANSWER], right ? 1 : 0);
        if (right)
            assert_true(last.m.edns.cookie.present);
        else
            check_none(OPTION_COOKIE);
    }
}

/* Nothing but OPT: the client wants a cookie (RFC 7873 5.4). */
static void ask_cookie(const void *cookie, uint16_t len, const struct cookie_secrets *with,
                       uint16_t want)
{
    static const uint8_t head[] = {0, 1, 0,      0, 0,   0, 0, 0, 0, 0, 0, 1,
                                   0, 0, RR_OPT, 4, 208, 0, 0, 0, 0, 0, 0};
    struct answer_client client = {
        .transport = HO_UDP, .source = &source, .cookies = with, .wall = {1000}};

    no_options();
    if (cookie)
        option(OPTION_COOKIE, cookie, len);
    memcpy(query, head, sizeof(head));
    put_u16(query + sizeof(head) - 2, (uint16_t)query_options.pos);
    memcpy(query + sizeof(head), options, query_options.pos);
    last.made = answer_make(answerer, plain_config(), &client, query,
                            sizeof(head) + query_options.pos, out, 512);
    assert_true(msg_layout_read(&last.m, out, last.made.len));
    assert_int_equal(last.made.action, ANSWER_SEND);
    assert_int_equal(last.made.rcode, want);
    assert_int_equal(last.m.header.counts[SECTION_QUESTION], 0);
    assert_int_equal(last.m.header.counts[SECTION_ADDITIONAL], 1);
}

static void test_asking_for_a_cookie_alone(void **state)
{
    uint8_t cookie[COOKIE_OCTETS];

    (void)state;
    learn(cookie);
    ask_cookie("01234567", 8, &secrets, RCODE_NOERROR);
    check_option(OPTION_COOKIE, cookie, COOKIE_OCTETS);
    ask_cookie(cookie, COOKIE_OCTETS, &secrets, RCODE_NOERROR);
    check_option(OPTION_COOKIE, cookie, COOKIE_OCTETS);
    cookie[20] ^= 1;
    ask_cookie(cookie, COOKIE_OCTETS, &secrets, RCODE_BADCOOKIE);
    cookie[20] ^= 1;
    check_option(OPTION_COOKIE, cookie, COOKIE_OCTETS);
    ask_cookie("0123456", 7, &secrets, RCODE_FORMERR);
    ask_cookie(NULL, 0, &secrets, RCODE_FORMERR);
    ask_cookie("01234567", 8, NULL, RCODE_FORMERR);
}

/* ---- All together, and too little room ---- */

static void test_all_options_in_every_size(void **state)
{
    static const uint8_t padding[16];

    (void)state;
    no_options();
    option(OPTION_NSID, "", 0);
    option(OPTION_COOKIE, "01234567", 8);
    option(OPTION_EXPIRE, "", 0);
    option(OPTION_ZONEVERSION, "", 0);
    option(OPTION_TCP_KEEPALIVE, "", 0);
    option(OPTION_PADDING, padding, sizeof(padding));
    ask(HO_TLS, "example.", "SOA");
    assert_int_equal(last.made.len, 468);
    for (uint16_t size = 512; size <= 1300; size++) {
        struct answer_client client = {
            .transport = HO_UDP, .source = &source, .cookies = &secrets, .wall = {1000}};
        size_t len = ask_build(
            query, &(struct ask){
                       .qname = "many.example.", .qtype = "TXT", .edns = true, .udp_size = size});

        put_u16(query + len - 2, (uint16_t)query_options.pos);
        memcpy(query + len, options, query_options.pos);
        last.made = answer_make(answerer, plain_config(), &client, query, len + query_options.pos,
                                out, sizeof(out));
        assert_in_range(last.made.len, 12, size < 1232 ? size : 1232);
        assert_true(msg_layout_read(&last.m, out, last.made.len));
        assert_true(last.m.edns.cookie.present && last.m.edns.nsid.present);
        assert_true(last.m.edns.zoneversion.present);
        assert_true(last.m.header.flags & MSG_TC);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing_unasked),
        cmocka_unit_test(test_unknown_and_twice),
        cmocka_unit_test(test_badvers_has_no_options),
        cmocka_unit_test(test_keepalive),
        cmocka_unit_test(test_padding_fills_blocks),
        cmocka_unit_test(test_every_padding),
        cmocka_unit_test(test_extended_errors),
        cmocka_unit_test(test_errors_of_zones),
        cmocka_unit_test(test_not_ready),
        cmocka_unit_test(test_expire),
        cmocka_unit_test(test_zoneversion),
        cmocka_unit_test(test_cookie_makes_a_client_known),
        cmocka_unit_test(test_cookie_of_another_address),
        cmocka_unit_test(test_malformed_cookies),
        cmocka_unit_test(test_asking_for_a_cookie_alone),
        cmocka_unit_test(test_all_options_in_every_size),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
