/* Changes as hunks of text: put on the old text they make the new one, and no line is in them for
 * nothing.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lib/base/mem.h"
#include "lib/zone/unified.h"
#include "tests/unit/lib/zone/zone_util.h"

static char *unified_of(const struct zone *a, const struct zone *b)
{
    struct changeset *cs = diff_of(a, b);
    struct buf out = BUF_INIT;
    char *text;

    zone_unified(&out, "z", a, cs);
    text = xstrdup(buf_cstr(&out));
    buf_free(&out);
    changeset_free(cs);
    return text;
}

/* The line at *text, with its LF; *text moves behind it. */
static size_t take_line(const char **text, const char **line)
{
    size_t n = strcspn(*text, "\n") + 1;

    *line = *text;
    *text += n;
    return n;
}

/* Puts a unified diff on a text, as strictly as can be. Gives how many lines of context it saw. */
static size_t patch(struct buf *out, const char *old, const char *diff)
{
    const char *line, *was;
    unsigned long at = 1, context = 0, start, n, new_start, new_n, new_at = 1;
    size_t len;

    for (int i = 0; i < 3 && *diff; i++)
        (void)take_line(&diff, &line);
    while (*diff) {
        char range[2][32];

        assert_int_equal(sscanf(diff, "@@ -%31s +%31s @@", range[0], range[1]), 2);
        (void)take_line(&diff, &line);
        n = new_n = 1;
        assert_true(sscanf(range[0], "%lu,%lu", &start, &n) >= 1);
        assert_true(sscanf(range[1], "%lu,%lu", &new_start, &new_n) >= 1);
        for (start += n == 0; at < start; at++, new_at++) {
            len = take_line(&old, &was);
            buf_put(out, was, len);
        }
        assert_int_equal(new_at, new_start + (new_n == 0));
        while (*diff && *diff != '@') {
            len = take_line(&diff, &line);
            if (line[0] != '+') {
                assert_int_equal(take_line(&old, &was), len - 1);
                assert_memory_equal(was, line + 1, len - 1);
                at++;
                n--;
            }
            if (line[0] != '-') {
                buf_put(out, line + 1, len - 1);
                new_at++;
                new_n--;
            }
            context += line[0] == ' ';
        }
        assert_int_equal(n, 0);
        assert_int_equal(new_n, 0);
    }
    buf_str(out, old);
    return context;
}

static void check(const struct zone *a, const struct zone *b)
{
    char *before = zone_text(a), *after = zone_text(b), *diff = unified_of(a, b);
    struct buf made = BUF_INIT;

    (void)patch(&made, before, diff);
    assert_string_equal(buf_cstr(&made), after);
    buf_free(&made);
    free(before);
    free(after);
    free(diff);
}

#define HEAD "diff --git a/z b/z\n--- a/z\n+++ b/z\n"
#define SOA(n) "example.org. 300 IN SOA ns.example.org. host.example.org. " #n " 1 2 3 4\n"
#define W(n) "w" #n ".example.org. 1 IN A 1.1.1.1\n"

