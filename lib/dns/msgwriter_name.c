/* Name compression; msgwriter.h says how the table works. */
#include "lib/dns/msgwriter_internal.h"

#include <string.h>

#define POINTER_MAX 0x3fffu
#define PROBES_MAX 16 /* a peer that chooses labels can cost us no more than this */
#define USED_MAX (MSGW_SLOTS / 4 * 3)

_Static_assert((MSGW_SLOTS & (MSGW_SLOTS - 1)) == 0, "the hash is masked");

/* ASCII capitals to small letters in eight octets at once. */
static inline uint64_t fold8(uint64_t x)
{
    uint64_t low7 = x & 0x7f7f7f7f7f7f7f7fu;
    uint64_t from_a = low7 + 0x3f3f3f3f3f3f3f3fu; /* top bit: 'A' or more */
    uint64_t over_z = low7 + 0x2525252525252525u; /* top bit: more than 'Z' */
    uint64_t upper = (from_a ^ over_z) & ~x & 0x8080808080808080u;

    return x | upper >> 2;
}

static inline uint64_t load8(const uint8_t *p)
{
    uint64_t v;

    memcpy(&v, p, 8);
    return v;
}

/* n octets, 0 to 8, in some fixed arrangement that depends on n only. */
static inline uint64_t load_tail(const uint8_t *p, size_t n)
{
    if (n >= 4)
        return (uint64_t)get_u32(p) << 32 | get_u32(p + n - 4);
    if (n > 0)
        return (uint64_t)p[0] << 16 | (uint64_t)p[n / 2] << 8 | p[n - 1];
    return 0;
}

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
        h = mix(h, fold8(load8(label)));
    return (uint32_t)(mix(h, fold8(load_tail(label, n))) >> 32);
}

static bool label_eq(const uint8_t *a, const uint8_t *b)
{
    size_t n = *a;

    if (n != *b)
        return false;
    for (a++, b++; n > 8; n -= 8, a += 8, b += 8)
        if (fold8(load8(a)) != fold8(load8(b)))
            return false;
    return fold8(load_tail(a, n)) == fold8(load_tail(b, n));
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

/* Where the labels begin; returns how many there are, *len is the octets with the root label. */
static unsigned label_offsets(uint8_t offsets[NAME_MAX_LABELS + 1], const uint8_t *name,
                              size_t *len)
{
    unsigned n = 0;
    size_t at = 0;

    while (name[at] != 0 && n < NAME_MAX_LABELS) {
        offsets[n++] = (uint8_t)at;
        at += 1u + name[at];
    }
    offsets[n] = (uint8_t)at;
    *len = at + 1;
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

static bool put_pointer(struct msg_writer *w, uint16_t target)
{
    uint8_t *p = msgw_space(w, 2);

    if (p)
        put_u16(p, (uint16_t)(0xc000u | target));
    return p != NULL;
}

static bool is_recent(const struct msg_writer *w, const uint8_t *name, size_t len)
{
    return w->recent && len == w->recent_len && memcmp(w->buf + w->recent, name, len) == 0;
}

bool msgw_put_name(struct msg_writer *w, const uint8_t *name, uint16_t *ref)
{
    uint8_t offsets[NAME_MAX_LABELS + 1];
    size_t len;
    size_t start = w->pos;
    unsigned labels = label_offsets(offsets, name, &len);
    unsigned fresh = labels; /* labels that are not in the message yet */
    uint16_t known = 0;      /* offset of the others, 0: the root */
    uint32_t hash = 0;
    uint32_t slot = MSGW_SLOTS;
    uint8_t *p;

    *ref = 0;
    if (is_recent(w, name, len)) {
        *ref = w->recent;
        return put_pointer(w, w->recent);
    }
    while (fresh > 0) {
        const uint8_t *label = name + offsets[fresh - 1];
        uint16_t at;

        hash = label_hash(known, label);
        if (!(at = find(w, known, label, hash, &slot)))
            break;
        known = at;
        fresh--;
    }
    if (!(p = msgw_space(w, offsets[fresh] + (known ? 2u : 1u))))
        return false;
    memcpy(p, name, offsets[fresh]);
    if (known)
        put_u16(p + offsets[fresh], (uint16_t)(0xc000u | known));
    else
        p[offsets[fresh]] = 0;
    enter_labels(w, start, name, offsets, fresh, known, hash, slot);
    if (labels == 0)
        return true;
    *ref = fresh == 0 ? known : start <= POINTER_MAX ? (uint16_t)start : 0;
    if (!known && !w->recent && start <= POINTER_MAX) {
        w->recent = (uint16_t)start;
        w->recent_len = (uint16_t)len;
    }
    return true;
}
