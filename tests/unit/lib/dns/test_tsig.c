#include "lib/dns/tsig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "msg_util.h"
#include "tsig_vectors.h"

static const struct wall now = {VECTOR_TIME};
static struct tsig_key *sha256;
static struct tsig_key *others[4]; /* wrong secret, wrong name, wrong algorithm, SHA-512 */

static struct tsig_key *key_of(const char *name, const char *alg, const char *secret)
{
    struct tsig_key *k = NULL;
    enum tsig_alg a;

    assert_true(tsig_alg_from_text(&a, alg));
    assert_int_equal(tsig_key_new(&k, N(name), a, secret, strlen(secret), NULL), OK);
    return k;
}

static int make_keys(void **state)
{
    (void)state;
    sha256 = key_of("\3KEY\7example", "hmac-sha256", VECTOR_SECRET);
    others[0] = key_of("\3key\7example", "hmac-sha256", "AAAAAAAAAAAAAAAAAAAAAA==");
    others[1] = key_of("\4key2\7example", "hmac-sha256", VECTOR_SECRET);
    others[2] = key_of("\3key\7example", "hmac-sha384", VECTOR_SECRET);
    others[3] = key_of("\3key\7example", "HMAC-SHA512.", VECTOR_SECRET);
    return 0;
}

static int drop_keys(void **state)
{
    (void)state;
    tsig_key_unref(sha256);
    for (unsigned i = 0; i < 4; i++)
        tsig_key_unref(others[i]);
    tsig_key_unref(NULL);
    return 0;
}

/* Where the TSIG of a well-formed message is. */
static size_t tsig_at(const uint8_t *wire, size_t len)
{
    struct msg_layout l;

    return msg_layout_read(&l, wire, len) ? l.tsig : 0;
}

static struct wall later(int64_t s)
{
    return (struct wall){VECTOR_TIME + s};
}

static enum tsig_outcome verify_request(struct tsig *t, struct tsig_key *k, const uint8_t *wire,
                                        size_t len, struct wall at)
{
    return tsig_verify_request(t, k, wire, len, tsig_at(wire, len), at);
}

/* A SOA query without a signature. */
static size_t plain_request(uint8_t *buf)
{
    return unhex(buf, "123400000001000000000000076578616d706c6503636f6d0000060001");
}

static size_t plain_response(uint8_t *buf)
{
    size_t len = plain_request(buf);

    put_u16(buf + 2, MSG_QR | MSG_AA);
    return len;
}

static void agrees_with_another_implementation(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(tsig_vectors) / sizeof(tsig_vectors[0]); i++) {
        const struct tsig_vector *v = &tsig_vectors[i];
        struct tsig_key *k = key_of("\3key\7example", v->alg, VECTOR_SECRET);
        struct tsig client = {.key = NULL};
        struct tsig server = {.key = NULL};
        struct tsig_rr rr;
        struct tsig_rr want;
        uint8_t theirs[512];
        uint8_t ours[512];
        size_t theirs_len = unhex(theirs, v->request);
        size_t len = tsig_at(theirs, theirs_len);

        /* The request: they sign, we verify; and we sign the same to the octet. */
        assert_int_equal(verify_request(&server, k, theirs, theirs_len, now), TSIG_OK);
        memcpy(ours, theirs, len);
        put_u16(ours + 10, 0);
        assert_true(tsig_sign_request(&client, k, ours, &len, sizeof(ours), now));
        assert_int_equal(len, theirs_len);
        assert_true(tsig_read(&rr, ours, len, tsig_at(ours, len)));
        assert_true(tsig_read(&want, theirs, theirs_len, tsig_at(theirs, theirs_len)));
        assert_int_equal(rr.mac_len, tsig_alg_octets(tsig_key_alg(k)));
        assert_memory_equal(rr.mac, want.mac, want.mac_len);
        assert_int_equal(rr.original_id, 0x1234);

        /* The response, which is chained to the request. */
        theirs_len = unhex(theirs, v->response);
        assert_int_equal(tsig_verify_response(&client, theirs, theirs_len,
                                              tsig_at(theirs, theirs_len), later(300)),
                         TSIG_OK);
        len = tsig_at(theirs, theirs_len);
        memcpy(ours, theirs, len);
        put_u16(ours + 10, 0);
        assert_true(tsig_sign_response(&server, ours, &len, sizeof(ours), later(7)));
        assert_int_equal(len, theirs_len);
        assert_true(tsig_read(&rr, ours, len, tsig_at(ours, len)));
        assert_true(tsig_read(&want, theirs, theirs_len, tsig_at(theirs, theirs_len)));
        assert_memory_equal(rr.mac, want.mac, want.mac_len);
        tsig_done(&client);
        tsig_done(&server);
        tsig_key_unref(k);
    }
}

