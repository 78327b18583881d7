#include "lib/base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

static void mono_arithmetic(void **state)
{
    struct mono a = {1000};

    (void)state;
    assert_int_equal(mono_cmp(a, a), 0);
    assert_true(mono_cmp(a, mono_add_ms(a, 1)) < 0);
    assert_true(mono_cmp(a, mono_add_ms(a, -1)) > 0);
    assert_int_equal(mono_add_ms(a, 234).ms, 1234);
}

static void real_clocks(void **state)
{
    const struct clock *c = clock_real();
    struct mono a = clock_mono(c);
    struct mono b = clock_mono(c);
    struct wall w = clock_wall(c);

    (void)state;
    assert_true(mono_cmp(a, b) <= 0);
    assert_true(llabs((long long)time(NULL) - (long long)w.s) <= 2);
}

static void real_randomness(void **state)
{
    uint8_t a[64] = {0};
    uint8_t b[64] = {0};
    uint8_t big[5000] = {0}; /* more than getrandom promises to give at once */
    unsigned zeros = 0;

    (void)state;
    clock_random(clock_real(), a, sizeof(a));
    clock_random(clock_real(), b, sizeof(b));
    assert_memory_not_equal(a, b, sizeof(a));
    clock_random(clock_real(), big, sizeof(big));
    for (size_t i = 4000; i < sizeof(big); i++)
        zeros += big[i] == 0;
    assert_true(zeros < 100);
    clock_random(clock_real(), a, 0);
}

static void wall_times_as_text(void **state)
{
    static const struct {
        int64_t s;
        const char *text;
    } cases[] = {
        {0, "1970-01-01T00:00:00Z"},          {1795447540, "2026-11-23T15:25:40Z"},
        {2147483648, "2038-01-19T03:14:08Z"}, {4294967296, "2106-02-07T06:28:16Z"},
        {-1, "1969-12-31T23:59:59Z"},         {INT64_MAX, "@9223372036854775807"},
    };
    char text[WALL_TEXT_MAX];

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        wall_to_text(text, (struct wall){cases[i].s});
        assert_string_equal(text, cases[i].text);
    }
}

#ifdef CLOCK_OFFSET_FILE
static void offset_file_moves_the_wall_clock(void **state)
{
    char path[] = "/tmp/zl_clock_XXXXXX";
    int fd = mkstemp(path);
    struct wall before = clock_wall(clock_real());

    (void)state;
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "-86400\n", 7), 7);
    assert_int_equal(setenv("ZL_CLOCK_OFFSET_FILE", path, 1), 0);
    assert_true(llabs((long long)(clock_wall(clock_real()).s - before.s + 86400)) <= 2);
    assert_int_equal(ftruncate(fd, 0), 0);
    assert_true(llabs((long long)(clock_wall(clock_real()).s - before.s)) <= 2);
    assert_int_equal(unlink(path), 0);
    assert_true(llabs((long long)(clock_wall(clock_real()).s - before.s)) <= 2);
    assert_int_equal(unsetenv("ZL_CLOCK_OFFSET_FILE"), 0);
    (void)close(fd);
}
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mono_arithmetic),
        cmocka_unit_test(real_clocks),
        cmocka_unit_test(real_randomness),
        cmocka_unit_test(wall_times_as_text),
#ifdef CLOCK_OFFSET_FILE
        cmocka_unit_test(offset_file_moves_the_wall_clock),
#endif
    };

    return cmocka_run_group_tests_name("clock", tests, NULL, NULL);
}
