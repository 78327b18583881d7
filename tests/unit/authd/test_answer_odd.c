/* Odd messages (RFC 8906), EDNS (RFC 6891), and answers that do not fit (RFC 2181 9, 9471). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/dns/message_build.h"
#include "tests/tools/answer_fixture.h"

#define SIG " 8 2 3600 20300101000000 20200101000000 1 example. AAAA\n"

static const char *const zones[][2] = {
    {"example.",
     "@ SOA ns1 host 7 3600 900 604800 300\n@ NS ns1\nns1 A 192.0.2.1\nwww A 192.0.2.80\n"
     "www AAAA 2001:db8::80\nwww RRSIG A" SIG "www RRSIG AAAA" SIG "@ RRSIG SOA" SIG "mx MX 1 www\n"
     "$GENERATE 1-30 many A 192.0.2.$\n"
     "$GENERATE 1-9 deleg NS ns$.deleg\n$GENERATE 1-9 ns$.deleg A 192.0.2.$\n"
     "$GENERATE 1-9 ns$.deleg AAAA 2001:db8::$\n"
     "$GENERATE 1-9 far NS ns$.deleg\n"
     "$GENERATE 1-2000 huge TXT text-$\n"},
};

static struct zonedb *db;
static struct answerer *answerer;
static uint8_t query[MSG_MAX_OCTETS], out[MSG_MAX_OCTETS];

static int setup(void **state)
{
    (void)state;
    db = text_zonedb(zones, 1);
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

static void check_octets(const uint8_t *wire, size_t len, const char *want)
{
    struct answer_made made =
        answer_octets(answerer, plain_config(), wire, len, false, out, sizeof(out));
    char *got;

    if (made.action == ANSWER_DROP || made.len == 0) {
        assert_string_equal(made.action == ANSWER_DROP ? "(drop)" : "(hand over)", want);
        return;
    }
    got = answer_text(out, made.len);
    assert_string_equal(got, want);
    assert_memory_equal(out, wire, 2);
    free(got);
}

static size_t plain(const char *qname, const char *qtype)
{
    return ask_build(query, &(struct ask){.qname = qname, .qtype = qtype});
}

static void count_at(size_t at, uint16_t n)
{
    put_u16(query + at, n);
}

static void test_dropped(void **state)
{
    size_t len = plain("www.example.", "A");

    (void)state;
    check_octets(query, 0, "(drop)");
    check_octets(query, 11, "(drop)");
    query[2] |= 0x80; /* a response */
    check_octets(query, len, "(drop)");
}

static void test_formerr(void **state)
{
    size_t len = plain("www.example.", "A");

    (void)state;
    check_octets(query, 12, "FORMERR\n"); /* a question is announced, but isn't there */
    for (size_t i = 13; i < len; i++)
        check_octets(query, i, "FORMERR\n");
    query[len] = 0;
    check_octets(query, len + 1, "FORMERR\n"); /* something behind it */
    count_at(4, 0);
    check_octets(query, 12, "FORMERR\n"); /* no question, RFC 9619 */
    (void)plain("www.example.", "A");
    count_at(4, 2);
    memcpy(query + len, query + 12, len - 12);
    check_octets(query, 2 * len - 12, "FORMERR\n"); /* two */
    (void)plain("www.example.", "A");
    query[12] = 0xc0; /* a compressed QNAME has nothing to point at */
    query[13] = 12;
    check_octets(query, len, "FORMERR\n");
    (void)plain("www.example.", "A");
    query[12] = 0x41; /* an extended label type, RFC 6891 5 */
    check_octets(query, len, "FORMERR\n");
}

/* The question comes back with FORMERR if it could be read. */
static void test_formerr_keeps_the_question(void **state)
{
    size_t len = plain("www.example.", "A");
    struct answer_made made;

    (void)state;
    made = answer_octets(answerer, plain_config(), query, len + 1, false, out, sizeof(out));
    assert_int_equal(made.len, len);
    assert_memory_equal(out + 4, query + 4, len - 4);
}

