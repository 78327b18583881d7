/* A version of a zone: immutable, counted, made of pages (page.h).
 *
 * Pages stand in canonical order in a persistent two-level table: a changed version shares every
 * page, and every part of the table, that did not change. So a one-record change costs one page
 * and a piece of the table, and the store sees by comparing pointers what it has to write.
 *
 * Owners are absolute names folded to lower case; class IN only.
 * Threads: a struct zone is only read; zone_ref and zone_unref are atomic.
 */
#ifndef ZL_ZONE_ZONE_H
#define ZL_ZONE_ZONE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/err.h"
#include "lib/base/serial.h"
#include "lib/dns/rr.h"
#include "lib/zone/page.h"

struct zone;
struct changeset;

struct zone_limits {
    uint64_t max_bytes;   /* of all pages; 0: none */
    uint64_t max_records; /* 0: none */
    uint32_t max_rrset;   /* records in one RRset; 0: none */
    uint32_t max_types;   /* types at one owner; 0: none */
};

struct zone *zone_ref(struct zone *z);
void zone_unref(struct zone *z); /* NULL is fine */

const uint8_t *zone_apex(const struct zone *z); /* lower case */
size_t zone_apex_len(const struct zone *z);
struct serial zone_serial(const struct zone *z); /* of the apex SOA */
uint64_t zone_records(const struct zone *z);
uint64_t zone_bytes(const struct zone *z); /* of all pages */
size_t zone_page_count(const struct zone *z);

/* The apex SOA, lent by the zone; false only in a zone that zone_check did not pass. */
bool zone_soa(const struct zone *z, struct rr *out, struct soa *fields);

/* The SOA as negative answers have it, with their TTL: the lower one of its own and its MINIMUM
 * (RFC 2308 3). NULL as zone_soa is false. */
const struct rrset *zone_negative_soa(const struct zone *z, uint32_t *ttl);

/* Looks an owner up (as name_eq does). Fills *node, which lends from the zone. */
bool zone_find(const struct zone *z, const uint8_t *owner, struct node *node);

/* The last node whose owner is canonically <= name (NSEC's predecessor); false if there is none.
 * *exact tells whether it is the name itself. */
bool zone_find_le(const struct zone *z, const uint8_t *name, struct node *node, bool *exact);

/* True if some owner in the zone is strictly below `name` (so that an absent `name` is an empty
 * non-terminal, RFC 4592 2.2.2). */
bool zone_has_below(const struct zone *z, const uint8_t *name);

/* Walks all nodes in canonical order: zone_iter_init(&it, z); while (zone_next(&it, &node)) ... */
struct zone_iter {
    const struct zone *zone;
    size_t chunk;  /* of the table of pages */
    uint32_t page; /* in the chunk */
    uint32_t node; /* in the page */
};
void zone_iter_init(struct zone_iter *it, const struct zone *z);
/* Starts at the first node with owner >= name. */
void zone_iter_seek(struct zone_iter *it, const struct zone *z, const uint8_t *name);
bool zone_next(struct zone_iter *it, struct node *node);

/* Walks backwards over the nodes that own an RRset of one type, NSEC or NSEC3: the chains of denial
 * of existence, whose predecessors may lie any number of other nodes away. Cost: a bit a page.
 *
 *     zone_back_init(&it, z, RR_NSEC, name); if (zone_back_next(&it, &node)) ... */
struct zone_back {
    const struct zone *zone;
    size_t chunk;  /* of the table of pages */
    uint32_t page; /* in the chunk */
    uint32_t node; /* nodes of the page that are still to be looked at */
    uint16_t type;
};
/* Starts at the last node with owner <= name; NULL: at the end of the zone. */
void zone_back_init(struct zone_back *it, const struct zone *z, uint16_t type, const uint8_t *name);
bool zone_back_next(struct zone_back *it, struct node *node);

