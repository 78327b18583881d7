/* Who may tell us that a zone has changed, and what he is answered; and the signatures that syncd
 * puts on authd's answers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/dns/message_build.h"
#include "lib/dns/msgwriter.h"
#include "syncd/notify_in.h"
#include "syncd/tsig_query.h"

static const uint8_t zone[] = "\7example\3org";
static const uint8_t other_zone[] = "\5other\3org";
static const struct wall now = {1700000000};

/* Keys: 0 of primary "signed", 1 the zone's notify key, 2 known, but of nobody here. */
static struct config_key keys[3] = {{"transfer", "hmac-sha256", NULL},
                                    {"anywhere", "hmac-sha512", NULL},
                                    {"stranger", "hmac-sha256", NULL}};
static struct config_primary primaries[2] = {
    {.name = "plain", .address = {.ip = {192, 0, 2, 1}, .port = 53, .family = 4}, .key = -1},
    {.name = "signed", .address = {.ip = {192, 0, 2, 2}, .port = 53, .family = 4}, .key = 0}};
static int zone_primaries[] = {0, 1};
static int zone_notify_keys[] = {1};
static struct config_zone config_zone = {.name = "example.org",
                                         .primaries = zone_primaries,
                                         .primary_count = 2,
                                         .notify_keys = zone_notify_keys,
                                         .notify_key_count = 1};
static struct config config = {.udp_payload = 1232,
                               .keys = keys,
                               .key_count = 3,
                               .primaries = primaries,
                               .primary_count = 2,
                               .zones = &config_zone,
                               .zone_count = 1};
static struct keyring *ring;

/* Zones that 192.0.2.3 announces. */
static enum err may_appear(void *ctx, const uint8_t *name, const struct access_client *who,
                           struct errinfo *e)
{
    (void)ctx;
    (void)name;
    return who->source.ip[3] == 3 ? OK : err_set(ERR_DENIED, e, "no autoprimary");
}

static const struct config_zone *find(void *ctx, const uint8_t *name)
{
    (void)ctx;
    return name_eq(name, zone) ? &config_zone : NULL;
}

struct note {
    const char *name;
    uint8_t source;  /* last octet of 192.0.2.x */
    int key;         /* -1: unsigned; index into keys; 9: a name that we don't know */
    uint32_t serial; /* 0: without a SOA */
    bool elsewhere;  /* another zone */
    bool bad_mac;
    int64_t late_s; /* signed so long ago */
    uint16_t qclass;
    uint16_t qtype;

    enum notify_verdict verdict;
    uint16_t rcode;
    int primary;
    uint16_t tsig_error; /* in the reply */
};

