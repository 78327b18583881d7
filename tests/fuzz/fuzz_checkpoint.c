/* Any octets as a checkpoint's commit, or as its list: the first one chooses. */
#include <stdint.h>
#include <stdlib.h>

#include "journal/journal_internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static enum err on_tip(void *ctx, const struct journal_tip *tip, struct errinfo *e)
{
    (void)ctx;
    (void)e;
    if (name_len(tip->zone) == 0 || name_len(tip->zone) > NAME_MAX_OCTETS)
        abort();
    return OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct journal_checkpoint c = {.number = 0};

    if (size == 0)
        return 0;
    if (data[0] % 2)
        (void)!checkpoint_lines((const char *)data + 1, size - 1, NULL, on_tip, NULL, NULL);
    else if (checkpoint_decode(&c, data + 1, size - 1, NULL) == OK && c.number == 0)
        abort();
    return 0;
}
