#include "lib/base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void plain_allocation(void **state)
{
    char *s = xstrdup("abc");
    uint8_t *zero = xcalloc(3, 5);
    char *text = xasprintf("%s-%d", s, 7);

    (void)state;
    assert_string_equal(s, "abc");
    for (int i = 0; i < 15; i++)
        assert_int_equal(zero[i], 0);
    assert_string_equal(text, "abc-7");
    s = xrealloc(s, 100);
    assert_string_equal(s, "abc");
    free(s);
    free(zero);
    free(text);
}

static void nothing_is_something_too(void **state)
{
    void *list[] = {xmalloc(0), xcalloc(0, 8), xcalloc(8, 0), xrealloc(NULL, 0), xmemdup(NULL, 0)};

    (void)state;
    for (size_t i = 0; i < sizeof(list) / sizeof(list[0]); i++) {
        assert_non_null(list[i]);
        free(list[i]);
    }
}

static void arrays_grow_by_doubling(void **state)
{
    uint32_t *p = NULL;
    size_t cap = 0;
    unsigned moves = 0;

    (void)state;
    for (size_t i = 0; i < 10000; i++) {
        size_t was = cap;

        p = xgrow(p, &cap, i + 1, sizeof(*p));
        assert_true(cap > i);
        moves += cap != was;
        p[i] = (uint32_t)i;
    }
    for (size_t i = 0; i < 10000; i++)
        assert_int_equal(p[i], i);
    assert_true(moves <= 12);
    free(p);
    cap = 0;
    p = xgrow(NULL, &cap, 0, sizeof(*p)); /* never NULL */
    assert_non_null(p);
    free(p);
}

static void arena_gives_separate_memory(void **state)
{
    struct arena a = {.chunks = NULL};
    uint8_t *list[500];

    (void)state;
    for (size_t i = 0; i < 500; i++) {
        size_t n = i * 7 % 400;

        list[i] = arena_alloc(&a, n);
        assert_int_equal((uintptr_t)list[i] % 8, 0);
        memset(list[i], (int)i, n);
    }
    for (size_t i = 0; i < 500; i++) {
        for (size_t k = 0; k < i * 7 % 400; k++)
            assert_int_equal(list[i][k], (uint8_t)i);
    }
    arena_done(&a);
    assert_int_equal(a.used, 0);
    assert_string_equal(arena_strdup(&a, "again"), "again");
    arena_done(&a);
    arena_done(&a);
}

static void arena_mixes_aligned_and_not(void **state)
{
    struct arena a = {.chunks = NULL};

    (void)state;
    for (size_t i = 0; i < 3000; i++) {
        uint8_t *b = arena_bytes(&a, i % 5 + 1);
        uint64_t *v = arena_zalloc(&a, sizeof(*v));

        memset(b, 0xff, i % 5 + 1);
        assert_int_equal((uintptr_t)v % 8, 0);
        assert_int_equal(*v, 0);
        *v = UINT64_MAX;
    }
    arena_done(&a);
}

static void arena_takes_big_pieces(void **state)
{
    struct arena a = {.chunks = NULL};
    uint8_t *small = arena_dup(&a, "abc", 4);
    uint8_t *big = arena_alloc(&a, 1000000);
    uint8_t *next = arena_dup(&a, "def", 4);

    (void)state;
    memset(big, 1, 1000000);
    assert_string_equal((char *)small, "abc");
    assert_string_equal((char *)next, "def");
    arena_done(&a);
}

static void arena_counts_its_budget(void **state)
{
    struct arena a;

    (void)state;
    arena_init(&a, 1000);
    (void)arena_bytes(&a, 1000);
    assert_false(arena_over(&a));
    (void)arena_bytes(&a, 1);
    assert_true(arena_over(&a));
    arena_done(&a);
    assert_false(arena_over(&a));
    assert_int_equal(a.limit, 1000);
    arena_init(&a, 0);
    (void)arena_bytes(&a, 100000);
    assert_false(arena_over(&a));
    arena_done(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_allocation),
        cmocka_unit_test(nothing_is_something_too),
        cmocka_unit_test(arrays_grow_by_doubling),
        cmocka_unit_test(arena_gives_separate_memory),
        cmocka_unit_test(arena_mixes_aligned_and_not),
        cmocka_unit_test(arena_takes_big_pieces),
        cmocka_unit_test(arena_counts_its_budget),
    };

    return cmocka_run_group_tests_name("mem", tests, NULL, NULL);
}
