/* SvcParams of SVCB and HTTPS, RFC 9460 2.1 and appendix A. */
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/encode.h"
#include "lib/base/mem.h"
#include "lib/dns/rdata_text_in.h"
#include "lib/dns/rdata_text_out.h"

struct param {
    uint16_t key;
    struct buf value;
};

static const char *const key_names[] = {"mandatory", "alpn",     "no-default-alpn",
                                        "port",      "ipv4hint", "ech",
                                        "ipv6hint",  "dohpath",  "ohttp"};

static bool key_of(uint16_t *out, const char *p, size_t len)
{
    struct word w = {p, len, false};
    uint32_t v = 0;

    for (size_t i = 0; i < sizeof(key_names) / sizeof(key_names[0]); i++) {
        if (word_is(&w, key_names[i])) {
            *out = (uint16_t)i;
            return true;
        }
    }
    if (len <= 3 || strncmp(p, "key", 3) != 0)
        return false;
    w = (struct word){p + 3, len - 3, false};
    if (!word_number(&w, UINT16_MAX, &v) || (p[3] == '0' && len > 4))
        return false;
    *out = (uint16_t)v;
    return true;
}

/* One item of a value list, its escapes undone ("\\," is a comma inside). False at the end. */
static bool list_item(const struct buf *list, size_t *pos, struct buf *item)
{
    item->len = 0;
    if (*pos > list->len)
        return false;
    for (; *pos < list->len && list->data[*pos] != ','; (*pos)++) {
        if (list->data[*pos] == '\\' && *pos + 1 < list->len)
            (*pos)++;
        buf_u8(item, list->data[*pos]);
    }
    (*pos)++;
    return true;
}

static int key_cmp(const void *a, const void *b)
{
    return memcmp(a, b, 2);
}

static bool put_item(struct text_in *t, uint16_t key, const struct buf *item, struct buf *out)
{
    struct word w = {(const char *)item->data, item->len, false};
    uint8_t ip[16];
    uint16_t k = 0;

    switch (key) {
    case 0:
        if (!key_of(&k, w.p, w.len))
            return text_fail(t, "mandatory: '%.*s' is not a key", word_cut(&w), w.p);
        buf_u16(out, k);
        return true;
    case 1:
        if (item->len == 0 || item->len > 255)
            return text_fail(t, "alpn: an id has 1 to 255 octets");
        buf_u8(out, (uint8_t)item->len);
        buf_put(out, item->data, item->len);
        return true;
    default:
        if (!text_ip(t, &w, key == 4 ? AF_INET : AF_INET6, ip))
            return false;
        buf_put(out, ip, key == 4 ? 4 : 16);
        return true;
    }
}

static bool put_list(struct text_in *t, uint16_t key, const struct buf *raw, struct buf *out)
{
    struct buf item = BUF_INIT;
    size_t pos = 0;
    bool ok = true;

    buf_reserve(&item, 1);
    while (ok && list_item(raw, &pos, &item))
        ok = put_item(t, key, &item, out);
    buf_free(&item);
    if (ok && key == 0 && out->len)
        qsort(out->data, out->len / 2, 2, key_cmp); /* on the wire they rise, RFC 9460 8 */
    return ok;
}

static bool put_value(struct text_in *t, uint16_t key, const struct buf *raw, struct buf *out)
{
    struct word w = {(const char *)raw->data, raw->len, false};
    uint32_t port = 0;

    switch (key) {
    case 0:
    case 1:
    case 4:
    case 6:
        return put_list(t, key, raw, out);
    case 3:
        if (!word_number(&w, UINT16_MAX, &port))
            return text_fail(t, "port: '%.*s' is not a port", word_cut(&w), w.p);
        buf_u16(out, (uint16_t)port);
        return true;
    case 5:
        if (!base64_decode(out, w.p, w.len))
            return text_fail(t, "ech: it is not valid base64");
        return true;
    default:
        buf_put(out, raw->data, raw->len);
        return true;
    }
}

