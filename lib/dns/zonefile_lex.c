#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "lib/base/mem.h"
#include "lib/dns/zonefile_internal.h"

/* RDATA has at most 65535 octets, so no honest entry has more parts than its hex digits one by one.
 * The bound keeps what a file can make us allocate in proportion. */
#define TOKENS_MAX 140000
#define TOKEN_OCTETS_MAX 0x1000000u

enum char_class {
    C_WORD = 0,
    C_BLANK,
    C_NEWLINE,
    C_CR,
    C_COMMENT,
    C_QUOTE,
    C_OPEN,
    C_CLOSE,
    C_ESCAPE,
    C_CONTROL, /* NUL too, and so the end */
};

#define CONTROL_8                                                                                  \
    C_CONTROL, C_CONTROL, C_CONTROL, C_CONTROL, C_CONTROL, C_CONTROL, C_CONTROL, C_CONTROL

static const uint8_t class_of[256] = {
    C_CONTROL,          C_CONTROL,
    C_CONTROL,          C_CONTROL,
    C_CONTROL,          C_CONTROL,
    C_CONTROL,          C_CONTROL,
    C_CONTROL,          C_BLANK,
    C_NEWLINE,          C_CONTROL,
    C_CONTROL,          C_CR,
    C_CONTROL,          C_CONTROL,
    CONTROL_8,          CONTROL_8,
    [' '] = C_BLANK,    ['"'] = C_QUOTE,
    ['('] = C_OPEN,     [')'] = C_CLOSE,
    [';'] = C_COMMENT,  ['\\'] = C_ESCAPE,
    [0x7f] = C_CONTROL,
};

static enum lex_outcome fail(struct lexer *lx, const uint8_t *at, const char *what)
{
    lx->error_at = at;
    (void)snprintf(lx->error, sizeof(lx->error), "%s", what);
    return LEX_ERROR;
}

static enum lex_outcome fail_control(struct lexer *lx, const uint8_t *at)
{
    lx->error_at = at;
    if (*at == 0)
        (void)snprintf(lx->error, sizeof(lx->error), "NUL octet");
    else
        (void)snprintf(lx->error, sizeof(lx->error), "control character \\%03u", *at);
    return LEX_ERROR;
}

/* Steps over a backslash and what it escapes: \DDD or \X. */
static const uint8_t *skip_escape(struct lexer *lx, const uint8_t *p)
{
    unsigned c = p[1];

    if (c - '0' < 10) {
        if ((unsigned)p[2] - '0' >= 10 || (unsigned)p[3] - '0' >= 10 ||
            (c - '0') * 100 + (unsigned)(p[2] - '0') * 10 + (unsigned)(p[3] - '0') > 255) {
            (void)fail(lx, p, "an escape \\DDD needs three digits, at most 255");
            return NULL;
        }
        return p + 4;
    }
    if (class_of[c] == C_CONTROL || class_of[c] == C_NEWLINE || class_of[c] == C_CR || c == '\t') {
        (void)fail(lx, p, "nothing to escape behind the backslash");
        return NULL;
    }
    return p + 2;
}

/* From behind the opening quote to the closing one. */
static const uint8_t *skip_quoted(struct lexer *lx, const uint8_t *p, uint16_t *flags)
{
    const uint8_t *open = p - 1;

    for (;;) {
        switch ((enum char_class)class_of[*p]) {
        case C_QUOTE:
            return p;
        case C_ESCAPE:
            *flags |= TOKEN_ESCAPED;
            if (!(p = skip_escape(lx, p)))
                return NULL;
            break;
        case C_CR:
        case C_NEWLINE:
            (void)fail(lx, open, "the quoted string does not end on its line");
            return NULL;
        case C_CONTROL:
            if (p == lx->end)
                (void)fail(lx, open, "the quoted string does not end");
            else
                (void)fail_control(lx, p);
            return NULL;
        case C_WORD:
        case C_BLANK:
        case C_COMMENT:
        case C_OPEN:
        case C_CLOSE:
            p++;
            break;
        }
    }
}

static const uint8_t *skip_word(struct lexer *lx, const uint8_t *p, uint16_t *flags)
{
    for (;;) {
        while (class_of[*p] == C_WORD)
            p++;
        if (class_of[*p] != C_ESCAPE)
            return p;
        *flags |= TOKEN_ESCAPED;
        if (!(p = skip_escape(lx, p)))
            return NULL;
    }
}

