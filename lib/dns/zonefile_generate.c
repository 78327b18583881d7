/* $GENERATE start-stop[/step] OWNER [TTL] [CLASS] TYPE RDATA, as BIND has it.
 *
 * OWNER and RDATA are templates, in which `$` stands for the number, `$$` and `\$` for a dollar
 * sign, and ${offset[,width[,base]]} for number + offset, filled up with zeros to `width` places,
 * in base d, o, x, X, or as nibbles n, N: hex digits lowest first with dots between them, the dots
 * counting as places (for ip6.arpa). RDATA in one pair of quotes is taken without them, as BIND
 * does it; unlike there, it may also be several words. The last owner stays what it was. */
#include <stdlib.h>
#include <string.h>

#include "lib/dns/zonefile_internal.h"

#define NUMBER_MAX 0x7fffffff
#define WIDTH_MAX 255
#define WRONG_MODIFIER "${offset,width,base} is wrong or gives too big a number"

struct range {
    int64_t start, stop, step;
};

/* Decimal digits up to NUMBER_MAX; moves *p behind them. */
static bool read_number(int64_t *out, const uint8_t **p, const uint8_t *end)
{
    const uint8_t *start = *p;
    int64_t v = 0;

    for (; *p < end && **p >= '0' && **p <= '9'; (*p)++) {
        v = v * 10 + (**p - '0');
        if (v > NUMBER_MAX)
            return false;
    }
    *out = v;
    return *p > start;
}

static bool read_char(const uint8_t **p, const uint8_t *end, char c)
{
    if (*p == end || **p != (uint8_t)c)
        return false;
    (*p)++;
    return true;
}

static bool read_range(struct range *out, const struct token *t)
{
    const uint8_t *p = t->p;
    const uint8_t *end = t->p + t->len;

    out->step = 1;
    if (t->flags || !read_number(&out->start, &p, end) || !read_char(&p, end, '-') ||
        !read_number(&out->stop, &p, end))
        return false;
    if (p < end && (!read_char(&p, end, '/') || !read_number(&out->step, &p, end)))
        return false;
    return p == end && out->start <= out->stop && out->step > 0;
}

/* What stands in braces. */
struct modifier {
    int64_t offset;
    int64_t width;
    char base;
};

/* From the opening brace to behind the closing one. */
static bool read_modifier(struct modifier *m, const uint8_t **p, const uint8_t *end)
{
    bool minus = false;

    *m = (struct modifier){.base = 'd'};
    if (!read_char(p, end, '{'))
        return true;
    minus = read_char(p, end, '-');
    if (!minus)
        (void)read_char(p, end, '+');
    if (!read_number(&m->offset, p, end))
        return false;
    if (minus)
        m->offset = -m->offset;
    if (read_char(p, end, ',')) {
        if (!read_number(&m->width, p, end) || m->width > WIDTH_MAX)
            return false;
        if (read_char(p, end, ',')) {
            if (*p == end || **p == 0 || !strchr("doxXnN", **p))
                return false;
            m->base = (char)*(*p)++;
        }
    }
    return read_char(p, end, '}');
}

static void put_nibbles(struct buf *out, uint32_t v, int width, const char *digits)
{
    do {
        buf_u8(out, (uint8_t)digits[v & 15]);
        v >>= 4;
        width--;
        if (width > 0 || v != 0) {
            buf_u8(out, '.');
            width--;
        }
    } while (v != 0 || width > 0);
}

static void put_number(struct buf *out, int32_t v, const struct modifier *m)
{
    int width = (int)m->width;

    switch (m->base) {
    case 'o':
        buf_printf(out, "%0*o", width, (uint32_t)v);
        break;
    case 'x':
        buf_printf(out, "%0*x", width, (uint32_t)v);
        break;
    case 'X':
        buf_printf(out, "%0*X", width, (uint32_t)v);
        break;
    case 'n':
        put_nibbles(out, (uint32_t)v, width, "0123456789abcdef");
        break;
    case 'N':
        put_nibbles(out, (uint32_t)v, width, "0123456789ABCDEF");
        break;
    default:
        buf_printf(out, "%0*d", width, v);
        break;
    }
}

/* A template with the number put in. False if a ${...} is wrong. */
static bool expand(struct buf *out, const uint8_t *p, size_t len, int64_t number)
{
    const uint8_t *end = p ? p + len : p; /* "" is a template too */
    struct modifier m;

    out->len = 0;
    while (p < end) {
        if (*p == '\\' && end - p > 1) { /* escapes go through as they are */
            buf_put(out, p, 2);
            p += 2;
        } else if (*p != '$') {
            buf_u8(out, *p++);
        } else if (end - ++p > 0 && *p == '$') {
            buf_str(out, "\\$");
            p++;
        } else {
            if (!read_modifier(&m, &p, end))
                return false;
            if (number + m.offset > NUMBER_MAX || number + m.offset < -(int64_t)NUMBER_MAX - 1)
                return false;
            put_number(out, (int32_t)(number + m.offset), &m);
        }
    }
    return true;
}

