#include "syncd/remote_refs.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/mem.h"

#define HEX_CHARS (JOURNAL_HEX_MAX - 1)

static void take_line(struct remote_refs *r, char *line)
{
    struct remote_ref ref = {.hex = line};

    if (strlen(line) < HEX_CHARS + 2 || line[HEX_CHARS] != '\t')
        return;
    line[HEX_CHARS] = 0;
    ref.name = line + HEX_CHARS + 1;
    if (strncmp(ref.name, "refs/", 5) != 0 || !journal_oid_read(&ref.oid, ref.hex))
        return;
    r->list = xgrow(r->list, &r->cap, r->n + 1, sizeof(*r->list));
    r->list[r->n++] = ref;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct remote_ref *)a)->name, ((const struct remote_ref *)b)->name);
}

void remote_refs_read(struct remote_refs *out, const uint8_t *data, size_t len)
{
    char *rest, *line;

    *out = (struct remote_refs){.text = xmalloc(len + 1)};
    if (len)
        memcpy(out->text, data, len);
    out->text[len] = 0;
    rest = out->text;
    while ((line = strsep(&rest, "\n")))
        take_line(out, line);
    if (out->n)
        qsort(out->list, out->n, sizeof(*out->list), by_name);
}

void remote_refs_done(struct remote_refs *r)
{
    free(r->list);
    free(r->text);
    *r = (struct remote_refs){.list = NULL};
}

size_t remote_refs_from(const struct remote_refs *r, const char *name)
{
    size_t low = 0, high = r->n;

    while (low < high) {
        size_t mid = low + (high - low) / 2;

        if (strcmp(r->list[mid].name, name) < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

struct remote_ref *remote_refs_find(const struct remote_refs *r, const char *name)
{
    size_t at = remote_refs_from(r, name);

    return at < r->n && strcmp(r->list[at].name, name) == 0 ? &r->list[at] : NULL;
}
