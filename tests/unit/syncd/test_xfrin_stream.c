/* Streams of AXFR messages, good and hostile. A message is written as a string of records:
 *   S  the SOA with serial 10          s  the SOA with serial 11
 *   m  like S, its MNAME in capitals   r  like S, another refresh
 *   b  a SOA below the apex            n  the NS
 *   a  an A record, each with a name of its own
 *   o  outside the zone                c  class CH (h: a SOA like S)
 *   y  type ANY                        x  an A record whose RDATA is short
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/dns/message_build.h"
#include "lib/dns/msgwriter.h"
#include "lib/zone/zone.h"
#include "syncd/xfrin_stream.h"

#define MESSAGES_MAX 128
#define ID 0x1234

static const uint8_t apex[] = "\7example";
static const uint8_t key_name[] = "\3key";
static const struct wall now = {1700000000};

enum fault {
    FAULT_NONE,
    FAULT_ID,
    FAULT_NOT_RESPONSE,
    FAULT_OPCODE,
    FAULT_TC,
    FAULT_REFUSED,
    FAULT_NOTAUTH,
    FAULT_QUESTION,
    FAULT_NO_QUESTION,
    FAULT_EXTRA_OCTET,
    FAULT_SHORT,
    FAULT_COUNT,
    FAULT_HEADER,
};

static void put_name(uint8_t out[NAME_MAX_OCTETS], const char *text)
{
    assert_int_equal(name_from_text(out, text, strlen(text), apex, NULL), OK);
}

static void put_record(struct msg_writer *w, char kind, unsigned number)
{
    struct buf rdata = BUF_INIT;
    uint8_t owner[NAME_MAX_OCTETS];
    char host[32];
    struct rr rr = {.owner = apex, .rclass = CLASS_IN, .ttl = 3600, .type = RR_SOA};
    const char *text = "ns.example. host.example. 10 7200 900 1209600 300";

    (void)snprintf(host, sizeof(host), "h%u", number);
    switch (kind) {
    case 'S':
    case 'h':
        break;
    case 's':
        text = "ns.example. host.example. 11 7200 900 1209600 300";
        break;
    case 'm':
        text = "NS.EXAMPLE. host.example. 10 7200 900 1209600 300";
        break;
    case 'r':
        text = "ns.example. host.example. 10 7201 900 1209600 300";
        break;
    case 'b':
        put_name(owner, "sub");
        rr.owner = owner;
        break;
    case 'n':
        rr.type = RR_NS;
        text = "ns.example.";
        break;
    case 'o':
        put_name(owner, "www.example.org.");
        rr.owner = owner;
        rr.type = RR_A;
        text = "192.0.2.1";
        break;
    default:
        put_name(owner, host);
        rr.owner = owner;
        rr.type = RR_A;
        text = "192.0.2.1";
    }
    if (kind == 'c' || kind == 'h')
        rr.rclass = CLASS_CH;
    assert_int_equal(rdata_from_text(&rdata, rr.type, text, strlen(text), apex, NULL), OK);
    rr.rdata = rdata.data;
    rr.rdata_len = (uint16_t)(kind == 'x' ? rdata.len - 1 : rdata.len);
    if (kind == 'y')
        rr.type = RR_ANY;
    assert_true(msgw_rr(w, SECTION_ANSWER, &rr));
    buf_free(&rdata);
}

/* One message into `out`; returns its length. */
static size_t make_message(uint8_t *out, size_t cap, const char *records, bool first,
                           enum fault fault)
{
    static unsigned number;
    static const uint8_t other[] = "\5other";
    struct msg_writer w;
    uint16_t flags = MSG_QR | MSG_AA;
    size_t len;

