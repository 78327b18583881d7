/* What goes out must come in: streams that we make, read by the reader of transfers in. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/mem.h"
#include "lib/dns/message_build.h"
#include "syncd/xfrin_stream.h"
#include "syncd/xfrout_stream.h"
#include "tests/tools/store_fixture.h"

static const uint8_t apex[] = "\7example";
static const uint8_t key_name[] = "\3key";
static const struct wall now = {1700000000};

struct exchange {
    uint8_t query[1024];
    size_t len;
    struct tsig client, server;
    struct query q;
};

static void ask(struct exchange *x, uint16_t qtype, struct tsig_key *key)
{
    uint8_t soa[22] = {0};
    struct msg_query_spec spec = {.qname = apex, .qtype = qtype, .id = 0x1234};
    enum tsig_outcome o;

    *x = (struct exchange){.len = 0};
    if (qtype == RR_IXFR) {
        spec.ixfr_soa = soa;
        spec.ixfr_soa_len = sizeof(soa);
    }
    x->len = msg_build_query(x->query, sizeof(x->query), &spec);
    if (key)
        assert_true(tsig_sign_request(&x->client, key, x->query, &x->len, sizeof(x->query), now));
    assert_int_equal(query_parse(&x->q, x->query, x->len), QUERY_OK);
    o = tsig_verify_request(&x->server, key, x->query, x->len, x->q.tsig, now);
    assert_int_equal(o, key ? TSIG_OK : TSIG_MISSING);
}

static void set_soa(struct xfrout_content *c, const struct zone *z)
{
    struct soa fields;
    struct rr soa;

    assert_true(zone_soa(z, &soa, &fields));
    buf_put(&c->soa, soa.rdata, soa.rdata_len);
    c->soa_ttl = soa.ttl;
}

/* Carries all messages over; gives how many there were. */
static unsigned carry(struct exchange *x, struct xfrout_content *content, struct xfrin_stream *in,
                      size_t longest)
{
    static uint8_t wire[MSG_MAX_OCTETS];
    struct xfrout_stream *out = xfrout_stream_new(content, &x->q, &x->server);
    enum xfrin_step step = XFRIN_MORE;
    struct errinfo e = {0};
    unsigned n = 0;
    size_t len;

    while (xfrout_stream_next(out, wire, &len, now, &e) == OK && len > 0) {
        assert_int_equal(step, XFRIN_MORE);
        assert_in_range(len, 12, longest);
        step = xfrin_stream_feed(in, wire, len, now, &e);
        n++;
    }
    if (step != XFRIN_DONE)
        fail_msg("after %u messages: %s", n, e.text);
    assert_int_equal(xfrout_stream_counts(out).messages, n);
    xfrout_stream_free(out);
    return n;
}

static struct tsig_key *key_if(bool signs)
{
    struct tsig_key *key = NULL;

    if (signs)
        assert_int_equal(tsig_key_new(&key, key_name, TSIG_HMAC_SHA256, "c2VjcmV0", 8, NULL), OK);
    return key;
}

static void whole(uint32_t hosts, bool signs)
{
    struct zone *z = plain_zone(apex, 12, hosts, 7);
    struct xfrout_content content = {.kind = XFROUT_AXFR, .zone = zone_ref(z)};
    struct tsig_key *key = key_if(signs);
    struct zone_builder *b;
    struct xfrin_stream *in;
    struct zone *got = NULL;
    struct exchange x;
    unsigned n;

    set_soa(&content, z);
    ask(&x, RR_AXFR, key);
    in = xfrin_stream_new(apex, x.query, x.len, key ? &x.client : NULL, NULL, NULL);
    n = carry(&x, &content, in, 16384);
    assert_int_equal(n, 1 + hosts / 1000); /* 16 octets a record, as names are compressed */
    b = xfrin_stream_take(in);
    assert_int_equal(zone_builder_finish(&got, b, NULL, NULL), OK);
    assert_true(same_content(got, z));
    zone_builder_free(b);
    xfrin_stream_free(in);
    zone_unref(got);
    zone_unref(z);
    tsig_done(&x.client);
    tsig_done(&x.server);
    tsig_key_unref(key);
}

static void test_whole_zones(void **state)
{
    (void)state;
    for (int signs = 0; signs < 2; signs++) {
        whole(0, signs);
        whole(10, signs);
    }
}

