/* What is asked, and what comes back: RFC 1034 4.3.2 and its successors, case by case. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/tools/answer_fixture.h"

#define SOA "@ 3600 SOA ns1 host 7 3600 900 604800 300\n"
#define SOA_OUT(zone) "ns " zone " 300 IN SOA ns1." zone " host." zone " 7 3600 900 604800 300\n"
#define REFERRAL(sub)                                                                              \
    "ns " sub " 3600 IN NS ns." sub "\nns " sub " 3600 IN NS ns1.example.\n"                       \
    "ar ns." sub " 3600 IN A 192.0.2.53\nar ns." sub " 3600 IN AAAA 2001:db8::53\n"                \
    "ar ns1.example. 3600 IN A 192.0.2.1\nar ns1.example. 3600 IN AAAA 2001:db8::1\n"
#define FOUND "NOERROR aa\n"

static const char *const zones[][2] = {
    {"example.",
     SOA "@ NS ns1\n@ NS ns2.example.\n@ NS ns.elsewhere.\n@ MX 10 mail\n@ MX 20 mail.other.\n"
         "@ TXT \"apex\"\n"
         "ns1 A 192.0.2.1\nns1 AAAA 2001:db8::1\nns2 A 192.0.2.2\nmail A 192.0.2.25\n"
         "www A 192.0.2.80\nwww A 192.0.2.81\nwww AAAA 2001:db8::80\n"
         "a.b.c.ent A 192.0.2.3\n"
         "_sip._udp SRV 0 0 5060 www\n_none._tcp SRV 0 0 0 .\n"
         "svc HTTPS 1 . alpn=h2\nsvc A 192.0.2.90\nalias-svc SVCB 0 www\n"
         "nap NAPTR 1 1 s x \"\" www\n"
         /* aliases */
         "c1 CNAME c2\nc2 CNAME www\nc-out CNAME nowhere.invalid.\nc-other CNAME www.other.\n"
         "c-gone CNAME absent\nc-nodata CNAME mail\nloop1 CNAME loop2\nloop2 CNAME loop1\n"
         "self CNAME self\nc-cut CNAME x.sub\nc-exp CNAME a.expired.\n"
         /* wildcards, RFC 4592 */
         "*.w A 192.0.2.99\n*.w TXT \"star\"\nhost.w A 192.0.2.98\nsub.deep.w A 192.0.2.97\n"
         "*.cw CNAME www\n*.mxw MX 5 mail\n*.nsw NS ns1\nx.*.entw A 192.0.2.96\n"
         /* delegations */
         "sub NS ns.sub\nsub NS ns1\nns.sub A 192.0.2.53\nns.sub AAAA 2001:db8::53\n"
         "sub DS 1 8 2 0000000000000000000000000000000000000000000000000000000000000000\n"
         "hidden.sub A 192.0.2.66\nsib NS ns.sub\nunsigned NS ns.elsewhere.\n"
         "child NS ns1\n"
         "child DS 2 8 2 1111111111111111111111111111111111111111111111111111111111111111\n"
         /* DNAME */
         "d DNAME other.\nlongd DNAME "
         "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa."
         "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb."
         "cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc.\n"
         "selfd DNAME x.selfd\n"
         "odd TYPE65280 \\# 2 abcd\n"},
    {"child.example.", SOA "@ NS ns1\nns1 A 192.0.2.7\nwww A 192.0.2.8\n"},
    {"other.", SOA "@ NS ns1\nns1 A 192.0.2.9\nwww A 192.0.2.10\nback CNAME c1.example.\n"
                   "mail A 192.0.2.26\n"},
    {"expired.", SOA "@ NS ns1\nns1 A 192.0.2.9\na A 192.0.2.11\n"},
};

struct expected {
    const char *qname, *qtype, *text;
};

