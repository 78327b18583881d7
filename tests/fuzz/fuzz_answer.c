/* Any octets as a query to a few small zones: the answer is a message within its limit, its names
 * and RDATA can be read, and it carries the query's ID. The first octet says how the query comes
 * (TCP, TLS, with cookies).
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "tests/tools/answer_fixture.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define DS " 1 8 2 0000000000000000000000000000000000000000000000000000000000000000\n"
#define SIG " 8 2 3600 20300101000000 20200101000000 1 example. AAAA\n"

static const char *const zones[][2] = {
    {"example.",
     "@ SOA ns1 host 7 3600 900 604800 300\n@ NS ns1\n@ NS ns.sub\n@ MX 10 mail\n@ RRSIG SOA" SIG
     "ns1 A 192.0.2.1\nns1 AAAA 2001:db8::1\nns1 RRSIG A" SIG "mail A 192.0.2.25\n"
     "a.b.c A 192.0.2.3\nsrv SRV 0 0 1 ns1\nsvc HTTPS 1 . alpn=h2\nsvc A 192.0.2.9\n"
     "nap NAPTR 1 1 s x \"\" ns1\n"
     "c1 CNAME c2\nc2 CNAME c3.other.\nloop CNAME loop\nout CNAME out.invalid.\n"
     "*.w A 192.0.2.99\n*.cw CNAME x.cw.other.\n*.e.w A 192.0.2.98\nx.*.n A 192.0.2.97\n"
     "sub NS ns.sub\nsub NS ns1\nsub DS" DS "ns.sub A 192.0.2.53\n"
     "$GENERATE 1-30 glue NS ns$.glue\n$GENERATE 1-30 ns$.glue A 192.0.2.$\n"
     "$GENERATE 1-50 big TXT some-longer-text-to-fill-the-answer-$\n"
     "child NS ns1\nd DNAME other.\ngrow DNAME x.grow\n"},
    {"child.example.", "@ SOA ns1 host 1 1 1 1 1\n@ NS ns1\nns1 A 192.0.2.7\n"},
    {"other.", "@ SOA ns1 host 1 1 1 1 9999\n@ NS ns1\nns1 A 192.0.2.8\nc3 CNAME c1.example.\n"
               "*.cw DNAME example.\n* TXT other\n"},
    {"nsec.", "@ SOA ns1 host 1 1 1 1 1\n@ NS ns1\nns1 A 192.0.2.7\n*.w CNAME x.v\n*.v CNAME y.w\n"
              "sub NS ns1\na.b DNAME nsec3.\n@ NSEC a.b NS SOA NSEC\na.b NSEC ns1 DNAME NSEC\n"
              "ns1 NSEC sub A NSEC\nsub NSEC *.v NS NSEC\n*.v NSEC *.w CNAME NSEC\n"
              "*.w NSEC @ CNAME NSEC\nns1 RRSIG NSEC" SIG},
    {"nsec3.",
     "@ SOA ns1 host 1 1 1 1 1\n@ NS ns1\nns1 A 192.0.2.7\n*.w CNAME x.nsec.\nsub NS ns1\n"
     "@ NSEC3PARAM 1 0 2 ab\n@ NSEC3PARAM 1 0 60000 ab\n@ NSEC3PARAM 9 0 0 -\n"
     "00000000000000000000000000000000 NSEC3 1 1 2 ab 80000000000000000000000000000000 A\n"
     "80000000000000000000000000000000 NSEC3 1 1 3 ab 00000000000000000000000000000000 A\n"
     "g0000000000000000000000000000000 NSEC3 1 1 2 ab 00000000000000000000000000000000 A\n"
     "g NSEC3 1 1 2 ab 00000000000000000000000000000000 A\n"},
    {"expired.", "@ SOA ns1 host 1 1 1 1 1\n@ NS ns1\nns1 A 192.0.2.7\n"},
};

static struct answerer *answerer;
static uint8_t out[MSG_MAX_OCTETS];

static void prepare(void)
{
    struct zonedb *db = text_zonedb(zones, sizeof(zones) / sizeof(zones[0]));
    uint8_t name[] = "\7expired";

    zonedb_put(db, zone_ref(zonedb_get(db, name)->zone), 1, 1, true);
    zonedb_reclaim(db);
    answerer = answerer_new(db); /* both live as long as the process */
}

static void must(bool ok)
{
    if (!ok)
        abort();
}

static void check(const struct answer_client *client, const uint8_t *query, size_t len,
                  const struct answer_made *made)
{
    struct msg_layout q, a;
    bool edns = msg_layout_read(&q, query, len) && q.edns.present;

    /* A query that cannot be read may have EDNS all the same. */
    if (client->transport == HO_UDP)
        must(made->len <= (edns || made->rcode == RCODE_FORMERR ? 1232u : MSG_UDP_MIN_OCTETS));
    must(out[0] == query[0] && out[1] == query[1]);
    must(msg_layout_read(&a, out, made->len));
    must(!edns || a.edns.present || made->rcode == RCODE_FORMERR || made->rcode == RCODE_NOTIMP);
    if (edns && a.edns.present && q.edns.version == 0 && client->transport == HO_TLS &&
        q.edns.padding.present && !q.tsig)
        must(made->len % ANSWER_PADDING_BLOCK == 0 ||
             made->len > MSG_MAX_OCTETS - ANSWER_PADDING_BLOCK);
    must(!a.edns.padding.present || client->transport == HO_TLS);
    must(!a.edns.tcp_keepalive.present || client->transport != HO_UDP);
    must(!a.edns.cookie.present || (client->cookies && a.edns.cookie.len == COOKIE_OCTETS));
    must(a.edns.cookie.present || made->cookie != COOKIE_GOOD);
    free(answer_text(out, made->len));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct cookie_secrets secrets = {.count = 2, .secret = {"0123", "4567"}};
    static const struct addr source = {.ip = {192, 0, 2, 1}, .port = 1, .family = 4};
    struct answer_client client = {.source = &source};
    struct answer_made made;

    if (!answerer)
        prepare();
    if (size == 0)
        return 0;
    client.transport = !(data[0] & 1) ? HO_UDP : data[0] & 2 ? HO_TLS : HO_TCP;
    client.cookies = data[0] & 4 ? &secrets : NULL;
    made = answer_make(answerer, plain_config(), &client, data + 1, size - 1, out, sizeof(out));
    if (made.len > 0)
        check(&client, data + 1, size - 1, &made);
    if (made.action == ANSWER_HAND_OVER) {
        size_t len = answer_short(answerer, plain_config(), RCODE_SERVFAIL, out, 576);

        must(len <= 576);
        free(answer_text(out, len));
    }
    return 0;
}
