/* Signatures and denial of existence: the examples of RFC 4035 B and RFC 5155 B on their zones, and
 * what a broken chain gives. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <cmocka.h>

#include "authd/answer_nsec3.h"
#include "lib/base/encode.h"
#include "tests/tools/answer_fixture.h"

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

#define NSEC3_CHAIN(params)                                                                        \
    "0p9mhaveqvm6t7vbl5lop2u3t2rp3tom NSEC3 1 1 " params                                           \
    " 2t7b4g4vsa5smi47k61mv5bv1a22bojr MX NS SOA NSEC3PARAM RRSIG\n"                               \
    "2t7b4g4vsa5smi47k61mv5bv1a22bojr NSEC3 1 1 " params                                           \
    " 2vptu5timamqttgl4luu9kg21e0aor3s A RRSIG\n"                                                  \
    "2vptu5timamqttgl4luu9kg21e0aor3s NSEC3 1 1 " params                                           \
    " 35mthgpgcu1qg68fab165klnsnk3dpvl MX RRSIG\n"                                                 \
    "35mthgpgcu1qg68fab165klnsnk3dpvl NSEC3 1 1 " params                                           \
    " b4um86eghhds6nea196smvmlo4ors995 NS DS RRSIG\n"                                              \
    "b4um86eghhds6nea196smvmlo4ors995 NSEC3 1 1 " params                                           \
    " gjeqe526plbf1g8mklp59enfd789njgi MX RRSIG\n"                                                 \
    "gjeqe526plbf1g8mklp59enfd789njgi NSEC3 1 1 " params                                           \
    " ji6neoaepv8b5o6k4ev33abha8ht9fgc A AAAA RRSIG\n"                                             \
    "ji6neoaepv8b5o6k4ev33abha8ht9fgc NSEC3 1 1 " params " k8udemvp1j2f7eg6jebps17vp3n8i58h\n"     \
    "k8udemvp1j2f7eg6jebps17vp3n8i58h NSEC3 1 1 " params " kohar7mbb8dc2ce8a9qvl8hon4k53uhi\n"     \
    "kohar7mbb8dc2ce8a9qvl8hon4k53uhi NSEC3 1 1 " params                                           \
    " q04jkcevqvmu85r014c7dkba38o0ji5r A RRSIG\n"                                                  \
    "q04jkcevqvmu85r014c7dkba38o0ji5r NSEC3 1 1 " params                                           \
    " r53bq7cc2uvmubfu5ocmm6pers9tk9en A RRSIG\n"                                                  \
    "r53bq7cc2uvmubfu5ocmm6pers9tk9en NSEC3 1 1 " params                                           \
    " t644ebqk9bibcna874givr6joj62mlhv MX RRSIG\n"                                                 \
    "t644ebqk9bibcna874givr6joj62mlhv NSEC3 1 1 " params                                           \
    " 0p9mhaveqvm6t7vbl5lop2u3t2rp3tom A AAAA RRSIG\n"

/* RFC 5155 A. */
#define RFC5155_ZONE                                                                               \
    RFC_ZONE "c NS ns1.c\nc NS ns2.c\nns1.c A 192.0.2.7\nns2.c A 192.0.2.8\n"                      \
             "2t7b4g4vsa5smi47k61mv5bv1a22bojr A 192.0.2.127\n"

static const char nsec3_zone[] =
    RFC5155_ZONE NSEC3_CHAIN("12 aabbccdd") "@ NSEC3PARAM 1 0 12 aabbccdd\n";

/* One zone and one answerer. */
struct world {
    struct zonedb *db;
    struct answerer *a;
};

static struct world world_of(const char *text)
{
    const char *const zones[][2] = {{"example.", text}};
    struct world w = {.db = text_zonedb(zones, 1)};

    w.a = answerer_new(w.db);
    return w;
}

static void world_done(struct world *w)
{
    free(w->a);
    zonedb_free(w->db);
}

