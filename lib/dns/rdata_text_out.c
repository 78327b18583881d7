/* RDATA to presentation form. What rdata_check accepts prints in its type's own form; anything
 * else prints as RFC 3597 5 says, so that nothing that got in can fail to get out. */
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "lib/base/encode.h"
#include "lib/dns/rr_internal.h"

static void put_number(struct buf *out, uint32_t v)
{
    char digits[10];
    size_t n = sizeof(digits);

    do {
        digits[--n] = (char)('0' + v % 10);
        v /= 10;
    } while (v);
    buf_put(out, digits + n, sizeof(digits) - n);
}

static void put_name(struct buf *out, struct reader *r)
{
    uint8_t name[NAME_MAX_OCTETS];
    char text[NAME_TEXT_MAX];

    if (read_name_plain(r, name))
        buf_put(out, text, name_to_text(text, name));
}

/* One octet inside quotes. */
static void put_quoted_octet(struct buf *out, uint8_t c)
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

static void put_quoted(struct buf *out, const uint8_t *p, size_t n)
{
    buf_u8(out, '"');
    for (size_t i = 0; i < n; i++)
        put_quoted_octet(out, p[i]);
    buf_u8(out, '"');
}

static void put_string(struct buf *out, struct reader *r)
{
    uint8_t n = read_u8(r);
    const uint8_t *p = read_bytes(r, n);

    if (p)
        put_quoted(out, p, n);
}

static void put_strings(struct buf *out, struct reader *r)
{
    while (reader_left(r) > 0) {
        put_string(out, r);
        if (reader_left(r) > 0)
            buf_u8(out, ' ');
    }
}

static void put_ip(struct buf *out, struct reader *r, int family)
{
    const uint8_t *p = read_bytes(r, family == AF_INET ? 4 : 16);
    char text[INET6_ADDRSTRLEN];

    if (p && family == AF_INET) {
        for (int i = 0; i < 4; i++) {
            put_number(out, p[i]);
            if (i < 3)
                buf_u8(out, '.');
        }
    } else if (p && inet_ntop(family, p, text, sizeof(text))) {
        buf_str(out, text);
    }
}

static void put_groups(struct buf *out, struct reader *r, size_t groups, size_t octets, char sep)
{
    for (size_t i = 0; i < groups; i++) {
        const uint8_t *p = read_bytes(r, octets);

        if (i > 0)
            buf_u8(out, (uint8_t)sep);
        if (p)
            hex_encode(out, p, octets);
    }
}

static void put_time(struct buf *out, uint32_t t)
{
    time_t s = (time_t)t;
    struct tm tm;
    char text[40];

    if (gmtime_r(&s, &tm) && strftime(text, sizeof(text), "%Y%m%d%H%M%S", &tm))
        buf_str(out, text);
}

static void put_type(struct buf *out, uint16_t type)
{
    char text[TYPE_TEXT_MAX];

    type_to_text(text, type);
    buf_str(out, text);
}

static void put_bitmap(struct buf *out, struct reader *r)
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
            put_type(out, (uint16_t)(window << 8 | (int)i));
        }
    }
}

static void put_nxt(struct buf *out, struct reader *r)
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
        put_type(out, (uint16_t)i);
    }
}

static void put_salt(struct buf *out, struct reader *r)
{
    uint8_t n = read_u8(r);
    const uint8_t *p = read_bytes(r, n);

    if (n == 0)
        buf_u8(out, '-');
    else if (p)
        hex_encode_upper(out, p, n);
}

static void put_hash32(struct buf *out, struct reader *r)
{
    uint8_t n = read_u8(r);
    const uint8_t *p = read_bytes(r, n);

    if (p)
        base32hex_encode(out, p, n);
}

