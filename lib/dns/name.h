/* Domain names (RFC 1035 2.3, 3.1; RFC 4034 6.1; RFC 4343).
 *
 * A name is a `const uint8_t *` to its uncompressed wire form: labels with their length octets,
 * closed by the root label; it carries its own end. Every name that such a pointer points to is
 * *valid* (labels <= 63, whole <= 255 octets): read_name and name_from_text, which take outside
 * input, are the doors. Storage for any name is `uint8_t name[NAME_MAX]`.
 *
 * Cost: in proportion to the length. Threads: pure functions.
 */
#ifndef ZL_DNS_NAME_H
#define ZL_DNS_NAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/bytes.h"
#include "lib/base/err.h"

#define NAME_MAX_OCTETS 255 /* with the root label */
#define LABEL_MAX_OCTETS 63
#define NAME_MAX_LABELS 127 /* without the root label */
#define NAME_TEXT_MAX 1024  /* longest presentation form (\DDD each) with dots and NUL */
#define NAME_KEY_MAX 510    /* longest sort key */

/* Octets of the name, root label included (1 for the root). */
size_t name_len(const uint8_t *name);

/* Labels, root label not counted (0 for the root). */
unsigned name_labels(const uint8_t *name);

bool name_is_root(const uint8_t *name);
bool name_is_wildcard(const uint8_t *name); /* first label is a single asterisk, RFC 4592 */

/* The name without its first label; the root is its own parent. Lends a part of `name`. */
const uint8_t *name_parent(const uint8_t *name);

/* Copies to `to` (room for NAME_MAX_OCTETS), with ASCII letters in lower case for _fold; returns
 * the length. `to` may be `from`. */
size_t name_copy(uint8_t *to, const uint8_t *from);
size_t name_fold(uint8_t *to, const uint8_t *from);

/* ASCII case is ignored in all comparisons (RFC 4343). */
bool name_eq(const uint8_t *a, const uint8_t *b);
bool name_within(const uint8_t *name, const uint8_t *apex);      /* equal or below */
unsigned name_common_labels(const uint8_t *a, const uint8_t *b); /* equal labels from the root */

/* Canonical order, RFC 4034 6.1: negative, 0 or positive. */
int name_cmp(const uint8_t *a, const uint8_t *b);

/* A key whose memcmp order (shorter prefix first) is the canonical order of names. Format: the
 * folded labels from the root's child down to the first one; in each, octet 00 is written as 01 01
 * and 01 as 01 02; each label is closed by 00. The root's key is empty. Returns the length. */
size_t name_key(uint8_t key[NAME_KEY_MAX], const uint8_t *name);

/* Presentation form, absolute (with the last dot), RFC 1035 5.1 escapes: \. \\ \" \; \( \) \@ \$
 * for specials and \DDD for what is not printable ASCII (space too). Returns the length without
 * NUL. */
size_t name_to_text(char out[NAME_TEXT_MAX], const uint8_t *name);

/* Reads presentation form. A name without a last dot is put below `origin`; origin NULL means it
 * is taken as absolute anyway. "@" is the origin. Octets may be escaped. Errors: ERR_FORMAT, with
 * the text saying what is wrong (empty label, long label, long name, bad escape). */
MUST_USE enum err name_from_text(uint8_t out[NAME_MAX_OCTETS], const char *text, size_t text_len,
                                 const uint8_t *origin, struct errinfo *e);

/* Reads a name from a message, following compression pointers strictly backwards with a bound
 * on jumps. Case is kept. On failure the reader is failed and false is returned. */
bool read_name(struct reader *r, uint8_t out[NAME_MAX_OCTETS]);

/* The same, but a compression pointer is an error (RFC 3597 4: RDATA of newer types). */
bool read_name_plain(struct reader *r, uint8_t out[NAME_MAX_OCTETS]);

/* A hash of the folded name, keyed (SipHash-1-3) so that strangers cannot choose collisions. */
uint64_t name_hash(const uint8_t *name, const uint8_t key[16]);

#endif
