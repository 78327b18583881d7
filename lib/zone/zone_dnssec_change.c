/* A look at what changes touched. The version before is sound, so what is not touched, and has no
 * other neighbours in its chain than before, is sound still. Where that cannot be told from the
 * changes alone, and wherever something seems wrong, the whole zone is looked at: only "it is
 * sound" is ever said here. */
#include <stdlib.h>
#include <string.h>

#include "lib/base/mem.h"
#include "lib/zone/zone_dnssec_internal.h"

#define SMALL_RECORDS 1000 /* so many changes are few, whatever the size of the zone ... */
#define SMALL_PART 4       /* ... and so manieth a part of it */
#define TYPES_MAX 64       /* at one name */

struct hash_list {
    uint8_t (*hashes)[NSEC3_HASH_OCTETS];
    size_t n, cap;
};

struct change {
    struct check c;
    struct tally t;
    const struct zone *base;
    const struct changeset *cs;
    struct hash_list seen[CHAINS_MAX]; /* hashes of the names that were looked at */
    bool whole;                        /* it cannot be told */
};

/* What was touched at one owner. */
struct touched {
    uint8_t owner[NAME_MAX_OCTETS];
    uint16_t types[TYPES_MAX];
    size_t n;
    struct node was, is;
    bool has_was, has_is;
    enum standing stood, stands;
};

/* ---- Walking over the owners ---- */

struct owners {
    const struct changeset *cs;
    size_t removed, added;
};

static void note_type(struct touched *x, uint16_t type)
{
    for (size_t i = 0; i < x->n; i++) {
        if (x->types[i] == type)
            return;
    }
    if (x->n < TYPES_MAX)
        x->types[x->n] = type;
    x->n++;
}

static size_t note_all(struct touched *x, const struct rr_list *list, size_t i)
{
    for (; i < list->n && name_eq(list->rrs[i].owner, x->owner); i++) {
        const struct rr *rr = &list->rrs[i];

        note_type(x, rr->type);
        if (rr->type == RR_RRSIG)
            note_type(x, rdata_covered(rr->type, rr->rdata, rr->rdata_len));
    }
    return i;
}

static bool next_owner(struct touched *x, struct owners *o, const struct change *ch)
{
    const struct rr_list *removed = &o->cs->removed, *added = &o->cs->added;
    const uint8_t *r = o->removed < removed->n ? removed->rrs[o->removed].owner : NULL;
    const uint8_t *a = o->added < added->n ? added->rrs[o->added].owner : NULL;

    if (!r && !a)
        return false;
    x->n = 0;
    (void)name_fold(x->owner, !a || (r && name_cmp(r, a) < 0) ? r : a);
    o->removed = note_all(x, removed, o->removed);
    o->added = note_all(x, added, o->added);
    x->has_was = zone_find(ch->base, x->owner, &x->was);
    x->has_is = zone_find(ch->c.z, x->owner, &x->is);
    x->stood = standing_of(ch->base, x->owner, x->has_was ? &x->was : NULL);
    x->stands = standing_of(ch->c.z, x->owner, x->has_is ? &x->is : NULL);
    return true;
}

static bool has_touched(const struct touched *x, uint16_t type)
{
    for (size_t i = 0; i < x->n; i++) {
        if (x->types[i] == type)
            return true;
    }
    return false;
}

/* ---- Signatures ---- */

static void look_at_signatures(struct change *ch, const struct touched *x)
{
    struct rrset set;

    if (!x->has_is)
        return;
    if (x->stood != x->stands || x->stands == STANDS_OCCLUDED) {
        check_node(&ch->c, &ch->t, &x->is, x->owner, x->stands);
        return;
    }
    for (size_t i = 0; i < x->n; i++) {
        if (x->types[i] != RR_RRSIG && must_be_signed(x->stands, x->types[i]) &&
            node_rrset(&x->is, x->types[i], &set))
            check_rrset(&ch->c, &ch->t, &x->is, x->owner, &set);
    }
}

/* A delegation that came or went changes what stands below it. It is enough to look at what is
 * touched if nothing else can be there. */
static bool moves_others(const struct change *ch, const struct touched *x)
{
    return (x->stood == STANDS_CUT) != (x->stands == STANDS_CUT) &&
           zone_has_below(ch->base, x->owner) && zone_has_below(ch->c.z, x->owner);
}

/* ---- NSEC ---- */

