#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdlib.h>

#include "lib/base/mem.h"
#include "syncd/sched.h"

static const struct sched_limits limits = {
    .running = {[WORK_PROBE] = 100, [WORK_TRANSFER] = 3},
    .per_peer = {[WORK_PROBE] = 100, [WORK_TRANSFER] = 2},
    .probe_rate = 100,
};

static struct sched_peer *peer(struct sched *s, uint8_t last)
{
    struct addr a = {.ip = {192, 0, 2, last}, .port = 53, .family = 4};

    return sched_peer_get(s, &a);
}

static struct mono at(int64_t ms)
{
    return (struct mono){ms};
}

static void test_alarms_in_order(void **state)
{
    enum { N = 5000 };
    struct sched *s = sched_new(&limits, at(0));
    struct sched_task *tasks = xcalloc(N, sizeof(*tasks));
    uint32_t seed = 1;
    int64_t last = -1;
    size_t popped = 0;

    (void)state;
    for (size_t round = 0; round < 3; round++) {
        for (size_t i = 0; i < N; i++) {
            seed = seed * 1664525 + 1013904223;
            sched_alarm_set(s, &tasks[i], at(seed >> 12));
        }
    }
    for (size_t i = 0; i < N; i += 3)
        sched_alarm_clear(s, &tasks[i]);
    assert_null(sched_alarm_pop(s, at(-1)));
    for (;;) {
        struct mono next;
        struct sched_task *t;

        if (!sched_next_time(s, at(0), &next))
            break;
        assert_null(sched_alarm_pop(s, at(next.ms - 1)));
        t = sched_alarm_pop(s, next);
        assert_non_null(t);
        assert_int_not_equal((t - tasks) % 3, 0);
        assert_true(next.ms >= last);
        last = next.ms;
        popped++;
    }
    assert_int_equal(popped, N - (N + 2) / 3);
    free(tasks);
    sched_free(s);
}

static void test_queues_are_counted_by_lane(void **state)
{
    struct sched *s = sched_new(&limits, at(0));
    struct sched_task t[3] = {{.heap_pos = 0}};
    struct sched_counts c;

    (void)state;
    for (size_t i = 0; i < 3; i++)
        sched_queue(s, &t[i], WORK_TRANSFER, peer(s, 1), LANE_FIRST);
    sched_raise(s, &t[2], LANE_URGENT);
    sched_count(s, &c);
    assert_int_equal(c.lanes[WORK_TRANSFER][LANE_FIRST], 2);
    assert_int_equal(c.lanes[WORK_TRANSFER][LANE_URGENT], 1);
    assert_int_equal(c.lanes[WORK_PROBE][LANE_FIRST], 0);
    assert_ptr_equal(sched_start(s, at(0)), &t[2]);
    sched_remove(s, &t[0]);
    sched_count(s, &c);
    assert_int_equal(c.lanes[WORK_TRANSFER][LANE_URGENT], 0);
    assert_int_equal(c.lanes[WORK_TRANSFER][LANE_FIRST], 1);
    sched_finish(s, &t[2]);
    sched_remove(s, &t[1]);
    sched_free(s);
}

static void test_transfer_limits(void **state)
{
    struct sched *s = sched_new(&limits, at(0));
    struct sched_task t[6] = {{.heap_pos = 0}};
    struct sched_task *third;
    struct sched_counts c;

    (void)state;
    assert_ptr_equal(peer(s, 1), peer(s, 1));
    assert_ptr_not_equal(peer(s, 1), peer(s, 2));
    for (size_t i = 0; i < 4; i++)
        sched_queue(s, &t[i], WORK_TRANSFER, peer(s, 1), LANE_FIRST);
    assert_non_null(sched_start(s, at(0)));
    assert_non_null(sched_start(s, at(0)));
    assert_null(sched_start(s, at(0))); /* two from one primary */
    sched_queue(s, &t[4], WORK_TRANSFER, peer(s, 2), LANE_ROUTINE);
    sched_queue(s, &t[5], WORK_TRANSFER, peer(s, 2), LANE_ROUTINE);
    third = sched_start(s, at(0));
    assert_ptr_equal(third, &t[4]);
    assert_null(sched_start(s, at(0))); /* three in all */
    sched_finish(s, third);
    assert_ptr_equal(sched_start(s, at(0)), &t[5]);
    sched_finish(s, &t[0]);
    sched_finish(s, &t[5]);
    assert_ptr_equal(sched_start(s, at(0)), &t[2]);
    sched_remove(s, &t[3]); /* while it is queued */
    sched_count(s, &c);
    assert_int_equal(c.queued[WORK_TRANSFER], 0);
    assert_int_equal(c.running[WORK_TRANSFER], 2);
    sched_finish(s, &t[1]);
    sched_finish(s, &t[2]);
    sched_count(s, &c);
    assert_int_equal(c.running[WORK_TRANSFER], 0);
    assert_null(sched_start(s, at(0)));
    sched_free(s);
}