    if (fault == FAULT_NOT_RESPONSE)
        flags = 0;
    if (fault == FAULT_OPCODE)
        flags |= OPCODE_NOTIFY << 11;
    if (fault == FAULT_TC)
        flags |= MSG_TC;
    if (fault == FAULT_REFUSED)
        flags |= RCODE_REFUSED;
    if (fault == FAULT_NOTAUTH)
        flags |= RCODE_NOTAUTH;
    msgw_init(&w);
    msgw_begin(&w, out, cap, fault == FAULT_ID ? ID + 1 : ID, flags);
    if ((first && fault != FAULT_NO_QUESTION) || fault == FAULT_QUESTION)
        assert_true(msgw_question(&w, fault == FAULT_QUESTION ? other : apex, RR_AXFR, CLASS_IN));
    for (; *records; records++)
        put_record(&w, *records, number++);
    len = msgw_finish(&w);
    if (fault == FAULT_EXTRA_OCTET)
        out[len++] = 0;
    if (fault == FAULT_SHORT)
        len--;
    if (fault == FAULT_COUNT)
        out[7]++;
    if (fault == FAULT_HEADER)
        len = 11;
    return len;
}

/* ---- Unsigned ---- */

struct stream_case {
    const char *name;
    const char *messages; /* separated by blanks */
    enum xfrin_step last; /* what the last message gives; all before it give MORE */
    enum fault fault;     /* of the last message */
    const char *says;     /* part of the error */
};

static const struct stream_case cases[] = {
    {"one message", "SnaaaS", XFRIN_DONE, FAULT_NONE, NULL},
    {"one record a message", "S n a a S", XFRIN_DONE, FAULT_NONE, NULL},
    {"closing SOA alone", "Sna aa S", XFRIN_DONE, FAULT_NONE, NULL},
    {"only SOAs", "SS", XFRIN_DONE, FAULT_NONE, NULL},
    {"names in the SOA in other letters", "Sn m", XFRIN_DONE, FAULT_NONE, NULL},
    {"later question repeated", "Sn aS", XFRIN_DONE, FAULT_NONE, NULL},
    {"not at the end", "Snaa aa", XFRIN_MORE, FAULT_NONE, NULL},
    {"no SOA first", "naS", XFRIN_FAILED, FAULT_NONE, "does not begin with"},
    {"SOA of another name first", "bnS", XFRIN_FAILED, FAULT_NONE, "does not begin with"},
    {"other serial at the end", "Sna s", XFRIN_FAILED, FAULT_NONE, "second SOA"},
    {"other timers at the end", "Sna r", XFRIN_FAILED, FAULT_NONE, "second SOA"},
    {"another SOA in the middle", "SnsaS", XFRIN_FAILED, FAULT_NONE, "second SOA"},
    {"a SOA below the apex", "SnbaS", XFRIN_FAILED, FAULT_NONE, "second SOA"},
    {"records behind the end", "SnSa", XFRIN_FAILED, FAULT_NONE, "behind the closing SOA"},
    {"a third SOA", "SnSS", XFRIN_FAILED, FAULT_NONE, "behind the closing SOA"},
    {"outside the zone", "Sn aoS", XFRIN_REFUSED, FAULT_NONE, "record 2"},
    {"class CH", "ScnS", XFRIN_REFUSED, FAULT_NONE, "record 2"},
    {"SOA of class CH first", "hnS", XFRIN_FAILED, FAULT_NONE, "does not begin with"},
    {"SOA of class CH at the end", "Sn ah", XFRIN_FAILED, FAULT_NONE, "second SOA"},
    {"type ANY", "SyS", XFRIN_REFUSED, FAULT_NONE, "record 2"},
    {"short RDATA", "SxS", XFRIN_FAILED, FAULT_NONE, "record 2"},
    {"an empty first message", " SnS", XFRIN_FAILED, FAULT_NONE, NULL},
    {"another ID", "Sn aS", XFRIN_FAILED, FAULT_ID, "another ID"},
    {"another ID at once", "SnS", XFRIN_FAILED, FAULT_ID, "another ID"},
    {"not a response", "Sn aS", XFRIN_FAILED, FAULT_NOT_RESPONSE, "not a response"},
    {"another opcode", "Sn aS", XFRIN_FAILED, FAULT_OPCODE, "opcode"},
    {"TC", "Sn aS", XFRIN_FAILED, FAULT_TC, "truncated"},
    {"REFUSED at once", "S", XFRIN_FAILED, FAULT_REFUSED, "REFUSED"},
    {"REFUSED at the end", "Sn aS", XFRIN_FAILED, FAULT_REFUSED, "REFUSED"},
    {"NOTAUTH", "S", XFRIN_FAILED, FAULT_NOTAUTH, "NOTAUTH"},
    {"another question", "SnS", XFRIN_FAILED, FAULT_QUESTION, "question"},
    {"another question later", "Sn aS", XFRIN_FAILED, FAULT_QUESTION, "question"},
    {"no question first", "SnS", XFRIN_FAILED, FAULT_NO_QUESTION, "question"},
    {"an extra octet", "Sn aS", XFRIN_FAILED, FAULT_EXTRA_OCTET, "malformed"},
    {"an octet short", "Sn aS", XFRIN_FAILED, FAULT_SHORT, "malformed"},
    {"a count too high", "Sn aS", XFRIN_FAILED, FAULT_COUNT, "malformed"},
    {"a header cut off", "Sn aS", XFRIN_FAILED, FAULT_HEADER, "malformed"},
};

