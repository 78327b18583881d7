/* The low-level SHA-1 calls work on the stack; the ones that replace them allocate and look the
 * algorithm up, which costs more than the hash itself. */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "lib/dns/nsec3.h"

#include <string.h>

#include <openssl/sha.h>

#define ALGORITHM_SHA1 1

static bool read_params(struct nsec3_params *out, uint8_t *flags, struct reader *r)
{
    uint8_t algorithm = read_u8(r);

    *flags = read_u8(r);
    out->iterations = read_u16(r);
    out->salt_len = read_u8(r);
    out->salt = read_bytes(r, out->salt_len);
    return !r->failed && algorithm == ALGORITHM_SHA1;
}

bool nsec3_params_read(struct nsec3_params *out, uint8_t *flags, const uint8_t *rdata, size_t len)
{
    struct reader r = reader_of(rdata, len);

    return read_params(out, flags, &r);
}

bool nsec3_params_eq(const struct nsec3_params *a, const struct nsec3_params *b)
{
    return a->iterations == b->iterations && a->salt_len == b->salt_len &&
           memcmp(a->salt, b->salt, a->salt_len) == 0;
}

bool nsec3_read(struct nsec3 *out, const uint8_t *rdata, size_t len)
{
    struct reader r = reader_of(rdata, len);

    if (!read_params(&out->params, &out->flags, &r) || read_u8(&r) != NSEC3_HASH_OCTETS)
        return false;
    out->next = read_bytes(&r, NSEC3_HASH_OCTETS);
    out->types_len = reader_left(&r);
    out->types = read_bytes(&r, out->types_len);
    return !r.failed;
}

void nsec3_hash(uint8_t out[NSEC3_HASH_OCTETS], const struct nsec3_params *p, const uint8_t *name)
{
    uint8_t folded[NAME_MAX_OCTETS];
    const uint8_t *in = folded;
    size_t len = name_fold(folded, name);
    SHA_CTX sha;

    for (unsigned i = 0; i <= p->iterations; i++) {
        (void)SHA1_Init(&sha);
        (void)SHA1_Update(&sha, in, len);
        (void)SHA1_Update(&sha, p->salt, p->salt_len);
        (void)SHA1_Final(out, &sha);
        in = out;
        len = NSEC3_HASH_OCTETS;
    }
}

/* Five octets make eight digits. */
void nsec3_label(uint8_t label[NSEC3_LABEL_OCTETS], const uint8_t hash[NSEC3_HASH_OCTETS])
{
    for (size_t i = 0; i < NSEC3_HASH_OCTETS / 5; i++) {
        uint64_t group = (uint64_t)hash[5 * i] << 32 | get_u32(hash + 5 * i + 1);

        for (size_t k = 0; k < 8; k++)
            label[8 * i + k] =
                (uint8_t) "0123456789abcdefghijklmnopqrstuv"[group >> (35 - 5 * k) & 31];
    }
}

bool nsec3_unlabel(uint8_t hash[NSEC3_HASH_OCTETS], const uint8_t label[NSEC3_LABEL_OCTETS])
{
    for (size_t i = 0; i < NSEC3_HASH_OCTETS / 5; i++) {
        uint64_t group = 0;

        for (size_t k = 0; k < 8; k++) {
            uint8_t c = label[8 * i + k];

            if (c >= '0' && c <= '9')
                group = group << 5 | (uint64_t)(c - '0');
            else if (c >= 'a' && c <= 'v')
                group = group << 5 | (uint64_t)(c - 'a' + 10);
            else
                return false;
        }
        hash[5 * i] = (uint8_t)(group >> 32);
        put_u32(hash + 5 * i + 1, (uint32_t)group);
    }
    return true;
}

/* ---- Bitmaps: windows of u8 number, u8 octets, octets ---- */

bool type_bitmap_has(const uint8_t *map, size_t len, uint16_t type)
{
    struct reader r = reader_of(map, len);

    while (reader_left(&r) > 0) {
        uint8_t window = read_u8(&r), octets = read_u8(&r);
        const uint8_t *bits = read_bytes(&r, octets);

        if (bits && window == type >> 8)
            return (type & 0xff) / 8 < octets && bits[(type & 0xff) / 8] & 0x80 >> type % 8;
    }
    return false;
}

int type_bitmap_next(const uint8_t *map, size_t len, int after)
{
    struct reader r = reader_of(map, len);

    while (reader_left(&r) > 0) {
        int window = read_u8(&r), octets = read_u8(&r);
        const uint8_t *bits = read_bytes(&r, (size_t)octets);
        int first = after + 1 > window * 256 ? after + 1 - window * 256 : 0;

        for (int i = first; bits && i < 8 * octets; i++) {
            if (bits[i / 8] & 0x80 >> i % 8)
                return window * 256 + i;
        }
    }
    return -1;
}
