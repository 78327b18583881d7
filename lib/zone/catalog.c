#include "lib/zone/catalog.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/mem.h"

#define GROUPS_MAX 255

/* A member is one run of octets: name, label, u8 whether there is a coo, its name, u8 groups, then
 * u8 length and octets of each. So two of them are compared at once, and a million are small. */
struct member {
    const uint8_t *octets;
    size_t len;
};

struct catalog {
    struct arena arena;
    struct member *members;
    size_t count, cap;
};

void catalog_free(struct catalog *c)
{
    if (!c)
        return;
    arena_done(&c->arena);
    free(c->members);
    free(c);
}

/* ---- Reading the zone ---- */

/* What belongs to the node that is read. */
struct reading {
    const struct zone *zone;
    struct catalog *catalog;
    uint8_t at[NAME_MAX_OCTETS]; /* its owner, for messages */
    uint8_t label[64];
    bool is_member, has_coo;
    uint8_t member[NAME_MAX_OCTETS];
    uint8_t coo[NAME_MAX_OCTETS];
    struct buf groups;
    unsigned group_count;
};

static enum err broken(const uint8_t *owner, const char *what, struct errinfo *e)
{
    char text[NAME_TEXT_MAX];

    (void)name_to_text(text, owner);
    return err_set(ERR_CHECK, e, "the catalog is broken: %s %s", text, what);
}

static bool label_is(const uint8_t *label, const char *word)
{
    return label[0] == strlen(word) && memcmp(label + 1, word, label[0]) == 0;
}

/* The only record of the node's PTR RRset; `some` is false if there is none. */
static enum err read_ptr(const struct node *n, const uint8_t *owner,
                         uint8_t target[NAME_MAX_OCTETS], bool *some, struct errinfo *e)
{
    struct rrset s;

    *some = node_rrset(n, RR_PTR, &s);
    if (!*some)
        return OK;
    if (s.count != 1)
        return broken(owner, "has several PTR records", e);
    (void)name_fold(target, s.rdatas + 2); /* pages hold whole, checked RDATA */
    return OK;
}

static enum err check_version(const struct zone *z, struct errinfo *e)
{
    static const uint8_t two[] = {1, '2'};
    uint8_t owner[NAME_MAX_OCTETS];
    const uint8_t *rdata;
    struct rrset_iter it;
    struct node node;
    struct rrset s;
    uint16_t len;

    if (name_from_text(owner, "version", 7, zone_apex(z), NULL) != OK)
        return broken(zone_apex(z), "is too long a name for a catalog", e);
    if (!zone_find(z, owner, &node) || !node_rrset(&node, RR_TXT, &s))
        return broken(owner, "has no TXT record, so this is no catalog", e);
    rrset_iter_init(&it, &s);
    if (s.count != 1 || !rrset_next(&it, &rdata, &len) || len != sizeof(two) ||
        memcmp(rdata, two, sizeof(two)) != 0)
        return broken(owner, "is not the one record TXT \"2\"", e);
    return OK;
}

/* The member that was read so far goes into the list. */
static enum err finish_member(struct reading *r, struct errinfo *e)
{
    struct catalog *c = r->catalog;
    size_t name = name_len(r->member), coo = r->has_coo ? name_len(r->coo) : 0;
    size_t len = name + 1 + r->label[0] + 1 + coo + 1 + r->groups.len;
    uint8_t *p;

    if (!r->is_member)
        return OK;
    r->is_member = false;
    if (name_eq(r->member, zone_apex(r->zone)))
        return broken(r->at, "names the catalog itself", e);
    p = arena_bytes(&c->arena, len);
    c->members = xgrow(c->members, &c->cap, c->count + 1, sizeof(*c->members));
    c->members[c->count++] = (struct member){p, len};
    memcpy(p, r->member, name);
    p += name;
    memcpy(p, r->label, 1u + r->label[0]);
    p += 1 + r->label[0];
    *p++ = r->has_coo;
    if (coo)
        memcpy(p, r->coo, coo);
    p += coo;
    *p++ = (uint8_t)r->group_count;
    if (r->groups.len)
        memcpy(p, r->groups.data, r->groups.len);
    return OK;
}

static enum err begin_member(struct reading *r, const struct node *n, struct errinfo *e)
{
    enum err rc = finish_member(r, e);

    if (rc)
        return rc;
    (void)node_owner(r->at, n, zone_apex(r->zone));
    memcpy(r->label, n->rel_owner, 1u + n->rel_owner[0]);
    r->has_coo = false;
    r->group_count = 0;
    r->groups.len = 0;
    return read_ptr(n, r->at, r->member, &r->is_member, e);
}

/* The octets of all strings of each record, one group a record. */
static void read_groups(struct reading *r, const struct node *n)
{
    const uint8_t *rdata;
    struct rrset_iter it;
    struct rrset s;
    uint16_t len;

    if (!node_rrset(n, RR_TXT, &s))
        return;
    rrset_iter_init(&it, &s);
    while (rrset_next(&it, &rdata, &len) && r->group_count < GROUPS_MAX) {
        size_t total = 0, at = r->groups.len;

        buf_u8(&r->groups, 0);
        for (uint16_t i = 0; i < len; i = (uint16_t)(i + 1 + rdata[i])) {
            buf_put(&r->groups, rdata + i + 1, rdata[i]);
            total += rdata[i];
        }
        if (total > UINT8_MAX) { /* no name that anybody agreed upon */
            r->groups.len = at;
            continue;
        }
        r->groups.data[at] = (uint8_t)total;
        r->group_count++;
    }
}

