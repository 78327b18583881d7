#include "lib/dns/name_steps.h"

void name_steps_init(struct name_steps *s, const struct name_key *key, const uint8_t *name)
{
    unsigned n = 0;
    size_t at = 0;
    uint64_t hash = key->start;

    s->len = name_fold(s->name, name);
    for (; s->name[at]; at += s->name[at] + 1u)
        s->at[n++] = (uint8_t)at;
    s->at[n] = (uint8_t)at;
    s->labels = n;
    s->hash[n] = hash;
    while (n-- > 0)
        s->hash[n] = hash = name_hash_label(key, hash, s->name + s->at[n]);
}
