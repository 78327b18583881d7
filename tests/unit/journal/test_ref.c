/* Names of branches: docs/journal-format.md section 1. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "journal/journal.h"
#include "lib/base/mem.h"
#include "tests/tools/journal_fixture.h"

#define REF "refs/heads/"

static void git_accepts(const char *ref)
{
    assert_int_equal(git_run("/", NULL, "check-ref-format", ref, NULL), 0);
}

static void goes_round(const uint8_t *name)
{
    char ref[JOURNAL_REF_MAX];
    uint8_t back[NAME_MAX_OCTETS];

    journal_ref_name(ref, name);
    if (strncmp(ref, REF "%h-", strlen(REF) + 3) == 0) {
        assert_int_equal(strlen(ref), strlen(REF) + 3 + 64);
        assert_false(journal_ref_zone(back, ref));
        return;
    }
    assert_true(strlen(ref) <= strlen(REF) + 200);
    assert_true(journal_ref_zone(back, ref));
    assert_true(name_eq(back, name));
}

static void test_known_names(void **state)
{
    static const char *const cases[][2] = {
        {"example.com.", REF "example.com"},
        {"Example.COM.", REF "example.com"},
        {".", REF "%2E"},
        {"a/b.example.", REF "a%2Fb.example"},
        {"a\\.b.example.", REF "a%2Eb.example"},
        {"a.b.", REF "a.b"},
        {"\\.\\.", REF "%2E%2E"},
        {"\\..\\.", REF "%2E.%2E"},
        {"-x.example.", REF "%2Dx.example"},
        {"--help.", REF "%2D-help"},
        {"x.-y.", REF "x.-y"},
        {"x.lock.", REF "x.%6Cock"},
        {"x\\.lock.", REF "x%2Elock"},
        {"x.LOCK.", REF "x.%6Cock"},
        {"lock.", REF "lock"},
        {"lock.example.", REF "lock.example"},
        {"x.lock.lock.", REF "x.lock.%6Cock"},
        {"xlock.", REF "xlock"},
        {"\\@.", REF "%40"},
        {"\\@{.", REF "%40%7B"},
        {"head.", REF "head"},
        {"%2E.", REF "%252e"},
        {"da39a3ee5e6b4b0d3255bfef95601890afd80709.",
         REF "%64a39a3ee5e6b4b0d3255bfef95601890afd80709"},
        {"0a39a3ee5e6b4b0d3255bfef95601890afd80709.",
         REF "%30a39a3ee5e6b4b0d3255bfef95601890afd80709"},
        {"da39a3ee5e6b4b0d3255bfef95601890afd80709.com.",
         REF "da39a3ee5e6b4b0d3255bfef95601890afd80709.com"},
        {"da39a3ee5e6b4b0d3255bfef95601890afd8070.", REF "da39a3ee5e6b4b0d3255bfef95601890afd8070"},
        {"*.example.", REF "%2A.example"},
        {"_sip._tcp.example.", REF "_sip._tcp.example"},
        {"b\\195\\188cher.example.", REF "b%C3%BCcher.example"},
        {"\\000.example.", REF "%00.example"},
        {"a\\ b.", REF "a%20b"},
        {"a\\\\b.", REF "a%5Cb"},
        {"a~^:?[b.", REF "a%7E%5E%3A%3F%5Bb"},
        {"0/25.2.0.192.in-addr.arpa.", REF "0%2F25.2.0.192.in-addr.arpa"},
    };
    uint8_t name[NAME_MAX_OCTETS];
    char ref[JOURNAL_REF_MAX];

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        name_of(name, cases[i][0]);
        journal_ref_name(ref, name);
        assert_string_equal(ref, cases[i][1]);
        goes_round(name);
        git_accepts(ref);
    }
}

/* The label that is one dot would be the root's ref. */
static void test_dot_label_is_hashed(void **state)
{
    static const uint8_t dot[] = {1, '.', 0};
    char ref[JOURNAL_REF_MAX];

    (void)state;
    journal_ref_name(ref, dot);
    assert_int_equal(strncmp(ref, REF "%h-", strlen(REF) + 3), 0);
    goes_round(dot);
    git_accepts(ref);
}

static void test_each_octet(void **state)
{
    (void)state;
    for (unsigned c = 0; c < 256; c++) {
        const uint8_t one[] = {1, (uint8_t)c, 0};
        const uint8_t mid[] = {3, 'a', (uint8_t)c, 'b', 1, (uint8_t)c, 0};

        goes_round(one);
        goes_round(mid);
        if (c < 0x30 || c % 16 == 0) {
            char ref[JOURNAL_REF_MAX];

            journal_ref_name(ref, mid);
            git_accepts(ref);
        }
    }
}

