/* Lines of records, as rr_to_text writes them: owner SP ttl SP "IN" SP type SP rdata. What we read
 * here is what we wrote, or it is damaged: anything else is ERR_CORRUPT.
 */
#include <string.h>

#include "journal/journal_internal.h"

#define TTL_MAX UINT32_C(0xffffffff)

bool line_next(struct line *l, const char **pos, const char *end)
{
    const char *lf;

    if (*pos >= end)
        return false;
    lf = memchr(*pos, '\n', (size_t)(end - *pos));
    *l = (struct line){*pos, (size_t)((lf ? lf : end) - *pos)};
    *pos = lf ? lf + 1 : end;
    return true;
}

static enum err bad_line(const struct line *l, const char *why, struct errinfo *e)
{
    return err_set(ERR_CORRUPT, e, "a line of the journal is damaged (%s): %.*s", why,
                   (int)(l->len < 120 ? l->len : 120), l->text);
}

/* The word up to the next space, or to the end. */
static struct line word(struct line *rest)
{
    const char *sp = rest->len ? memchr(rest->text, ' ', rest->len) : NULL;
    struct line w = {rest->text, sp ? (size_t)(sp - rest->text) : rest->len};
    size_t used = w.len + (sp ? 1 : 0);

    rest->text += used;
    rest->len -= used;
    return w;
}

size_t line_owner_chars(const struct line *l)
{
    struct line rest = *l;

    return word(&rest).len;
}

static enum err take_owner(uint8_t owner[NAME_MAX_OCTETS], struct line *rest, struct errinfo *e)
{
    struct line whole = *rest;
    struct line w = word(rest);

    if (w.len == 0 || name_from_text(owner, w.text, w.len, NULL, e))
        return bad_line(&whole, "owner", e);
    return OK;
}

enum err line_owner(uint8_t owner[NAME_MAX_OCTETS], const struct line *l, struct errinfo *e)
{
    struct line rest = *l;

    return take_owner(owner, &rest, e);
}

/* TTL, class and type; leaves the RDATA. */
static enum err take_fields(struct rr *rr, struct line *rest, const struct line *l,
                            struct errinfo *e)
{
    struct line ttl = word(rest);
    struct line rclass = word(rest);
    struct line type = word(rest);
    uint64_t v = 0;

    for (size_t i = 0; i < ttl.len && v <= TTL_MAX; i++) {
        if (ttl.text[i] < '0' || ttl.text[i] > '9')
            return bad_line(l, "TTL", e);
        v = v * 10 + (uint64_t)(ttl.text[i] - '0');
    }
    if (ttl.len == 0 || v > TTL_MAX)
        return bad_line(l, "TTL", e);
    if (rclass.len != 2 || memcmp(rclass.text, "IN", 2) != 0)
        return bad_line(l, "class", e);
    if (!type_from_text(&rr->type, type.text, type.len))
        return bad_line(l, "type", e);
    rr->ttl = (uint32_t)v;
    rr->rclass = CLASS_IN;
    return OK;
}

static enum err take_rdata(struct line_rr *out, const struct line *rest, const struct line *l,
                           struct errinfo *e)
{
    struct errinfo why = {0};

    out->rdata.len = 0;
    if (rdata_from_text(&out->rdata, out->rr.type, rest->text, rest->len, NULL, &why))
        return bad_line(l, why.text, e);
    if (out->rdata.len > UINT16_MAX)
        return bad_line(l, "long RDATA", e);
    out->rr.rdata = out->rdata.data;
    out->rr.rdata_len = (uint16_t)out->rdata.len;
    return OK;
}

enum err line_parse(struct line_rr *out, const struct line *l, struct errinfo *e)
{
    struct line rest = *l;
    enum err rc;

    if ((rc = take_owner(out->owner, &rest, e)) || (rc = take_fields(&out->rr, &rest, l, e)) ||
        (rc = take_rdata(out, &rest, l, e)))
        return rc;
    out->rr.owner = out->owner;
    return OK;
}

enum err line_cmp(int *order, const struct rr *rr, const struct line *l, struct line_rr *tmp,
                  struct errinfo *e)
{
    struct line rest = *l;
    enum err rc;

    if ((rc = take_owner(tmp->owner, &rest, e)))
        return rc;
    if ((*order = name_cmp(rr->owner, tmp->owner)))
        return OK;
    if ((rc = take_fields(&tmp->rr, &rest, l, e)))
        return rc;
    if ((*order = (rr->type > tmp->rr.type) - (rr->type < tmp->rr.type)))
        return OK;
    if ((rc = take_rdata(tmp, &rest, l, e)))
        return rc;
    *order = rdata_cmp(rr->type, rr->rdata, rr->rdata_len, tmp->rr.rdata, tmp->rr.rdata_len);
    return OK;
}