static bool add_token(struct lexer *lx, const uint8_t *p, const uint8_t *end, uint16_t flags)
{
    struct token t = {.p = p, .len = (uint32_t)(end - p), .flags = flags};

    if ((size_t)(end - p) > TOKEN_OCTETS_MAX || lx->count >= TOKENS_MAX) {
        (void)fail(lx, p, "the entry is too long to be a record");
        return false;
    }
    if (lx->count > 0) {
        const struct token *last = &lx->tokens[lx->count - 1];

        t.adjacent = last->p + last->len + (last->flags & TOKEN_QUOTED) == token_start(&t);
        lx->adjacent |= t.adjacent;
    }
    if (lx->count == lx->cap)
        lx->tokens = xgrow(lx->tokens, &lx->cap, lx->count + 1, sizeof(*lx->tokens));
    lx->tokens[lx->count++] = t;
    return true;
}

/* Comments may hold anything but a NUL, which tells a file that is no text. */
static const uint8_t *skip_comment(struct lexer *lx, const uint8_t *p)
{
    while (*p != '\n' && *p != 0)
        p++;
    if (*p == 0 && p != lx->end) {
        (void)fail_control(lx, p);
        return NULL;
    }
    return p;
}

static void begin_entry(struct lexer *lx, const uint8_t *p)
{
    lx->start = p;
    lx->start_line = lx->line;
    lx->count = 0;
    lx->blank_owner = class_of[*p] == C_BLANK;
    lx->folded = false;
    lx->adjacent = false;
}

enum lex_outcome lexer_next(struct lexer *lx)
{
    const uint8_t *p = lx->pos;
    const uint8_t *open = p;
    const uint8_t *from;
    uint16_t flags;
    unsigned depth = 0;

    begin_entry(lx, p);
    for (;;) {
        switch ((enum char_class)class_of[*p]) {
        case C_BLANK:
            p++;
            break;
        case C_WORD:
        case C_ESCAPE:
            flags = 0;
            from = p;
            if (!(p = skip_word(lx, p, &flags)) || !add_token(lx, from, p, flags))
                return LEX_ERROR;
            break;
        case C_QUOTE:
            flags = TOKEN_QUOTED;
            from = p + 1;
            if (!(p = skip_quoted(lx, from, &flags)) || !add_token(lx, from, p, flags))
                return LEX_ERROR;
            p++;
            break;
        case C_COMMENT:
            if (!(p = skip_comment(lx, p)))
                return LEX_ERROR;
            break;
        case C_OPEN:
            if (depth++ == 0)
                open = p;
            lx->folded = true;
            p++;
            break;
        case C_CLOSE:
            if (depth-- == 0)
                return fail(lx, p, "')' without a '(' before it");
            p++;
            break;
        case C_CR:
            if (p[1] != '\n')
                return fail(lx, p, "carriage return without a line feed");
            p++;
            break;
        case C_NEWLINE:
            p++;
            lx->line++;
            if (depth > 0)
                break;
            lx->pos = p;
            if (lx->count > 0)
                return LEX_ENTRY;
            begin_entry(lx, p);
            break;
        case C_CONTROL:
            if (p != lx->end)
                return fail_control(lx, p);
            if (depth > 0)
                return fail(lx, open, "'(' is never closed");
            lx->pos = p;
            return lx->count > 0 ? LEX_ENTRY : LEX_END;
        }
    }
}

void lexer_recover(struct lexer *lx, const uint8_t *at)
{
    const uint8_t *nl;
    uint32_t column;

    lexer_position(lx, at, &lx->line, &column);
    nl = memchr(at, '\n', (size_t)(lx->end - at));
    lx->pos = nl ? nl + 1 : lx->end;
    lx->line += nl != NULL;
}

void lexer_position(const struct lexer *lx, const uint8_t *at, uint32_t *line, uint32_t *column)
{
    const uint8_t *begin = lx->start;
    const uint8_t *nl;

    *line = lx->start_line;
    while ((nl = memchr(begin, '\n', (size_t)(at - begin)))) {
        begin = nl + 1;
        (*line)++;
    }
    *column = (uint32_t)(at - begin) + 1;
}

bool token_is(const struct token *t, const char *word)
{
    return !(t->flags & TOKEN_QUOTED) && t->len == strlen(word) &&
           strncasecmp((const char *)t->p, word, t->len) == 0;
}

const char *token_text(char out[TOKEN_TEXT_MAX], const struct token *t)
{
    size_t n = 0;

    out[n++] = '\'';
    for (uint32_t i = 0; i < t->len; i++) {
        if (n + 10 > TOKEN_TEXT_MAX) {
            (void)snprintf(out + n, TOKEN_TEXT_MAX - n, "...'");
            return out;
        }
        if (t->p[i] >= ' ' && t->p[i] < 0x7f)
            out[n++] = (char)t->p[i];
        else
            n += (size_t)snprintf(out + n, TOKEN_TEXT_MAX - n, "\\%03u", t->p[i]);
    }
    out[n++] = '\'';
    out[n] = 0;
    return out;
}
