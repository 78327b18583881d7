/* What the files zone_dnssec*.c share: what is checked, how it went, and the parts of a look at one
 * name. */
#ifndef ZL_ZONE_DNSSEC_INTERNAL_H
#define ZL_ZONE_DNSSEC_INTERNAL_H

#include "lib/dns/dnssec.h"
#include "lib/dns/nsec3.h"
#include "lib/zone/zone_dnssec.h"
#include "lib/zone/zone_internal.h"

/* How a name stands to what the zone speaks for. */
enum standing {
    STANDS_OWN,      /* the zone's own data, signed */
    STANDS_CUT,      /* a delegation: its DS, and what denies others, is signed */
    STANDS_OCCLUDED, /* below a delegation: glue */
    STANDS_HASH,     /* there for its NSEC3 alone: as a name it does not exist (RFC 5155 7.2.8) */
};

/* Names that there are, for those who deny others. */
static inline bool is_real(enum standing s)
{
    return s == STANDS_OWN || s == STANDS_CUT;
}

#define CHAINS_MAX 4

/* An NSEC3 of a chain; 32 octets, since there may be a million. */
struct chain_entry {
    const uint8_t *rdata;
    uint16_t len;
    uint8_t hash[NSEC3_HASH_OCTETS]; /* its owner */
    atomic_bool used;                /* a name has this hash */
};
_Static_assert(sizeof(struct chain_entry) == 32, "no padding to speak of");

struct chain {
    struct nsec3_params params;
    struct chain_entry *entries; /* by hash; NULL: to be looked up in the zone */
    size_t n, cap;
};

struct key {
    struct dnskey dnskey;
    bool trusted; /* may sign the keys */
};

struct check {
    const struct zone *z;
    const struct zone_dnssec_spec *spec;
    struct key *keys;
    size_t key_count;
    bool blind; /* no signature can be checked */
    bool has_nsec;
    struct chain chains[CHAINS_MAX];
    size_t chain_count;
};

/* How it went, for one thread. */
struct tally {
    struct dnssec_verifier verifier;
    uint64_t rrsets, faults;
    struct wall until; /* of all signatures that were used; INT64_MAX: none yet */
    size_t part;       /* of the zone, in canonical order, that is looked at */
    size_t first_part; /* where the first fault was */
    char first[ZONE_DNSSEC_REASON_MAX];
};

void tally_init(struct tally *t);
void tally_done(struct tally *t);

/* One fault more; `why` without the name. */
void fault(struct tally *t, const uint8_t *owner, uint16_t type, const char *why, ...)
    __attribute__((format(printf, 4, 5)));

/* Keys (verified), and which chains there must be; faults of these are counted. check_done in the
 * end. */
void check_init(struct check *c, struct tally *t, const struct zone *z,
                const struct zone_dnssec_spec *spec);
void check_done(struct check *c);
void check_report(struct zone_dnssec_report *out, const struct check *c, const struct tally *t);

/* ---- Signatures (zone_dnssec_sign.c) ---- */

void check_keys(struct check *c, struct tally *t);
void check_rrset(const struct check *c, struct tally *t, const struct node *n, const uint8_t *owner,
                 const struct rrset *set);
/* Whether an RRset at a name of this standing must be signed. */
bool must_be_signed(enum standing s, uint16_t type);
/* All that must be signed. */
void check_node(const struct check *c, struct tally *t, const struct node *n, const uint8_t *owner,
                enum standing s);

/* ---- Standing (zone_dnssec.c) ---- */

/* Of a node that is not below a delegation. */
enum standing standing_here(const struct node *n);
/* Of any name, with its node or, if it owns nothing, NULL. */
enum standing standing_of(const struct zone *z, const uint8_t *name, const struct node *n);

/* ---- NSEC (zone_dnssec_nsec.c) ---- */

/* The bitmap of a name that there is; `n` is NULL for an empty non-terminal. */
void check_types(struct tally *t, const uint8_t *owner, uint16_t type, const uint8_t *map,
                 size_t len, const struct node *n, enum standing s);
/* The NSEC of a name, and that it leads to `next` (NULL: it is not asked). */
void check_nsec(struct tally *t, const struct node *n, const uint8_t *owner, enum standing s,
                const uint8_t *next);
/* The next name of the NSEC of a node; NULL without exactly one. */
const uint8_t *nsec_next(const struct node *n);

/* ---- NSEC3 (zone_dnssec_nsec3.c) ---- */

/* Parameters. */
void chains_init(struct check *c, struct tally *t);
/* All entries. */
void chains_read(struct check *c, struct tally *t);
/* That each has a name, and leads to the next one. After all names, whose faults tell more. */
void chains_finish(const struct check *c, struct tally *t);
void chains_done(struct check *c);

/* Of a name that there is, in each chain; `n` is NULL for an empty non-terminal. */
void check_nsec3(const struct check *c, struct tally *t, const uint8_t *name, const struct node *n,
                 enum standing s);
/* The NSEC3 of a chain at a node; false if it has none. */
bool chain_at(struct nsec3 *out, const struct chain *ch, const struct node *n);
/* The NSEC3 of a hash; false if there is none. */
bool chain_find(const struct check *c, const struct chain *ch,
                const uint8_t hash[NSEC3_HASH_OCTETS], struct nsec3 *out);
/* The hash of the NSEC3 in front of this one, round the end; false if there is none at all. */
bool chain_before(const struct zone *z, const struct chain *ch,
                  const uint8_t hash[NSEC3_HASH_OCTETS], uint8_t out[NSEC3_HASH_OCTETS]);

#endif
