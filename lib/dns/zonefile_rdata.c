/* RDATA. The few types that make up nearly all of a big zone are read here straight from their
 * tokens, as long as they are written plainly; whatever has an escape, a fault or an RFC 3597 form
 * goes through rdata_from_text, which alone decides what is right and words what is wrong. */
#include <arpa/inet.h>
#include <string.h>

#include "lib/dns/zonefile_internal.h"

size_t zonefile_plain_name(uint8_t out[NAME_MAX_OCTETS], const uint8_t *p, size_t n,
                           const uint8_t *origin, size_t origin_len)
{
    size_t label = 0; /* where its length octet goes; the text stands one octet behind it */
    size_t len;

    if (n == 1 && p[0] == '@') {
        memcpy(out, origin, origin_len);
        return origin_len;
    }
    if (n == 0 || n > NAME_MAX_OCTETS - 1)
        return 0;
    for (size_t i = 0; i < n; i++) {
        out[i + 1] = p[i];
        if (p[i] != '.')
            continue;
        len = i - label;
        if (len == 0 || len > LABEL_MAX_OCTETS)
            return 0;
        out[label] = (uint8_t)len;
        label = i + 1;
    }
    if (label == n) {
        out[n] = 0;
        return n + 1;
    }
    len = n - label;
    if (len > LABEL_MAX_OCTETS || n + 1 + origin_len > NAME_MAX_OCTETS)
        return 0;
    out[label] = (uint8_t)len;
    memcpy(out + n + 1, origin, origin_len);
    return n + 1 + origin_len;
}

/* ---- One function a shape; each appends to `out`, which has room, or gives 0 ---- */

static size_t plain_u8(uint8_t *out, const uint8_t *p, const uint8_t *end)
{
    const uint8_t *start = p;
    unsigned v = 0;

    while (p < end && *p >= '0' && *p <= '9' && p - start < 3)
        v = v * 10 + (unsigned)(*p++ - '0');
    if (p == start || v > 255 || (*start == '0' && p - start > 1))
        return 0;
    *out = (uint8_t)v;
    return (size_t)(p - start);
}

static size_t plain_a(uint8_t *out, const struct token *t)
{
    const uint8_t *p = t->p;
    const uint8_t *end = t->p + t->len;

    for (unsigned i = 0; i < 4; i++) {
        size_t n = plain_u8(out + i, p, end);

        p += n;
        if (n == 0 || (i < 3 && (p == end || *p++ != '.')))
            return 0;
    }
    return p == end ? 4 : 0;
}

static size_t plain_aaaa(uint8_t *out, const struct token *t)
{
    char text[INET6_ADDRSTRLEN];

    if (t->len >= sizeof(text))
        return 0;
    memcpy(text, t->p, t->len);
    text[t->len] = 0;
    return inet_pton(AF_INET6, text, out) == 1 ? 16 : 0;
}

static size_t plain_u16(uint8_t *out, const struct token *t)
{
    unsigned v = 0;

    if (t->len > 5)
        return 0;
    for (uint32_t i = 0; i < t->len; i++) {
        if (t->p[i] < '0' || t->p[i] > '9')
            return 0;
        v = v * 10 + (unsigned)(t->p[i] - '0');
    }
    if (v > 65535)
        return 0;
    put_u16(out, (uint16_t)v);
    return 2;
}

static size_t plain_strings(uint8_t *out, const struct token *t, size_t count)
{
    size_t n = 0;

    for (size_t i = 0; i < count; i++, t++) {
        if ((t->flags & TOKEN_ESCAPED) || t->len > 255 || n + 1 + t->len > ZONEFILE_RDATA_MAX)
            return 0;
        out[n++] = (uint8_t)t->len;
        memcpy(out + n, t->p, t->len);
        n += t->len;
    }
    return n;
}

/* Gives 0 for what is not plain. `out` has room for ZONEFILE_RDATA_MAX octets. */
static size_t plain_rdata(uint8_t *out, uint16_t type, const struct token *t, size_t count,
                          const struct zonefile_source *s)
{
    size_t n;

    if (count == 0 || t[0].flags & TOKEN_ESCAPED)
        return 0;
    switch (type) {
    case RR_A:
        return count == 1 && !t[0].flags ? plain_a(out, &t[0]) : 0;
    case RR_AAAA:
        return count == 1 && !t[0].flags ? plain_aaaa(out, &t[0]) : 0;
    case RR_NS:
    case RR_CNAME:
    case RR_PTR:
        return count == 1 && !t[0].flags
                   ? zonefile_plain_name(out, t[0].p, t[0].len, s->origin, s->origin_len)
                   : 0;
    case RR_MX:
        if (count != 2 || t[0].flags || t[1].flags || !plain_u16(out, &t[0]))
            return 0;
        n = zonefile_plain_name(out + 2, t[1].p, t[1].len, s->origin, s->origin_len);
        return n ? n + 2 : 0;
    case RR_TXT:
        return plain_strings(out, t, count);
    default:
        return 0;
    }
}

/* SvcParams alone know quotes inside of a word: alpn="h2,h3" (RFC 9460 2.1). */
static bool is_glued(uint16_t type, const struct token *t)
{
    return t->adjacent && (type == RR_SVCB || type == RR_HTTPS);
}

void zonefile_rest(struct zonefile_reader *r, uint16_t type, const struct lexer *lx, size_t i,
                   const uint8_t **text, size_t *len)
{
    const struct token *t = lx->tokens;

    *text = lx->end;
    *len = 0;
    if (i >= lx->count)
        return;
    if (!lx->folded && !lx->adjacent) {
        const struct token *last = &t[lx->count - 1];

        *text = token_start(&t[i]);
        *len = (size_t)(last->p + last->len + (last->flags & TOKEN_QUOTED) - *text);
        return;
    }
    r->scratch.len = 0;
    for (; i < lx->count; i++) {
        size_t quote = t[i].flags & TOKEN_QUOTED;

        if (r->scratch.len > 0 && !is_glued(type, &t[i]))
            buf_u8(&r->scratch, ' ');
        buf_put(&r->scratch, t[i].p - quote, t[i].len + 2 * quote);
    }
    *text = r->scratch.data;
    *len = r->scratch.len;
}

enum err zonefile_rdata(struct zonefile_reader *r, uint16_t type, const struct lexer *lx, size_t i,
                        const uint8_t *at)
{
    const struct zonefile_source *s = r->source;
    const uint8_t *text;
    size_t len;
    enum err rc;

    r->rdata.len = 0;
    buf_reserve(&r->rdata, ZONEFILE_RDATA_MAX);
    r->rdata.len = plain_rdata(r->rdata.data, type, lx->tokens + i, lx->count - i, s);
    if (r->rdata.len > 0)
        return OK;
    zonefile_rest(r, type, lx, i, &text, &len);
    rc = rdata_from_text(&r->rdata, type, (const char *)text, len, s->origin, &r->why);
    return rc ? zonefile_fail_why(r, rc, at) : OK;
}