/* Walks all records one by one; rr lends from the zone, its owner lives in the iterator. */
struct zone_rr_iter {
    struct zone_iter nodes;
    struct node node;
    struct rrset rrset;
    struct rrset_iter rdatas;
    uint32_t next_rrset;
    bool in_node;
    bool in_rrset;
    uint8_t owner[NAME_MAX_OCTETS];
};
void zone_rr_iter_init(struct zone_rr_iter *it, const struct zone *z);
bool zone_rr_next(struct zone_rr_iter *it, struct rr *rr);

/* ---- Building from records in any order (AXFR, zone files) ---- */

struct zone_builder;

/* `apex` and `limits` (NULL: none) are copied. */
struct zone_builder *zone_builder_new(const uint8_t *apex, const struct zone_limits *limits);
void zone_builder_free(struct zone_builder *b);

/* Takes a copy of one record: the owner folded, RDATA (which rdata_check accepts) as it is.
 * Errors: ERR_CHECK (outside the zone, class not IN, a type that cannot stand in a zone, a TTL
 * above 2^31-1), ERR_LIMIT (duplicates count here, since a peer that never stops must be stopped).
 */
MUST_USE enum err zone_builder_add(struct zone_builder *b, const struct rr *rr, struct errinfo *e);

struct zone_build_report {
    uint64_t duplicates;   /* records dropped because they were there already */
    uint64_t ttls_changed; /* RRsets whose TTLs differed and were made equal */
};

/* Sorts, drops duplicates (RFC 2181 5), makes the TTLs of an RRset equal (RFC 2181 5.2: the
 * lowest; RRSIGs for each type they cover), cuts pages. The builder is spent afterwards and can
 * only be freed. Does not call zone_check. `report` may be NULL. Errors: ERR_LIMIT (the text names
 * owner and type of an RRset that is too large). Of duplicates that differ in the case of names in
 * RDATA, the one with the lowest octets stays: the result depends on the records alone, not on
 * their order. */
MUST_USE enum err zone_builder_finish(struct zone **out, struct zone_builder *b,
                                      struct zone_build_report *report, struct errinfo *e);

/* From pages that already are in order (the store's). Takes over one reference to each page, also
 * on error. ERR_CORRUPT. */
MUST_USE enum err zone_from_pages(struct zone **out, const uint8_t *apex, struct page **pages,
                                  size_t n, struct errinfo *e);

/* ---- Checks ---- */

/* What must hold before a version may be served: exactly one SOA, at the apex; NS at the apex;
 * CNAME alone at its owner (but for RRSIG, NSEC, KEY); one CNAME, one DNAME; nothing below a
 * DNAME; TTLs at most 2^31-1. ERR_CHECK with the first fault, naming owner and type.
 * Cost: the whole zone. */
MUST_USE enum err zone_check(const struct zone *z, struct errinfo *e);

/* The same for a version that came from a checked one by `cs`: looks only where cs changed. */
MUST_USE enum err zone_check_change(const struct zone *z, const struct changeset *cs,
                                    struct errinfo *e);

/* ---- Comparing versions page by page, for the store ---- */

typedef enum err zone_page_fn(void *ctx, const struct page *p, struct errinfo *e);

/* Calls `gone` for each page of old_zone (may be NULL) that new_zone (may be NULL) does not share,
 * then `came` for each page of new_zone that old_zone does not share. Pages are shared by identity,
 * or by same octets. */
MUST_USE enum err zone_page_changes(const struct zone *old_zone, const struct zone *new_zone,
                                    zone_page_fn *gone, zone_page_fn *came, void *ctx,
                                    struct errinfo *e);

/* SHA-256 over the canonical form of all records in canonical order (each as the RFC 4034 6.2
 * wire form with its TTL): equal on every node that holds the same content. Cost: the whole zone.
 */
void zone_sha256(uint8_t out[32], const struct zone *z);

/* Appends the whole zone as text, a line a record (rr_to_text), canonical order, to out. */
void zone_to_text(struct buf *out, const struct zone *z);

#endif
