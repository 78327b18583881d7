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

/* False if a limit is reached; else tcp_quota_give must follow. */
bool tcp_quota_take(struct tcp_quota *q, const struct addr *source);
void tcp_quota_give(struct tcp_quota *q, const struct addr *source);

uint32_t tcp_quota_count(struct tcp_quota *q);

#endif
