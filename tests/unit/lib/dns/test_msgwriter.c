#include "lib/dns/msgwriter.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>

#include "msg_util.h"

static struct msg_writer w;
static uint8_t buf[MSG_MAX_OCTETS];

static const struct rr a_record = {.owner = N("\3www\7EXAMPLE\3com"),
                                   .type = RR_A,
                                   .rclass = CLASS_IN,
                                   .ttl = 300,
                                   .rdata = N("\300\0\2\1"),
                                   .rdata_len = 4};

static void begin(size_t limit)
{
    msgw_begin(&w, buf, limit, 0x4242, MSG_QR);
}

/* Record `skip` of the whole message behind the question. */
static struct msg_rr record(size_t len, unsigned skip)
{
    struct msg_layout l;
    struct msg_rr rr = {.at = 0};
    struct reader r;

    assert_true(msg_layout_read(&l, buf, len));
    r = msg_section(&l, buf, len, SECTION_ANSWER);
    for (unsigned i = 0; i <= skip; i++)
        assert_true(msg_read_rr(&rr, &r));
    return rr;
}

static void compresses_in_any_case_and_keeps_the_first(void **state)
{
    static const uint8_t want[] = "\x42\x42\x84\x00\0\1\0\1\0\0\0\0"
                                  "\3wWw\7eXample\3com\0\0\1\0\1"
                                  "\xc0\x0c\0\1\0\1\0\0\1\54\0\4\300\0\2\1";
    size_t len;

    (void)state;
    begin(512);
    msgw_set_flags(&w, MSG_AA, MSG_TC);
    assert_true(msgw_question(&w, N("\3wWw\7eXample\3com"), RR_A, CLASS_IN));
    assert_true(msgw_rr(&w, SECTION_ANSWER, &a_record));
    len = msgw_finish(&w);
    assert_int_equal(len, sizeof(want) - 1);
    assert_memory_equal(buf, want, len);
}

static void compresses_suffixes_and_rdata(void **state)
{
    static const uint8_t mx[] = "\0\12\4mail\7example\3com";
    static const uint8_t soa[] = "\3ns1\7example\3com\0\4Mail\7eXample\3com\0"
                                 "\0\0\0\1\0\0\0\2\0\0\0\3\0\0\0\4\0\0\0\5";
    static const uint8_t srv[] = "\0\0\0\0\0\65\4mail\7example\3com";
    struct rr rr = {.owner = N("\7example\3com"),
                    .type = RR_MX,
                    .rclass = CLASS_IN,
                    .rdata = mx,
                    .rdata_len = sizeof(mx)};
    struct buf out = BUF_INIT;
    struct msg_rr got;
    size_t len;

    (void)state;
    begin(512);
    assert_true(msgw_question(&w, N("\7example\3com"), RR_MX, CLASS_IN));
    assert_true(msgw_rr(&w, SECTION_ANSWER, &rr));
    rr.type = RR_SOA;
    rr.rdata = soa;
    rr.rdata_len = sizeof(soa) - 1;
    assert_true(msgw_rr(&w, SECTION_ANSWER, &rr));
    rr.type = RR_SRV;
    rr.rdata = srv;
    rr.rdata_len = sizeof(srv);
    assert_true(msgw_rr(&w, SECTION_ANSWER, &rr));
    len = msgw_finish(&w);

    got = record(len, 0);
    assert_int_equal(got.rdlen, 2 + 5 + 2);
    assert_int_equal(rdata_read(&out, &got.rdata, RR_MX, got.rdlen, NULL), OK);
    assert_memory_equal(out.data, mx, sizeof(mx));
    got = record(len, 1);
    assert_int_equal(got.rdlen, 4 + 2 + 2 + 20); /* ns1 + pointer, pointer to mail */
    out.len = 0;
    assert_int_equal(rdata_read(&out, &got.rdata, RR_SOA, got.rdlen, NULL), OK);
    assert_int_equal(out.len, sizeof(soa) - 1);
    assert_memory_equal(out.data, "\3ns1\7example\3com\0\4mail\7example\3com", 35);
    got = record(len, 2); /* RFC 3597 4: never in SRV */
    assert_int_equal(got.rdlen, sizeof(srv));
    assert_memory_equal(got.rdata.msg + got.rdata.pos, srv, sizeof(srv));
    buf_free(&out);
}

