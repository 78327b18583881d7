/* Keys, DS records and signatures: the examples of the RFCs, and each algorithm by OpenSSL. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/tools/sign_fixture.h"
#include "tests/unit/lib/zone/zone_util.h"

/* ---- Examples of the RFCs ---- */

struct example {
    const char *apex, *owner, *type, *rdata, *dnskey, *ds, *rrsig;
};

static const struct example examples[] = {
    /* RFC 6605 6.1 */
    {"example.net.", "www.example.net.", "A", "192.0.2.1",
     "257 3 13 "
     "GojIhhXUN/u4v54ZQqGSnyhWJwaubCvTmeexv7bR6edbkrSqQpF64cYbcB7wNcP+e+MAnLr+Wi9xMWyQLc8NAA"
     "==",
     "55648 13 2 b4c8c1fe2e7477127b27115656ad6256f424625bf5c1e2770ce6d6e37df61d17",
     "A 13 3 3600 20100909100439 20100812100439 55648 example.net. "
     "qx6wLYqmh+l9oCKTN6qIc+bw6ya+KJ8oMz0YP107epXAyGmt+3SNruPFKG7tZoLBLlUzGGus7ZwmwWep666VCw=="},
    /* RFC 8080 6.1 */
    {"example.com.", "example.com.", "MX", "10 mail.example.com.",
     "257 3 15 l02Woi0iS8Aa25FQkUd9RMzZHJpBoRQwAQEX1SxZJA4=",
     "3613 15 2 3aa5ab37efce57f737fc1627013fee07bdf241bd10f3b1964ab55c78e79a304b",
     "MX 15 2 3600 1440021600 1438207200 3613 example.com. "
     "oL9krJun7xfBOIWcGHi7mag5/hdZrKWw15jPGrHpjQeRAvTdszaPD+QLs3fx8A4M3e23mRZ9VrbpMngwcrqNAg=="},
};

static struct buf wire(uint16_t type, const char *text)
{
    struct errinfo e = {{0}};
    struct buf b = BUF_INIT;

    assert_ok(rdata_from_text(&b, type, text, strlen(text), ROOT, &e));
    return b;
}

static void test_examples(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(examples) / sizeof(examples[0]); i++) {
        const struct example *x = &examples[i];
        uint8_t apex[NAME_MAX_OCTETS], owner[NAME_MAX_OCTETS];
        struct dnssec_verifier v;
        struct errinfo e = {{0}};
        struct buf key = wire(RR_DNSKEY, x->dnskey), ds = wire(RR_DS, x->ds);
        struct buf sig = wire(RR_RRSIG, x->rrsig), rdatas = BUF_INIT;
        struct dnskey k;
        struct rrsig s;
        struct buf rdata;
        uint16_t type;

        assert_ok(name_from_text(apex, x->apex, strlen(x->apex), NULL, &e));
        assert_ok(name_from_text(owner, x->owner, strlen(x->owner), NULL, &e));
        assert_true(type_from_text(&type, x->type, strlen(x->type)));
        rdata = wire(type, x->rdata);
        buf_u16(&rdatas, (uint16_t)rdata.len);
        buf_put(&rdatas, rdata.data, rdata.len);
        assert_true(dnskey_read(&k, key.data, key.len));
        assert_true(dnskey_signs_zones(&k));
        assert_true(rrsig_read(&s, sig.data, sig.len));
        assert_int_equal(k.tag, s.key_tag);
        assert_true(dnskey_fits_ds(&k, apex, ds.data, ds.len));
        assert_false(dnskey_fits_ds(&k, name_parent(apex), ds.data, ds.len));
        assert_false(dnskey_fits_ds(&k, apex, ds.data, ds.len - 1));
        ds.data[ds.len - 1] ^= 1;
        assert_false(dnskey_fits_ds(&k, apex, ds.data, ds.len));
        dnssec_verifier_init(&v);
        assert_true(dnssec_verify(&v, &k, &s, owner, rdatas.data, rdatas.len));
        rdatas.data[rdatas.len - 1] ^= 1;
        assert_false(dnssec_verify(&v, &k, &s, owner, rdatas.data, rdatas.len));
        dnssec_verifier_done(&v);
        dnskey_done(&k);
        buf_free(&key);
        buf_free(&ds);
        buf_free(&sig);
        buf_free(&rdata);
        buf_free(&rdatas);
    }
}

/* ---- Each algorithm ---- */

struct made {
    struct sign_key key;
    struct dnskey dnskey;
    struct buf rdatas, rrsig;
    struct rrsig sig;
    struct dnssec_verifier v;
};

static const uint8_t owner_name[] = "\3WwW\7eXample\3org";

