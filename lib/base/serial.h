/* Zone serial numbers, RFC 1982. There is no `<` on purpose: ask serial_cmp. */
#ifndef ZL_BASE_SERIAL_H
#define ZL_BASE_SERIAL_H

#include <stdbool.h>
#include <stdint.h>

struct serial {
    uint32_t v;
};

enum serial_order {
    SERIAL_EQUAL,
    SERIAL_NEWER,     /* the first is newer than the second */
    SERIAL_OLDER,     /* the first is older than the second */
    SERIAL_UNDEFINED, /* exactly 2^31 apart */
};

static inline enum serial_order serial_cmp(struct serial a, struct serial b)
{
    uint32_t d = a.v - b.v;

    if (d == 0)
        return SERIAL_EQUAL;
    if (d == UINT32_C(0x80000000))
        return SERIAL_UNDEFINED;
    return d < UINT32_C(0x80000000) ? SERIAL_NEWER : SERIAL_OLDER;
}

static inline bool serial_eq(struct serial a, struct serial b)
{
    return a.v == b.v;
}

/* The next one; 0 is skipped, since some software takes it for "none". */
static inline struct serial serial_next(struct serial s)
{
    s.v++;
    return s.v ? s : (struct serial){1};
}

#endif
