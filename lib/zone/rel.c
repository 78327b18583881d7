/* Relative names: what stands in front of the apex. */
#include <stdio.h>
#include <string.h>

#include "lib/zone/zone_internal.h"

uint16_t rdata_covered(uint16_t type, const uint8_t *rdata, size_t len)
{
    return (type == RR_RRSIG || type == RR_SIG) && len >= 2 ? get_u16(rdata) : 0;
}

bool rel_from_name(uint8_t rel[NAME_MAX_OCTETS], size_t *rel_len, const uint8_t *name,
                   const uint8_t *apex, size_t apex_len)
{
    size_t len = name_fold(rel, name);
    size_t at = 0;

    if (len < apex_len || memcmp(rel + len - apex_len, apex, apex_len) != 0)
        return false;
    while (at < len - apex_len)
        at += rel[at] + 1u;
    *rel_len = at;
    return at == len - apex_len; /* else the octets of the apex began inside a label */
}

/* Offsets of the labels, first to last; returns how many there are. */
static unsigned label_offsets(uint8_t at[NAME_MAX_LABELS], const uint8_t *rel, size_t rel_len)
{
    unsigned n = 0;

    for (size_t i = 0; i < rel_len; i += rel[i] + 1u)
        at[n++] = (uint8_t)i;
    return n;
}

static int label_cmp(const uint8_t *a, const uint8_t *b)
{
    int d = memcmp(a + 1, b + 1, *a < *b ? *a : *b);

    return d ? d : *a - *b;
}

int rel_name_cmp(const uint8_t *a, size_t a_len, const uint8_t *b, size_t b_len)
{
    uint8_t at_a[NAME_MAX_LABELS];
    uint8_t at_b[NAME_MAX_LABELS];
    unsigned na;
    unsigned nb;

    if (a_len == 0 || b_len == 0)
        return (a_len > 0) - (b_len > 0);
    if (a[0] + 1u == a_len && b[0] + 1u == b_len) /* one label each: most zones */
        return label_cmp(a, b);
    na = label_offsets(at_a, a, a_len);
    nb = label_offsets(at_b, b, b_len);
    while (na > 0 && nb > 0) {
        int d = label_cmp(a + at_a[--na], b + at_b[--nb]);
        if (d)
            return d;
    }
    return (na > 0) - (nb > 0);
}

/* Writes up to `max` octets of the key; the whole key if they are enough. */
static size_t key_write(uint8_t *key, size_t max, const uint8_t *rel, size_t rel_len)
{
    uint8_t at[NAME_MAX_LABELS];
    unsigned labels = label_offsets(at, rel, rel_len);
    size_t n = 0;

    while (labels > 0 && n < max) {
        const uint8_t *label = rel + at[--labels];
        for (unsigned i = 1; i <= *label && n < max; i++) {
            if (label[i] > 1) {
                key[n++] = label[i];
                continue;
            }
            key[n++] = 1;
            if (n < max)
                key[n++] = (uint8_t)(label[i] + 1);
        }
        if (n < max)
            key[n++] = 0;
    }
    return n;
}

size_t rel_key(uint8_t key[NAME_KEY_MAX], const uint8_t *rel, size_t rel_len)
{
    return key_write(key, NAME_KEY_MAX, rel, rel_len);
}

uint64_t rel_prefix(const uint8_t *rel, size_t rel_len)
{
    uint8_t key[8] = {0};

    (void)key_write(key, sizeof(key), rel, rel_len);
    return (uint64_t)get_u32(key) << 32 | get_u32(key + 4);
}

bool rel_below(const uint8_t *rel, size_t rel_len, const uint8_t *above, size_t above_len)
{
    size_t at = 0;

    if (rel_len <= above_len || memcmp(rel + rel_len - above_len, above, above_len) != 0)
        return false;
    while (at < rel_len - above_len)
        at += rel[at] + 1u;
    return at == rel_len - above_len;
}

enum err rr_check_zone_data(const struct rr *rr, struct errinfo *e)
{
    if (rr->rclass != CLASS_IN) {
        char text[TYPE_TEXT_MAX];
        class_to_text(text, rr->rclass);
        return zone_fault(ERR_CHECK, e, rr->owner, rr->type, "class %s; only IN can stand here",
                          text);
    }
    if (!type_is_data(rr->type))
        return zone_fault(ERR_CHECK, e, rr->owner, rr->type, "this type can't stand in a zone");
    if (rr->ttl > TTL_MAX)
        return zone_fault(ERR_CHECK, e, rr->owner, rr->type, "TTL %lu is above 2^31-1",
                          (unsigned long)rr->ttl);
    return OK;
}

enum err zone_fault(enum err rc, struct errinfo *e, const uint8_t *owner, uint16_t type,
                    const char *fmt, ...)
{
    char name[NAME_TEXT_MAX];
    char type_text[TYPE_TEXT_MAX];
    char why[200];
    va_list ap;

    if (!e)
        return rc;
    va_start(ap, fmt);
    (void)vsnprintf(why, sizeof(why), fmt, ap);
    va_end(ap);
    (void)name_to_text(name, owner);
    type_to_text(type_text, type);
    /* The longest name alone would fill the sentence and leave no room for the cause. */
    return err_set(rc, e, "%.700s %s: %s", name, type_text, why);
}
