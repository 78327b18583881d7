#include "lib/dns/name.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* A name as a C literal in wire form; its NUL is the root label. */
#define N(literal) ((const uint8_t *)(literal))
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const uint8_t *const origin = N("\7example");

static const struct {
    const char *text;
    const char *wire;
    size_t len;
    const char *printed; /* NULL: as `text` */
} texts[] = {
    {".", "", 1, NULL},
    {"@", "\7example", 9, "example."},
    {"a.", "\1a", 3, NULL},
    {"a", "\1a\7example", 11, "a.example."},
    {"WwW.Example.", "\3WwW\7Example", 13, NULL},
    {"a.b.c.", "\1a\1b\1c", 7, NULL},
    {"*.x.", "\1*\1x", 5, NULL},
    {"_sip._tcp", "\4_sip\4_tcp\7example", 19, "_sip._tcp.example."},
    {"a\\.b.", "\3a.b", 5, NULL},
    {"\\\\.", "\1\\", 3, NULL},
    {"\\\".", "\1\"", 3, NULL},
    {"\\;\\(\\)\\@\\$.", "\5;()@$", 7, NULL},
    {"\\@", "\1@\7example", 11, "\\@.example."},
    {"\\065\\066.", "\2AB", 4, "AB."},
    {"\\x\\y.", "\2xy", 4, "xy."},
    {"\\000.", "\1\0", 3, NULL},
    {"\\255\\127\\032.", "\3\xff\x7f ", 5, NULL},
    {"a\\046b.", "\3a.b", 5, "a\\.b."},
    {"!#%&'*+,-/:<=>?[]^_`{|}~.", "\30!#%&'*+,-/:<=>?[]^_`{|}~", 26, NULL},
};

static void text_to_wire_and_back(void **state)
{
    uint8_t name[NAME_MAX_OCTETS];
    char out[NAME_TEXT_MAX];
    struct errinfo e;

    (void)state;
    for (size_t i = 0; i < COUNT(texts); i++) {
        const char *want = texts[i].printed ? texts[i].printed : texts[i].text;

        assert_int_equal(name_from_text(name, texts[i].text, strlen(texts[i].text), origin, &e),
                         OK);
        assert_int_equal(name_len(name), texts[i].len);
        assert_memory_equal(name, texts[i].wire, texts[i].len);
        assert_int_equal(name_to_text(out, name), strlen(want));
        assert_string_equal(out, want);
    }
    assert_int_equal(name_from_text(name, "a", 1, NULL, &e), OK);
    assert_memory_equal(name, "\1a", 3);
    assert_int_equal(name_from_text(name, "@", 1, NULL, &e), OK);
    assert_true(name_is_root(name));
}

static const struct {
    const char *text;
    const char *why;
} bad_texts[] = {
    {"", "empty"},         {"..", "empty label"}, {"a..", "empty label"}, {"a..b.", "empty label"},
    {".a", "empty label"}, {"\\", "escape"},      {"a\\", "escape"},      {"\\25", "escape"},
    {"\\256.", "escape"},  {"\\2x5.", "escape"},  {"\\99", "escape"},
};

static void bad_text_is_refused(void **state)
{
    uint8_t name[NAME_MAX_OCTETS] = {0xee};
    struct errinfo e;

    (void)state;
    for (size_t i = 0; i < COUNT(bad_texts); i++) {
        size_t n = strlen(bad_texts[i].text);
        char *exact = malloc(n ? n : 1); /* without NUL: the sanitizer sees a read behind it */

        memcpy(exact, bad_texts[i].text, n);
        assert_int_equal(name_from_text(name, exact, n, origin, &e), ERR_FORMAT);
        assert_non_null(strstr(e.text, bad_texts[i].why));
        assert_int_equal(name_from_text(name, exact, n, origin, NULL), ERR_FORMAT);
        assert_int_equal(name[0], 0xee);
        free(exact);
    }
}

