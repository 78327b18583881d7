/* Signed zones: what is found wrong with them, and that a look at changes finds the same as a look
 * at all. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/base/encode.h"
#include "lib/zone/zone_dnssec.h"
#include "tests/tools/journal_fixture.h"
#include "tests/tools/sign_fixture.h"
#include "tests/unit/lib/zone/zone_util.h"

#define BEGIN 1790000000
#define END 1790864000 /* ten days later */
#define NOW 1790100000

static const char plain_text[] = "@ 300 SOA ns h 1 2 3 4 5\n"
                                 "@ 300 NS ns\n"
                                 "@ 300 MX 10 Mail\n"
                                 "ns 300 A 192.0.2.1\n"
                                 "www 300 A 192.0.2.2\n"
                                 "www 300 TXT \"a\"\n"
                                 "www 300 TYPE65280 \\# 2 ABCD\n"
                                 "a.b.ent 300 A 192.0.2.3\n"
                                 "*.wild 300 TXT \"star\"\n"
                                 "old 300 DNAME www\n"
                                 "cn 300 CNAME www\n"
                                 "sec 300 NS ns.sec\n"
                                 "sec 300 DS 1 13 2 00\n"
                                 "ns.sec 300 A 192.0.2.4\n"
                                 "ins 300 NS ns.ins\n"
                                 "ns.ins 300 A 192.0.2.5\n"
                                 "x.y.gone 300 NS ns\n";

enum chain { NSEC, NSEC3, OPT_OUT, BOTH, NONE_AT_ALL };

struct setting {
    enum chain chain;
    uint16_t iterations;
    uint8_t algorithm; /* 0: 15 */
    uint8_t called;    /* what it is said to be; 0: the same */
    uint16_t flags;    /* 0: 256 */
    size_t keys;       /* 0: 1 */
    size_t hidden;
    bool split; /* the first key signs the keys alone */
    sign_chain_fn *hook;
    void *ctx;
};

static struct zone *signed_zone(const struct zone *plain, const struct setting *x)
{
    struct sign_key keys[3] = {{.algorithm = 0}};
    size_t n = x->keys ? x->keys : 1;
    struct sign_spec s = {.keys = keys,
                          .key_count = n,
                          .hidden = x->hidden,
                          .split_keys = x->split,
                          .nsec = x->chain == NSEC || x->chain == BOTH,
                          .nsec3 = x->chain == NSEC3 || x->chain == OPT_OUT || x->chain == BOTH,
                          .opt_out = x->chain == OPT_OUT,
                          .iterations = x->iterations,
                          .inception = BEGIN,
                          .expiration = END,
                          .chain = x->hook,
                          .ctx = x->ctx};
    struct zone *z;

    for (size_t i = 0; i < n; i++) {
        sign_key_init(&keys[i], x->algorithm ? x->algorithm : 15, 256, (uint8_t)(1 + i));
        sign_key_set(&keys[i], x->called ? x->called : keys[i].algorithm,
                     x->flags ? x->flags : 256);
    }
    z = zone_signed(plain, &s);
    for (size_t i = 0; i < n; i++)
        sign_key_done(&keys[i]);
    return z;
}

static struct zone *made(const struct setting *x)
{
    struct zone *plain = zone_of(plain_text, EXAMPLE), *z = signed_zone(plain, x);

    zone_unref(plain);
    return z;
}

static struct zone_dnssec_report look_at(const struct zone *z, int64_t now, uint32_t life)
{
    struct zone_dnssec_spec spec = {.now = {now}, .life_s = life, .threads = 1};
    struct zone_dnssec_report r;

    zone_dnssec_check(&r, z, &spec);
    return r;
}