/* The rcode and the first labels of the owners of the proofs: "NOERROR b4um 0p9m". */
static void proofs_of(char *out, size_t size, const char *answer)
{
    size_t n = strcspn(answer, " \n");

    (void)snprintf(out, size, "%.*s", (int)n, answer);
    for (const char *line = answer; line && *line; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncmp(line, "ns ", 3) != 0)
            continue;
        n = strcspn(line, "\n");
        for (const char *p = line; p < line + n - 9; p++) {
            if (strncmp(p, " IN NSEC ", 9) == 0 || strncmp(p, " IN NSEC3 ", 10) == 0) {
                bool hashed = p[8] == '3';
                size_t label = hashed ? 4 : strcspn(line + 3, " ") - strlen(".example.");

                if (!hashed && strncasecmp(line + 3, "example. ", 9) == 0)
                    (void)snprintf(out + strlen(out), size - strlen(out), " @");
                else
                    (void)snprintf(out + strlen(out), size - strlen(out), " %.*s", (int)label,
                                   line + 3);
                break;
            }
        }
    }
}

static void check_proofs(struct answerer *a, const char *qname, const char *qtype, const char *want)
{
    char *text = ask_text(
        a,
        &(struct ask){.qname = qname, .qtype = qtype, .tcp = true, .edns = true, .dnssec = true});
    char got[512];

    proofs_of(got, sizeof(got), text);
    if (strcmp(got, want) != 0)
        fail_msg("%s %s\ngot %s, wanted %s:\n%s", qname, qtype, got, want, text);
    free(text);
    text = ask_text(a, &(struct ask){.qname = qname, .qtype = qtype, .tcp = true, .edns = true});
    if (strcmp(qtype, "NSEC") != 0 && (strstr(text, " IN NSEC") || strstr(text, " IN RRSIG")))
        fail_msg("%s %s without DO\n%s", qname, qtype, text);
    free(text);
}

struct proof_case {
    const char *qname, *qtype, *want;
};

static void check_table(const char *zone, const struct proof_case *cases, size_t n)
{
    struct world w = world_of(zone);

    for (size_t i = 0; i < n; i++)
        check_proofs(w.a, cases[i].qname, cases[i].qtype, cases[i].want);
    world_done(&w);
}

