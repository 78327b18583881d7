/* Readers that are kept open between uses, by many threads. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "lib/store/store_readers.h"
#include "tests/tools/journal_fixture.h"
#include "tests/tools/store_fixture.h"

#define THREADS 4
#define ROUNDS 200

static const uint8_t apex[] = "\7example";

static void test_one_is_used_again(void **state)
{
    char *dir = temp_dir_new();
    struct store *w = must_open_writer(dir);
    struct store_readers *r = store_readers_new(dir);
    struct store *a = NULL, *b = NULL, *again = NULL;
    struct errinfo e;

    (void)state;
    assert_string_equal(store_readers_dir(r), dir);
    assert_int_equal(store_readers_take(r, &a, &e), OK);
    assert_int_equal(store_readers_take(r, &b, &e), OK);
    assert_ptr_not_equal(a, b);
    store_readers_give(r, a, OK);
    assert_int_equal(store_readers_take(r, &again, &e), OK);
    assert_ptr_equal(again, a);
    store_readers_give(r, again, ERR_NOT_FOUND); /* nothing wrong with it */
    assert_int_equal(store_readers_take(r, &again, &e), OK);
    assert_ptr_equal(again, a);
    store_readers_give(r, again, ERR_CORRUPT); /* closed */
    store_readers_give(r, b, OK);
    store_readers_give(r, NULL, OK);
    store_readers_free(r);
    store_close(w);
    temp_dir_free(dir);
}

static void test_it_sees_what_is_new(void **state)
{
    char *dir = temp_dir_new();
    struct store *w = must_open_writer(dir), *s = NULL;
    struct store_readers *r = store_readers_new(dir);
    struct store_zone z = plain_row(apex), got;
    struct errinfo e;

    (void)state;
    assert_int_equal(store_readers_take(r, &s, &e), OK);
    assert_int_equal(store_zone_get(s, apex, &got, &e), ERR_NOT_FOUND);
    store_readers_give(r, s, ERR_NOT_FOUND);
    assert_int_equal(store_begin(w, &e), OK);
    assert_int_equal(store_zone_put(w, &z, &e), OK);
    assert_int_equal(store_commit(w, &e), OK);
    assert_int_equal(store_readers_take(r, &s, &e), OK);
    assert_int_equal(store_zone_get(s, apex, &got, &e), OK);
    store_readers_give(r, s, OK);
    store_readers_free(r);
    store_close(w);
    temp_dir_free(dir);
}

static void *read_often(void *ctx)
{
    struct store_readers *r = ctx;

    for (int i = 0; i < ROUNDS; i++) {
        struct store *s = NULL;
        struct store_zone got;
        enum err rc = store_readers_take(r, &s, NULL);

        if (rc == OK)
            rc = store_zone_get(s, apex, &got, NULL);
        store_readers_give(r, s, rc);
        if (rc != OK)
            return r;
    }
    return NULL;
}

static void test_many_threads(void **state)
{
    char *dir = temp_dir_new();
    struct store *w = must_open_writer(dir);
    struct store_readers *r = store_readers_new(dir);
    struct store_zone z = plain_row(apex);
    pthread_t threads[THREADS];
    struct errinfo e;

    (void)state;
    assert_int_equal(store_begin(w, &e), OK);
    assert_int_equal(store_zone_put(w, &z, &e), OK);
    assert_int_equal(store_commit(w, &e), OK);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, read_often, r), 0);
    for (int i = 0; i < THREADS; i++) {
        void *failed = NULL;

        assert_int_equal(pthread_join(threads[i], &failed), 0);
        assert_null(failed);
    }
    store_readers_free(r);
    store_close(w);
    temp_dir_free(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_one_is_used_again),
                                       cmocka_unit_test(test_it_sees_what_is_new),
                                       cmocka_unit_test(test_many_threads)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