static void names_that_look_alike_are_told_apart(void **state)
{
    /* The same octets cut into labels differently, and same labels below different parents. */
    static const char *const names[] = {
        "\3www\7example\3com",
        "\13www\7example\3com",
        "\3www\3com",
        "\3com",
        "\7example\3org",
        "\3www\7example\3org",
        "\1a\1a\1a\1a",
        "\1a\1a",
        "\1A\1b\1a",
        "\10abcdefgh\1a",
        "\10abcdefgH\1b",
        "\11abcdefghi\1a",
        "\10abcdefgi\1a",
        "\2@[\1a",
        "\2`{\1a",
        "",
    };
    unsigned n = sizeof(names) / sizeof(names[0]);
    size_t len;

    (void)state;
    begin(MSG_MAX_OCTETS);
    for (unsigned i = 0; i < 2 * n; i++) {
        struct rr rr = a_record;

        rr.owner = N(names[i % n]);
        assert_true(msgw_rr(&w, SECTION_ANSWER, &rr));
    }
    len = msgw_finish(&w);
    for (unsigned i = 0; i < 2 * n; i++) {
        struct msg_rr got = record(len, i);

        assert_true(name_eq(got.owner, N(names[i % n])));
        assert_int_equal(got.rdlen, 4);
        if (i >= n)
            assert_int_equal(got.rdata.pos - got.at, names[i % n][0] ? 12 : 11);
    }
}

/* At each limit a message is what was written before, whole, and goes on to work. */
static void rolls_back_what_does_not_fit(void **state)
{
    static const uint8_t mx[] = "\0\12\4mail\7example\3net";
    struct rr second = {.owner = N("\5other\7example\3net"),
                        .type = RR_MX,
                        .rclass = CLASS_IN,
                        .rdata = mx,
                        .rdata_len = sizeof(mx)};
    uint8_t whole[512];
    size_t whole_len;
    size_t steps[4];

    (void)state;
    begin(512);
    steps[0] = 12;
    assert_true(msgw_question(&w, N("\3www\7example\3com"), RR_A, CLASS_IN));
    steps[1] = w.pos;
    assert_true(msgw_rr(&w, SECTION_ANSWER, &a_record));
    steps[2] = w.pos;
    assert_true(msgw_rr(&w, SECTION_ANSWER, &second));
    steps[3] = whole_len = msgw_finish(&w);
    memcpy(whole, buf, whole_len);
    for (size_t limit = 12; limit <= whole_len; limit++) {
        struct msg_layout l;
        bool fit[3];
        size_t len;

        memset(buf, 0xee, sizeof(buf));
        begin(limit);
        fit[0] = msgw_question(&w, N("\3www\7example\3com"), RR_A, CLASS_IN);
        fit[1] = fit[0] && msgw_rr(&w, SECTION_ANSWER, &a_record);
        fit[2] = fit[1] && msgw_rr(&w, SECTION_ANSWER, &second);
        len = msgw_finish(&w);
        assert_int_equal(fit[0], limit >= steps[1]);
        assert_int_equal(fit[1], limit >= steps[2]);
        assert_int_equal(fit[2], limit >= steps[3]);
        assert_int_equal(len, steps[fit[0] + fit[1] + fit[2]]);
        assert_true(msg_layout_read(&l, buf, len));
        assert_memory_equal(buf + 12, whole + 12, len - 12);
        for (size_t i = limit; i < 600; i++)
            assert_int_equal(buf[i], 0xee);
    }
    assert_memory_equal(buf, whole, whole_len);
}

/* A name that was taken back must not be pointed at. */
static void forgets_the_names_of_a_rollback(void **state)
{
    struct rr big = {.owner = N("\3big\7example\3com"),
                     .type = RR_NULL,
                     .rclass = CLASS_IN,
                     .rdata = zeros,
                     .rdata_len = 600};
    struct rr small = a_record;
    size_t len;

    (void)state;
    begin(512);
    assert_false(msgw_rr(&w, SECTION_ANSWER, &big));
    assert_int_equal(w.used, 0);
    assert_int_equal(w.recent, 0);
    small.owner = N("\3net");
    assert_true(msgw_rr(&w, SECTION_ANSWER, &small));
    small.owner = N("\3big\7example\3com");
    assert_true(msgw_rr(&w, SECTION_ANSWER, &small));
    len = msgw_finish(&w);
    assert_true(name_eq(record(len, 1).owner, small.owner));
    assert_int_equal(w.counts[SECTION_ANSWER], 2);
    begin(512); /* nothing is left behind for the next message */
    for (size_t i = 0; i < MSGW_SLOTS; i++)
        assert_int_equal(w.slots[i].at, 0);
}