static void make(struct made *m, uint8_t algorithm, const uint8_t *owner)
{
    static const char *const lines[] = {"10 Mail.Example.ORG.", "20 backup.example.org."};
    struct sign_spec s = {.inception = 1000, .expiration = 2000};
    struct rrset set = {.type = RR_MX, .ttl = 3600, .count = 2};

    *m = (struct made){.sig = {.labels = 0}};
    for (size_t i = 0; i < 2; i++) {
        struct buf rdata = wire(RR_MX, lines[i]);

        buf_u16(&m->rdatas, (uint16_t)rdata.len);
        buf_put(&m->rdatas, rdata.data, rdata.len);
        buf_free(&rdata);
    }
    set.rdatas = m->rdatas.data;
    set.rdatas_len = (uint32_t)m->rdatas.len;
    sign_key_init(&m->key, algorithm, DNSKEY_ZONE, 1);
    assert_true(dnskey_read(&m->dnskey, m->key.dnskey.data, m->key.dnskey.len));
    sign_rrset(&m->rrsig, &m->key, &s, EXAMPLE, owner, &set);
    assert_true(rrsig_read(&m->sig, m->rrsig.data, m->rrsig.len));
    dnssec_verifier_init(&m->v);
}

static bool fits(struct made *m, const uint8_t *owner)
{
    return dnssec_verify(&m->v, &m->dnskey, &m->sig, owner, m->rdatas.data, m->rdatas.len);
}

static void made_done(struct made *m)
{
    dnssec_verifier_done(&m->v);
    dnskey_done(&m->dnskey);
    sign_key_done(&m->key);
    buf_free(&m->rdatas);
    buf_free(&m->rrsig);
}

static void test_each_algorithm(void **state)
{
    static const uint8_t known[] = {5, 7, 8, 10, 13, 14, 15, 16};

    (void)state;
    for (size_t i = 0; i < sizeof(known); i++) {
        struct made m;

        make(&m, known[i], owner_name);
        assert_true(dnssec_algorithm_is_known(known[i]));
        assert_non_null(m.dnskey.key);
        assert_true(fits(&m, owner_name));
        assert_true(fits(&m, N("\3www\7example\3org"))); /* case is nothing */
        assert_false(fits(&m, N("\3wwx\7example\3org")));
        assert_false(fits(&m, N("\7example\3org"))); /* fewer labels than are signed */
        for (size_t at = 0; at<m.rrsig.len; at += m.rrsig.len - m.sig.signature_len> at ? 1 : 7) {
            m.rrsig.data[at] ^= 0x11;
            if (rrsig_read(&m.sig, m.rrsig.data, m.rrsig.len) && m.sig.covered == RR_MX)
                assert_false(fits(&m, owner_name));
            m.rrsig.data[at] ^= 0x11;
        }
        assert_true(rrsig_read(&m.sig, m.rrsig.data, m.rrsig.len));
        m.sig.signature_len--;
        assert_false(fits(&m, owner_name));
        m.sig.signature_len++;
        m.rdatas.data[3]++;
        assert_false(fits(&m, owner_name));
        m.rdatas.data[3]--;
        assert_true(fits(&m, owner_name));
        made_done(&m);
    }
    for (unsigned i = 0; i < 256; i++)
        assert_int_equal(dnssec_algorithm_is_known((uint8_t)i), memchr(known, (int)i, 8) != NULL);
}

static void test_names_in_rdata_are_folded(void **state)
{
    struct made m;

    (void)state;
    make(&m, 15, owner_name);
    assert_int_equal(m.rdatas.data[5], 'M');
    m.rdatas.data[5] = 'm';
    assert_true(fits(&m, owner_name));
    made_done(&m);
}

static void test_a_wildcard_and_what_it_makes(void **state)
{
    static const uint8_t wildcard[] = "\1*\7example\3org";
    struct made m;

    (void)state;
    make(&m, 15, wildcard);
    assert_int_equal(m.sig.labels, 2);
    assert_true(fits(&m, wildcard));
    assert_true(fits(&m, N("\1a\1b\7example\3org")));
    assert_false(fits(&m, N("\1a\7example\3com")));
    made_done(&m);
}

static void test_keys_that_are_none(void **state)
{
    static const struct {
        const char *text;
    } cases[] = {
        {"256 3 13 AAAA"},
        {"256 3 15 AAAA"},
        {"256 3 8 AQEB"},
        {"256 3 8 AA=="},
        {"256 3 8 AAD/"},
        {"256 3 200 AAAA"},
        {"256 3 13 "
         "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQ="
         "="},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct buf b = wire(RR_DNSKEY, cases[i].text);
        struct dnskey k;

        assert_true(dnskey_read(&k, b.data, b.len));
        assert_null(k.key);
        buf_free(&b);
    }
}

static void test_who_may_sign(void **state)
{
    static const struct {
        const char *text;
        bool may;
    } cases[] = {
        {"256 3 200 AAAA", true},  {"257 3 200 AAAA", true},  {"0 3 200 AAAA", false},
        {"384 3 200 AAAA", false}, {"256 2 200 AAAA", false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct buf b = wire(RR_DNSKEY, cases[i].text);
        struct dnskey k;

        assert_true(dnskey_read(&k, b.data, b.len));
        assert_int_equal(dnskey_signs_zones(&k), cases[i].may);
        buf_free(&b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_examples),
        cmocka_unit_test(test_each_algorithm),
        cmocka_unit_test(test_names_in_rdata_are_folded),
        cmocka_unit_test(test_a_wildcard_and_what_it_makes),
        cmocka_unit_test(test_keys_that_are_none),
        cmocka_unit_test(test_who_may_sign),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
