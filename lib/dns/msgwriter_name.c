/* Name compression; msgwriter.h says how the table works. */
#include "lib/dns/msgwriter_internal.h"

#include <string.h>

#include "lib/base/octets.h"

#define POINTER_MAX 0x3fffu
#define PROBES_MAX 16 /* a peer that chooses labels can cost us no more than this */
#define USED_MAX (MSGW_SLOTS / 4 * 3)

_Static_assert((MSGW_SLOTS & (MSGW_SLOTS - 1)) == 0, "the hash is masked");

static inline uint64_t mix(uint64_t h, uint64_t v)
{
    h = (h ^ v) * 0x9e3779b97f4a7c15u;
    return h ^ h >> 29;
}

/* `label` begins with its length octet. */
static uint32_t label_hash(uint16_t parent, const uint8_t *label)
{
    size_t n = *label++;
    uint64_t h = mix(0x2545f4914f6cdd1du, (uint64_t)parent << 8 | n);

    for (; n > 8; n -= 8, label += 8)
        h = mix(h, lower8(load8(label)));
    return (uint32_t)(mix(h, lower8(load_tail(label, n))) >> 32);
}

static inline bool fold_eq(uint64_t a, uint64_t b)
{
    return a == b || lower8(a) == lower8(b);
}

static inline bool label_eq(const uint8_t *a, const uint8_t *b)
{
    size_t n = *a;

    if (n != *b)
        return false;
    for (a++, b++; n > 8; n -= 8, a += 8, b += 8)
        if (!fold_eq(load8(a), load8(b)))
            return false;
    return fold_eq(load_tail(a, n), load_tail(b, n));
}

/* The offset of (parent, label), or 0; *slot is then where it can be entered, MSGW_SLOTS: nowhere.
 */
static uint16_t find(const struct msg_writer *w, uint16_t parent, const uint8_t *label,
                     uint32_t hash, uint32_t *slot)
{
    uint16_t tag = (uint16_t)(hash >> 16);

    for (uint32_t i = 0; i < PROBES_MAX; i++) {
        uint32_t k = (hash + i) & (MSGW_SLOTS - 1);
        const struct msgw_slot *s = &w->slots[k];

        if (s->at == 0) {
            *slot = k;
            return 0;
        }
        if (s->tag == tag && s->parent == parent && label_eq(w->buf + s->at, label))
            return s->at;
    }
    *slot = MSGW_SLOTS;
    return 0;
}

static bool enter(struct msg_writer *w, size_t at, uint16_t parent, uint32_t hash, uint32_t slot)
{
    if (slot == MSGW_SLOTS || at > POINTER_MAX || w->used >= USED_MAX)
        return false;
    w->slots[slot] =
        (struct msgw_slot){.at = (uint16_t)at, .parent = parent, .tag = (uint16_t)(hash >> 16)};
    w->order[w->used++] = (uint16_t)slot;
    return true;
}

/* Slots are freed in the reverse order of their entering, so no probe run is ever cut. */
void msgw_names_forget(struct msg_writer *w, uint16_t keep)
{
    while (w->used > keep)
        w->slots[w->order[--w->used]].at = 0;
}

/* Where the labels begin, and the root label at last; returns how many there are without it. */
static unsigned label_offsets(uint8_t offsets[NAME_MAX_LABELS + 1], const uint8_t *name)
{
    unsigned n = 0;
    size_t at = 0;

    while (name[at] != 0 && n < NAME_MAX_LABELS) {
        offsets[n++] = (uint8_t)at;
        at += 1u + name[at];
    }
    offsets[n] = (uint8_t)at;
    return n;
}

/* Enters labels 0 to n-1 of a name written at `start`, the last one first; the name from label n on
 * is at `parent`. The hash and the free slot of the last one are known already. */
static void enter_labels(struct msg_writer *w, size_t start, const uint8_t *name,
                         const uint8_t *offsets, unsigned n, uint16_t parent, uint32_t hash,
                         uint32_t slot)
{
    for (unsigned i = n; i > 0; i--) {
        size_t at = start + offsets[i - 1];

        if (i < n) {
            hash = label_hash(parent, name + offsets[i - 1]);
            (void)find(w, parent, name + offsets[i - 1], hash, &slot);
        }
        if (!enter(w, at, parent, hash, slot))
            return; /* what is below can't be found without it */
        parent = (uint16_t)at;
    }
}

/* How many labels, from the root, the name shares with the recent one; *known is where they are. */
static unsigned shared_with_recent(struct msg_writer *w, const uint8_t *name,
                                   const uint8_t *offsets, unsigned labels, uint16_t *known)
{
    const uint8_t *recent = w->buf + w->recent;
    unsigned n = 0;

    if (!w->recent)
        return 0;
    if (w->recent_labels == MSGW_UNCOUNTED)
        w->recent_labels = (uint8_t)label_offsets(w->recent_offsets, recent);
    while (n < labels && n < w->recent_labels &&
           label_eq(name + offsets[labels - 1 - n],
                    recent + w->recent_offsets[w->recent_labels - 1 - n]))
        n++;
    if (n > 0)
        *known = (uint16_t)(w->recent + w->recent_offsets[w->recent_labels - n]);
    return n;
}

/* The first name of the message, which stands in full. */
static bool make_recent(struct msg_writer *w, size_t start, const uint8_t *offsets, unsigned labels)
{
    if (start + offsets[labels] > POINTER_MAX)
        return false;
    w->recent = (uint16_t)start;
    w->recent_labels = (uint8_t)labels;
    memcpy(w->recent_offsets, offsets, labels);
    return true;
}

/* Labels before `fresh` and the pointer or root label that ends them. */
static bool put_octets(struct msg_writer *w, const uint8_t *name, size_t fresh_octets,
                       uint16_t known)
{
    uint8_t *p = msgw_space(w, fresh_octets + (known ? 2u : 1u));

    if (!p)
        return false;
    memcpy(p, name, fresh_octets);
    if (known)
        put_u16(p + fresh_octets, (uint16_t)(0xc000u | known));
    else
        p[fresh_octets] = 0;
    return true;
}

bool msgw_put_name(struct msg_writer *w, const uint8_t *name, uint16_t *ref)
{
    uint8_t offsets[NAME_MAX_LABELS + 1];
    size_t start = w->pos;
    unsigned labels = label_offsets(offsets, name);
    uint16_t known = 0; /* offset of the labels that are in the message, 0: the root */
    unsigned fresh = labels - shared_with_recent(w, name, offsets, labels, &known);
    uint32_t hash = 0;
    uint32_t slot = MSGW_SLOTS;

    *ref = 0;
    while (fresh > 0) {
        const uint8_t *label = name + offsets[fresh - 1];
        uint16_t at;

        hash = label_hash(known, label);
        if (!(at = find(w, known, label, hash, &slot)))
            break;
        known = at;
        fresh--;
    }
    if (!put_octets(w, name, offsets[fresh], known))
        return false;
    if (labels == 0)
        return true;
    *ref = fresh == 0 ? known : start <= POINTER_MAX ? (uint16_t)start : 0;
    if (w->recent || w->used > 0 || !make_recent(w, start, offsets, labels))
        enter_labels(w, start, name, offsets, fresh, known, hash, slot);
    return true;
}
