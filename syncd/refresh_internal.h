/* Between refresh.c (what to do) and refresh_wait.c (how long to wait). */
#ifndef ZL_SYNCD_REFRESH_INTERNAL_H
#define ZL_SYNCD_REFRESH_INTERNAL_H

#include "syncd/refresh.h"

#define MS 1000

/* Transferred without a probe, and whatever the serial. */
bool refresh_needs_content(const struct refresh *r);

/* What the SOA says, within the policy's bounds; assumptions while none is known. */
uint32_t refresh_interval_s(const struct refresh *r);
uint32_t refresh_retry_s(const struct refresh *r);
uint32_t refresh_expire_s(const struct refresh *r);
struct mono refresh_soa_deadline(const struct refresh *r, struct mono now);

int64_t refresh_jittered_ms(const struct refresh *r, uint32_t seconds);

/* start, 2 x start, 4 x start ..., at most `max`, which is never below start. */
uint32_t refresh_doubled(uint32_t start, uint32_t times, uint32_t max);

/* The wait after `failures` failures in a row (at least 1). */
uint32_t refresh_backoff_s(const struct refresh *r, uint32_t failures);

/* When the NOTIFY that is kept may begin a round. */
struct mono refresh_notify_time(const struct refresh *r, struct mono now);

#endif
