/* NSEC (RFC 4034 4, 4035 2.3), and what bitmaps must say. */
#include "lib/zone/zone_dnssec_internal.h"

/* Whether a node's bitmap must have this type of its RRsets. */
static bool is_listed(enum standing s, uint16_t type)
{
    return s == STANDS_OWN || type == RR_NS || type == RR_DS || type == RR_NSEC;
}

/* NSEC3 has a name of its own; and neither chain says whether the other is there, since signers
 * that are between the two differ. */
static bool is_of_no_matter(uint16_t of, uint16_t type)
{
    return type == RR_NSEC3 || (of == RR_NSEC3 && type == RR_NSEC);
}

static bool has_type(const struct node *n, enum standing s, uint16_t of, uint16_t type)
{
    struct rrset set;

    if (!n)
        return false;
    if (type != RR_RRSIG || s == STANDS_OWN)
        return (type == RR_RRSIG || is_listed(s, type)) && node_rrset(n, type, &set);
    return node_rrsigs(n, RR_DS, &set) || (of == RR_NSEC && node_rrsigs(n, RR_NSEC, &set));
}

void check_types(struct tally *t, const uint8_t *owner, uint16_t type, const uint8_t *map,
                 size_t len, const struct node *n, enum standing s)
{
    char name[TYPE_TEXT_MAX], of[TYPE_TEXT_MAX];
    struct rrset set;

    type_to_text(of, type);
    for (uint32_t i = 0; n && i < n->rrsets; i++) {
        node_rrset_at(n, i, &set);
        if (is_of_no_matter(type, set.type) || !has_type(n, s, type, set.type) ||
            type_bitmap_has(map, len, set.type))
            continue;
        type_to_text(name, set.type);
        fault(t, owner, set.type, "its %s does not list %s, which there is", of, name);
        return;
    }
    for (int x = type_bitmap_next(map, len, -1); x >= 0; x = type_bitmap_next(map, len, x)) {
        if (is_of_no_matter(type, (uint16_t)x) || has_type(n, s, type, (uint16_t)x))
            continue;
        type_to_text(name, (uint16_t)x);
        fault(t, owner, type, "its %s lists %s, which there is not", of, name);
        return;
    }
}

const uint8_t *nsec_next(const struct node *n)
{
    struct rrset set;

    if (!node_rrset(n, RR_NSEC, &set) || set.count != 1)
        return NULL;
    return set.rdatas + 2; /* rdata_check has seen that it begins with a name */
}

void check_nsec(struct tally *t, const struct node *n, const uint8_t *owner, enum standing s,
                const uint8_t *next)
{
    const uint8_t *is = nsec_next(n);
    char has[NAME_TEXT_MAX], should[NAME_TEXT_MAX];
    struct rrset set;

    if (!is) {
        fault(t, owner, RR_NSEC,
              node_rrset(n, RR_NSEC, &set) ? "it has several" : "the name has none");
        return;
    }
    if (next && !name_eq(is, next)) {
        (void)name_to_text(has, is);
        (void)name_to_text(should, next);
        fault(t, owner, RR_NSEC, "it leads to %.50s instead of %.50s", has, should);
        return;
    }
    (void)node_rrset(n, RR_NSEC, &set);
    check_types(t, owner, RR_NSEC, is + name_len(is), get_u16(set.rdatas) - name_len(is), n, s);
}
