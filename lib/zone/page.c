#include "lib/zone/page.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/mem.h"
#include "lib/zone/zone_internal.h"

struct page *page_ref(struct page *p)
{
    (void)atomic_fetch_add_explicit(&p->refs, 1, memory_order_relaxed);
    return p;
}

void page_unref(struct page *p)
{
    if (p && atomic_fetch_sub_explicit(&p->refs, 1, memory_order_acq_rel) == 1)
        free(p);
}

void page_node(const struct page *p, uint32_t i, struct node *out)
{
    const uint8_t *at = p->data + page_node_at(p, i);

    out->page = p;
    out->rel_len = at[0];
    out->rel_owner = at + 1;
    out->rrsets = get_u16(at + 1 + at[0]);
    out->body = at + 3 + at[0];
}

uint32_t page_search(const struct page *p, const uint8_t *rel, size_t rel_len, bool *exact)
{
    uint32_t low = 0;
    uint32_t high = p->nodes;
    bool found = false;

    while (low < high && !found) {
        uint32_t mid = low + (high - low) / 2;
        const uint8_t *owner = p->data + page_node_at(p, mid);
        int d = rel_name_cmp(owner + 1, owner[0], rel, rel_len);

        if (d < 0) {
            low = mid + 1;
        } else {
            high = mid;
            found = d == 0;
        }
    }
    if (exact)
        *exact = found;
    return high;
}

void page_note_chains(struct page *p)
{
    struct rrset s;
    struct node n;

    p->has_nsec = p->has_nsec3 = false;
    for (uint32_t i = 0; i < p->nodes && !(p->has_nsec && p->has_nsec3); i++) {
        page_node(p, i, &n);
        p->has_nsec = p->has_nsec || node_rrset(&n, RR_NSEC, &s);
        p->has_nsec3 = p->has_nsec3 || node_rrset(&n, RR_NSEC3, &s);
    }
}

size_t node_owner(uint8_t out[NAME_MAX_OCTETS], const struct node *n, const uint8_t *apex)
{
    memcpy(out, n->rel_owner, n->rel_len);
    return n->rel_len + name_fold(out + n->rel_len, apex);
}

/* Reads the RRset at `at`; returns what stands behind it. */
static const uint8_t *rrset_at(struct rrset *out, const uint8_t *at)
{
    out->type = get_u16(at);
    out->ttl = get_u32(at + 2);
    out->count = get_u16(at + 6);
    out->rdatas_len = get_u32(at + 8);
    out->rdatas = at + RRSET_HEAD_BYTES;
    out->covered = rdata_covered(out->type, out->rdatas + 2, get_u16(out->rdatas));
    return out->rdatas + out->rdatas_len;
}

void node_rrset_at(const struct node *n, uint32_t i, struct rrset *out)
{
    const uint8_t *at = n->body;

    for (; i > 0; i--)
        at += RRSET_HEAD_BYTES + get_u32(at + 8);
    (void)rrset_at(out, at);
}

bool node_rrset(const struct node *n, uint16_t type, struct rrset *out)
{
    const uint8_t *at = n->body;

    for (uint32_t i = 0; i < n->rrsets; i++) {
        uint16_t here = get_u16(at);
        if (here >= type) {
            if (here == type)
                (void)rrset_at(out, at);
            return here == type;
        }
        at += RRSET_HEAD_BYTES + get_u32(at + 8);
    }
    return false;
}

bool node_rrsigs(const struct node *n, uint16_t covered, struct rrset *out)
{
    const uint8_t *at = n->body;
    struct rrset s;

    for (uint32_t i = 0; i < n->rrsets && get_u16(at) <= RR_RRSIG; i++) {
        const uint8_t *next = rrset_at(&s, at);
        if (s.type == RR_RRSIG && s.covered == covered) {
            *out = s;
            return true;
        }
        at = next;
    }
    return false;
}
