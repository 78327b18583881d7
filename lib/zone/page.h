/* The page: one unit from disk to answer. About 4 KiB of neighbouring owners in canonical order.
 *
 * A page is a row in the store, a piece of authd's memory, the grain of copy-on-write. It is read
 * where it lies, never unpacked. Its octets (docs/page-format.md states them too):
 *
 *   page   u16 magic 0x5A4C "ZL", u8 version 1, u8 0, u32 octets in all, u32 records, u16 nodes n,
 *          n x u32 offset of each node from the start of the page (ascending), then the nodes
 *   node   u8 owner octets k, k octets owner, u16 RRsets m, then the RRsets by type number
 *   rrset  u16 type, u32 ttl, u16 count, u32 octets of the records, then for each record:
 *          u16 length, RDATA (uncompressed); in canonical order of RDATA
 *
 * Signatures (RRSIG, SIG) of one owner are an RRset for each type that they cover, in order of that
 * type: their TTL follows the RRset they sign (RFC 4034 3), so they share none among themselves,
 * and an answer wants only those of one type.
 *
 * All integers in network order. The owner is relative to the apex: its labels in wire form, lower
 * case, without the apex and without the root label; k = 0 is the apex itself. That saves the apex
 * in each of a million owners and makes answers cheap: the apex is known already.
 * A node is never split over pages, so one with much data makes a page larger than 4 KiB.
 */
#ifndef ZL_ZONE_PAGE_H
#define ZL_ZONE_PAGE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/err.h"
#include "lib/dns/rr.h"

#define PAGE_TARGET_BYTES 4096
#define PAGE_MAX_BYTES ((size_t)64 * 1024 * 1024)

struct page {
    uint32_t len; /* octets in data */
    uint32_t records;
    uint32_t nodes;
    atomic_uint refs;
    bool has_nsec; /* some owner has an RRset of this type */
    bool has_nsec3;
    uint32_t slot; /* its number in the index of its zone (zone_index.h), 0: none; the writer's */
    uint64_t mark; /* the same writer's, for comparing versions */

    uint8_t data[];
};

/* Copies `len` octets and checks every offset, length, name and order, and each record's RDATA
 * with rdata_check. ERR_CORRUPT, with what and where. Input may be anything. */
MUST_USE enum err page_parse(struct page **out, const uint8_t *data, size_t len,
                             const uint8_t *apex, struct errinfo *e);

struct page *page_ref(struct page *p);
void page_unref(struct page *p);

/* All records of one owner, lent from a page. */
struct node {
    const struct page *page;
    const uint8_t *rel_owner; /* relative wire labels, rel_len octets, no root label */
    const uint8_t *body;      /* first RRset */
    uint16_t rrsets;
    uint8_t rel_len;
};

/* All records of one owner and type (and type covered), lent from a page. */
struct rrset {
    const uint8_t *rdatas; /* count x (u16 length, RDATA) */
    uint32_t rdatas_len;
    uint32_t ttl;
    uint16_t type;
    uint16_t count;
    uint16_t covered; /* the type that these RRSIG or SIG records sign; 0 for all other types */
};

/* Node i (< p->nodes). */
void page_node(const struct page *p, uint32_t i, struct node *out);

/* First node whose owner is canonically >= the relative name (folded); p->nodes if there is none.
 * `exact` may be NULL. */
uint32_t page_search(const struct page *p, const uint8_t *rel, size_t rel_len, bool *exact);

/* Canonical order of relative names (folded labels without a root label), as name_cmp for whole
 * ones. */
int rel_name_cmp(const uint8_t *a, size_t a_len, const uint8_t *b, size_t b_len);

/* Writes the absolute owner into out; returns its length. */
size_t node_owner(uint8_t out[NAME_MAX_OCTETS], const struct node *n, const uint8_t *apex);

/* RRset i (< n->rrsets). Cost: i steps. */
void node_rrset_at(const struct node *n, uint32_t i, struct rrset *out);

/* The RRset of a type; false if the node has none. For RRSIG and SIG it is the first of several:
 * ask node_rrsigs for those of one type, or walk with node_rrset_at for all. */
bool node_rrset(const struct node *n, uint16_t type, struct rrset *out);

/* The RRSIGs that cover a type; false if the node has none. */
bool node_rrsigs(const struct node *n, uint16_t covered, struct rrset *out);

struct rrset_iter {
    const uint8_t *pos;
    const uint8_t *end;
};

static inline void rrset_iter_init(struct rrset_iter *it, const struct rrset *s)
{
    it->pos = s->rdatas;
    it->end = s->rdatas + s->rdatas_len;
}

/* Lends the next record's RDATA. */
static inline bool rrset_next(struct rrset_iter *it, const uint8_t **rdata, uint16_t *len)
{
    if (it->pos >= it->end)
        return false;
    *len = get_u16(it->pos);
    *rdata = it->pos + 2;
    it->pos += 2 + *len;
    return true;
}

#endif
