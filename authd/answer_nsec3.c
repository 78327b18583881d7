#include "authd/answer_nsec3.h"

#include <string.h>

#include "lib/zone/zone_look.h"

#define STRANGERS_MAX 64 /* NSEC3s of other chains that are passed over in search of ours */

/* ---- Parameters ---- */

/* True if the node has an NSEC3 of this chain, right below the apex. */
static bool in_chain(const struct node *n, const struct nsec3_params *p)
{
    struct nsec3_params own;
    struct rrset_iter it;
    struct rrset s;
    const uint8_t *rdata;
    uint16_t len;
    uint8_t flags;

    if (n->rel_len != 1 + NSEC3_LABEL_OCTETS || n->rel_owner[0] != NSEC3_LABEL_OCTETS ||
        !node_rrset(n, RR_NSEC3, &s))
        return false;
    rrset_iter_init(&it, &s);
    while (rrset_next(&it, &rdata, &len)) {
        if (nsec3_params_read(&own, &flags, rdata, len) && nsec3_params_eq(&own, p))
            return true;
    }
    return false;
}

enum nsec3_use nsec3_params_of(struct nsec3_params *out, const struct zone *z)
{
    enum nsec3_use use = NSEC3_NONE;
    struct nsec3_params p;
    struct rrset_iter it;
    struct rrset s, nsec;
    const struct node *apex = zone_apex_node(z);
    struct node first;
    const uint8_t *rdata;
    uint16_t len;
    uint8_t flags;
    bool choice;

    if (!apex || !node_rrset(apex, RR_NSEC3PARAM, &s))
        return NSEC3_NONE;
    choice = s.count > 1 || node_rrset(apex, RR_NSEC, &nsec);
    rrset_iter_init(&it, &s);
    while (use != NSEC3_USABLE && rrset_next(&it, &rdata, &len)) {
        if (!nsec3_params_read(&p, &flags, rdata, len) || flags != 0)
            continue;
        if (p.iterations > NSEC3_ITERATIONS_MAX) {
            use = NSEC3_COSTLY;
        } else if (!choice || nsec3_match(z, &p, zone_apex(z), &first)) {
            use = NSEC3_USABLE;
            *out = p;
        }
    }
    return use;
}

/* ---- Hashes ---- */

/* The owner that the NSEC3 of `name` has; false if the apex leaves no room for it. */
static bool hashed_owner(uint8_t out[NAME_MAX_OCTETS], const struct zone *z,
                         const struct nsec3_params *p, const uint8_t *name)
{
    uint8_t hash[NSEC3_HASH_OCTETS];
    const uint8_t *apex = zone_apex(z);

    if (name_len(apex) + 1 + NSEC3_LABEL_OCTETS > NAME_MAX_OCTETS)
        return false;
    nsec3_hash(hash, p, name);
    out[0] = NSEC3_LABEL_OCTETS;
    nsec3_label(out + 1, hash);
    (void)name_copy(out + 1 + NSEC3_LABEL_OCTETS, apex);
    return true;
}

/* ---- The chain ---- */

bool nsec3_match(const struct zone *z, const struct nsec3_params *p, const uint8_t *name,
                 struct node *out)
{
    uint8_t owner[NAME_MAX_OCTETS];

    return hashed_owner(owner, z, p, name) && zone_find(z, owner, out) && in_chain(out, p);
}

/* The last NSEC3 of the chain at or in front of `owner` (NULL: of all). */
static bool chain_back(const struct zone *z, const struct nsec3_params *p, const uint8_t *owner,
                       struct node *out)
{
    struct zone_back it;

    zone_back_init(&it, z, RR_NSEC3, owner);
    for (unsigned i = 0; i < STRANGERS_MAX && zone_back_next(&it, out); i++) {
        if (in_chain(out, p))
            return true;
    }
    return false;
}

bool nsec3_cover(const struct zone *z, const struct nsec3_params *p, const uint8_t *name,
                 struct node *out)
{
    uint8_t owner[NAME_MAX_OCTETS];

    /* The last one's span goes round to the first. */
    return hashed_owner(owner, z, p, name) &&
           (chain_back(z, p, owner, out) || chain_back(z, p, NULL, out));
}

bool nsec3_owner_only(const struct node *n)
{
    struct rrset s;

    if (n->rel_len != 1 + NSEC3_LABEL_OCTETS)
        return false;
    for (uint32_t i = 0; i < n->rrsets; i++) {
        node_rrset_at(n, i, &s);
        if (s.type != RR_NSEC3 && !(s.type == RR_RRSIG && s.covered == RR_NSEC3))
            return false;
    }
    return true;
}