static const struct expected cases[] = {
    /* exact matches */
    {"www.example.", "A",
     FOUND "an www.example. 3600 IN A 192.0.2.80\n"
           "an www.example. 3600 IN A 192.0.2.81\n"},
    {"WwW.ExAmPlE.", "AAAA", FOUND "an WwW.ExAmPlE. 3600 IN AAAA 2001:db8::80\n"},
    {"example.", "SOA",
     FOUND "an example. 3600 IN SOA ns1.example. host.example. 7 3600 900 604800 300\n"},
    {"odd.example.", "TYPE65280", FOUND "an odd.example. 3600 IN TYPE65280 \\# 2 ABCD\n"},

    /* additional addresses: of our zones, once each */
    {"example.", "NS",
     FOUND "an example. 3600 IN NS ns.elsewhere.\n"
           "an example. 3600 IN NS ns1.example.\nan example. 3600 IN NS ns2.example.\n"
           "ar ns1.example. 3600 IN A 192.0.2.1\nar ns1.example. 3600 IN AAAA 2001:db8::1\n"
           "ar ns2.example. 3600 IN A 192.0.2.2\n"},
    {"example.", "MX",
     FOUND "an example. 3600 IN MX 10 mail.example.\nan example. 3600 IN MX 20 mail.other.\n"
           "ar mail.example. 3600 IN A 192.0.2.25\nar mail.other. 3600 IN A 192.0.2.26\n"},
    {"_sip._udp.example.", "SRV",
     FOUND "an _sip._udp.example. 3600 IN SRV 0 0 5060 www.example.\n"
           "ar www.example. 3600 IN A 192.0.2.80\nar www.example. 3600 IN A 192.0.2.81\n"
           "ar www.example. 3600 IN AAAA 2001:db8::80\n"},
    {"_none._tcp.example.", "SRV", FOUND "an _none._tcp.example. 3600 IN SRV 0 0 0 .\n"},
    {"svc.example.", "HTTPS",
     FOUND "an svc.example. 3600 IN HTTPS 1 . alpn=\"h2\"\nar svc.example. 3600 IN A 192.0.2.90\n"},
    {"alias-svc.example.", "SVCB",
     FOUND "an alias-svc.example. 3600 IN SVCB 0 www.example.\n"
           "ar www.example. 3600 IN A 192.0.2.80\nar www.example. 3600 IN A 192.0.2.81\n"
           "ar www.example. 3600 IN AAAA 2001:db8::80\n"},

    /* nothing there: RFC 2308, RFC 8020 */
    {"www.example.", "MX", FOUND SOA_OUT("example.")},
    {"absent.example.", "A", "NXDOMAIN aa\n" SOA_OUT("example.")},
    {"x.www.example.", "A", "NXDOMAIN aa\n" SOA_OUT("example.")},
    {"ent.example.", "A", FOUND SOA_OUT("example.")},
    {"c.ent.example.", "TXT", FOUND SOA_OUT("example.")},
    {"x.ent.example.", "A", "NXDOMAIN aa\n" SOA_OUT("example.")},
    {"b.c.ent.example.", "ANY", FOUND SOA_OUT("example.")},
    {"www.example.", "TYPE0", FOUND SOA_OUT("example.")},
    {"www.example.", "TYPE65535", FOUND SOA_OUT("example.")},

    /* what we don't have */
    {"www.invalid.", "A", "REFUSED\n"},
    {".", "NS", "REFUSED\n"},
    {"a.expired.", "A", "SERVFAIL\n"},
    {"expired.", "SOA", "SERVFAIL\n"},

    /* ANY, RFC 8482 */
    {"www.example.", "ANY",
     FOUND "an www.example. 3600 IN A 192.0.2.80\n"
           "an www.example. 3600 IN A 192.0.2.81\n"},
    {"c1.example.", "ANY", FOUND "an c1.example. 3600 IN CNAME c2.example.\n"},

    /* types that are no data */
    {"example.", "OPT", "FORMERR\n"},
    {"example.", "TSIG", "FORMERR\n"},
    {"example.", "TKEY", "NOTIMP\n"},
    {"example.", "MAILA", "NOTIMP\n"},
    {"example.", "MAILB", "NOTIMP\n"},

    /* CNAME */
    {"c1.example.", "CNAME", FOUND "an c1.example. 3600 IN CNAME c2.example.\n"},
    {"c1.example.", "AAAA",
     FOUND "an c1.example. 3600 IN CNAME c2.example.\nan c2.example. 3600 IN CNAME www.example.\n"
           "an www.example. 3600 IN AAAA 2001:db8::80\n"},
    {"C1.example.", "TXT",
     FOUND "an C1.example. 3600 IN CNAME c2.example.\nan c2.example. 3600 IN CNAME "
           "www.example.\n" SOA_OUT("example.")},
    {"c-out.example.", "A", FOUND "an c-out.example. 3600 IN CNAME nowhere.invalid.\n"},
    {"c-exp.example.", "A", FOUND "an c-exp.example. 3600 IN CNAME a.expired.\n"},
    {"c-other.example.", "A",
     FOUND "an c-other.example. 3600 IN CNAME www.other.\n"
           "an www.other. 3600 IN A 192.0.2.10\n"},
    {"back.other.", "AAAA",
     FOUND "an back.other. 3600 IN CNAME c1.example.\nan c1.example. 3600 IN CNAME c2.example.\n"
           "an c2.example. 3600 IN CNAME www.example.\n"
           "an www.example. 3600 IN AAAA 2001:db8::80\n"},
    {"c-gone.example.", "A",
     "NXDOMAIN aa\nan c-gone.example. 3600 IN CNAME absent.example.\n" /* 6604 */
     SOA_OUT("example.")},
    {"c-nodata.example.", "AAAA",
     FOUND "an c-nodata.example. 3600 IN CNAME mail.example.\n" SOA_OUT("example.")},
    {"loop1.example.", "A",
     FOUND "an loop1.example. 3600 IN CNAME loop2.example.\n"
           "an loop2.example. 3600 IN CNAME loop1.example.\n"},
    {"self.example.", "A", FOUND "an self.example. 3600 IN CNAME self.example.\n"},
    {"c-cut.example.", "A",
     FOUND "an c-cut.example. 3600 IN CNAME x.sub.example.\n" REFERRAL("sub.example.")},

    /* wildcards */
    {"x.w.example.", "A", FOUND "an x.w.example. 3600 IN A 192.0.2.99\n"},
    {"x.y.w.example.", "A", FOUND "an x.y.w.example. 3600 IN A 192.0.2.99\n"},
    {"x.w.example.", "MX", FOUND SOA_OUT("example.")},
    {"host.w.example.", "TXT", FOUND SOA_OUT("example.")},
    {"x.host.w.example.", "TXT", "NXDOMAIN aa\n" SOA_OUT("example.")},
    {"deep.w.example.", "A", FOUND SOA_OUT("example.")},
    {"x.deep.w.example.", "A", "NXDOMAIN aa\n" SOA_OUT("example.")},
    {"*.w.example.", "A", FOUND "an *.w.example. 3600 IN A 192.0.2.99\n"},
    {"a.*.w.example.", "A", "NXDOMAIN aa\n" SOA_OUT("example.")},
    {"w.example.", "A", FOUND SOA_OUT("example.")},
    {"x.cw.example.", "AAAA",
     FOUND "an x.cw.example. 3600 IN CNAME www.example.\n"
           "an www.example. 3600 IN AAAA 2001:db8::80\n"},
    {"x.mxw.example.", "MX",
     FOUND "an x.mxw.example. 3600 IN MX 5 mail.example.\n"
           "ar mail.example. 3600 IN A 192.0.2.25\n"},
    {"x.nsw.example.", "A", FOUND SOA_OUT("example.")},
    {"x.entw.example.", "A", FOUND SOA_OUT("example.")}, /* the wildcard itself is empty */
    {"x.w.example.", "ANY", FOUND "an x.w.example. 3600 IN A 192.0.2.99\n"},

    /* referrals */
    {"sub.example.", "A", "NOERROR\n" REFERRAL("sub.example.")},
    {"hidden.SUB.example.", "A", "NOERROR\n" REFERRAL("SUB.example.")},
    {"sub.example.", "NS", "NOERROR\n" REFERRAL("sub.example.")},
    {"x.sib.example.", "A", /* glue of a sibling */
     "NOERROR\nns sib.example. 3600 IN NS ns.sub.example.\n"
     "ar ns.sub.example. 3600 IN A 192.0.2.53\nar ns.sub.example. 3600 IN AAAA 2001:db8::53\n"},
    {"unsigned.example.", "A", "NOERROR\nns unsigned.example. 3600 IN NS ns.elsewhere.\n"},
    {"sub.example.", "DS",
     FOUND "an sub.example. 3600 IN DS 1 8 2 "
           "0000000000000000000000000000000000000000000000000000000000000000\n"},
    {"unsigned.example.", "DS", FOUND SOA_OUT("example.")},
    {"hidden.sub.example.", "DS", "NOERROR\n" REFERRAL("sub.example.")},

    /* a parent and its child, both ours */
    {"www.child.example.", "A", FOUND "an www.child.example. 3600 IN A 192.0.2.8\n"},
    {"child.example.", "NS",
     FOUND "an child.example. 3600 IN NS ns1.child.example.\n"
           "ar ns1.child.example. 3600 IN A 192.0.2.7\n"},
    {"child.example.", "DS",
     FOUND "an child.example. 3600 IN DS 2 8 2 "
           "1111111111111111111111111111111111111111111111111111111111111111\n"},
    {"absent.child.example.", "A", "NXDOMAIN aa\n" SOA_OUT("child.example.")},
    {"example.", "DS", FOUND SOA_OUT("example.")}, /* no parent here: the child answers */

    /* DNAME, RFC 6672 */
    {"d.example.", "DNAME", FOUND "an d.example. 3600 IN DNAME other.\n"},
    {"d.example.", "A", FOUND SOA_OUT("example.")},
    {"www.d.example.", "A",
     FOUND "an d.example. 3600 IN DNAME other.\nan www.d.example. 3600 IN CNAME www.other.\n"
           "an www.other. 3600 IN A 192.0.2.10\n"},
    {"www.D.example.", "CNAME",
     FOUND "an D.example. 3600 IN DNAME other.\nan www.D.example. 3600 IN CNAME www.other.\n"},
    {"no.d.example.", "A",
     "NXDOMAIN aa\nan d.example. 3600 IN DNAME other.\nan no.d.example. 3600 IN CNAME "
     "no.other.\n" SOA_OUT("other.")},
    {"dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd."
     "eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee.longd.example.",
     "A",
     "YXDOMAIN aa\nan longd.example. 3600 IN DNAME "
     "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa."
     "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb."
     "cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc.\n"},
};

