/* The cost of the octets of one query: reading it, and writing an answer with compression.
 *
 *     build/release/tests/bench/bench_message [rounds]
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "lib/dns/message_build.h"
#include "lib/dns/msgwriter.h"
#include "lib/dns/query.h"
#include "lib/dns/tsig.h"

#define N(literal) ((const uint8_t *)(literal))

static struct msg_writer writer;
static uint8_t out[MSG_MAX_OCTETS];
static volatile size_t sink;

struct sample {
    uint8_t wire[512];
    size_t len;
};

static double seconds(void)
{
    struct timespec ts;

    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static void report(const char *what, double start, unsigned long ops)
{
    printf("%-44s %8.1f ns\n", what, (seconds() - start) * 1e9 / (double)ops);
}

static void bench_parse(const char *what, const struct sample *s, unsigned long rounds)
{
    static struct query q;
    double start = seconds();

    for (unsigned long i = 0; i < rounds; i++)
        sink += (size_t)query_parse(&q, s->wire, s->len) + q.qname_len;
    report(what, start, rounds);
}

/* Question, one A at QNAME, OPT: most answers look so. */
static void bench_small_answer(const struct query *q, unsigned long rounds)
{
    static const uint8_t rdatas[] = "\0\4\300\0\2\1";
    const struct edns_reply opt = {.udp_size = EDNS_UDP_DEFAULT};
    const struct msg_rrset a = {.owner = q->qname,
                                .rdatas = rdatas,
                                .rdatas_len = sizeof(rdatas) - 1,
                                .ttl = 300,
                                .type = RR_A,
                                .rclass = CLASS_IN};
    double start = seconds();

    for (unsigned long i = 0; i < rounds; i++) {
        msgw_begin(&writer, out, EDNS_UDP_DEFAULT, q->id, MSG_QR | MSG_AA);
        (void)msgw_question(&writer, q->qname_raw, q->qtype, q->qclass);
        (void)msgw_rrset(&writer, SECTION_ANSWER, &a);
        (void)msgw_opt(&writer, &opt, RCODE_NOERROR);
        sink += msgw_finish(&writer);
    }
    report("write answer: question, 1 A, OPT", start, rounds);
}

/* A referral: four NS, four A, four AAAA below one name. */
static void bench_referral(const struct query *q, unsigned long rounds)
{
    static const uint8_t ns[] = "\0\21\3ns1\7example\3com\0\0\21\3ns2\7example\3com\0"
                                "\0\21\3ns3\7example\3com\0\0\21\3ns4\7example\3com";
    static const uint8_t glue_a[] = "\0\4\300\0\2\1";
    static const uint8_t glue_aaaa[] = "\0\20\40\1\15\270\0\0\0\0\0\0\0\0\0\0\0\1";
    struct msg_rrset s = {.owner = N("\7example\3com"),
                          .rdatas = ns,
                          .rdatas_len = sizeof(ns),
                          .ttl = 300,
                          .type = RR_NS,
                          .rclass = CLASS_IN};
    double start = seconds();

    for (unsigned long i = 0; i < rounds; i++) {
        struct msg_rrset g = s;

        msgw_begin(&writer, out, EDNS_UDP_DEFAULT, q->id, MSG_QR);
        (void)msgw_question(&writer, q->qname_raw, q->qtype, q->qclass);
        (void)msgw_rrset(&writer, SECTION_AUTHORITY, &s);
        for (unsigned k = 0; k < 8; k++) {
            g.owner = ns + 2 + 19 * (k / 2);
            g.type = k % 2 ? RR_AAAA : RR_A;
            g.rdatas = k % 2 ? glue_aaaa : glue_a;
            g.rdatas_len = k % 2 ? sizeof(glue_aaaa) - 1 : sizeof(glue_a) - 1;
            (void)msgw_rrset(&writer, SECTION_ADDITIONAL, &g);
        }
        sink += msgw_finish(&writer);
    }
    report("write referral: 4 NS, 4 A, 4 AAAA", start, rounds);
}

/* As AXFR does: records of many owners until 64 KiB are full. */
static void bench_transfer(unsigned long rounds)
{
    struct rr rr = {.type = RR_A, .rclass = CLASS_IN, .rdata = N("\1\2\3\4"), .rdata_len = 4};
    unsigned long records = 0;
    unsigned n = 0;
    double start = seconds();

    while (records < rounds) {
        msgw_begin(&writer, out, MSG_MAX_OCTETS, 1, MSG_QR);
        for (;; n++) {
            uint8_t owner[] = "\10host0000\7example\3com";

            for (unsigned k = 0, v = n; k < 4; k++, v /= 10)
                owner[8 - k] = (uint8_t)('0' + v % 10);
            rr.owner = owner;
            if (!msgw_rr(&writer, SECTION_ANSWER, &rr))
                break;
            records++;
        }
        sink += msgw_finish(&writer);
    }
    report("write a record into 64 KiB messages", start, records);
}

static void bench_layout(unsigned long rounds)
{
    struct msg_layout l;
    size_t len = msgw_finish(&writer);
    unsigned long records = 0;
    double start = seconds();

    while (records < rounds) {
        sink += msg_layout_read(&l, out, len);
        records += l.header.counts[SECTION_ANSWER];
    }
    report("msg_layout_read, each record", start, records);
}

static void bench_tsig(unsigned long rounds)
{
    static const char secret[] = "em9uZWxlZGdlciB0ZXN0IHNlY3JldCAwMTIzNDU2Nzg5";
    const struct wall now = {1700000000};
    struct tsig_key *key = NULL;
    struct tsig client = {.key = NULL};
    struct tsig server = {.key = NULL};
    const struct msg_query_spec spec = {.qname = N("\7example\3com"), .qtype = RR_SOA, .id = 1};
    double start;

    if (tsig_key_new(&key, N("\3key"), TSIG_HMAC_SHA256, secret, sizeof(secret) - 1, NULL))
        return;
    start = seconds();
    for (unsigned long i = 0; i < rounds; i++) {
        size_t len = msg_build_query(out, 512, &spec);
        size_t at = len;

        sink += tsig_sign_request(&client, key, out, &len, sizeof(out), now);
        sink += (size_t)tsig_verify_request(&server, key, out, len, at, now);
    }
    report("TSIG hmac-sha256: sign and verify a request", start, rounds);
    tsig_done(&client);
    tsig_done(&server);
    tsig_key_unref(key);
}

int main(int argc, char **argv)
{
    unsigned long rounds = argc > 1 ? strtoul(argv[1], NULL, 10) : 2000000;
    const struct edns_reply opt = {.udp_size = 1232, .dnssec_ok = true};
    struct msg_query_spec spec = {.qname = N("\3www\7example\3com"), .qtype = RR_A, .id = 1};
    struct sample plain;
    struct sample edns;
    struct query q;

    msgw_init(&writer);
    plain.len = msg_build_query(plain.wire, sizeof(plain.wire), &spec);
    spec.opt = &opt;
    edns.len = msg_build_query(edns.wire, sizeof(edns.wire), &spec);
    bench_parse("query_parse", &plain, rounds);
    bench_parse("query_parse with EDNS", &edns, rounds);
    if (query_parse(&q, plain.wire, plain.len) != QUERY_OK)
        return 1;
    bench_small_answer(&q, rounds);
    bench_referral(&q, rounds / 4);
    bench_transfer(rounds);
    bench_layout(rounds);
    bench_tsig(rounds / 20);
    return 0;
}