static void test_peers_take_turns(void **state)
{
    struct sched_limits wide = limits;
    struct sched_task t[30] = {{.heap_pos = 0}};
    struct sched *s;
    unsigned last = 0;

    (void)state;
    wide.running[WORK_TRANSFER] = wide.per_peer[WORK_TRANSFER] = 100;
    s = sched_new(&wide, at(0));
    for (unsigned i = 0; i < 30; i++) /* ten each, one peer after another */
        sched_queue(s, &t[i], WORK_TRANSFER, peer(s, (uint8_t)(1 + i / 10)), LANE_ROUTINE);
    for (unsigned i = 0; i < 30; i++) {
        struct sched_task *got = sched_start(s, at(0));
        unsigned from = (unsigned)(got - t) / 10;

        if (i)
            assert_int_equal(from, (last + 1) % 3);
        last = from;
    }
    sched_free(s);
}

/* Urgent work goes first, but cannot stop routine for ever. */
static void test_lanes(void **state)
{
    struct sched_limits wide = limits;
    struct sched_task t[80] = {{.heap_pos = 0}};
    struct sched *s;
    unsigned urgent_in_20 = 0;

    (void)state;
    wide.running[WORK_TRANSFER] = wide.per_peer[WORK_TRANSFER] = 100;
    s = sched_new(&wide, at(0));
    for (unsigned i = 0; i < 40; i++)
        sched_queue(s, &t[i], WORK_TRANSFER, peer(s, 1), LANE_ROUTINE);
    for (unsigned i = 40; i < 80; i++)
        sched_queue(s, &t[i], WORK_TRANSFER, peer(s, 1), LANE_FIRST);
    for (unsigned i = 60; i < 80; i++)
        sched_raise(s, &t[i], LANE_URGENT);
    sched_raise(s, &t[70], LANE_ROUTINE); /* never down */
    for (unsigned i = 0; i < 20; i++)
        urgent_in_20 += sched_start(s, at(0)) >= &t[60];
    assert_int_equal(urgent_in_20, 15);
    sched_free(s);
}

/* However many wait: what an operator asks for is the next to start. */
static void test_an_operator_goes_first(void **state)
{
    enum { N = 10000 };
    struct sched *s = sched_new(&limits, at(0));
    struct sched_task *tasks = xcalloc(N, sizeof(*tasks));
    struct sched_task own = {.heap_pos = 0};

    (void)state;
    for (unsigned i = 0; i < N; i++)
        sched_queue(s, &tasks[i], i % 2 ? WORK_PROBE : WORK_TRANSFER, peer(s, (uint8_t)(i % 7)),
                    (enum sched_lane)(LANE_URGENT + i % 3));
    while (sched_start(s, at(0))) {
    }
    sched_queue(s, &own, WORK_TRANSFER, peer(s, 1), LANE_ROUTINE);
    sched_raise(s, &own, LANE_OPERATOR);
    assert_null(sched_start(s, at(0))); /* limits hold for him too */
    for (unsigned i = 0; i < N; i++) {
        if (tasks[i].state == SCHED_RUNNING && tasks[i].work == WORK_TRANSFER)
            sched_finish(s, &tasks[i]);
    }
    for (unsigned i = 0; own.state != SCHED_RUNNING; i++) {
        assert_true(i < 2); /* one in four may be from the other end of the queues */
        assert_non_null(sched_start(s, at(0)));
    }
    for (unsigned i = 0; i < N; i++)
        sched_remove(s, &tasks[i]);
    sched_remove(s, &own);
    free(tasks);
    sched_free(s);
}

