/* From the apex down to the name: RFC 1034 4.3.2 step 3, in the order that makes what is below a
 * cut or a DNAME invisible: one look a label.
 */
#include "authd/answer_internal.h"
#include "authd/answer_nsec3.h"

static bool has(const struct node *n, uint16_t type)
{
    struct rrset s;

    return node_rrset(n, type, &s);
}

/* What there is at a step, for who asks for names: hashed owners are none (RFC 5155 7.2.8). */
static enum zone_has look(const struct zone_path *p, unsigned step, const uint8_t *here,
                          struct node *node)
{
    enum zone_has what = zone_look(p, step, node);

    if (what != ZONE_HAS_NODE || !nsec3_owner_only(node))
        return what;
    return zone_has_below(p->zone, here) ? ZONE_HAS_BELOW : ZONE_HAS_NOTHING;
}

/* What a node makes of the name: PLACE_MISSING, to be looked for further down. */
static enum place_kind kind_at(const struct node *n, bool last, bool above_cut)
{
    if (has(n, RR_NS) && !(last && above_cut))
        return PLACE_CUT;
    if (last)
        return PLACE_NODE;
    return has(n, RR_DNAME) ? PLACE_DNAME : PLACE_MISSING;
}

static void place_below_apex(struct place *out, const struct zone_path *p, const uint8_t *name,
                             bool above_cut)
{
    while (out->step > 0 && out->kind == PLACE_MISSING) {
        unsigned step = out->step - 1;
        enum zone_has what = look(p, step, name + p->steps->at[step], &out->node);

        if (what == ZONE_HAS_NOTHING)
            return; /* what was found before is the closest encloser */
        out->step = step;
        if (what == ZONE_HAS_NODE)
            out->kind = kind_at(&out->node, step == 0, above_cut);
        else if (step == 0)
            out->kind = PLACE_EMPTY;
    }
}

void place_find(struct place *out, const struct zone_path *p, const uint8_t *name, bool above_cut)
{
    out->kind = PLACE_MISSING;
    out->step = p->labels;
    if (zone_look(p, p->labels, &out->node) == ZONE_HAS_NODE) {
        if (p->labels == 0)
            out->kind = PLACE_NODE;
        else if (has(&out->node, RR_DNAME))
            out->kind = PLACE_DNAME;
        else
            place_below_apex(out, p, name, above_cut);
    }
    out->name = name + p->steps->at[out->step];
}