static void changed(uint32_t hosts_before, uint32_t hosts_after, bool signs)
{
    struct serial have = {12};
    struct zone *a = plain_zone(apex, have.v, hosts_before, 7);
    struct zone *b = plain_zone(apex, 13, hosts_after, 7);
    struct xfrout_content content = {.kind = XFROUT_IXFR};
    struct tsig_key *key = key_if(signs);
    struct changeset *const *changes;
    struct xfrin_stream *in;
    struct zone *got = NULL;
    struct exchange x;
    struct ixfr *ixfr;
    size_t n;

    assert_int_equal(zone_diff(&content.changes, a, b, NULL), OK);
    set_soa(&content, b);
    ask(&x, RR_IXFR, key);
    in = xfrin_stream_new(apex, x.query, x.len, key ? &x.client : NULL, NULL, &have);
    (void)carry(&x, &content, in, 16384);
    ixfr = xfrin_stream_take_ixfr(in);
    assert_non_null(ixfr);
    changes = ixfr_changes(ixfr, &n);
    assert_int_equal(n, 1);
    assert_int_equal(zone_apply(&got, a, changes[0], NULL, NULL), OK);
    assert_true(same_content(got, b));
    ixfr_free(ixfr);
    xfrin_stream_free(in);
    zone_unref(got);
    zone_unref(a);
    zone_unref(b);
    tsig_done(&x.client);
    tsig_done(&x.server);
    tsig_key_unref(key);
}

static void test_increments(void **state)
{
    (void)state;
    for (int signs = 0; signs < 2; signs++) {
        changed(3, 3, signs); /* the SOA alone */
        changed(3, 5, signs);
        changed(5, 3, signs);
        changed(10, 5000, signs);
        changed(5000, 10, signs);
    }
}

static void test_one_soa(void **state)
{
    struct serial have = {12};
    struct zone *z = plain_zone(apex, have.v, 3, 7);
    struct xfrout_content content = {.kind = XFROUT_SOA};
    struct xfrin_stream *in;
    struct exchange x;

    (void)state;
    set_soa(&content, z);
    ask(&x, RR_IXFR, NULL);
    in = xfrin_stream_new(apex, x.query, x.len, NULL, NULL, &have);
    assert_int_equal(carry(&x, &content, in, 512), 1);
    assert_null(xfrin_stream_take(in));
    assert_null(xfrin_stream_take_ixfr(in));
    xfrin_stream_free(in);
    zone_unref(z);
    tsig_done(&x.server);
}

/* Records that are larger than a message is usually filled, and one that no message can hold. */
static void test_large_records(void **state)
{
    static const uint8_t owner[] = "\3big\7example";
    const uint16_t sizes[] = {16000, 40000, 65500, 65510};

    (void)state;
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        struct zone *a = plain_zone(apex, 12, 3, 7);
        struct changeset *cs = changeset_new(apex);
        struct zone *z = NULL;
        uint8_t *data = xcalloc(sizes[i], 1);
        struct rr rr = {.owner = owner,
                        .rdata = data,
                        .rdata_len = sizes[i],
                        .ttl = 1,
                        .type = 65280,
                        .rclass = CLASS_IN};
        struct xfrout_content content = {.kind = XFROUT_AXFR};
        struct exchange x;

        assert_int_equal(changeset_add(cs, &rr, NULL), OK);
        changeset_finish(cs);
        cs->has_from = true;
        cs->from = cs->to = zone_serial(a);
        assert_int_equal(zone_apply(&z, a, cs, NULL, NULL), OK);
        set_soa(&content, z);
        content.zone = zone_ref(z);
        ask(&x, RR_AXFR, NULL);
        if (sizes[i] < 65510) {
            struct xfrin_stream *in = xfrin_stream_new(apex, x.query, x.len, NULL, NULL, NULL);

            (void)carry(&x, &content, in, MSG_MAX_OCTETS);
            xfrin_stream_free(in);
        } else {
            static uint8_t wire[MSG_MAX_OCTETS];
            struct xfrout_stream *out = xfrout_stream_new(&content, &x.q, &x.server);
            struct errinfo e = {0};
            size_t len = 1;
            enum err rc = OK;

            while (rc == OK && len > 0)
                rc = xfrout_stream_next(out, wire, &len, now, &e);
            assert_int_equal(rc, ERR_LIMIT);
            assert_non_null(strstr(e.text, "big.example."));
            xfrout_stream_free(out);
        }
        tsig_done(&x.server);
        changeset_free(cs);
        zone_unref(z);
        zone_unref(a);
        free(data);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whole_zones),
        cmocka_unit_test(test_increments),
        cmocka_unit_test(test_one_soa),
        cmocka_unit_test(test_large_records),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