static void put_apl(struct buf *out, struct reader *r)
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
        put_number(out, family);
        buf_u8(out, ':');
        put_ip(out, &ip, family == 1 ? AF_INET : AF_INET6);
        buf_u8(out, '/');
        put_number(out, prefix);
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
static void put_angle(struct buf *out, uint32_t v, char positive, char negative)
{
    int64_t ms = (int64_t)v - (INT64_C(1) << 31);
    char sign = ms < 0 ? negative : positive;

    if (ms < 0)
        ms = -ms;
    buf_printf(out, "%lld %lld %lld.%03lld %c", (long long)(ms / 3600000),
               (long long)(ms / 60000 % 60), (long long)(ms / 1000 % 60), (long long)(ms % 1000),
               sign);
}

static void put_size(struct buf *out, uint8_t v)
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

static void put_loc(struct buf *out, struct reader *r)
{
    uint8_t size, horizontal, vertical;
    int64_t altitude;

    (void)read_u8(r);
    size = read_u8(r);
    horizontal = read_u8(r);
    vertical = read_u8(r);
    put_angle(out, read_u32(r), 'N', 'S');
    buf_u8(out, ' ');
    put_angle(out, read_u32(r), 'E', 'W');
    altitude = (int64_t)read_u32(r) - 10000000;
    buf_printf(out, " %s%lld.%02lldm ", altitude < 0 ? "-" : "",
               (long long)(altitude < 0 ? -altitude : altitude) / 100,
               (long long)(altitude < 0 ? -altitude : altitude) % 100);
    put_size(out, size);
    buf_u8(out, ' ');
    put_size(out, horizontal);
    buf_u8(out, ' ');
    put_size(out, vertical);
}

/* A LOC whose angles lie outside the globe has no text that reads back. */
static bool loc_has_text(const uint8_t *rdata, size_t len)
{
    struct reader r = reader_of(rdata, len);
    int64_t lat, lon;

    (void)read_u32(&r);
    lat = (int64_t)read_u32(&r) - (INT64_C(1) << 31);
    lon = (int64_t)read_u32(&r) - (INT64_C(1) << 31);
    return lat >= -90 * 3600000 && lat <= 90 * 3600000 && lon >= -180 * 3600000 &&
           lon <= 180 * 3600000;
}

/* ---- SVCB ---- */

static const char *const svc_keys[] = {"mandatory", "alpn",     "no-default-alpn",
                                       "port",      "ipv4hint", "ech",
                                       "ipv6hint",  "dohpath",  "ohttp"};

static void put_svc_key(struct buf *out, uint16_t key)
{
    if (key < sizeof(svc_keys) / sizeof(svc_keys[0]))
        buf_str(out, svc_keys[key]);
    else
        buf_printf(out, "key%u", key);
}

/* alpn: a comma inside an id is escaped, and then once more as any backslash (RFC 9460 A.1). */
static void put_svc_alpn(struct buf *out, struct reader v)
{
    buf_u8(out, '"');
    while (reader_left(&v) > 0) {
        uint8_t n = read_u8(&v);
        const uint8_t *p = read_bytes(&v, n);

        for (uint8_t i = 0; p && i < n; i++) {
            if (p[i] == ',' || p[i] == '\\')
                buf_str(out, "\\\\");
            put_quoted_octet(out, p[i]);
        }
        if (reader_left(&v) > 0)
            buf_u8(out, ',');
    }
    buf_u8(out, '"');
}

static void put_svc_list(struct buf *out, uint16_t key, struct reader v)
{
    while (reader_left(&v) > 0) {
        if (key == 0)
            put_svc_key(out, read_u16(&v));
        else
            put_ip(out, &v, key == 4 ? AF_INET : AF_INET6);
        if (reader_left(&v) > 0)
            buf_u8(out, ',');
    }
}

static void put_svc_value(struct buf *out, uint16_t key, struct reader v)
{
    size_t n = reader_left(&v);

    switch (key) {
    case 0:
    case 4:
    case 6:
        put_svc_list(out, key, v);
        break;
    case 1:
        put_svc_alpn(out, v);
        break;
    case 3:
        put_number(out, read_u16(&v));
        break;
    case 5:
        base64_encode(out, read_bytes(&v, n), n);
        break;
    default:
        put_quoted(out, read_bytes(&v, n), n);
    }
}

