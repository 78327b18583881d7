/* Any octets as what git says of a remote: a list of refs, or of what was pushed. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/mem.h"
#include "syncd/remote_helper.h"
#include "syncd/remote_refs.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* In order, and each found by its name. */
static void try_refs(const uint8_t *data, size_t size)
{
    struct remote_refs r;

    remote_refs_read(&r, data, size);
    for (size_t i = 0; i < r.n; i++) {
        const struct remote_ref *found = remote_refs_find(&r, r.list[i].name);

        if (!found || strcmp(found->name, r.list[i].name) != 0 || strlen(found->hex) != 40 ||
            (i && strcmp(r.list[i - 1].name, r.list[i].name) > 0))
            abort();
    }
    remote_refs_done(&r);
}

static void try_result(const uint8_t *data, size_t size)
{
    char *text = xmalloc(size + 1);
    struct remote_result r = {.outcome = 0};

    memcpy(text, data, size);
    text[size] = 0;
    remote_result_read(&r, 1, text);
    if (!r.outcome || strnlen(r.text, sizeof(r.text)) == sizeof(r.text))
        abort();
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    if (data[0] % 2)
        try_refs(data + 1, size - 1);
    else
        try_result(data + 1, size - 1);
    return 0;
}
