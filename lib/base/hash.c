/* SipHash as Aumasson and Bernstein describe it (INDOCRYPT 2012): c rounds for each eight octets,
 * d rounds at the end. */
#include "lib/base/hash.h"

#include <endian.h>
#include <stdbool.h>
#include <string.h>

struct sip {
    uint64_t v0, v1, v2, v3;
};

static inline uint64_t rotl(uint64_t x, unsigned n)
{
    return x << n | x >> (64 - n);
}

static inline uint64_t load_le(const uint8_t *p, size_t n)
{
    uint64_t v = 0;

    for (size_t i = 0; i < n; i++)
        v |= (uint64_t)p[i] << (8 * i);
    return v;
}

static inline void sip_round(struct sip *s)
{
    s->v0 += s->v1;
    s->v2 += s->v3;
    s->v1 = rotl(s->v1, 13) ^ s->v0;
    s->v3 = rotl(s->v3, 16) ^ s->v2;
    s->v0 = rotl(s->v0, 32);
    s->v2 += s->v1;
    s->v0 += s->v3;
    s->v1 = rotl(s->v1, 17) ^ s->v2;
    s->v3 = rotl(s->v3, 21) ^ s->v0;
    s->v2 = rotl(s->v2, 32);
}

static inline uint64_t load_word(const uint8_t *p)
{
    uint64_t m;

    memcpy(&m, p, sizeof(m));
    return le64toh(m);
}

/* The `left` octets (0 to 7) at p, which end `len` octets of data: where there are eight, they are
 * taken at once, and those that were there already shifted out. */
static inline uint64_t load_rest(const uint8_t *p, size_t left, size_t len)
{
    if (left == 0)
        return 0;
    return len >= 8 ? load_word(p + left - 8) >> (64 - 8 * left) : load_le(p, left);
}

/* Inlined, so that the rounds are written out for each c and d. */
static inline __attribute__((always_inline)) uint64_t
siphash(const uint8_t key[16], const uint8_t *p, size_t len, bool two_four)
{
    uint64_t k0 = load_word(key);
    uint64_t k1 = load_word(key + 8);
    struct sip s = {k0 ^ UINT64_C(0x736f6d6570736575), k1 ^ UINT64_C(0x646f72616e646f6d),
                    k0 ^ UINT64_C(0x6c7967656e657261), k1 ^ UINT64_C(0x7465646279746573)};
    size_t left = len;
    uint64_t last;

    for (; left >= 8; p += 8, left -= 8) {
        uint64_t m = load_word(p);

        s.v3 ^= m;
        sip_round(&s);
        if (two_four)
            sip_round(&s);
        s.v0 ^= m;
    }
    last = (uint64_t)(len & 0xff) << 56 | load_rest(p, left, len);
    s.v3 ^= last;
    sip_round(&s);
    if (two_four)
        sip_round(&s);
    s.v0 ^= last;
    s.v2 ^= 0xff;
    sip_round(&s);
    sip_round(&s);
    sip_round(&s);
    if (two_four)
        sip_round(&s);
    return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}

uint64_t siphash_1_3(const uint8_t key[16], const void *data, size_t len)
{
    return siphash(key, data, len, false);
}

uint64_t siphash_2_4(const uint8_t key[16], const void *data, size_t len)
{
    return siphash(key, data, len, true);
}