/* `labels` of 'x', the last one of `last` octets, a dot behind each; returns the length. */
static size_t long_text(char *out, unsigned labels, size_t each, size_t last)
{
    size_t n = 0;

    for (unsigned i = 0; i < labels; i++) {
        size_t octets = i + 1 < labels ? each : last;

        memset(out + n, 'x', octets);
        n += octets;
        out[n++] = '.';
    }
    return n;
}

static void length_limits_of_text(void **state)
{
    char text[2 * NAME_TEXT_MAX];
    uint8_t name[NAME_MAX_OCTETS];
    struct errinfo e;
    size_t n;

    (void)state;
    n = long_text(text, 1, 0, 63);
    assert_int_equal(name_from_text(name, text, n, NULL, &e), OK);
    assert_int_equal(name_len(name), 65);
    n = long_text(text, 1, 0, 64);
    assert_int_equal(name_from_text(name, text, n, NULL, &e), ERR_FORMAT);
    assert_non_null(strstr(e.text, "label of more than 63"));
    n = long_text(text, 4, 63, 61);
    assert_int_equal(name_from_text(name, text, n, NULL, &e), OK);
    assert_int_equal(name_len(name), 255);
    assert_int_equal(name_from_text(name, text, n - 1, NULL, &e), OK);
    assert_int_equal(name_from_text(name, text, n - 1, N("\1a"), &e), ERR_FORMAT);
    assert_non_null(strstr(e.text, "longer than 255"));
    n = long_text(text, 4, 63, 62);
    assert_int_equal(name_from_text(name, text, n, NULL, &e), ERR_FORMAT);
    n = long_text(text, 127, 1, 1);
    assert_int_equal(name_from_text(name, text, n, NULL, &e), OK);
    assert_int_equal(name_labels(name), NAME_MAX_LABELS);
    n = long_text(text, 128, 1, 1);
    assert_int_equal(name_from_text(name, text, n, NULL, &e), ERR_FORMAT);
    n = long_text(text, 20, 63, 63);
    assert_int_equal(name_from_text(name, text, n, NULL, &e), ERR_FORMAT);
}

static void every_octet_survives_text(void **state)
{
    uint8_t name[NAME_MAX_OCTETS];
    uint8_t again[NAME_MAX_OCTETS];
    char text[NAME_TEXT_MAX];

    (void)state;
    for (unsigned c = 0; c < 256; c++) {
        size_t n = 0;

        /* As long as text can get: 4 labels of escapes. */
        for (unsigned label = 0; label < 4; label++) {
            name[n++] = label < 3 ? 63 : 61;
            memset(name + n, (int)c, name[n - 1]);
            n += name[n - 1];
        }
        name[n++] = 0;
        assert_int_equal(n, NAME_MAX_OCTETS);
        n = name_to_text(text, name);
        assert_true(n < NAME_TEXT_MAX);
        assert_int_equal(strlen(text), n);
        assert_int_equal(name_from_text(again, text, n, NULL, NULL), OK);
        assert_memory_equal(again, name, NAME_MAX_OCTETS);
    }
}

static void parts(void **state)
{
    const uint8_t *name = N("\3www\7example\3com");
    uint8_t copy[NAME_MAX_OCTETS];

    (void)state;
    assert_int_equal(name_labels(name), 3);
    assert_int_equal(name_labels(N("")), 0);
    assert_true(name_is_root(N("")));
    assert_false(name_is_root(name));
    assert_ptr_equal(name_parent(name), name + 4);
    assert_true(name_is_root(name_parent(N("\1a"))));
    assert_true(name_is_root(name_parent(N(""))));
    assert_true(name_is_wildcard(N("\1*\1a")));
    assert_false(name_is_wildcard(N("\2**\1a")));
    assert_false(name_is_wildcard(N("\1a\1*")));
    assert_false(name_is_wildcard(N("")));
    assert_int_equal(name_copy(copy, name), 17);
    assert_memory_equal(copy, name, 17);
}

