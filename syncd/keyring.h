/* The TSIG keys of one configuration, with their secrets, and what TLS to its primaries needs: they
 * live in syncd alone.
 *
 * A keyring is immutable and counted, as the configuration is: a reload makes a new one, and work
 * under way keeps the keys it began with. Threads: any.
 */
#ifndef ZL_SYNCD_KEYRING_H
#define ZL_SYNCD_KEYRING_H

#include "lib/base/config.h"
#include "lib/dns/tsig.h"
#include "lib/net/tls_peer.h"

struct keyring;

/* Reads every key's secret file, and the files of primaries by TLS: base64 text, blanks and line
 * ends ignored. A file that others than its owner may write, or that everybody may read, is
 * ERR_DENIED; the file must belong to root or to us. Errors name the key and its file, never the
 * secret: ERR_IO, ERR_FORMAT, ERR_DENIED, ERR_UNSUPPORTED (algorithm), ERR_EXISTS (two spellings of
 * one name). */
MUST_USE enum err keyring_load(struct keyring **out, const struct config *config,
                               struct errinfo *e);
struct keyring *keyring_ref(struct keyring *k);
void keyring_unref(struct keyring *k); /* NULL is fine */

/* How to reach the primary of config.primaries[index] by TLS, lent; NULL: without. */
struct tls_peer *keyring_tls(const struct keyring *k, size_t index);

/* The key of config.keys[index], lent; NULL for a negative index. */
struct tsig_key *keyring_get(const struct keyring *k, int index);

/* The key of this name, lent, and its index in config.keys; NULL if there is none. */
struct tsig_key *keyring_find(const struct keyring *k, const uint8_t *name, int *index);

/* Checks the signature of a request with the key that it names; `at` is where its TSIG record is,
 * 0 if it has none. *t then knows how to sign the answer, whatever the outcome (tsig.h). *index is
 * that of the key in config.keys after TSIG_OK, else -1. */
MUST_USE enum tsig_outcome keyring_verify(const struct keyring *k, struct tsig *t,
                                          const uint8_t *wire, size_t len, size_t at,
                                          struct wall now, int *index);

#endif
