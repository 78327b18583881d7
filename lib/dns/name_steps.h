/* A name taken apart for look-ups: lower case, its labels, and a keyed hash of it and of each name
 * above it, made in one pass from the root down. Who looks for the zone of a name, and for the name
 * in the zone, needs all of these.
 *
 * The hash is no cryptography; it keeps who may choose names, but sees neither key nor hash, from
 * choosing names that collide.
 */
#ifndef ZL_DNS_NAME_STEPS_H
#define ZL_DNS_NAME_STEPS_H

#include "lib/base/octets.h"
#include "lib/dns/name.h"

struct name_key {
    uint64_t start;
    uint64_t factor; /* odd */
};

struct name_steps {
    unsigned labels;
    size_t len; /* with the root label */

    /* Step i is the name without its first i labels; step `labels` is the root. Of these arrays
     * only what the name needs is touched. */
    uint8_t name[NAME_MAX_OCTETS]; /* lower case */
    uint8_t at[NAME_MAX_LABELS + 1];
    uint64_t hash[NAME_MAX_LABELS + 1];
};

/* Any case. */
void name_steps_init(struct name_steps *s, const struct name_key *key, const uint8_t *name);

__extension__ typedef unsigned __int128 name_wide;

static inline uint64_t name_mix(uint64_t a, uint64_t b)
{
    name_wide w = (name_wide)a * b;

    return (uint64_t)w ^ (uint64_t)(w >> 64);
}

/* The hash of a name from that of the name above it and its first label (lower case, its length
 * octet in front). The root's is key->start. */
static inline uint64_t name_hash_label(const struct name_key *key, uint64_t above,
                                       const uint8_t *label)
{
    size_t n = *label++;
    uint64_t h = above;
    /* Labels of different lengths that load alike meet different factors: whatever was done to the
     * data instead, other octets could make up for, in each label of a name. */
    uint64_t last = key->factor ^ (uint64_t)n << 1;

    for (; n > 8; n -= 8, label += 8)
        h = name_mix(h ^ load8(label), key->factor);
    return name_mix(h ^ load_tail(label, n), last);
}

#endif
