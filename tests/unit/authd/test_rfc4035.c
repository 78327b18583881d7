/* RFC 4035 3: signatures, referrals and denial by NSEC: the examples of its appendix B on the zone
 * of appendix A, and what else a signed zone can have. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/tools/answer_cases.h"

#define DS " DS 58470 5 1 3079F1593EBAD6DC121E202A8B766A6A4837206C\n" /* of any child */
#define SIG(covered, labels) covered " 5 " labels " 3600 20300101000000 20200101000000 1 @ AAAA"

/* What both RFCs have in their zone "example.". */
#define RFC_ZONE                                                                                   \
    "@ 3600 SOA ns1 bugs.x.w 1 3600 300 3600000 3600\n@ NS ns1\n@ NS ns2\n@ MX 1 xx\n"             \
    "a NS ns1.a\na NS ns2.a\na" DS "ns1.a A 192.0.2.5\nns2.a A 192.0.2.6\n"                        \
    "ai A 192.0.2.9\nai AAAA 2001:db8::9\nns1 A 192.0.2.1\nns2 A 192.0.2.2\n"                      \
    "*.w MX 1 ai\nx.w MX 1 xx\nx.y.w MX 1 xx\nxx A 192.0.2.10\nxx AAAA 2001:db8::10\n"

/* RFC 4035 A, with b insecure. */
static const char nsec_zone[] = RFC_ZONE
    "b NS ns1.b\nns1.b A 192.0.2.7\nns2.b A 192.0.2.8\n"
    "d DNAME other.\nd RRSIG " SIG(
        "DNAME",
        "2") "\nd TXT \"beside\"\n"
             "cw.w CNAME q.w\nout CNAME elsewhere.\ncx CNAME nope\n*.c CNAME q.w\n"
             "@ NSEC a NS SOA MX RRSIG NSEC\na NSEC ai NS DS RRSIG NSEC\nai NSEC b A AAAA RRSIG "
             "NSEC\n"
             "b NSEC *.c NS RRSIG NSEC\n*.c NSEC cx CNAME RRSIG NSEC\ncx NSEC d CNAME RRSIG NSEC\n"
             "d NSEC ns1 TXT DNAME RRSIG NSEC\nns1 NSEC ns2 A RRSIG NSEC\n"
             "ns2 NSEC out A RRSIG NSEC\nout NSEC *.w CNAME RRSIG NSEC\n*.w NSEC cw.w MX RRSIG "
             "NSEC\n"
             "cw.w NSEC x.w CNAME RRSIG NSEC\nx.w NSEC x.y.w MX RRSIG NSEC\n"
             "x.y.w NSEC xx MX RRSIG NSEC\nxx NSEC @ A AAAA RRSIG NSEC\n"
             "ns1 RRSIG " SIG("A", "2") "\nns1 RRSIG " SIG("NSEC", "2") "\n@ RRSIG " SIG(
                 "SOA",
                 "1") "\na RRSIG " SIG("DS",
                                       "2") "\nb RRSIG " SIG("NSEC",
                                                             "2") "\n*.w RRSIG " SIG("MX",
                                                                                     "2") "\n";

static void check_text(struct answer_world *w, const char *qname, const char *qtype, bool dnssec,
                       uint16_t udp_size, const char *want)
{
    answer_check(
        w,
        &(struct ask){
            .qname = qname, .qtype = qtype, .edns = true, .dnssec = dnssec, .udp_size = udp_size},
        want);
}

