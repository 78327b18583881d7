/* Any octets as a change set: what changeset_decode accepts is encoded to the same octets, and is
 * applied to what it says it removes, and taken back.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lib/zone/changeset.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint8_t apex[] = "\7example\3org";

static void must(bool ok)
{
    if (!ok)
        abort();
}

/* The smallest zone to which the change set may fit: the records that it removes. */
static struct zone *base_of(const struct changeset *cs)
{
    struct zone_builder *b = zone_builder_new(apex, NULL);
    struct zone *z = NULL;

    for (size_t i = 0; i < cs->removed.n; i++)
        must(zone_builder_add(b, &cs->removed.rrs[i], NULL) == OK);
    must(zone_builder_finish(&z, b, NULL, NULL) == OK);
    zone_builder_free(b);
    return z;
}

static void apply_and_back(const struct changeset *cs)
{
    struct zone *base = base_of(cs);
    struct zone *next = NULL;
    struct zone *back = NULL;
    struct changeset *undo = NULL;
    struct changeset *diff = NULL;
    struct errinfo e;
    uint8_t a[32];
    uint8_t b[32];

    if (zone_apply(&next, base, cs, NULL, &e))
        goto out; /* other serials, other TTLs */
    must(changeset_invert(&undo, cs, NULL) == OK);
    must(zone_apply(&back, next, undo, NULL, NULL) == OK);
    must(zone_diff(&diff, base, back, NULL) == OK && diff->removed.n + diff->added.n == 0);
    zone_sha256(a, base);
    zone_sha256(b, back);
    must(memcmp(a, b, sizeof(a)) == 0);
    if (zone_check(base, NULL) == OK)
        must(zone_check(next, NULL) == zone_check_change(next, cs, NULL));
out:
    changeset_free(undo);
    changeset_free(diff);
    zone_unref(base);
    zone_unref(next);
    zone_unref(back);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct changeset *cs = NULL;
    struct buf code = BUF_INIT;
    struct errinfo e;

    if (changeset_decode(&cs, data, size, apex, &e))
        return 0;
    changeset_encode(&code, cs);
    must(code.len == size && memcmp(code.data, data, size) == 0);
    buf_free(&code);
    if (cs->has_from)
        apply_and_back(cs);
    changeset_free(cs);
    return 0;
}
