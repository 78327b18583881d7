/* Two octets of type; behind them RDATA as wire form, as a part of a message, and as text. What is
 * accepted in one form gives the same octets again by way of the others; whatever it is, it prints.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lib/dns/rr.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint8_t origin[] = "\7example";

static void must(bool ok)
{
    if (!ok)
        abort();
}

static bool same(const struct buf *b, const uint8_t *p, size_t n)
{
    return b->len == n && (n == 0 || memcmp(b->data, p, n) == 0);
}

static bool generic(const struct buf *text)
{
    return text->len >= 3 && memcmp(text->data, "\\# ", 3) == 0;
}

struct names {
    const uint8_t *rdata;
    size_t len;
    size_t pos;
};

static void check_name(void *ctx, size_t offset, const uint8_t *name, bool compressible)
{
    struct names *n = ctx;

    (void)compressible;
    must(name == n->rdata + offset && offset >= n->pos);
    n->pos = offset + name_len(name);
    must(n->pos <= n->len);
}

/* RDATA that was accepted. */
static void check_rdata(uint16_t type, const uint8_t *rdata, size_t n)
{
    struct names names = {rdata, n, 0};
    struct buf text = BUF_INIT;
    struct buf again = BUF_INIT;
    struct reader r = reader_of(rdata, n);
    struct soa soa;

    rdata_to_text(&text, type, rdata, n);
    must(text.len > 0 && !memchr(text.data, '\n', text.len));
    must(rdata_from_text(&again, type, (const char *)text.data, text.len, NULL, NULL) == OK);
    must(same(&again, rdata, n));
    again.len = 0;
    must(rdata_read(&again, &r, type, (uint16_t)n, NULL) == OK && same(&again, rdata, n));
    again.len = 0;
    rdata_canonical(&again, type, rdata, n);
    must(again.len == n && rdata_check(type, again.data, n, NULL) == OK);
    must(rdata_cmp(type, rdata, n, again.data, n) == 0);
    rdata_each_name(type, rdata, n, check_name, &names);
    must(type != RR_SOA || soa_parse(&soa, rdata, n));
    buf_free(&text);
    buf_free(&again);
}

static void check_wire(uint16_t type, const uint8_t *rdata, size_t n)
{
    struct errinfo e = {{0}};
    struct buf text = BUF_INIT;

    if (rdata_check(type, rdata, n, &e) == OK) {
        check_rdata(type, rdata, n);
        return;
    }
    must(e.text[0] != 0);
    rdata_to_text(&text, type, rdata, n);
    must(n > UINT16_MAX || generic(&text));
    buf_free(&text);
}

static void check_message(uint16_t type, const uint8_t *msg, size_t size)
{
    struct reader r = reader_of(msg, size);
    struct buf out = BUF_INIT;
    struct errinfo e = {{0}};
    size_t n = size - 2 > UINT16_MAX ? UINT16_MAX : size - 2;

    r.pos = 2;
    if (rdata_read(&out, &r, type, (uint16_t)n, &e) == OK)
        check_rdata(type, out.data, out.len);
    else
        must(e.text[0] != 0 && out.len == 0 && r.failed);
    buf_free(&out);
}

static void check_text(uint16_t type, const char *text, size_t n)
{
    struct buf out = BUF_INIT;
    struct errinfo e = {{0}};

    if (rdata_from_text(&out, type, text, n, origin, &e) == OK)
        check_rdata(type, out.data, out.len);
    else
        must(e.text[0] != 0 && out.len == 0 && !strchr(e.text, '\n'));
    buf_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint16_t type;

    if (size < 2)
        return 0;
    type = get_u16(data);
    check_wire(type, data + 2, size - 2);
    check_message(type, data, size);
    check_text(type, (const char *)data + 2, size - 2);
    return 0;
}
