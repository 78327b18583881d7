/* The header `gpgsig` of a commit: put in, found, looked at. What is signed are the commit's octets
 * without it.
 */
#include <string.h>

#include "journal/journal_internal.h"

#define HEADER "gpgsig "

void journal_sign_with(struct journal *j, const struct journal_key *k)
{
    j->key = k;
}

void journal_sign_waiting_only(struct journal *j, bool on)
{
    j->sign_waiting_only = on;
}

/* Behind the last header: the length of all headers with their line ends; 0: there is no end. */
static size_t headers_len(const uint8_t *data, size_t len)
{
    const uint8_t *end = memmem(data, len, "\n\n", 2);

    return end ? (size_t)(end - data) + 1 : 0;
}

enum err commit_sign(struct buf *commit, const struct journal_key *k, struct errinfo *e)
{
    size_t headers = headers_len(commit->data, commit->len);
    struct buf whole = BUF_INIT;
    enum err rc;

    buf_put(&whole, commit->data, headers);
    buf_str(&whole, HEADER);
    rc = sshsig_make(&whole, k, commit->data, commit->len, " ", e);
    if (rc) {
        buf_free(&whole);
        return rc;
    }
    buf_put(&whole, commit->data + headers, commit->len - headers);
    buf_free(commit);
    *commit = whole;
    return OK;
}

/* Takes a signed commit apart. False if it has no signature. */
static bool take_apart(struct buf *message, struct buf *armour, const struct object *o)
{
    const char *pos = (const char *)o->data;
    const char *end = pos + headers_len(o->data, o->len);
    size_t n = strlen(HEADER);
    bool found = false, inside = false;
    struct line l;

    while (line_next(&l, &pos, end)) {
        inside = (inside && l.len > 0 && l.text[0] == ' ') ||
                 (!found && l.len > n && memcmp(l.text, HEADER, n) == 0);
        if (inside) {
            size_t skip = found ? 1 : n;

            buf_put(armour, l.text + skip, l.len - skip);
            buf_u8(armour, '\n');
            found = true;
        } else {
            buf_put(message, l.text, l.len);
            buf_u8(message, '\n');
        }
    }
    buf_put(message, end, o->len - (size_t)((const uint8_t *)end - o->data));
    return found;
}

enum journal_signature signature_judge(const struct object *o, const struct journal_signer *signers,
                                       size_t n, size_t *which)
{
    struct buf message = BUF_INIT, armour = BUF_INIT;
    enum journal_signature found = SIGNATURE_NONE;
    struct journal_signer by;
    bool known_form = false;

    if (take_apart(&message, &armour, o)) {
        bool good = sshsig_check(&by, &known_form, (const char *)armour.data, armour.len,
                                 message.data, message.len);

        found = known_form ? SIGNATURE_UNKNOWN : SIGNATURE_BAD;
        for (size_t i = 0; known_form && i < n; i++) {
            if (memcmp(signers[i].id, by.id, sizeof(by.id)) != 0)
                continue;
            found = good ? SIGNATURE_GOOD : SIGNATURE_BAD;
            *which = i;
            break;
        }
    }
    buf_free(&message);
    buf_free(&armour);
    return found;
}

enum err journal_signature_check(struct journal *j, const struct journal_oid *commit,
                                 const struct journal_signer *signers, size_t n,
                                 enum journal_signature *out, size_t *which, struct errinfo *e)
{
    struct object o;
    enum err rc = object_get(j, NULL, commit, OBJ_COMMIT, &o, e);

    if (rc)
        return rc;
    *out = signature_judge(&o, signers, n, which);
    object_done(&o);
    return OK;
}