/* key, key=value or key="value" */
static bool take_param(struct text_in *t, struct param *out)
{
    struct word w;
    struct buf raw = BUF_INIT;
    const char *eq;
    size_t key_len;
    bool ok = true;

    if (!text_param(t, &w))
        return false;
    eq = memchr(w.p, '=', w.len);
    key_len = eq ? (size_t)(eq - w.p) : w.len;
    if (w.quoted || !key_of(&out->key, w.p, key_len))
        return text_fail(t, "'%.*s' is not a SvcParam key", (int)(key_len > 40 ? 40 : key_len),
                         w.p);
    if (eq) {
        struct word v = {eq + 1, w.len - key_len - 1, false};

        if (v.len >= 2 && v.p[0] == '"' && v.p[v.len - 1] == '"')
            v = (struct word){v.p + 1, v.len - 2, true};
        ok = text_unescape(t, &v, &raw);
        if (ok && raw.len == 0 && out->key <= 6 && out->key != 2)
            ok = text_fail(t, "a SvcParam has no value");
        if (ok && raw.len)
            ok = put_value(t, out->key, &raw, &out->value);
    }
    buf_free(&raw);
    if (ok && out->value.len > UINT16_MAX)
        ok = text_fail(t, "a SvcParam is longer than 65535 octets");
    return ok;
}

static int param_cmp(const void *a, const void *b)
{
    const struct param *x = a;
    const struct param *y = b;

    return x->key - y->key;
}

bool text_svcparams(struct text_in *t)
{
    struct param *params = NULL;
    size_t cap = 0;
    size_t n = 0;
    bool ok = true;

    while (ok && !text_at_end(t)) {
        params = xgrow(params, &cap, n + 1, sizeof(*params));
        params[n] = (struct param){.key = 0};
        ok = take_param(t, &params[n++]);
    }
    /* Any order in text, rising on the wire; a key that stands twice fails the check behind us. */
    if (n > 1)
        qsort(params, n, sizeof(*params), param_cmp);
    for (size_t i = 0; i < n; i++) {
        if (ok) {
            buf_u16(t->out, params[i].key);
            buf_u16(t->out, (uint16_t)params[i].value.len);
            buf_put(t->out, params[i].value.data, params[i].value.len);
        }
        buf_free(&params[i].value);
    }
    free(params);
    return ok;
}

/* ---- To text ---- */

static void out_svc_key(struct buf *out, uint16_t key)
{
    if (key < sizeof(key_names) / sizeof(key_names[0]))
        buf_str(out, key_names[key]);
    else
        buf_printf(out, "key%u", key);
}

/* alpn: a comma inside an id is escaped, and then once more as any backslash (RFC 9460 A.1). */
static void out_svc_alpn(struct buf *out, struct reader v)
{
    buf_u8(out, '"');
    while (reader_left(&v) > 0) {
        uint8_t n = read_u8(&v);
        const uint8_t *p = read_bytes(&v, n);

        for (uint8_t i = 0; p && i < n; i++) {
            if (p[i] == ',' || p[i] == '\\')
                buf_str(out, "\\\\");
            out_quoted_octet(out, p[i]);
        }
        if (reader_left(&v) > 0)
            buf_u8(out, ',');
    }
    buf_u8(out, '"');
}

static void out_svc_list(struct buf *out, uint16_t key, struct reader v)
{
    while (reader_left(&v) > 0) {
        if (key == 0)
            out_svc_key(out, read_u16(&v));
        else
            out_ip(out, &v, key == 4 ? 4 : 16);
        if (reader_left(&v) > 0)
            buf_u8(out, ',');
    }
}

static void out_svc_value(struct buf *out, uint16_t key, struct reader v)
{
    size_t n = reader_left(&v);

    switch (key) {
    case 0:
    case 4:
    case 6:
        out_svc_list(out, key, v);
        break;
    case 1:
        out_svc_alpn(out, v);
        break;
    case 3:
        out_number(out, read_u16(&v));
        break;
    case 5:
        base64_encode(out, read_bytes(&v, n), n);
        break;
    default:
        out_quoted(out, read_bytes(&v, n), n);
    }
}

void out_svcparams(struct buf *out, struct reader *r)
{
    while (reader_left(r) > 0) {
        uint16_t key = read_u16(r);
        struct reader value = read_part(r, read_u16(r));

        out_svc_key(out, key);
        if (reader_left(&value) > 0) {
            buf_u8(out, '=');
            out_svc_value(out, key, value);
        }
        if (reader_left(r) > 0)
            buf_u8(out, ' ');
    }
}
