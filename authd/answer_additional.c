/* Addresses for the names in NS, MX, SRV and the like (RFC 1034 4.3.2 step 6, RFC 2782), for SVCB
 * and HTTPS also what an alias leads to (RFC 9460 4.1), and glue (RFC 9471). Names that a zone does
 * not own are looked for in the other zones we serve; wildcards are not expanded for them.
 */
#include "authd/answer_internal.h"

/* Names looked up beyond required glue: 13 name servers, as the root has, and nobody needs more
 * for free (CVE-2024-11187). */
#define NAMES_MAX 13

struct additional {
    struct answerer *a;
    const struct zone *zone;  /* whose glue it is; NULL: the deepest zone for each name */
    const uint8_t *cut;       /* set: names at or below it */
    const uint8_t *not_below; /* set: names that aren't at or below it */
    const uint8_t *owner;     /* of the RRset, as SVCB's "." means it */
    uint16_t type;
    bool required;
    unsigned names;
};

static bool type_has_targets(uint16_t type)
{
    switch (type) {
    case RR_NS:
    case RR_MX:
    case RR_AFSDB:
    case RR_RT:
    case RR_KX:
    case RR_SRV:
    case RR_NAPTR:
    case RR_SVCB:
    case RR_HTTPS:
        return true;
    default:
        return false;
    }
}

static bool said_already(const struct answerer *a, const uint8_t *name, uint16_t type)
{
    for (unsigned i = 0; i < a->owner_count; i++) {
        if (a->owners[i].type == type && name_eq(a->owners[i].name, name))
            return true;
    }
    return false;
}

/* The zone that has the addresses of the name, and the way to them. */
static bool path_to(struct zone_path *out, const struct additional *x,
                    const struct name_steps *name)
{
    const struct served_zone *z;

    if (x->zone && zone_path_init(out, x->zone, name))
        return true;
    z = zonedb_find(x->a->db, name, 0);
    return z && !z->expired && zone_path_init(out, z->zone, name);
}

static bool type_is_service(uint16_t type)
{
    return type == RR_SVCB || type == RR_HTTPS;
}

static void put_type(struct additional *x, const uint8_t *name, const struct node *node,
                     uint16_t type)
{
    struct rrset s;

    if (said_already(x->a, name, type) || !node_rrset(node, type, &s))
        return;
    if (x->required)
        (void)put_required(x->a, SECTION_ADDITIONAL, name, node, &s);
    else
        (void)put_rrset(x->a, SECTION_ADDITIONAL, name, node, &s);
}

static void put_target(struct additional *x, const uint8_t *name)
{
    struct name_steps steps;
    struct zone_path path;
    struct node node;

    name_steps_init(&steps, zonedb_key(x->a->db), name);
    if (!path_to(&path, x, &steps) || zone_look(&path, 0, &node) != ZONE_HAS_NODE)
        return;
    put_type(x, name, &node, RR_A);
    put_type(x, name, &node, RR_AAAA);
    if (type_is_service(x->type))
        put_type(x, name, &node, x->type);
}

static void on_target(void *ctx, size_t offset, const uint8_t *name, bool compressible)
{
    struct additional *x = ctx;

    (void)offset;
    (void)compressible;
    if (name_is_root(name)) {
        if (!type_is_service(x->type))
            return; /* "no such service", RFC 2782 */
        name = x->owner;
    }
    if (x->a->truncated || (x->cut && !name_within(name, x->cut)) ||
        (x->not_below && name_within(name, x->not_below)) ||
        (!x->required && x->names++ >= NAMES_MAX))
        return;
    put_target(x, name);
}

static void each_target(struct additional *x, const struct rrset *s)
{
    struct rrset_iter it;
    const uint8_t *rdata;
    uint16_t len;

    rrset_iter_init(&it, s);
    while (!x->a->truncated && (x->required || x->names < NAMES_MAX) &&
           rrset_next(&it, &rdata, &len))
        rdata_each_name(s->type, rdata, len, on_target, x);
}

void additional_note(struct answerer *a, const uint8_t *owner, const struct rrset *s)
{
    if (type_has_targets(s->type) && a->source_count < ANSWER_CHAIN_MAX)
        a->sources[a->source_count++] = (struct answer_source){.owner = owner, .rrset = *s};
}

void additional_put(struct answerer *a)
{
    struct additional x = {.a = a};

    for (unsigned i = 0; i < a->source_count && !a->truncated; i++) {
        x.owner = a->sources[i].owner;
        x.type = a->sources[i].rrset.type;
        each_target(&x, &a->sources[i].rrset);
    }
}

void additional_put_glue(struct answerer *a, const struct zone *z, const uint8_t *cut,
                         const struct rrset *ns)
{
    struct additional must = {
        .a = a, .zone = z, .cut = cut, .owner = cut, .type = RR_NS, .required = true};
    struct additional may = {.a = a, .zone = z, .not_below = cut, .owner = cut, .type = RR_NS};

    each_target(&must, ns);
    each_target(&may, ns);
}
