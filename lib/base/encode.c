#include "lib/base/encode.h"

static const char hex_lower[] = "0123456789abcdef";
static const char hex_upper[] = "0123456789ABCDEF";
static const char base64_digits[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char base32_digits[] = "0123456789ABCDEFGHIJKLMNOPQRSTUV";

static void encode_hex(struct buf *out, const uint8_t *p, size_t n, const char *digits)
{
    uint8_t *to = buf_space(out, 2 * n);

    for (size_t i = 0; i < n; i++) {
        to[2 * i] = (uint8_t)digits[p[i] >> 4];
        to[2 * i + 1] = (uint8_t)digits[p[i] & 15];
    }
}

void hex_encode(struct buf *out, const uint8_t *p, size_t n)
{
    encode_hex(out, p, n, hex_lower);
}

void hex_encode_upper(struct buf *out, const uint8_t *p, size_t n)
{
    encode_hex(out, p, n, hex_upper);
}

void base64_encode(struct buf *out, const uint8_t *p, size_t n)
{
    uint8_t *to = buf_space(out, (n + 2) / 3 * 4);

    for (; n > 0; p += 3, to += 4) {
        uint32_t v = (uint32_t)p[0] << 16 | (n > 1 ? (uint32_t)p[1] << 8 : 0) | (n > 2 ? p[2] : 0u);

        to[0] = (uint8_t)base64_digits[v >> 18];
        to[1] = (uint8_t)base64_digits[v >> 12 & 63];
        to[2] = (uint8_t)(n > 1 ? base64_digits[v >> 6 & 63] : '=');
        to[3] = (uint8_t)(n > 2 ? base64_digits[v & 63] : '=');
        n -= n > 2 ? 3 : n;
    }
}

void base32hex_encode(struct buf *out, const uint8_t *p, size_t n)
{
    uint32_t bits = 0;
    unsigned held = 0;

    for (size_t i = 0; i < n; i++) {
        bits = (bits << 8 | p[i]) & 0xfff;
        held += 8;
        for (; held >= 5; held -= 5)
            buf_u8(out, (uint8_t)base32_digits[bits >> (held - 5) & 31]);
    }
    if (held)
        buf_u8(out, (uint8_t)base32_digits[bits << (5 - held) & 31]);
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool hex_decode(struct buf *out, const char *text, size_t len)
{
    size_t was = out->len;
    int high = -1;

    for (size_t i = 0; i < len; i++) {
        int v = hex_value(text[i]);

        if (is_blank(text[i]))
            continue;
        if (v < 0)
            goto bad;
        if (high < 0) {
            high = v;
        } else {
            buf_u8(out, (uint8_t)(high << 4 | v));
            high = -1;
        }
    }
    if (high < 0)
        return true;
bad:
    out->len = was;
    return false;
}

static int base64_value(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

bool base64_decode(struct buf *out, const char *text, size_t len)
{
    size_t was = out->len;
    uint32_t bits = 0;
    unsigned digits = 0; /* of the group of four */
    unsigned pads = 0;

    for (size_t i = 0; i < len; i++) {
        int v = base64_value(text[i]);

        if (is_blank(text[i]))
            continue;
        if (text[i] == '=' && digits >= 2 && digits + pads < 4) {
            pads++;
            continue;
        }
        if (v < 0 || pads > 0)
            goto bad;
        bits = bits << 6 | (uint32_t)v;
        if (++digits == 4) {
            buf_u8(out, (uint8_t)(bits >> 16));
            buf_u16(out, (uint16_t)bits);
            bits = digits = 0;
        }
    }
    if (digits + pads != 0 && digits + pads != 4)
        goto bad;
    /* The bits that no octet takes must be zero, or two texts would mean the same. */
    if ((digits == 2 && (bits & 15)) || (digits == 3 && (bits & 3)))
        goto bad;
    if (digits == 2)
        buf_u8(out, (uint8_t)(bits >> 4));
    if (digits == 3)
        buf_u16(out, (uint16_t)(bits >> 2));
    return true;
bad:
    out->len = was;
    return false;
}

bool base32hex_decode(struct buf *out, const char *text, size_t len)
{
    size_t was = out->len;
    uint32_t bits = 0;
    unsigned held = 0;

    for (size_t i = 0; i < len; i++) {
        char c = text[i];
        int v = c >= '0' && c <= '9'                     ? c - '0'
                : (c | 0x20) >= 'a' && (c | 0x20) <= 'v' ? (c | 0x20) - 'a' + 10
                                                         : -1;
        if (v < 0)
            goto bad;
        bits = (bits << 5 | (uint32_t)v) & 0xfff;
        held += 5;
        if (held >= 8) {
            held -= 8;
            buf_u8(out, (uint8_t)(bits >> held));
        }
    }
    if (held < 5 && (bits & ((1u << held) - 1)) == 0)
        return true;
bad:
    out->len = was;
    return false;
}