/* A label at every distance from a multiple of eight, and every octet in it. */
static void fold_changes_letters_only(void **state)
{
    uint8_t name[NAME_MAX_OCTETS];
    uint8_t folded[NAME_MAX_OCTETS];

    (void)state;
    for (size_t len = 1; len <= 24; len++) {
        for (unsigned c = 0; c < 256; c++) {
            uint8_t want = c >= 'A' && c <= 'Z' ? (uint8_t)(c + 32) : (uint8_t)c;

            name[0] = (uint8_t)len;
            memset(name + 1, (int)c, len);
            name[len + 1] = 0;
            assert_int_equal(name_fold(folded, name), len + 2);
            assert_int_equal(folded[0], len);
            for (size_t i = 1; i <= len; i++)
                assert_int_equal(folded[i], want);
            assert_int_equal(folded[len + 1], 0);
            assert_true(name_eq(name, folded));
            (void)name_fold(name, name);
            assert_memory_equal(name, folded, len + 2);
        }
    }
}

static const struct {
    const char *a, *b;
    bool eq, within;
    unsigned common;
} pairs[] = {
    {"", "", true, true, 0},
    {"\1a", "", false, true, 0},
    {"", "\1a", false, false, 0},
    {"\1a\7example", "\1A\7EXAMPLE", true, true, 2},
    {"\1a\7example", "\7eXample", false, true, 1},
    {"\7example", "\1a\7example", false, false, 1},
    {"\1b\7example", "\1a\7example", false, false, 1},
    {"\2aa\7example", "\1a\7example", false, false, 1},
    {"\1x\1a\7example", "\1A\7example", false, true, 2},
    /* the octets of the apex at the end, but not at a label */
    {"\12a\7examplex", "\7example", false, false, 0},
    {"\11a\7example", "\7example", false, false, 0},
    {"\1a\11b\7example", "\7example", false, false, 0},
    {"\3[[[", "\3{{{", false, false, 0},
    {"\3@@@", "\3```", false, false, 0},
    {"\20aaaaaaaaaaaaaaaa", "\20aaaaaaaaaaaaaaab", false, false, 0},
    {"\20AAAAAAAAAAAAAAAA\1x", "\20aaaaaaaaaaaaaaaa\1X", true, true, 2},
    {"\3www\7example\3com", "\3www\7example\3net", false, false, 0},
    {"\3www\7example\3com", "\3www\7exampl3\3com", false, false, 1},
};

static void equality_and_subdomains(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(pairs); i++) {
        const uint8_t *a = N(pairs[i].a);
        const uint8_t *b = N(pairs[i].b);

        assert_int_equal(name_eq(a, b), pairs[i].eq);
        assert_int_equal(name_eq(b, a), pairs[i].eq);
        assert_int_equal(name_cmp(a, b) == 0, pairs[i].eq);
        assert_int_equal(name_within(a, b), pairs[i].within);
        assert_int_equal(name_common_labels(a, b), pairs[i].common);
        assert_int_equal(name_common_labels(b, a), pairs[i].common);
    }
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

/* RFC 4034 6.1, with what it leaves out between. */
static const char *const ordered[] = {
    "",
    "\7example",
    "\1a\7example",
    "\10yljkjljk\1a\7example",
    "\1Z\1a\7example",
    "\4zABC\1a\7EXAMPLE",
    "\1b\7example",
    "\1b\1b\7example",
    "\2b\1\7example",
    "\2b-\7example",
    "\2ba\7example",
    "\1z\7example",
    "\1\1\1z\7example",
    "\1*\1z\7example",
    "\1\200\1z\7example",
    "\1{\7example",
    "\1\377\7example",
    "\10examplea",
    "\1f",
};