static void expect(struct zone *z, const char *what)
{
    struct zone_dnssec_report r = look_at(z, NOW, 0);

    if (what ? r.result != ZONE_DNSSEC_BOGUS : r.result != ZONE_DNSSEC_OK)
        fail_msg("%s (wanted: %s)", r.reason, what ? what : "nothing wrong");
    if (what && !strstr(r.reason, what))
        fail_msg("'%s' is not in '%s'", what, r.reason);
    zone_unref(z);
}

/* ---- Lines ---- */

static struct line_set lines_of(const struct zone *z)
{
    struct line_set l = {0};
    char *text = zone_text(z);

    for (char *p = strtok(text, "\n"); p; p = strtok(NULL, "\n"))
        line_set_add(&l, "%s", p);
    free(text);
    return l;
}

static struct zone *of_lines(struct line_set *l)
{
    struct zone *z = zone_of_lines("example.org.", l);

    line_set_free(l);
    return z;
}

/* Without the lines that begin and go on so. */
static struct zone *without(struct zone *z, const char *owner, const char *rest)
{
    struct line_set l = lines_of(z);
    size_t dropped = 0;

    for (size_t i = l.n; i-- > 0;) {
        size_t n = strlen(owner);

        if (strncmp(l.lines[i], owner, n) == 0 && l.lines[i][n] == ' ' &&
            strstr(l.lines[i], rest)) {
            line_set_drop(&l, i);
            dropped++;
        }
    }
    assert_true(dropped > 0);
    zone_unref(z);
    return of_lines(&l);
}

static struct zone *with(struct zone *z, const char *line)
{
    struct line_set l = lines_of(z);

    line_set_add(&l, "%s", line);
    zone_unref(z);
    return of_lines(&l);
}

static struct zone *replaced(struct zone *z, const char *from, const char *to)
{
    struct line_set l = lines_of(z);
    size_t changed = 0;

    for (size_t i = 0; i < l.n; i++) {
        char *at = strstr(l.lines[i], from);
        char *line;

        if (!at)
            continue;
        line = xasprintf("%.*s%s%s", (int)(at - l.lines[i]), l.lines[i], to, at + strlen(from));
        free(l.lines[i]);
        l.lines[i] = line;
        changed++;
    }
    assert_true(changed > 0);
    zone_unref(z);
    return of_lines(&l);
}

/* ---- Good ones ---- */

static void test_sound_zones(void **state)
{
    static const struct setting cases[] = {
        {.chain = NSEC},
        {.chain = NSEC3},
        {.chain = NSEC3, .iterations = 50},
        {.chain = OPT_OUT},
        {.chain = BOTH},
        {.chain = NSEC, .algorithm = 8},
        {.chain = NSEC3, .algorithm = 7},
        {.chain = NSEC, .algorithm = 10},
        {.chain = NSEC, .algorithm = 13},
        {.chain = NSEC3, .algorithm = 14},
        {.chain = OPT_OUT, .algorithm = 16},
        {.chain = NSEC, .keys = 2, .split = true},
        {.chain = NSEC, .keys = 2, .hidden = 1}, /* a signature by a stranger is no fault */
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        expect(made(&cases[i]), NULL);
}

static void test_what_is_said_of_them(void **state)
{
    struct zone *z = made(&(struct setting){.chain = NSEC});
    struct zone_dnssec_report r = look_at(z, NOW, 86400);

    (void)state;
    assert_int_equal(r.result, ZONE_DNSSEC_OK);
    assert_int_equal(r.until.s, END);
    assert_int_equal(r.faults, 0);
    assert_string_equal(r.reason,
                        "DNSSEC: 23 RRsets are signed, until 2026-10-01T14:13:20Z at least");
    zone_unref(z);
    z = zone_of(plain_text, EXAMPLE);
    r = look_at(z, NOW, 0);
    assert_int_equal(r.result, ZONE_DNSSEC_UNSIGNED);
    assert_false(zone_is_signed(z));
    zone_unref(z);
}

/* ---- Time ---- */

static void test_time(void **state)
{
    static const struct {
        int64_t now;
        uint32_t life;
        const char *what;
    } cases[] = {
        {BEGIN, 0, NULL},
        {BEGIN - 1, 0, "not in force before 2026-09-21T14:13:20Z"},
        {END, 0, NULL},
        {END + 1, 0, "expired at 2026-10-01T14:13:20Z"},
        {END - 86400, 86400, NULL},
        {END - 86399, 86400, "good until 2026-10-01T14:13:20Z, for less than 86400 s"},
        {END + (INT64_C(1) << 32), 0, NULL}, /* times are serial numbers (RFC 4034 3.1.5) */
    };
    struct zone *z = made(&(struct setting){.chain = NSEC});

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct zone_dnssec_report r = look_at(z, cases[i].now, cases[i].life);

        if (cases[i].what && !strstr(r.reason, cases[i].what))
            fail_msg("%zu: %s", i, r.reason);
        assert_int_equal(r.result, cases[i].what ? ZONE_DNSSEC_BOGUS : ZONE_DNSSEC_OK);
        assert_int_equal(r.faults, cases[i].what ? r.rrsets : 0);
    }
    zone_unref(z);
}

