#include "lib/base/hash.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Key 00 01 ... 0f, data 00 01 ... of each length: the vectors that its authors publish. */
static const struct {
    size_t len;
    uint64_t hash;
} siphash24[] = {
    {0, UINT64_C(0x726fdb47dd0e0e31)},  {1, UINT64_C(0x74f839c593dc67fd)},
    {7, UINT64_C(0xab0200f58b01d137)},  {8, UINT64_C(0x93f5f5799a932462)},
    {15, UINT64_C(0xa129ca6149be45e5)},
};

/* Key of zeros, data 00 01 ...: as CPython 3.11 hashes bytes under PYTHONHASHSEED=0. */
static const struct {
    size_t len;
    uint64_t hash;
} siphash13[] = {
    {1, UINT64_C(0x68a914128e01e473)},  {7, UINT64_C(0x2f098ab0c751325a)},
    {8, UINT64_C(0xead411e67ebe2eea)},  {9, UINT64_C(0x75927f9d95124362)},
    {15, UINT64_C(0xf30eb725bb91c9ea)}, {16, UINT64_C(0x8972188433a5c5b7)},
    {63, UINT64_C(0x385d3e39e5f37359)}, {255, UINT64_C(0x5dc1f93ea135eb43)},
};

static uint8_t *counted(size_t n)
{
    uint8_t *p = malloc(n ? n : 1);

    assert_non_null(p);
    for (size_t i = 0; i < n; i++)
        p[i] = (uint8_t)i;
    return p;
}

static void published_vectors(void **state)
{
    uint8_t *key = counted(16);

    (void)state;
    for (size_t i = 0; i < sizeof(siphash24) / sizeof(siphash24[0]); i++) {
        uint8_t *data = counted(siphash24[i].len);

        assert_true(siphash_2_4(key, data, siphash24[i].len) == siphash24[i].hash);
        free(data);
    }
    free(key);
}

static void vectors_of_another(void **state)
{
    static const uint8_t key[16];

    (void)state;
    for (size_t i = 0; i < sizeof(siphash13) / sizeof(siphash13[0]); i++) {
        uint8_t *data = counted(siphash13[i].len);

        assert_true(siphash_1_3(key, data, siphash13[i].len) == siphash13[i].hash);
        free(data);
    }
}

static void unaligned_data(void **state)
{
    static const uint8_t key[16] = {1};
    uint8_t *data = counted(64);
    uint8_t moved[80];

    (void)state;
    for (size_t shift = 0; shift < 16; shift++) {
        memcpy(moved + shift, data, 64);
        assert_true(siphash_1_3(key, moved + shift, 64) == siphash_1_3(key, data, 64));
    }
    free(data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(published_vectors),
        cmocka_unit_test(vectors_of_another),
        cmocka_unit_test(unaligned_data),
    };

    return cmocka_run_group_tests_name("hash", tests, NULL, NULL);
}
