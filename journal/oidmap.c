#include "journal/oidmap.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/mem.h"

struct oidmap_slot {
    struct journal_oid oid;
    uint64_t value; /* 0: free */
};

void oidmap_done(struct oidmap *m)
{
    free(m->slots);
    *m = (struct oidmap){.slots = NULL};
}

static struct oidmap_slot *slot_of(const struct oidmap *m, const struct journal_oid *oid)
{
    size_t i = 0;

    memcpy(&i, oid->id, sizeof(i));
    for (i &= m->cap - 1; m->slots[i].value; i = (i + 1) & (m->cap - 1))
        if (memcmp(&m->slots[i].oid, oid, sizeof(*oid)) == 0)
            break;
    return &m->slots[i];
}

static void grow(struct oidmap *m)
{
    struct oidmap_slot *old = m->slots;
    size_t old_cap = m->cap;

    m->cap = old_cap ? old_cap * 2 : 256;
    m->slots = xcalloc(m->cap, sizeof(*m->slots));
    for (size_t i = 0; i < old_cap; i++)
        if (old[i].value)
            *slot_of(m, &old[i].oid) = old[i];
    free(old);
}

void oidmap_put(struct oidmap *m, const struct journal_oid *oid, uint64_t value)
{
    struct oidmap_slot *s;

    if (m->n * 2 >= m->cap)
        grow(m);
    s = slot_of(m, oid);
    m->n += !s->value;
    *s = (struct oidmap_slot){*oid, value};
}

uint64_t oidmap_get(const struct oidmap *m, const struct journal_oid *oid)
{
    return m->cap ? slot_of(m, oid)->value : 0;
}

void oidmap_subtract(struct oidmap *out, const struct oidmap *m, const struct oidmap *less)
{
    for (size_t i = 0; i < m->cap; i++) {
        if (m->slots[i].value && !oidmap_get(less, &m->slots[i].oid))
            oidmap_put(out, &m->slots[i].oid, m->slots[i].value);
    }
}