/* ---- Signatures ---- */

static void test_signatures(void **state)
{
    static const struct setting nsec = {.chain = NSEC};

    (void)state;
    expect(without(made(&nsec), "www.example.org.", " IN RRSIG A "),
           "www.example.org. A: it has no RRSIG");
    expect(without(made(&nsec), "sec.example.org.", " IN RRSIG DS "), "DS: it has no RRSIG");
    expect(without(made(&nsec), "ins.example.org.", " IN RRSIG NSEC "), "NSEC: it has no RRSIG");
    expect(without(made(&nsec), "*.wild.example.org.", " IN RRSIG TXT"), "*.wild.example.org. TXT");
    expect(without(made(&nsec), "example.org.", " IN RRSIG SOA"), "example.org. SOA: it has no");
    expect(replaced(made(&nsec), "192.0.2.2", "192.0.2.22"),
           "www.example.org. A: its RRSIG by key");
    expect(replaced(made(&nsec), "DNAME www.", "DNAME ns."), "DNAME: its RRSIG by key");
    expect(replaced(made(&nsec), "MX 10 Mail", "MX 10 mail"), NULL); /* case is nothing */
    expect(with(made(&nsec), "www.example.org. 300 IN A 192.0.2.77"), "does not fit");
    expect(with(made(&nsec), "ns.ins.example.org. 300 IN A 192.0.2.77"), NULL); /* glue */
    expect(with(made(&nsec), "deep.ns.ins.example.org. 300 IN A 192.0.2.7"), NULL);
    expect(with(made(&nsec), "ins.example.org. 300 IN NS ns.example.org."), NULL); /* a cut's */
    expect(with(made(&nsec), "sec.example.org. 300 IN A 192.0.2.7"), NULL);
    expect(with(made(&nsec), "sec.example.org. 300 IN DS 2 13 2 00"), "DS: its RRSIG");
    expect(replaced(made(&nsec), "300 IN A 192.0.2.2", "600 IN A 192.0.2.2"), NULL);
    expect(replaced(made(&nsec), "RRSIG A 15 3 300", "RRSIG A 15 3 301"), "A: its RRSIG by key");
    expect(replaced(made(&nsec), "RRSIG A 15 3 300", "RRSIG A 15 2 300"),
           "another zone or another name");
    expect(made(&(struct setting){.chain = NSEC, .keys = 2, .hidden = 1, .split = true}),
           "example.org. NS: its RRSIG is by key");
    expect(made(&(struct setting){.chain = NONE_AT_ALL}),
           "the zone has neither this nor an NSEC3PARAM");
}

