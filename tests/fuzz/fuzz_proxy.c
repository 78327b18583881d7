/* PROXY headers: what is whole stays the same when more follows, and is not whole when cut. */
#include <stdlib.h>
#include <string.h>

#include "lib/base/mem.h"
#include "lib/net/proxy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct proxy_header h;
    struct proxy_header cut;

    if (proxy_parse(&h, data, size) != PROXY_WHOLE)
        return 0;
    if (h.len > size || h.len > PROXY_HEADER_MAX || h.len < 16)
        abort();
    if (!h.local && (h.source.family == 0 || h.destination.family == 0))
        abort();
    for (size_t n = 0; n < h.len; n++) {
        uint8_t *exact = xmemdup(data, n); /* so that the sanitizer sees a read past the end */
        enum proxy_verdict v = proxy_parse(&cut, exact, n);

        if (v != PROXY_MORE || proxy_missing(exact, n) == 0 || n + proxy_missing(exact, n) > h.len)
            abort();
        free(exact);
    }
    return 0;
}
