/* Eight octets at a time: what hashing, folding and comparing names share. */
#ifndef ZL_BASE_OCTETS_H
#define ZL_BASE_OCTETS_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "lib/base/bytes.h"

static inline uint64_t load8(const uint8_t *p)
{
    uint64_t v;

    memcpy(&v, p, sizeof(v));
    return v;
}

/* n octets, 0 to 8, in some fixed arrangement that depends on n only. */
static inline uint64_t load_tail(const uint8_t *p, size_t n)
{
    if (n >= 4)
        return (uint64_t)get_u32(p) << 32 | get_u32(p + n - 4);
    if (n > 0)
        return (uint64_t)p[0] << 16 | (uint64_t)p[n / 2] << 8 | p[n - 1];
    return 0;
}

/* ASCII letters to lower case in eight octets at once. Only octets 'A' to 'Z' change: below 0x80,
 * the carries into the top bits of the two sums tell which octets have passed 'A' and which 'Z'. */
static inline uint64_t lower8(uint64_t v)
{
    const uint64_t ones = UINT64_C(0x0101010101010101);
    uint64_t low = v & ones * 0x7f;
    uint64_t from_a = low + ones * (0x80 - 'A');
    uint64_t behind_z = low + ones * (0x7f - 'Z');

    return v | ((from_a ^ behind_z) & ~v & ones * 0x80) >> 2;
}

#endif