static size_t make_query(uint8_t *buf, size_t cap)
{
    struct msg_query_spec q = {.qname = apex, .qtype = RR_AXFR, .id = ID};

    return msg_build_query(buf, cap, &q);
}

static enum xfrin_step run(const struct stream_case *c, struct xfrin_stream *s, struct errinfo *e)
{
    char text[256];
    char *rest = text;
    char *message;
    enum xfrin_step step = XFRIN_MORE;
    bool first = true;
    uint8_t wire[4096];

    (void)snprintf(text, sizeof(text), "%s", c->messages);
    while ((message = strsep(&rest, " "))) {
        size_t len = make_message(wire, sizeof(wire), message, first, rest ? FAULT_NONE : c->fault);

        assert_int_equal(step, XFRIN_MORE);
        first = false;
        step = xfrin_stream_feed(s, wire, len, now, e);
        if (step != XFRIN_MORE)
            break;
    }
    return step;
}

static void test_cases(void **state)
{
    uint8_t query[512];
    size_t query_len = make_query(query, sizeof(query));

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct stream_case *c = &cases[i];
        struct xfrin_stream *s = xfrin_stream_new(apex, query, query_len, NULL, NULL, NULL);
        struct errinfo e = {{0}};
        enum xfrin_step step = run(c, s, &e);
        struct zone_builder *b = xfrin_stream_take(s);

        if (step != c->last || (c->says && !strstr(e.text, c->says)))
            fail_msg("%s: step %d, '%s'", c->name, (int)step, e.text);
        assert_int_equal(b != NULL, step == XFRIN_DONE);
        if (step != XFRIN_MORE && step != XFRIN_DONE)
            assert_non_null(strstr(e.text, "message "));
        zone_builder_free(b);
        xfrin_stream_free(s);
    }
}

