/* Hashed denial of existence (RFC 5155): a zone's parameters and the chain that belongs to them. */
#ifndef ZL_AUTHD_ANSWER_NSEC3_H
#define ZL_AUTHD_ANSWER_NSEC3_H

#include "lib/dns/nsec3.h"
#include "lib/zone/zone.h"

enum nsec3_use {
    NSEC3_NONE,   /* the zone has no NSEC3PARAM that we can use */
    NSEC3_COSTLY, /* it has, but only with more than NSEC3_ITERATIONS_MAX: not used */
    NSEC3_USABLE,
};

/* The parameters to answer with (RFC 5155 7.3): NSEC3PARAM without flags, with a chain that starts
 * at the apex if there is a choice. */
enum nsec3_use nsec3_params_of(struct nsec3_params *out, const struct zone *z);

/* The NSEC3 whose owner is the hash of `name`. */
bool nsec3_match(const struct zone *z, const struct nsec3_params *p, const uint8_t *name,
                 struct node *out);

/* The NSEC3 whose span holds the hash of `name`; the one that matches, if there is one. */
bool nsec3_cover(const struct zone *z, const struct nsec3_params *p, const uint8_t *name,
                 struct node *out);

/* True for an owner that is there for its NSEC3 alone: as a name it does not exist (RFC 5155
 * 7.2.8). */
bool nsec3_owner_only(const struct node *n);

#endif
