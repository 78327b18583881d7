/* Any octets as a name of a message, and as a name's text. What is read prints, reads back as the
 * same octets, folds to an equal name, and stands where its sort key says. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lib/dns/name.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok)
{
    if (!ok)
        abort();
}

static int sign(int v)
{
    return (v > 0) - (v < 0);
}

static int key_cmp(const uint8_t *a, const uint8_t *b)
{
    uint8_t ka[NAME_KEY_MAX];
    uint8_t kb[NAME_KEY_MAX];
    size_t na = name_key(ka, a);
    size_t nb = name_key(kb, b);
    int d = memcmp(ka, kb, na < nb ? na : nb);

    return d ? d : (na > nb) - (na < nb);
}

static void check_name(const uint8_t *name)
{
    static const uint8_t hash_key[16] = "fuzz";
    uint8_t again[NAME_MAX_OCTETS];
    uint8_t folded[NAME_MAX_OCTETS];
    char text[NAME_TEXT_MAX];
    size_t n = name_to_text(text, name);
    struct reader r = reader_of(name, name_len(name));

    must(name_len(name) <= NAME_MAX_OCTETS && name_labels(name) <= NAME_MAX_LABELS);
    must(n < NAME_TEXT_MAX && strlen(text) == n);
    must(name_from_text(again, text, n, NULL, NULL) == OK);
    must(name_len(again) == name_len(name) && memcmp(again, name, name_len(name)) == 0);
    must(read_name_plain(&r, again) && reader_left(&r) == 0);
    must(name_fold(folded, name) == name_len(name) && name_eq(folded, name));
    must(name_cmp(folded, name) == 0 && name_hash(folded, hash_key) == name_hash(name, hash_key));
    must(name_within(name, name_parent(folded)));
    must(name_common_labels(name, folded) == name_labels(name));
}

static void check_pair(const uint8_t *a, const uint8_t *b)
{
    int d = sign(name_cmp(a, b));

    must(sign(name_cmp(b, a)) == -d && sign(key_cmp(a, b)) == d && name_eq(a, b) == (d == 0));
    must(name_within(a, b) == (name_common_labels(a, b) == name_labels(b)));
}

/* All names that stand in the octets from `start` on, one behind the other. */
static void check_message(const uint8_t *data, size_t size, size_t start)
{
    uint8_t last[NAME_MAX_OCTETS] = {0};
    uint8_t name[NAME_MAX_OCTETS];
    struct reader r = reader_of(data, size);

    r.pos = start;
    for (unsigned i = 0; i < 64 && reader_left(&r) > 0; i++) {
        if (!read_name(&r, name))
            break;
        check_name(name);
        check_pair(last, name);
        (void)name_copy(last, name);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t origin[] = "\7example";
    uint8_t name[NAME_MAX_OCTETS];

    if (size == 0)
        return 0;
    check_message(data, size, data[0] % size);
    if (name_from_text(name, (const char *)data, size, NULL, NULL) == OK)
        check_name(name);
    if (name_from_text(name, (const char *)data, size, origin, NULL) == OK)
        check_name(name);
    return 0;
}
