/* Whether a validator would believe a zone (RFC 4035, 5155): every RRset that the zone speaks for
 * has a signature in force by a key at the apex, and the chains of NSEC and NSEC3 are whole.
 *
 * As lenient as a validator: one good signature an RRset is enough (RFC 6840 5.4, 5.11), whatever
 * the other ones are; what stands below a delegation needs none. Keys and signatures of algorithms
 * that are not known here count as absent, and a zone whose keys are signed with no other is not
 * checked, but for its chains (RFC 4035 5.2).
 *
 * A whole check looks at each RRset, in several threads if it may. For a version that came from a
 * sound one by few changes it is enough to look at what they touch, and that gives the same
 * verdict: anything that the changes could have done elsewhere makes it look at the whole.
 *
 * Threads: any; zones are only read.
 */
#ifndef ZL_ZONE_DNSSEC_H
#define ZL_ZONE_DNSSEC_H

#include "lib/base/clock.h"
#include "lib/zone/changeset.h"
#include "lib/zone/zone.h"

#define ZONE_DNSSEC_REASON_MAX 240

enum zone_dnssec_result {
    ZONE_DNSSEC_UNSIGNED, /* the apex has neither keys nor signatures */
    ZONE_DNSSEC_OK,
    ZONE_DNSSEC_BOGUS,     /* a validator would not believe part of it, or (see life_s) soon not */
    ZONE_DNSSEC_UNCHECKED, /* nothing is wrong with the chains, and no signature can be checked */
};

/* What vouches for the keys: a DS or a DNSKEY of the zone, lent. */
struct zone_dnssec_anchor {
    const uint8_t *rdata;
    uint16_t len;
    uint16_t type; /* RR_DS, RR_DNSKEY */
};

struct zone_dnssec_spec {
    struct wall now;
    uint32_t life_s;                          /* signatures must be good for so long from now on */
    const struct zone_dnssec_anchor *anchors; /* none: any key that signs the keys will do */
    size_t anchor_count;
    unsigned threads; /* to work in, with the one that calls; at most so many less one are added in
                         the whole process */
};

struct zone_dnssec_report {
    enum zone_dnssec_result result;
    uint64_t rrsets; /* whose signatures were looked at */
    uint64_t faults;
    bool whole;        /* all of the zone was looked at */
    struct wall until; /* of OK: no signature that is needed ends before; after a look at changes it
                          may be one that is not needed any more */
    char reason[ZONE_DNSSEC_REASON_MAX]; /* a sentence without a full stop, also if all is well */
};

/* Cost: the whole zone; 20 to 200 microseconds of cryptography an RRset. */
void zone_dnssec_check(struct zone_dnssec_report *out, const struct zone *z,
                       const struct zone_dnssec_spec *spec);

/* The same for a version that came from `base` by `cs`, where base has been found OK, with `until`.
 * Cost: in proportion to cs, unless it has changed keys, delegations of much, or is found wrong. */
void zone_dnssec_check_change(struct zone_dnssec_report *out, const struct zone *base,
                              struct wall until, const struct zone *z, const struct changeset *cs,
                              const struct zone_dnssec_spec *spec);

/* Whether the apex has keys, signatures or a chain. */
bool zone_is_signed(const struct zone *z);

#endif
