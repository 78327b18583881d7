/* RDATA to presentation form. What rdata_check accepts prints in its type's own form; anything
 * else prints as RFC 3597 5 says, so that nothing that got in can fail to get out. What is printed
 * reads back as the same octets. */
#include "lib/dns/rdata_text_out.h"

#include <string.h>

#include "lib/base/encode.h"
#include "lib/dns/rdata_time.h"

void out_number(struct buf *out, uint32_t v)
{
    char digits[10];
    size_t n = sizeof(digits);

    do {
        digits[--n] = (char)('0' + v % 10);
        v /= 10;
    } while (v);
    buf_put(out, digits + n, sizeof(digits) - n);
}

void out_name(struct buf *out, struct reader *r)
{
    uint8_t name[NAME_MAX_OCTETS];
    char text[NAME_TEXT_MAX];

    if (read_name_plain(r, name))
        buf_put(out, text, name_to_text(text, name));
}

/* Whether an octet stands as it is between quotes. */
static bool is_plain(uint8_t c)
{
    return c >= 0x20 && c < 0x7f && c != '"' && c != '\\';
}

void out_quoted_octet(struct buf *out, uint8_t c)
{
    if (c < 0x20 || c >= 0x7f) {
        const uint8_t ddd[] = {'\\', (uint8_t)('0' + c / 100), (uint8_t)('0' + c / 10 % 10),
                               (uint8_t)('0' + c % 10)};
        buf_put(out, ddd, sizeof(ddd));
        return;
    }
    if (c == '"' || c == '\\')
        buf_u8(out, '\\');
    buf_u8(out, c);
}

void out_quoted(struct buf *out, const uint8_t *p, size_t n)
{
    size_t i = 0;

    buf_u8(out, '"');
    while (i < n) {
        size_t start = i;

        while (i < n && is_plain(p[i]))
            i++;
        if (i > start)
            buf_put(out, p + start, i - start);
        if (i < n)
            out_quoted_octet(out, p[i++]);
    }
    buf_u8(out, '"');
}

static void out_string(struct buf *out, struct reader *r)
{
    uint8_t n = read_u8(r);
    const uint8_t *p = read_bytes(r, n);

    if (p)
        out_quoted(out, p, n);
}

static void out_strings(struct buf *out, struct reader *r)
{
    while (reader_left(r) > 0) {
        out_string(out, r);
        if (reader_left(r) > 0)
            buf_u8(out, ' ');
    }
}

static void out_ipv4(struct buf *out, const uint8_t *p)
{
    for (int i = 0; i < 4; i++) {
        out_number(out, p[i]);
        if (i < 3)
            buf_u8(out, '.');
    }
}

static void out_hex_group(struct buf *out, uint16_t v)
{
    for (int shift = 12; shift >= 0; shift -= 4) {
        if (shift == 0 || v >> shift != 0)
            buf_u8(out, (uint8_t) "0123456789abcdef"[v >> shift & 15]);
    }
}

/* The longest run of two or more groups of zero, the first if there are several. */
static void zero_run(const uint8_t *p, unsigned *start, unsigned *len)
{
    *start = 8;
    *len = 1;
    for (unsigned i = 0; i < 8; i++) {
        unsigned n = 0;

        while (i + n < 8 && get_u16(p + 2 * (size_t)(i + n)) == 0)
            n++;
        if (n > *len) {
            *start = i;
            *len = n;
        }
        i += n;
    }
}

/* RFC 5952 4; IPv4-mapped addresses as its 5 recommends. Ours, since a C library may print
 * others otherwise, and this text is what the journal's ids are made of. */
static void out_ipv6(struct buf *out, const uint8_t *p)
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    unsigned start, len;

    if (memcmp(p, mapped, sizeof(mapped)) == 0) {
        buf_str(out, "::ffff:");
        out_ipv4(out, p + sizeof(mapped));
        return;
    }
    zero_run(p, &start, &len);
    for (unsigned i = 0; i < 8; i++) {
        if (i == start) {
            buf_str(out, i == 0 ? "::" : ":");
            i += len - 1;
            continue;
        }
        out_hex_group(out, get_u16(p + 2 * (size_t)i));
        if (i < 7)
            buf_u8(out, ':');
    }
}

void out_ip(struct buf *out, struct reader *r, size_t octets)
{
    const uint8_t *p = read_bytes(r, octets);

    if (p && octets == 4)
        out_ipv4(out, p);
    else if (p)
        out_ipv6(out, p);
}

static void out_groups(struct buf *out, struct reader *r, size_t groups, size_t octets, char sep)
{
    for (size_t i = 0; i < groups; i++) {
        const uint8_t *p = read_bytes(r, octets);

        if (i > 0)
            buf_u8(out, (uint8_t)sep);
        if (p)
            hex_encode(out, p, octets);
    }
}

static void out_type(struct buf *out, uint16_t type)
{
    char text[TYPE_TEXT_MAX];

    type_to_text(text, type);
    buf_str(out, text);
}

static void out_bitmap(struct buf *out, struct reader *r)
{
    bool first = true;

    while (reader_left(r) > 0) {
        uint8_t window = read_u8(r);
        uint8_t n = read_u8(r);
        const uint8_t *bits = read_bytes(r, n);

        for (unsigned i = 0; bits && i < n * 8u; i++) {
            if (!(bits[i / 8] & 0x80 >> i % 8))
                continue;
            if (!first)
                buf_u8(out, ' ');
            first = false;
            out_type(out, (uint16_t)(window << 8 | (int)i));
        }
    }
}