static void test_nsec(void **state)
{
    static const struct answer_case cases[] = {
        {"ml.example.", "A", "NXDOMAIN d @"},            /* RFC 4035 B.2 */
        {"ns1.example.", "MX", "NOERROR ns1"},           /* B.3 */
        {"mc.a.example.", "MX", "NOERROR"},              /* B.4 */
        {"mc.b.example.", "MX", "NOERROR b"},            /* B.5 */
        {"a.z.w.example.", "MX", "NOERROR x.y.w"},       /* B.6 */
        {"a.z.w.example.", "AAAA", "NOERROR x.y.w *.w"}, /* B.7 */
        {"example.", "DS", "NOERROR @"},                 /* B.8 */
        {"ns1.example.", "A", "NOERROR"},
        {"ML.Example.", "A", "NXDOMAIN d @"},
        {"w.example.", "A", "NOERROR out"}, /* an empty non-terminal */
        {"y.w.example.", "A", "NOERROR x.w"},
        {"*.w.example.", "A", "NOERROR *.w"},
        {"b.example.", "DS", "NOERROR b"},
        {"a.example.", "DS", "NOERROR"},
        {"b.example.", "A", "NOERROR b"},
        {"zz.example.", "A", "NXDOMAIN xx @"}, /* behind the last */
        {"A!.example.", "A", "NXDOMAIN a @"},  /* its predecessor in the zone is glue */
        {"ba.example.", "A", "NXDOMAIN b @"},
        {"x.d.example.", "A", "NOERROR"}, /* DNAME needs no proof */
        {"d.example.", "A", "NOERROR d"},
        {"x.ns1.example.", "A", "NXDOMAIN ns1"}, /* name and wildcard in one span */
        {"cx.example.", "A", "NXDOMAIN d @"},    /* behind an alias */
        {"out.example.", "A", "NOERROR"},
        {"cw.w.example.", "MX", "NOERROR cw.w"}, /* an alias to what a wildcard makes */
        {"q.c.example.", "AAAA", "NOERROR *.c cw.w *.w"},
        {"q.c.example.", "MX", "NOERROR *.c cw.w"}, /* two wildcards */
        {"cx.example.", "NSEC", "NOERROR"},
        {"cx.example.", "RRSIG", "NOERROR cx"}, /* asked for beside the alias, not behind it */
    };

    (void)state;
    answer_check_all_proofs(nsec_zone, CASES(cases));
}

#define SIG_OUT(owner, covered, labels)                                                            \
    owner " 3600 IN RRSIG " covered " 5 " labels                                                   \
          " 3600 20300101000000 20200101000000 1 example. AAAA\n"

static void test_signatures(void **state)
{
    struct answer_world w = answer_world_of_text(nsec_zone);

    (void)state;
    check_text(&w, "ns1.example.", "A", true, 0,
               "NOERROR aa\nan ns1.example. 3600 IN A 192.0.2.1\n"
               "an " SIG_OUT("ns1.example.", "A", "2") "opt 1232 do\n");
    check_text(&w, "ns1.example.", "A", false, 0,
               "NOERROR aa\nan ns1.example. 3600 IN A 192.0.2.1\nopt 1232\n");
    /* Asked for, they come without DO. */
    check_text(&w, "ns1.example.", "RRSIG", false, 0,
               "NOERROR aa\nan " SIG_OUT("ns1.example.", "A", "2") "an " SIG_OUT(
                   "ns1.example.", "NSEC", "2") "opt 1232\n");
    check_text(&w, "ns1.example.", "NSEC", false, 0,
               "NOERROR aa\nan ns1.example. 3600 IN NSEC ns2.example. A RRSIG NSEC\nopt 1232\n");
    /* A wildcard's has the name that was asked for. */
    check_text(
        &w, "q.w.example.", "MX", true, 0,
        "NOERROR aa\nan q.w.example. 3600 IN MX 1 ai.example.\n"
        "an " SIG_OUT(
            "q.w.example.", "MX",
            "2") "ns cw.w.example. 3600 IN NSEC x.w.example. CNAME RRSIG NSEC\n"
                 "ar ai.example. 3600 IN A 192.0.2.9\nar ai.example. 3600 IN AAAA 2001:db8::9\n"
                 "opt 1232 do\n");
    /* DNAME is signed, the CNAME it makes is not (RFC 6672 5.3.1). */
    check_text(&w, "x.d.example.", "A", true, 0,
               "NOERROR aa\nan d.example. 3600 IN DNAME other.\n"
               "an " SIG_OUT("d.example.", "DNAME",
                             "2") "an x.d.example. 3600 IN CNAME x.other.\nopt 1232 do\n");
    /* At cuts: DS with its signature, or the proof that there is none, in front of the glue. */
    check_text(
        &w, "q.a.example.", "A", true, 0,
        "NOERROR\nns a.example. 3600 IN NS ns1.a.example.\n"
        "ns a.example. 3600 IN NS ns2.a.example.\n"
        "ns a.example. 3600 IN DS 58470 5 1 3079F1593EBAD6DC121E202A8B766A6A4837206C\n"
        "ns " SIG_OUT(
            "a.example.", "DS",
            "2") "ar ns1.a.example. 3600 IN A 192.0.2.5\nar ns2.a.example. 3600 IN A 192.0.2.6\n"
                 "opt 1232 do\n");
    check_text(&w, "q.b.example.", "A", true, 0,
               "NOERROR\nns b.example. 3600 IN NS ns1.b.example.\n"
               "ns b.example. 3600 IN NSEC *.c.example. NS RRSIG NSEC\n"
               "ns " SIG_OUT("b.example.", "NSEC",
                             "2") "ar ns1.b.example. 3600 IN A 192.0.2.7\nopt 1232 do\n");
    check_text(&w, "q.a.example.", "A", false, 0,
               "NOERROR\nns a.example. 3600 IN NS ns1.a.example.\n"
               "ns a.example. 3600 IN NS ns2.a.example.\n"
               "ar ns1.a.example. 3600 IN A 192.0.2.5\nar ns2.a.example. 3600 IN A 192.0.2.6\n"
               "opt 1232\n");
    answer_world_done(&w);
}