static void canonical_order(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(ordered); i++) {
        for (size_t j = 0; j < COUNT(ordered); j++) {
            int want = (i > j) - (i < j);

            assert_int_equal(sign(name_cmp(N(ordered[i]), N(ordered[j]))), want);
            assert_int_equal(sign(key_cmp(N(ordered[i]), N(ordered[j]))), want);
        }
    }
}

static void octet_zero_sorts_lowest(void **state)
{
    static const uint8_t a[] = {1, 'b', 0};
    static const uint8_t b[] = {2, 'b', 0, 0};
    static const uint8_t c[] = {2, 'b', 1, 0};
    static const uint8_t d[] = {1, 0, 1, 'b', 0};

    (void)state;
    assert_true(name_cmp(a, b) < 0 && key_cmp(a, b) < 0);
    assert_true(name_cmp(b, c) < 0 && key_cmp(b, c) < 0);
    assert_true(name_cmp(a, d) < 0 && key_cmp(a, d) < 0);
    assert_true(name_cmp(d, b) < 0 && key_cmp(d, b) < 0);
}

static uint32_t next_random(uint32_t *seed)
{
    *seed = *seed * 1664525u + 1013904223u;
    return *seed >> 16;
}

static void random_name(uint8_t *out, uint32_t *seed)
{
    static const uint8_t octets[] = {0, 1, 2, 'a', 'A', 'b', '[', '{', '*', 0xff};
    size_t n = 0;

    for (uint32_t labels = next_random(seed) % 4; labels > 0; labels--) {
        uint32_t len = 1 + next_random(seed) % (next_random(seed) % 8 == 0 ? 20 : 3);

        out[n++] = (uint8_t)len;
        while (len-- > 0)
            out[n++] = octets[next_random(seed) % sizeof(octets)];
    }
    out[n] = 0;
}

/* Straight from the words of RFC 4034 6.1. */
static int slow_cmp(const uint8_t *a, const uint8_t *b)
{
    unsigned na = name_labels(a);
    unsigned nb = name_labels(b);

    for (unsigned i = 1; i <= na && i <= nb; i++) {
        const uint8_t *x = a;
        const uint8_t *y = b;

        for (unsigned skip = na - i; skip > 0; skip--)
            x = name_parent(x);
        for (unsigned skip = nb - i; skip > 0; skip--)
            y = name_parent(y);
        for (unsigned j = 1; j <= *x && j <= *y; j++) {
            int cx = x[j] >= 'A' && x[j] <= 'Z' ? x[j] + 32 : x[j];
            int cy = y[j] >= 'A' && y[j] <= 'Z' ? y[j] + 32 : y[j];

            if (cx != cy)
                return cx - cy;
        }
        if (*x != *y)
            return *x - *y;
    }
    return (na > nb) - (na < nb);
}

static void order_of_random_names(void **state)
{
    static const uint8_t key[16] = "0123456789abcde";
    uint8_t a[NAME_MAX_OCTETS];
    uint8_t b[NAME_MAX_OCTETS];
    uint32_t seed = 1;

    (void)state;
    for (unsigned i = 0; i < 50000; i++) {
        int want;

        random_name(a, &seed);
        random_name(b, &seed);
        want = sign(slow_cmp(a, b));
        assert_int_equal(sign(name_cmp(a, b)), want);
        assert_int_equal(sign(key_cmp(a, b)), want);
        assert_int_equal(name_eq(a, b), want == 0);
        assert_int_equal(name_hash(a, key) == name_hash(b, key), want == 0);
    }
}

static void key_format(void **state)
{
    static const uint8_t name[] = {3, 'B', 0, 'c', 2, 1, 2, 0};
    uint8_t key[NAME_KEY_MAX];
    uint8_t longest[NAME_MAX_OCTETS] = {0};
    size_t n = 0;

    (void)state;
    assert_int_equal(name_key(key, N("")), 0);
    assert_int_equal(name_key(key, name), 9);
    assert_memory_equal(key, "\1\2\2\0b\1\1c\0", 9);
    for (unsigned label = 0; label < 4; label++) {
        longest[n] = label < 3 ? 63 : 61;
        n += longest[n] + 1u;
    }
    assert_int_equal(name_key(key, longest), 2 * 250 + 4);
}

