/* RFC 5155 7.2: denial by NSEC3: the examples of its appendix B on the zone of appendix A, zones
 * with opt-out and empty non-terminals, and chains that are broken. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "authd/answer_nsec3.h"
#include "lib/base/encode.h"
#include "tests/tools/answer_cases.h"

#define DS " DS 58470 5 1 3079F1593EBAD6DC121E202A8B766A6A4837206C\n" /* of any child */
/* What both RFCs have in their zone "example.". */
#define RFC_ZONE                                                                                   \
    "@ 3600 SOA ns1 bugs.x.w 1 3600 300 3600000 3600\n@ NS ns1\n@ NS ns2\n@ MX 1 xx\n"             \
    "a NS ns1.a\na NS ns2.a\na" DS "ns1.a A 192.0.2.5\nns2.a A 192.0.2.6\n"                        \
    "ai A 192.0.2.9\nai AAAA 2001:db8::9\nns1 A 192.0.2.1\nns2 A 192.0.2.2\n"                      \
    "*.w MX 1 ai\nx.w MX 1 xx\nx.y.w MX 1 xx\nxx A 192.0.2.10\nxx AAAA 2001:db8::10\n"

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

static void test_nsec3(void **state)
{
    static const struct answer_case cases[] = {
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
    struct answer_world w;
    char *text;

    (void)state;
    answer_check_all_proofs(nsec3_zone, CASES(cases));
    w = answer_world_of_text(nsec3_zone);
    text = ask_text(w.a, &(struct ask){.qname = "k8udemvp1j2f7eg6jebps17vp3n8i58h.example.",
                                       .qtype = "NSEC3",
                                       .tcp = true});
    assert_non_null(strstr(text, "NXDOMAIN aa"));
    free(text);
    answer_world_done(&w);
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
        struct answer_world w = answer_world_of_text(cases[i].zone);

        answer_check_proofs(&w,
                            &(struct answer_case){"a.c.x.w.example.", "A", cases[i].name_error});
        answer_check_proofs(&w, &(struct answer_case){"ns1.example.", "MX", cases[i].no_type});
        answer_world_done(&w);
    }
}

/* ---- Chains made here ---- */

/* A name that has an NSEC3: its types, or "" if it owns nothing. */
struct link {
    const char *name, *types;
    char hash[NSEC3_HASH_OCTETS * 8 / 5 + 1];
};

static void hash_text(char out[NSEC3_HASH_OCTETS * 8 / 5 + 1], const char *text)
{
    const struct nsec3_params p = {.salt = NULL, .salt_len = 0, .iterations = 0};
    uint8_t name[NAME_MAX_OCTETS], hash[NSEC3_HASH_OCTETS];
    struct buf b = BUF_INIT;

    assert_int_equal(name_from_text(name, text, strlen(text), NULL, NULL), OK);
    nsec3_hash(hash, &p, name);
    base32hex_encode(&b, hash, sizeof(hash));
    (void)snprintf(out, NSEC3_HASH_OCTETS * 8 / 5 + 1, "%s", buf_cstr(&b));
    for (char *c = out; *c; c++)
        *c = (char)(*c >= 'A' && *c <= 'Z' ? *c + 32 : *c);
    buf_free(&b);
}

static int by_hash(const void *a, const void *b)
{
    return strcmp(((const struct link *)a)->hash, ((const struct link *)b)->hash);
}

/* The zone with the chain of these names. */
static struct answer_world chained(const char *zone, struct link *links, size_t n, unsigned flags)
{
    struct buf b = BUF_INIT;
    struct answer_world w;

    for (size_t i = 0; i < n; i++)
        hash_text(links[i].hash, links[i].name);
    qsort(links, n, sizeof(links[0]), by_hash);
    buf_str(&b, zone);
    buf_str(&b, "@ NSEC3PARAM 1 0 0 -\n");
    for (size_t i = 0; i < n; i++)
        buf_printf(&b, "%s NSEC3 1 %u 0 - %s %s\n", links[i].hash, flags, links[(i + 1) % n].hash,
                   links[i].types);
    w = answer_world_of_text(buf_cstr(&b));
    buf_free(&b);
    return w;
}

