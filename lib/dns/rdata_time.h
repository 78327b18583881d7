/* Times of RRSIG and SIG as text: YYYYMMDDHHmmSS in UTC, RFC 4034 3.2. */
#ifndef ZL_DNS_RDATA_TIME_H
#define ZL_DNS_RDATA_TIME_H

#include <stdbool.h>
#include <stdint.h>

#define RDATA_TIME_TEXT 14 /* octets; there is no NUL */

void rdata_time_put(char out[RDATA_TIME_TEXT], uint32_t t);

/* Years 1 to 9999, modulo 2^32 seconds: times are serial numbers (RFC 4034 3.1.5), and some
 * software prints those far ahead as dates long past. False for what is no date or time of day. */
bool rdata_time_get(uint32_t *out, const char text[RDATA_TIME_TEXT]);

#endif
