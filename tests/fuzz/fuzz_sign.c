/* Any octets as a private key file, or as a signature: the first one chooses. A key that is read is
 * written and read again.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "journal/journal_internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok)
{
    if (!ok)
        abort();
}

static void try_key(const char *text, size_t len)
{
    struct journal_key *k = NULL, *again = NULL;
    struct journal_signer s, t;
    struct buf out = BUF_INIT;

    if (journal_key_read(&k, text, len, NULL))
        return;
    journal_key_write(&out, k, "comment");
    must(journal_key_read(&again, (const char *)out.data, out.len, NULL) == OK);
    s = journal_key_signer(k);
    t = journal_key_signer(again);
    must(memcmp(&s, &t, sizeof(s)) == 0);
    journal_key_free(k);
    journal_key_free(again);
    buf_free(&out);
}

static void try_signature(const char *text, size_t len)
{
    struct journal_signer by;
    bool known_form;

    if (sshsig_check(&by, &known_form, text, len, "message", 7))
        must(known_form);
}

static void try_signer(const char *text, size_t len)
{
    char again[JOURNAL_KEY_TEXT_MAX];
    struct journal_signer s, t;

    if (!journal_signer_read(&s, text, len))
        return;
    journal_signer_text(again, &s);
    must(journal_signer_read(&t, again, strlen(again)) && memcmp(&s, &t, sizeof(s)) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data + 1;

    if (size == 0)
        return 0;
    switch (data[0]) {
    case 'k':
        try_key(text, size - 1);
        break;
    case 's':
        try_signature(text, size - 1);
        break;
    default:
        try_signer(text, size - 1);
    }
    return 0;
}
