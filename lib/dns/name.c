#include "lib/dns/name.h"

#include <assert.h>
#include <string.h>

#include "lib/base/hash.h"
#include "lib/base/octets.h"

/* ASCII letters to lower case, every other octet as it is (RFC 4343 3). */
static const uint8_t lower[256] = {
#define L8(n) (n), (n) + 1, (n) + 2, (n) + 3, (n) + 4, (n) + 5, (n) + 6, (n) + 7
#define L32(n) L8(n), L8((n) + 8), L8((n) + 16), L8((n) + 24)
    L32(0x00), L32(0x20), 0x40, 'a',  'b',       'c',       'd',       'e',       'f',       'g',
    'h',       'i',       'j',  'k',  'l',       'm',       'n',       'o',       'p',       'q',
    'r',       's',       't',  'u',  'v',       'w',       'x',       'y',       'z',       0x5b,
    0x5c,      0x5d,      0x5e, 0x5f, L32(0x60), L32(0x80), L32(0xa0), L32(0xc0), L32(0xe0),
#undef L32
#undef L8
};

size_t name_len(const uint8_t *name)
{
    size_t n = 0;

    while (name[n])
        n += name[n] + 1u;
    return n + 1;
}

unsigned name_labels(const uint8_t *name)
{
    unsigned n = 0;

    for (; *name; name += *name + 1)
        n++;
    return n;
}

bool name_is_root(const uint8_t *name)
{
    return *name == 0;
}

bool name_is_wildcard(const uint8_t *name)
{
    return name[0] == 1 && name[1] == '*';
}

const uint8_t *name_parent(const uint8_t *name)
{
    return *name ? name + *name + 1 : name;
}

size_t name_copy(uint8_t *to, const uint8_t *from)
{
    size_t n = name_len(from);

    memmove(to, from, n);
    return n;
}

size_t name_fold(uint8_t *to, const uint8_t *from)
{
    size_t n = name_len(from);
    size_t i = 0;

    /* A length octet is at most 63, which is no letter. */
    for (; n - i >= 8; i += 8) {
        uint64_t v = lower8(load8(from + i));

        memcpy(to + i, &v, sizeof(v));
    }
    for (; i < n; i++)
        to[i] = lower[from[i]];
    return n;
}

static inline bool octets_eq(const uint8_t *a, const uint8_t *b, size_t n)
{
    size_t i = 0;

    for (; n - i >= 8; i += 8) {
        if (lower8(load8(a + i)) != lower8(load8(b + i)))
            return false;
    }
    for (; i < n; i++) {
        if (lower[a[i]] != lower[b[i]])
            return false;
    }
    return true;
}

bool name_eq(const uint8_t *a, const uint8_t *b)
{
    size_t n = name_len(a);

    return n == name_len(b) && octets_eq(a, b, n);
}

/* Offsets of all labels; returns how many there are. */
static unsigned label_offsets(uint8_t at[NAME_MAX_LABELS], const uint8_t *name)
{
    unsigned n = 0;

    for (size_t i = 0; name[i]; i += name[i] + 1u)
        at[n++] = (uint8_t)i;
    return n;
}

static int label_cmp(const uint8_t *a, const uint8_t *b)
{
    size_t n = *a < *b ? *a : *b;
    size_t i = 1;

    while (i + 7 <= n && load8(a + i) == load8(b + i))
        i += 8;
    for (; i <= n; i++) {
        int d = lower[a[i]] - lower[b[i]];
        if (d)
            return d;
    }
    return *a - *b;
}

bool name_within(const uint8_t *name, const uint8_t *apex)
{
    size_t n = name_len(name);
    size_t m = name_len(apex);
    size_t i = 0;

    if (m > n)
        return false;
    while (n - i > m)
        i += name[i] + 1u;
    return n - i == m && octets_eq(name + i, apex, m);
}

unsigned name_common_labels(const uint8_t *a, const uint8_t *b)
{
    uint8_t at_a[NAME_MAX_LABELS];
    uint8_t at_b[NAME_MAX_LABELS];
    unsigned na = label_offsets(at_a, a);
    unsigned nb = label_offsets(at_b, b);
    unsigned common = 0;

    while (common < na && common < nb &&
           label_cmp(a + at_a[na - 1 - common], b + at_b[nb - 1 - common]) == 0)
        common++;
    return common;
}

int name_cmp(const uint8_t *a, const uint8_t *b)
{
    uint8_t at_a[NAME_MAX_LABELS];
    uint8_t at_b[NAME_MAX_LABELS];
    unsigned na = label_offsets(at_a, a);
    unsigned nb = label_offsets(at_b, b);

    while (na > 0 && nb > 0) {
        int d = label_cmp(a + at_a[--na], b + at_b[--nb]);
        if (d)
            return d;
    }
    return (na > 0) - (nb > 0);
}

size_t name_key(uint8_t key[NAME_KEY_MAX], const uint8_t *name)
{
    uint8_t at[NAME_MAX_LABELS];
    unsigned labels = label_offsets(at, name);
    size_t n = 0;

    while (labels > 0) {
        const uint8_t *label = name + at[--labels];

        for (size_t i = 1; i <= *label; i++) {
            uint8_t c = lower[label[i]];

            if (c <= 1) {
                key[n++] = 1;
                c++;
            }
            key[n++] = c;
        }
        key[n++] = 0;
    }
    return n;
}

static const bool is_special[256] = {['"'] = true, ['$'] = true, ['('] = true, [')'] = true,
                                     ['.'] = true, [';'] = true, ['@'] = true, ['\\'] = true};