/* The template of RDATA: the rest of the line, or what stands in its only quotes. */
static void rdata_template(struct buf *out, struct zonefile_reader *r, uint16_t type, size_t i)
{
    const struct lexer *lx = &r->source->lex;
    const uint8_t *p;
    size_t len;

    if (i + 1 != lx->count || !(lx->tokens[i].flags & TOKEN_QUOTED)) {
        zonefile_rest(r, type, lx, i, &p, &len);
        buf_put(out, p, len);
        return;
    }
    p = lx->tokens[i].p;
    for (const uint8_t *end = p + lx->tokens[i].len; p < end; p++) {
        if (p[0] == '\\' && p[1] != '"')
            buf_u8(out, *p++);
        else if (p[0] == '\\')
            p++;
        buf_u8(out, *p);
    }
}

struct generate {
    const struct token *owner;
    struct entry_head head;
    struct buf rdata_template;

    struct buf text;  /* of one name, one RDATA */
    struct lexer lex; /* over the latter */
};

static enum err make_owner(uint8_t out[NAME_MAX_OCTETS], struct zonefile_reader *r,
                           struct generate *g, int64_t number)
{
    const struct token *t = g->owner;
    enum err rc;

    if (!expand(&g->text, t->p, t->len, number))
        return zonefile_fail(r, ERR_FORMAT, t->p, WRONG_MODIFIER);
    rc = name_from_text(out, (const char *)g->text.data, g->text.len, r->source->origin, &r->why);
    if (rc) {
        (void)err_wrap(rc, &r->why, "owner for %lld", (long long)number);
        return zonefile_fail_why(r, rc, t->p);
    }
    return OK;
}

/* RDATA is taken apart like any other, only from a text of its own. */
static enum err make_rdata(struct zonefile_reader *r, struct generate *g, int64_t number)
{
    const uint8_t *at = token_start(&r->source->lex.tokens[g->head.rdata]);
    struct lexer *lx = &g->lex;
    enum err rc;

    if (!expand(&g->text, g->rdata_template.data, g->rdata_template.len, number))
        return zonefile_fail(r, ERR_FORMAT, at, WRONG_MODIFIER);
    lx->pos = (const uint8_t *)buf_cstr(&g->text);
    lx->end = lx->pos + g->text.len;
    switch (lexer_next(lx)) {
    case LEX_ENTRY:
        break;
    case LEX_END:
        return zonefile_fail(r, ERR_FORMAT, at, "RDATA for %lld is empty", (long long)number);
    case LEX_ERROR:
        return zonefile_fail(r, ERR_FORMAT, at, "RDATA for %lld: %s", (long long)number, lx->error);
    }
    rc = zonefile_rdata(r, g->head.type, lx, 0, at);
    if (rc)
        (void)err_wrap(rc, &r->why, "RDATA for %lld", (long long)number);
    return rc;
}

static enum err generate_one(struct zonefile_reader *r, struct generate *g, int64_t number)
{
    struct entry_head head = g->head;
    uint8_t owner[NAME_MAX_OCTETS];
    enum err rc;

    if ((rc = make_owner(owner, r, g, number)) || (rc = make_rdata(r, g, number)))
        return rc;
    return zonefile_emit(r, owner, &head, r->source->lex.tokens[0].p);
}

enum err zonefile_generate(struct zonefile_reader *r)
{
    const struct lexer *lx = &r->source->lex;
    const struct token *t = lx->tokens;
    struct generate g = {.rdata_template = BUF_INIT};
    struct range range;
    enum err rc;

    if (lx->count < 5)
        return zonefile_fail(r, ERR_FORMAT, t[0].p,
                             "$GENERATE takes a range, an owner, a type and RDATA");
    if (!read_range(&range, &t[1]))
        return zonefile_fail(r, ERR_FORMAT, t[1].p,
                             "the range must be start-stop or start-stop/step");
    if ((uint64_t)((range.stop - range.start) / range.step) >= r->opts.generate_max)
        return zonefile_fail(r, ERR_LIMIT, t[1].p, "$GENERATE of more than %llu records",
                             (unsigned long long)r->opts.generate_max);
    if (t[2].flags & TOKEN_QUOTED)
        return zonefile_fail(r, ERR_FORMAT, token_start(&t[2]), "a quoted string is no owner");
    if ((rc = zonefile_head(&g.head, r, 3)))
        return rc;
    if (g.head.rdata >= lx->count)
        return zonefile_fail(r, ERR_FORMAT, g.head.type_at, "no RDATA behind the type");
    g.owner = &t[2];
    rdata_template(&g.rdata_template, r, g.head.type, g.head.rdata);
    for (int64_t n = range.start; n <= range.stop && rc == OK; n += range.step)
        rc = generate_one(r, &g, n);
    buf_free(&g.rdata_template);
    buf_free(&g.text);
    free(g.lex.tokens);
    return rc;
}