static void test_axfr_next(void **state)
{
    static const struct {
        enum axfr_state from;
        enum axfr_record kind;
        enum axfr_state to;
    } table[] = {
        {AXFR_FIRST_SOA, AXFR_RR_OPENING, AXFR_RECORDS},
        {AXFR_FIRST_SOA, AXFR_RR_SOA, AXFR_BROKEN},
        {AXFR_FIRST_SOA, AXFR_RR_OTHER, AXFR_BROKEN},
        {AXFR_RECORDS, AXFR_RR_OPENING, AXFR_DONE},
        {AXFR_RECORDS, AXFR_RR_SOA, AXFR_BROKEN},
        {AXFR_RECORDS, AXFR_RR_OTHER, AXFR_RECORDS},
        {AXFR_DONE, AXFR_RR_OPENING, AXFR_BROKEN},
        {AXFR_DONE, AXFR_RR_SOA, AXFR_BROKEN},
        {AXFR_DONE, AXFR_RR_OTHER, AXFR_BROKEN},
        {AXFR_BROKEN, AXFR_RR_OPENING, AXFR_BROKEN},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
        assert_int_equal(axfr_next(table[i].from, table[i].kind), table[i].to);
}

static void test_content_and_counts(void **state)
{
    uint8_t query[512];
    size_t query_len = make_query(query, sizeof(query));
    struct xfrin_stream *s = xfrin_stream_new(apex, query, query_len, NULL, NULL, NULL);
    struct stream_case c = {.messages = "Sna aaa S"};
    struct zone_build_report report;
    struct zone_builder *b;
    struct zone *z = NULL;
    struct soa soa;

    (void)state;
    assert_false(xfrin_stream_soa(s, &soa));
    assert_int_equal(run(&c, s, NULL), XFRIN_DONE);
    assert_true(xfrin_stream_soa(s, &soa));
    assert_int_equal(soa.serial.v, 10);
    assert_int_equal(soa.refresh_s, 7200);
    assert_int_equal(xfrin_stream_counts(s).messages, 3);
    assert_int_equal(xfrin_stream_counts(s).records, 6);
    b = xfrin_stream_take(s);
    assert_int_equal(zone_builder_finish(&z, b, &report, NULL), OK);
    assert_int_equal(zone_check(z, NULL), OK);
    assert_int_equal(zone_records(z), 6);
    zone_unref(z);
    zone_builder_free(b);
    xfrin_stream_free(s);
}

/* A message with an OPT: an option of so many octets, the seconds first; no records if rcode. */
static size_t with_opt(uint8_t *out, size_t cap, const char *records, bool first, uint16_t rcode,
                       uint16_t option_len, uint32_t seconds)
{
    uint8_t data[8] = {0}, options[16];
    struct writer o = writer_of(options, sizeof(options));
    struct edns_reply opt = {.udp_size = 1232, .options = options};
    struct msg_writer w;

    put_u32(data, seconds);
    edns_put_option(&o, OPTION_EXPIRE, data, option_len);
    opt.options_len = (uint16_t)(option_len + 4);
    msgw_init(&w);
    msgw_begin(&w, out, cap, ID, MSG_QR | MSG_AA);
    if (first)
        assert_true(msgw_question(&w, apex, RR_AXFR, CLASS_IN));
    msgw_set_rcode(&w, (uint8_t)rcode);
    for (unsigned i = 0; records[i]; i++)
        put_record(&w, records[i], 1000 + i);
    assert_true(msgw_opt(&w, &opt, rcode));
    return msgw_finish(&w);
}

/* How long the zone is good for at the primary (RFC 7314): the first message that says so. */
static void test_expire(void **state)
{
    static const struct {
        uint16_t len;
        bool has;
    } table[] = {{4, true}, {0, false}, {3, false}, {5, false}};
    uint8_t query[512], wire[1024];
    size_t query_len = make_query(query, sizeof(query));

    (void)state;
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        struct xfrin_stream *s = xfrin_stream_new(apex, query, query_len, NULL, NULL, NULL);
        struct xfrin_counts c;
        size_t len = with_opt(wire, sizeof(wire), "Sn", true, RCODE_NOERROR, table[i].len, 5000);

        assert_int_equal(xfrin_stream_feed(s, wire, len, now, NULL), XFRIN_MORE);
        len = with_opt(wire, sizeof(wire), "aS", false, RCODE_NOERROR, table[i].len, 9);
        assert_int_equal(xfrin_stream_feed(s, wire, len, now, NULL), XFRIN_DONE);
        c = xfrin_stream_counts(s);
        assert_int_equal(c.has_left, table[i].has);
        assert_int_equal(c.left_s, table[i].has ? 5000 : 0);
        assert_int_equal(c.fault, XFRIN_SOUND);
        zone_builder_free(xfrin_stream_take(s));
        xfrin_stream_free(s);
    }
}

