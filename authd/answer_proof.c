/* Proofs that a name or type is not there: NSEC (RFC 4035 3.1.3) or NSEC3 (RFC 5155 7.2).
 *
 * They are noted while the answer section grows and put behind it, each once, into the authority
 * section. From a chain that is broken comes what it has.
 *
 *                       NSEC                                 NSEC3
 *   no such name        covers name, covers *.encloser       encloser, covers next closer,
 *                                                            covers *.encloser
 *   no such type        at the name; of a name that owns     at the name; if it has none (opt-out):
 *                       nothing: covers the name             encloser, covers next closer
 *   insecure cut        as no such type, for the cut         the same
 *   wildcard            covers name                          covers next closer
 *   wildcard, no type   covers name, at *.encloser           encloser, covers next closer,
 *                                                            at *.encloser
 */
#include "authd/answer_internal.h"
#include "authd/answer_nsec3.h"

/* What a zone proves with. */
struct denial {
    enum { DENIAL_NONE, DENIAL_NSEC, DENIAL_NSEC3 } kind;
    struct answerer *a;
    const struct zone *zone;
    struct nsec3_params params;
};

static bool apex_has_nsec(const struct zone *z)
{
    const struct node *apex = zone_apex_node(z);
    struct rrset s;

    return apex && node_rrset(apex, RR_NSEC, &s);
}

static struct denial denial_of(struct answerer *a, const struct zone *z)
{
    struct denial d = {.kind = DENIAL_NONE, .a = a, .zone = z};

    if (!a->dnssec)
        return d;
    if (nsec3_params_of(&d.params, z) == NSEC3_USABLE)
        d.kind = DENIAL_NSEC3;
    else if (apex_has_nsec(z))
        d.kind = DENIAL_NSEC;
    return d;
}

static void note(const struct denial *d, const struct node *n, uint16_t type)
{
    struct answerer *a = d->a;

    for (unsigned i = 0; i < a->proof_count; i++) {
        if (a->proofs[i].node.rel_owner == n->rel_owner && a->proofs[i].type == type)
            return;
    }
    if (a->proof_count < ANSWER_PROOFS_MAX)
        a->proofs[a->proof_count++] =
            (struct answer_proof){.zone = d->zone, .node = *n, .type = type};
}

/* ---- NSEC ---- */

static void nsec_at(const struct denial *d, const struct node *n)
{
    struct rrset s;

    if (node_rrset(n, RR_NSEC, &s))
        note(d, n, RR_NSEC);
}

static void nsec_cover(const struct denial *d, const uint8_t *name)
{
    struct zone_back it;
    struct node n;

    zone_back_init(&it, d->zone, RR_NSEC, name);
    if (zone_back_next(&it, &n))
        note(d, &n, RR_NSEC);
}

/* ---- NSEC3 ---- */

static void nsec3_note_cover(const struct denial *d, const uint8_t *name)
{
    struct node n;

    if (nsec3_cover(d->zone, &d->params, name, &n))
        note(d, &n, RR_NSEC3);
}

static bool nsec3_note_match(const struct denial *d, const uint8_t *name)
{
    struct node n;

    if (!nsec3_match(d->zone, &d->params, name, &n))
        return false;
    note(d, &n, RR_NSEC3);
    return true;
}

/* The part of `name` that is one label longer than `encloser`, which is a part of it. */
static const uint8_t *next_closer(const uint8_t *name, const uint8_t *encloser)
{
    while (name_parent(name) != encloser)
        name = name_parent(name);
    return name;
}

/* RFC 5155 7.2.1. With opt-out an encloser that exists may have no NSEC3, and the nearest one above
 * that has takes its place (6). Returns it. */
static const uint8_t *nsec3_enclose(const struct denial *d, const uint8_t *name,
                                    const uint8_t *encloser)
{
    while (!nsec3_note_match(d, encloser)) {
        if (name_eq(encloser, zone_apex(d->zone)))
            break; /* the chain has no beginning: show the span at least */
        encloser = name_parent(encloser);
    }
    nsec3_note_cover(d, next_closer(name, encloser));
    return encloser;
}

/* ---- What is to be proven ---- */

/* The wildcard below `encloser` is not there, or it is an empty non-terminal. */
static void cover_wildcard(const struct denial *d, const uint8_t *encloser)
{
    uint8_t wildcard[NAME_MAX_OCTETS + 2] = {1, '*'};

    (void)name_copy(wildcard + 2, encloser);
    if (d->kind == DENIAL_NSEC)
        nsec_cover(d, wildcard);
    else
        nsec3_note_cover(d, wildcard); /* the one that matches, if it has one */
}

void prove_no_name(struct answerer *a, const struct zone *z, const uint8_t *name,
                   const uint8_t *encloser)
{
    struct denial d = denial_of(a, z);

    if (d.kind == DENIAL_NONE)
        return;
    if (d.kind == DENIAL_NSEC)
        nsec_cover(&d, name);
    else
        encloser = nsec3_enclose(&d, name, encloser);
    cover_wildcard(&d, encloser);
}

void prove_no_type(struct answerer *a, const struct zone *z, const uint8_t *name,
                   const struct node *node)
{
    struct denial d = denial_of(a, z);

    if (d.kind == DENIAL_NSEC && node)
        nsec_at(&d, node);
    else if (d.kind == DENIAL_NSEC)
        nsec_cover(&d, name);
    else if (d.kind == DENIAL_NSEC3 && !nsec3_note_match(&d, name) && !name_eq(name, zone_apex(z)))
        (void)nsec3_enclose(&d, name, name_parent(name));
}

void prove_expanded(struct answerer *a, const struct zone *z, const uint8_t *name,
                    const uint8_t *encloser)
{
    struct denial d = denial_of(a, z);

    if (d.kind == DENIAL_NSEC)
        nsec_cover(&d, name);
    else if (d.kind == DENIAL_NSEC3)
        nsec3_note_cover(&d, next_closer(name, encloser));
}

void prove_expanded_no_type(struct answerer *a, const struct zone *z, const uint8_t *name,
                            const uint8_t *encloser, const struct node *node)
{
    struct denial d = denial_of(a, z);

    if (d.kind == DENIAL_NONE)
        return;
    if (d.kind == DENIAL_NSEC)
        nsec_cover(&d, name);
    else
        (void)nsec3_enclose(&d, name, encloser);
    if (d.kind == DENIAL_NSEC && node)
        nsec_at(&d, node);
    else
        cover_wildcard(&d, encloser);
}

static bool put_proof(struct answerer *a, const struct answer_proof *p)
{
    uint8_t owner[NAME_MAX_OCTETS];
    struct rrset s;

    (void)node_owner(owner, &p->node, zone_apex(p->zone));
    return node_rrset(&p->node, p->type, &s) &&
           put_signed(a, SECTION_AUTHORITY, owner, &p->node, &s, s.ttl);
}

void proofs_put(struct answerer *a)
{
    for (unsigned i = 0; i < a->proof_count && !a->truncated; i++)
        a->truncated = !put_proof(a, &a->proofs[i]);
    a->proof_count = 0;
}