size_t name_to_text(char out[NAME_TEXT_MAX], const uint8_t *name)
{
    size_t n = 0;

    for (; *name; name += *name + 1) {
        for (size_t i = 1; i <= *name; i++) {
            uint8_t c = name[i];

            if (c <= 0x20 || c >= 0x7f) {
                out[n++] = '\\';
                out[n++] = (char)('0' + c / 100);
                out[n++] = (char)('0' + c / 10 % 10);
                out[n++] = (char)('0' + c % 10);
                continue;
            }
            if (is_special[c])
                out[n++] = '\\';
            out[n++] = (char)c;
        }
        out[n++] = '.';
    }
    if (n == 0)
        out[n++] = '.';
    out[n] = 0;
    assert(n < NAME_TEXT_MAX);
    return n;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* One octet of a label's text, escapes undone; returns how much text it took, 0 for a bad escape.
 */
static size_t take_octet(uint8_t *out, const char *text, size_t left)
{
    unsigned v;

    if (text[0] != '\\') {
        *out = (uint8_t)text[0];
        return 1;
    }
    if (left < 2)
        return 0;
    if (!is_digit(text[1])) {
        *out = (uint8_t)text[1];
        return 2;
    }
    if (left < 4 || !is_digit(text[2]) || !is_digit(text[3]))
        return 0;
    v = (unsigned)(text[1] - '0') * 100 + (unsigned)(text[2] - '0') * 10 +
        (unsigned)(text[3] - '0');
    *out = (uint8_t)v;
    return v <= 255 ? 4 : 0;
}

static enum err take_labels(uint8_t out[NAME_MAX_OCTETS], size_t *len, bool *absolute,
                            const char *text, size_t n, struct errinfo *e)
{
    size_t start = 0; /* of the label that is being read, at its length octet */
    size_t at = 1;

    *absolute = false;
    for (size_t i = 0; i < n;) {
        uint8_t c = 0;
        size_t took;

        if (text[i] == '.') {
            if (at == start + 1)
                return err_set(ERR_FORMAT, e, "name has an empty label");
            out[start] = (uint8_t)(at - start - 1);
            start = at++;
            *absolute = ++i == n;
            continue;
        }
        if (!(took = take_octet(&c, text + i, n - i)))
            return err_set(ERR_FORMAT, e, "name has a bad escape");
        if (at - start > LABEL_MAX_OCTETS)
            return err_set(ERR_FORMAT, e, "name has a label of more than %d octets",
                           LABEL_MAX_OCTETS);
        if (at >= NAME_MAX_OCTETS - 1) /* the root label must still fit */
            return err_set(ERR_FORMAT, e, "name is longer than %d octets", NAME_MAX_OCTETS);
        out[at++] = c;
        i += took;
    }
    if (!*absolute) {
        out[start] = (uint8_t)(at - start - 1);
        start = at;
    }
    *len = start; /* without the root label */
    return OK;
}

enum err name_from_text(uint8_t out[NAME_MAX_OCTETS], const char *text, size_t text_len,
                        const uint8_t *origin, struct errinfo *e)
{
    static const uint8_t root[] = {0};
    uint8_t name[NAME_MAX_OCTETS + 1];
    size_t len = 0;
    size_t tail;
    bool absolute = false;
    enum err rc;

    if (!origin)
        origin = root;
    if (text_len == 0)
        return err_set(ERR_FORMAT, e, "name is empty");
    if (text_len == 1 && text[0] == '@') {
        (void)name_copy(out, origin);
        return OK;
    }
    if (text_len == 1 && text[0] == '.') {
        out[0] = 0;
        return OK;
    }
    if ((rc = take_labels(name, &len, &absolute, text, text_len, e)))
        return rc;
    if (absolute)
        origin = root;
    tail = name_len(origin);
    if (len + tail > NAME_MAX_OCTETS)
        return err_set(ERR_FORMAT, e, "name is longer than %d octets", NAME_MAX_OCTETS);
    memcpy(out, name, len);
    memcpy(out + len, origin, tail);
    return OK;
}

/* Each jump leads to a label of its own, or to the root at last: a name that needs more was made to
 * cost time. */
#define JUMPS_MAX (NAME_MAX_LABELS + 1)

static bool read_labels(struct reader *r, uint8_t out[NAME_MAX_OCTETS], bool pointers)
{
    struct reader at = *r; /* where we read; r moves only up to the first pointer */
    size_t floor = r->pos; /* pointers must lead before all that was read: no loops */
    size_t n = 0;
    unsigned jumps = 0;

    for (;;) {
        uint8_t len = read_u8(&at);
        const uint8_t *label;

        if (at.failed)
            break;
        if ((len & 0xc0) == 0xc0 && pointers) {
            size_t to = (size_t)(len & 0x3f) << 8 | read_u8(&at);

            if (at.failed || to >= floor || jumps == JUMPS_MAX)
                break;
            if (jumps++ == 0)
                r->pos = at.pos;
            floor = to;
            at.pos = to;
            continue;
        }
        if (len > LABEL_MAX_OCTETS || n + len + 1 > NAME_MAX_OCTETS - (len ? 1u : 0u))
            break;
        out[n++] = len;
        if (len == 0) {
            if (jumps == 0)
                r->pos = at.pos;
            return true;
        }
        if (!(label = read_bytes(&at, len)))
            break;
        memcpy(out + n, label, len);
        n += len;
    }
    reader_fail(r);
    return false;
}

bool read_name(struct reader *r, uint8_t out[NAME_MAX_OCTETS])
{
    return read_labels(r, out, true);
}

bool read_name_plain(struct reader *r, uint8_t out[NAME_MAX_OCTETS])
{
    return read_labels(r, out, false);
}

uint64_t name_hash(const uint8_t *name, const uint8_t key[16])
{
    uint8_t folded[NAME_MAX_OCTETS];
    size_t n = name_fold(folded, name);

    return siphash_1_3(key, folded, n);
}
