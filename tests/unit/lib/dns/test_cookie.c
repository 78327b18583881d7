/* Server cookies: the vectors of RFC 9018, appendix A, and the borders of time, length and secret.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "lib/base/encode.h"
#include "lib/dns/cookie.h"

#define T0 INT64_C(1559731985)

static void from_hex(uint8_t *out, size_t n, const char *text)
{
    struct buf b = BUF_INIT;

    assert_true(hex_decode(&b, text, strlen(text)));
    assert_int_equal(b.len, n);
    memcpy(out, b.data, n);
    buf_free(&b);
}

static struct cookie_secrets secrets_of(const char *first, const char *second)
{
    struct cookie_secrets s = {.count = second ? 2 : 1};

    from_hex(s.secret[0], COOKIE_SECRET_OCTETS, first);
    if (second)
        from_hex(s.secret[1], COOKIE_SECRET_OCTETS, second);
    return s;
}

static struct addr addr_of(const char *text)
{
    struct addr a;

    assert_int_equal(addr_from_text(&a, text, 0, NULL), OK);
    return a;
}

static void check(const struct cookie_secrets *s, const char *client, const char *option,
                  int64_t now, enum cookie_state want, const char *want_reply)
{
    struct addr a = addr_of(client);
    uint8_t in[64], reply[COOKIE_OCTETS], expected[COOKIE_OCTETS];
    size_t len = strlen(option) / 2;

    from_hex(in, len, option);
    assert_int_equal(cookie_check(reply, s, in, len, &a, (struct wall){now}), want);
    if (!want_reply)
        return;
    from_hex(expected, sizeof(expected), want_reply);
    assert_memory_equal(reply, expected, sizeof(expected));
}

static const char secret_a[] = "e5e973e5a6b2a43f48e7dc849e37bfcf";

static void test_learning_a_cookie(void **state)
{
    struct cookie_secrets s = secrets_of(secret_a, NULL);

    (void)state;
    check(&s, "198.51.100.100", "2464c4abcf10c957", T0, COOKIE_CLIENT,
          "2464c4abcf10c957010000005cf79f111f8130c3eee29480");
}

static void test_renewing_a_cookie(void **state)
{
    struct cookie_secrets s = secrets_of(secret_a, NULL);

    (void)state;
    check(&s, "198.51.100.100", "2464c4abcf10c957010000005cf79f111f8130c3eee29480", 1559734385,
          COOKIE_GOOD, "2464c4abcf10c957010000005cf7a871d4a564a1442aca77");
}

static void test_reserved_octets_are_hashed_as_they_came(void **state)
{
    struct cookie_secrets s = secrets_of(secret_a, NULL);

    (void)state;
    check(&s, "203.0.113.203", "fc93fc62807ddb8601abcdef5cf78f71a314227b6679ebf5", 1559727985,
          COOKIE_GOOD, NULL);
    check(&s, "203.0.113.203", "fc93fc62807ddb8601abcdee5cf78f71a314227b6679ebf5", 1559727985,
          COOKIE_BAD, NULL);
    check(&s, "203.0.113.203", "fc93fc62807ddb8601abcdef5cf78f71a314227b6679ebf5", 1559734700,
          COOKIE_BAD, "fc93fc62807ddb86010000005cf7a9acf73a7810aca2381e"); /* two hours old */
}

static void test_ipv6_and_a_rolled_secret(void **state)
{
    static const char old[] = "dd3bdf9344b678b185a6f5cb60fca715";
    static const char new[] = "445536bcd2513298075a5d379663c962";
    static const char client[] = "2001:db8:220:1:59de:d0f4:8769:82b8";
    static const char cookie[] = "22681ab97d52c298010000005cf7c57926556bd0934c72f8";
    static const char renewed[] = "22681ab97d52c298010000005cf7c609a6bb79d16625507a";
    struct cookie_secrets before = secrets_of(old, new), after = secrets_of(new, old),
                          done = secrets_of(new, NULL);

    (void)state;
    check(&before, client, cookie, 1559741817, COOKIE_GOOD, cookie);
    check(&after, client, cookie, 1559741961, COOKIE_GOOD, renewed);
    check(&before, client, renewed, 1559741961, COOKIE_GOOD, NULL);
    check(&done, client, cookie, 1559741961, COOKIE_BAD, renewed);
}

/* RFC 7873 4: 8, or 16 to 40 octets. */
static void test_every_length(void **state)
{
    struct cookie_secrets s = secrets_of(secret_a, NULL);
    struct addr a = addr_of("192.0.2.1");
    uint8_t option[64] = {0}, reply[COOKIE_OCTETS];

    (void)state;
    for (size_t len = 0; len <= sizeof(option); len++) {
        enum cookie_state want = len == 8               ? COOKIE_CLIENT
                                 : len < 16 || len > 40 ? COOKIE_MALFORMED
                                                        : COOKIE_BAD;

        assert_int_equal(cookie_check(reply, &s, option, len, &a, (struct wall){T0}), want);
    }
}

