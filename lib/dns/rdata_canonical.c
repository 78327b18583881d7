/* Canonical form and order of RDATA, RFC 4034 6.2 and 6.3. */
#include <string.h>

#include "lib/dns/rr_internal.h"

/* Names of types that RFC 4034 6.2 (with RFC 6840 5.1) lists; the table says it by kind of field.
 */
static bool type_folds(const struct rr_desc *d)
{
    for (const enum rr_field *f = d->fields; *f != F_END; f++) {
        if (*f == F_NAME_COMP || *f == F_NAME_EXPAND || *f == F_NAME_FOLD || *f == F_A6)
            return true;
    }
    return false;
}

static void on_fold(void *ctx, size_t offset, const uint8_t *name, bool compressible)
{
    uint8_t *copy = ctx;

    (void)compressible;
    (void)name_fold(copy + offset, name);
}

void rdata_canonical(struct buf *out, uint16_t type, const uint8_t *rdata, size_t len)
{
    const struct rr_desc *d = rr_desc_of(type);
    size_t at = out->len;

    buf_put(out, rdata, len);
    if (d && type_folds(d))
        rdata_each_name(type, rdata, len, on_fold, out->data + at);
}

static bool is_upper(uint8_t c)
{
    return c >= 'A' && c <= 'Z';
}

int rdata_cmp(uint16_t type, const uint8_t *a, size_t a_len, const uint8_t *b, size_t b_len)
{
    const struct rr_desc *d = rr_desc_of(type);
    size_t n = a_len < b_len ? a_len : b_len;
    struct buf both = BUF_INIT;
    size_t i = 0;
    int result;

    while (i < n && a[i] == b[i])
        i++;
    /* Up to here both fold alike. Where they differ first, folding matters only to capitals. */
    if (i == n)
        return (a_len > n) - (b_len > n);
    if (!d || !type_folds(d) || (!is_upper(a[i]) && !is_upper(b[i])))
        return a[i] - b[i];
    rdata_canonical(&both, type, a, a_len);
    rdata_canonical(&both, type, b, b_len);
    result = memcmp(both.data, both.data + a_len, n);
    if (result == 0)
        result = (a_len > n) - (b_len > n);
    buf_free(&both);
    return result;
}