static void test_all_faults_are_counted(void **state)
{
    struct zone *z =
        without(without(made(&(struct setting){.chain = NSEC}), "www.example.org.", "RRSIG A "),
                "www.example.org.", "RRSIG TXT ");
    struct zone_dnssec_report r = look_at(z, NOW, 0);

    (void)state;
    assert_int_equal(r.faults, 2);
    assert_string_equal(r.reason,
                        "DNSSEC: 2 faults, the first: www.example.org. A: it has no RRSIG");
    zone_unref(z);
}

/* ---- Keys and what vouches for them ---- */

static void test_keys(void **state)
{
    static const struct setting nsec = {.chain = NSEC};

    (void)state;
    expect(without(made(&nsec), "example.org.", " IN DNSKEY "), "the zone has no keys");
    expect(without(made(&nsec), "example.org.", " IN RRSIG DNSKEY "), "DNSKEY: it has no RRSIG");
    expect(made(&(struct setting){.chain = NSEC, .flags = 0}), NULL);
    expect(made(&(struct setting){.chain = NSEC, .flags = 256 | DNSKEY_REVOKED}),
           "no key may sign the zone");
    expect(made(&(struct setting){.chain = NSEC, .flags = 1}), "no key may sign the zone");
}

static void test_an_algorithm_that_nobody_knows(void **state)
{
    struct zone *z = made(&(struct setting){.chain = NSEC, .called = 200});
    struct zone_dnssec_report r = look_at(z, NOW, 0);

    (void)state;
    assert_int_equal(r.result, ZONE_DNSSEC_UNCHECKED);
    assert_non_null(strstr(r.reason, "no algorithm that is known"));
    zone_unref(z);
    expect(without(made(&(struct setting){.chain = NSEC, .called = 200}), "www.example.org.",
                   " IN NSEC "),
           "www.example.org. NSEC: the name has none"); /* chains are looked at nevertheless */
}

static enum zone_dnssec_result with_anchor(const struct zone *z, uint16_t type, const char *text)
{
    struct zone_dnssec_anchor a = {.type = type};
    struct zone_dnssec_spec spec = {.now = {NOW}, .threads = 1, .anchors = &a, .anchor_count = 1};
    struct zone_dnssec_report r;
    struct errinfo e = {{0}};
    struct buf b = BUF_INIT;

    assert_ok(rdata_from_text(&b, type, text, strlen(text), EXAMPLE, &e));
    a.rdata = b.data;
    a.len = (uint16_t)b.len;
    zone_dnssec_check(&r, z, &spec);
    buf_free(&b);
    return r.result;
}

static void test_anchors(void **state)
{
    struct zone *z = made(&(struct setting){.chain = NSEC, .keys = 2, .split = true});
    char *text = zone_text(z), *key = NULL, *other = NULL, *ds, *wrong;
    struct sign_key k;
    uint8_t digest[32];
    struct buf data = BUF_INIT, hex = BUF_INIT;
    size_t n;

    (void)state;
    for (char *p = strtok(text, "\n"); p; p = strtok(NULL, "\n")) {
        char *at = strstr(p, " IN DNSKEY ");

        if (at && !key)
            key = at + strlen(" IN DNSKEY ");
        else if (at)
            other = at + strlen(" IN DNSKEY ");
    }
    assert_true(key && other);
    sign_key_init(&k, 15, 256, 1); /* the one that signs the keys */
    buf_put(&data, EXAMPLE, name_len(EXAMPLE));
    buf_put(&data, k.dnskey.data, k.dnskey.len);
    assert_true(EVP_Q_digest(NULL, "SHA256", NULL, data.data, data.len, digest, &n));
    hex_encode(&hex, digest, n);
    ds = xasprintf("%u 15 2 %s", k.tag, buf_cstr(&hex));
    hex.data[0] = hex.data[0] == 'a' ? 'b' : 'a';
    wrong = xasprintf("%u 15 2 %s", k.tag, buf_cstr(&hex));
    assert_int_equal(with_anchor(z, RR_DS, ds), ZONE_DNSSEC_OK);
    assert_int_equal(with_anchor(z, RR_DS, wrong), ZONE_DNSSEC_BOGUS);
    /* One of the two signs the keys, the other one does not. */
    assert_int_equal((with_anchor(z, RR_DNSKEY, key) == ZONE_DNSSEC_OK) +
                         (with_anchor(z, RR_DNSKEY, other) == ZONE_DNSSEC_OK),
                     1);
    assert_int_equal(with_anchor(z, RR_DNSKEY, "257 3 15 AAAA"), ZONE_DNSSEC_BOGUS);
    free(ds);
    free(wrong);
    free(text);
    buf_free(&data);
    buf_free(&hex);
    sign_key_done(&k);
    zone_unref(z);
}