static void test_nsec(void **state)
{
    static const struct proof_case cases[] = {
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
    check_table(nsec_zone, cases, sizeof(cases) / sizeof(cases[0]));
}

static void test_nsec3(void **state)
{
    static const struct proof_case cases[] = {
        {"a.c.x.w.example.", "A", "NXDOMAIN b4um 0p9m 35mt"}, /* RFC 5155 B.1 */
        {"ns1.example.", "MX", "NOERROR 2t7b"},               /* B.2 */
        {"y.w.example.", "A", "NOERROR ji6n"},                /* B.2.1 */
        {"mc.c.example.", "MX", "NOERROR 0p9m 35mt"},         /* B.3 */
        {"a.z.w.example.", "MX", "NOERROR q04j"},             /* B.4 */
        {"a.z.w.example.", "AAAA", "NOERROR k8ud q04j r53b"}, /* B.5 */
        {"example.", "DS", "NOERROR 0p9m"},                   /* B.6 */
        {"c.example.", "DS", "NOERROR 0p9m 35mt"},            /* 7.2.4: opt-out */
        {"a.example.", "DS", "NOERROR"},
        {"mc.a.example.", "MX", "NOERROR"},
        {"NS1.EXAMPLE.", "MX", "NOERROR 2t7b"},
        /* An owner of an NSEC3 alone does not exist; one that has an address does (7.2.8). */
        {"k8udemvp1j2f7eg6jebps17vp3n8i58h.example.", "NSEC3", "NXDOMAIN 0p9m 2vpt gjeq"},
        {"2t7b4g4vsa5smi47k61mv5bv1a22bojr.example.", "A", "NOERROR"},
        {"2t7b4g4vsa5smi47k61mv5bv1a22bojr.example.", "MX", "NOERROR koha"},
    };
    struct world w;
    char *text;

    (void)state;
    check_table(nsec3_zone, cases, sizeof(cases) / sizeof(cases[0]));
    w = world_of(nsec3_zone);
    text = ask_text(w.a, &(struct ask){.qname = "k8udemvp1j2f7eg6jebps17vp3n8i58h.example.",
                                       .qtype = "NSEC3",
                                       .tcp = true});
    assert_non_null(strstr(text, "NXDOMAIN aa"));
    free(text);
    world_done(&w);
}

static void test_nsec3_hash(void **state)
{
    static const struct {
        const char *name, *hash;
    } cases[] = {{"example.", "0P9MHAVEQVM6T7VBL5LOP2U3T2RP3TOM"}, /* RFC 5155 A */
                 {"a.EXAMPLE.", "35MTHGPGCU1QG68FAB165KLNSNK3DPVL"},
                 {"*.w.example.", "R53BQ7CC2UVMUBFU5OCMM6PERS9TK9EN"},
                 {"x.y.w.example.", "2VPTU5TIMAMQTTGL4LUU9KG21E0AOR3S"}};
    static const uint8_t salt[] = {0xaa, 0xbb, 0xcc, 0xdd};
    const struct nsec3_params p = {.salt = salt, .salt_len = 4, .iterations = 12};

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint8_t name[NAME_MAX_OCTETS];
        uint8_t hash[NSEC3_HASH_OCTETS];
        struct buf text = BUF_INIT;

        assert_int_equal(name_from_text(name, cases[i].name, strlen(cases[i].name), NULL, NULL),
                         OK);
        nsec3_hash(hash, &p, name);
        base32hex_encode(&text, hash, sizeof(hash));
        assert_string_equal(buf_cstr(&text), cases[i].hash);
        buf_free(&text);
    }
}

