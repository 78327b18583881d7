/* Octets as text: hex, base64 (RFC 4648 4), base32hex without padding (RFC 4648 7, RFC 5155 1.3).
 * Decoders are strict; they append to out and leave it as it was on failure.
 */
#ifndef ZL_BASE_ENCODE_H
#define ZL_BASE_ENCODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/bytes.h"

void hex_encode(struct buf *out, const uint8_t *p, size_t n); /* lower case */
void hex_encode_upper(struct buf *out, const uint8_t *p, size_t n);
void base64_encode(struct buf *out, const uint8_t *p, size_t n);
void base32hex_encode(struct buf *out, const uint8_t *p, size_t n); /* upper case, as RFC 4648 */

/* Blanks (space, tab, newline) between digits are skipped. */
bool hex_decode(struct buf *out, const char *text, size_t len);
bool base64_decode(struct buf *out, const char *text, size_t len);
bool base32hex_decode(struct buf *out, const char *text, size_t len); /* no blanks */

#endif