/* ---- Chains ---- */

struct tamper {
    const char *name;
    enum { LEAVE_OUT, NO_TXT, ONE_MORE, LEAD_ASTRAY } how;
};

static bool tamper(void *ctx, const uint8_t *name, struct buf *rdata)
{
    const struct tamper *x = ctx;
    char text[NAME_TEXT_MAX];
    struct nsec3 n3;
    size_t map, next = 0;

    (void)name_to_text(text, name);
    if (strcmp(text, x->name) != 0)
        return true;
    if (rdata->len > 26 && nsec3_read(&n3, rdata->data, rdata->len)) {
        map = (size_t)(n3.types - rdata->data);
        next = (size_t)(n3.next - rdata->data);
    } else {
        map = name_len(rdata->data);
    }
    switch (x->how) {
    case LEAVE_OUT:
        return false;
    case NO_TXT:
        rdata->data[map + 2 + RR_TXT / 8] &= (uint8_t) ~(0x80 >> RR_TXT % 8);
        break;
    case ONE_MORE:
        rdata->data[map + 2 + RR_MX / 8] |= 0x80 >> RR_MX % 8;
        break;
    case LEAD_ASTRAY:
        rdata->data[next + 1] ^= 1; /* of a hash, or of the first letter of a name */
        break;
    }
    return true;
}