static void put_svcparams(struct buf *out, struct reader *r)
{
    while (reader_left(r) > 0) {
        uint16_t key = read_u16(r);
        struct reader value = read_part(r, read_u16(r));

        put_svc_key(out, key);
        if (reader_left(&value) > 0) {
            buf_u8(out, '=');
            put_svc_value(out, key, value);
        }
        if (reader_left(r) > 0)
            buf_u8(out, ' ');
    }
}

/* ---- Odd ones ---- */

static void put_gateway_of(struct buf *out, struct reader *r, uint8_t type)
{
    if (type == 0)
        buf_u8(out, '.');
    else if (type == 3)
        put_name(out, r);
    else
        put_ip(out, r, type == 1 ? AF_INET : AF_INET6);
}

static void put_gateway(struct buf *out, struct reader *r)
{
    uint8_t type = read_u8(r);

    put_number(out, type);
    buf_u8(out, ' ');
    put_number(out, read_u8(r));
    buf_u8(out, ' ');
    put_gateway_of(out, r, type);
}

static void put_amtrelay(struct buf *out, struct reader *r)
{
    uint8_t b = read_u8(r);

    buf_printf(out, "%u %u ", b >> 7, b & 0x7f);
    put_gateway_of(out, r, b & 0x7f);
}

static void put_hip(struct buf *out, struct reader *r)
{
    uint8_t hit_len = read_u8(r);
    uint8_t algorithm = read_u8(r);
    uint16_t key_len = read_u16(r);
    const uint8_t *hit = read_bytes(r, hit_len);
    const uint8_t *key = read_bytes(r, key_len);

    put_number(out, algorithm);
    buf_u8(out, ' ');
    if (hit && key) {
        hex_encode_upper(out, hit, hit_len);
        buf_u8(out, ' ');
        base64_encode(out, key, key_len);
    }
}

static void put_names(struct buf *out, struct reader *r)
{
    while (reader_left(r) > 0) {
        put_name(out, r);
        if (reader_left(r) > 0)
            buf_u8(out, ' ');
    }
}

static void put_a6(struct buf *out, struct reader *r)
{
    uint8_t prefix = read_u8(r);
    size_t n = prefix <= 128 ? (128u - prefix + 7) / 8 : 0;
    const uint8_t *suffix = read_bytes(r, n);
    uint8_t full[16] = {0};
    struct reader ip = reader_of(full, sizeof(full));

    put_number(out, prefix);
    buf_u8(out, ' ');
    if (suffix && n)
        memcpy(full + 16 - n, suffix, n);
    if (n)
        put_ip(out, &ip, AF_INET6);
    if (prefix > 0) {
        if (n)
            buf_u8(out, ' ');
        put_name(out, r);
    }
}

static void put_wks(struct buf *out, struct reader *r)
{
    size_t n;
    const uint8_t *bits;

    put_number(out, read_u8(r));
    n = reader_left(r);
    bits = read_bytes(r, n);
    for (unsigned i = 0; bits && i < n * 8; i++) {
        if (bits[i / 8] & 0x80 >> i % 8) {
            buf_u8(out, ' ');
            put_number(out, i);
        }
    }
}

/* Trailing zero octets of a port bitmap, and the whole of an ATMA, have no text of their own. */
static bool wks_has_text(const uint8_t *rdata, size_t len)
{
    return len == 5 || (len > 5 && rdata[len - 1] != 0);
}

static void put_rest(struct buf *out, struct reader *r,
                     void (*encode)(struct buf *, const uint8_t *, size_t))
{
    size_t n = reader_left(r);
    const uint8_t *p = read_bytes(r, n);

    if (p && n)
        encode(out, p, n);
}

static void put_nsap(struct buf *out, struct reader *r)
{
    buf_str(out, "0x");
    put_rest(out, r, hex_encode);
}

