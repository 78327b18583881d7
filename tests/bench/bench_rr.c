/* bench_rr: what one record costs in lib/dns/rr.h, by type: RDATA from text, to text, from a
 * message and compared; and one name in lib/dns/name.h. Prints nanoseconds. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "lib/dns/rr.h"

#define ROUNDS 200000

static const struct {
    uint16_t type;
    const char *text;
} list[] = {
    {RR_A, "192.0.2.1"},
    {RR_AAAA, "2001:db8:85a3::8a2e:370:7334"},
    {RR_NS, "ns1.example.net."},
    {RR_MX, "10 mail.example.net."},
    {RR_TXT, "\"v=spf1 include:_spf.example.net ip4:192.0.2.0/24 -all\""},
    {RR_SOA, "ns1.example.net. hostmaster.example.net. 2026112301 7200 3600 1209600 300"},
    {RR_SRV, "0 5 5060 sip.example.net."},
    {RR_DS, "60485 8 2 D4B7D520E7BB5F0F67674A0CCEB1E3E0614B93C4F9E99B8383F6A1E4469DA50A"},
    {RR_RRSIG,
     "A 13 3 86400 20260322173103 20260220173103 2642 example.com. "
     "oJB1W6WNGv+ldvQ3WDG0MQkg5IEhjRip8WTrPYGv07h108dUKGMeDPKijVCHX3DDKdfb+v6oB9wfuh3DTJXUAQ=="},
    {RR_NSEC3, "1 0 0 - 2T7B4G4VSA5SMI47K61MV5BV1A22BOJR A AAAA MX RRSIG"},
    {RR_HTTPS, "1 . alpn=\"h2,h3\" ipv4hint=192.0.2.1 ipv6hint=2001:db8::1"},
};

static double now_ns(void)
{
    struct timespec ts;

    (void)clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec * 1e9 + (double)ts.tv_nsec;
}

static void must(bool ok)
{
    if (!ok)
        abort();
}

static void bench_type(uint16_t type, const char *text)
{
    struct buf wire = BUF_INIT;
    struct buf other = BUF_INIT;
    struct buf out = BUF_INIT;
    size_t n = strlen(text);
    char name[TYPE_TEXT_MAX];
    double t[5];
    int sum = 0;

    must(rdata_from_text(&other, type, text, n, NULL, NULL) == OK);
    other.data[other.len - 1] ^= 0x20; /* the comparison finds its answer at the end */
    t[0] = now_ns();
    for (unsigned i = 0; i < ROUNDS; i++) {
        wire.len = 0;
        must(rdata_from_text(&wire, type, text, n, NULL, NULL) == OK);
    }
    t[1] = now_ns();
    for (unsigned i = 0; i < ROUNDS; i++) {
        out.len = 0;
        rdata_to_text(&out, type, wire.data, wire.len);
    }
    t[2] = now_ns();
    for (unsigned i = 0; i < ROUNDS; i++) {
        struct reader r = reader_of(wire.data, wire.len);

        out.len = 0;
        must(rdata_read(&out, &r, type, (uint16_t)wire.len, NULL) == OK);
    }
    t[3] = now_ns();
    for (unsigned i = 0; i < ROUNDS; i++)
        sum += rdata_cmp(type, wire.data, wire.len, other.data, other.len) < 0;
    t[4] = now_ns();
    must(sum == 0 || sum == ROUNDS);
    type_to_text(name, type);
    (void)printf("%-8s from text %5.0f  to text %5.0f  read %5.0f  compare %5.0f\n", name,
                 (t[1] - t[0]) / ROUNDS, (t[2] - t[1]) / ROUNDS, (t[3] - t[2]) / ROUNDS,
                 (t[4] - t[3]) / ROUNDS);
    buf_free(&wire);
    buf_free(&other);
    buf_free(&out);
}

static void bench_names(void)
{
    static const uint8_t key[16] = "bench";
    const uint8_t *a = (const uint8_t *)"\12customer-1\3www\7example\3com";
    const uint8_t *b = (const uint8_t *)"\12customer-2\3www\7example\3com";
    uint8_t folded[NAME_MAX_OCTETS];
    uint8_t sort[NAME_KEY_MAX];
    char text[NAME_TEXT_MAX];
    uint64_t sum = 0;
    double t[6];

    t[0] = now_ns();
    for (unsigned i = 0; i < ROUNDS; i++)
        sum += (uint64_t)(name_cmp(a, b) < 0) + name_len(b);
    t[1] = now_ns();
    for (unsigned i = 0; i < ROUNDS; i++)
        sum += name_fold(folded, a) + folded[1];
    t[2] = now_ns();
    for (unsigned i = 0; i < ROUNDS; i++)
        sum += name_hash(a, key);
    t[3] = now_ns();
    for (unsigned i = 0; i < ROUNDS; i++)
        sum += name_key(sort, b);
    t[4] = now_ns();
    for (unsigned i = 0; i < ROUNDS; i++)
        sum += name_to_text(text, a);
    t[5] = now_ns();
    must(sum != 0);
    (void)printf("name     compare %5.0f  fold %5.0f  hash %5.0f  key %5.0f  to text %5.0f\n",
                 (t[1] - t[0]) / ROUNDS, (t[2] - t[1]) / ROUNDS, (t[3] - t[2]) / ROUNDS,
                 (t[4] - t[3]) / ROUNDS, (t[5] - t[4]) / ROUNDS);
}

int main(void)
{
    for (size_t i = 0; i < sizeof(list) / sizeof(list[0]); i++)
        bench_type(list[i].type, list[i].text);
    bench_names();
    return 0;
}
