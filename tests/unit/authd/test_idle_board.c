/* Seats are shown, compared and asked by threads at once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <pthread.h>

#include "authd/idle_board.h"

#define THREADS 4
#define ROUNDS 20000

static void the_oldest_is_found_and_asked(void **state)
{
    struct idle_board *b = NULL;
    size_t seat = 99;

    (void)state;
    assert_int_equal(idle_board_new(&b, 3, NULL), OK);
    assert_false(idle_board_oldest(b, &seat));
    assert_int_equal(seat, 99);
    idle_board_show(b, 0, 700);
    idle_board_show(b, 2, 500);
    assert_true(idle_board_oldest(b, &seat));
    assert_int_equal(seat, 2);
    idle_board_show(b, 2, IDLE_NONE);
    assert_true(idle_board_oldest(b, &seat));
    assert_int_equal(seat, 0);
    assert_int_equal(idle_board_asked(b, 0), 0);
    idle_board_ask(b, 0);
    idle_board_ask(b, 0);
    assert_int_equal(idle_board_asked(b, 1), 0);
    assert_int_equal(idle_board_asked(b, 0), 2);
    assert_int_equal(idle_board_asked(b, 0), 0);
    idle_board_free(b);
    idle_board_free(NULL);
}

struct worker_args {
    struct idle_board *board;
    size_t seat;
    uint64_t asked, answered;
};

static void *work(void *ctx)
{
    struct worker_args *a = ctx;

    for (int i = 0; i < ROUNDS; i++) {
        size_t oldest;

        idle_board_show(a->board, a->seat, i % 3 ? i : IDLE_NONE);
        if (i % 64 == 0 && idle_board_oldest(a->board, &oldest)) {
            idle_board_ask(a->board, oldest);
            a->asked++;
        }
        if (i % 128 == 0)
            a->answered += idle_board_asked(a->board, a->seat);
    }
    return NULL;
}

static void no_request_is_lost(void **state)
{
    struct worker_args args[THREADS];
    pthread_t threads[THREADS];
    struct idle_board *b = NULL;
    uint64_t asked = 0, answered = 0;

    (void)state;
    assert_int_equal(idle_board_new(&b, THREADS, NULL), OK);
    for (size_t i = 0; i < THREADS; i++) {
        args[i] = (struct worker_args){.board = b, .seat = i};
        assert_int_equal(pthread_create(&threads[i], NULL, work, &args[i]), 0);
    }
    for (size_t i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        asked += args[i].asked;
        answered += args[i].answered;
    }
    for (size_t i = 0; i < THREADS; i++)
        answered += idle_board_asked(b, i);
    assert_true(asked > 0);
    assert_int_equal(answered, asked);
    idle_board_free(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(the_oldest_is_found_and_asked),
                                       cmocka_unit_test(no_request_is_lost)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