/* What a question's proof has to hold: names whose NSEC3 must match, and names that must be
 * covered by the one in front of them. */
struct want {
    const char *qname, *qtype, *rcode;
    const char *match[3], *cover[3];
};

static void expect(char *list, size_t size, const struct link *links, size_t n, const char *name,
                   bool match)
{
    char hash[NSEC3_HASH_OCTETS * 8 / 5 + 1];
    size_t at = n - 1; /* in front of the first is the last */

    hash_text(hash, name);
    for (size_t i = 0; i < n; i++) {
        if (strcmp(links[i].hash, hash) <= 0)
            at = i;
    }
    assert_int_equal(strcmp(links[at].hash, hash) == 0, match);
    if (!strstr(list, (char[]){' ', links[at].hash[0], links[at].hash[1], links[at].hash[2],
                               links[at].hash[3], 0}))
        (void)snprintf(list + strlen(list), size - strlen(list), " %.4s", links[at].hash);
}

/* Order is the server's business. */
static void same_proofs(const char *got, const char *want, const struct want *c)
{
    if (strlen(got) != strlen(want))
        fail_msg("%s %s: got %s, wanted %s", c->qname, c->qtype, got, want);
    for (size_t i = strcspn(want, " "); want[i]; i += 5) {
        if (!strstr(got, (char[]){' ', want[i + 1], want[i + 2], want[i + 3], want[i + 4], 0}))
            fail_msg("%s %s: got %s, wanted %s", c->qname, c->qtype, got, want);
    }
}

static void check_wants(struct answer_world *w, const struct link *links, size_t n,
                        const struct want *wants, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct want *c = &wants[i];
        char *text = ask_text(
            w->a,
            &(struct ask){
                .qname = c->qname, .qtype = c->qtype, .tcp = true, .edns = true, .dnssec = true});
        char got[256], want[256];

        answer_proofs(got, sizeof(got), text);
        (void)snprintf(want, sizeof(want), "%s", c->rcode);
        for (size_t k = 0; k < 3 && c->match[k]; k++)
            expect(want, sizeof(want), links, n, c->match[k], true);
        for (size_t k = 0; k < 3 && c->cover[k]; k++)
            expect(want, sizeof(want), links, n, c->cover[k], false);
        same_proofs(got, want, c);
        free(text);
    }
}

#define APEX "@ 3600 SOA ns.invalid. h 1 2 3 4 5\n@ NS ns.invalid.\n"