/* FORMERR means that EDNS is unknown there only if it comes without. */
static void test_no_edns(void **state)
{
    uint8_t query[512], wire[1024];
    size_t query_len = make_query(query, sizeof(query));

    (void)state;
    for (int opt = 0; opt < 2; opt++) {
        struct xfrin_stream *s = xfrin_stream_new(apex, query, query_len, NULL, NULL, NULL);
        size_t len = with_opt(wire, sizeof(wire), "", true, RCODE_FORMERR, 4, 5000);

        if (!opt) {
            len -= EDNS_OPT_OCTETS + 8;
            wire[11] = 0;
        }
        assert_int_equal(xfrin_stream_feed(s, wire, len, now, NULL), XFRIN_FAILED);
        assert_int_equal(xfrin_stream_counts(s).no_edns, !opt);
        assert_int_equal(xfrin_stream_counts(s).fault, XFRIN_FAULT_RCODE);
        xfrin_stream_free(s);
    }
}

static void test_kinds_of_faults(void **state)
{
    static const struct {
        struct stream_case c;
        enum xfrin_fault fault;
    } table[] = {{{.messages = "SnS"}, XFRIN_SOUND},
                 {{.messages = "nS"}, XFRIN_FAULT_PROTOCOL},
                 {{.messages = "Sno"}, XFRIN_FAULT_CONTENT},
                 {{.messages = "S", .fault = FAULT_REFUSED}, XFRIN_FAULT_RCODE}};
    uint8_t query[512];
    size_t query_len = make_query(query, sizeof(query));

    (void)state;
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        struct xfrin_stream *s = xfrin_stream_new(apex, query, query_len, NULL, NULL, NULL);

        (void)run(&table[i].c, s, NULL);
        assert_int_equal(xfrin_stream_counts(s).fault, table[i].fault);
        zone_builder_free(xfrin_stream_take(s));
        xfrin_stream_free(s);
    }
}

static void test_nothing_may_follow(void **state)
{
    uint8_t query[512];
    uint8_t wire[1024];
    size_t query_len = make_query(query, sizeof(query));
    struct xfrin_stream *s = xfrin_stream_new(apex, query, query_len, NULL, NULL, NULL);
    struct stream_case c = {.messages = "SnS"};
    size_t len = make_message(wire, sizeof(wire), "a", false, FAULT_NONE);

    (void)state;
    assert_int_equal(run(&c, s, NULL), XFRIN_DONE);
    assert_int_equal(xfrin_stream_feed(s, wire, len, now, NULL), XFRIN_FAILED);
    assert_null(xfrin_stream_take(s));
    xfrin_stream_free(s);
}

static void test_limits(void **state)
{
    static const struct zone_limits limits[] = {
        {.max_records = 4}, {.max_bytes = 60}, {.max_types = 1}};
    uint8_t query[512];
    size_t query_len = make_query(query, sizeof(query));

    (void)state;
    for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
        struct xfrin_stream *s = xfrin_stream_new(apex, query, query_len, NULL, &limits[i], NULL);
        struct stream_case c = {.messages = "Sn aaaa aaaa aaaa aaaa S"};
        struct errinfo e = {{0}};
        enum xfrin_step step = run(&c, s, &e);

        if (step == XFRIN_DONE) { /* a limit that only shows when all is in order */
            struct zone_builder *b = xfrin_stream_take(s);
            struct zone_build_report report;
            struct zone *z = NULL;

            assert_int_equal(zone_builder_finish(&z, b, &report, &e), ERR_LIMIT);
            zone_builder_free(b);
        } else {
            assert_int_equal(step, XFRIN_REFUSED);
        }
        xfrin_stream_free(s);
    }
}

/* ---- Signed ---- */

struct signed_exchange {
    struct tsig_key *key;
    struct tsig client, server;
    uint8_t query[512];
    size_t query_len;
    struct buf stream; /* as on TCP: lengths and messages */
};

/* `messages` as above; those with a bit in `unsigned_mask` go without TSIG (bit 63: and all later
 * ones). No signed one may follow them: our signer signs every message. */