static void out_nxt(struct buf *out, struct reader *r)
{
    size_t n = reader_left(r);
    const uint8_t *bits = read_bytes(r, n);
    bool first = true;

    for (unsigned i = 0; bits && i < n * 8; i++) {
        if (!(bits[i / 8] & 0x80 >> i % 8))
            continue;
        if (!first)
            buf_u8(out, ' ');
        first = false;
        out_type(out, (uint16_t)i);
    }
}

static void out_salt(struct buf *out, struct reader *r)
{
    uint8_t n = read_u8(r);
    const uint8_t *p = read_bytes(r, n);

    if (n == 0)
        buf_u8(out, '-');
    else if (p)
        hex_encode_upper(out, p, n);
}

static void out_hash32(struct buf *out, struct reader *r)
{
    uint8_t n = read_u8(r);
    const uint8_t *p = read_bytes(r, n);

    if (p)
        base32hex_encode(out, p, n);
}

static void out_rest(struct buf *out, struct reader *r,
                     void (*encode)(struct buf *, const uint8_t *, size_t))
{
    size_t n = reader_left(r);
    const uint8_t *p = read_bytes(r, n);

    if (p && n)
        encode(out, p, n);
}

static void out_nsap(struct buf *out, struct reader *r)
{
    buf_str(out, "0x");
    out_rest(out, r, hex_encode);
}

static void out_field(struct buf *out, struct reader *r, enum rr_field f)
{
    switch (f) {
    case F_NAME_COMP:
    case F_NAME_EXPAND:
    case F_NAME_FOLD:
    case F_NAME:
        out_name(out, r);
        break;
    case F_U8:
    case F_ALGORITHM:
    case F_SCHEME:
        out_number(out, read_u8(r));
        break;
    case F_U16:
    case F_CERT_TYPE:
        out_number(out, read_u16(r));
        break;
    case F_U32:
    case F_PERIOD:
        out_number(out, read_u32(r));
        break;
    case F_TIME:
        rdata_time_put((char *)buf_space(out, RDATA_TIME_TEXT), read_u32(r));
        break;
    case F_TYPE:
        out_type(out, read_u16(r));
        break;
    case F_IPV4:
        out_ip(out, r, 4);
        break;
    case F_IPV6:
        out_ip(out, r, 16);
        break;
    case F_EUI48:
        out_groups(out, r, 6, 1, '-');
        break;
    case F_EUI64:
        out_groups(out, r, 8, 1, '-');
        break;
    case F_NODE64:
        out_groups(out, r, 4, 2, ':');
        break;
    case F_STRING:
    case F_STRING0:
        out_string(out, r);
        break;
    case F_STRINGS:
        out_strings(out, r);
        break;
    case F_TAG: {
        uint8_t n = read_u8(r);
        const uint8_t *p = read_bytes(r, n);
        if (p)
            buf_put(out, p, n);
        break;
    }
    case F_TEXT: {
        size_t n = reader_left(r);
        out_quoted(out, read_bytes(r, n), n);
        break;
    }
    case F_HEX:
        out_rest(out, r, hex_encode_upper);
        break;
    case F_BASE64:
    case F_BASE64_0:
        out_rest(out, r, base64_encode);
        break;
    case F_BASE64_DASH:
        if (reader_left(r) == 0)
            buf_u8(out, '-');
        out_rest(out, r, base64_encode);
        break;
    case F_SALT:
        out_salt(out, r);
        break;
    case F_HASH32:
        out_hash32(out, r);
        break;
    case F_BITMAP:
        out_bitmap(out, r);
        break;
    case F_APL:
        out_apl(out, r);
        break;
    case F_LOC:
        out_loc(out, r);
        break;
    case F_SVCPARAMS:
        out_svcparams(out, r);
        break;
    case F_GATEWAY:
        out_gateway(out, r);
        break;
    case F_AMTRELAY:
        out_amtrelay(out, r);
        break;
    case F_HIP:
        out_hip(out, r);
        break;
    case F_NAMES:
        out_names(out, r);
        break;
    case F_A6:
        out_a6(out, r);
        break;
    case F_NSAP:
        out_nsap(out, r);
        break;
    case F_WKS:
        out_wks(out, r);
        break;
    case F_NXT:
        out_nxt(out, r);
        break;
    case F_ATMA:
        out_atma(out, r);
        break;
    case F_ANY:
    case F_END:
        break;
    }
}

/* RFC 3597 5. */
static void out_generic(struct buf *out, const uint8_t *rdata, size_t len)
{
    buf_str(out, "\\# ");
    out_number(out, (uint32_t)len);
    if (len) {
        buf_u8(out, ' ');
        hex_encode_upper(out, rdata, len);
    }
}

static bool has_text(const struct rr_desc *d, const uint8_t *rdata, size_t len)
{
    return d && d->fields[0] != F_ANY && len > 0 && rdata_check(d->type, rdata, len, NULL) == OK &&
           odd_has_text(d->type, rdata, len);
}

/* A field that may print something even at the end of the RDATA. */
static bool prints_nothing_too(enum rr_field f)
{
    return f == F_TEXT || f == F_BASE64_DASH;
}

void rdata_to_text(struct buf *out, uint16_t type, const uint8_t *rdata, size_t len)
{
    const struct rr_desc *d = rr_desc_of(type);
    struct reader r = reader_of(rdata, len);

    if (!has_text(d, rdata, len)) {
        out_generic(out, rdata, len);
        return;
    }
    for (const enum rr_field *f = d->fields; *f != F_END; f++) {
        out_field(out, &r, *f);
        if (f[1] != F_END && (reader_left(&r) > 0 || prints_nothing_too(f[1])))
            buf_u8(out, ' ');
    }
}