/* 7.2.1 to 7.2.8 where every name has its NSEC3, empty non-terminals too. */
static void test_whole_chain(void **state)
{
    struct link links[] = {{"example.", "NS SOA NSEC3PARAM", ""},
                           {"ent.example.", "", ""},
                           {"b.ent.example.", "", ""},
                           {"a.b.ent.example.", "A", ""},
                           {"*.w.example.", "TXT", ""},
                           {"w.example.", "", ""},
                           {"sub.ent.example.", "NS", ""},
                           {"c.example.", "CNAME", ""},
                           {"*.e.example.", "", ""},
                           {"x.*.e.example.", "A", ""},
                           {"e.example.", "", ""}};
    static const struct want wants[] = {
        {"no.example.", "A", "NXDOMAIN", {"example."}, {"no.example.", "*.example."}},
        {"q.no.example.", "A", "NXDOMAIN", {"example."}, {"no.example.", "*.example."}},
        {"x.ent.example.", "A", "NXDOMAIN", {"ent.example."}, {"x.ent.example.", "*.ent.example."}},
        {"ent.example.", "A", "NOERROR", {"ent.example."}, {0}},
        {"b.ent.example.", "DS", "NOERROR", {"b.ent.example."}, {0}},
        {"a.b.ent.example.", "DS", "NOERROR", {"a.b.ent.example."}, {0}},
        {"sub.ent.example.", "DS", "NOERROR", {"sub.ent.example."}, {0}},  /* 7.2.4 */
        {"x.sub.ent.example.", "A", "NOERROR", {"sub.ent.example."}, {0}}, /* 7.2.7 */
        {"q.w.example.", "TXT", "NOERROR", {0}, {"q.w.example."}},         /* 7.2.6 */
        {"z.q.w.example.", "TXT", "NOERROR", {0}, {"q.w.example."}}, /* the next closer name */
        {"q.w.example.",
         "A",
         "NOERROR",
         {"w.example.", "*.w.example."},
         {"q.w.example."}}, /* 7.2.5 */
        {"q.e.example.", "A", "NOERROR", {"e.example.", "*.e.example."}, {"q.e.example."}},
        {"*.w.example.", "A", "NOERROR", {"*.w.example."}, {0}},
        {"c.example.", "CNAME", "NOERROR", {0}, {0}},
        {"example.", "DS", "NOERROR", {"example."}, {0}},
    };
    struct answer_world w =
        chained(APEX "a.b.ent A 192.0.2.1\n*.w TXT star\nsub.ent NS ns.invalid.\n"
                     "c CNAME x.invalid.\nx.*.e A 192.0.2.2\n",
                CASES(links), 0);

    (void)state;
    check_wants(&w, CASES(links), CASES(wants));
    answer_world_done(&w);
}

/* 7.1: an empty non-terminal that only insecure delegations make has no NSEC3 under opt-out; then
 * the closest encloser that can be proven is above it (7.2.1). */
static void test_opt_out_leaves_names_out(void **state)
{
    struct link links[] = {{"example.", "NS SOA NSEC3PARAM", ""},
                           {"a.example.", "A", ""},
                           {"*.w.example.", "TXT", ""},
                           {"w.example.", "", ""},
                           {"sec.example.", "NS DS", ""}};
    static const struct want wants[] = {
        {"sub.example.", "DS", "NOERROR", {"example."}, {"sub.example."}},
        {"x.sub.example.", "A", "NOERROR", {"example."}, {"sub.example."}},
        {"ent.example.", "A", "NOERROR", {"example."}, {"ent.example."}},
        {"deep.ent.example.", "TXT", "NOERROR", {"example."}, {"ent.example."}},
        {"d.deep.ent.example.", "DS", "NOERROR", {"example."}, {"ent.example."}},
        {"q.d.deep.ent.example.", "A", "NOERROR", {"example."}, {"ent.example."}},
        {"no.ent.example.", "A", "NXDOMAIN", {"example."}, {"ent.example.", "*.example."}},
        {"no.deep.ent.example.", "A", "NXDOMAIN", {"example."}, {"ent.example.", "*.example."}},
        {"q.e.w.example.", "TXT", "NXDOMAIN", {"w.example.", "*.w.example."}, {"e.w.example."}},
        {"e.w.example.", "TXT", "NOERROR", {"w.example."}, {"e.w.example."}},
        {"q.w.example.", "TXT", "NOERROR", {0}, {"q.w.example."}},
        {"x.sec.example.", "A", "NOERROR", {0}, {0}}, /* with DS */
    };
    struct answer_world w =
        chained(APEX "a A 192.0.2.1\n*.w TXT star\nsub NS ns.invalid.\nd.deep.ent NS ns.invalid.\n"
                     "x.e.w NS ns.invalid.\nsec NS ns.invalid.\n"
                     "sec DS 1 5 1 3079F1593EBAD6DC121E202A8B766A6A4837206C\n",
                CASES(links), 1);

    (void)state;
    check_wants(&w, CASES(links), CASES(wants));
    answer_world_done(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nsec3),         cmocka_unit_test(test_nsec3_hash),
        cmocka_unit_test(test_whole_chain),   cmocka_unit_test(test_opt_out_leaves_names_out),
        cmocka_unit_test(test_broken_chains),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