static void exchange_make(struct signed_exchange *x, const char *messages, uint64_t unsigned_mask)
{
    struct msg_layout layout;
    char text[1024];
    char *rest = text;
    char *message;
    unsigned i = 0;

    *x = (struct signed_exchange){.query_len = 0};
    assert_int_equal(
        tsig_key_new(&x->key, key_name, TSIG_HMAC_SHA256, "c2VjcmV0c2VjcmV0", 16, NULL), OK);
    x->query_len = make_query(x->query, sizeof(x->query));
    assert_true(
        tsig_sign_request(&x->client, x->key, x->query, &x->query_len, sizeof(x->query), now));
    assert_true(msg_layout_read(&layout, x->query, x->query_len));
    assert_int_equal(
        tsig_verify_request(&x->server, x->key, x->query, x->query_len, layout.tsig, now), TSIG_OK);
    (void)snprintf(text, sizeof(text), "%s", messages);
    while ((message = strsep(&rest, " "))) {
        uint8_t wire[4096];
        size_t len = make_message(wire, sizeof(wire), message, i == 0, FAULT_NONE);

        if (!(unsigned_mask >> (i < 63 ? i : 63) & 1))
            assert_true(tsig_sign_stream(&x->server, wire, &len, sizeof(wire), now));
        buf_u16(&x->stream, (uint16_t)len);
        buf_put(&x->stream, wire, len);
        i++;
    }
}

static void exchange_done(struct signed_exchange *x)
{
    tsig_done(&x->client);
    tsig_done(&x->server);
    tsig_key_unref(x->key);
    buf_free(&x->stream);
}

/* Feeds whole messages of the first `n` octets. */
static enum xfrin_step feed_octets(struct xfrin_stream *s, const uint8_t *p, size_t n,
                                   struct errinfo *e)
{
    enum xfrin_step step = XFRIN_MORE;
    size_t at = 0;

    while (step == XFRIN_MORE && n - at >= 2 && n - at - 2 >= get_u16(p + at)) {
        size_t len = get_u16(p + at);
        uint8_t *exact = malloc(len ? len : 1); /* so that ASan sees a read behind it */

        memcpy(exact, p + at + 2, len);
        step = xfrin_stream_feed(s, exact, len, now, e);
        free(exact);
        at += 2 + len;
    }
    return step;
}

static enum xfrin_step judge(struct signed_exchange *x, const uint8_t *p, size_t n, bool keyed,
                             struct errinfo *e)
{
    struct tsig client = {.key = NULL};
    struct xfrin_stream *s;
    enum xfrin_step step;
    uint8_t query[512];
    size_t query_len = make_query(query, sizeof(query));

    if (keyed)
        assert_true(tsig_sign_request(&client, x->key, query, &query_len, sizeof(query), now));
    s = xfrin_stream_new(apex, query, query_len, keyed ? &client : NULL, NULL, NULL);
    step = feed_octets(s, p, n, e);
    xfrin_stream_free(s);
    tsig_done(&client);
    return step;
}

static void test_signed(void **state)
{
    static const struct {
        const char *messages;
        uint64_t unsigned_mask;
        enum xfrin_step step;
    } table[] = {
        {"SnaS", 0, XFRIN_DONE},
        {"Sn aa aa S", 0, XFRIN_DONE},
        {"SnaS", 1, XFRIN_FAILED},               /* nothing is signed */
        {"Sn aa aa S", 8, XFRIN_FAILED},         /* the last one is not */
        {"Sn aa aa S", 2 | 4 | 8, XFRIN_FAILED}, /* nothing but the first is */
        {"Sn aa aa aa", 2 | 4 | 8, XFRIN_MORE},  /* unproven, but not over */
    };

    (void)state;
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        struct signed_exchange x;
        struct errinfo e = {{0}};

        exchange_make(&x, table[i].messages, table[i].unsigned_mask);
        assert_int_equal(judge(&x, x.stream.data, x.stream.len, true, &e), table[i].step);
        exchange_done(&x);
    }
}