/* The last name in front that has an NSEC, round the end. */
static bool nsec_before(const struct zone *z, const uint8_t *name, struct node *n,
                        uint8_t owner[NAME_MAX_OCTETS])
{
    struct zone_back it;

    for (int round = 0; round < 2; round++) {
        zone_back_init(&it, z, RR_NSEC, round == 0 ? name : NULL);
        while (zone_back_next(&it, n)) {
            (void)node_owner(owner, n, zone_apex(z));
            if (round == 1 || !name_eq(owner, name))
                return true;
        }
    }
    return false;
}

/* It leads to a name with an NSEC, and that one has no other in front of it. */
static void look_at_link(struct change *ch, const struct node *n, const uint8_t *owner)
{
    const uint8_t *next = nsec_next(n);
    uint8_t before[NAME_MAX_OCTETS];
    struct node to, from;

    if (!next || !zone_find(ch->c.z, next, &to) || !nsec_next(&to) ||
        !nsec_before(ch->c.z, next, &from, before) || !name_eq(before, owner))
        ch->whole = true;
}

static void look_at_nsec(struct change *ch, const struct touched *x)
{
    uint8_t owner[NAME_MAX_OCTETS];
    struct node n;

    if (x->has_is && is_real(x->stands)) {
        check_nsec(&ch->t, &x->is, x->owner, x->stands, NULL);
        look_at_link(ch, &x->is, x->owner);
    }
    if (nsec_before(ch->c.z, x->owner, &n, owner))
        look_at_link(ch, &n, owner);
    else
        ch->whole = true;
}

/* ---- NSEC3 ---- */

/* Whether a name is there, and so must have an NSEC3, or is not, and must have none. */
static void look_at_hash(struct change *ch, const uint8_t *name, const struct node *n,
                         enum standing s)
{
    bool is_there = is_real(s) && (n || zone_has_below(ch->c.z, name));
    struct nsec3 x;

    for (size_t i = 0; i < ch->c.chain_count; i++) {
        struct hash_list *seen = &ch->seen[i];

        seen->hashes = xgrow(seen->hashes, &seen->cap, seen->n + 1, sizeof(*seen->hashes));
        nsec3_hash(seen->hashes[seen->n], &ch->c.chains[i].params, name);
        if (!is_there && chain_find(&ch->c, &ch->c.chains[i], seen->hashes[seen->n], &x))
            ch->whole = true;
        seen->n++;
    }
    if (is_there)
        check_nsec3(&ch->c, &ch->t, name, n, s);
}

/* The name, and those above it that own nothing: they may have come or gone with it. */
static void look_at_hashes(struct change *ch, const struct touched *x)
{
    const uint8_t *name = x->owner;
    struct node n;

    look_at_hash(ch, name, x->has_is ? &x->is : NULL, x->stands);
    while (!name_eq(name, zone_apex(ch->c.z))) {
        name = name_parent(name);
        if (!zone_find(ch->c.z, name, &n))
            look_at_hash(ch, name, NULL, standing_of(ch->c.z, name, NULL));
    }
}

static int hash_cmp(const void *a, const void *b)
{
    return memcmp(a, b, NSEC3_HASH_OCTETS);
}

/* As look_at_link. */
static void look_at_hash_link(struct change *ch, const struct chain *chain,
                              const uint8_t hash[NSEC3_HASH_OCTETS])
{
    uint8_t before[NSEC3_HASH_OCTETS];
    struct nsec3 x, to;

    if (!chain_find(&ch->c, chain, hash, &x) || !chain_find(&ch->c, chain, x.next, &to) ||
        !chain_before(ch->c.z, chain, x.next, before) ||
        memcmp(before, hash, NSEC3_HASH_OCTETS) != 0)
        ch->whole = true;
}

static bool says_the_same(const struct nsec3 *a, const struct nsec3 *b)
{
    return a->types_len == b->types_len && memcmp(a->types, b->types, a->types_len) == 0;
}

/* An NSEC3 that came, went, or has another bitmap must be that of a name which was looked at. */
static void look_at_entry(struct change *ch, size_t i, const struct touched *x)
{
    const struct chain *chain = &ch->c.chains[i];
    const struct hash_list *seen = &ch->seen[i];
    uint8_t hash[NSEC3_HASH_OCTETS], before[NSEC3_HASH_OCTETS];
    struct nsec3 was, is;
    bool has_was = x->has_was && chain_at(&was, chain, &x->was);
    bool has_is = x->has_is && chain_at(&is, chain, &x->is);

    if (!has_was && !has_is)
        return;
    if (!nsec3_unlabel(hash, (has_is ? x->is : x->was).rel_owner + 1)) {
        ch->whole = true;
        return;
    }
    if ((!has_was || !has_is || !says_the_same(&was, &is)) &&
        (seen->n == 0 || !bsearch(hash, seen->hashes, seen->n, sizeof(*seen->hashes), hash_cmp)))
        ch->whole = true;
    if (has_is)
        look_at_hash_link(ch, chain, hash);
    if (chain_before(ch->c.z, chain, hash, before))
        look_at_hash_link(ch, chain, before);
    else
        ch->whole = true;
}

