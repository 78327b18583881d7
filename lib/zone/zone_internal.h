/* What the files of lib/zone share: relative names, runs of nodes that become pages, and the table
 * of pages of a zone. */
#ifndef ZL_ZONE_INTERNAL_H
#define ZL_ZONE_INTERNAL_H

#include <stdatomic.h>

#include "lib/base/bytes.h"
#include "lib/zone/zone_look.h"

#define PAGE_MAGIC 0x5A4C
#define PAGE_VERSION 1
#define PAGE_HEAD_BYTES 14u
#define RRSET_HEAD_BYTES 12u
#define REL_MAX_OCTETS 254 /* a name without its root label, below the root */
#define TTL_MAX UINT32_C(0x7fffffff)

#define PAGE_SPLIT_BYTES ((size_t)PAGE_TARGET_BYTES / 2 * 3) /* a page above this is cut */
#define PAGE_MERGE_BYTES ((size_t)PAGE_TARGET_BYTES / 2) /* a page below this joins a neighbour */

/* ---- Relative names (rel.c) ---- */

/* The type that a signature covers; 0 for other types. */
uint16_t rdata_covered(uint16_t type, const uint8_t *rdata, size_t len);

/* Folds `name` into rel and gives the length of the part in front of the apex (folded, apex_len
 * octets); false if it is not within the apex. */
bool rel_from_name(uint8_t rel[NAME_MAX_OCTETS], size_t *rel_len, const uint8_t *name,
                   const uint8_t *apex, size_t apex_len);

/* As name_key, for a relative name: memcmp order is canonical order. Returns the length. */
size_t rel_key(uint8_t key[NAME_KEY_MAX], const uint8_t *rel, size_t rel_len);

/* The first eight octets of rel_key as a number: if two differ, so do the names, in this order. */
uint64_t rel_prefix(const uint8_t *rel, size_t rel_len);

/* True if `rel` is strictly below `above`. */
bool rel_below(const uint8_t *rel, size_t rel_len, const uint8_t *above, size_t above_len);

/* ERR_CHECK unless the record can stand in a zone: class, type, TTL. */
MUST_USE enum err rr_check_zone_data(const struct rr *rr, struct errinfo *e);

/* err_set with "owner TYPE: " in front; `rel` is put before the apex. */
enum err zone_fault(enum err rc, struct errinfo *e, const uint8_t *owner, uint16_t type,
                    const char *fmt, ...) __attribute__((format(printf, 5, 6)));

/* ---- Pages and runs of nodes (page.c, page_run.c) ---- */

/* Fills has_nsec and has_nsec3 of a page that is whole otherwise. */
void page_note_chains(struct page *p);

/* Where node i starts; for i == p->nodes the end of the page. */
static inline uint32_t page_node_at(const struct page *p, uint32_t i)
{
    return i < p->nodes ? get_u32(p->data + PAGE_HEAD_BYTES + (size_t)4 * i) : p->len;
}

/* Nodes in order, as octets, that are not cut into pages yet. Zeroed is ready for use. */
struct page_run {
    struct buf octets;
    size_t *starts; /* of each node in octets */
    size_t nodes;
    size_t cap;

    /* The node that is being written. */
    size_t rrsets_at; /* its count of RRsets */
    size_t rrset_at;  /* the RRset's header */
    uint32_t rrsets;
    uint32_t types;
    uint32_t count; /* records in the RRset */
    uint16_t last_type;
};

struct table_maker;

void page_run_done(struct page_run *r);

/* What the run would take as one page. */
size_t page_run_bytes(const struct page_run *r);

/* Appends nodes [from, to) of a page as they are. */
void page_run_add(struct page_run *r, const struct page *p, uint32_t from, uint32_t to);

/* Writes a node: begin, RRsets, end. A node without an RRset vanishes at its end, an RRset without
 * a record too. */
void page_run_node(struct page_run *r, const uint8_t *rel, size_t rel_len);
void page_run_rrset(struct page_run *r, uint16_t type, uint32_t ttl);
void page_run_record(struct page_run *r, const uint8_t *rdata, uint16_t len);
/* A whole RRset, as a page has it. */
void page_run_copy_rrset(struct page_run *r, const struct rrset *s);
/* ERR_LIMIT, without owner and type: too many records, or above a limit (may be NULL). */
MUST_USE enum err page_run_rrset_end(struct page_run *r, const struct zone_limits *limits,
                                     struct errinfo *e);
