#include "lib/base/api_key.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void a_key_is_known_by_its_hash(void **state)
{
    char key[API_KEY_MAX], hash[API_KEY_HASH_MAX], other[API_KEY_MAX],
        others_hash[API_KEY_HASH_MAX];
    struct errinfo e;

    (void)state;
    assert_int_equal(api_key_make(key, hash, &e), OK);
    assert_int_equal(api_key_make(other, others_hash, &e), OK);
    assert_int_equal(strlen(key), API_KEY_MAX - 5);
    assert_memory_equal(key, "zl_", 3);
    assert_true(api_key_hash_is_right(hash));
    assert_string_not_equal(key, other);
    assert_null(strstr(hash, key + 3));
    assert_true(api_key_matches(hash, key));
    assert_true(api_key_matches(others_hash, other));
    assert_false(api_key_matches(hash, other));
    assert_false(api_key_matches(others_hash, key));
}

/* echo -n 000102030405060708090a0b0c0d0e0fzl_x | sha256sum */
static void the_hash_is_a_plain_salted_one(void **state)
{
    (void)state;
    assert_true(api_key_matches("000102030405060708090a0b0c0d0e0f:"
                                "d87bc7e9aa0bd849a5dc653cf9f27ed0703123ee24660ac02aa45760b54e5639",
                                "zl_x"));
}

static void each_digit_counts(void **state)
{
    char key[API_KEY_MAX], hash[API_KEY_HASH_MAX];

    (void)state;
    assert_int_equal(api_key_make(key, hash, NULL), OK);
    for (size_t i = 0; key[i]; i++) {
        char was = key[i];

        key[i] = was == '0' ? '1' : '0';
        assert_false(api_key_matches(hash, key));
        key[i] = 0;
        assert_false(api_key_matches(hash, key));
        key[i] = was;
    }
    assert_true(api_key_matches(hash, key));
    for (size_t i = 0; hash[i]; i++) {
        char was = hash[i];

        hash[i] = 'g';
        assert_false(api_key_hash_is_right(hash));
        hash[i] = 0;
        assert_false(api_key_hash_is_right(hash));
        hash[i] = was;
    }
    memcpy(hash + strlen(hash), "0", 2);
    assert_false(api_key_hash_is_right(hash));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_key_is_known_by_its_hash),
        cmocka_unit_test(the_hash_is_a_plain_salted_one),
        cmocka_unit_test(each_digit_counts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