static const struct note notes[] = {
    {.name = "plain", .source = 1, .key = -1, .serial = 7, .verdict = NOTIFY_ACCEPTED},
    {.name = "without a serial", .source = 1, .key = -1, .verdict = NOTIFY_ACCEPTED},
    {.name = "plain, signed by a stranger's key",
     .source = 1,
     .key = 2,
     .verdict = NOTIFY_ACCEPTED},
    {.name = "signed",
     .source = 2,
     .key = 0,
     .serial = 7,
     .verdict = NOTIFY_ACCEPTED,
     .primary = 1},
    {.name = "by notify key, from a primary",
     .source = 2,
     .key = 1,
     .verdict = NOTIFY_ACCEPTED,
     .primary = 1},
    {.name = "by notify key, from anywhere",
     .source = 99,
     .key = 1,
     .verdict = NOTIFY_ACCEPTED,
     .primary = -1},
    {.name = "unsigned though it must be",
     .source = 2,
     .key = -1,
     .verdict = NOTIFY_REFUSED,
     .rcode = RCODE_REFUSED,
     .primary = -1},
    {.name = "signed with another key",
     .source = 2,
     .key = 2,
     .verdict = NOTIFY_REFUSED,
     .rcode = RCODE_REFUSED,
     .primary = -1},
    {.name = "a primary's key from elsewhere",
     .source = 99,
     .key = 0,
     .verdict = NOTIFY_REFUSED,
     .rcode = RCODE_REFUSED,
     .primary = -1},
    {.name = "a stranger",
     .source = 99,
     .key = -1,
     .verdict = NOTIFY_REFUSED,
     .rcode = RCODE_REFUSED,
     .primary = -1},
    {.name = "no zone of ours",
     .source = 1,
     .key = -1,
     .elsewhere = true,
     .verdict = NOTIFY_NOT_OURS,
     .rcode = RCODE_NOTAUTH,
     .primary = -1},
    {.name = "no zone of ours, from an autoprimary",
     .source = 3,
     .key = -1,
     .serial = 7,
     .elsewhere = true,
     .verdict = NOTIFY_NEW_ZONE,
     .primary = -1},
    {.name = "unknown key",
     .source = 1,
     .key = 9,
     .verdict = NOTIFY_BAD_TSIG,
     .rcode = RCODE_NOTAUTH,
     .primary = -1,
     .tsig_error = RCODE_BADKEY},
    {.name = "bad MAC",
     .source = 2,
     .key = 0,
     .bad_mac = true,
     .verdict = NOTIFY_BAD_TSIG,
     .rcode = RCODE_NOTAUTH,
     .primary = -1,
     .tsig_error = RCODE_BADSIG},
    {.name = "replayed an hour later",
     .source = 2,
     .key = 0,
     .late_s = 3600,
     .verdict = NOTIFY_BAD_TSIG,
     .rcode = RCODE_NOTAUTH,
     .primary = -1,
     .tsig_error = RCODE_BADTIME},
    {.name = "class CH",
     .source = 1,
     .key = -1,
     .qclass = CLASS_CH,
     .verdict = NOTIFY_REFUSED,
     .rcode = RCODE_REFUSED,
     .primary = -1},
    {.name = "about an A record",
     .source = 1,
     .key = -1,
     .qtype = RR_A,
     .verdict = NOTIFY_MALFORMED,
     .rcode = RCODE_FORMERR,
     .primary = -1},
};

static size_t build(uint8_t *wire, size_t cap, const struct note *n)
{
    const uint8_t *name = n->elsewhere ? other_zone : zone;
    struct msg_writer w;

    msgw_init(&w);
    msgw_begin(&w, wire, cap, 77, OPCODE_NOTIFY << 11 | MSG_AA);
    assert_true(
        msgw_question(&w, name, n->qtype ? n->qtype : RR_SOA, n->qclass ? n->qclass : CLASS_IN));
    if (n->serial) {
        uint8_t rdata[22] = {0};
        struct rr rr = {.owner = name,
                        .type = RR_SOA,
                        .rclass = CLASS_IN,
                        .rdata = rdata,
                        .rdata_len = sizeof(rdata)};

        put_u32(rdata + 2, n->serial);
        assert_true(msgw_rr(&w, SECTION_ANSWER, &rr));
    }
    return msgw_finish(&w);
}

/* As a client does; NULL key of index 9 is one that only he knows. */
static void sign(struct tsig *t, uint8_t *wire, size_t *len, size_t cap, const struct note *n)
{
    struct tsig_key *own = NULL;

    if (n->key < 0)
        return;
    if (n->key == 9)
        assert_int_equal(tsig_key_new(&own, (const uint8_t *)"\4mine", TSIG_HMAC_SHA256,
                                      "c2VjcmV0c2VjcmV0", 16, NULL),
                         OK);
    assert_true(tsig_sign_request(t, own ? own : keyring_get(ring, n->key), wire, len, cap,
                                  (struct wall){now.s - n->late_s}));
    tsig_key_unref(own);
    if (n->bad_mac)
        wire[2] ^= 1; /* RD: covered by the MAC, and of no use here */
}

