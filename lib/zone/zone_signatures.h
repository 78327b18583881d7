/* The times of a zone's signatures (RFC 4034 3.1.5), not whether they are right. */
#ifndef ZL_ZONE_ZONE_SIGNATURES_H
#define ZL_ZONE_ZONE_SIGNATURES_H

#include "lib/base/clock.h"
#include "lib/zone/zone.h"

struct zone_signatures {
    uint64_t count;    /* RRSIG records */
    uint64_t expired;  /* of them, at the time asked for */
    struct wall first; /* when the first of all expires, or did; unset without any */
};

/* Cost: a look at each RRset. */
struct zone_signatures zone_signatures(const struct zone *z, struct wall now);

#endif