static void test_chains(void **state)
{
    static const struct {
        enum chain chain;
        struct tamper how;
        const char *what;
    } cases[] = {
        {NSEC, {"www.example.org.", LEAVE_OUT}, "www.example.org. NSEC: the name has none"},
        {NSEC, {"ins.example.org.", LEAVE_OUT}, "ins.example.org. NSEC: the name has none"},
        {NSEC, {"www.example.org.", NO_TXT}, "TXT: its NSEC does not list TXT, which there is"},
        {NSEC, {"ns.example.org.", ONE_MORE}, "NSEC: its NSEC lists MX, which there is not"},
        {NSEC, {"ins.example.org.", ONE_MORE}, "NSEC: its NSEC lists MX, which there is not"},
        {NSEC, {"ns.example.org.", LEAD_ASTRAY}, "ns.example.org. NSEC: it leads to"},
        {NSEC, {"www.example.org.", LEAD_ASTRAY}, "www.example.org. NSEC: it leads to"},
        {NSEC, {"example.org.", LEAVE_OUT}, "neither this nor an NSEC3PARAM"},
        {NSEC3, {"www.example.org.", LEAVE_OUT}, "www.example.org. NSEC3: the name has none"},
        {NSEC3, {"example.org.", LEAVE_OUT}, "example.org. NSEC3: the name has none"},
        {NSEC3, {"b.ent.example.org.", LEAVE_OUT}, "b.ent.example.org. NSEC3: the name has none"},
        {NSEC3, {"ent.example.org.", LEAVE_OUT}, "ent.example.org. NSEC3: the name has none"},
        {NSEC3, {"ins.example.org.", LEAVE_OUT}, "ins.example.org. NSEC3: the name has none"},
        {NSEC3, {"y.gone.example.org.", LEAVE_OUT}, "gone.example.org. NSEC3: the name has"},
        {NSEC3, {"www.example.org.", NO_TXT}, "TXT: its NSEC3 does not list TXT, which there is"},
        {NSEC3, {"ns.example.org.", ONE_MORE}, "NSEC3: its NSEC3 lists MX, which there is not"},
        {NSEC3, {"www.example.org.", LEAD_ASTRAY}, "it does not lead to the next one"},
        {OPT_OUT, {"www.example.org.", LEAVE_OUT}, "www.example.org. NSEC3: the name has none"},
        {OPT_OUT, {"sec.example.org.", LEAVE_OUT}, "sec.example.org. NSEC3: the name has none"},
        {OPT_OUT, {"ent.example.org.", LEAVE_OUT}, "ent.example.org. NSEC3: the name has none"},
        {OPT_OUT, {"gone.example.org.", LEAVE_OUT}, NULL},
        {BOTH, {"www.example.org.", LEAVE_OUT}, "3 faults"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct tamper how = cases[i].how;

        expect(made(&(struct setting){.chain = cases[i].chain, .hook = tamper, .ctx = &how}),
               cases[i].what);
    }
}

static void test_other_faults_of_chains(void **state)
{
    (void)state;
    expect(made(&(struct setting){.chain = NSEC3, .iterations = 51}), "it wants 51 iterations");
    expect(with(made(&(struct setting){.chain = NSEC}),
                "ns.ins.example.org. 300 IN NSEC www.example.org. A"),
           "NSEC: it stands below a delegation");
    expect(without(made(&(struct setting){.chain = NSEC}), "www.example.org.", " IN NSEC"),
           "www.example.org. NSEC: the name has none");
    /* A name is gone, its NSEC3 is not. */
    expect(without(made(&(struct setting){.chain = NSEC3}), "cn.example.org.", " IN "),
           "it is the hash of no name");
    expect(without(made(&(struct setting){.chain = NSEC}), "cn.example.org.", " IN "),
           "NSEC: it leads to cn.example.org.");
    /* A cut came: what is below it does not exist any more. */
    expect(with(made(&(struct setting){.chain = NSEC3}), "ent.example.org. 300 IN NS ns.example."),
           "3 faults, the first: ent.example.org. NS: its NSEC3 does not list NS");
}

/* ---- In threads ---- */

static struct zone *large(enum chain chain)
{
    struct buf b = BUF_INIT;
    struct zone *plain, *z;

    buf_str(&b, plain_text);
    for (int i = 0; i < 1500; i++)
        buf_printf(&b, "h%d.g%d 300 TXT \"%0200d\"\n", i, i % 7, i);
    plain = zone_of(buf_cstr(&b), EXAMPLE);
    z = signed_zone(plain, &(struct setting){.chain = chain});
    zone_unref(plain);
    buf_free(&b);
    return z;
}

static void test_threads_say_the_same(void **state)
{
    static const enum chain chains[] = {NSEC, OPT_OUT};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct zone *z = without(without(large(chains[i]), "h77.g0.example.org.", "RRSIG TXT"),
                                 "h1499.g1.example.org.", "RRSIG TXT");
        struct zone_dnssec_spec spec = {.now = {NOW}};
        struct zone_dnssec_report one, four;

        assert_true(zone_page_count(z) > 100);
        spec.threads = 1;
        zone_dnssec_check(&one, z, &spec);
        spec.threads = 4;
        zone_dnssec_check(&four, z, &spec);
        /* Without its only signature a name has another bitmap than its NSEC3 says. */
        assert_int_equal(one.faults, chains[i] == NSEC ? 2 : 4);
        assert_int_equal(four.faults, one.faults);
        assert_int_equal(four.rrsets, one.rrsets);
        assert_int_equal(four.until.s, one.until.s);
        assert_string_equal(four.reason, one.reason);
        zone_unref(z);
    }
}

