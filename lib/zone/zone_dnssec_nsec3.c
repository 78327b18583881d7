/* NSEC3 (RFC 5155): a chain for each NSEC3PARAM, which must be whole (7.1). */
#include <stdlib.h>
#include <string.h>

#include "lib/base/mem.h"
#include "lib/zone/zone_dnssec_internal.h"

#define HASH_TEXT_MAX (NSEC3_LABEL_OCTETS + 1)

/* ---- Which chains there are ---- */

void chains_init(struct check *c, struct tally *t)
{
    const uint8_t *apex = zone_apex(c->z);
    struct nsec3_params p;
    struct rrset_iter it;
    const uint8_t *rdata;
    struct rrset set;
    uint16_t len;
    uint8_t flags;

    if (!node_rrset(zone_apex_node(c->z), RR_NSEC3PARAM, &set))
        return;
    rrset_iter_init(&it, &set);
    while (rrset_next(&it, &rdata, &len)) {
        if (!nsec3_params_read(&p, &flags, rdata, len) || flags != 0)
            continue; /* not to be used (RFC 5155 4.1.2) */
        if (p.iterations > NSEC3_ITERATIONS_MAX)
            fault(t, apex, RR_NSEC3PARAM,
                  "it wants %u iterations; above %u validators take the zone for unsigned",
                  p.iterations, NSEC3_ITERATIONS_MAX);
        else if (c->chain_count == CHAINS_MAX)
            fault(t, apex, RR_NSEC3PARAM, "there are more than %d chains", CHAINS_MAX);
        else
            c->chains[c->chain_count++].params = p;
    }
}

static bool chain_owner(uint8_t out[NAME_MAX_OCTETS], const struct zone *z,
                        const uint8_t hash[NSEC3_HASH_OCTETS])
{
    if (zone_apex_len(z) + 1 + NSEC3_LABEL_OCTETS > NAME_MAX_OCTETS)
        return false;
    out[0] = NSEC3_LABEL_OCTETS;
    nsec3_label(out + 1, hash);
    (void)name_copy(out + 1 + NSEC3_LABEL_OCTETS, zone_apex(z));
    return true;
}

/* The RDATA of the chain's NSEC3 at a node; NULL if there is none. */
static const uint8_t *rdata_at(const struct chain *ch, const struct node *n, uint16_t *len,
                               unsigned *count)
{
    const uint8_t *rdata, *found = NULL;
    struct rrset_iter it;
    struct rrset set;
    struct nsec3 x;
    uint16_t l;

    *count = 0;
    if (n->rel_len != 1 + NSEC3_LABEL_OCTETS || n->rel_owner[0] != NSEC3_LABEL_OCTETS ||
        !node_rrset(n, RR_NSEC3, &set))
        return NULL;
    rrset_iter_init(&it, &set);
    while (rrset_next(&it, &rdata, &l)) {
        if (!nsec3_read(&x, rdata, l) || !nsec3_params_eq(&x.params, &ch->params))
            continue;
        found = rdata;
        *len = l;
        ++*count;
    }
    return found;
}

bool chain_at(struct nsec3 *out, const struct chain *ch, const struct node *n)
{
    uint16_t len = 0;
    unsigned count;
    const uint8_t *rdata = rdata_at(ch, n, &len, &count);

    return rdata && count == 1 && nsec3_read(out, rdata, len);
}

/* ---- All of it ---- */

static void add_entry(const struct check *c, struct tally *t, struct chain *ch,
                      const struct node *n)
{
    struct chain_entry x = {.rdata = NULL};
    uint8_t owner[NAME_MAX_OCTETS];
    unsigned count;

    x.rdata = rdata_at(ch, n, &x.len, &count);
    if (!x.rdata || !nsec3_unlabel(x.hash, n->rel_owner + 1))
        return;
    (void)node_owner(owner, n, zone_apex(c->z));
    if (count > 1)
        fault(t, owner, RR_NSEC3, "there are several of one chain");
    ch->entries = xgrow(ch->entries, &ch->cap, ch->n + 1, sizeof(x));
    memcpy(&ch->entries[ch->n++], &x, sizeof(x));
}

static void check_links(const struct check *c, struct tally *t, const struct chain *ch)
{
    uint8_t owner[NAME_MAX_OCTETS];
    struct nsec3 x;

    for (size_t i = 0; i < ch->n; i++) {
        const struct chain_entry *next = &ch->entries[i + 1 < ch->n ? i + 1 : 0];

        if (nsec3_read(&x, ch->entries[i].rdata, ch->entries[i].len) &&
            memcmp(x.next, next->hash, NSEC3_HASH_OCTETS) == 0)
            continue;
        if (chain_owner(owner, c->z, ch->entries[i].hash))
            fault(t, owner, RR_NSEC3, "it does not lead to the next one of its chain");
    }
}

void chains_read(struct check *c, struct tally *t)
{
    struct zone_iter it;
    struct node n;

    if (c->chain_count == 0)
        return;
    zone_iter_init(&it, c->z);
    while (zone_next(&it, &n)) {
        for (size_t i = 0; n.page->has_nsec3 && i < c->chain_count; i++)
            add_entry(c, t, &c->chains[i], &n);
    }
    for (size_t i = 0; i < c->chain_count; i++) {
        if (c->chains[i].n == 0)
            fault(t, zone_apex(c->z), RR_NSEC3PARAM, "there is no NSEC3 of its chain");
    }
}

