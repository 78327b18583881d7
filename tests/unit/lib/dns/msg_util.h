/* Small helpers of the message and TSIG tests. Include after cmocka.h. */
#ifndef ZL_TESTS_MSG_UTIL_H
#define ZL_TESTS_MSG_UTIL_H

#include <stdlib.h>
#include <string.h>

#include "lib/base/bytes.h"
#include "lib/dns/message.h"

/* A name as a C literal in wire form; its NUL is the root label. */
#define N(literal) ((const uint8_t *)(literal))

static inline size_t unhex(uint8_t *out, const char *hex)
{
    size_t n = strlen(hex) / 2;

    for (size_t i = 0; i < n; i++) {
        char two[3] = {hex[2 * i], hex[2 * i + 1], 0};
        out[i] = (uint8_t)strtoul(two, NULL, 16);
    }
    return n;
}

__attribute__((unused)) static const uint8_t zeros[65535];

/* Messages written by hand, wrong ones too. */
struct raw {
    uint8_t b[70000];
    struct writer w;
};

static inline void raw_begin(struct raw *m, uint16_t flags, uint16_t qd, uint16_t an, uint16_t ns,
                             uint16_t ar)
{
    m->w = writer_of(m->b, sizeof(m->b));
    write_u16(&m->w, 0x1234);
    write_u16(&m->w, flags);
    write_u16(&m->w, qd);
    write_u16(&m->w, an);
    write_u16(&m->w, ns);
    write_u16(&m->w, ar);
}

#define RAW_BYTES(m, literal) write_bytes(&(m)->w, literal, sizeof(literal) - 1)

static inline void raw_question(struct raw *m, const uint8_t *name, uint16_t type)
{
    write_bytes(&m->w, name, name_len(name));
    write_u16(&m->w, type);
    write_u16(&m->w, CLASS_IN);
}

static inline void raw_rr(struct raw *m, const uint8_t *name, uint16_t type, uint16_t rclass,
                          uint32_t ttl, const void *rdata, uint16_t len)
{
    write_bytes(&m->w, name, name_len(name));
    write_u16(&m->w, type);
    write_u16(&m->w, rclass);
    write_u32(&m->w, ttl);
    write_u16(&m->w, len);
    write_bytes(&m->w, rdata, len);
}

/* A well-formed TSIG with a MAC of 32 zeros. */
static inline void raw_tsig(struct raw *m)
{
    static const uint8_t rdata[13 + 10 + 32 + 6] = "\013hmac-sha256\0\0\0\0\0\0\1\1\54\0\40";

    raw_rr(m, N("\3key"), RR_TSIG, CLASS_ANY, 0, rdata, sizeof(rdata));
}

/* OPT with 1232 octets; `ttl` holds upper rcode, version, flags. */
static inline void raw_opt(struct raw *m, uint32_t ttl, const void *options, uint16_t len)
{
    raw_rr(m, N(""), RR_OPT, 1232, ttl, options, len);
}

#endif