static void algorithms_have_names(void **state)
{
    enum tsig_alg a;

    (void)state;
    assert_true(tsig_alg_from_text(&a, "hmac-md5.sig-alg.reg.int."));
    assert_int_equal(a, TSIG_HMAC_MD5);
    assert_true(tsig_alg_from_text(&a, "HMAC-MD5"));
    assert_false(tsig_alg_from_text(&a, ""));
    assert_false(tsig_alg_from_text(&a, "."));
    assert_false(tsig_alg_from_text(&a, "hmac-sha25"));
    assert_false(tsig_alg_from_text(&a, "hmac-sha2566"));
    assert_false(tsig_alg_from_text(&a, "gss-tsig"));
    for (unsigned i = TSIG_HMAC_MD5; i <= TSIG_HMAC_SHA512; i++) {
        assert_true(tsig_alg_from_text(&a, tsig_alg_text((enum tsig_alg)i)));
        assert_int_equal(a, i);
        assert_true(tsig_alg_from_name(&a, tsig_alg_name((enum tsig_alg)i)));
        assert_int_equal(a, i);
    }
    assert_true(tsig_alg_from_name(&a, N("\13HMAC-sha256")));
    assert_false(tsig_alg_from_name(&a, N("\10gss-tsig")));
}

static void secrets_are_strict_base64(void **state)
{
    static const char *const good[] = {"AA==", "AAA=", "AAAA", " A\tA=\n=", "+/+/"};
    static const char *const bad[] = {"",      " ",    "A",     "AA",   "AA=",       "AA===",
                                      "A===",  "====", "AB==",  "AAB=", "AA=A",      "AA==AAAA",
                                      "AAAA=", "AA*A", "AAAA-", "AAA_", "\303\244AA"};
    static char longest[(TSIG_SECRET_MAX + 2) / 3 * 4 + 9];
    struct tsig_key *k = NULL;
    struct errinfo e = {""};

    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        tsig_key_unref(key_of("\1k", "hmac-sha256", good[i]));
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        if (tsig_key_new(&k, N("\1k"), TSIG_HMAC_SHA256, bad[i], strlen(bad[i]), &e) != ERR_FORMAT)
            fail_msg("'%s' is accepted", bad[i]);
        assert_null(k);
    }
    memset(longest, 'A', sizeof(longest));
    assert_int_equal(tsig_key_new(&k, N("\1k"), TSIG_HMAC_SHA1, longest, 1364, &e), OK);
    tsig_key_unref(k);
    assert_int_equal(tsig_key_new(&k, N("\1k"), TSIG_HMAC_SHA1, longest, 1368, &e), ERR_FORMAT);
    assert_null(strstr(e.text, "AAAA")); /* no secret in an error */
}