static void test_opcodes(void **state)
{
    static const struct {
        uint16_t opcode;
        const char *want;
    } cases[] = {
        {OPCODE_IQUERY, "NOTIMP\n"},
        {OPCODE_STATUS, "NOTIMP\n"},
        {3, "NOTIMP\n"},
        {OPCODE_NOTIFY, "(hand over)"},
        {OPCODE_UPDATE, "(hand over)"},
        {OPCODE_DSO, "NOTIMP\n"},
        {15, "NOTIMP\n"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        size_t len = plain("example.", "SOA");

        put_u16(query + 2, (uint16_t)(cases[i].opcode << 11));
        check_octets(query, len, cases[i].want);
        if (strcmp(cases[i].want, "NOTIMP\n") == 0)
            check_octets(query, 12, "NOTIMP\n"); /* whatever follows the header */
    }
}

/* CVE-2026-5946: zone work in other classes never leaves authd. */
static void test_classes_of_zone_work(void **state)
{
    static const uint16_t classes[] = {0, CLASS_CH, CLASS_NONE, CLASS_ANY};

    (void)state;
    for (size_t i = 0; i < sizeof(classes) / sizeof(classes[0]); i++) {
        size_t len = plain("example.", "SOA");

        put_u16(query + len - 2, classes[i]);
        put_u16(query + 2, OPCODE_NOTIFY << 11);
        check_octets(query, len, "REFUSED\n");
        put_u16(query + 2, OPCODE_UPDATE << 11);
        check_octets(query, len, "REFUSED\n");
    }
}

static void test_every_type(void **state)
{
    (void)state;
    for (unsigned type = 0; type <= 65535; type++) {
        size_t len = plain("www.example.", "A");
        struct answer_made made;
        uint16_t rcode;

        put_u16(query + len - 4, (uint16_t)type);
        made = answer_octets(answerer, plain_config(), query, len, false, out, sizeof(out));
        rcode = type == RR_OPT || type == RR_TSIG                         ? RCODE_FORMERR
                : type == RR_TKEY || type == RR_MAILA || type == RR_MAILB ? RCODE_NOTIMP
                : type == RR_AXFR                                         ? RCODE_REFUSED
                                                                          : RCODE_NOERROR;
        assert_int_equal(made.action, type == RR_IXFR ? ANSWER_HAND_OVER : ANSWER_SEND);
        assert_int_equal(made.rcode, rcode);
        made = answer_octets(answerer, plain_config(), query, len, true, out, sizeof(out));
        assert_int_equal(made.action,
                         type == RR_AXFR || type == RR_IXFR ? ANSWER_TRANSFER : ANSWER_SEND);
    }
}

/* ---- EDNS ---- */

/* Puts an OPT behind the question; ttl holds extended rcode, version, flags. */
static size_t with_opt(size_t len, uint16_t size, uint32_t ttl, const void *options, uint16_t n)
{
    struct writer w = writer_of(query, sizeof(query));

    w.pos = len;
    write_u8(&w, 0);
    write_u16(&w, RR_OPT);
    write_u16(&w, size);
    write_u32(&w, ttl);
    write_u16(&w, n);
    write_bytes(&w, options, n);
    count_at(10, (uint16_t)(get_u16(query + 10) + 1));
    return w.pos;
}

static void test_edns(void **state)
{
    static const char www[] = "NOERROR aa\nan www.example. 3600 IN A 192.0.2.80\nopt 1232\n";
    static const uint8_t unknown[] = {0xff, 0xfe, 0, 2, 1, 2};
    static const uint8_t cut[] = {0, 3, 0, 9, 1};
    size_t q = plain("www.example.", "A");
    size_t len;

    (void)state;
    check_octets(query, with_opt(q, 4096, 0, NULL, 0), www);
    q = plain("www.example.", "A");
    check_octets(query, with_opt(q, 0, 0, NULL, 0), www); /* less than 512 means 512 */
    q = plain("www.example.", "A");
    check_octets(query, with_opt(q, 1232, 0x7fff, unknown, sizeof(unknown)), www); /* 8906 3.2 */
    q = plain("www.example.", "A");
    check_octets(query, with_opt(q, 1232, 0x10000, NULL, 0), "BADVERS\nopt 1232\n");
    q = plain("www.example.", "A");
    check_octets(query, with_opt(q, 1232, 0xff0000, cut, sizeof(cut)), "BADVERS\nopt 1232\n");
    q = plain("www.example.", "A");
    check_octets(query, with_opt(q, 1232, 0, cut, sizeof(cut)), "FORMERR\n");
    q = plain("www.example.", "A");
    len = with_opt(q, 1232, 0, NULL, 0);
    check_octets(query, with_opt(len, 1232, 0, NULL, 0), "FORMERR\nopt 1232\n"); /* two */
    q = plain("www.invalid.", "A");
    check_octets(query, with_opt(q, 1232, 0x8000, NULL, 0), "REFUSED\nopt 1232 do\n");
}

static void test_nsid(void **state)
{
    static const uint8_t nsid[] = {0, OPTION_NSID, 0, 0};
    size_t len = with_opt(plain("www.example.", "A"), 1232, 0, nsid, sizeof(nsid));
    struct answer_made made =
        answer_octets(answerer, plain_config(), query, len, false, out, sizeof(out));
    struct msg_layout m;

    (void)state;
    assert_true(msg_layout_read(&m, out, made.len));
    assert_true(m.edns.nsid.present);
    assert_int_equal(m.edns.nsid.len, 6);
    assert_memory_equal(out + m.edns.nsid.at, "node-1", 6);
}

static void test_signatures_with_do(void **state)
{
    static const char want[] =
        "NOERROR aa\nan www.example. 3600 IN A 192.0.2.80\n"
        "an www.example. 3600 IN RRSIG A 8 2 3600 20300101000000 20200101000000 1 example. AAAA\n"
        "opt 1232 do\n";
    char *got = ask_text(
        answerer,
        &(struct ask){.qname = "www.example.", .qtype = "A", .edns = true, .dnssec = true});

    (void)state;
    assert_string_equal(got, want);
    free(got);
    got =
        ask_text(answerer, &(struct ask){.qname = "www.example.", .qtype = "RRSIG", .edns = true});
    assert_non_null(strstr(got, "RRSIG A "));
    assert_non_null(strstr(got, "RRSIG AAAA "));
    free(got);
}

/* ---- What does not fit ---- */

static void test_truncation(void **state)
{
    char *got = ask_text(answerer, &(struct ask){.qname = "many.example.", .qtype = "A"});

    (void)state;
    assert_non_null(strstr(got, "an many.example.")); /* 30 x 16 + 30 octets: fits in 512 */
    free(got);
    got = ask_text(
        answerer,
        &(struct ask){.qname = "huge.example.", .qtype = "TXT", .edns = true, .udp_size = 4096});
    assert_string_equal(got, "NOERROR aa tc\nopt 1232\n"); /* whole RRsets only */
    free(got);
    got = ask_text(answerer, &(struct ask){.qname = "huge.example.", .qtype = "TXT", .tcp = true});
    assert_memory_equal(got, "NOERROR aa\n", 11);
    free(got);
}

/* All in-domain glue or TC; NS records stay whole (RFC 9471 3). */
static void test_glue_or_tc(void **state)
{
    char *got =
        ask_text(answerer, &(struct ask){.qname = "x.deleg.example.", .qtype = "A", .tcp = true});
    unsigned glue = 0;

    (void)state;
    assert_memory_equal(got, "NOERROR\n", 8);
    for (const char *p = got; (p = strstr(p, "\nar ")); p++)
        glue++;
    assert_int_equal(glue, 18);
    free(got);
    got = ask_text(answerer, &(struct ask){.qname = "x.deleg.example.", .qtype = "A"});
    assert_memory_equal(got, "NOERROR tc\nns deleg.example.", 27);
    free(got);
    got = ask_text(answerer, &(struct ask){.qname = "x.far.example.",
                                           .qtype = "A"}); /* a sibling's may be missing */
    assert_memory_equal(got, "NOERROR\nns far.example.", 22);
    free(got);
}

/* Every size from the smallest: never longer, always a message, TC exactly if something that has
 * to be there is not. */
static void test_every_size(void **state)
{
    static const char *const names[] = {"x.deleg.example.", "x.far.example.", "many.example.",
                                        "mx.example.", "absent.example."};

    (void)state;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        for (uint16_t size = 512; size <= 1232; size++) {
            char *got = ask_text(
                answerer,
                &(struct ask){.qname = names[i], .qtype = "A", .edns = true, .udp_size = size});

            assert_non_null(strstr(got, "\nopt 1232\n"));
            free(got);
        }
    }
}

