#include "lib/zone/zone_signatures.h"

#include "lib/dns/rdata_time.h"
#include "lib/zone/page.h"

/* Seconds modulo 2^32, of the moment that lies next to `now`. */
static struct wall nearest(uint32_t s, struct wall now)
{
    return (struct wall){now.s + (int32_t)(s - (uint32_t)now.s)};
}

static void look(struct zone_signatures *out, const struct rrset *set, struct wall now)
{
    struct rrset_iter it;
    const uint8_t *rdata;
    uint32_t inception, expiration;
    uint16_t len;

    rrset_iter_init(&it, set);
    while (rrset_next(&it, &rdata, &len)) {
        struct wall end;

        if (!rrsig_times(&inception, &expiration, rdata, len))
            continue;
        end = nearest(expiration, now);
        if (out->count++ == 0 || end.s < out->first.s)
            out->first = end;
        out->expired += end.s < now.s;
    }
}

struct zone_signatures zone_signatures(const struct zone *z, struct wall now)
{
    struct zone_signatures out = {.count = 0};
    struct zone_iter nodes;
    struct rrset set;
    struct node n;

    zone_iter_init(&nodes, z);
    while (zone_next(&nodes, &n)) {
        if (!node_rrset(&n, RR_RRSIG, &set))
            continue;
        for (uint32_t i = 0; i < n.rrsets; i++) {
            node_rrset_at(&n, i, &set);
            if (set.type == RR_RRSIG)
                look(&out, &set, now);
        }
    }
    return out;
}