static void refuses_wrong_keys(void **state)
{
    struct tsig t = {.key = NULL};
    struct tsig c = {.key = NULL};
    uint8_t wire[512];
    uint8_t reply[512];
    size_t len = plain_request(wire);
    static const struct {
        int key; /* index in others, -1: none */
        enum tsig_outcome want;
        uint16_t error;
    } cases[] = {
        {-1, TSIG_BADKEY, RCODE_BADKEY}, {0, TSIG_BADSIG, RCODE_BADSIG},
        {1, TSIG_BADKEY, RCODE_BADKEY},  {2, TSIG_BADKEY, RCODE_BADKEY},
        {3, TSIG_BADKEY, RCODE_BADKEY},
    };

    (void)state;
    assert_true(tsig_sign_request(&c, sha256, wire, &len, sizeof(wire), now));
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct tsig_key *k = cases[i].key < 0 ? NULL : others[cases[i].key];
        struct tsig_rr rr;
        size_t n = plain_response(reply);

        assert_int_equal(verify_request(&t, k, wire, len, now), cases[i].want);
        assert_null(t.key);
        assert_true(tsig_sign_response(&t, reply, &n, sizeof(reply), now));
        assert_true(tsig_read(&rr, reply, n, tsig_at(reply, n)));
        assert_int_equal(rr.mac_len, 0); /* RFC 8945 5.3.2 */
        assert_int_equal(rr.error, cases[i].error);
        assert_int_equal(rr.other_len, 0);
        assert_true(name_eq(rr.key_name, tsig_key_name(sha256)));
        /* The client sees the refusal, and that nobody vouches for it. */
        assert_int_equal(tsig_verify_response(&c, reply, n, tsig_at(reply, n), now), TSIG_PEER);
        assert_int_equal(c.peer_error, cases[i].error);
        assert_false(c.peer_authentic);
    }
    tsig_done(&t);
    tsig_done(&c);
}

/* Each single bit of a request counts, but for letters' case in names of the TSIG, which the
 * digest folds, and bits that break the message before. */