/* The longest name and the longest identity in 512 octets. */
static void test_longest_question(void **state)
{
    static char identity[256];
    struct config c = *plain_config();
    static const uint8_t nsid[] = {0, OPTION_NSID, 0, 0};
    char name[] = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa."
                  "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb."
                  "ccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc."
                  "ddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd.";
    size_t len = with_opt(plain(name, "A"), 512, 0, nsid, sizeof(nsid));
    struct answer_made made;

    (void)state;
    memset(identity, 'i', 255);
    c.server_id = identity;
    made = answer_octets(answerer, &c, query, len, false, out, sizeof(out));
    assert_in_range(made.len, 12, 512);
    check_octets(query, len, "REFUSED\nopt 1232\n");
}

/* ---- Signed queries ---- */

static void test_signed(void **state)
{
    /* key., hmac-sha256, any MAC: authd does not look */
    static const uint8_t tsig[] = {3, 'k', 'e', 'y', 0, 0, RR_TSIG, 0, CLASS_ANY, 0,
                                   0, 0,   0,   0,   4, 1, 'h',     0, 0};
    size_t q = plain("www.example.", "A");
    size_t len;
    struct answer_made made;

    (void)state;
    memcpy(query + q, tsig, sizeof(tsig));
    count_at(10, 1);
    len = q + sizeof(tsig);
    made = answer_octets(answerer, plain_config(), query, len, false, out, sizeof(out));
    assert_int_equal(made.action, ANSWER_HAND_OVER);
    assert_in_range(made.len, q, MSG_UDP_MIN_OCTETS - sizeof(tsig) - 6);
    q = answer_short(answerer, plain_config(), RCODE_SERVFAIL, out, sizeof(out));
    assert_int_equal(get_u16(out + 2) & MSG_RCODE_MASK, RCODE_SERVFAIL);
    assert_int_equal(q, len - sizeof(tsig));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_dropped),
        cmocka_unit_test(test_formerr),
        cmocka_unit_test(test_formerr_keeps_the_question),
        cmocka_unit_test(test_opcodes),
        cmocka_unit_test(test_classes_of_zone_work),
        cmocka_unit_test(test_every_type),
        cmocka_unit_test(test_edns),
        cmocka_unit_test(test_nsid),
        cmocka_unit_test(test_signatures_with_do),
        cmocka_unit_test(test_truncation),
        cmocka_unit_test(test_glue_or_tc),
        cmocka_unit_test(test_every_size),
        cmocka_unit_test(test_longest_question),
        cmocka_unit_test(test_signed),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