static void check_reply(const struct note *n, struct tsig *t, const struct buf *reply)
{
    struct msg_layout l;
    struct tsig_rr rr;

    assert_true(msg_layout_read(&l, reply->data, reply->len));
    assert_int_equal(l.header.id, 77);
    assert_int_equal(msg_opcode(&l.header), OPCODE_NOTIFY);
    assert_true(l.header.flags & MSG_QR);
    assert_int_equal(msg_rcode(&l.header), n->rcode);
    assert_int_equal(l.tsig != 0, n->key >= 0);
    if (n->key < 0)
        return;
    assert_true(tsig_read(&rr, reply->data, reply->len, l.tsig));
    assert_int_equal(rr.error, n->tsig_error);
    if (n->tsig_error == 0)
        assert_int_equal(tsig_verify_response(t, reply->data, reply->len, l.tsig, now), TSIG_OK);
}

static void test_notes(void **state)
{
    struct notify_env env = {
        .config = &config, .keys = ring, .find = find, .may_appear = may_appear, .now = now};

    (void)state;
    for (size_t i = 0; i < sizeof(notes) / sizeof(notes[0]); i++) {
        const struct note *n = &notes[i];
        struct ho_frame m = {.transport = HO_UDP,
                             .source = {.ip = {192, 0, 2, n->source}, .port = 4242, .family = 4}};
        struct tsig t = {.key = NULL};
        struct notify_result out;
        struct buf reply = BUF_INIT;
        uint8_t wire[1024];
        size_t len = build(wire, sizeof(wire), n);

        sign(&t, wire, &len, sizeof(wire), n);
        m.wire = wire;
        m.wire_len = (uint32_t)len;
        notify_in(&out, &env, &m, &reply);
        if (out.verdict != n->verdict)
            fail_msg("%s: verdict %d, '%s'", n->name, (int)out.verdict, out.why.text);
        assert_int_equal(out.primary, n->primary);
        assert_int_equal(out.has_serial, n->serial != 0 && (out.verdict == NOTIFY_ACCEPTED ||
                                                            out.verdict == NOTIFY_NEW_ZONE));
        if (out.has_serial)
            assert_int_equal(out.serial.v, n->serial);
        check_reply(n, &t, &reply);
        tsig_done(&t);
        buf_free(&reply);
    }
}

/* Cut anywhere, or with an answer that is no SOA: never accepted, never a crash. */
static void test_malformed(void **state)
{
    static const struct note good = {.serial = 9};
    struct notify_env env = {
        .config = &config, .keys = ring, .find = find, .may_appear = may_appear, .now = now};
    uint8_t wire[1024];
    size_t len = build(wire, sizeof(wire), &good);
    struct notify_result out;

    (void)state;
    for (size_t n = 0; n < len; n++) {
        struct buf reply = BUF_INIT;
        uint8_t *exact = malloc(n ? n : 1);
        struct ho_frame m = {
            .wire = exact, .wire_len = (uint32_t)n, .source = {.ip = {192, 0, 2, 1}, .family = 4}};

        memcpy(exact, wire, n);
        notify_in(&out, &env, &m, &reply);
        assert_int_equal(out.verdict, n < 12 ? NOTIFY_DROPPED : NOTIFY_MALFORMED);
        assert_int_equal(reply.len != 0, n >= 12);
        buf_free(&reply);
        free(exact);
    }
    for (int i = 0; i < 2; i++) {
        struct buf reply = BUF_INIT;
        struct ho_frame m = {
            .wire = wire, .wire_len = (uint32_t)len, .source = {.ip = {192, 0, 2, 1}, .family = 4}};

        if (i == 0)
            wire[2] |= 0x80; /* a response */
        else
            wire[len - 24] = 1; /* RDATA is one octet of a name of 1 */
        notify_in(&out, &env, &m, &reply);
        assert_int_equal(out.verdict, i == 0 ? NOTIFY_DROPPED : NOTIFY_MALFORMED);
        wire[2] &= 0x7f;
        buf_free(&reply);
    }
}