/* What is wrong or missing in a zone; the answer is what the data allow. */
static void test_broken_chains(void **state)
{
    static const struct {
        const char *zone, *name_error, *no_type;
    } cases[] = {
        {RFC5155_ZONE, "NXDOMAIN", "NOERROR"},                                  /* unsigned */
        {RFC5155_ZONE NSEC3_CHAIN("12 aabbccdd"), "NXDOMAIN", "NOERROR"},       /* no NSEC3PARAM */
        {RFC5155_ZONE "@ NSEC3PARAM 1 0 12 aabbccdd\n", "NXDOMAIN", "NOERROR"}, /* no NSEC3 */
        {RFC5155_ZONE NSEC3_CHAIN("12 aabbccdd") "@ NSEC3PARAM 1 1 12 aabbccdd\n", "NXDOMAIN",
         "NOERROR"}, /* RFC 5155 4.1.2: not for answers yet */
        {RFC5155_ZONE NSEC3_CHAIN("12 aabbccdd") "@ NSEC3PARAM 2 0 12 aabbccdd\n", "NXDOMAIN",
         "NOERROR"}, /* an unknown hash */
        {RFC5155_ZONE NSEC3_CHAIN("12 aabbccdd") "@ NSEC3PARAM 1 0 12 -\n", "NXDOMAIN", "NOERROR"},
        {RFC5155_ZONE NSEC3_CHAIN("51 aabbccdd") "@ NSEC3PARAM 1 0 51 aabbccdd\n", "NXDOMAIN",
         "NOERROR"}, /* RFC 9276 3.2 */
        /* Several: the one with a chain. */
        {RFC5155_ZONE NSEC3_CHAIN("12 aabbccdd") "@ NSEC3PARAM 1 0 5 -\n"
                                                 "@ NSEC3PARAM 1 0 12 aabbccdd\n"
                                                 "@ NSEC3PARAM 1 0 99 aabbccdd\n",
         "NXDOMAIN b4um 0p9m 35mt", "NOERROR 2t7b"},
        /* Owners of another chain in between. */
        {RFC5155_ZONE NSEC3_CHAIN(
             "12 aabbccdd") "@ NSEC3PARAM 1 0 12 aabbccdd\n"
                            "0pa NSEC3 1 0 5 - 2t7b4g4vsa5smi47k61mv5bv1a22bojr A\n"
                            "0q9mhaveqvm6t7vbl5lop2u3t2rp3tom NSEC3 1 0 5 - "
                            "2t7b4g4vsa5smi47k61mv5bv1a22bojr A\n",
         "NXDOMAIN b4um 0p9m 35mt", "NOERROR 2t7b"},
        /* NSEC3PARAM is there, its chain is not, but NSEC is. */
        {RFC5155_ZONE "@ NSEC3PARAM 1 0 12 aabbccdd\n@ NSEC a NS SOA MX NSEC3PARAM NSEC\n"
                      "ns1 NSEC x.w A NSEC\nx.w NSEC @ MX NSEC\n",
         "NXDOMAIN x.w", "NOERROR ns1"},
        /* One link alone. */
        {RFC5155_ZONE "@ NSEC3PARAM 1 0 12 aabbccdd\n"
                      "2t7b4g4vsa5smi47k61mv5bv1a22bojr NSEC3 1 1 12 aabbccdd "
                      "2vptu5timamqttgl4luu9kg21e0aor3s A RRSIG\n",
         "NXDOMAIN 2t7b", "NOERROR 2t7b"},
        {RFC5155_ZONE "ns1 NSEC x.w A NSEC\n", "NXDOMAIN", "NOERROR"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct world w = world_of(cases[i].zone);

        check_proofs(w.a, "a.c.x.w.example.", "A", cases[i].name_error);
        check_proofs(w.a, "ns1.example.", "MX", cases[i].no_type);
        world_done(&w);
    }
}

static void check_text(struct answerer *a, const char *qname, const char *qtype, bool dnssec,
                       uint16_t udp_size, const char *want)
{
    const struct ask q = {
        .qname = qname, .qtype = qtype, .edns = true, .dnssec = dnssec, .udp_size = udp_size};
    char *got = ask_text(a, &q);

    if (strcmp(got, want) != 0)
        fail_msg("%s %s\ngot:\n%swanted:\n%s", qname, qtype, got, want);
    free(got);
}

#define SIG_OUT(owner, covered, labels)                                                            \
    owner " 3600 IN RRSIG " covered " 5 " labels                                                   \
          " 3600 20300101000000 20200101000000 1 example. AAAA\n"

static void test_signatures(void **state)
{
    struct world w = world_of(nsec_zone);

    (void)state;
    check_text(w.a, "ns1.example.", "A", true, 0,
               "NOERROR aa\nan ns1.example. 3600 IN A 192.0.2.1\n"
               "an " SIG_OUT("ns1.example.", "A", "2") "opt 1232 do\n");
    check_text(w.a, "ns1.example.", "A", false, 0,
               "NOERROR aa\nan ns1.example. 3600 IN A 192.0.2.1\nopt 1232\n");
    /* Asked for, they come without DO. */
    check_text(w.a, "ns1.example.", "RRSIG", false, 0,
               "NOERROR aa\nan " SIG_OUT("ns1.example.", "A", "2") "an " SIG_OUT(
                   "ns1.example.", "NSEC", "2") "opt 1232\n");
    check_text(w.a, "ns1.example.", "NSEC", false, 0,
               "NOERROR aa\nan ns1.example. 3600 IN NSEC ns2.example. A RRSIG NSEC\nopt 1232\n");
    /* A wildcard's has the name that was asked for. */
    check_text(
        w.a, "q.w.example.", "MX", true, 0,
        "NOERROR aa\nan q.w.example. 3600 IN MX 1 ai.example.\n"
        "an " SIG_OUT(
            "q.w.example.", "MX",
            "2") "ns cw.w.example. 3600 IN NSEC x.w.example. CNAME RRSIG NSEC\n"
                 "ar ai.example. 3600 IN A 192.0.2.9\nar ai.example. 3600 IN AAAA 2001:db8::9\n"
                 "opt 1232 do\n");
    /* DNAME is signed, the CNAME it makes is not (RFC 6672 5.3.1). */
    check_text(w.a, "x.d.example.", "A", true, 0,
               "NOERROR aa\nan d.example. 3600 IN DNAME other.\n"
               "an " SIG_OUT("d.example.", "DNAME",
                             "2") "an x.d.example. 3600 IN CNAME x.other.\nopt 1232 do\n");
    /* At cuts: DS with its signature, or the proof that there is none, in front of the glue. */
    check_text(
        w.a, "q.a.example.", "A", true, 0,
        "NOERROR\nns a.example. 3600 IN NS ns1.a.example.\n"
        "ns a.example. 3600 IN NS ns2.a.example.\n"
        "ns a.example. 3600 IN DS 58470 5 1 3079F1593EBAD6DC121E202A8B766A6A4837206C\n"
        "ns " SIG_OUT(
            "a.example.", "DS",
            "2") "ar ns1.a.example. 3600 IN A 192.0.2.5\nar ns2.a.example. 3600 IN A 192.0.2.6\n"
                 "opt 1232 do\n");
    check_text(w.a, "q.b.example.", "A", true, 0,
               "NOERROR\nns b.example. 3600 IN NS ns1.b.example.\n"
               "ns b.example. 3600 IN NSEC *.c.example. NS RRSIG NSEC\n"
               "ns " SIG_OUT("b.example.", "NSEC",
                             "2") "ar ns1.b.example. 3600 IN A 192.0.2.7\nopt 1232 do\n");
    check_text(w.a, "q.a.example.", "A", false, 0,
               "NOERROR\nns a.example. 3600 IN NS ns1.a.example.\n"
               "ns a.example. 3600 IN NS ns2.a.example.\n"
               "ar ns1.a.example. 3600 IN A 192.0.2.5\nar ns2.a.example. 3600 IN A 192.0.2.6\n"
               "opt 1232\n");
    world_done(&w);
}

/* An RRset and its signature go together, or TC is set. */
static void test_no_room(void **state)
{
    char zone[2048], sig[1200];
    struct world w;

    (void)state;
    memset(sig, 'A', sizeof(sig) - 4);
    sig[sizeof(sig) - 4] = '\0'; /* 897 octets */
    (void)snprintf(zone, sizeof(zone),
                   "@ 3600 SOA ns1 h 1 2 3 4 5\n@ NS ns1\n@ MX 1 ns1\nns1 A 192.0.2.1\n"
                   "ns1 RRSIG A 5 2 3600 20300101000000 20200101000000 1 @ %s\n"
                   "@ NSEC ns1 NS SOA NSEC\n",
                   sig);
    w = world_of(zone);
    check_text(w.a, "ns1.example.", "A", true, 700, "NOERROR aa tc\nopt 1232 do\n");
    check_text(w.a, "ns1.example.", "A", false, 700,
               "NOERROR aa\nan ns1.example. 3600 IN A 192.0.2.1\nopt 1232\n");
    /* Addresses that nobody asked for may be missing (RFC 4035 3.1.1). */
    check_text(w.a, "example.", "MX", true, 700,
               "NOERROR aa\nan example. 3600 IN MX 1 ns1.example.\nopt 1232 do\n");
    world_done(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nsec),       cmocka_unit_test(test_nsec3),
        cmocka_unit_test(test_nsec3_hash), cmocka_unit_test(test_broken_chains),
        cmocka_unit_test(test_signatures), cmocka_unit_test(test_no_room),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
