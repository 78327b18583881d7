#include <string.h>

#include "lib/dns/zonefile_internal.h"

/* ---- TTLs ---- */

static uint32_t unit_seconds(uint8_t c)
{
    switch (c | 0x20) {
    case 's':
        return 1;
    case 'm':
        return 60;
    case 'h':
        return 3600;
    case 'd':
        return 86400;
    case 'w':
        return 604800;
    default:
        return 0;
    }
}

enum ttl_outcome zonefile_ttl(uint32_t *out, const uint8_t *p, size_t len)
{
    uint64_t sum = 0;
    size_t i = 0;

    if (len == 0)
        return TTL_BAD;
    while (i < len) {
        uint64_t v = 0;
        size_t digits = i;
        uint32_t unit = 1;

        for (; i < len && p[i] >= '0' && p[i] <= '9'; i++) {
            if (v <= ZONEFILE_TTL_MAX)
                v = v * 10 + (uint64_t)(p[i] - '0');
        }
        if (i == digits)
            return TTL_BAD;
        if (i < len)
            unit = unit_seconds(p[i++]);
        else if (digits > 0)
            return TTL_BAD; /* 1h30: what is 30? */
        if (unit == 0)
            return TTL_BAD;
        sum += v * unit;
        if (sum > ZONEFILE_TTL_MAX)
            sum = (uint64_t)ZONEFILE_TTL_MAX + 1;
    }
    if (sum > ZONEFILE_TTL_MAX)
        return TTL_TOO_BIG;
    *out = (uint32_t)sum;
    return TTL_OK;
}

bool zonefile_ttl_parse(uint32_t *out, const char *text, size_t len)
{
    return zonefile_ttl(out, (const uint8_t *)text, len) == TTL_OK;
}

static enum err ttl_token(uint32_t *out, struct zonefile_reader *r, const struct token *t)
{
    char text[TOKEN_TEXT_MAX];

    switch (t->flags ? TTL_BAD : zonefile_ttl(out, t->p, t->len)) {
    case TTL_OK:
        return OK;
    case TTL_TOO_BIG:
        return zonefile_fail(r, ERR_FORMAT, t->p, "TTL %s is above 2147483647",
                             token_text(text, t));
    case TTL_BAD:
        break;
    }
    return zonefile_fail(r, ERR_FORMAT, t->p, "%s is no TTL", token_text(text, t));
}

/* ---- Names ---- */

enum err zonefile_name(struct zonefile_reader *r, uint8_t out[NAME_MAX_OCTETS],
                       const struct token *t, const char *what)
{
    struct zonefile_source *s = r->source;
    char text[TOKEN_TEXT_MAX];
    enum err rc;

    if (t->flags == 0 && zonefile_plain_name(out, t->p, t->len, s->origin, s->origin_len) > 0)
        return OK;
    if (t->flags & TOKEN_QUOTED)
        return zonefile_fail(r, ERR_FORMAT, token_start(t), "a quoted string is no %s", what);
    rc = name_from_text(out, (const char *)t->p, t->len, s->origin, &r->why);
    if (rc) {
        (void)err_wrap(rc, &r->why, "%s %s", what, token_text(text, t));
        return zonefile_fail_why(r, rc, t->p);
    }
    return OK;
}

/* ---- TTL, class, type ---- */

/* type_from_text is a search; a zone file has few types and says each many times. */
static bool find_type(uint16_t *out, struct zonefile_reader *r, const struct token *t)
{
    struct type_seen *seen = &r->types[(t->len * 8 + t->p[0] + t->p[t->len - 1]) % TYPES_SEEN];

    if (seen->len == t->len && memcmp(seen->text, t->p, t->len) == 0) {
        *out = seen->type;
        return true;
    }
    if (!type_from_text(out, (const char *)t->p, t->len))
        return false;
    if (t->len <= sizeof(seen->text)) {
        memcpy(seen->text, t->p, t->len);
        seen->len = t->len;
        seen->type = *out;
    }
    return true;
}

static enum err type_token(struct entry_head *h, struct zonefile_reader *r, const struct token *t)
{
    char text[TOKEN_TEXT_MAX];
    uint16_t rclass;

    h->type_at = t->p;
    if (find_type(&h->type, r, t)) {
        if (type_is_data(h->type))
            return OK;
        return zonefile_fail(r, ERR_FORMAT, t->p, "type %s cannot stand in a zone",
                             token_text(text, t));
    }
    if (class_from_text(&rclass, (const char *)t->p, t->len))
        return zonefile_fail(r, ERR_FORMAT, t->p, "class %s: only IN is served here",
                             token_text(text, t));
    return zonefile_fail(r, ERR_FORMAT, t->p, "unknown type %s", token_text(text, t));
}

static bool is_class_in(const struct token *t)
{
    uint16_t rclass;

    if (t->len == 2 && (t->p[0] | 0x20) == 'i' && (t->p[1] | 0x20) == 'n')
        return true;
    return t->len > 5 && class_from_text(&rclass, (const char *)t->p, t->len) &&
           rclass == CLASS_IN; /* CLASS1 */
}

enum err zonefile_head(struct entry_head *out, struct zonefile_reader *r, size_t i)
{
    const struct lexer *lx = &r->source->lex;
    bool has_class = false;
    enum err rc;