void chains_finish(const struct check *c, struct tally *t)
{
    uint8_t owner[NAME_MAX_OCTETS];

    for (size_t i = 0; i < c->chain_count; i++) {
        const struct chain *ch = &c->chains[i];

        check_links(c, t, ch);
        for (size_t k = 0; k < ch->n; k++) {
            if (!atomic_load(&ch->entries[k].used) && chain_owner(owner, c->z, ch->entries[k].hash))
                fault(t, owner, RR_NSEC3, "it is the hash of no name that there is");
        }
    }
}

void chains_done(struct check *c)
{
    for (size_t i = 0; i < c->chain_count; i++)
        free(c->chains[i].entries);
}

/* ---- Look-ups ---- */

/* The last entry at or in front of a hash, round the end; NULL in an empty chain. */
static struct chain_entry *entry_le(const struct chain *ch, const uint8_t *hash)
{
    size_t low = 0, high = ch->n;

    if (ch->n == 0)
        return NULL;
    while (low < high) { /* entries below `low` are at or in front of it */
        size_t mid = low + (high - low) / 2;

        if (memcmp(ch->entries[mid].hash, hash, NSEC3_HASH_OCTETS) <= 0)
            low = mid + 1;
        else
            high = mid;
    }
    return &ch->entries[low > 0 ? low - 1 : ch->n - 1];
}

bool chain_find(const struct check *c, const struct chain *ch,
                const uint8_t hash[NSEC3_HASH_OCTETS], struct nsec3 *out)
{
    uint8_t owner[NAME_MAX_OCTETS];
    struct chain_entry *x;
    struct node n;

    if (!ch->entries)
        return chain_owner(owner, c->z, hash) && zone_find(c->z, owner, &n) &&
               chain_at(out, ch, &n);
    x = entry_le(ch, hash);
    if (!x || memcmp(x->hash, hash, NSEC3_HASH_OCTETS) != 0 || !nsec3_read(out, x->rdata, x->len))
        return false;
    atomic_store_explicit(&x->used, true, memory_order_relaxed);
    return true;
}

bool chain_before(const struct zone *z, const struct chain *ch,
                  const uint8_t hash[NSEC3_HASH_OCTETS], uint8_t out[NSEC3_HASH_OCTETS])
{
    uint8_t owner[NAME_MAX_OCTETS];
    struct zone_back it;
    struct nsec3 x;
    struct node n;

    if (!chain_owner(owner, z, hash))
        return false;
    for (int round = 0; round < 2; round++) {
        zone_back_init(&it, z, RR_NSEC3, round == 0 ? owner : NULL);
        while (zone_back_next(&it, &n)) {
            if (!chain_at(&x, ch, &n) || !nsec3_unlabel(out, n.rel_owner + 1))
                continue;
            if (round == 1 || memcmp(out, hash, NSEC3_HASH_OCTETS) != 0)
                return true;
        }
    }
    return false;
}

static bool is_opted_out(const struct check *c, const struct chain *ch, const uint8_t *hash)
{
    uint8_t before[NSEC3_HASH_OCTETS];
    struct chain_entry *e;
    struct nsec3 x;

    if (ch->entries) {
        e = entry_le(ch, hash);
        return e && nsec3_read(&x, e->rdata, e->len) && x.flags & NSEC3_OPT_OUT;
    }
    return chain_before(c->z, ch, hash, before) && chain_find(c, ch, before, &x) &&
           x.flags & NSEC3_OPT_OUT;
}

/* A delegation without a DS. */
static bool is_insecure(const struct node *n, enum standing s)
{
    struct rrset set;

    return s == STANDS_CUT && !node_rrset(n, RR_DS, &set);
}

/* An empty non-terminal that is there for insecure delegations alone. */
static bool is_above_insecure(const struct zone *z, const uint8_t *name)
{
    const struct node *cut = NULL;
    struct node n, last;
    uint8_t owner[NAME_MAX_OCTETS];
    struct zone_iter it;

    zone_iter_seek(&it, z, name);
    while (zone_next(&it, &n)) {
        (void)node_owner(owner, &n, zone_apex(z));
        if (!name_within(owner, name))
            break;
        if (cut && rel_below(n.rel_owner, n.rel_len, cut->rel_owner, cut->rel_len))
            continue;
        if (!is_insecure(&n, standing_here(&n)))
            return false;
        last = n;
        cut = &last;
    }
    return true;
}

void check_nsec3(const struct check *c, struct tally *t, const uint8_t *name, const struct node *n,
                 enum standing s)
{
    uint8_t hash[NSEC3_HASH_OCTETS];
    struct nsec3 x;

    for (size_t i = 0; i < c->chain_count; i++) {
        const struct chain *ch = &c->chains[i];

        nsec3_hash(hash, &ch->params, name);
        if (chain_find(c, ch, hash, &x)) {
            check_types(t, name, RR_NSEC3, x.types, x.types_len, n, s);
            continue;
        }
        if ((n ? is_insecure(n, s) : is_above_insecure(c->z, name)) && is_opted_out(c, ch, hash))
            continue;
        fault(t, name, RR_NSEC3, "the name has none");
    }
}