static void test_long_names(void **state)
{
    uint8_t name[NAME_MAX_OCTETS] = {0};
    uint8_t other[NAME_MAX_OCTETS];
    char ref[JOURNAL_REF_MAX];
    char ref2[JOURNAL_REF_MAX];

    (void)state;
    for (size_t i = 0; i < 4; i++) { /* 63 + 63 + 63 + 61: 255 octets */
        name[i * 64] = i < 3 ? 63 : 61;
        memset(name + i * 64 + 1, 'a' + (int)i, name[i * 64]);
    }
    assert_int_equal(name_len(name), 255);
    journal_ref_name(ref, name);
    assert_int_equal(strlen(ref), strlen(REF) + 3 + 64);
    goes_round(name);
    git_accepts(ref);
    memcpy(other, name, sizeof(other));
    other[5] = 'A'; /* the same name */
    journal_ref_name(ref2, other);
    assert_string_equal(ref, ref2);
    other[5] = 'b'; /* another one */
    journal_ref_name(ref2, other);
    assert_string_not_equal(ref, ref2);

    for (size_t len = 195; len <= 205; len++) { /* around the limit of 200 */
        size_t at = 0;

        memset(name, 0, sizeof(name));
        for (size_t left = len; left; at += name[at] + 1u) {
            size_t n = left > 50 ? 50 : left;

            name[at] = (uint8_t)n;
            memset(name + at + 1, 'x', n);
            left -= left > 50 ? 51 : left;
        }
        journal_ref_name(ref, name);
        assert_int_equal(ref[strlen(REF)] == '%', len > 200);
        goes_round(name);
    }
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Many names from a small and wicked alphabet; no two share a ref. */
static void test_unique(void **state)
{
    static const uint8_t alphabet[] = {'.', '%', '2', 'E', 'l', 'o', 'c', 'k', '-', 'h', 0, 0xff};
    enum { N = 6000 };
    char **all = xcalloc(N, sizeof(*all));
    struct rng rng = {42};
    size_t n = 0;

    (void)state;
    while (n < N) {
        uint8_t name[NAME_MAX_OCTETS];
        size_t labels = rng_below(&rng, 4);
        size_t at = 0;
        char ref[JOURNAL_REF_MAX];
        char text[NAME_TEXT_MAX];

        for (size_t i = 0; i < labels; i++) {
            size_t len = 1 + rng_below(&rng, 5);

            name[at++] = (uint8_t)len;
            for (size_t k = 0; k < len; k++)
                name[at++] = alphabet[rng_below(&rng, sizeof(alphabet))];
        }
        name[at] = 0;
        (void)name_fold(name, name);
        goes_round(name);
        journal_ref_name(ref, name);
        (void)name_to_text(text, name);
        all[n++] = xasprintf("%s\n%s", ref, text);
    }
    qsort(all, N, sizeof(*all), by_text);
    for (size_t i = 1; i < N; i++) {
        size_t len = strcspn(all[i], "\n");

        if (len == strcspn(all[i - 1], "\n") && strncmp(all[i], all[i - 1], len) == 0)
            assert_string_equal(all[i], all[i - 1]); /* the same ref: the same name */
    }
    for (size_t i = 0; i < N; i++)
        free(all[i]);
    free(all);
}

static void test_foreign_refs(void **state)
{
    static const char *const foreign[] = {
        "refs/heads/",
        "refs/heads",
        "refs/tags/example.com",
        "refs/heads/Example",
        "refs/heads/a..b",
        "refs/heads/a.",
        "refs/heads/.a",
        "refs/heads/%",
        "refs/heads/%4",
        "refs/heads/%zz",
        "refs/heads/%61",
        "refs/heads/%2e",
        "refs/heads/a/b",
        "refs/heads/-x",
        "refs/heads/x.lock",
        "refs/heads/x%2Dy",
        "refs/heads/%2E%2e",
        "refs/heads/%h-00",
        "HEAD",
        "",
        "refs/heads/a%",
        "refs/heads/da39a3ee5e6b4b0d3255bfef95601890afd80709",
        "refs/heads/a1234567890123456789012345678901234567890123456789012345678901234567890",
    };
    uint8_t name[NAME_MAX_OCTETS];

    (void)state;
    for (size_t i = 0; i < sizeof(foreign) / sizeof(foreign[0]); i++)
        assert_false(journal_ref_zone(name, foreign[i]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known_names), cmocka_unit_test(test_dot_label_is_hashed),
        cmocka_unit_test(test_each_octet),  cmocka_unit_test(test_long_names),
        cmocka_unit_test(test_unique),      cmocka_unit_test(test_foreign_refs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
