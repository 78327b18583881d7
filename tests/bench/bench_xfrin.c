/* How fast a transfer that has been received becomes a zone: 1,000,000 records in messages of
 * 16 KiB, unsigned and with HMAC-SHA256.
 */
#include <stdio.h>
#include <stdlib.h>

#include "lib/base/clock.h"
#include "lib/dns/message_build.h"
#include "lib/dns/msgwriter.h"
#include "syncd/xfrin_stream.h"
#include "tests/tools/store_fixture.h"

#define MESSAGE_OCTETS 16384

static const uint8_t apex[] = "\7example\4test";

static void must(bool ok, const char *what)
{
    if (ok)
        return;
    (void)fprintf(stderr, "bench_xfrin: %s failed\n", what);
    exit(1);
}

/* One stream as it stands on TCP; signed if `server` is there. */
struct sender {
    struct msg_writer w;
    struct tsig *server;
    uint8_t wire[MESSAGE_OCTETS + 512];
    struct buf out;
};

static void flush(struct sender *s)
{
    size_t len = msgw_finish(&s->w);

    if (s->server)
        must(tsig_sign_stream(s->server, s->wire, &len, sizeof(s->wire), (struct wall){1700000000}),
             "signing");
    buf_u16(&s->out, (uint16_t)len);
    buf_put(&s->out, s->wire, len);
    msgw_begin(&s->w, s->wire, MESSAGE_OCTETS, 1, MSG_QR | MSG_AA);
}

static void put(struct sender *s, const struct rr *rr)
{
    if (msgw_rr(&s->w, SECTION_ANSWER, rr))
        return;
    flush(s);
    must(msgw_rr(&s->w, SECTION_ANSWER, rr), "a record");
}

static void make_stream(struct sender *s, const struct zone *z)
{
    struct zone_rr_iter it;
    struct soa fields;
    struct rr soa;
    struct rr rr;

    msgw_init(&s->w);
    msgw_begin(&s->w, s->wire, MESSAGE_OCTETS, 1, MSG_QR | MSG_AA);
    must(zone_soa(z, &soa, &fields) && msgw_question(&s->w, apex, RR_AXFR, CLASS_IN), "a SOA");
    put(s, &soa);
    zone_rr_iter_init(&it, z);
    while (zone_rr_next(&it, &rr)) {
        if (rr.type != RR_SOA)
            put(s, &rr);
    }
    put(s, &soa);
    flush(s);
}

static double now_s(void)
{
    return (double)clock_mono(clock_real()).ms / 1000;
}

static void bench(const struct zone *z, struct tsig_key *key)
{
    struct sender *s = calloc(1, sizeof(*s));
    struct msg_query_spec spec = {.qname = apex, .qtype = RR_AXFR, .id = 1};
    struct wall wall = {1700000000};
    struct tsig client = {.key = NULL};
    struct tsig server = {.key = NULL};
    struct zone_build_report report;
    struct xfrin_stream *stream;
    struct zone_builder *b;
    struct errinfo e = {{0}};
    struct zone *built;
    struct msg_layout layout;
    uint8_t query[512];
    size_t len = msg_build_query(query, sizeof(query), &spec);
    enum xfrin_step step = XFRIN_MORE;
    double t0;
    double t1;

    must(s != NULL, "memory");
    if (key) {
        must(tsig_sign_request(&client, key, query, &len, sizeof(query), wall), "signing");
        must(msg_layout_read(&layout, query, len), "the query");
        must(tsig_verify_request(&server, key, query, len, layout.tsig, wall) == TSIG_OK, "TSIG");
        s->server = &server;
    }
    make_stream(s, z);
    stream = xfrin_stream_new(apex, query, len, key ? &client : NULL, NULL, NULL);
    t0 = now_s();
    for (size_t at = 0; at < s->out.len && step == XFRIN_MORE; at += 2u + get_u16(s->out.data + at))
        step = xfrin_stream_feed(stream, s->out.data + at + 2, get_u16(s->out.data + at), wall, &e);
    must(step == XFRIN_DONE, e.text);
    t1 = now_s();
    b = xfrin_stream_take(stream);
    must(zone_builder_finish(&built, b, &report, &e) == OK && zone_check(built, &e) == OK, e.text);
    (void)printf("%-12s %9llu records %6.1f MB: received %.2f s (%.1f M records/s), built and "
                 "checked %.2f s\n",
                 key ? "hmac-sha256" : "unsigned", (unsigned long long)zone_records(built),
                 (double)s->out.len / 1e6, t1 - t0, (double)zone_records(built) / (t1 - t0) / 1e6,
                 now_s() - t1);
    zone_unref(built);
    zone_builder_free(b);
    xfrin_stream_free(stream);
    tsig_done(&client);
    tsig_done(&server);
    buf_free(&s->out);
    free(s);
}

int main(int argc, char **argv)
{
    uint32_t records = argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 10) : 1000000;
    struct zone *z = plain_zone(apex, 1, records, 1);
    struct tsig_key *key;

    must(tsig_key_new(&key, (const uint8_t *)"\1k", TSIG_HMAC_SHA256, "c2VjcmV0c2VjcmV0", 16,
                      NULL) == OK,
         "the key");
    bench(z, NULL);
    bench(z, key);
    tsig_key_unref(key);
    zone_unref(z);
    return 0;
}
