/* Times of RRSIG and SIG as text: YYYYMMDDHHmmSS in UTC, RFC 4034 3.2. */
#ifndef ZL_DNS_RDATA_TIME_H
#define ZL_DNS_RDATA_TIME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RDATA_TIME_TEXT 14 /* octets; there is no NUL */

void rdata_time_put(char out[RDATA_TIME_TEXT], uint32_t t);

/* Years 1 to 9999, modulo 2^32 seconds: times are serial numbers (RFC 4034 3.1.5), and some
 * software prints those far ahead as dates long past. False for what is no date or time of day. */
bool rdata_time_get(uint32_t *out, const char text[RDATA_TIME_TEXT]);

/* The times of an RRSIG's RDATA (RFC 4034 3.1), in seconds modulo 2^32; false if it is too short.
 */
bool rrsig_times(uint32_t *inception, uint32_t *expiration, const uint8_t *rdata, size_t len);

#endif
