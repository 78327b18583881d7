/* Work goes to the pool and comes back to the loop's thread, in order of posting. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdatomic.h>

#include "syncd/loop.h"

#define TASKS 200

struct world {
    struct loop *loop;
    pthread_t loop_thread;
    atomic_int worked;
    int done; /* loop thread only */
    int posted[TASKS];
    int posted_count;
};

struct task {
    struct world *world;
    int number;
};

static void in_pool(void *ctx)
{
    struct task *t = ctx;

    assert_false(pthread_equal(pthread_self(), t->world->loop_thread));
    atomic_fetch_add(&t->world->worked, 1);
}

static void in_loop(void *ctx)
{
    struct task *t = ctx;

    assert_true(pthread_equal(pthread_self(), t->world->loop_thread));
    if (++t->world->done == TASKS)
        loop_stop(t->world->loop);
}

static void on_post(void *ctx)
{
    struct task *t = ctx;

    t->world->posted[t->world->posted_count++] = t->number;
    if (t->world->posted_count == TASKS)
        loop_stop(t->world->loop);
}

static void *post_from_elsewhere(void *ctx)
{
    struct task *tasks = ctx;

    for (int i = 0; i < TASKS; i++)
        loop_post(tasks[i].world->loop, on_post, &tasks[i]);
    return NULL;
}

static void work_is_done_and_told(void **state)
{
    struct world w = {.loop_thread = pthread_self()};
    struct task tasks[TASKS];

    (void)state;
    assert_int_equal(loop_new(&w.loop, clock_real(), 3, NULL), OK);
    for (int i = 0; i < TASKS; i++) {
        tasks[i] = (struct task){&w, i};
        loop_work(w.loop, in_pool, in_loop, &tasks[i]);
    }
    loop_run(w.loop);
    assert_int_equal(w.done, TASKS);
    assert_int_equal(atomic_load(&w.worked), TASKS);
    loop_free(w.loop);
}

static void posts_keep_their_order(void **state)
{
    struct world w = {.loop_thread = pthread_self()};
    struct task tasks[TASKS];
    pthread_t thread;

    (void)state;
    assert_int_equal(loop_new(&w.loop, clock_real(), 1, NULL), OK);
    for (int i = 0; i < TASKS; i++)
        tasks[i] = (struct task){&w, i};
    assert_int_equal(pthread_create(&thread, NULL, post_from_elsewhere, tasks), 0);
    loop_run(w.loop);
    pthread_join(thread, NULL);
    for (int i = 0; i < TASKS; i++)
        assert_int_equal(w.posted[i], i);
    loop_free(w.loop);
}

static void what_was_done_is_told_even_at_the_end(void **state)
{
    struct world w = {.loop_thread = pthread_self()};
    struct task t = {&w, 0};

    (void)state;
    assert_int_equal(loop_new(&w.loop, clock_real(), 1, NULL), OK);
    loop_work(w.loop, in_pool, in_loop, &t);
    while (atomic_load(&w.worked) == 0)
        ;
    loop_free(w.loop);
    assert_int_equal(w.done, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(work_is_done_and_told),
        cmocka_unit_test(posts_keep_their_order),
        cmocka_unit_test(what_was_done_is_told_even_at_the_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