static void hash_is_keyed_and_ignores_case(void **state)
{
    static const uint8_t key[16] = {1};
    static const uint8_t other[16] = {2};
    const uint8_t *name = N("\3www\7example\3com");

    (void)state;
    assert_true(name_hash(name, key) == name_hash(N("\3WwW\7eXample\3COM"), key));
    assert_true(name_hash(name, key) != name_hash(name, other));
    assert_true(name_hash(name, key) != name_hash(name + 4, key));
}

/* ---- Names in messages ---- */

/* At 0: "\1b\0"; at 3: "\1a" and a pointer to 0; at 7: a pointer to 3; behind it what is read. */
#define HEAD "\1b\0\1a\xc0\0\xc0\3"
#define HEAD_LEN 9

static const struct {
    const char *what;
    const char *bytes;
    size_t len;
    const char *name; /* NULL: refused */
    size_t used;
    bool plain; /* accepted without compression too */
} reads[] = {
    {"root", "\0", 1, "", 1, true},
    {"labels", "\1X\2yz\0tail", 10, "\1X\2yz", 6, true},
    {"pointer", "\xc0\0", 2, "\1b", 2, false},
    {"pointer to a root label", "\xc0\2", 2, "", 2, false},
    {"label, pointer", "\1x\xc0\0zz", 6, "\1x\1b", 4, false},
    {"pointer to labels and a pointer", "\xc0\3", 2, "\1a\1b", 2, false},
    {"pointer to a pointer", "\1x\xc0\7", 4, "\1x\1a\1b", 4, false},
    {"pointer to itself", "\xc0\x09", 2, NULL, 0, false},
    {"pointer to its own first label", "\1x\xc0\x09", 4, NULL, 0, false},
    {"pointer forward", "\xc0\x0b\0", 3, NULL, 0, false},
    {"pointer beyond the message", "\xff\xff", 2, NULL, 0, false},
    {"half a pointer", "\xc0", 1, NULL, 0, false},
    {"label type 01", "\x41x\0", 3, NULL, 0, false},
    {"label type 10", "\x81x\0", 3, NULL, 0, false},
    {"label that is cut", "\5abc", 4, NULL, 0, false},
    {"no root label", "\1x", 2, NULL, 0, false},
    {"nothing", "", 0, NULL, 0, false},
};

static void reads_names(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(reads); i++) {
        uint8_t *msg = malloc(HEAD_LEN + reads[i].len);
        uint8_t name[NAME_MAX_OCTETS];
        struct reader r = reader_of(msg, HEAD_LEN + reads[i].len);
        struct reader plain;

        memcpy(msg, HEAD, HEAD_LEN);
        memcpy(msg + HEAD_LEN, reads[i].bytes, reads[i].len);
        r.pos = HEAD_LEN;
        plain = r;
        if (read_name(&r, name) != (reads[i].name != NULL))
            fail_msg("%s", reads[i].what);
        assert_int_equal(r.failed, reads[i].name == NULL);
        if (reads[i].name) {
            assert_int_equal(name_len(name), strlen(reads[i].name) + 1);
            assert_string_equal((const char *)name, reads[i].name);
            assert_int_equal(r.pos, HEAD_LEN + reads[i].used);
        } else {
            assert_int_equal(reader_left(&r), 0);
        }
        if (read_name_plain(&plain, name) != reads[i].plain)
            fail_msg("%s, plain", reads[i].what);
        assert_int_equal(plain.failed, !reads[i].plain);
        free(msg);
    }
}

