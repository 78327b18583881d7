/* Frames of the hand-over socket: what decodes must encode to the same octets. */
#include <stdlib.h>
#include <string.h>

#include "lib/net/handover.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ho_frame f;
    struct buf b = BUF_INIT;
    struct errinfo e;

    if (ho_decode(&f, data, size, &e) == OK) {
        ho_encode(&b, &f);
        /* Octets 2 and 3 are reserved: sent as zero, not looked at. */
        if (b.len != size || memcmp(b.data, data, 2) != 0 ||
            memcmp(b.data + 4, data + 4, size - 4) != 0)
            abort();
        buf_free(&b);
    }
    return 0;
}