static void put_field(struct buf *out, struct reader *r, enum rr_field f)
{
    switch (f) {
    case F_NAME_COMP:
    case F_NAME_EXPAND:
    case F_NAME_FOLD:
    case F_NAME:
        put_name(out, r);
        break;
    case F_U8:
    case F_ALGORITHM:
        put_number(out, read_u8(r));
        break;
    case F_U16:
    case F_CERT_TYPE:
        put_number(out, read_u16(r));
        break;
    case F_U32:
        put_number(out, read_u32(r));
        break;
    case F_TIME:
        put_time(out, read_u32(r));
        break;
    case F_TYPE:
        put_type(out, read_u16(r));
        break;
    case F_IPV4:
        put_ip(out, r, AF_INET);
        break;
    case F_IPV6:
        put_ip(out, r, AF_INET6);
        break;
    case F_EUI48:
        put_groups(out, r, 6, 1, '-');
        break;
    case F_EUI64:
        put_groups(out, r, 8, 1, '-');
        break;
    case F_NODE64:
        put_groups(out, r, 4, 2, ':');
        break;
    case F_STRING:
        put_string(out, r);
        break;
    case F_STRINGS:
    case F_STRINGS0:
        put_strings(out, r);
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
        put_quoted(out, read_bytes(r, n), n);
        break;
    }
    case F_HEX:
    case F_HEX0:
        put_rest(out, r, hex_encode_upper);
        break;
    case F_BASE64:
    case F_BASE64_0:
        put_rest(out, r, base64_encode);
        break;
    case F_SALT:
        put_salt(out, r);
        break;
    case F_HASH32:
        put_hash32(out, r);
        break;
    case F_BITMAP:
        put_bitmap(out, r);
        break;
    case F_APL:
        put_apl(out, r);
        break;
    case F_LOC:
        put_loc(out, r);
        break;
    case F_SVCPARAMS:
        put_svcparams(out, r);
        break;
    case F_GATEWAY:
        put_gateway(out, r);
        break;
    case F_AMTRELAY:
        put_amtrelay(out, r);
        break;
    case F_HIP:
        put_hip(out, r);
        break;
    case F_NAMES:
        put_names(out, r);
        break;
    case F_A6:
        put_a6(out, r);
        break;
    case F_NSAP:
        put_nsap(out, r);
        break;
    case F_WKS:
        put_wks(out, r);
        break;
    case F_NXT:
        put_nxt(out, r);
        break;
    case F_ATMA:
    case F_ANY:
    case F_END:
        break;
    }
}

/* RFC 3597 5. */
static void put_generic(struct buf *out, const uint8_t *rdata, size_t len)
{
    buf_str(out, "\\# ");
    put_number(out, (uint32_t)len);
    if (len) {
        buf_u8(out, ' ');
        hex_encode_upper(out, rdata, len);
    }
}

static bool has_text(const struct rr_desc *d, uint16_t type, const uint8_t *rdata, size_t len)
{
    if (!d || d->fields[0] == F_ANY || d->fields[0] == F_ATMA ||
        rdata_check(type, rdata, len, NULL) != OK)
        return false;
    switch (type) {
    case RR_APL:
        return apl_has_text(rdata, len);
    case RR_LOC:
        return loc_has_text(rdata, len);
    case RR_WKS:
        return wks_has_text(rdata, len);
    default:
        return true;
    }
}

void rdata_to_text(struct buf *out, uint16_t type, const uint8_t *rdata, size_t len)
{
    const struct rr_desc *d = rr_desc_of(type);
    struct reader r = reader_of(rdata, len);
    size_t start = out->len;

    if (!has_text(d, type, rdata, len)) {
        put_generic(out, rdata, len);
        return;
    }
    for (const enum rr_field *f = d->fields; *f != F_END; f++) {
        size_t before = out->len;

        put_field(out, &r, *f);
        if (out->len > before && f[1] != F_END && (reader_left(&r) > 0 || f[1] == F_TEXT))
            buf_u8(out, ' ');
    }
    if (out->len == start && len == 0 && type != RR_APL)
        put_generic(out, rdata, len);
}
