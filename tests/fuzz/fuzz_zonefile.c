/* Any octets as a zone file: whatever is accepted must be valid, and written it must be read back
 * as the same record; errors must lie in the text. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lib/dns/zonefile.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok)
{
    if (!ok)
        abort();
}

static enum err same(void *ctx, const struct rr *rr, struct errinfo *e)
{
    const struct rr *first = ctx;

    (void)e;
    must(memcmp(rr->owner, first->owner, name_len(first->owner)) == 0);
    must(rr->ttl == first->ttl && rr->type == first->type && rr->rclass == CLASS_IN);
    must(rr->rdata_len == first->rdata_len);
    must(rr->rdata_len == 0 || memcmp(rr->rdata, first->rdata, rr->rdata_len) == 0);
    return OK;
}

static enum err check(void *ctx, const struct rr *rr, struct errinfo *e)
{
    struct rr copy = *rr;
    struct buf text = BUF_INIT;

    (void)ctx;
    must(rr->ttl <= 0x7fffffff && rr->rclass == CLASS_IN && type_is_data(rr->type));
    must(rdata_check(rr->type, rr->rdata, rr->rdata_len, e) == OK);
    zonefile_write_rr(&text, rr, NULL);
    must(zonefile_read_mem(text.data, text.len, NULL, same, &copy, e) == OK);
    buf_free(&text);
    return OK;
}

static void note(void *ctx, const struct zonefile_error *error)
{
    const size_t *size = ctx;

    must(error->line >= 1 && error->line <= *size + 1 && error->column >= 1);
    must(error->column <= *size + 1 && error->text[0] && error->rc != OK);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t origin[] = {2, 'e', 'x', 0};
    struct zonefile_opts opts = {.origin = origin,
                                 .max_records = 2000,
                                 .generate_max = 200,
                                 .on_error = note,
                                 .error_ctx = &size};
    struct errinfo e = {0};

    if (zonefile_read_mem(data, size, &opts, check, NULL, &e))
        must(e.text[0]);
    return 0;
}
