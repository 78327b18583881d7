#include "lib/base/err.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void sets_the_sentence(void **state)
{
    struct errinfo e;

    (void)state;
    assert_int_equal(err_set(ERR_LIMIT, &e, "%s has %d", "zone", 3), ERR_LIMIT);
    assert_string_equal(e.text, "zone has 3");
    assert_int_equal(err_set(ERR_DENIED, NULL, "nobody %s", "listens"), ERR_DENIED);
}

static void wraps_what_is_there(void **state)
{
    struct errinfo e = {{0}};

    (void)state;
    assert_int_equal(err_wrap(ERR_IO, &e, "zone %s", "a."), ERR_IO);
    assert_string_equal(e.text, "zone a.");
    (void)err_set(ERR_FORMAT, &e, "record %d", 412);
    assert_int_equal(err_wrap(ERR_FORMAT, &e, "IXFR from %s", "192.0.2.1"), ERR_FORMAT);
    assert_int_equal(err_wrap(ERR_FORMAT, &e, "zone %s", "a."), ERR_FORMAT);
    assert_string_equal(e.text, "zone a.: IXFR from 192.0.2.1: record 412");
    assert_int_equal(err_wrap(ERR_FORMAT, NULL, "x"), ERR_FORMAT);
}

/* The sentence may be told again by means of itself. */
static void wraps_with_its_own_text(void **state)
{
    struct errinfo e = {"inner"};

    (void)state;
    (void)err_wrap(ERR_FORMAT, &e, "outer");
    (void)err_wrap(ERR_FORMAT, &e, "outermost");
    assert_string_equal(e.text, "outermost: outer: inner");
}

static void long_sentences_are_cut(void **state)
{
    struct errinfo e;
    char big[2 * ERR_TEXT_MAX];

    (void)state;
    memset(big, 'x', sizeof(big) - 1);
    big[sizeof(big) - 1] = 0;
    (void)err_set(ERR_FORMAT, &e, "%s", big);
    assert_int_equal(strlen(e.text), ERR_TEXT_MAX - 1);
    (void)err_wrap(ERR_FORMAT, &e, "before");
    assert_int_equal(strlen(e.text), ERR_TEXT_MAX - 1);
    assert_memory_equal(e.text, "before: xxx", 11);
    (void)err_wrap(ERR_FORMAT, &e, "%s", big);
    assert_int_equal(strlen(e.text), ERR_TEXT_MAX - 1);
    (void)err_sys(ENOENT, &e, "%s", big);
    assert_int_equal(strlen(e.text), ERR_TEXT_MAX - 1);
}

static void tells_errno(void **state)
{
    struct errinfo e;

    (void)state;
    assert_int_equal(err_sys(ENOENT, &e, "open %s", "/x"), ERR_IO);
    assert_string_equal(e.text, "open /x: No such file or directory");
    assert_int_equal(err_sys(EIO, NULL, "read"), ERR_IO);
}

static void every_kind_has_a_name(void **state)
{
    (void)state;
    for (int rc = OK; rc <= ERR_UNSUPPORTED; rc++) {
        assert_string_not_equal(err_name((enum err)rc), "unknown");
        for (int other = OK; other < rc; other++)
            assert_string_not_equal(err_name((enum err)rc), err_name((enum err)other));
    }
    assert_string_equal(err_name((enum err)(ERR_UNSUPPORTED + 1)), "unknown");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sets_the_sentence),
        cmocka_unit_test(wraps_what_is_there),
        cmocka_unit_test(wraps_with_its_own_text),
        cmocka_unit_test(long_sentences_are_cut),
        cmocka_unit_test(tells_errno),
        cmocka_unit_test(every_kind_has_a_name),
    };

    return cmocka_run_group_tests_name("err", tests, NULL, NULL);
}