/* ---- Changes ---- */

static struct zone_dnssec_report look_at_change(const struct zone *was, const struct zone *is,
                                                int64_t now, uint32_t life)
{
    struct zone_dnssec_spec spec = {.now = {now}, .life_s = life, .threads = 1};
    struct changeset *cs = diff_of(was, is);
    struct zone_dnssec_report r;

    zone_dnssec_check_change(&r, was, (struct wall){END}, is, cs, &spec);
    changeset_free(cs);
    return r;
}

static void test_a_small_change_is_a_small_look(void **state)
{
    static const enum chain chains[] = {NSEC, NSEC3, OPT_OUT, BOTH};
    char *more = xasprintf("%sfresh 300 A 192.0.2.9\nnew 300 NS ns.new\nns.new 300 A 192.0.2.8\n",
                           plain_text);

    (void)state;
    for (size_t i = 0; i < 4; i++) {
        struct setting x = {.chain = chains[i]};
        struct zone *was = made(&x), *plain = zone_of(more, EXAMPLE);
        struct zone *is = signed_zone(plain, &x);
        struct zone_dnssec_report r = look_at_change(was, is, NOW, 0);

        assert_int_equal(r.result, ZONE_DNSSEC_OK);
        assert_false(r.whole);
        assert_in_range(r.rrsets, 1, 10);
        /* Signatures that were not touched end too soon: all are looked at. */
        r = look_at_change(was, is, END - 10, 20);
        assert_int_equal(r.result, ZONE_DNSSEC_BOGUS);
        assert_true(r.whole);
        zone_unref(was);
        zone_unref(is);
        zone_unref(plain);
    }
    free(more);
}

static void test_other_keys_are_a_look_at_all(void **state)
{
    struct zone *was = made(&(struct setting){.chain = NSEC});
    struct zone *is = made(&(struct setting){.chain = NSEC, .keys = 2});
    struct zone_dnssec_report r = look_at_change(was, is, NOW, 0);

    (void)state;
    assert_int_equal(r.result, ZONE_DNSSEC_OK);
    assert_true(r.whole);
    zone_unref(was);
    zone_unref(is);
}

/* A random plain zone; names are few, so that they meet. */
static void random_lines(struct rng *r, struct line_set *l, unsigned n)
{
    static const char *const labels[] = {"a", "b", "c", "d", "*", "z"};
    static const char *const kinds[] = {"A 192.0.2.%u", "TXT \"%u\"", "NS ns%u.example.org.",
                                        "DS %u 13 2 00", "MX %u x.example.org."};

    for (unsigned i = 0; i < n; i++) {
        char name[64] = "";
        char rest[64];
        unsigned depth = 1 + (unsigned)rng_below(r, 3);
        unsigned kind = (unsigned)rng_below(r, 5);

        for (unsigned k = 0; k < depth; k++)
            (void)snprintf(name + strlen(name), sizeof(name) - strlen(name), "%s.",
                           labels[rng_below(r, 6)]);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
        (void)snprintf(rest, sizeof(rest), kinds[kind], (unsigned)rng_below(r, 4));
#pragma GCC diagnostic pop
        line_set_add(l, "%sexample.org. 300 IN %s", name, rest);
        if (kind == 3) /* a DS stands at a delegation */
            line_set_add(l, "%sexample.org. 300 IN NS ns.example.org.", name);
    }
}

static struct zone *random_signed(struct line_set *l, const struct setting *x)
{
    struct zone *plain = zone_of_lines("example.org.", l), *z = signed_zone(plain, x);

    zone_unref(plain);
    return z;
}

/* Something is taken out, put in again, or is somebody else's. */
static struct zone *spoiled(struct rng *r, struct zone *z, const struct zone *was)
{
    struct line_set l = lines_of(z), old = lines_of(was);
    unsigned times = 1 + (unsigned)rng_below(r, 2);

