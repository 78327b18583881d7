/* Structure: what must hold before a version may be served. */
#include <string.h>

#include "lib/zone/changeset.h"
#include "lib/zone/zone_internal.h"

static enum err node_fault(const struct zone *z, const struct node *n, uint16_t type,
                           struct errinfo *e, const char *what)
{
    uint8_t owner[NAME_MAX_OCTETS];

    (void)node_owner(owner, n, z->apex);
    return zone_fault(ERR_CHECK, e, owner, type, "%s", what);
}

/* RFC 2181 10.1, RFC 4034 2.5: what may stand beside a CNAME. */
static bool stands_beside_cname(uint16_t type)
{
    return type == RR_CNAME || type == RR_RRSIG || type == RR_NSEC || type == RR_KEY;
}

/* Next RRset of a node, which is used up. */
static bool take_rrset(struct node *n, struct rrset *s)
{
    if (n->rrsets == 0)
        return false;
    node_rrset_at(n, 0, s);
    n->body = s->rdatas + s->rdatas_len;
    n->rrsets--;
    return true;
}

/* What can be said of a node by itself. */
static enum err check_node(const struct zone *z, const struct node *n, struct errinfo *e)
{
    struct node rest = *n;
    struct rrset s;
    bool alias = node_rrset(n, RR_CNAME, &s);

    while (take_rrset(&rest, &s)) {
        if (s.type == RR_SOA && n->rel_len > 0)
            return node_fault(z, n, s.type, e, "a SOA below the apex");
        if (type_is_singleton(s.type) && s.count > 1)
            return node_fault(z, n, s.type, e, "more than one record");
        if (alias && !stands_beside_cname(s.type))
            return node_fault(z, n, s.type, e, "stands beside a CNAME");
        if (s.ttl > TTL_MAX)
            return node_fault(z, n, s.type, e, "TTL above 2^31-1");
    }
    return OK;
}

static enum err check_apex(const struct zone *z, struct errinfo *e)
{
    struct node apex;
    struct rrset s;

    if (!zone_find(z, z->apex, &apex) || !node_rrset(&apex, RR_SOA, &s))
        return zone_fault(ERR_CHECK, e, z->apex, RR_SOA, "no SOA at the apex");
    if (!z->has_soa)
        return zone_fault(ERR_CHECK, e, z->apex, RR_SOA, "the SOA can't be read");
    if (!node_rrset(&apex, RR_NS, &s))
        return zone_fault(ERR_CHECK, e, z->apex, RR_NS, "no NS at the apex");
    return OK;
}

/* NSEC3 records live below the apex also where the apex has a DNAME. */
static bool only_nsec3(const struct node *n)
{
    struct node rest = *n;
    struct rrset s;
    bool only = true;

    while (only && take_rrset(&rest, &s))
        only = s.type == RR_NSEC3 || s.type == RR_RRSIG;
    return only;
}

/* RFC 6672 2.4. */
static enum err below_dname(const struct zone *z, const struct node *n, struct errinfo *e)
{
    struct rrset s;

    node_rrset_at(n, 0, &s);
    return node_fault(z, n, s.type, e, "stands below a DNAME");
}

enum err zone_check(const struct zone *z, struct errinfo *e)
{
    struct zone_iter it;
    struct node n;
    struct node dname = {0}; /* the last one; what is below it follows directly */
    bool has_dname = false;
    struct rrset s;
    enum err rc;

    if ((rc = check_apex(z, e)))
        return rc;
    zone_iter_init(&it, z);
    while (zone_next(&it, &n)) {
        if ((rc = check_node(z, &n, e)))
            return rc;
        if (has_dname && rel_below(n.rel_owner, n.rel_len, dname.rel_owner, dname.rel_len) &&
            !only_nsec3(&n))
            return below_dname(z, &n, e);
        if (node_rrset(&n, RR_DNAME, &s)) {
            dname = n;
            has_dname = true;
        }
    }
    return OK;
}

/* ---- Where a change set changed something ---- */

/* A new DNAME: nothing may be below it. */
static enum err check_new_dname(const struct zone *z, const uint8_t *owner, struct errinfo *e)
{
    struct zone_iter it;
    struct node n;
    uint8_t name[NAME_MAX_OCTETS];

    zone_iter_seek(&it, z, owner);
    while (zone_next(&it, &n)) {
        (void)node_owner(name, &n, z->apex);
        if (!name_within(name, owner))
            break;
        if (!name_eq(name, owner) && !only_nsec3(&n))
            return below_dname(z, &n, e);
    }
    return OK;
}

/* A changed owner: no DNAME may be above it. */
static enum err check_above(const struct zone *z, const struct node *n, const uint8_t *owner,
                            struct errinfo *e)
{
    struct node above;
    struct rrset s;

    while (!name_eq(owner, z->apex)) {
        owner = name_parent(owner);
        if (zone_find(z, owner, &above) && node_rrset(&above, RR_DNAME, &s) && !only_nsec3(n))
            return below_dname(z, n, e);
    }
    return OK;
}

enum err zone_check_change(const struct zone *z, const struct changeset *cs, struct errinfo *e)
{
    const struct rr_list *added = &cs->added;
    const uint8_t *last = NULL;
    struct node n;
    enum err rc;

    if ((rc = check_apex(z, e)))
        return rc;
    /* What was removed can break the apex only: every other rule forbids, none demands. */
    for (size_t i = 0; i < added->n; i++) {
        const struct rr *rr = &added->rrs[i];

        if (rr->type == RR_DNAME && (rc = check_new_dname(z, rr->owner, e)))
            return rc;
        if (last && (last == rr->owner || name_eq(last, rr->owner)))
            continue;
        last = rr->owner;
        if (!zone_find(z, rr->owner, &n))
            continue;
        if ((rc = check_node(z, &n, e)) || (rc = check_above(z, &n, rr->owner, e)))
            return rc;
    }
    return OK;
}