/* 99 unsigned messages are the most between two signed ones (RFC 8945 5.3.1). */
static void test_too_many_unsigned(void **state)
{
    char messages[512] = "Sn";
    struct signed_exchange x;
    struct errinfo e = {{0}};

    (void)state;
    for (int i = 0; i < 100; i++)
        strcat(messages, " a");
    exchange_make(&x, messages, ~UINT64_C(1));
    assert_int_equal(judge(&x, x.stream.data, x.stream.len, true, &e), XFRIN_FAILED);
    assert_non_null(strstr(e.text, "message 101"));
    exchange_done(&x);
}

static void test_another_key(void **state)
{
    struct signed_exchange x;
    struct signed_exchange y;
    struct errinfo e = {{0}};

    (void)state;
    exchange_make(&x, "SnaS", 0);
    exchange_make(&y, "SnaS", 0);
    tsig_key_unref(y.key);
    assert_int_equal(
        tsig_key_new(&y.key, key_name, TSIG_HMAC_SHA256, "YW5vdGhlcnNlY3JldA==", 20, NULL), OK);
    assert_int_equal(judge(&y, x.stream.data, x.stream.len, true, &e), XFRIN_FAILED);
    assert_non_null(strstr(e.text, "BADSIG"));
    exchange_done(&x);
    exchange_done(&y);
}

static void test_cut_after_every_octet(void **state)
{
    struct signed_exchange x;
    struct errinfo e;

    (void)state;
    exchange_make(&x, "Snaa aaaa aaa aS", 0);
    for (int keyed = 0; keyed < 2; keyed++) {
        for (size_t n = 0; n < x.stream.len; n++)
            assert_int_equal(judge(&x, x.stream.data, n, keyed, &e), XFRIN_MORE);
        assert_int_equal(judge(&x, x.stream.data, x.stream.len, keyed, &e), XFRIN_DONE);
    }
    exchange_done(&x);
}

/* No octet of a signed transfer can be changed. */
static void test_flip_every_octet(void **state)
{
    struct signed_exchange x;
    struct errinfo e;

    (void)state;
    exchange_make(&x, "Sna aa aS", 0);
    for (size_t i = 0; i < x.stream.len; i++) {
        for (int bit = 0; bit < 8; bit += 7) {
            x.stream.data[i] ^= (uint8_t)(1 << bit);
            assert_int_not_equal(judge(&x, x.stream.data, x.stream.len, true, &e), XFRIN_DONE);
            x.stream.data[i] ^= (uint8_t)(1 << bit);
        }
    }
    exchange_done(&x);
}

/* Whatever is changed in an unsigned one: no crash, and no SOA that is not there twice. */
static void test_unsigned_damage(void **state)
{
    struct signed_exchange x;
    uint32_t seed = 7;

    (void)state;
    exchange_make(&x, "Snaa aaaa aS", 7);
    for (int round = 0; round < 3000; round++) {
        uint8_t copy[2048];
        struct errinfo e;

        memcpy(copy, x.stream.data, x.stream.len);
        for (int k = 0; k < 3; k++) {
            seed = seed * 1664525 + 1013904223;
            copy[(seed >> 8) % x.stream.len] = (uint8_t)seed;
        }
        (void)judge(&x, copy, x.stream.len, false, &e);
    }
    exchange_done(&x);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cases),
        cmocka_unit_test(test_axfr_next),
        cmocka_unit_test(test_content_and_counts),
        cmocka_unit_test(test_expire),
        cmocka_unit_test(test_no_edns),
        cmocka_unit_test(test_kinds_of_faults),
        cmocka_unit_test(test_nothing_may_follow),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_signed),
        cmocka_unit_test(test_too_many_unsigned),
        cmocka_unit_test(test_another_key),
        cmocka_unit_test(test_cut_after_every_octet),
        cmocka_unit_test(test_flip_every_octet),
        cmocka_unit_test(test_unsigned_damage),
    };

    return cmocka_run_group_tests_name("syncd/xfrin_stream", tests, NULL, NULL);
}
