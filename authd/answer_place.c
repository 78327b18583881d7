/* From the apex down to the name: RFC 1034 4.3.2 step 3, in the order that makes what is below a
 * cut or a DNAME invisible. A name costs one look-up a label that exists, and one more where the
 * path ends.
 */
#include "authd/answer_internal.h"
#include "authd/answer_nsec3.h"

/* The names from just below the apex (last) up to `name` itself (first); returns how many. */
static unsigned path_below(const uint8_t *path[NAME_MAX_LABELS], const uint8_t *name,
                           const uint8_t *apex)
{
    unsigned n = name_labels(name) - name_labels(apex);

    for (unsigned i = 0; i < n; i++, name = name_parent(name))
        path[i] = name;
    return n;
}

static bool has(const struct node *n, uint16_t type)
{
    struct rrset s;

    return node_rrset(n, type, &s);
}

static void found(struct place *out, enum place_kind kind, const uint8_t *name)
{
    out->kind = kind;
    out->name = name;
}

void place_find(struct place *out, const struct zone *z, const uint8_t *name, bool above_cut)
{
    const uint8_t *path[NAME_MAX_LABELS];
    const uint8_t *apex = zone_apex(z);
    unsigned n = path_below(path, name, apex);
    const uint8_t *above = n > 0 ? name_parent(path[n - 1]) : name;

    *out = (struct place){.kind = PLACE_MISSING, .name = above};
    if (!zone_find(z, apex, &out->node))
        return;
    if (n == 0) {
        found(out, PLACE_NODE, name);
        return;
    }
    if (has(&out->node, RR_DNAME)) {
        found(out, PLACE_DNAME, above);
        return;
    }
    for (unsigned i = n; i-- > 0; above = path[i]) {
        bool last = i == 0;

        if (zone_find(z, path[i], &out->node) && !nsec3_owner_only(&out->node)) {
            if (has(&out->node, RR_NS) && !(last && above_cut)) {
                found(out, PLACE_CUT, path[i]);
                return;
            }
            if (last) {
                found(out, PLACE_NODE, name);
                return;
            }
            if (has(&out->node, RR_DNAME)) {
                found(out, PLACE_DNAME, path[i]);
                return;
            }
        } else if (!zone_has_below(z, path[i])) {
            found(out, PLACE_MISSING, above);
            return;
        } else if (last) {
            found(out, PLACE_EMPTY, name);
        }
    }
}
