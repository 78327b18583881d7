/* Keys of the control surface: 256 random bits, as text. Who checks one has its hash only; a plain
 * salted SHA-256 will do, since nobody can guess so many bits.
 *
 * Threads: any.
 */
#ifndef ZL_BASE_API_KEY_H
#define ZL_BASE_API_KEY_H

#include <stdbool.h>

#include "lib/base/err.h"

#define API_KEY_MAX 72       /* "zl_" and 64 digits, with the zero behind them */
#define API_KEY_HASH_MAX 104 /* "SALT:SHA256" in hex, with the zero */

/* A new key and its hash. The caller wipes the key. ERR_UNSUPPORTED: OpenSSL has no random bits. */
MUST_USE enum err api_key_make(char key[API_KEY_MAX], char hash[API_KEY_HASH_MAX],
                               struct errinfo *e);

/* Does the hash have the form that api_key_make gives? */
bool api_key_hash_is_right(const char *hash);

/* Is it this key's? Takes as long for each wrong key. `hash` is right. */
bool api_key_matches(const char *hash, const char *key);

#endif