static void test_limits(void **state)
{
    static const uint8_t key[16] = "0123456789abcde";
    struct notify_limiter *l = notify_limiter_new(key);
    struct addr a = {.ip = {192, 0, 2, 1}, .family = 4};
    struct addr b = {.ip = {192, 0, 2, 2}, .family = 4};
    struct mono t = {5};
    int taken = 0;

    (void)state;
    while (notify_limiter_take(l, &a, false, t))
        taken++;
    assert_int_equal(taken, 20);
    assert_true(notify_limiter_take(l, &b, false, t));
    assert_true(notify_limiter_take(l, &a, true, t)); /* a primary has its own */
    t.ms += 1000;
    for (taken = 0; notify_limiter_take(l, &a, false, t);)
        taken++;
    assert_int_equal(taken, 20);
    a.port = 99; /* another port is no other source */
    assert_false(notify_limiter_take(l, &a, false, t));
    notify_limiter_free(l);
}

/* ---- Signed queries ---- */

struct signed_query {
    struct tsig t;
    uint8_t wire[1024];
    size_t len;
    struct ho_frame m;
};

static void ask(struct signed_query *q, const struct note *n, enum ho_transport transport,
                const struct buf *answer)
{
    struct edns_reply opt = {.udp_size = 1232};
    struct msg_query_spec spec = {.qname = zone, .qtype = RR_SOA, .id = 77, .opt = &opt};

    *q = (struct signed_query){.len = msg_build_query(q->wire, sizeof(q->wire), &spec)};
    q->len = msg_build_query(q->wire, sizeof(q->wire), &spec);
    sign(&q->t, q->wire, &q->len, sizeof(q->wire), n);
    q->m = (struct ho_frame){.transport = transport,
                             .wire = q->wire,
                             .wire_len = (uint32_t)q->len,
                             .answer = answer->data,
                             .answer_len = (uint32_t)answer->len};
}

/* An answer with `records` records of 50 octets. */
static void make_answer(struct buf *out, unsigned records)
{
    static uint8_t wire[65535];
    uint8_t rdata[38] = {37};
    struct rr rr = {.owner = zone,
                    .type = RR_TXT,
                    .rclass = CLASS_IN,
                    .rdata = rdata,
                    .rdata_len = sizeof(rdata)};
    struct msg_writer w;

    msgw_init(&w);
    msgw_begin(&w, wire, sizeof(wire), 77, MSG_QR | MSG_AA);
    assert_true(msgw_question(&w, zone, RR_SOA, CLASS_IN));
    for (unsigned i = 0; i < records; i++) {
        rdata[1] = (uint8_t)i;
        assert_true(msgw_rr(&w, SECTION_ANSWER, &rr));
    }
    buf_put(out, wire, msgw_finish(&w));
}

static void test_query_is_signed(void **state)
{
    static const struct {
        unsigned records;
        enum ho_transport transport;
        bool truncated;
    } table[] = {
        {1, HO_UDP, false},  {22, HO_UDP, false},   {24, HO_UDP, true},
        {24, HO_TCP, false}, {1200, HO_TCP, false}, {1309, HO_TCP, true},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        struct note n = {.key = 0};
        struct buf answer = BUF_INIT;
        struct buf reply = BUF_INIT;
        struct signed_query q;
        struct msg_layout l;

        make_answer(&answer, table[i].records);
        ask(&q, &n, table[i].transport, &answer);
        tsig_query_answer(ring, &q.m, 1232, now, &reply);
        assert_true(msg_layout_read(&l, reply.data, reply.len));
        assert_true(reply.len <= (table[i].transport == HO_UDP ? 1232u : 65535u));
        assert_int_equal(!!(l.header.flags & MSG_TC), table[i].truncated);
        assert_true(l.header.flags & MSG_AA);
        assert_int_equal(l.header.counts[SECTION_ANSWER],
                         table[i].truncated ? 0 : table[i].records);
        assert_int_equal(tsig_verify_response(&q.t, reply.data, reply.len, l.tsig, now), TSIG_OK);
        tsig_done(&q.t);
        buf_free(&answer);
        buf_free(&reply);
    }
}

