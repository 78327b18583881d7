/* Printing of the types whose text has a grammar of its own. */
#include "lib/dns/rdata_text_out.h"

#include <string.h>

#include "lib/base/encode.h"

/* ---- APL, LOC ---- */

void out_apl(struct buf *out, struct reader *r)
{
    while (reader_left(r) > 0) {
        uint16_t family = read_u16(r);
        uint8_t prefix = read_u8(r);
        uint8_t n = read_u8(r);
        const uint8_t *p = read_bytes(r, n & 0x7f);
        uint8_t full[16] = {0};
        struct reader ip = reader_of(full, sizeof(full));

        if (!p || (n & 0x7f) > sizeof(full))
            break;
        memcpy(full, p, n & 0x7f);
        if (n & 0x80)
            buf_u8(out, '!');
        out_number(out, family);
        buf_u8(out, ':');
        out_ip(out, &ip, family == 1 ? 4 : 16);
        buf_u8(out, '/');
        out_number(out, prefix);
        if (reader_left(r) > 0)
            buf_u8(out, ' ');
    }
}

/* Families other than 1 and 2 have no text form (RFC 3123 5). */
static bool apl_has_text(const uint8_t *rdata, size_t len)
{
    struct reader r = reader_of(rdata, len);

    while (reader_left(&r) > 0) {
        uint16_t family = read_u16(&r);

        (void)read_u8(&r);
        (void)read_bytes(&r, read_u8(&r) & 0x7f);
        if (family != 1 && family != 2)
            return false;
    }
    return true;
}

/* RFC 1876 3: degrees, minutes, seconds with thousandths. */
static void out_angle(struct buf *out, uint32_t v, char positive, char negative)
{
    int64_t ms = (int64_t)v - (INT64_C(1) << 31);
    char sign = ms < 0 ? negative : positive;

    if (ms < 0)
        ms = -ms;
    buf_printf(out, "%lld %lld %lld.%03lld %c", (long long)(ms / 3600000),
               (long long)(ms / 60000 % 60), (long long)(ms / 1000 % 60), (long long)(ms % 1000),
               sign);
}

static void out_size(struct buf *out, uint8_t v)
{
    uint64_t cm = v >> 4;

    for (unsigned i = v & 15; i > 0; i--)
        cm *= 10;
    if (cm % 100)
        buf_printf(out, "%llu.%02llum", (unsigned long long)(cm / 100),
                   (unsigned long long)(cm % 100));
    else
        buf_printf(out, "%llum", (unsigned long long)(cm / 100));
}

void out_loc(struct buf *out, struct reader *r)
{
    uint8_t size, horizontal, vertical;
    int64_t altitude;

    (void)read_u8(r);
    size = read_u8(r);
    horizontal = read_u8(r);
    vertical = read_u8(r);
    out_angle(out, read_u32(r), 'N', 'S');
    buf_u8(out, ' ');
    out_angle(out, read_u32(r), 'E', 'W');
    altitude = (int64_t)read_u32(r) - 10000000;
    buf_printf(out, " %s%lld.%02lldm ", altitude < 0 ? "-" : "",
               (long long)(altitude < 0 ? -altitude : altitude) / 100,
               (long long)(altitude < 0 ? -altitude : altitude) % 100);
    out_size(out, size);
    buf_u8(out, ' ');
    out_size(out, horizontal);
    buf_u8(out, ' ');
    out_size(out, vertical);
}

/* Angles outside the globe, and sizes whose mantissa is 0 but not their exponent, have no text
 * that reads back. */
static bool loc_has_text(const uint8_t *rdata, size_t len)
{
    struct reader r = reader_of(rdata, len);
    int64_t lat, lon;

    (void)read_u8(&r);
    for (int i = 0; i < 3; i++) {
        uint8_t size = read_u8(&r);
        if (size != 0 && size >> 4 == 0)
            return false;
    }
    lat = (int64_t)read_u32(&r) - (INT64_C(1) << 31);
    lon = (int64_t)read_u32(&r) - (INT64_C(1) << 31);
    return lat >= -90 * 3600000 && lat <= 90 * 3600000 && lon >= -180 * 3600000 &&
           lon <= 180 * 3600000;
}

/* ---- IPSECKEY, AMTRELAY, HIP, A6, WKS ---- */

