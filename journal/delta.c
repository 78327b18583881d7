/* Deltas as git's packs have them: varints of both lengths, then copies from the base and octets of
 * their own. Ours are made knowing what changed: versions of a part are equal but for an edit or
 * two, so the common start, the common end and, where the middles are as long as each other, what
 * is equal in these, find as much as a search would, at a fraction of its cost.
 */
#include <string.h>

#include "journal/journal_internal.h"

#define COPY_MAX 0xffffu /* in one instruction */
#define INSERT_MAX 127u  /* likewise */
#define COPY_MIN 8u      /* shorter ones cost what they save */

static void put_varint(struct buf *b, size_t v)
{
    for (; v > 127; v >>= 7)
        buf_u8(b, (uint8_t)(0x80 | (v & 0x7f)));
    buf_u8(b, (uint8_t)v);
}

/* A bit of the first octet for each octet of offset and length that isn't zero. */
static void put_copy(struct buf *b, size_t at, size_t n)
{
    while (n) {
        size_t k = n < COPY_MAX ? n : COPY_MAX;
        size_t head = b->len;
        uint8_t bits = 0x80;

        buf_u8(b, 0);
        for (unsigned i = 0; i < 4; i++) {
            if (at >> 8 * i & 0xff) {
                bits |= (uint8_t)(1u << i);
                buf_u8(b, (uint8_t)(at >> 8 * i));
            }
        }
        for (unsigned i = 0; i < 2; i++) {
            if (k >> 8 * i & 0xff) {
                bits |= (uint8_t)(0x10u << i);
                buf_u8(b, (uint8_t)(k >> 8 * i));
            }
        }
        b->data[head] = bits;
        at += k;
        n -= k;
    }
}

static void put_insert(struct buf *b, const uint8_t *p, size_t n)
{
    while (n) {
        size_t k = n < INSERT_MAX ? n : INSERT_MAX;

        buf_u8(b, (uint8_t)k);
        buf_put(b, p, k);
        p += k;
        n -= k;
    }
}

/* Two texts of one length, which begin at `at` in the base. */
static void put_equal_lengths(struct buf *b, const uint8_t *base, const uint8_t *to, size_t n,
                              size_t at)
{
    size_t own = 0; /* from here on, octets are not written yet */

    for (size_t i = 0; i < n;) {
        size_t k = i;

        while (k < n && base[k] == to[k])
            k++;
        if (k - i >= COPY_MIN) {
            put_insert(b, to + own, i - own);
            put_copy(b, at + i, k - i);
            own = k;
        }
        i = k + 1;
    }
    if (own < n)
        put_insert(b, to + own, n - own);
}

void delta_encode(struct buf *out, const struct delta_text *base, const struct delta_text *to)
{
    size_t shorter = base->len < to->len ? base->len : to->len;
    size_t start = 0, end = 0;
    size_t middle;

    while (start < shorter && base->data[start] == to->data[start])
        start++;
    while (end < shorter - start && base->data[base->len - 1 - end] == to->data[to->len - 1 - end])
        end++;
    middle = to->len - start - end;
    put_varint(out, base->len);
    put_varint(out, to->len);
    put_copy(out, 0, start);
    if (base->len == to->len)
        put_equal_lengths(out, base->data + start, to->data + start, middle, start);
    else
        put_insert(out, to->data + start, middle);
    put_copy(out, base->len - end, end);
}

static bool take_varint(struct reader *r, size_t *v)
{
    uint8_t c = 0x80;

    *v = 0;
    for (unsigned shift = 0; c & 0x80 && shift < 60; shift += 7) {
        c = read_u8(r);
        *v |= (size_t)(c & 0x7f) << shift;
    }
    return !r->failed && !(c & 0x80);
}

static void take_copy(struct reader *r, uint8_t bits, size_t *at, size_t *n)
{
    *at = *n = 0;
    for (unsigned i = 0; i < 4; i++)
        if (bits & 1u << i)
            *at |= (size_t)read_u8(r) << 8 * i;
    for (unsigned i = 0; i < 3; i++)
        if (bits & 0x10u << i)
            *n |= (size_t)read_u8(r) << 8 * i;
    if (*n == 0)
        *n = 0x10000;
}

bool delta_check(const struct buf *delta, const struct delta_text *base,
                 const struct delta_text *to)
{
    struct reader r = reader_of(delta->data, delta->len);
    size_t base_len = 0, to_len = 0;
    size_t done = 0;

    if (!take_varint(&r, &base_len) || !take_varint(&r, &to_len) || base_len != base->len ||
        to_len != to->len)
        return false;
    while (reader_left(&r)) {
        uint8_t op = read_u8(&r);
        const uint8_t *p;
        size_t at = 0;
        size_t n = op;

        if (op & 0x80) {
            take_copy(&r, op, &at, &n);
            if (at > base->len || n > base->len - at)
                return false;
            p = base->data + at;
        } else {
            p = n ? read_bytes(&r, n) : NULL;
        }
        if (!p || r.failed || n > to->len - done || memcmp(p, to->data + done, n) != 0)
            return false;
        done += n;
    }
    return done == to->len;
}