    *out = (struct entry_head){.type = 0};
    for (; i < lx->count; i++) {
        const struct token *t = &lx->tokens[i];

        if (t->flags)
            break;
        if (!out->has_ttl && t->p[0] >= '0' && t->p[0] <= '9') {
            if ((rc = ttl_token(&out->ttl, r, t)))
                return rc;
            out->has_ttl = true;
        } else if (!has_class && is_class_in(t)) {
            has_class = true;
        } else {
            out->rdata = i + 1;
            return type_token(out, r, t);
        }
    }
    if (i < lx->count)
        return zonefile_fail(r, ERR_FORMAT, lx->tokens[i].p, "a type is expected here");
    return zonefile_fail(r, ERR_FORMAT, lx->tokens[lx->count - 1].p,
                         "the entry ends before its type");
}

/* ---- Records ---- */

/* RFC 2308 4, RFC 1035 5.1, and what everybody does for the files of before 1998. */
static enum err complete_ttl(struct zonefile_reader *r, struct entry_head *h)
{
    struct soa soa;

    if (h->type == RR_SOA && soa_parse(&soa, r->rdata.data, r->rdata.len)) {
        r->minimum = soa.minimum_s < ZONEFILE_TTL_MAX ? soa.minimum_s : ZONEFILE_TTL_MAX;
        r->has_minimum = true;
    }
    if (h->has_ttl) {
        r->last_ttl = h->ttl;
        r->has_last_ttl = true;
    } else if (r->has_ttl) {
        h->ttl = r->ttl;
    } else if (r->has_last_ttl) {
        h->ttl = r->last_ttl;
    } else if (r->has_minimum) {
        h->ttl = r->minimum;
    } else {
        return zonefile_fail(r, ERR_FORMAT, h->type_at,
                             "no TTL, and neither a $TTL nor a record with one before");
    }
    return OK;
}

enum err zonefile_emit(struct zonefile_reader *r, const uint8_t *owner, struct entry_head *head,
                       const uint8_t *at)
{
    struct rr rr = {.owner = owner,
                    .rdata = r->rdata.data,
                    .type = head->type,
                    .rclass = CLASS_IN,
                    .rdata_len = (uint16_t)r->rdata.len};
    enum err rc;

    if (r->rdata.len > ZONEFILE_RDATA_MAX)
        return zonefile_fail(r, ERR_FORMAT, head->type_at, "RDATA of more than %d octets",
                             ZONEFILE_RDATA_MAX);
    if ((rc = complete_ttl(r, head)))
        return rc;
    if (r->opts.max_records && r->records >= r->opts.max_records)
        return zonefile_fail(r, ERR_LIMIT, at, "more than %llu records",
                             (unsigned long long)r->opts.max_records);
    r->records++;
    rr.ttl = head->ttl;
    rc = r->f(r->ctx, &rr, &r->why);
    if (rc) {
        if (!r->why.text[0])
            (void)err_set(rc, &r->why, "refused");
        r->fatal = rc != ERR_FORMAT && rc != ERR_CHECK;
        return zonefile_fail_why(r, rc, at);
    }
    return OK;
}

static enum err record(struct zonefile_reader *r)
{
    struct zonefile_source *s = r->source;
    struct lexer *lx = &s->lex;
    const uint8_t *at = lx->tokens[0].p;
    struct entry_head head;
    enum err rc;

    if (!lx->blank_owner) {
        s->has_owner = false;
        if ((rc = zonefile_name(r, s->owner, &lx->tokens[0], "owner")))
            return rc;
        s->has_owner = true;
    } else if (!s->has_owner) {
        return zonefile_fail(r, ERR_FORMAT, at, "no owner, and none before that could be used");
    }
    if ((rc = zonefile_head(&head, r, lx->blank_owner ? 0 : 1)) ||
        (rc = zonefile_rdata(r, head.type, lx, head.rdata,
                             head.rdata < lx->count ? token_start(&lx->tokens[head.rdata])
                                                    : head.type_at)))
        return rc;
    return zonefile_emit(r, s->owner, &head, at);
}

/* ---- Directives ---- */

static enum err directive_origin(struct zonefile_reader *r)
{
    struct zonefile_source *s = r->source;
    struct lexer *lx = &s->lex;
    uint8_t name[NAME_MAX_OCTETS];
    enum err rc;

    if (lx->count != 2)
        return zonefile_fail(r, ERR_FORMAT, lx->tokens[0].p, "$ORIGIN takes one name");
    if ((rc = zonefile_name(r, name, &lx->tokens[1], "origin")))
        return rc;
    s->origin_len = name_copy(s->origin, name);
    return OK;
}

static enum err directive_ttl(struct zonefile_reader *r)
{
    struct lexer *lx = &r->source->lex;
    enum err rc;

    if (lx->count != 2)
        return zonefile_fail(r, ERR_FORMAT, lx->tokens[0].p, "$TTL takes one TTL");
    if ((rc = ttl_token(&r->ttl, r, &lx->tokens[1])))
        return rc;
    r->has_ttl = true;
    return OK;
}

enum err zonefile_entry(struct zonefile_reader *r)
{
    const struct lexer *lx = &r->source->lex;
    const struct token *t = &lx->tokens[0];
    char text[TOKEN_TEXT_MAX];

    if (lx->blank_owner || t->flags || t->p[0] != '$')
        return record(r);
    if (token_is(t, "$ORIGIN"))
        return directive_origin(r);
    if (token_is(t, "$TTL"))
        return directive_ttl(r);
    if (token_is(t, "$INCLUDE"))
        return zonefile_include(r);
    if (token_is(t, "$GENERATE"))
        return zonefile_generate(r);
    return zonefile_fail(r, ERR_FORMAT, t->p, "unknown directive %s", token_text(text, t));
}