static void writes_an_rrset_or_nothing(void **state)
{
    static const uint8_t rdatas[] = "\0\5\3ns1\0\0\5\3ns2\0\0\15\3ns1\7example";
    struct msg_rrset s = {.owner = N("\7example\3com"),
                          .rdatas = rdatas,
                          .rdatas_len = sizeof(rdatas), /* the literal's NUL ends the last name */
                          .ttl = 5,
                          .type = RR_NS,
                          .rclass = CLASS_IN};
    size_t need;

    (void)state;
    begin(512);
    assert_true(msgw_question(&w, N("\7example\3com"), RR_NS, CLASS_IN));
    assert_true(msgw_rrset(&w, SECTION_ANSWER, &s));
    need = msgw_finish(&w);
    assert_int_equal(w.counts[SECTION_ANSWER], 3);
    assert_int_equal(record(need, 1).at + 12 + 5, record(need, 2).at);
    assert_true(name_eq(record(need, 2).owner, s.owner));
    for (size_t limit = 29; limit < need; limit++) {
        begin(limit);
        assert_true(msgw_question(&w, N("\7example\3com"), RR_NS, CLASS_IN));
        assert_false(msgw_rrset(&w, SECTION_ANSWER, &s));
        assert_int_equal(msgw_finish(&w), 29);
        assert_int_equal(get_u16(buf + 6), 0);
    }
    s.owner = N(""); /* the root is never pointed at */
    begin(512);
    assert_true(msgw_rrset(&w, SECTION_ANSWER, &s));
    need = msgw_finish(&w);
    assert_int_equal(record(need, 2).owner[0], 0);
}

static void keeps_room_for_opt(void **state)
{
    static const struct edns_reply opt = {
        .udp_size = 1232, .dnssec_ok = true, .options = zeros, .options_len = 4};
    struct msg_layout l;
    size_t len;

    (void)state;
    begin(64);
    assert_false(msgw_reserve(&w, 53));
    assert_true(msgw_reserve(&w, edns_octets(&opt)));
    while (msgw_rr(&w, SECTION_ANSWER, &a_record))
        continue;
    assert_int_equal(w.counts[SECTION_ANSWER], 1);
    assert_false(msgw_opt(&w, &opt, 0));
    msgw_release(&w, edns_octets(&opt));
    assert_true(msgw_opt(&w, &opt, RCODE_BADCOOKIE));
    len = msgw_finish(&w);
    assert_true(len <= 64);
    assert_true(msg_layout_read(&l, buf, len));
    assert_int_equal(l.edns.udp_size, 1232);
    assert_true(l.edns.dnssec_ok);
    assert_int_equal(l.edns.options_len, 4);
    assert_int_equal(l.edns.ext_rcode << 4 | msg_rcode(&l.header), RCODE_BADCOOKIE);
}

static void goes_back_to_a_mark(void **state)
{
    struct msgw_mark mark;
    struct rr rr = a_record;
    size_t len;

    (void)state;
    begin(512);
    assert_true(msgw_question(&w, N("\3www\7example\3com"), RR_A, CLASS_IN));
    mark = msgw_mark(&w);
    for (unsigned i = 0; i < 10; i++) {
        uint8_t owner[] = "\2x0\7example\3com";

        owner[2] = (uint8_t)('0' + i);
        rr.owner = owner;
        assert_true(msgw_rr(&w, i < 5 ? SECTION_ANSWER : SECTION_ADDITIONAL, &rr));
    }
    msgw_rollback(&w, &mark);
    msgw_set_flags(&w, MSG_TC, 0);
    len = msgw_finish(&w);
    assert_int_equal(len, 33);
    assert_memory_equal(buf + 4, "\0\1\0\0\0\0\0\0", 8);
    assert_true(msgw_rr(&w, SECTION_ANSWER, &a_record)); /* answer is open again */
    assert_int_equal(msgw_finish(&w), 33 + 16);
}

/* As a transfer does: 64 KiB, more names than slots, and past 0x3fff. */
static void fills_64_kib(void **state)
{
    struct msg_layout l;
    struct reader r;
    struct rr rr = a_record;
    unsigned n = 0;
    size_t len;

    (void)state;
    begin(100000); /* cut to what a message may have */
    for (;; n++) {
        char owner[64];

        (void)snprintf(owner, sizeof(owner), "%cHost%05u%csub%03u%cexample%ccom", 9, n / 2, 6,
                       n / 40, 7, 3);
        rr.owner = N(owner);
        if (!msgw_rr(&w, SECTION_ANSWER, &rr))
            break;
    }
    len = msgw_finish(&w);
    assert_in_range(len, MSG_MAX_OCTETS - 60, MSG_MAX_OCTETS);
    assert_true(w.used <= MSGW_SLOTS);
    assert_true(n > 2000);
    assert_true(msg_layout_read(&l, buf, len));
    r = msg_section(&l, buf, len, SECTION_ANSWER);
    for (unsigned i = 0; i < n; i++) {
        char owner[64];
        struct msg_rr got;

        (void)snprintf(owner, sizeof(owner), "%cHost%05u%csub%03u%cexample%ccom", 9, i / 2, 6,
                       i / 40, 7, 3);
        assert_true(msg_read_rr(&got, &r));
        assert_memory_equal(got.owner, owner, strlen(owner) + 1);
    }
    rr.owner = N("");
    rr.type = RR_NULL;
    rr.rdata = zeros;
    rr.rdata_len = MSG_MAX_OCTETS - 12 - 11;
    begin(MSG_MAX_OCTETS); /* the largest record that a message can hold */
    assert_true(msgw_rr(&w, SECTION_ANSWER, &rr));
    assert_int_equal(msgw_finish(&w), MSG_MAX_OCTETS);
    begin(MSG_MAX_OCTETS);
    rr.rdata_len++;
    assert_false(msgw_rr(&w, SECTION_ANSWER, &rr));
}