static void test_query_with_a_bad_signature(void **state)
{
    static const struct {
        struct note n;
        uint16_t error;
    } table[] = {
        {{.key = 9}, RCODE_BADKEY},
        {{.key = 0, .bad_mac = true}, RCODE_BADSIG},
        {{.key = 0, .late_s = 301}, RCODE_BADTIME},
        {{.key = 0, .late_s = -301}, RCODE_BADTIME},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        struct buf answer = BUF_INIT;
        struct buf reply = BUF_INIT;
        struct signed_query q;
        struct msg_layout l;
        struct tsig_rr rr;

        make_answer(&answer, 1);
        ask(&q, &table[i].n, HO_UDP, &answer);
        tsig_query_answer(ring, &q.m, 1232, now, &reply);
        assert_true(msg_layout_read(&l, reply.data, reply.len));
        assert_int_equal(msg_rcode(&l.header), RCODE_NOTAUTH);
        assert_int_equal(l.header.counts[SECTION_ANSWER], 0);
        assert_true(tsig_read(&rr, reply.data, reply.len, l.tsig));
        assert_int_equal(rr.error, table[i].error);
        assert_int_equal(rr.mac_len == 0, table[i].error != RCODE_BADTIME);
        tsig_done(&q.t);
        buf_free(&answer);
        buf_free(&reply);
    }
}

static void test_query_without_an_answer(void **state)
{
    struct note n = {.key = 0};
    struct buf none = BUF_INIT;
    struct buf reply = BUF_INIT;
    struct signed_query q;
    struct msg_layout l;

    (void)state;
    ask(&q, &n, HO_TCP, &none);
    tsig_query_answer(ring, &q.m, 1232, now, &reply);
    assert_true(msg_layout_read(&l, reply.data, reply.len));
    assert_int_equal(msg_rcode(&l.header), RCODE_REFUSED);
    assert_int_equal(tsig_verify_response(&q.t, reply.data, reply.len, l.tsig, now), TSIG_OK);
    tsig_done(&q.t);
    reply.len = 0;
    ask(&q, &n, HO_TCP, &none);
    tsig_query_refuse(ring, &q.m, RCODE_NOTIMP, 1232, now, &reply);
    assert_true(msg_layout_read(&l, reply.data, reply.len));
    assert_int_equal(msg_rcode(&l.header), RCODE_NOTIMP);
    tsig_done(&q.t);
    buf_free(&reply);
}

static int load_keys(void **state)
{
    char dir[] = "/tmp/test_notify_in.XXXXXX";
    static char path[64];
    struct errinfo e = {{0}};
    enum err rc;
    int fd;

    (void)state;
    if (!mkdtemp(dir))
        return -1;
    (void)snprintf(path, sizeof(path), "%s/key", dir);
    fd = open(path, O_WRONLY | O_CREAT, 0600);
    if (fd < 0 || write(fd, "c2VjcmV0c2VjcmV0", 16) != 16 || close(fd) != 0)
        return -1;
    for (size_t i = 0; i < 3; i++)
        keys[i].secret_file = path;
    rc = keyring_load(&ring, &config, &e);
    (void)unlink(path);
    (void)rmdir(dir);
    return rc == OK ? 0 : -1;
}

static int free_keys(void **state)
{
    (void)state;
    keyring_unref(ring);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_notes),
        cmocka_unit_test(test_malformed),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_query_is_signed),
        cmocka_unit_test(test_query_with_a_bad_signature),
        cmocka_unit_test(test_query_without_an_answer),
    };

    return cmocka_run_group_tests_name("syncd/notify_in", tests, load_keys, free_keys);
}