MUST_USE enum err page_run_node_end(struct page_run *r, const struct zone_limits *limits,
                                    struct errinfo *e);

/* Cuts the whole run into pages of about PAGE_TARGET_BYTES, at borders of nodes, gives them to the
 * table and empties the run. A run of up to PAGE_SPLIT_BYTES stays one page. */
void page_run_cut(struct page_run *r, struct table_maker *out);

/* The same at the end of a zone: a tiny run joins the last page of the table. */
void page_run_cut_last(struct page_run *r, struct table_maker *out);

/* ---- The table of pages (zone_table.c) ---- */

#define CHUNK_MAX_PAGES 256u

struct chunk_entry {
    uint64_t prefix; /* rel_prefix of the first owner, so that a search rarely looks at a page */
    struct page *page;
};

struct chunk {
    atomic_uint refs;
    uint32_t n; /* never 0 */
    uint64_t records;
    uint64_t bytes;
    uint64_t nsec[CHUNK_MAX_PAGES / 64]; /* a bit for each page that has such an RRset */
    uint64_t nsec3[CHUNK_MAX_PAGES / 64];
    uint64_t mark; /* as a page's */

    struct chunk_entry entries[];
};

struct table {
    struct chunk **chunks;
    size_t n;
    size_t cap;
    size_t pages;
    uint64_t records;
    uint64_t bytes;
};

/* A place between pages: page `page` of chunk `chunk`; chunk == table.n is the end. */
struct table_pos {
    size_t chunk;
    uint32_t page;
};

void table_done(struct table *t);

/* The last page whose first owner is <= rel; false if there is none. */
bool table_locate(const struct table *t, const uint8_t *rel, size_t rel_len, struct table_pos *pos);

static inline struct page *table_page(const struct table *t, struct table_pos pos)
{
    return pos.chunk < t->n ? t->chunks[pos.chunk]->entries[pos.page].page : NULL;
}

static inline void table_step(const struct table *t, struct table_pos *pos)
{
    if (++pos->page >= t->chunks[pos->chunk]->n)
        *pos = (struct table_pos){.chunk = pos->chunk + 1};
}

static inline bool table_pos_before(struct table_pos a, struct table_pos b)
{
    return a.chunk < b.chunk || (a.chunk == b.chunk && a.page < b.page);
}

/* Builds a table from new pages and from parts of an old table. Zeroed is ready for use. */
struct table_maker {
    struct table table;
    struct page **open; /* behind the chunks of the table */
    size_t n;
    size_t cap;
};

void table_maker_done(struct table_maker *m);
void table_add_page(struct table_maker *m, struct page *p);   /* takes over a reference */
void table_add_chunk(struct table_maker *m, struct chunk *c); /* shares it */
/* Takes the last page back, with its reference; NULL if there is none. */
struct page *table_pop_page(struct table_maker *m);
/* Moves the table out; the maker is empty then. */
void table_finish(struct table *out, struct table_maker *m);

/* ---- Zones (zone.c) ---- */

struct zone {
    atomic_uint refs;
    uint8_t apex_len;
    uint8_t apex_labels;
    bool has_soa;
    bool has_apex;
    struct serial serial;
    struct node apex_node;
    struct rrset soa; /* if has_soa */
    uint32_t negative_ttl_s;
    struct table table;
    struct page *only;                /* the page of a zone that has but one; NULL: it has more */
    _Atomic(struct zone_view *) view; /* what the index shows of it; NULL: there is none */
    uint8_t apex[];                   /* lower case */
};

/* zone_look by search, of a relative name (lower case) below the apex. For ZONE_HAS_BELOW, `node`
 * is the first one below. */
enum zone_has pages_look(const struct zone *z, const uint8_t *rel, size_t rel_len,
                         struct node *node);

/* Takes over the table. ERR_LIMIT if it is above a limit (may be NULL). */
MUST_USE enum err zone_from_table(struct zone **out, const uint8_t *apex, struct table *t,
                                  const struct zone_limits *limits, struct errinfo *e);

/* First owner of a page, as a relative name. */
static inline const uint8_t *page_first(const struct page *p, size_t *rel_len)
{
    const uint8_t *node = p->data + page_node_at(p, 0);

    *rel_len = node[0];
    return node + 1;
}

#endif
