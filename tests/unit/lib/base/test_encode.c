#include "lib/base/encode.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

typedef void encode_fn(struct buf *out, const uint8_t *p, size_t n);
typedef bool decode_fn(struct buf *out, const char *text, size_t len);

/* RFC 4648 10 */
static const struct {
    const char *plain, *base64, *base32hex, *hex;
} vectors[] = {
    {"", "", "", ""},
    {"f", "Zg==", "CO", "66"},
    {"fo", "Zm8=", "CPNG", "666F"},
    {"foo", "Zm9v", "CPNMU", "666F6F"},
    {"foob", "Zm9vYg==", "CPNMUOG", "666F6F62"},
    {"fooba", "Zm9vYmE=", "CPNMUOJ1", "666F6F6261"},
    {"foobar", "Zm9vYmFy", "CPNMUOJ1E8", "666F6F626172"},
};

static void both_ways(encode_fn *encode, decode_fn *decode, const char *plain, const char *text)
{
    struct buf out = BUF_INIT;

    buf_u8(&out, '>');
    encode(&out, (const uint8_t *)plain, strlen(plain));
    assert_string_equal(buf_cstr(&out) + 1, text);
    out.len = 1;
    assert_true(decode(&out, text, strlen(text)));
    assert_string_equal(buf_cstr(&out) + 1, plain);
    buf_free(&out);
}

static void standard_vectors(void **state)
{
    struct buf out = BUF_INIT;

    (void)state;
    for (size_t i = 0; i < COUNT(vectors); i++) {
        both_ways(base64_encode, base64_decode, vectors[i].plain, vectors[i].base64);
        both_ways(base32hex_encode, base32hex_decode, vectors[i].plain, vectors[i].base32hex);
        both_ways(hex_encode_upper, hex_decode, vectors[i].plain, vectors[i].hex);
    }
    hex_encode(&out, (const uint8_t *)"\xab\xcd\xef", 3);
    assert_string_equal(buf_cstr(&out), "abcdef");
    buf_free(&out);
}

static void any_octets(encode_fn *encode, decode_fn *decode)
{
    uint8_t data[256];

    for (size_t n = 0; n <= sizeof(data); n++) {
        struct buf text = BUF_INIT;
        struct buf back = BUF_INIT;

        for (size_t i = 0; i < n; i++)
            data[i] = (uint8_t)(i * 37 + n * 101);
        encode(&text, data, n);
        assert_true(decode(&back, (const char *)text.data, text.len));
        assert_int_equal(back.len, n);
        if (n)
            assert_memory_equal(back.data, data, n);
        buf_free(&text);
        buf_free(&back);
    }
}

static void every_length_survives(void **state)
{
    (void)state;
    any_octets(hex_encode, hex_decode);
    any_octets(hex_encode_upper, hex_decode);
    any_octets(base64_encode, base64_decode);
    any_octets(base32hex_encode, base32hex_decode);
}

static void refused(decode_fn *decode, const char *text)
{
    struct buf out = BUF_INIT;
    size_t n = strlen(text);
    char *exact = malloc(n ? n : 1);

    assert_non_null(exact);
    memcpy(exact, text, n);
    buf_str(&out, "keep");
    if (decode(&out, exact, n))
        fail_msg("%s", text);
    assert_int_equal(out.len, 4);
    assert_memory_equal(out.data, "keep", 4);
    free(exact);
    buf_free(&out);
}

static void decoding_is_strict(void **state)
{
    static const char *const bad_hex[] = {"0", "abc", "0g", "0x00", "00-", "\xc3\xa4", "00="};
    static const char *const bad_base64[] = {
        "A",    "AA",       "AAA",   "AA=",     "A===",   "====",     "=AAA",
        "AA=A", "AA==AAAA", "AAA==", "AAAA=",   "AAAA==", "AAAA====", "AB==",
        "AAB=", "AA-_",     "AA\\A", "AAA\x80", "=",      "AA==="};
    static const char *const bad_base32[] = {"0",  "000",   "000000",   "CP", "CPNH",
                                             "W0", "00 00", "CO======", "0-"};

    (void)state;
    for (size_t i = 0; i < COUNT(bad_hex); i++)
        refused(hex_decode, bad_hex[i]);
    for (size_t i = 0; i < COUNT(bad_base64); i++)
        refused(base64_decode, bad_base64[i]);
    for (size_t i = 0; i < COUNT(bad_base32); i++)
        refused(base32hex_decode, bad_base32[i]);
}

static void blanks_and_case(void **state)
{
    struct buf out = BUF_INIT;

    (void)state;
    assert_true(hex_decode(&out, " 6 6\t6f\r\n6F ", 11));
    assert_string_equal(buf_cstr(&out), "foo");
    out.len = 0;
    assert_true(base64_decode(&out, " Z\tm\n8 = ", 9));
    assert_string_equal(buf_cstr(&out), "fo");
    out.len = 0;
    assert_true(base32hex_decode(&out, "cpnmUOj1e8", 10));
    assert_string_equal(buf_cstr(&out), "foobar");
    out.len = 0;
    assert_true(base64_decode(&out, "  ", 2));
    assert_true(hex_decode(&out, "\n", 1));
    assert_int_equal(out.len, 0);
    buf_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(standard_vectors),
        cmocka_unit_test(every_length_survives),
        cmocka_unit_test(decoding_is_strict),
        cmocka_unit_test(blanks_and_case),
    };

    return cmocka_run_group_tests_name("encode", tests, NULL, NULL);
}
