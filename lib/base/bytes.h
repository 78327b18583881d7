/* The one way to read and to write bytes of any format: DNS messages, pages, change sets, frames.
 *
 * Reading past the end gives zeros and leaves the reader failed and empty, so that a parser reads
 * straight on, its loops end, and it asks once, at the end. A part with a length becomes a reader
 * of its own (read_part), which cannot leave it but still knows the whole message, so that DNS
 * compression pointers inside RDATA find what they point at. All integers are in network order.
 *
 * `struct writer` has a fixed bound and an overflow flag that stays; `struct buf` grows.
 */
#ifndef ZL_BASE_BYTES_H
#define ZL_BASE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

static inline void put_u16(uint8_t *p, uint16_t v)
{
    p[0] = (uint8_t)(v >> 8);
    p[1] = (uint8_t)v;
}

static inline void put_u32(uint8_t *p, uint32_t v)
{
    put_u16(p, (uint16_t)(v >> 16));
    put_u16(p + 2, (uint16_t)v);
}

static inline uint16_t get_u16(const uint8_t *p)
{
    return (uint16_t)(p[0] << 8 | p[1]);
}

static inline uint32_t get_u32(const uint8_t *p)
{
    return (uint32_t)get_u16(p) << 16 | get_u16(p + 2);
}

struct reader {
    const uint8_t *msg; /* start of the whole message */
    size_t pos;         /* next octet to read, from msg */
    size_t end;         /* first octet behind this part, from msg */
    bool failed;
};

struct reader reader_of(const void *p, size_t n);

static inline size_t reader_left(const struct reader *r)
{
    return r->end - r->pos;
}

/* Marks the reader failed and empty. */
void reader_fail(struct reader *r);

/* read_bytes for none, or for more than are left: out of the way of what parsers do all day. */
const uint8_t *read_bytes_odd(struct reader *r, size_t n);

/* NULL (and failed) if fewer than n are left; n == 0 gives a valid pointer. */
static inline const uint8_t *read_bytes(struct reader *r, size_t n)
{
    if (n == 0 || n > reader_left(r))
        return read_bytes_odd(r, n);
    r->pos += n;
    return r->msg + r->pos - n;
}

static inline uint8_t read_u8(struct reader *r)
{
    const uint8_t *b = read_bytes(r, 1);

    return b ? b[0] : 0;
}

static inline uint16_t read_u16(struct reader *r)
{
    const uint8_t *b = read_bytes(r, 2);

    return b ? get_u16(b) : 0;
}

static inline uint32_t read_u32(struct reader *r)
{
    const uint8_t *b = read_bytes(r, 4);

    return b ? get_u32(b) : 0;
}

uint64_t read_u48(struct reader *r);
uint64_t read_u64(struct reader *r);

/* The next n octets as a reader of their own; failed at once if they are not there. */
struct reader read_part(struct reader *r, size_t n);

struct writer {
    uint8_t *buf;
    size_t pos;
    size_t cap;
    bool overflow; /* something did not fit; nothing is written from then on */
};

struct writer writer_of(void *p, size_t cap);
uint8_t *write_space(struct writer *w, size_t n); /* n octets to fill, or NULL on overflow */
void write_bytes(struct writer *w, const void *p, size_t n);
void write_u8(struct writer *w, uint8_t v);
void write_u16(struct writer *w, uint16_t v);
void write_u32(struct writer *w, uint32_t v);
void write_u48(struct writer *w, uint64_t v);
void write_u64(struct writer *w, uint64_t v);
void write_u16_at(struct writer *w, size_t pos, uint16_t v); /* pos + 2 <= w->pos */

/* Bytes that grow; also used as a string builder. BUF_INIT or zeroed is ready for use. */
struct buf {
    uint8_t *data;
    size_t len;
    size_t cap;
};

#define BUF_INIT                                                                                   \
    {                                                                                              \
        NULL, 0, 0                                                                                 \
    }

void buf_free(struct buf *b);                /* and makes it empty; fine on a zeroed one */
uint8_t *buf_space(struct buf *b, size_t n); /* appends n octets to fill */
void buf_reserve(struct buf *b, size_t n);   /* room for n more without a move */
void buf_put(struct buf *b, const void *p, size_t n);
void buf_u8(struct buf *b, uint8_t v);
void buf_u16(struct buf *b, uint16_t v);
void buf_u32(struct buf *b, uint32_t v);
void buf_u64(struct buf *b, uint64_t v);
void buf_str(struct buf *b, const char *s);
void buf_printf(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
const char *buf_cstr(struct buf *b); /* adds a NUL behind the content (not counted) and lends it */

#endif