static void test_as_git_shows_it(void **state)
{
    static const struct {
        const char *a, *b, *diff;
    } cases[] = {
        {"@ 300 SOA ns host 1 1 2 3 4\n", "@ 300 SOA ns host 1 1 2 3 4\n", ""},
        {"@ 300 SOA ns host 1 1 2 3 4\n", "@ 300 SOA ns host 2 1 2 3 4\n",
         HEAD "@@ -1 +1 @@\n-" SOA(1) "+" SOA(2)},
        /* three lines of context, not more */
        {"@ 300 SOA ns host 1 1 2 3 4\nw1 1 A 1.1.1.1\nw2 1 A 1.1.1.1\nw3 1 A 1.1.1.1\n"
         "w4 1 A 1.1.1.1\n",
         "@ 300 SOA ns host 2 1 2 3 4\nw1 1 A 1.1.1.1\nw2 1 A 1.1.1.1\nw3 1 A 1.1.1.1\n"
         "w4 1 A 1.1.1.1\n",
         HEAD "@@ -1,4 +1,4 @@\n-" SOA(1) "+" SOA(2) " " W(1) " " W(2) " " W(3)},
        /* six lines between two changes: one hunk */
        {"w1 1 A 1.1.1.1\nw2 1 A 1.1.1.1\nw3 1 A 1.1.1.1\nw4 1 A 1.1.1.1\nw5 1 A 1.1.1.1\n"
         "w6 1 A 1.1.1.1\nw7 1 A 1.1.1.1\nw8 1 A 1.1.1.1\n",
         "w2 1 A 1.1.1.1\nw3 1 A 1.1.1.1\nw4 1 A 1.1.1.1\nw5 1 A 1.1.1.1\nw6 1 A 1.1.1.1\n"
         "w7 1 A 1.1.1.1\n",
         HEAD
         "@@ -1,8 +1,6 @@\n-" W(1) " " W(2) " " W(3) " " W(4) " " W(5) " " W(6) " " W(7) "-" W(8)},
        /* seven: two */
        {"w1 1 A 1.1.1.1\nw2 1 A 1.1.1.1\nw3 1 A 1.1.1.1\nw4 1 A 1.1.1.1\nw5 1 A 1.1.1.1\n"
         "w6 1 A 1.1.1.1\nw7 1 A 1.1.1.1\nw8 1 A 1.1.1.1\nw9 1 A 1.1.1.1\n",
         "w2 1 A 1.1.1.1\nw3 1 A 1.1.1.1\nw4 1 A 1.1.1.1\nw5 1 A 1.1.1.1\nw6 1 A 1.1.1.1\n"
         "w7 1 A 1.1.1.1\nw8 1 A 1.1.1.1\n",
         HEAD "@@ -1,4 +1,3 @@\n-" W(1) " " W(2) " " W(3) " " W(4) "@@ -6,4 +5,3 @@\n " W(6) " " W(
             7) " " W(8) "-" W(9)},
        /* what goes stands before what comes, wherever it sorts */
        {"w1 1 A 1.1.1.2\nw1 1 A 1.1.1.4\n", "w1 1 A 1.1.1.1\nw1 1 A 1.1.1.3\n",
         HEAD "@@ -1,2 +1,2 @@\n-w1.example.org. 1 IN A 1.1.1.2\n-w1.example.org. 1 IN A 1.1.1.4\n"
              "+w1.example.org. 1 IN A 1.1.1.1\n+w1.example.org. 1 IN A 1.1.1.3\n"},
        /* a TTL alone; the case of a name alone */
        {"w1 1 A 1.1.1.1\n", "w1 2 A 1.1.1.1\n",
         HEAD "@@ -1 +1 @@\n-" W(1) "+w1.example.org. 2 IN A 1.1.1.1\n"},
        {"w1 1 NS a.b.\n", "w1 1 NS A.b.\n",
         HEAD "@@ -1 +1 @@\n-w1.example.org. 1 IN NS a.b.\n+w1.example.org. 1 IN NS A.b.\n"},
        {"", "w1 1 A 1.1.1.1\n", HEAD "@@ -0,0 +1 @@\n+" W(1)},
        {"w1 1 A 1.1.1.1\n", "", HEAD "@@ -1 +0,0 @@\n-" W(1)},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct zone *a = zone_of(cases[i].a, EXAMPLE), *b = zone_of(cases[i].b, EXAMPLE);
        char *diff = unified_of(a, b);

        assert_string_equal(diff, cases[i].diff);
        check(a, b);
        check(b, a);
        free(diff);
        zone_unref(a);
        zone_unref(b);
    }
}

static void test_random_zones(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 60; seed++) {
        uint32_t n = (uint32_t)(seed * 7 % 900);
        struct zone *a = random_zone(seed, seed + 1000, n, (uint32_t)seed % 9, 1, EXAMPLE);
        struct zone *b = random_zone(seed, seed + 2000, n, (uint32_t)seed % 7, 2, EXAMPLE);

        check(a, b);
        check(b, a);
        zone_unref(a);
        zone_unref(b);
    }
}

/* A small change of a large zone is a small text. */
static void test_only_what_is_near(void **state)
{
    struct zone *a = random_zone(5, 6, 5000, 1, 1, EXAMPLE);
    struct zone *b = random_zone(5, 7, 5000, 1, 2, EXAMPLE);
    char *diff = unified_of(a, b);
    size_t lines = 0;

    (void)state;
    for (const char *p = diff; *p; p++)
        lines += *p == '\n';
    assert_true(lines > 5 && lines < 60);
    free(diff);
    zone_unref(a);
    zone_unref(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_as_git_shows_it),
        cmocka_unit_test(test_random_zones),
        cmocka_unit_test(test_only_what_is_near),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
