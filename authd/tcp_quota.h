/* How many TCP connections there may be, in all and from one source: an IPv4 address or an IPv6
 * /64, as whoever has one address there has all of them.
 *
 * Threads: any. One mutex guards it; it is taken once when a connection begins and once when it
 * ends, and nothing is locked inside.
 */
#ifndef ZL_AUTHD_TCP_QUOTA_H
#define ZL_AUTHD_TCP_QUOTA_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/base/addr.h"
#include "lib/base/clock.h"

struct tcp_quota;

struct tcp_quota *tcp_quota_new(uint32_t total, uint32_t per_source, const struct clock *clock);
void tcp_quota_free(struct tcp_quota *q);

/* New limits; connections beyond them stay, but no more are let in. */
void tcp_quota_limit(struct tcp_quota *q, uint32_t total, uint32_t per_source);

enum tcp_place {
    TCP_PLACE_TAKEN,       /* tcp_quota_give must follow, with the same address */
    TCP_PLACE_NONE,        /* there are as many as there may be */
    TCP_PLACE_SOURCE_FULL, /* as many as there may be from that source */
};

/* `extra` places beyond the total may be taken: by who has asked for one to be made free. A source
 * of family 0 is nobody's: it counts in the total alone (a balancer's client not known yet). */
MUST_USE enum tcp_place tcp_quota_take(struct tcp_quota *q, const struct addr *source,
                                       uint32_t extra);
void tcp_quota_give(struct tcp_quota *q, const struct addr *source);
/* A place taken for nobody becomes this source's. False, and nothing changes, if that one has as
 * many as it may have. */
MUST_USE bool tcp_quota_claim(struct tcp_quota *q, const struct addr *source);

/* Are there more than there may be, extra places in use? */
bool tcp_quota_is_over(struct tcp_quota *q);
uint32_t tcp_quota_count(struct tcp_quota *q);

#endif