static void test_every_bit_and_the_address_count(void **state)
{
    struct cookie_secrets s = secrets_of(secret_a, NULL);
    struct addr a = addr_of("192.0.2.1"), other = addr_of("192.0.2.2");
    uint8_t client[COOKIE_CLIENT_OCTETS] = "01234567";
    uint8_t cookie[COOKIE_OCTETS], reply[COOKIE_OCTETS];
    struct wall now = {T0};

    (void)state;
    assert_int_equal(cookie_check(cookie, &s, client, sizeof(client), &a, now), COOKIE_CLIENT);
    assert_int_equal(cookie_check(reply, &s, cookie, sizeof(cookie), &a, now), COOKIE_GOOD);
    assert_int_equal(cookie_check(reply, &s, cookie, sizeof(cookie), &other, now), COOKIE_BAD);
    a.port = 4711; /* does not count */
    assert_int_equal(cookie_check(reply, &s, cookie, sizeof(cookie), &a, now), COOKIE_GOOD);
    for (size_t i = 0; i < sizeof(cookie) * 8; i++) {
        cookie[i / 8] ^= (uint8_t)(1 << i % 8);
        assert_int_equal(cookie_check(reply, &s, cookie, sizeof(cookie), &a, now), COOKIE_BAD);
        cookie[i / 8] ^= (uint8_t)(1 << i % 8);
    }
}

/* An hour back, five minutes ahead; replaced after half an hour; also where 32 bits of seconds
 * wrap. */
static void test_time(void **state)
{
    static const int64_t when[] = {T0, INT64_C(0xffffff00), INT64_C(0x100000000)};
    struct cookie_secrets s = secrets_of(secret_a, NULL);
    struct addr a = addr_of("192.0.2.1");
    uint8_t cookie[COOKIE_OCTETS], reply[COOKIE_OCTETS], client[] = "01234567";

    (void)state;
    for (size_t i = 0; i < sizeof(when) / sizeof(when[0]); i++) {
        static const struct {
            int64_t later;
            enum cookie_state want;
            bool same;
        } cases[] = {{-301, COOKIE_BAD, false},  {-300, COOKIE_GOOD, true},
                     {0, COOKIE_GOOD, true},     {1800, COOKIE_GOOD, true},
                     {1801, COOKIE_GOOD, false}, {3600, COOKIE_GOOD, false},
                     {3601, COOKIE_BAD, false}};

        (void)cookie_check(cookie, &s, client, 8, &a, (struct wall){when[i]});
        for (size_t k = 0; k < sizeof(cases) / sizeof(cases[0]); k++) {
            struct wall now = {when[i] + cases[k].later};

            assert_int_equal(cookie_check(reply, &s, cookie, sizeof(cookie), &a, now),
                             cases[k].want);
            assert_int_equal(memcmp(reply, cookie, sizeof(cookie)) == 0, cases[k].same);
            assert_int_equal(cookie_check(reply, &s, reply, sizeof(reply), &a, now), COOKIE_GOOD);
        }
    }
}

/* ---- Secrets as text ---- */

#define S1 "00112233445566778899aabbccddeeff"
#define S2 "FFEEDDCCBBAA99887766554433221100"

static void test_secrets_as_text(void **state)
{
    static const struct {
        const char *text;
        size_t count;
        const char *says;
    } cases[] = {
        {S1, 1, NULL},
        {S1 "\n", 1, NULL},
        {"# new\n\n  " S1 " \t# made in May\r\n" S2 "\r\n", 2, NULL},
        {"", 0, "no secret"},
        {"\n#" S1 "\n", 0, "no secret"},
        {S1 "\n" S2 "0\n", 0, "line 2: a secret has 32 hex digits"},
        {"0x" S1 "\n", 0, "line 1: a secret has 32 hex digits"},
        {S1 S2, 0, "line 1: a secret"},
        {"0g112233445566778899aabbccddeeff", 0, "line 1: a secret"},
        {S1 "\n\n00112233445566778899AABBCCDDEEFF\n", 0, "line 3: the secret stands there twice"},
        {"00000000000000000000000000000001\n00000000000000000000000000000002\n"
         "00000000000000000000000000000003\n00000000000000000000000000000004\n"
         "00000000000000000000000000000005\n00000000000000000000000000000006\n"
         "00000000000000000000000000000007\n00000000000000000000000000000008\n" S1,
         0, "line 9: there are more than 8"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct cookie_secrets s = {0};
        struct errinfo e = {{0}};
        enum err rc = cookie_secrets_read(&s, cases[i].text, strlen(cases[i].text), &e);

        assert_int_equal(rc, cases[i].says ? ERR_FORMAT : OK);
        if (rc) {
            assert_non_null(strstr(e.text, cases[i].says));
            assert_null(strstr(e.text, "112233"));
            continue;
        }
        assert_int_equal(s.count, cases[i].count);
        assert_memory_equal(s.secret[0], "\x00\x11\x22\x33\x44\x55\x66\x77", 8);
        if (s.count > 1)
            assert_memory_equal(s.secret[1] + 8, "\x77\x66\x55\x44\x33\x22\x11\x00", 8);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_learning_a_cookie),
        cmocka_unit_test(test_renewing_a_cookie),
        cmocka_unit_test(test_reserved_octets_are_hashed_as_they_came),
        cmocka_unit_test(test_ipv6_and_a_rolled_secret),
        cmocka_unit_test(test_every_length),
        cmocka_unit_test(test_every_bit_and_the_address_count),
        cmocka_unit_test(test_time),
        cmocka_unit_test(test_secrets_as_text),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