static void refuses_every_flipped_bit(void **state)
{
    struct tsig t = {.key = NULL};
    uint8_t wire[512];
    size_t len = plain_request(wire);
    size_t folded = 0;

    (void)state;
    assert_true(tsig_sign_request(&t, sha256, wire, &len, sizeof(wire), now));
    for (size_t bit = 0; bit < 8 * len; bit++) {
        enum tsig_outcome o;

        wire[bit / 8] ^= (uint8_t)(1u << bit % 8);
        o = verify_request(&t, sha256, wire, len, now);
        /* The ID of the header may change on the way: the original one is signed. */
        if (o == TSIG_OK && bit >= 16)
            folded++;
        if (bit < 16)
            assert_int_equal(o, TSIG_OK);
        wire[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    assert_int_equal(folded, 3 + 7 + 7); /* the letters of key.example and hmac-sha256 */
    assert_int_equal(verify_request(&t, sha256, wire, len, now), TSIG_OK);
    tsig_done(&t);
}

static void refuses_unsigned_trailing_and_misplaced(void **state)
{
    struct tsig t = {.key = NULL};
    uint8_t wire[512];
    size_t len = plain_request(wire);
    size_t at;

    (void)state;
    assert_int_equal(verify_request(&t, sha256, wire, len, now), TSIG_MISSING);
    at = len;
    assert_true(tsig_sign_request(&t, sha256, wire, &len, sizeof(wire), now));
    wire[len] = 0;
    assert_int_equal(tsig_at(wire, len + 1), 0);
    assert_int_equal(tsig_verify_request(&t, sha256, wire, len + 1, at, now), TSIG_FORMERR);
    for (size_t n = at; n < len; n++)
        assert_int_equal(tsig_verify_request(&t, sha256, wire, n, at, now), TSIG_FORMERR);
    assert_int_equal(tsig_verify_request(&t, sha256, wire, len, 5, now), TSIG_FORMERR);
    assert_int_equal(tsig_verify_request(&t, sha256, wire, len, len, now), TSIG_FORMERR);
    assert_int_equal(tsig_verify_request(&t, sha256, wire, len, 60000, now), TSIG_FORMERR);
    /* A second TSIG over the first, which is right: nobody may believe it. */
    assert_true(tsig_sign_request(&t, sha256, wire, &len, sizeof(wire), now));
    assert_int_equal(tsig_at(wire, len), 0);
    tsig_done(&t);
}

static void refuses_class_ttl_and_lengths(void **state)
{
    /* Offset in the record of "key.example." (13 octets name), value, want. */
    static const struct {
        size_t at;
        uint16_t value;
    } cases[] = {
        {13 + 2, CLASS_IN},
        {13 + 4, 1},
        {13 + 6, 1},
        {13 + 8, 60},
        {13 + 8, 62},
        {13 + 10 + 21, 31},
        {13 + 10 + 21, 33},
        {13 + 10 + 21, 0xffff},
        {13 + 10 + 23 + 36, 1},
        {13 + 10 + 23 + 36, 0xffff},
        {13 + 10, 0xc00c},
    };
    struct tsig t = {.key = NULL};
    uint8_t wire[512];
    uint8_t bad[512];
    size_t at = plain_request(wire);
    size_t len = at;

    (void)state;
    assert_true(tsig_sign_request(&t, sha256, wire, &len, sizeof(wire), now));
    assert_int_equal(len - at, 13 + 10 + 13 + 16 + 32);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        memcpy(bad, wire, len);
        put_u16(bad + at + cases[i].at, cases[i].value);
        if (tsig_verify_request(&t, sha256, bad, len, at, now) != TSIG_FORMERR)
            fail_msg("case %zu is accepted", i);
        assert_null(t.key);
    }
    tsig_done(&t);
}

static void checks_the_time(void **state)
{
    static const struct {
        int64_t off;
        enum tsig_outcome want;
    } cases[] = {{0, TSIG_OK},
                 {300, TSIG_OK},
                 {-300, TSIG_OK},
                 {301, TSIG_BADTIME},
                 {-301, TSIG_BADTIME},
                 {86400, TSIG_BADTIME},
                 {-VECTOR_TIME, TSIG_BADTIME},
                 {-VECTOR_TIME - 5, TSIG_BADTIME},
                 {INT64_MAX - VECTOR_TIME, TSIG_BADTIME}};
    struct tsig server = {.key = NULL};
    struct tsig client = {.key = NULL};
    uint8_t wire[512];
    uint8_t reply[512];
    size_t len = plain_request(wire);
    size_t n;

    (void)state;
    assert_true(tsig_sign_request(&client, sha256, wire, &len, sizeof(wire), now));
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_int_equal(verify_request(&server, sha256, wire, len, later(cases[i].off)),
                         cases[i].want);

    /* The reply is signed, in the client's time, and tells the server's (RFC 8945 5.2.3). */
    assert_int_equal(verify_request(&server, sha256, wire, len, later(1000)), TSIG_BADTIME);
    n = plain_response(reply);
    assert_true(tsig_sign_response(&server, reply, &n, sizeof(reply), later(1000)));
    assert_int_equal(n, plain_response((uint8_t[64]){0}) + tsig_key_space(sha256));
    assert_int_equal(tsig_verify_response(&client, reply, n, tsig_at(reply, n), now), TSIG_PEER);
    assert_int_equal(client.peer_error, RCODE_BADTIME);
    assert_true(client.peer_authentic);
    assert_int_equal(client.peer_time.s, VECTOR_TIME + 1000);
    reply[n - 1] ^= 1; /* the time they tell is signed */
    assert_int_equal(tsig_verify_response(&client, reply, n, tsig_at(reply, n), now), TSIG_BADSIG);
    tsig_done(&client);
    tsig_done(&server);
}

static void works_with_times_over_32_bits(void **state)
{
    struct wall far = {INT64_C(0x123456789a)};
    struct tsig server = {.key = NULL};
    struct tsig client = {.key = NULL};
    uint8_t wire[512];
    size_t len = plain_request(wire);

    (void)state;
    assert_true(tsig_sign_request(&client, sha256, wire, &len, sizeof(wire), far));
    assert_int_equal(verify_request(&server, sha256, wire, len, far), TSIG_OK);
    far.s -= INT64_C(0x100000000);
    assert_int_equal(verify_request(&server, sha256, wire, len, far), TSIG_BADTIME);
    tsig_done(&client);
    tsig_done(&server);
}

/* Cuts the MAC of a request at the end of `wire`; returns the new length. */
static size_t cut_mac(uint8_t *wire, size_t len, size_t at, size_t full, size_t keep)
{
    uint8_t *mac = wire + at + 13 + 10 + 23;
    uint8_t tail[6];

    memcpy(tail, mac + full, 6);
    memcpy(mac + keep, tail, 6);
    put_u16(wire + at + 13 + 8, (uint16_t)(get_u16(wire + at + 13 + 8) - (full - keep)));
    put_u16(mac - 2, (uint16_t)keep);
    return len - (full - keep);
}

static void accepts_short_macs_only_where_allowed(void **state)
{
    struct tsig_key *lax = key_of("\3key\7example", "hmac-sha256", VECTOR_SECRET);
    struct tsig t = {.key = NULL};
    uint8_t wire[512];
    uint8_t cut[512];
    uint8_t reply[512];
    size_t at = plain_request(wire);
    size_t len = at;

    (void)state;
    tsig_key_allow_truncated(lax);
    assert_true(tsig_sign_request(&t, sha256, wire, &len, sizeof(wire), now));
    for (size_t keep = 0; keep < 32; keep++) {
        struct tsig_rr rr;
        size_t n;
        size_t cut_len;

        memcpy(cut, wire, len);
        cut_len = cut_mac(cut, len, at, 32, keep);
        assert_int_equal(verify_request(&t, lax, cut, cut_len, now),
                         keep < 16 ? TSIG_FORMERR : TSIG_OK);
        assert_int_equal(verify_request(&t, sha256, cut, cut_len, now),
                         keep < 16 ? TSIG_FORMERR : TSIG_BADTRUNC);
        n = plain_response(reply);
        assert_true(tsig_sign_response(&t, reply, &n, sizeof(reply), now));
        if (keep < 16) { /* FORMERR goes without TSIG */
            assert_int_equal(tsig_at(reply, n), 0);
            continue;
        }
        assert_true(tsig_read(&rr, reply, n, tsig_at(reply, n)));
        assert_int_equal(rr.error, RCODE_BADTRUNC);
        assert_int_equal(rr.mac_len, 32);
        cut[at + 13 + 10 + 23 + keep - 1] ^= 1;
        assert_int_equal(verify_request(&t, lax, cut, cut_len, now), TSIG_BADSIG);
    }
    tsig_done(&t);
    tsig_key_unref(lax);
}

static void refuses_the_mac_of_another_message(void **state)
{
    struct tsig a = {.key = NULL};
    struct tsig b = {.key = NULL};
    struct tsig server = {.key = NULL};
    uint8_t wire_a[512];
    uint8_t wire_b[512];
    uint8_t reply[512];
    size_t len_a = plain_request(wire_a);
    size_t at = len_a;
    size_t len_b;
    size_t n;

    (void)state;
    len_b = plain_request(wire_b);
    wire_b[14] = 'X';
    assert_true(tsig_sign_request(&a, sha256, wire_a, &len_a, sizeof(wire_a), now));
    assert_true(tsig_sign_request(&b, sha256, wire_b, &len_b, sizeof(wire_b), now));
    memcpy(wire_b + at, wire_a + at, len_a - at);
    assert_int_equal(verify_request(&server, sha256, wire_b, len_b, now), TSIG_BADSIG);
    /* The right answer to request a is none to request b. */
    assert_int_equal(verify_request(&server, sha256, wire_a, len_a, now), TSIG_OK);
    n = plain_response(reply);
    assert_true(tsig_sign_response(&server, reply, &n, sizeof(reply), now));
    assert_int_equal(tsig_verify_response(&b, reply, n, at, now), TSIG_BADSIG);
    assert_int_equal(tsig_verify_response(&a, reply, n, at, later(301)), TSIG_BADTIME);
    assert_int_equal(tsig_verify_response(&a, reply, plain_response(reply), 0, now), TSIG_MISSING);
    /* A forgery that came first does not spoil the real one. */
    put_u16(reply + 10, 1);
    assert_int_equal(tsig_verify_response(&a, reply, n, at, now), TSIG_OK);
    tsig_done(&a);
    tsig_done(&b);
    tsig_done(&server);
}

static void response_with_another_key_is_refused(void **state)
{
    struct tsig c = {.key = NULL};
    uint8_t wire[512];
    size_t len = plain_request(wire);
    struct tsig other = {.key = NULL};
    uint8_t reply[512];

    (void)state;
    assert_int_equal(tsig_verify_response(&c, wire, len, 0, now), TSIG_BADKEY); /* not begun */
    assert_true(tsig_sign_request(&c, sha256, wire, &len, sizeof(wire), now));
    for (unsigned i = 1; i < 4; i++) {
        size_t n = plain_response(reply);

        assert_true(tsig_sign_request(&other, others[i], reply, &n, sizeof(reply), now));
        assert_int_equal(tsig_verify_response(&c, reply, n, tsig_at(reply, n), now), TSIG_BADKEY);
    }
    tsig_done(&c);
    tsig_done(&other);
}

static void leaves_the_message_alone_if_it_does_not_fit(void **state)
{
    struct tsig t = {.key = NULL};
    uint8_t wire[512];
    uint8_t before[512];
    size_t at = plain_request(wire);
    size_t full = at + tsig_key_space(sha256) - 6; /* only BADTIME needs these */

    (void)state;
    memset(wire + at, 0xee, sizeof(wire) - at);
    memcpy(before, wire, sizeof(wire));
    for (size_t cap = 0; cap < full; cap++) {
        size_t len = at;

        assert_false(tsig_sign_request(&t, sha256, wire, &len, cap, now));
        assert_int_equal(len, at);
        assert_memory_equal(wire, before, sizeof(wire));
        assert_null(t.key);
    }
    assert_true(tsig_sign_request(&t, sha256, wire, &at, full, now));
    assert_int_equal(at, full);
    tsig_done(&t);
}

/* A key that is taken out of the configuration lives on in the exchanges that use it. */
static void keys_outlive_their_removal(void **state)
{
    struct tsig_key *k = key_of("\1k", "hmac-sha256", VECTOR_SECRET);
    struct tsig client = {.key = NULL};
    struct tsig server = {.key = NULL};
    uint8_t wire[512];
    uint8_t reply[512];
    size_t len = plain_request(wire);
    size_t n = plain_response(reply);

    (void)state;
    assert_true(tsig_sign_request(&client, k, wire, &len, sizeof(wire), now));
    assert_int_equal(verify_request(&server, k, wire, len, now), TSIG_OK);
    tsig_key_unref(k);
    assert_true(tsig_sign_response(&server, reply, &n, sizeof(reply), now));
    assert_int_equal(tsig_verify_response(&client, reply, n, tsig_at(reply, n), now), TSIG_OK);
    tsig_done(&client);
    tsig_done(&server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(agrees_with_another_implementation),
        cmocka_unit_test(algorithms_have_names),
        cmocka_unit_test(secrets_are_strict_base64),
        cmocka_unit_test(refuses_wrong_keys),
        cmocka_unit_test(refuses_every_flipped_bit),
        cmocka_unit_test(refuses_unsigned_trailing_and_misplaced),
        cmocka_unit_test(refuses_class_ttl_and_lengths),
        cmocka_unit_test(checks_the_time),
        cmocka_unit_test(works_with_times_over_32_bits),
        cmocka_unit_test(accepts_short_macs_only_where_allowed),
        cmocka_unit_test(refuses_the_mac_of_another_message),
        cmocka_unit_test(response_with_another_key_is_refused),
        cmocka_unit_test(leaves_the_message_alone_if_it_does_not_fit),
        cmocka_unit_test(keys_outlive_their_removal),
    };

    return cmocka_run_group_tests(tests, make_keys, drop_keys);
}