/* An RRset and its signature go together, or TC is set. */
static void test_no_room(void **state)
{
    char zone[2048], sig[1200];
    struct answer_world w;

    (void)state;
    memset(sig, 'A', sizeof(sig) - 4);
    sig[sizeof(sig) - 4] = '\0'; /* 897 octets */
    (void)snprintf(zone, sizeof(zone),
                   "@ 3600 SOA ns1 h 1 2 3 4 5\n@ NS ns1\n@ MX 1 ns1\nns1 A 192.0.2.1\n"
                   "ns1 RRSIG A 5 2 3600 20300101000000 20200101000000 1 @ %s\n"
                   "@ NSEC ns1 NS SOA NSEC\n",
                   sig);
    w = answer_world_of_text(zone);
    check_text(&w, "ns1.example.", "A", true, 700, "NOERROR aa tc\nopt 1232 do\n");
    check_text(&w, "ns1.example.", "A", false, 700,
               "NOERROR aa\nan ns1.example. 3600 IN A 192.0.2.1\nopt 1232\n");
    /* Addresses that nobody asked for may be missing (RFC 4035 3.1.1). */
    check_text(&w, "example.", "MX", true, 700,
               "NOERROR aa\nan example. 3600 IN MX 1 ns1.example.\nopt 1232 do\n");
    answer_world_done(&w);
}

/* 3.1.4.1: DS belongs to the parent; who has the child alone denies it there. */
static void test_ds_at_an_apex(void **state)
{
    static const char *const both[][2] = {
        {"example.", "@ 3600 SOA ns1 h 1 2 3 4 5\n@ NS ns1\nns1 A 192.0.2.1\n"
                     "@ NSEC sub NS SOA NSEC\nsub NS ns1\nsub DS 1 5 1 "
                     "3079F1593EBAD6DC121E202A8B766A6A4837206C\nsub NSEC @ NS DS NSEC\n"
                     "bare NS ns1\n"},
        {"sub.example.", "@ 3600 SOA ns h 1 2 3 4 5\n@ NS ns\nns A 192.0.2.2\n"
                         "@ NSEC @ NS SOA NSEC\n"},
        {"bare.example.", "@ 3600 SOA ns h 1 2 3 4 5\n@ NS ns\nns A 192.0.2.2\n"},
        {"alone.test.", "@ 3600 SOA ns h 1 2 3 4 5\n@ NS ns\nns A 192.0.2.2\n"
                        "@ NSEC @ NS SOA NSEC\n"},
    };
    struct answer_world w = answer_world_of(both, sizeof(both) / sizeof(both[0]));

    (void)state;
    check_text(&w, "sub.example.", "DS", true, 0,
               "NOERROR aa\nan sub.example. 3600 IN DS 1 5 1 "
               "3079F1593EBAD6DC121E202A8B766A6A4837206C\nopt 1232 do\n");
    check_text(&w, "sub.example.", "NSEC", true, 0, /* any other type is the child's */
               "NOERROR aa\nan sub.example. 3600 IN NSEC sub.example. NS SOA NSEC\nopt 1232 do\n");
    check_text(&w, "bare.example.", "DS", false, 0,
               "NOERROR aa\nns example. 5 IN SOA ns1.example. h.example. 1 2 3 4 5\nopt 1232\n");
    check_text(&w, "alone.test.", "DS", true, 0,
               "NOERROR aa\nns alone.test. 5 IN SOA ns.alone.test. h.alone.test. 1 2 3 4 5\n"
               "ns alone.test. 3600 IN NSEC alone.test. NS SOA NSEC\nopt 1232 do\n");
    answer_world_done(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nsec),
        cmocka_unit_test(test_signatures),
        cmocka_unit_test(test_no_room),
        cmocka_unit_test(test_ds_at_an_apex),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
