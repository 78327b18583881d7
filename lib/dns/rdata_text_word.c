/* RDATA's text cut into words: numbers, escapes, and the sentence for what is wrong. */
#include "lib/dns/rdata_text_in.h"

#include <stdio.h>
#include <string.h>

bool text_fail(struct text_in *t, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(t->e->text, sizeof(t->e->text), fmt, ap);
    va_end(ap);
    for (char *p = t->e->text; *p; p++) { /* pieces of the input may stand in it */
        if (*p < 0x20 || *p == 0x7f)
            *p = '?';
    }
    return false;
}

bool text_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

bool text_at_end(struct text_in *t)
{
    while (t->pos < t->end && text_blank(*t->pos))
        t->pos++;
    return t->pos == t->end;
}

/* Runs to the quote that closes; p is behind the one that opens. NULL if there is none. */
static const char *closing_quote(const char *p, const char *end)
{
    while (p < end && *p != '"')
        p += *p == '\\' && p + 1 < end ? 2 : 1;
    return p < end ? p : NULL;
}

/* Quotes inside a word begin a word of their own, as named-compilezone has it; `joined`: they
 * belong to it, with the blanks between them. */
static bool take_word(struct text_in *t, struct word *out, bool joined)
{
    const char *p;

    if (text_at_end(t))
        return text_fail(t, "it is missing");
    p = t->pos;
    if (*p == '"') {
        const char *q = closing_quote(p + 1, t->end);

        if (!q)
            return text_fail(t, "a quote is not closed");
        *out = (struct word){p + 1, (size_t)(q - p - 1), true};
        t->pos = q + 1;
        return true;
    }
    while (p < t->end && !text_blank(*p) && (joined || *p != '"')) {
        if (*p == '"' && !(p = closing_quote(p + 1, t->end)))
            return text_fail(t, "a quote is not closed");
        p += *p == '\\' && p + 1 < t->end ? 2 : 1;
    }
    *out = (struct word){t->pos, (size_t)(p - t->pos), false};
    t->pos = p;
    return true;
}

bool text_word(struct text_in *t, struct word *out)
{
    return take_word(t, out, false);
}

bool text_param(struct text_in *t, struct word *out)
{
    return take_word(t, out, true);
}

int word_cut(const struct word *w)
{
    return (int)(w->len > 40 ? 40 : w->len);
}

bool word_is(const struct word *w, const char *name)
{
    return word_same(name, w->p, w->len);
}

bool word_number(const struct word *w, uint32_t max, uint32_t *out)
{
    uint64_t v = 0;

    if (w->len == 0 || w->len > 10)
        return false;
    for (size_t i = 0; i < w->len; i++) {
        if (w->p[i] < '0' || w->p[i] > '9')
            return false;
        v = v * 10 + (uint64_t)(w->p[i] - '0');
    }
    *out = (uint32_t)v;
    return v <= max;
}

bool text_number(struct text_in *t, uint32_t max, uint32_t *out)
{
    struct word w = {NULL, 0, false};

    if (!text_word(t, &w))
        return false;
    if (!word_number(&w, max, out))
        return text_fail(t, "'%.*s' is not a number from 0 to %u", word_cut(&w), w.p, max);
    return true;
}

bool text_unescape(struct text_in *t, const struct word *w, struct buf *out)
{
    const char *p = w->p;
    const char *end = p + w->len;

    while (p < end) {
        unsigned v;

        if (*p != '\\') {
            const char *run = memchr(p, '\\', (size_t)(end - p));
            size_t n = (size_t)((run ? run : end) - p);

            buf_put(out, p, n);
            p += n;
            continue;
        }
        if (++p == end)
            return text_fail(t, "it ends in the middle of an escape");
        if (*p < '0' || *p > '9') {
            buf_u8(out, (uint8_t)*p++);
            continue;
        }
        if (end - p < 3 || p[1] < '0' || p[1] > '9' || p[2] < '0' || p[2] > '9' ||
            (v = (unsigned)(p[0] - '0') * 100 + (unsigned)(p[1] - '0') * 10 +
                 (unsigned)(p[2] - '0')) > 255)
            return text_fail(t, "an escape should be \\DDD, 000 to 255");
        buf_u8(out, (uint8_t)v);
        p += 3;
    }
    return true;
}