static void look_at_entries(struct change *ch)
{
    struct owners o = {.cs = ch->cs};
    struct touched x;

    for (size_t i = 0; i < ch->c.chain_count; i++) {
        if (ch->seen[i].n > 0)
            qsort(ch->seen[i].hashes, ch->seen[i].n, sizeof(*ch->seen[i].hashes), hash_cmp);
    }
    while (!ch->whole && ch->t.faults == 0 && next_owner(&x, &o, ch)) {
        /* More than one of a chain at a name is a fault, which looks like none at all from here. */
        if (has_touched(&x, RR_NSEC3) && x.has_is) {
            struct rrset set;

            ch->whole = node_rrset(&x.is, RR_NSEC3, &set) && set.count > 1;
        }
        for (size_t i = 0; has_touched(&x, RR_NSEC3) && i < ch->c.chain_count; i++)
            look_at_entry(ch, i, &x);
    }
}

/* ---- What the changes may touch for all ---- */

/* Keys, and which chains there are. */
static bool touches_all(const struct rr_list *list, const uint8_t *apex)
{
    for (size_t i = 0; i < list->n; i++) {
        const struct rr *rr = &list->rrs[i];

        if ((rr->type == RR_DNSKEY || rr->type == RR_NSEC3PARAM) && name_eq(rr->owner, apex))
            return true;
    }
    return false;
}

static bool has_opt_out(const struct rr_list *list, bool wanted)
{
    for (size_t i = 0; i < list->n; i++) {
        struct nsec3 x;

        if (list->rrs[i].type == RR_NSEC3 &&
            nsec3_read(&x, list->rrs[i].rdata, list->rrs[i].rdata_len) &&
            !(x.flags & NSEC3_OPT_OUT) == !wanted)
            return true;
    }
    return false;
}

static bool has_nsec(const struct zone *z)
{
    const struct node *apex = zone_apex_node(z);
    struct rrset s;

    return apex && node_rrset(apex, RR_NSEC, &s);
}

static bool may_be_told(const struct zone *base, struct wall until, const struct zone *z,
                        const struct changeset *cs, const struct zone_dnssec_spec *spec)
{
    size_t n = cs->added.n + cs->removed.n;

    return until.s - spec->now.s >= spec->life_s && until.s >= spec->now.s &&
           (n <= SMALL_RECORDS || n <= zone_records(z) / SMALL_PART) &&
           !touches_all(&cs->added, zone_apex(z)) && !touches_all(&cs->removed, zone_apex(z)) &&
           has_nsec(base) == has_nsec(z) &&
           /* What a span no longer leaves out must have an NSEC3 now, wherever it is. */
           !(has_opt_out(&cs->removed, true) && has_opt_out(&cs->added, false));
}

static void look_at_owners(struct change *ch)
{
    struct owners o = {.cs = ch->cs};
    struct touched x;

    while (!ch->whole && ch->t.faults == 0 && next_owner(&x, &o, ch)) {
        ch->whole = x.n > TYPES_MAX || moves_others(ch, &x);
        if (ch->whole)
            break;
        look_at_signatures(ch, &x);
        if (ch->c.has_nsec)
            look_at_nsec(ch, &x);
        if (ch->c.chain_count > 0)
            look_at_hashes(ch, &x);
    }
    look_at_entries(ch);
}

void zone_dnssec_check_change(struct zone_dnssec_report *out, const struct zone *base,
                              struct wall until, const struct zone *z, const struct changeset *cs,
                              const struct zone_dnssec_spec *spec)
{
    struct change ch = {.base = base, .cs = cs};
    bool sound = false;

    if (zone_is_signed(z) && may_be_told(base, until, z, cs, spec)) {
        tally_init(&ch.t);
        check_init(&ch.c, &ch.t, z, spec);
        if (ch.t.faults == 0 && !ch.c.blind)
            look_at_owners(&ch);
        sound = ch.t.faults == 0 && !ch.c.blind && !ch.whole;
        if (sound) {
            if (until.s < ch.t.until.s)
                ch.t.until = until;
            check_report(out, &ch.c, &ch.t);
            out->whole = false;
        }
        check_done(&ch.c);
        tally_done(&ch.t);
        for (size_t i = 0; i < CHAINS_MAX; i++)
            free(ch.seen[i].hashes);
    }
    if (!sound)
        zone_dnssec_check(out, z, spec);
}