/* Below a member's node: a property. The node itself stands before it, in canonical order. */
static enum err read_property(struct reading *r, const struct node *n, struct errinfo *e)
{
    const uint8_t *property = n->rel_owner;
    const uint8_t *label = property + 1 + property[0];
    uint8_t owner[NAME_MAX_OCTETS];

    if (!r->is_member || label[0] != r->label[0] || memcmp(label + 1, r->label + 1, label[0]) != 0)
        return OK; /* of a node that is no member */
    (void)node_owner(owner, n, zone_apex(r->zone));
    if (label_is(property, "coo"))
        return read_ptr(n, owner, r->coo, &r->has_coo, e);
    if (label_is(property, "group"))
        read_groups(r, n);
    return OK;
}

static unsigned rel_labels(const struct node *n)
{
    unsigned count = 0;

    for (unsigned i = 0; i < n->rel_len; i += 1u + n->rel_owner[i])
        count++;
    return count;
}

static enum err read_members(struct reading *r, struct errinfo *e)
{
    uint8_t top[NAME_MAX_OCTETS], owner[NAME_MAX_OCTETS];
    struct zone_iter it;
    struct node node;
    enum err rc = OK;

    if (name_from_text(top, "zones", 5, zone_apex(r->zone), NULL) != OK)
        return OK; /* there is no room for such a name, so there are none */
    zone_iter_seek(&it, r->zone, top);
    while (!rc && zone_next(&it, &node)) {
        unsigned labels = rel_labels(&node);

        (void)node_owner(owner, &node, zone_apex(r->zone));
        if (!name_within(owner, top))
            break;
        if (labels == 2)
            rc = begin_member(r, &node, e);
        else if (labels == 3)
            rc = read_property(r, &node, e);
    }
    return rc ? rc : finish_member(r, e);
}

/* ---- The list ---- */

static int member_cmp(const void *a, const void *b)
{
    const struct member *x = a;
    const struct member *y = b;

    return name_cmp(x->octets, y->octets);
}

static enum err sort_members(struct catalog *c, struct errinfo *e)
{
    if (c->count)
        qsort(c->members, c->count, sizeof(*c->members), member_cmp);
    for (size_t i = 1; i < c->count; i++) {
        if (name_eq(c->members[i - 1].octets, c->members[i].octets))
            return broken(c->members[i].octets, "stands there twice", e);
    }
    return OK;
}

enum err catalog_parse(struct catalog **out, const struct zone *z, struct errinfo *e)
{
    struct reading r = {.zone = z, .catalog = xcalloc(1, sizeof(struct catalog))};
    enum err rc;

    arena_init(&r.catalog->arena, 0);
    if (!(rc = check_version(z, e)) && !(rc = read_members(&r, e)))
        rc = sort_members(r.catalog, e);
    buf_free(&r.groups);
    if (rc) {
        catalog_free(r.catalog);
        return rc;
    }
    *out = r.catalog;
    return OK;
}

/* ---- Looking ---- */

static void member_read(struct catalog_member *out, const struct member *m)
{
    const uint8_t *p = m->octets;

    *out = (struct catalog_member){.zone = p};
    p += name_len(p);
    out->label = p;
    p += 1 + p[0];
    if (*p++) {
        out->coo = p;
        p += name_len(p);
    }
    out->group_count = *p++;
    out->groups = p;
}

size_t catalog_count(const struct catalog *c)
{
    return c ? c->count : 0;
}

void catalog_at(const struct catalog *c, size_t i, struct catalog_member *out)
{
    member_read(out, &c->members[i]);
}

bool catalog_find(const struct catalog *c, const uint8_t *zone, struct catalog_member *out)
{
    size_t low = 0, high = catalog_count(c);

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = name_cmp(zone, c->members[middle].octets);

        if (order == 0) {
            member_read(out, &c->members[middle]);
            return true;
        }
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return false;
}

const uint8_t *catalog_group(const struct catalog_member *m, unsigned i, uint8_t *len)
{
    const uint8_t *p = m->groups;

    for (; i > 0; i--)
        p += 1 + p[0];
    *len = p[0];
    return p + 1;
}

void catalog_diff(const struct catalog *was, const struct catalog *is, catalog_diff_fn *f,
                  void *ctx)
{
    size_t i = 0, k = 0;

    while (i < catalog_count(was) || k < catalog_count(is)) {
        const struct member *a = i < catalog_count(was) ? &was->members[i] : NULL;
        const struct member *b = k < catalog_count(is) ? &is->members[k] : NULL;
        int order = !a ? 1 : !b ? -1 : name_cmp(a->octets, b->octets);
        struct catalog_member x, y;

        i += order <= 0;
        k += order >= 0;
        if (order == 0 && a && b && a->len == b->len && memcmp(a->octets, b->octets, a->len) == 0)
            continue;
        if (a && order <= 0)
            member_read(&x, a);
        if (b && order >= 0)
            member_read(&y, b);
        f(ctx, order <= 0 ? &x : NULL, order >= 0 ? &y : NULL);
    }
}
