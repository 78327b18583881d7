#include "lib/base/bytes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const uint8_t octets[] = {1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11,
                                 12, 13, 14, 15, 16, 17, 18, 19, 20, 21};

static void reads_integers(void **state)
{
    struct reader r = reader_of(octets, sizeof(octets));

    (void)state;
    assert_int_equal(read_u8(&r), 1);
    assert_int_equal(read_u16(&r), 0x0203);
    assert_int_equal(read_u32(&r), 0x04050607);
    assert_true(read_u48(&r) == UINT64_C(0x08090a0b0c0d));
    assert_true(read_u64(&r) == UINT64_C(0x0e0f101112131415));
    assert_int_equal(reader_left(&r), 0);
    assert_false(r.failed);
}

static void failed_now(struct reader *r)
{
    assert_true(r->failed);
    assert_int_equal(reader_left(r), 0);
    assert_int_equal(read_u8(r), 0);
    assert_int_equal(read_u16(r), 0);
    assert_int_equal(read_u32(r), 0);
    assert_true(read_u48(r) == 0 && read_u64(r) == 0);
    assert_null(read_bytes(r, 1));
    assert_null(read_bytes(r, 0));
    assert_true(r->failed);
}

static void stays_failed_behind_the_end(void **state)
{
    (void)state;
    for (size_t left = 0; left < 8; left++) {
        struct reader r = reader_of(octets, left);

        assert_true(read_u64(&r) == 0);
        failed_now(&r);
        r = reader_of(octets, left);
        assert_null(read_bytes(&r, SIZE_MAX));
        failed_now(&r);
        r = reader_of(octets, left);
        assert_ptr_equal(read_bytes(&r, left), octets);
        assert_false(r.failed);
    }
}

static void empty_reader(void **state)
{
    struct reader r = reader_of(NULL, 0);

    (void)state;
    assert_non_null(read_bytes(&r, 0));
    assert_false(r.failed);
    assert_int_equal(read_u8(&r), 0);
    failed_now(&r);
}

static void parts_stay_inside(void **state)
{
    struct reader r = reader_of(octets, 8);
    struct reader part;

    (void)state;
    (void)read_u16(&r);
    part = read_part(&r, 3);
    assert_ptr_equal(part.msg, octets); /* it knows the whole message */
    assert_int_equal(reader_left(&part), 3);
    assert_int_equal(read_u16(&part), 0x0304);
    assert_int_equal(read_u16(&part), 0);
    failed_now(&part);
    assert_int_equal(read_u8(&r), 6); /* the whole goes on behind the part */
    part = read_part(&r, 3);
    failed_now(&part);
    failed_now(&r);
    part = read_part(&r, 0);
    failed_now(&part);
}

static void writes_integers(void **state)
{
    uint8_t out[21];
    struct writer w = writer_of(out, sizeof(out));

    (void)state;
    write_u8(&w, 1);
    write_u16(&w, 0x0203);
    write_u32(&w, 0x04050607);
    write_u48(&w, UINT64_C(0x08090a0b0c0d));
    write_u64(&w, UINT64_C(0x0e0f101112131415));
    assert_false(w.overflow);
    assert_int_equal(w.pos, sizeof(out));
    assert_memory_equal(out, octets, sizeof(out));
    write_u16_at(&w, 19, 0xabcd);
    assert_int_equal(get_u16(out + 19), 0xabcd);
    write_bytes(&w, NULL, 0);
    assert_false(w.overflow);
}

static void overflow_stays(void **state)
{
    (void)state;
    for (size_t cap = 0; cap < 4; cap++) {
        uint8_t *out = malloc(cap + 1); /* so that the sanitizer sees a write behind it */
        struct writer w = writer_of(out, cap);

        memset(out, 0xee, cap + 1);
        write_u32(&w, 0x01020304);
        assert_true(w.overflow && w.pos == 0);
        write_u8(&w, 1); /* it would fit */
        write_u16(&w, 1);
        write_u48(&w, 1);
        write_u64(&w, 1);
        assert_null(write_space(&w, 0));
        write_u16_at(&w, 0, 1);
        assert_true(w.overflow && w.pos == 0);
        for (size_t i = 0; i <= cap; i++)
            assert_int_equal(out[i], 0xee);
        free(out);
    }
}

static void buf_grows(void **state)
{
    struct buf b = BUF_INIT;

    (void)state;
    for (unsigned i = 0; i < 5000; i++) {
        buf_u8(&b, (uint8_t)i);
        buf_u16(&b, (uint16_t)i);
        buf_u32(&b, i);
        buf_u64(&b, i);
    }
    assert_int_equal(b.len, 5000 * 15);
    for (unsigned i = 0; i < 5000; i++) {
        struct reader r = reader_of(b.data + (size_t)i * 15, 15);

        assert_int_equal(read_u8(&r), i & 0xff);
        assert_int_equal(read_u16(&r), i);
        assert_int_equal(read_u32(&r), i);
        assert_true(read_u64(&r) == i);
    }
    buf_free(&b);
    assert_true(b.data == NULL && b.len == 0 && b.cap == 0);
    buf_free(&b);
}

static void buf_builds_strings(void **state)
{
    struct buf b = BUF_INIT;
    char big[1000];

    (void)state;
    assert_string_equal(buf_cstr(&b), "");
    memset(big, 'x', sizeof(big) - 1);
    big[sizeof(big) - 1] = 0;
    buf_str(&b, "a");
    buf_put(&b, "bc", 2);
    buf_put(&b, NULL, 0);
    buf_printf(&b, "-%d-%s", 12, big);
    assert_int_equal(b.len, 3 + 4 + sizeof(big) - 1);
    assert_memory_equal(buf_cstr(&b), "abc-12-xxx", 10);
    assert_int_equal(strlen(buf_cstr(&b)), b.len);
    for (size_t n = 0; n < 300; n++) { /* each length up to and over what is free */
        b.len = 0;
        buf_printf(&b, "%.*s", (int)n, big);
        assert_int_equal(b.len, n);
    }
    buf_free(&b);
}

static void reserve_does_not_move(void **state)
{
    struct buf b = BUF_INIT;
    uint8_t *p;

    (void)state;
    buf_reserve(&b, 1000);
    p = b.data;
    for (unsigned i = 0; i < 1000; i++)
        buf_u8(&b, 1);
    assert_ptr_equal(b.data, p);
    buf_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_integers),
        cmocka_unit_test(stays_failed_behind_the_end),
        cmocka_unit_test(empty_reader),
        cmocka_unit_test(parts_stay_inside),
        cmocka_unit_test(writes_integers),
        cmocka_unit_test(overflow_stays),
        cmocka_unit_test(buf_grows),
        cmocka_unit_test(buf_builds_strings),
        cmocka_unit_test(reserve_does_not_move),
    };

    return cmocka_run_group_tests_name("bytes", tests, NULL, NULL);
}
