#include <string.h>

#include "lib/dns/zonefile.h"

/* The owner as it stands below the origin: the absolute text without the origin's at its end. */
static bool put_relative(struct buf *out, const uint8_t *owner, const uint8_t *origin)
{
    char text[NAME_TEXT_MAX];
    uint8_t head[NAME_MAX_OCTETS];
    size_t n;

    if (name_is_root(origin) || !name_within(owner, origin))
        return false;
    n = name_len(owner) - name_len(origin);
    if (n == 0) {
        buf_u8(out, '@');
        return true;
    }
    memcpy(head, owner, n);
    head[n] = 0;
    n = name_to_text(text, head) - 1; /* without the last dot */
    buf_put(out, text, n);
    return true;
}

void zonefile_write_rr(struct buf *out, const struct rr *rr, const struct zonefile_write_opts *opts)
{
    size_t rest;
    const uint8_t *blank;

    if (!opts || !opts->origin || !put_relative(out, rr->owner, opts->origin)) {
        rr_to_text(out, rr);
        return;
    }
    /* From the first blank on (a name's are escaped), the line is the one of rr_to_text. */
    rest = out->len;
    rr_to_text(out, rr);
    blank = memchr(out->data + rest, ' ', out->len - rest);
    if (blank) {
        size_t n = out->len - (size_t)(blank - out->data);

        memmove(out->data + rest, blank, n);
        out->len = rest + n;
    }
}
