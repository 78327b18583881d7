/* The keys that the history is signed with: DATA_DIR/signing/key, which signs, and
 * DATA_DIR/signing/allowed-signers, the public halves of all that ever did, as git and ssh-keygen
 * take them (gpg.ssh.allowedSignersFile). Without a key nothing is signed.
 *
 * A rotation is three files' worth of steps, each durable before the next: the new key is allowed,
 * the new key signs, the old one is allowed no longer. What a crash leaves half done, the next
 * start completes. The directory is syncd's alone (0700): nothing here gets into the journal.
 */
#ifndef ZL_SYNCD_SIGNING_H
#define ZL_SYNCD_SIGNING_H

#include "journal/sign.h"

struct signing;

#define SIGNING_DATE_MAX WALL_TEXT_MAX

/* One line of allowed-signers. */
struct signing_key {
    struct journal_signer signer;
    char since[SIGNING_DATE_MAX]; /* when it was made: "2026-11-24T16:00:00Z" */
    char until[SIGNING_DATE_MAX]; /* "": it may sign */
    bool current;
};

/* `node` names the signer. Errors: of secret_file_read, journal_key_read and of the lines, each
 * with the file's name. ERR_CONFLICT if the key is not among the allowed ones. */
MUST_USE enum err signing_open(struct signing **out, const char *data_dir, const char *node,
                               struct wall now, struct errinfo *e);
void signing_free(struct signing *s); /* NULL is fine */

/* The key that signs, lent until signing_free; NULL: there is none. Any thread. */
const struct journal_key *signing_current(struct signing *s);

/* Makes the first key. ERR_EXISTS if there is one. Any thread. */
MUST_USE enum err signing_create(struct signing *s, struct wall now, struct errinfo *e);
/* Makes a new key; the old one is good for commits dated up to a minute from now, since there may
 * be some on their way. ERR_NOT_FOUND if there is none. Any thread. */
MUST_USE enum err signing_rotate(struct signing *s, struct wall now, struct errinfo *e);

/* All keys, oldest first. Any thread. */
typedef void signing_key_fn(void *ctx, const struct signing_key *k);
void signing_each(struct signing *s, signing_key_fn *f, void *ctx);
/* The text of allowed-signers is appended. Any thread. */
void signing_allowed(struct buf *out, struct signing *s);

#endif