    for (; times > 0; times--) {
        size_t i = 1 + rng_below(r, l.n - 1); /* the SOA stays */

        if (strstr(l.lines[i], " IN SOA ") ||
            strncmp(l.lines[i], "example.org. 300 IN NS", 22) == 0)
            continue;
        switch (rng_below(r, 4)) {
        case 0:
        case 1:
            line_set_drop(&l, i);
            break;
        case 2: {
            const char *line = old.lines[rng_below(r, old.n)];

            if (!strstr(line, " IN SOA "))
                line_set_add(&l, "%s", line);
            break;
        }
        default: {
            char *rest = strchr(l.lines[rng_below(r, l.n)], ' ');

            if (!strstr(rest, " IN SOA "))
                line_set_add(&l, "%.*s%s", (int)strcspn(l.lines[i], " "), l.lines[i], rest);
            break;
        }
        }
    }
    zone_unref(z);
    line_set_free(&old);
    return of_lines(&l);
}

/* Whatever was changed, and however badly: the same verdict. */
static void test_changes_and_all_agree(void **state)
{
    unsigned small = 0, sound = 0, bogus = 0;

    (void)state;
    for (unsigned seed = 1; seed <= 300; seed++) {
        struct rng r = {seed};
        struct setting x = {.chain = (enum chain)rng_below(&r, 4)};
        struct line_set l = {0};
        struct zone *was, *is;
        struct zone_dnssec_report part, all;

        line_set_add(&l, "example.org. 300 IN SOA ns.example.org. h.example.org. 1 2 3 4 5");
        line_set_add(&l, "example.org. 300 IN NS ns.example.org.");
        random_lines(&r, &l, 3 + (unsigned)rng_below(&r, 20));
        was = random_signed(&l, &x);
        assert_int_equal(look_at(was, NOW, 0).result, ZONE_DNSSEC_OK);
        line_set_soa(&l, "example.org.", 2);
        for (size_t n = rng_below(&r, 4); n > 0 && l.n > 3; n--)
            line_set_drop(&l, 2 + rng_below(&r, l.n - 2));
        random_lines(&r, &l, (unsigned)rng_below(&r, 4));
        if (x.chain == OPT_OUT && rng_below(&r, 8) == 0)
            x.chain = NSEC3;
        else if (x.chain == NSEC3 && rng_below(&r, 8) == 0)
            x.chain = OPT_OUT;
        is = random_signed(&l, &x);
        if (rng_below(&r, 2))
            is = spoiled(&r, is, was);
        all = look_at(is, NOW, 0);
        part = look_at_change(was, is, NOW, 0);
        if (part.result != all.result)
            fail_msg("seed %u: of changes: %s; of all: %s", seed, part.reason, all.reason);
        small += !part.whole;
        sound += all.result == ZONE_DNSSEC_OK;
        bogus += all.result == ZONE_DNSSEC_BOGUS;
        zone_unref(was);
        zone_unref(is);
        line_set_free(&l);
    }
    print_message("%u sound, %u bogus; %u told by the changes\n", sound, bogus, small);
    assert_true(sound > 100 && bogus > 50 && small > 75);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sound_zones),
        cmocka_unit_test(test_what_is_said_of_them),
        cmocka_unit_test(test_time),
        cmocka_unit_test(test_signatures),
        cmocka_unit_test(test_all_faults_are_counted),
        cmocka_unit_test(test_keys),
        cmocka_unit_test(test_an_algorithm_that_nobody_knows),
        cmocka_unit_test(test_anchors),
        cmocka_unit_test(test_chains),
        cmocka_unit_test(test_other_faults_of_chains),
        cmocka_unit_test(test_threads_say_the_same),
        cmocka_unit_test(test_a_small_change_is_a_small_look),
        cmocka_unit_test(test_other_keys_are_a_look_at_all),
        cmocka_unit_test(test_changes_and_all_agree),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