/* 0x3fff is the last offset that a pointer can hold. */
static void points_no_further_than_a_pointer_can(void **state)
{
    (void)state;
    for (size_t start = 0x3ff0; start <= 0x4004; start++) {
        struct rr pad = {.owner = N(""),
                         .type = RR_NULL,
                         .rclass = CLASS_IN,
                         .rdata = zeros,
                         .rdata_len = (uint16_t)(start - 12 - 11)};
        struct rr rr = a_record;
        size_t second;
        size_t len;

        begin(MSG_MAX_OCTETS);
        assert_true(msgw_rr(&w, SECTION_ANSWER, &pad));
        assert_int_equal(w.pos, start);
        assert_true(msgw_rr(&w, SECTION_ANSWER, &rr));
        second = w.pos;
        assert_true(msgw_rr(&w, SECTION_ANSWER, &rr));
        /* "com" stands 12 octets behind the start; what it is the end of hangs on it. */
        assert_int_equal(w.pos - second, start + 12 <= 0x3fff ? 2 + 14 : 17 + 14);
        rr.owner = N("\4mail\7example\3com");
        assert_true(msgw_rr(&w, SECTION_ANSWER, &rr));
        len = msgw_finish(&w);
        for (unsigned i = 1; i < 3; i++)
            assert_memory_equal(record(len, i).owner, a_record.owner, 17);
        assert_memory_equal(record(len, 3).owner, "\4mail", 5);
        assert_true(name_eq(record(len, 3).owner, rr.owner));
    }
}

static unsigned next(uint64_t *seed)
{
    *seed = *seed * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(*seed >> 33);
}

/* Random names over few labels, in random case, into messages of random size: whatever is
 * written is read back. */
static void survives_random_names(void **state)
{
    uint64_t seed = 42;
    uint8_t names[128][80];

    (void)state;
    for (unsigned round = 0; round < 300; round++) {
        unsigned n = 0;
        unsigned written = 0;
        size_t len;

        begin(12 + next(&seed) % 2000);
        for (; n < 128; n++) {
            struct rr rr = a_record;
            size_t at = 0;

            for (unsigned labels = next(&seed) % 6; labels > 0; labels--) {
                unsigned size = 1 + next(&seed) % 12;
                names[n][at++] = (uint8_t)size;
                for (; size > 0; size--)
                    names[n][at++] = (uint8_t)((next(&seed) % 2 ? 'a' : 'A') + next(&seed) % 2);
            }
            names[n][at] = 0;
            rr.owner = names[n];
            if (!msgw_rr(&w, SECTION_ANSWER, &rr))
                break;
            written++;
        }
        len = msgw_finish(&w);
        if (written > 0) {
            struct msg_layout l;
            struct reader r;
            struct msg_rr got;

            assert_true(msg_layout_read(&l, buf, len));
            r = msg_section(&l, buf, len, SECTION_ANSWER);
            for (unsigned i = 0; i < written; i++) {
                assert_true(msg_read_rr(&got, &r));
                assert_true(name_eq(got.owner, names[i]));
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(compresses_in_any_case_and_keeps_the_first),
        cmocka_unit_test(compresses_suffixes_and_rdata),
        cmocka_unit_test(names_that_look_alike_are_told_apart),
        cmocka_unit_test(rolls_back_what_does_not_fit),
        cmocka_unit_test(forgets_the_names_of_a_rollback),
        cmocka_unit_test(writes_an_rrset_or_nothing),
        cmocka_unit_test(keeps_room_for_opt),
        cmocka_unit_test(goes_back_to_a_mark),
        cmocka_unit_test(fills_64_kib),
        cmocka_unit_test(points_no_further_than_a_pointer_can),
        cmocka_unit_test(survives_random_names),
    };

    msgw_init(&w);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