static struct zonedb *db;
static struct answerer *answerer;

static int setup(void **state)
{
    uint8_t name[NAME_MAX_OCTETS];
    const struct served_zone *z;

    (void)state;
    db = text_zonedb(zones, sizeof(zones) / sizeof(zones[0]));
    assert_int_equal(name_from_text(name, "expired.", 8, NULL, NULL), OK);
    z = zonedb_get(db, name);
    zonedb_put(db, zone_ref(z->zone), 1, 1, true);
    zonedb_reclaim(db);
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

static void check(const struct ask *q, const char *want)
{
    char *got = ask_text(answerer, q);

    if (strcmp(got, want) != 0)
        fail_msg("%s %s\ngot:\n%swanted:\n%s", q->qname, q->qtype, got, want);
    free(got);
}

static void test_cases(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        check(&(struct ask){.qname = cases[i].qname, .qtype = cases[i].qtype, .tcp = true},
              cases[i].text);
}

/* A chain that makes ever longer names ends at its bound, or where they become too long. */
static void test_dname_grows(void **state)
{
    char *got =
        ask_text(answerer, &(struct ask){.qname = "a.selfd.example.", .qtype = "A", .tcp = true});
    unsigned dnames = 0;

    (void)state;
    for (const char *p = got; (p = strstr(p, "IN CNAME")); p++)
        dnames++;
    assert_int_equal(dnames, ANSWER_CHAIN_MAX);
    assert_memory_equal(got, "NOERROR aa\n", 11);
    free(got);
}

static void test_flags(void **state)
{
    static const char apex[] = "an example. 3600 IN TXT \"apex\"\n";
    char want[256];
    struct ask q = {.qname = "example.", .qtype = "TXT", .flags = MSG_RD | MSG_CD | MSG_AD};

    (void)state;
    (void)snprintf(want, sizeof(want), "NOERROR aa rd cd\n%s", apex);
    check(&q, want); /* RD and CD come back, AD and RA don't */
    q.flags = MSG_AA | MSG_TC | MSG_RA | MSG_Z;
    (void)snprintf(want, sizeof(want), "NOERROR aa\n%s", apex);
    check(&q, want);
    q = (struct ask){.qname = "example.", .qtype = "TXT", .edns = true};
    (void)snprintf(want, sizeof(want), "NOERROR aa\n%sopt 1232\n", apex);
    check(&q, want);
    q.dnssec = true;
    (void)snprintf(want, sizeof(want), "NOERROR aa\n%sopt 1232 do\n", apex);
    check(&q, want);
}

/* What a zone's content id is, syncd says, to those who may transfer the zone. */
static void test_content_id(void **state)
{
    static const char *const texts[][2] = {
        {"example.", "@ SOA ns.example. a.example. 1 1 1 1 1\n@ NS ns.example.\n"}};
    struct zonedb *some = text_zonedb(texts, 1);
    struct answerer *a = answerer_new(some);
    uint8_t query[MSG_MAX_OCTETS], out[MSG_MAX_OCTETS];
    struct ask ask = {.qname = "_Content-ID.example.", .qtype = "TXT", .qclass = CLASS_CH};
    struct answer_made made;

    (void)state;
    made = answer_octets(a, plain_config(), query, ask_build(query, &ask), false, out, sizeof(out));
    assert_int_equal(made.action, ANSWER_HAND_OVER);
    assert_int_equal(made.rcode, RCODE_REFUSED);
    ask.qclass = CLASS_IN;
    made = answer_octets(a, plain_config(), query, ask_build(query, &ask), false, out, sizeof(out));
    assert_int_equal(made.action, ANSWER_SEND);
    assert_int_equal(made.rcode, RCODE_NXDOMAIN);
    free(a);
    zonedb_free(some);
}

static void test_classes(void **state)
{
    (void)state;
    check(&(struct ask){.qname = "version.bind.", .qtype = "TXT", .qclass = CLASS_CH},
          "NOERROR aa\nan CH: version.bind. 0 IN TXT \"zl\"\n");
    check(&(struct ask){.qname = "VERSION.server.", .qtype = "ANY", .qclass = CLASS_CH},
          "NOERROR aa\nan CH: VERSION.server. 0 IN TXT \"zl\"\n");
    check(&(struct ask){.qname = "id.server.", .qtype = "TXT", .qclass = CLASS_CH},
          "NOERROR aa\nan CH: id.server. 0 IN TXT \"node-1\"\n");
    check(&(struct ask){.qname = "hostname.bind.", .qtype = "A", .qclass = CLASS_CH}, "REFUSED\n");
    check(&(struct ask){.qname = "www.example.", .qtype = "A", .qclass = CLASS_CH}, "REFUSED\n");
    check(&(struct ask){.qname = "www.example.", .qtype = "A", .qclass = CLASS_ANY}, "REFUSED\n");
    check(&(struct ask){.qname = "www.example.", .qtype = "A", .qclass = 4}, "REFUSED\n");
}

/* A catalog: syncd says who gets the ready answer; and no alias leads into it. */
static void test_private_zone(void **state)
{
    static const char *const texts[][2] = {
        {"catalog.", "@ 0 SOA invalid. invalid. 1 2 3 4 0\n@ 0 NS invalid.\n"
                     "version 0 TXT \"2\"\n"},
        {"open.", "@ 0 SOA ns.else. a.else. 1 2 3 4 0\n@ 0 NS ns.else.\n"
                  "into 0 CNAME version.catalog.\n"},
    };
    struct zonedb *some = text_zonedb(texts, 2);
    struct answerer *a = answerer_new(some);
    struct ask ask = {.qname = "version.catalog.", .qtype = "TXT"};
    uint8_t query[MSG_MAX_OCTETS], out[MSG_MAX_OCTETS];
    uint8_t name[NAME_MAX_OCTETS];
    struct answer_made made;
    char *text;

    (void)state;
    assert_int_equal(name_from_text(name, "catalog.", 8, NULL, NULL), OK);
    zonedb_put_as(some, zone_ref(zonedb_get(some, name)->zone), 1, 1, false, true);
    made = answer_octets(a, plain_config(), query, ask_build(query, &ask), false, out, sizeof(out));
    assert_int_equal(made.action, ANSWER_HAND_OVER);
    text = answer_text(out, made.len);
    assert_string_equal(text, "NOERROR aa\nan version.catalog. 0 IN TXT \"2\"\n");
    free(text);
    text = ask_text(a, &(struct ask){.qname = "into.open.", .qtype = "TXT"});
    assert_string_equal(text, "NOERROR aa\nan into.open. 0 IN CNAME version.catalog.\n");
    free(text);
    free(a);
    zonedb_reclaim(some);
    zonedb_free(some);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cases),       cmocka_unit_test(test_private_zone),
        cmocka_unit_test(test_dname_grows), cmocka_unit_test(test_flags),
        cmocka_unit_test(test_classes),     cmocka_unit_test(test_content_id),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
