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

/* A digit's value and 1; 0 for what is no digit. */
static const uint8_t base64_values[256] = {
    ['A'] = 1,  ['B'] = 2,  ['C'] = 3,  ['D'] = 4,  ['E'] = 5,  ['F'] = 6,  ['G'] = 7,  ['H'] = 8,
    ['I'] = 9,  ['J'] = 10, ['K'] = 11, ['L'] = 12, ['M'] = 13, ['N'] = 14, ['O'] = 15, ['P'] = 16,
    ['Q'] = 17, ['R'] = 18, ['S'] = 19, ['T'] = 20, ['U'] = 21, ['V'] = 22, ['W'] = 23, ['X'] = 24,
    ['Y'] = 25, ['Z'] = 26, ['a'] = 27, ['b'] = 28, ['c'] = 29, ['d'] = 30, ['e'] = 31, ['f'] = 32,
    ['g'] = 33, ['h'] = 34, ['i'] = 35, ['j'] = 36, ['k'] = 37, ['l'] = 38, ['m'] = 39, ['n'] = 40,
    ['o'] = 41, ['p'] = 42, ['q'] = 43, ['r'] = 44, ['s'] = 45, ['t'] = 46, ['u'] = 47, ['v'] = 48,
    ['w'] = 49, ['x'] = 50, ['y'] = 51, ['z'] = 52, ['0'] = 53, ['1'] = 54, ['2'] = 55, ['3'] = 56,
    ['4'] = 57, ['5'] = 58, ['6'] = 59, ['7'] = 60, ['8'] = 61, ['9'] = 62, ['+'] = 63, ['/'] = 64};

bool base64_decode(struct buf *out, const char *text, size_t len)
{
    size_t was = out->len;
    uint32_t bits = 0;
    unsigned digits = 0; /* of the group of four */
    unsigned pads = 0;

    for (size_t i = 0; i < len; i++) {
        unsigned v = base64_values[(uint8_t)text[i]];

        if (v == 0 && is_blank(text[i]))
            continue;
        if (text[i] == '=' && digits >= 2 && digits + pads < 4) {
            pads++;
            continue;
        }
        if (v == 0 || pads > 0)
            goto bad;
        bits = bits << 6 | (v - 1);
        if (++digits == 4) {
            uint8_t *to = buf_space(out, 3);

            to[0] = (uint8_t)(bits >> 16);
            put_u16(to + 1, (uint16_t)bits);
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
