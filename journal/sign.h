/* Signatures on commits: Ed25519 in OpenSSH's form (its PROTOCOL.sshsig and PROTOCOL.key), in the
 * header `gpgsig`, where git looks for them. So stock `git verify-commit` and `ssh-keygen -Y
 * verify` judge them, and keys are files that `ssh-keygen` reads.
 *
 * Ed25519 has no randomness (RFC 8032 5.1.6): the same commit, signed by the same key, has the same
 * octets, and a replay after a crash the same id.
 *
 * A key is immutable once made and may be used by any number of threads.
 */
#ifndef ZL_JOURNAL_SIGN_H
#define ZL_JOURNAL_SIGN_H

#include "journal/journal.h"

#define JOURNAL_KEY_FILE_MAX 4096
#define JOURNAL_KEY_TEXT_MAX 81         /* "ssh-ed25519 AAAA...", with its NUL */
#define JOURNAL_FINGERPRINT_TEXT_MAX 51 /* "SHA256:...", with its NUL */

struct journal_key;

/* A new key, from the system's random numbers. ERR_IO if there are none. */
MUST_USE enum err journal_key_make(struct journal_key **out, struct errinfo *e);
/* From the text of a private key file without a passphrase. ERR_FORMAT; ERR_UNSUPPORTED for
 * another kind of key, or one with a passphrase. */
MUST_USE enum err journal_key_read(struct journal_key **out, const char *text, size_t len,
                                   struct errinfo *e);
/* Appends the text of a private key file. The caller wipes it. `comment`: in its last field. */
void journal_key_write(struct buf *out, const struct journal_key *k, const char *comment);
void journal_key_free(struct journal_key *k); /* and wipes it */

/* The public half. */
struct journal_signer {
    uint8_t id[32];
};
struct journal_signer journal_key_signer(const struct journal_key *k);
/* "ssh-ed25519 AAAA...", as authorized_keys and allowed signers have it, and back. */
void journal_signer_text(char out[JOURNAL_KEY_TEXT_MAX], const struct journal_signer *s);
bool journal_signer_read(struct journal_signer *out, const char *text, size_t len);
/* As `ssh-keygen -l` shows it. */
void journal_signer_fingerprint(char out[JOURNAL_FINGERPRINT_TEXT_MAX],
                                const struct journal_signer *s);

/* From now on each commit that journal_write makes is signed with this key, lent until another one
 * or NULL is set. By the thread that owns `j`. */
void journal_sign_with(struct journal *j, const struct journal_key *k);
/* Versions that are served are left to checkpoints (checkpoint.h). Waiting and quarantined ones are
 * signed all the same: they are few, and their lines may come and go between two checkpoints. */
void journal_sign_waiting_only(struct journal *j, bool on);

enum journal_signature {
    SIGNATURE_NONE,
    SIGNATURE_GOOD,
    SIGNATURE_BAD,     /* by a key of ours, but not for this commit; or not to be understood */
    SIGNATURE_UNKNOWN, /* by a key that is not among the signers */
};
/* Looks at one commit's signature. *which: the signer's place among `signers`, if it is GOOD or
 * BAD by a known key. ERR_NOT_FOUND, ERR_CORRUPT. */
MUST_USE enum err journal_signature_check(struct journal *j, const struct journal_oid *commit,
                                          const struct journal_signer *signers, size_t n,
                                          enum journal_signature *out, size_t *which,
                                          struct errinfo *e);

#endif
