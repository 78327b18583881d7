/* Names taken apart: hashes of all their steps, and that nobody can choose names whose hashes are
 * equal without knowing the key. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/base/mem.h"
#include "lib/dns/name_steps.h"

static const struct name_key keys[] = {
    {.start = 0x0123456789abcdefu, .factor = 0x9e3779b97f4a7c15u},
    {.start = 0xfedcba9876543210u, .factor = 0xc2b2ae3d27d4eb4fu},
};

static void steps_of(struct name_steps *s, const struct name_key *key, const char *text)
{
    uint8_t name[NAME_MAX_OCTETS];

    assert_int_equal(name_from_text(name, text, strlen(text), NULL, NULL), OK);
    name_steps_init(s, key, name);
}

static void test_steps(void **state)
{
    struct name_steps s, above, root;

    (void)state;
    steps_of(&s, &keys[0], "wWw.Example.ORG.");
    steps_of(&above, &keys[0], "example.org.");
    steps_of(&root, &keys[0], ".");
    assert_int_equal(s.labels, 3);
    assert_int_equal(s.len, 17);
    assert_memory_equal(s.name, "\3www\7example\3org", 17);
    assert_int_equal(s.at[0], 0);
    assert_int_equal(s.at[1], 4);
    assert_int_equal(s.at[3], 16);
    for (unsigned i = 0; i <= above.labels; i++)
        assert_int_equal(s.hash[i + 1], above.hash[i]);
    assert_int_equal(s.hash[3], keys[0].start);
    assert_int_equal(root.labels, 0);
    assert_int_equal(root.hash[0], keys[0].start);
    steps_of(&above, &keys[1], "www.example.org.");
    assert_true(s.hash[0] != above.hash[0]);
}

static int by_value(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return x < y ? -1 : x > y;
}

/* Sorts them. */
static size_t equal_ones(uint64_t *hashes, size_t n)
{
    size_t equal = 0;

    qsort(hashes, n, sizeof(hashes[0]), by_value);
    for (size_t i = 1; i < n; i++)
        equal += hashes[i] == hashes[i - 1];
    return equal;
}

/* All labels of one and two octets, and the lengths' neighbours of each of one. */
static void test_short_labels(void **state)
{
    size_t n = 0;
    uint64_t *hashes = xcalloc(256 + 65536 + 256 * 8, sizeof(uint64_t));

    (void)state;
    for (unsigned a = 0; a < 256; a++) {
        uint8_t label[9] = {1, (uint8_t)a};

        hashes[n++] = name_hash_label(&keys[0], keys[0].start, label);
        label[0] = 2;
        for (unsigned b = 0; b < 256; b++) {
            label[2] = (uint8_t)b;
            hashes[n++] = name_hash_label(&keys[0], keys[0].start, label);
        }
        for (uint8_t len = 3; len <= 8; len++) { /* the octet again and again */
            memset(label + 1, (int)a, 8);
            label[0] = len;
            hashes[n++] = name_hash_label(&keys[0], keys[0].start, label);
        }
    }
    assert_int_equal(equal_ones(hashes, n), 0);
    free(hashes);
}

/* A label of `len` octets 'a' whose last, and if it is longer than eight first, makes up for the
 * difference that its length makes. */
static void made_up(uint8_t *label, uint8_t len, unsigned make_up)
{
    label[0] = len;
    memset(label + 1, 'a', len);
    label[make_up < 2 ? len : 1] ^= make_up % 2 ? len : 0;
}

/* A flood begins with two labels that can stand for each other: with sixteen of them in a name
 * there are 65,536 names that share a hash. */
static void test_chosen_collisions(void **state)
{
    enum { LABELS = 12, NAMES = 1 << LABELS };
    uint64_t *hashes = xcalloc(NAMES, sizeof(uint64_t));

    (void)state;
    for (size_t k = 0; k < sizeof(keys) / sizeof(keys[0]); k++) {
        for (uint8_t one = 1; one <= 20; one++) {
            for (uint8_t other = 1; other <= 20; other++) {
                for (unsigned make_up = 0; make_up < 4; make_up++) {
                    uint8_t labels[2][64];

                    if (one == other)
                        continue;
                    made_up(labels[0], one, make_up);
                    made_up(labels[1], other, make_up);
                    assert_true(name_hash_label(&keys[k], keys[k].start, labels[0]) !=
                                name_hash_label(&keys[k], keys[k].start, labels[1]));
                }
            }
        }
        for (unsigned i = 0; i < NAMES; i++) {
            hashes[i] = keys[k].start;
            for (unsigned bit = 0; bit < LABELS; bit++) /* "a" or "aac": 1 ^ 3 is 'a' ^ 'c' */
                hashes[i] = name_hash_label(&keys[k], hashes[i],
                                            (const uint8_t *)(i >> bit & 1 ? "\3aac" : "\1a"));
        }
        assert_int_equal(equal_ones(hashes, NAMES), 0);
    }
    free(hashes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_steps),
        cmocka_unit_test(test_short_labels),
        cmocka_unit_test(test_chosen_collisions),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
