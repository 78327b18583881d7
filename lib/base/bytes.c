#include "lib/base/bytes.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/mem.h"

struct reader reader_of(const void *p, size_t n)
{
    return (struct reader){.msg = p, .end = n};
}

void reader_fail(struct reader *r)
{
    *r = (struct reader){.msg = r->msg, .failed = true};
}

const uint8_t *read_bytes_odd(struct reader *r, size_t n)
{
    static const uint8_t nothing[1];

    if (n > 0 || r->failed) {
        reader_fail(r);
        return NULL;
    }
    return r->msg ? r->msg + r->pos : nothing;
}

uint64_t read_u48(struct reader *r)
{
    const uint8_t *b = read_bytes(r, 6);

    return b ? (uint64_t)get_u16(b) << 32 | get_u32(b + 2) : 0;
}

uint64_t read_u64(struct reader *r)
{
    const uint8_t *b = read_bytes(r, 8);

    return b ? (uint64_t)get_u32(b) << 32 | get_u32(b + 4) : 0;
}

struct reader read_part(struct reader *r, size_t n)
{
    struct reader part = *r;

    if (!read_bytes(r, n)) {
        reader_fail(&part);
        return part;
    }
    part.end = part.pos + n;
    return part;
}

struct writer writer_of(void *p, size_t cap)
{
    return (struct writer){.buf = p, .cap = cap};
}

uint8_t *write_space(struct writer *w, size_t n)
{
    if (w->overflow || n > w->cap - w->pos) {
        w->overflow = true;
        return NULL;
    }
    w->pos += n;
    return w->buf + w->pos - n;
}

void write_bytes(struct writer *w, const void *p, size_t n)
{
    uint8_t *to = write_space(w, n);

    if (to && n)
        memcpy(to, p, n);
}

void write_u8(struct writer *w, uint8_t v)
{
    write_bytes(w, &v, 1);
}

void write_u16(struct writer *w, uint16_t v)
{
    uint8_t *to = write_space(w, 2);

    if (to)
        put_u16(to, v);
}

void write_u32(struct writer *w, uint32_t v)
{
    uint8_t *to = write_space(w, 4);

    if (to)
        put_u32(to, v);
}

void write_u48(struct writer *w, uint64_t v)
{
    uint8_t *to = write_space(w, 6);

    if (to) {
        put_u16(to, (uint16_t)(v >> 32));
        put_u32(to + 2, (uint32_t)v);
    }
}

void write_u64(struct writer *w, uint64_t v)
{
    write_u32(w, (uint32_t)(v >> 32));
    write_u32(w, (uint32_t)v);
}

void write_u16_at(struct writer *w, size_t pos, uint16_t v)
{
    if (w->overflow)
        return;
    assert(pos + 2 <= w->pos);
    put_u16(w->buf + pos, v);
}

void buf_free(struct buf *b)
{
    free(b->data);
    *b = (struct buf)BUF_INIT;
}

void buf_reserve(struct buf *b, size_t n)
{
    size_t need = 0;

    if (__builtin_add_overflow(b->len, n, &need))
        abort();
    if (need > b->cap || !b->data)
        b->data = xgrow(b->data, &b->cap, need, 1);
}

uint8_t *buf_space(struct buf *b, size_t n)
{
    buf_reserve(b, n);
    b->len += n;
    return b->data + b->len - n;
}

void buf_put(struct buf *b, const void *p, size_t n)
{
    uint8_t *to = buf_space(b, n);

    if (n)
        memcpy(to, p, n);
}

void buf_u8(struct buf *b, uint8_t v)
{
    *buf_space(b, 1) = v;
}

void buf_u16(struct buf *b, uint16_t v)
{
    put_u16(buf_space(b, 2), v);
}

void buf_u32(struct buf *b, uint32_t v)
{
    put_u32(buf_space(b, 4), v);
}

void buf_u64(struct buf *b, uint64_t v)
{
    buf_u32(b, (uint32_t)(v >> 32));
    buf_u32(b, (uint32_t)v);
}

void buf_str(struct buf *b, const char *s)
{
    buf_put(b, s, strlen(s));
}

void buf_printf(struct buf *b, const char *fmt, ...)
{
    va_list ap;
    va_list again;
    int n;

    va_start(ap, fmt);
    va_copy(again, ap);
    buf_reserve(b, 128);
    n = vsnprintf((char *)b->data + b->len, b->cap - b->len, fmt, ap);
    va_end(ap);
    if (n >= 0 && (size_t)n >= b->cap - b->len) {
        buf_reserve(b, (size_t)n + 1);
        n = vsnprintf((char *)b->data + b->len, b->cap - b->len, fmt, again);
    }
    va_end(again);
    if (n > 0)
        b->len += (size_t)n;
}

const char *buf_cstr(struct buf *b)
{
    buf_reserve(b, 1);
    b->data[b->len] = 0;
    return (const char *)b->data;
}