static void test_probe_rate(void **state)
{
    enum { N = 10000 };
    struct sched_limits many = limits;
    struct sched_task *tasks = xcalloc(N, sizeof(*tasks));
    struct sched *s;
    struct mono now = {0};
    size_t started = 0;

    (void)state;
    many.running[WORK_PROBE] = many.per_peer[WORK_PROBE] = N;
    s = sched_new(&many, now);
    for (size_t i = 0; i < N; i++)
        sched_queue(s, &tasks[i], WORK_PROBE, peer(s, (uint8_t)i), LANE_ROUTINE);
    while (started < N) {
        struct mono next;

        while (sched_start(s, now))
            started++;
        assert_in_range(started, 0, 11 + (size_t)now.ms / 10); /* 100 a second, 11 saved up */
        if (started < N) {
            assert_true(sched_next_time(s, now, &next));
            assert_true(next.ms > now.ms);
            now = next;
        }
    }
    assert_in_range(now.ms, 99000, 100000);
    free(tasks);
    sched_free(s);
}

static void test_token_bucket(void **state)
{
    struct token_bucket b;

    (void)state;
    token_bucket_init(&b, 10, 5, at(0));
    for (int i = 0; i < 5; i++)
        assert_true(token_bucket_take(&b, at(0)));
    assert_false(token_bucket_take(&b, at(0)));
    assert_int_equal(token_bucket_ready(&b, at(0)).ms, 100);
    assert_false(token_bucket_take(&b, at(99)));
    assert_true(token_bucket_take(&b, at(100)));
    for (int i = 0; i < 5; i++)
        assert_true(token_bucket_take(&b, at(INT64_C(1) << 50))); /* no overflow */
    assert_false(token_bucket_take(&b, at(INT64_C(1) << 50)));
}

/* One primary with many zones is asked at its own pace, while others are not held up by it. */
static void test_rate_of_one_peer(void **state)
{
    enum { N = 300, S = 1000 };
    struct sched_limits slow = limits;
    struct sched_task *tasks = xcalloc(N, sizeof(*tasks));
    struct sched *s;
    unsigned started[2] = {0, 0};
    struct mono now = at(5000), next;

    (void)state;
    slow.probe_rate_peer = 10;
    s = sched_new(&slow, now);
    for (unsigned i = 0; i < N; i++)
        sched_queue(s, &tasks[i], WORK_PROBE, peer(s, i < N - 5 ? 1 : 2), LANE_ROUTINE);
    while (now.ms < 5000 + 10 * S) {
        struct sched_task *t = sched_start(s, now);

        if (t) {
            started[t >= &tasks[N - 5]]++;
            if (t >= &tasks[N - 5])
                assert_true(now.ms < 5000 + S);
            sched_finish(s, t);
        } else {
            assert_true(sched_next_time(s, now, &next));
            assert_true(next.ms > now.ms && next.ms <= now.ms + 101);
            now = next;
        }
    }
    assert_int_equal(started[1], 5);
    assert_in_range(started[0], 99, 103); /* ten seconds' worth, and what was saved up */
    slow.probe_rate_peer = 0;
    sched_set_limits(s, &slow);
    now.ms += S;
    for (int i = 0; i < 11; i++) { /* as many as the overall rate saves up */
        struct sched_task *t = sched_start(s, now);

        assert_non_null(t);
        sched_finish(s, t);
    }
    sched_free(s);
    free(tasks);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rate_of_one_peer),
        cmocka_unit_test(test_alarms_in_order),
        cmocka_unit_test(test_queues_are_counted_by_lane),
        cmocka_unit_test(test_transfer_limits),
        cmocka_unit_test(test_peers_take_turns),
        cmocka_unit_test(test_lanes),
        cmocka_unit_test(test_an_operator_goes_first),
        cmocka_unit_test(test_probe_rate),
        cmocka_unit_test(test_token_bucket),
    };

    return cmocka_run_group_tests_name("syncd/sched", tests, NULL, NULL);
}
