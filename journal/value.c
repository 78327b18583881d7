/* Safe values: docs/journal-format.md section 4. */
#include <string.h>

#include "journal/journal_internal.h"

/* Octets of the well-formed UTF-8 sequence at p (RFC 3629), and its code point; 0 if there is none.
 */
static size_t utf8_take(const uint8_t *p, size_t left, uint32_t *out)
{
    static const struct {
        uint8_t mask, lead;
        uint32_t min;
    } forms[] = {{0x80, 0x00, 0}, {0xe0, 0xc0, 0x80}, {0xf0, 0xe0, 0x800}, {0xf8, 0xf0, 0x10000}};

    for (size_t n = 1; n <= 4 && n <= left; n++) {
        uint32_t v = p[0] & (uint8_t)~forms[n - 1].mask;

        if ((p[0] & forms[n - 1].mask) != forms[n - 1].lead)
            continue;
        for (size_t i = 1; i < n; i++) {
            if ((p[i] & 0xc0) != 0x80)
                return 0;
            v = v << 6 | (p[i] & 0x3fu);
        }
        *out = v;
        return v < forms[n - 1].min || v > 0x10ffff || (v >= 0xd800 && v <= 0xdfff) ? 0 : n;
    }
    return 0;
}

/* Controls, and what makes a terminal show another text than there is. */
static bool is_harmless(uint32_t c)
{
    static const uint32_t bad[][2] = {
        {0x00, 0x1f},     {0x7f, 0x9f},     {0x200b, 0x200f},
        {0x2028, 0x202e}, {0x2060, 0x206f}, {0xfeff, 0xfeff},
    };

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        if (c >= bad[i][0] && c <= bad[i][1])
            return false;
    return c != '%';
}

void value_escape(struct buf *out, const char *value, size_t max, bool in_name)
{
    const uint8_t *p = (const uint8_t *)value;
    size_t len = strnlen(value, max);

    for (size_t i = 0; i < len;) {
        uint32_t c = 0;
        size_t n = utf8_take(p + i, len - i, &c);
        bool edge = c == ' ' && (i == 0 || i == len - 1);

        if (n && is_harmless(c) && !edge && !(in_name && (c == '<' || c == '>'))) {
            buf_put(out, p + i, n);
            i += n;
        } else {
            buf_printf(out, "%%%02X", p[i++]);
        }
    }
}

static bool unescape(char *out, size_t cap, const char *text, size_t len)
{
    size_t used = 0;

    for (size_t i = 0; i < len; i++) {
        uint8_t c = (uint8_t)text[i];

        if (c == '%') {
            if (len - i < 3 || !hex_read(&c, text + i + 1, 2))
                return false;
            i += 2;
        }
        if (c == 0 || used + 1 >= cap)
            return false;
        out[used++] = (char)c;
    }
    out[used] = 0;
    return true;
}

bool value_unescape(char *out, size_t cap, const char *text, size_t len, bool in_name)
{
    struct buf again = BUF_INIT;
    bool good = unescape(out, cap, text, len);

    if (good) {
        value_escape(&again, out, cap, in_name);
        good = again.len == len && (len == 0 || memcmp(again.data, text, len) == 0);
    }
    buf_free(&again);
    return good;
}