/* A part of a message may point before itself, but must not be read over its end. */
static void name_stays_in_its_part(void **state)
{
    static const uint8_t msg[] = {1, 'a', 0, 1, 'b', 0xc0, 0, 1, 'c', 0};
    struct reader r = reader_of(msg, sizeof(msg));
    struct reader part;
    uint8_t name[NAME_MAX_OCTETS];

    (void)state;
    r.pos = 3;
    part = read_part(&r, 4);
    assert_true(read_name(&part, name));
    assert_memory_equal(name, "\1b\1a", 5);
    assert_int_equal(reader_left(&part), 0);
    part = read_part(&r, 2); /* its root label lies behind it */
    assert_false(read_name(&part, name));
    assert_true(part.failed);
}

static void length_limits_on_the_wire(void **state)
{
    uint8_t msg[600];
    uint8_t name[NAME_MAX_OCTETS];
    struct reader r;
    size_t n = 0;

    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        msg[n] = 63;
        memset(msg + n + 1, 'x', 63);
        n += 64;
    }
    msg[n++] = 61;
    memset(msg + n, 'x', 62);
    msg[n + 61] = 0;
    r = reader_of(msg, n + 62);
    assert_true(read_name(&r, name));
    assert_int_equal(name_len(name), 255);
    for (size_t cut = 0; cut < n + 62; cut++) {
        r = reader_of(msg, cut);
        assert_false(read_name(&r, name));
    }
    msg[n - 1] = 62; /* one octet more */
    msg[n + 61] = 'x';
    msg[n + 62] = 0;
    r = reader_of(msg, n + 63);
    assert_false(read_name(&r, name));
    /* and the same length put together by a pointer */
    msg[n + 63] = 1;
    msg[n + 64] = 'y';
    msg[n + 65] = 0xc0;
    msg[n + 66] = 0;
    msg[n - 1] = 61;
    msg[n + 61] = 0;
    r = reader_of(msg, n + 67);
    r.pos = n + 63;
    assert_false(read_name(&r, name));
}

/* 127 labels, each behind a pointer of its own, are a name; pointers to pointers without end are
 * not worth the walk. */
static void pointers_are_bounded(void **state)
{
    static uint8_t msg[16384];
    uint8_t name[NAME_MAX_OCTETS];
    struct reader r;
    size_t n = 0;
    size_t last = 0;

    (void)state;
    msg[n++] = 0;
    for (unsigned i = 0; i < 127; i++) {
        size_t at = n;

        msg[n++] = 1;
        msg[n++] = 'a';
        put_u16(msg + n, (uint16_t)(0xc000 | last));
        n += 2;
        last = at;
    }
    put_u16(msg + n, (uint16_t)(0xc000 | last));
    r = reader_of(msg, n + 2);
    r.pos = n;
    assert_true(read_name(&r, name));
    assert_int_equal(name_labels(name), 127);
    n = 1;
    put_u16(msg + n, 0xc000);
    for (n += 2; n + 2 <= sizeof(msg); n += 2)
        put_u16(msg + n, (uint16_t)(0xc000 | (n - 2)));
    r = reader_of(msg, n);
    r.pos = 101;
    assert_true(read_name(&r, name));
    r.pos = 16001;
    assert_false(read_name(&r, name));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_to_wire_and_back),
        cmocka_unit_test(bad_text_is_refused),
        cmocka_unit_test(length_limits_of_text),
        cmocka_unit_test(every_octet_survives_text),
        cmocka_unit_test(parts),
        cmocka_unit_test(fold_changes_letters_only),
        cmocka_unit_test(equality_and_subdomains),
        cmocka_unit_test(canonical_order),
        cmocka_unit_test(octet_zero_sorts_lowest),
        cmocka_unit_test(order_of_random_names),
        cmocka_unit_test(key_format),
        cmocka_unit_test(hash_is_keyed_and_ignores_case),
        cmocka_unit_test(reads_names),
        cmocka_unit_test(name_stays_in_its_part),
        cmocka_unit_test(length_limits_on_the_wire),
        cmocka_unit_test(pointers_are_bounded),
    };

    return cmocka_run_group_tests_name("name", tests, NULL, NULL);
}