static void out_gateway_of(struct buf *out, struct reader *r, uint8_t type)
{
    if (type == 0)
        buf_u8(out, '.');
    else if (type == 3)
        out_name(out, r);
    else
        out_ip(out, r, type == 1 ? 4 : 16);
}

void out_gateway(struct buf *out, struct reader *r)
{
    uint8_t type = read_u8(r);

    out_number(out, type);
    buf_u8(out, ' ');
    out_number(out, read_u8(r));
    buf_u8(out, ' ');
    out_gateway_of(out, r, type);
}

void out_amtrelay(struct buf *out, struct reader *r)
{
    uint8_t b = read_u8(r);

    buf_printf(out, "%u %u ", b >> 7, b & 0x7f);
    out_gateway_of(out, r, b & 0x7f);
}

void out_hip(struct buf *out, struct reader *r)
{
    uint8_t hit_len = read_u8(r);
    uint8_t algorithm = read_u8(r);
    uint16_t key_len = read_u16(r);
    const uint8_t *hit = read_bytes(r, hit_len);
    const uint8_t *key = read_bytes(r, key_len);

    out_number(out, algorithm);
    buf_u8(out, ' ');
    if (hit && key) {
        hex_encode_upper(out, hit, hit_len);
        buf_u8(out, ' ');
        base64_encode(out, key, key_len);
    }
}

void out_names(struct buf *out, struct reader *r)
{
    while (reader_left(r) > 0) {
        out_name(out, r);
        if (reader_left(r) > 0)
            buf_u8(out, ' ');
    }
}

void out_a6(struct buf *out, struct reader *r)
{
    uint8_t prefix = read_u8(r);
    size_t n = prefix <= 128 ? (128u - prefix + 7) / 8 : 0;
    const uint8_t *suffix = read_bytes(r, n);
    uint8_t full[16] = {0};
    struct reader ip = reader_of(full, sizeof(full));

    out_number(out, prefix);
    buf_u8(out, ' ');
    if (suffix && n)
        memcpy(full + 16 - n, suffix, n);
    if (n)
        out_ip(out, &ip, 16);
    if (prefix > 0) {
        if (n)
            buf_u8(out, ' ');
        out_name(out, r);
    }
}

void out_wks(struct buf *out, struct reader *r)
{
    size_t n;
    const uint8_t *bits;

    out_number(out, read_u8(r));
    n = reader_left(r);
    bits = read_bytes(r, n);
    for (unsigned i = 0; bits && i < n * 8; i++) {
        if (bits[i / 8] & 0x80 >> i % 8) {
            buf_u8(out, ' ');
            out_number(out, i);
        }
    }
}

/* Trailing zero octets of the bitmap would be lost. */
static bool wks_has_text(const uint8_t *rdata, size_t len)
{
    return len == 5 || (len > 5 && rdata[len - 1] != 0);
}

/* The bits of the suffix that belong to the prefix are zero (RFC 2874 3.1), or would be lost. */
static bool a6_has_text(const uint8_t *rdata, size_t len)
{
    return len < 2 || rdata[0] > 127 || rdata[0] % 8 == 0 ||
           (rdata[1] & ~(0xff >> rdata[0] % 8)) == 0;
}

enum { ATMA_AESA = 0, ATMA_E164 = 1 };

/* AF-SAA-0069.000: an address in hex, or + and decimal digits. */
void out_atma(struct buf *out, struct reader *r)
{
    uint8_t format = read_u8(r);
    size_t n = reader_left(r);
    const uint8_t *p = read_bytes(r, n);

    if (!p)
        return;
    if (format == ATMA_AESA) {
        hex_encode(out, p, n);
    } else {
        buf_u8(out, '+');
        buf_put(out, p, n);
    }
}

static bool atma_has_text(const uint8_t *rdata, size_t len)
{
    if (len < 2 || rdata[0] == ATMA_AESA)
        return len >= 2;
    for (size_t i = 1; i < len; i++) {
        if (rdata[i] < '0' || rdata[i] > '9')
            return false;
    }
    return rdata[0] == ATMA_E164;
}

bool odd_has_text(uint16_t type, const uint8_t *rdata, size_t len)
{
    switch (type) {
    case RR_APL:
        return apl_has_text(rdata, len);
    case RR_LOC:
        return loc_has_text(rdata, len);
    case RR_WKS:
        return wks_has_text(rdata, len);
    case RR_A6:
        return a6_has_text(rdata, len);
    case RR_ATMA:
        return atma_has_text(rdata, len);
    default:
        return true;
    }
}
