#include "lib/dns/namemap.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/mem.h"
#include "lib/dns/name.h"

#define SLOTS_MIN 16 /* power of two */

void namemap_init(struct namemap *m, const struct clock *clock)
{
    memset(m, 0, sizeof(*m));
    clock_random(clock, m->key, sizeof(m->key));
}

void namemap_done(struct namemap *m)
{
    free(m->slots);
    m->slots = NULL;
    m->mask = m->count = 0;
}

/* Where the name is, or the free slot where its search ends. */
static size_t find(const struct namemap *m, const uint8_t *name, uint64_t hash)
{
    size_t i = (size_t)hash & m->mask;

    while (m->slots[i].name && (m->slots[i].hash != hash || !name_eq(m->slots[i].name, name)))
        i = (i + 1) & m->mask;
    return i;
}

void *namemap_get(const struct namemap *m, const uint8_t *name)
{
    return m->slots ? m->slots[find(m, name, name_hash(name, m->key))].value : NULL;
}

static void grow(struct namemap *m)
{
    struct namemap_slot *old = m->slots;
    size_t n = old ? m->mask + 1 : 0;
    size_t slots = n ? n * 2 : SLOTS_MIN;

    m->slots = xcalloc(slots, sizeof(m->slots[0]));
    m->mask = slots - 1;
    for (size_t i = 0; i < n; i++) {
        if (old[i].name)
            m->slots[find(m, old[i].name, old[i].hash)] = old[i];
    }
    free(old);
}

void namemap_put(struct namemap *m, const uint8_t *name, void *value)
{
    uint64_t hash = name_hash(name, m->key);

    if (!m->slots || m->count + 1 > (m->mask + 1) / 4 * 3)
        grow(m);
    m->slots[find(m, name, hash)] =
        (struct namemap_slot){.name = name, .value = value, .hash = hash};
    m->count++;
}

/* Moves back what stood behind the hole and would not be found across it. */
void namemap_remove(struct namemap *m, const uint8_t *name)
{
    size_t hole, i;

    if (!m->slots)
        return;
    hole = find(m, name, name_hash(name, m->key));
    if (!m->slots[hole].name)
        return;
    for (i = (hole + 1) & m->mask; m->slots[i].name; i = (i + 1) & m->mask) {
        size_t home = (size_t)m->slots[i].hash & m->mask;

        if (((i - home) & m->mask) >= ((i - hole) & m->mask)) {
            m->slots[hole] = m->slots[i];
            hole = i;
        }
    }
    m->slots[hole] = (struct namemap_slot){.name = NULL};
    m->count--;
}
