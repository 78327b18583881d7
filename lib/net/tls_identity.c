#include "lib/net/tls_identity.h"

#include <stdio.h>
#include <string.h>

#include "lib/base/encode.h"

#define VOUCHED 1

void tls_identity_encode(struct buf *out, const struct tls_identity *id)
{
    if (!id->shown)
        return;
    buf_u8(out, id->vouched ? VOUCHED : 0);
    buf_put(out, id->pin, sizeof(id->pin));
    buf_u8(out, (uint8_t)id->name_count);
    for (unsigned i = 0; i < id->name_count; i++) {
        size_t n = strlen(id->names[i]);

        buf_u8(out, (uint8_t)n);
        buf_put(out, id->names[i], n);
    }
}

bool tls_name_is_plain(const char *name, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (name[i] < '!' || name[i] > '~')
            return false;
    }
    return len > 0 && len <= TLS_NAME_OCTETS;
}

static void decode_name(struct tls_identity *out, struct reader *r)
{
    size_t n = read_u8(r);
    const uint8_t *p = read_bytes(r, n);

    if (!p || !tls_name_is_plain((const char *)p, n))
        reader_fail(r);
    else
        memcpy(out->names[out->name_count++], p, n); /* zero behind it */
}

bool tls_identity_decode(struct tls_identity *out, struct reader *r)
{
    const uint8_t *pin;
    uint8_t flags;
    unsigned n;

    *out = (struct tls_identity){.shown = reader_left(r) > 0};
    if (!out->shown)
        return !r->failed;
    flags = read_u8(r);
    if ((pin = read_bytes(r, sizeof(out->pin))))
        memcpy(out->pin, pin, sizeof(out->pin));
    n = read_u8(r);
    if (flags & ~VOUCHED || n > TLS_NAMES_MAX)
        reader_fail(r);
    for (; n > 0 && !r->failed; n--)
        decode_name(out, r);
    out->vouched = flags & VOUCHED;
    return !r->failed && reader_left(r) == 0;
}

void tls_identity_text(char out[TLS_IDENTITY_TEXT_MAX], const struct tls_identity *id)
{
    struct buf b = BUF_INIT;

    out[0] = '\0';
    if (!id->shown)
        return;
    if (id->vouched && id->name_count) {
        (void)snprintf(out, TLS_IDENTITY_TEXT_MAX, "%s", id->names[0]);
        return;
    }
    base64_encode(&b, id->pin, sizeof(id->pin));
    (void)snprintf(out, TLS_IDENTITY_TEXT_MAX, "pin:%.*s", (int)b.len, (const char *)b.data);
    buf_free(&b);
}
