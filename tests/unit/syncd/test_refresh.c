/* One zone's decisions, input by input. Weeks of them are in tests/scenario. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "syncd/refresh.h"

#define S 1000

static const struct refresh_policy policy = {
    .refresh_min_s = 30, .refresh_max_s = 86400, .retry_min_s = 5, .retry_max_s = 7200};

static const struct wall boot_wall = {1700000000};

struct bench {
    struct refresh r;
    struct mono now;
    struct refresh_plan plan;
};

static struct bench bench_with(const struct refresh_policy *p, unsigned primaries,
                               const struct refresh_start *start)
{
    struct bench b = {.now = {1000000}};
    bool doubtful;

    refresh_init(&b.r, p, primaries, start, b.now, boot_wall, &doubtful);
    b.plan = refresh_wake(&b.r, b.now);
    return b;
}

/* A zone at serial 10 that has just become due. */
static struct bench bench_of(unsigned primaries)
{
    struct refresh_start start = {.has_content = true, .has_serial = true, .serial = {10}};

    return bench_with(&policy, primaries, &start);
}

static struct bench bench_empty(unsigned primaries)
{
    struct refresh_start start = {.has_content = false};

    return bench_with(&policy, primaries, &start);
}

static void pass(struct bench *b, int64_t ms)
{
    b->now.ms += ms;
}

static void answer(struct bench *b, uint32_t serial)
{
    struct probe_report report = {.outcome = PROBE_SOA,
                                  .serial = {serial},
                                  .refresh_s = 3600,
                                  .retry_s = 600,
                                  .expire_s = 604800};

    assert_int_equal(b->plan.step, REFRESH_PROBE);
    refresh_started(&b->r);
    b->plan = refresh_probed(&b->r, &report, b->now);
}

static void no_answer(struct bench *b, enum probe_outcome o)
{
    struct probe_report report = {.outcome = o};

    assert_int_equal(b->plan.step, REFRESH_PROBE);
    refresh_started(&b->r);
    b->plan = refresh_probed(&b->r, &report, b->now);
}

static void transferred(struct bench *b, enum transfer_outcome o, uint32_t serial)
{
    struct transfer_report report = {
        .outcome = o,
        .has_soa = o != TRANSFER_FAILED,
        .serial = {serial},
        .timers = {.refresh_s = 3600, .retry_s = 600, .expire_s = 604800}};

    assert_int_equal(b->plan.step, REFRESH_TRANSFER);
    refresh_started(&b->r);
    b->plan = refresh_transferred(&b->r, &report, b->now);
}

static void notify(struct bench *b, int primary, uint32_t serial)
{
    struct serial s = {serial};

    b->plan = refresh_notified(&b->r, primary, serial ? &s : NULL, b->now);
}

static void wake(struct bench *b)
{
    struct mono at;

    assert_true(refresh_alarm(&b->r, &at));
    if (mono_cmp(at, b->now) > 0)
        b->now = at;
    b->plan = refresh_wake(&b->r, b->now);
}

static int64_t until_alarm(const struct bench *b)
{
    struct mono at;

    assert_true(refresh_alarm(&b->r, &at));
    return at.ms - b->now.ms;
}

static void done(struct bench *b)
{
    refresh_done(&b->r);
}

static void test_up_to_date(void **state)
{
    struct bench b = bench_of(1);

    (void)state;
    assert_int_equal(b.plan.lane, LANE_ROUTINE);
    answer(&b, 10);
    assert_int_equal(b.plan.step, REFRESH_WAIT);
    assert_int_equal(until_alarm(&b), 3600 * S);
    assert_int_equal(b.r.failures, 0);
    assert_true(b.r.has_expiry);
    assert_int_equal(b.r.expires.ms - b.now.ms, 604800LL * S);
    done(&b);
}

/* A primary that is a secondary itself, with so much left (RFC 7314 4). */
static void answer_with_left(struct bench *b, uint32_t serial, uint32_t left_s)
{
    struct probe_report report = {.outcome = PROBE_SOA,
                                  .serial = {serial},
                                  .refresh_s = 3600,
                                  .retry_s = 600,
                                  .expire_s = 604800,
                                  .has_left = true,
                                  .left_s = left_s};

    assert_int_equal(b->plan.step, REFRESH_PROBE);
    refresh_started(&b->r);
    b->plan = refresh_probed(&b->r, &report, b->now);
}

static void test_a_primary_that_is_a_secondary(void **state)
{
    struct bench b = bench_of(1), two = bench_of(2);
    struct mono first;

    (void)state;
    answer_with_left(&b, 10, 600000);
    assert_int_equal(b.r.expires.ms - b.now.ms, 600000LL * S);
    first = b.r.expires;
    wake(&b);
    answer_with_left(&b, 10, 5); /* nothing is taken away */
    assert_int_equal(b.r.expires.ms, first.ms);
    wake(&b);
    answer_with_left(&b, 10, 604800); /* its own primary has answered */
    assert_int_equal(b.r.expires.ms - b.now.ms, 604800LL * S);
    wake(&b);
    answer_with_left(&b, 11, 7);
    transferred(&b, TRANSFER_NEW, 11);
    assert_int_equal(b.r.expires.ms - b.now.ms, 604800LL * S);
    done(&b);

    answer_with_left(&two, 10, 30000); /* the longest counts, */
    answer_with_left(&two, 10, 20000);
    assert_int_equal(two.r.expires.ms - two.now.ms, 30000LL * S);
    wake(&two);
    answer_with_left(&two, 10, 20000); /* and the origin's word most of all */
    answer(&two, 10);
    assert_int_equal(two.r.expires.ms - two.now.ms, 604800LL * S);
    done(&two);
}

/* A new version comes through another secondary: what that has left is all there is. */
static void test_a_version_from_a_secondary(void **state)
{
    struct bench b = bench_of(1);
    struct transfer_report report = {.outcome = TRANSFER_NEW,
                                     .has_soa = true,
                                     .serial = {11},
                                     .timers = {3600, 600, 604800},
                                     .has_left = true,
                                     .left_s = 5000};

    (void)state;
    answer(&b, 10); /* by an older version a week was left */
    wake(&b);
    answer(&b, 11);
    assert_int_equal(refresh_deadline(&b.r, &report, b.now).ms - b.now.ms, 5000LL * S);
    refresh_started(&b.r);
    b.plan = refresh_transferred(&b.r, &report, b.now);
    assert_int_equal(b.r.expires.ms - b.now.ms, 5000LL * S);

    wake(&b); /* the same version again, as the answer to IXFR says: nothing is taken away */
    answer(&b, 12);
    report.outcome = TRANSFER_SAME;
    report.left_s = 100;
    refresh_started(&b.r);
    b.plan = refresh_transferred(&b.r, &report, b.now);
    assert_true(b.r.expires.ms - b.now.ms > 100LL * S);
    wake(&b);
    answer(&b, 12);
    report.left_s = 604800; /* more than that is never given */
    refresh_started(&b.r);
    b.plan = refresh_transferred(&b.r, &report, b.now);
    assert_int_equal(b.r.expires.ms - b.now.ms, 604800LL * S);

    wake(&b);
    answer(&b, 12);
    report.outcome = TRANSFER_NEW;
    report.serial.v = 12;
    report.left_s = 4000000000u;
    refresh_started(&b.r);
    b.plan = refresh_transferred(&b.r, &report, b.now);
    assert_int_equal(b.r.expires.ms - b.now.ms, 604800LL * S);
    done(&b);
}

static void test_newer_is_fetched(void **state)
{
    struct bench b = bench_of(1);

    (void)state;
    answer(&b, 11);
    assert_int_equal(b.plan.step, REFRESH_TRANSFER);
    assert_false(b.plan.any_serial);
    transferred(&b, TRANSFER_NEW, 11);
    assert_int_equal(b.plan.step, REFRESH_WAIT);
    assert_int_equal(b.r.serial.v, 11);
    assert_int_equal(until_alarm(&b), 3600 * S);
    done(&b);
}

static void test_jitter_shortens_by_a_tenth(void **state)
{
    struct refresh_policy p = policy;
    struct refresh_start start = {.has_content = true, .has_serial = true, .serial = {10}};
    struct bench b;

    (void)state;
    p.jitter = UINT16_MAX;
    b = bench_with(&p, 1, &start);
    answer(&b, 10);
    assert_int_equal(until_alarm(&b), 3240 * S);
    done(&b);
}

static void test_bounds_of_the_policy(void **state)
{
    struct refresh_policy p = {.refresh_min_s = 7200,
                               .refresh_max_s = 9000,
                               .retry_min_s = 700,
                               .retry_max_s = 800,
                               .expire_max_s = 20000};
    struct refresh_start start = {.has_content = true, .has_serial = true, .serial = {10}};
    struct bench b = bench_with(&p, 1, &start);

    (void)state;
    answer(&b, 10); /* SOA: refresh 3600, retry 600, expire 604800 */
    assert_int_equal(until_alarm(&b), 7200 * S);
    assert_int_equal(b.r.expires.ms - b.now.ms, 20000 * S);
    wake(&b);
    no_answer(&b, PROBE_TIMEOUT);
    assert_int_equal(until_alarm(&b), 700 * S);
    wake(&b);
    no_answer(&b, PROBE_TIMEOUT);
    assert_int_equal(until_alarm(&b), 800 * S);
    done(&b);
}

static void test_retry_doubles_up_to_refresh(void **state)
{
    static const int64_t waits[] = {600, 1200, 2400, 3600, 3600, 3600};
    struct bench b = bench_of(1);

    (void)state;
    answer(&b, 10);
    for (size_t i = 0; i < sizeof(waits) / sizeof(waits[0]); i++) {
        wake(&b);
        no_answer(&b, PROBE_TIMEOUT);
        assert_int_equal(b.plan.step, REFRESH_WAIT);
        assert_int_equal(until_alarm(&b), waits[i] * S);
    }
    assert_int_equal(b.r.failures, 6);
    wake(&b);
    answer(&b, 10);
    assert_int_equal(b.r.failures, 0);
    done(&b);
}

static void test_first_transfer_is_quick_and_patient(void **state)
{
    static const int64_t waits[] = {5, 10, 20, 40, 80, 160, 320, 600, 600};
    struct bench b = bench_empty(1);

    (void)state;
    assert_int_equal(b.plan.step, REFRESH_TRANSFER);
    assert_int_equal(b.plan.lane, LANE_FIRST);
    assert_true(b.plan.any_serial);
    for (size_t i = 0; i < sizeof(waits) / sizeof(waits[0]); i++) {
        transferred(&b, TRANSFER_FAILED, 0);
        assert_int_equal(until_alarm(&b), waits[i] * S);
        wake(&b);
    }
    transferred(&b, TRANSFER_NEW, 3000000000u);
    assert_true(b.r.has_content);
    assert_int_equal(until_alarm(&b), 3600 * S);
    done(&b);
}

static void test_primaries_in_turn(void **state)
{
    struct bench b = bench_of(3);

    (void)state;
    assert_int_equal(b.plan.primary, 0);
    no_answer(&b, PROBE_TIMEOUT);
    assert_int_equal(b.plan.primary, 1);
    no_answer(&b, PROBE_REFUSED);
    assert_int_equal(b.plan.primary, 2);
    answer(&b, 10);
    /* Somebody answered: those that just failed are not asked again. */
    assert_int_equal(b.plan.step, REFRESH_WAIT);
    assert_int_equal(b.r.failures, 0);

    /* While they count as bad they come last ... */
    pass(&b, 10 * S);
    b.plan = refresh_notified(&b.r, -1, NULL, b.now);
    assert_int_equal(b.plan.primary, 2);
    no_answer(&b, PROBE_TIMEOUT);
    assert_int_equal(b.plan.primary, 0);
    no_answer(&b, PROBE_TIMEOUT);
    assert_int_equal(b.plan.primary, 1);
    no_answer(&b, PROBE_TIMEOUT);
    assert_int_equal(b.plan.step, REFRESH_WAIT);
    assert_int_equal(b.r.failures, 1);
    done(&b);
}

static void test_a_stuck_primary_hides_nothing(void **state)
{
    struct bench b = bench_of(2);

    (void)state;
    answer(&b, 10);
    assert_int_equal(b.plan.step, REFRESH_PROBE);
    assert_int_equal(b.plan.primary, 1);
    answer(&b, 11);
    assert_int_equal(b.plan.step, REFRESH_TRANSFER);
    assert_int_equal(b.plan.primary, 1);
    transferred(&b, TRANSFER_NEW, 11);
    assert_int_equal(b.r.failures, 0);
    done(&b);
}

static void test_failed_transfer_falls_to_the_next(void **state)
{
    struct bench b = bench_of(2);

    (void)state;
    answer(&b, 11);
    transferred(&b, TRANSFER_FAILED, 0);
    assert_int_equal(b.plan.step, REFRESH_PROBE);
    assert_int_equal(b.plan.primary, 1);
    answer(&b, 11);
    transferred(&b, TRANSFER_FAILED, 0);
    assert_int_equal(b.plan.step, REFRESH_WAIT);
    assert_int_equal(b.r.failures, 1);
    done(&b);
}

static void test_older_serial(void **state)
{
    struct bench b = bench_of(1);

    (void)state;
    answer(&b, 9);
    assert_int_equal(b.plan.step, REFRESH_WAIT);
    assert_true(b.plan.behind);
    assert_int_equal(b.r.failures, 0); /* it can be asked, so the zone is fresh */
    assert_int_equal(b.r.serial.v, 10);
    wake(&b);
    answer(&b, 9);
    assert_false(b.plan.behind); /* said once for each serial */
    wake(&b);
    answer(&b, 8);
    assert_true(b.plan.behind);
    wake(&b);
    answer(&b, 10u + 0x80000000u); /* undefined by RFC 1982: not newer */
    assert_int_equal(b.plan.step, REFRESH_WAIT);
    wake(&b);
    answer(&b, 10u + 0x7fffffffu);
    assert_int_equal(b.plan.step, REFRESH_TRANSFER);
    done(&b);
}

static void test_behind_and_current(void **state)
{
    struct bench b = bench_of(2);

    (void)state;
    answer(&b, 9);
    assert_int_equal(b.plan.primary, 1);
    answer(&b, 10);
    assert_int_equal(b.plan.step, REFRESH_WAIT);
    assert_true(b.r.current);
    done(&b);
}

/* At serial 10; a serial that stays back for an hour is accepted. */
static struct bench bench_accepting(unsigned primaries)
{
    struct refresh_policy accepting = policy;
    struct refresh_start start = {.has_content = true, .has_serial = true, .serial = {10}};

    accepting.accept_back = true;
    accepting.back_s = 3600;
    return bench_with(&accepting, primaries, &start);
}

static void test_a_serial_that_stays_back_is_accepted(void **state)
{
    struct bench b = bench_accepting(2);
    struct mono began;

    (void)state;
    answer(&b, 3);
    no_answer(&b, PROBE_TIMEOUT); /* silence is no objection */
    assert_int_equal(b.plan.step, REFRESH_WAIT);
    assert_true(b.r.has_back && b.r.back_is_new);
    began = b.now;
    for (int i = 0; i < 1000 && b.plan.step != REFRESH_TRANSFER; i++) {
        wake(&b);
        while (b.plan.step == REFRESH_PROBE) {
            if (b.plan.primary == 0)
                answer(&b, 3);
            else
                no_answer(&b, PROBE_TIMEOUT);
        }
    }
    assert_int_equal(b.plan.step, REFRESH_TRANSFER);
    assert_true(b.plan.any_serial);
    assert_int_equal(b.now.ms - began.ms, 3600 * S);
    transferred(&b, TRANSFER_NEW, 3);
    assert_int_equal(b.plan.step, REFRESH_WAIT);
    assert_int_equal(b.r.serial.v, 3);
    assert_false(b.r.has_back);
    done(&b);
}

static void test_who_has_our_serial_ends_the_time_of_one_that_is_back(void **state)
{
    struct bench b = bench_accepting(1);

    (void)state;
    answer(&b, 3);
    assert_true(b.r.has_back);
    wake(&b);
    answer(&b, 10); /* in the last moment */
    assert_false(b.r.has_back || b.r.back_is_new);
    assert_int_equal(b.plan.step, REFRESH_WAIT);
    wake(&b);
    answer(&b, 3);
    assert_true(b.r.has_back);
    assert_int_equal(b.plan.step, REFRESH_WAIT);
    wake(&b);
    answer(&b, 3);
    assert_int_equal(b.plan.step, REFRESH_TRANSFER);
    transferred(&b, TRANSFER_FAILED, 0); /* the hour begins anew */
    assert_false(b.r.has_back);
    assert_int_equal(b.plan.step, REFRESH_WAIT);
    done(&b);
}

static void test_no_older_serial_is_taken_without_that(void **state)
{
    struct bench b = bench_of(1);

    (void)state;
    for (int i = 0; i < 100; i++) {
        answer(&b, 3);
        assert_int_equal(b.plan.step, REFRESH_WAIT);
        assert_true(b.r.has_back);
        wake(&b);
    }
    assert_int_equal(b.r.serial.v, 10);
    done(&b);
}

static void test_refused_content_is_not_fetched_again(void **state)
{
    struct bench b = bench_of(1);
    int transfers = 0;

    (void)state;
    answer(&b, 10);
    wake(&b);
    answer(&b, 11);
    transferred(&b, TRANSFER_REFUSED, 11);
    assert_int_equal(b.r.failures, 1);
    for (int i = 0; i < 24; i++) { /* about a day: 600 s doubled each time it is fetched */
        wake(&b);
        answer(&b, 11);
        if (b.plan.step == REFRESH_TRANSFER) {
            transferred(&b, TRANSFER_REFUSED, 11);
            transfers++;
        } else {
            assert_true(b.plan.refused);
        }
    }
    assert_in_range(transfers, 3, 7);

    wake(&b);
    answer(&b, 12); /* another serial is another chance */
    assert_int_equal(b.plan.step, REFRESH_TRANSFER);
    transferred(&b, TRANSFER_REFUSED, 12);
    pass(&b, S);
    b.plan = refresh_asked(&b.r, false, true, b.now); /* the operator's wish too */
    answer(&b, 12);
    assert_int_equal(b.plan.step, REFRESH_TRANSFER);
    transferred(&b, TRANSFER_NEW, 12);
    assert_int_equal(b.r.failures, 0);
    done(&b);
}

static void test_refused_first_content_is_probed(void **state)
{
    struct bench b = bench_empty(1);

    (void)state;
    transferred(&b, TRANSFER_REFUSED, 5);
    wake(&b);
    assert_int_equal(b.plan.step, REFRESH_PROBE);
    answer(&b, 5);
    assert_int_equal(b.plan.step, REFRESH_WAIT);
    wake(&b);
    answer(&b, 6);
    assert_int_equal(b.plan.step, REFRESH_TRANSFER);
    done(&b);
}

static void test_expiry(void **state)
{
    struct bench b = bench_of(1);
    int rounds = 0;

    (void)state;
    answer(&b, 10);
    wake(&b);
    while (!b.plan.expire) {
        if (b.plan.step == REFRESH_PROBE) {
            no_answer(&b, PROBE_TIMEOUT);
            rounds++;
        } else {
            wake(&b);
        }
    }
    assert_true(b.r.expired);
    assert_in_range(rounds, 160, 175); /* a week, once an hour */
    assert_int_equal(until_alarm(&b), 5 * S);
    wake(&b);
    assert_int_equal(b.plan.step, REFRESH_TRANSFER);
    assert_true(b.plan.any_serial);
    transferred(&b, TRANSFER_NEW, 3); /* whatever the serial */
    assert_false(b.r.expired);
    assert_int_equal(b.r.serial.v, 3);
    done(&b);
}

static void test_expiry_is_not_before_a_failure(void **state)
{
    struct refresh_start start = {.has_content = true,
                                  .has_serial = true,
                                  .serial = {10},
                                  .next_check = {1600000000},
                                  .expires_at = {1600000000},
                                  .last_success = {1590000000}};
    struct refresh r;
    struct mono now = {5000};
    struct refresh_plan plan;
    struct mono at;
    bool doubtful = false;
    struct probe_report timeout = {.outcome = PROBE_TIMEOUT};

    (void)state;
    refresh_init(&r, &policy, 1, &start, now, boot_wall, &doubtful);
    assert_true(doubtful);
    plan = refresh_wake(&r, now);
    assert_false(plan.expire);
    assert_int_equal(plan.step, REFRESH_PROBE);
    assert_false(refresh_alarm(&r, &at)); /* it may wait in the queue for as long as it takes */
    now.ms += 10000000;
    refresh_started(&r);
    plan = refresh_probed(&r, &timeout, now);
    assert_true(plan.expire);
    assert_true(r.expired);
    refresh_done(&r);
}

static void test_held_zones_do_not_expire(void **state)
{
    struct bench b = bench_of(1);

    (void)state;
    answer(&b, 10);
    refresh_set_zone(&b.r, true, false, true, (struct serial){10});
    for (int i = 0; i < 400; i++) {
        wake(&b);
        no_answer(&b, PROBE_TIMEOUT);
        assert_false(b.plan.expire);
    }
    refresh_set_zone(&b.r, false, false, true, (struct serial){10});
    wake(&b);
    assert_false(b.plan.expire);
    no_answer(&b, PROBE_TIMEOUT);
    assert_true(b.plan.expire);
    done(&b);
}

static void test_notify_while_idle(void **state)
{
    struct bench b = bench_of(2);

    (void)state;
    answer(&b, 10);
    answer(&b, 10);
    pass(&b, 60 * S);
    notify(&b, 1, 11);
    assert_int_equal(b.plan.step, REFRESH_PROBE);
    assert_int_equal(b.plan.primary, 1); /* who sent it is asked first */
    assert_int_equal(b.plan.lane, LANE_URGENT);
    answer(&b, 11);
    transferred(&b, TRANSFER_NEW, 11);
    notify(&b, 1, 12); /* a newer one right behind it goes at once */
    assert_int_equal(b.plan.step, REFRESH_PROBE);
    answer(&b, 12);
    transferred(&b, TRANSFER_NEW, 12);
    done(&b);
}

static void test_notify_while_running_is_kept(void **state)
{
    struct bench b = bench_of(1);

    (void)state;
    answer(&b, 11);
    refresh_started(&b.r);
    for (int i = 0; i < 1000; i++) {
        notify(&b, 0, 12);
        assert_int_equal(b.plan.step, REFRESH_TRANSFER);
    }
    transferred(&b, TRANSFER_NEW, 11);
    assert_int_equal(b.plan.step, REFRESH_PROBE); /* one look for all of them */
    answer(&b, 12);
    transferred(&b, TRANSFER_NEW, 12);
    assert_int_equal(b.plan.step, REFRESH_WAIT);
    assert_int_equal(until_alarm(&b), 3600 * S);
    done(&b);
}

static void test_notify_ahead_of_its_primary(void **state)
{
    struct bench b = bench_of(1);
    int probes = 0;

    (void)state;
    answer(&b, 10);
    pass(&b, 60 * S);
    for (int i = 0; i < 1000; i++) { /* ten seconds of promises that are not kept */
        notify(&b, 0, 4000 + (uint32_t)i);
        if (b.plan.step == REFRESH_PROBE) {
            answer(&b, 10);
            probes++;
        }
        pass(&b, 10);
        b.plan = refresh_wake(&b.r, b.now);
        if (b.plan.step == REFRESH_PROBE) {
            answer(&b, 10);
            probes++;
        }
    }
    assert_in_range(probes, 2, 12);
    done(&b);
}

static void test_notify_of_what_we_have(void **state)
{
    struct bench b = bench_of(1);

    (void)state;
    answer(&b, 10);
    notify(&b, 0, 10);
    assert_int_equal(b.plan.step, REFRESH_WAIT);
    assert_int_equal(until_alarm(&b), 5 * S); /* looked at, but not at once */
    wake(&b);
    assert_int_equal(b.plan.step, REFRESH_PROBE);
    assert_int_equal(b.plan.lane, LANE_URGENT);
    answer(&b, 10);
    assert_int_equal(until_alarm(&b), 3600 * S);
    done(&b);
}

static void test_notify_raises_what_is_queued(void **state)
{
    struct bench b = bench_of(1);

    (void)state;
    assert_int_equal(b.plan.lane, LANE_ROUTINE);
    notify(&b, 0, 11);
    assert_int_equal(b.plan.step, REFRESH_PROBE);
    assert_int_equal(b.plan.lane, LANE_URGENT);
    answer(&b, 10);
    assert_int_equal(b.plan.step, REFRESH_WAIT); /* it has looked since */
    assert_int_equal(until_alarm(&b), 3600 * S);
    done(&b);
}

/* What a person asked for goes before what a NOTIFY began; what we ask ourselves for does not. */
static void test_lanes_of_who_asks(void **state)
{
    struct bench b = bench_of(1);
    struct serial newer = {11};

    (void)state;
    answer(&b, 10);
    b.plan = refresh_notified(&b.r, 0, &newer, b.now);
    assert_int_equal(b.plan.lane, LANE_URGENT);
    b.plan = refresh_asked(&b.r, false, true, b.now); /* what is queued is raised */
    assert_int_equal(b.plan.step, REFRESH_PROBE);
    assert_int_equal(b.plan.lane, LANE_OPERATOR);
    answer(&b, 11);
    assert_int_equal(b.plan.step, REFRESH_TRANSFER);
    assert_int_equal(b.plan.lane, LANE_OPERATOR);
    b.plan = refresh_asked(&b.r, true, false, b.now);
    assert_int_equal(b.plan.lane, LANE_URGENT);
    b.plan = refresh_asked(&b.r, false, true, b.now); /* the transfer is what he waits for */
    assert_int_equal(b.plan.step, REFRESH_TRANSFER);
    assert_int_equal(b.plan.lane, LANE_OPERATOR);
    refresh_started(&b.r);
    b.plan = refresh_asked(&b.r, false, true, b.now); /* and once more, behind it */
    transferred(&b, TRANSFER_NEW, 11);
    assert_int_equal(b.plan.step, REFRESH_PROBE);
    assert_int_equal(b.plan.lane, LANE_OPERATOR);
    answer(&b, 11);
    wake(&b);
    assert_int_equal(b.plan.lane, LANE_ROUTINE);
    done(&b);
}

static void test_retransfer(void **state)
{
    struct bench b = bench_of(2);

    (void)state;
    refresh_started(&b.r); /* a probe runs */
    b.plan = refresh_asked(&b.r, true, true, b.now);
    assert_int_equal(b.plan.step, REFRESH_PROBE);
    answer(&b, 10);
    assert_int_equal(b.plan.step, REFRESH_TRANSFER);
    assert_int_equal(b.plan.primary, 0);
    assert_true(b.plan.any_serial);
    assert_int_equal(b.plan.lane, LANE_OPERATOR);
    transferred(&b, TRANSFER_FAILED, 0);
    assert_int_equal(b.plan.step, REFRESH_TRANSFER);
    assert_int_equal(b.plan.primary, 1);
    transferred(&b, TRANSFER_NEW, 7);
    assert_int_equal(b.r.serial.v, 7);
    assert_int_equal(b.plan.step, REFRESH_WAIT);
    done(&b);
}

static void test_increments_of_no_use_are_followed_by_the_whole_zone(void **state)
{
    struct bench b = bench_of(2);

    (void)state;
    answer(&b, 11);
    assert_int_equal(b.plan.step, REFRESH_TRANSFER);
    assert_false(b.plan.whole);
    transferred(&b, TRANSFER_NOT_INCREMENTAL, 11);
    assert_int_equal(b.plan.step, REFRESH_TRANSFER); /* from the same primary */
    assert_int_equal(b.plan.primary, 0);
    assert_true(b.plan.whole);
    assert_false(b.plan.any_serial);
    transferred(&b, TRANSFER_FAILED, 11);
    assert_int_equal(b.plan.step, REFRESH_PROBE);
    assert_int_equal(b.plan.primary, 1);
    assert_false(b.plan.whole);
    answer(&b, 11);
    transferred(&b, TRANSFER_NEW, 11);
    assert_int_equal(b.plan.step, REFRESH_WAIT);
    notify(&b, 0, 12);
    answer(&b, 12);
    assert_int_equal(b.plan.step, REFRESH_TRANSFER);
    assert_false(b.plan.whole);
    done(&b);
}

static void test_conflict_is_tried_again(void **state)
{
    struct bench b = bench_of(1);

    (void)state;
    b.plan = refresh_asked(&b.r, true, true, b.now);
    transferred(&b, TRANSFER_CONFLICT, 11);
    assert_int_equal(b.plan.step, REFRESH_WAIT);
    assert_int_equal(until_alarm(&b), S);
    assert_int_equal(b.r.failures, 0);
    wake(&b);
    assert_int_equal(b.plan.step, REFRESH_TRANSFER);
    assert_true(b.plan.any_serial);
    done(&b);
}

/* A full disk of ours says nothing of the primary that the version came from. */
static void test_our_disk_is_full(void **state)
{
    struct bench b = bench_of(2);

    (void)state;
    b.plan = refresh_asked(&b.r, true, true, b.now);
    for (int i = 0; i < 3; i++) {
        unsigned at = b.plan.primary;

        transferred(&b, TRANSFER_UNSTORED, 11);
        assert_int_equal(b.plan.step, REFRESH_WAIT);
        assert_int_equal(until_alarm(&b), 15 * S);
        assert_int_equal(b.r.failures, 0);
        assert_int_equal(b.r.primaries[at].failures, 0);
        assert_int_equal(b.r.primaries[at].bad_until.ms, 0);
        wake(&b);
        assert_int_equal(b.plan.step, REFRESH_TRANSFER);
        assert_int_equal(b.plan.primary, at);
    }
    transferred(&b, TRANSFER_NEW, 11);
    assert_int_equal(b.r.failures, 0);
    done(&b);
}

static void test_start_from_stored_timers(void **state)
{
    struct refresh_start start = {.has_content = true,
                                  .has_serial = true,
                                  .serial = {10},
                                  .next_check = {boot_wall.s + 500},
                                  .expires_at = {boot_wall.s + 5000},
                                  .last_success = {boot_wall.s - 100}};
    struct bench b = bench_with(&policy, 1, &start);

    (void)state;
    assert_int_equal(b.plan.step, REFRESH_WAIT);
    assert_int_equal(until_alarm(&b), 500 * S);
    assert_int_equal(b.r.expires.ms - b.now.ms, 5000 * S);
    assert_int_equal(refresh_wall(b.r.due, b.now, boot_wall).s, start.next_check.s);
    done(&b);

    /* The clock went back by years: nothing waits longer than it ever should. */
    start.next_check.s += 1000000000;
    start.expires_at.s += 1000000000;
    start.last_success.s += 1000000000;
    b = bench_with(&policy, 1, &start);
    assert_int_equal(until_alarm(&b), 86400 * S);
    assert_int_equal(b.r.expires.ms - b.now.ms, 5100 * S);
    done(&b);

    start.expired = true;
    b = bench_with(&policy, 1, &start);
    assert_int_equal(b.plan.step, REFRESH_TRANSFER);
    done(&b);
}

/* A zone that came from primary 0, which is given a minute to have what others have. */
static struct bench bench_pinned(void)
{
    struct refresh_policy p = policy;
    struct refresh_start start = {.has_content = false};
    struct bench b;

    p.tolerance_s = 60;
    b = bench_with(&p, 2, &start);
    transferred(&b, TRANSFER_NEW, 10);
    assert_int_equal(b.plan.step, REFRESH_WAIT);
    assert_int_equal(b.r.pinned, 0);
    return b;
}

static void test_ours_has_time_to_get_it_too(void **state)
{
    struct bench b = bench_pinned();

    (void)state;
    notify(&b, 1, 11);
    assert_int_equal(b.plan.primary, 1);
    answer(&b, 11); /* seen, not fetched; ours is asked */
    assert_int_equal(b.plan.primary, 0);
    answer(&b, 10);
    assert_int_equal(b.plan.step, REFRESH_WAIT);
    assert_int_equal(b.r.failures, 0);
    assert_int_equal(until_alarm(&b), 60 * S);
    pass(&b, 5 * S);
    notify(&b, 0, 11); /* there it is */
    while (b.plan.step == REFRESH_WAIT)
        wake(&b);
    answer(&b, 11);
    assert_int_equal(b.plan.step, REFRESH_TRANSFER);
    assert_int_equal(b.plan.primary, 0);
    assert_false(b.plan.whole);
    transferred(&b, TRANSFER_NEW, 11);
    assert_int_equal(until_alarm(&b), 3600 * S);
    done(&b);
}

static void test_a_restart_forgets_nothing(void **state)
{
    struct refresh_policy p = policy;
    struct refresh_start start = {
        .has_content = true, .has_serial = true, .serial = {10}, .has_pinned = true, .pinned = 1};
    struct bench b;

    (void)state;
    p.tolerance_s = 60;
    b = bench_with(&p, 2, &start);
    assert_int_equal(b.plan.primary, 1); /* asked before the one that is first in order */
    answer(&b, 10);
    assert_int_equal(b.plan.primary, 0);
    answer(&b, 11);
    assert_int_equal(b.plan.step, REFRESH_WAIT);
    assert_int_equal(until_alarm(&b), 60 * S);
    done(&b);
    start.pinned = 2; /* there is none such */
    b = bench_with(&p, 2, &start);
    assert_int_equal(b.r.pinned, -1);
    answer(&b, 11);
    assert_int_equal(b.plan.step, REFRESH_TRANSFER);
    done(&b);
}

static void test_then_it_comes_whole_from_elsewhere(void **state)
{
    struct bench b = bench_pinned();

    (void)state;
    notify(&b, 1, 11);
    answer(&b, 11);
    no_answer(&b, PROBE_TIMEOUT); /* ours is gone */
    assert_int_equal(b.plan.step, REFRESH_WAIT);
    wake(&b);
    for (int i = 0; b.plan.step != REFRESH_TRANSFER; i++) {
        assert_true(i < 20);
        if (b.plan.step == REFRESH_WAIT)
            wake(&b);
        else if (b.plan.primary == 1)
            answer(&b, 11);
        else
            no_answer(&b, PROBE_TIMEOUT);
    }
    assert_true(b.now.ms - b.r.ahead.ms >= 60 * S);
    assert_int_equal(b.plan.primary, 1);
    assert_true(b.plan.whole);
    transferred(&b, TRANSFER_NEW, 11);
    assert_int_equal(b.r.pinned, 1);
    assert_false(b.r.ahead_seen);
    done(&b);
}

static void test_what_the_operator_wants_does_not_wait(void **state)
{
    struct bench b = bench_pinned();

    (void)state;
    b.plan = refresh_asked(&b.r, false, true, b.now);
    answer(&b, 10);
    assert_int_equal(b.plan.primary, 1);
    answer(&b, 11);
    assert_int_equal(b.plan.step, REFRESH_TRANSFER);
    assert_true(b.plan.whole);
    done(&b);
}

static void test_who_falls_back_again_is_not_waited_for(void **state)
{
    struct bench b = bench_pinned();

    (void)state;
    notify(&b, 1, 11);
    answer(&b, 11);
    answer(&b, 10);
    wake(&b); /* a minute later it has nothing newer any more */
    while (b.plan.step == REFRESH_PROBE)
        answer(&b, 10);
    assert_int_equal(b.plan.step, REFRESH_WAIT);
    assert_false(b.r.has_ahead);
    assert_int_equal(until_alarm(&b), 3600 * S);
    done(&b);
}

/* Other zones have found that a primary answers nobody. */
static void who_is_silent_is_asked_last(void **state)
{
    struct bench b = bench_of(3);

    (void)state;
    assert_int_equal(b.plan.primary, 0);
    refresh_set_silent(&b.r, 1);
    assert_true(refresh_elsewhere(&b.r, &b.plan, b.now));
    assert_int_equal(b.plan.primary, 1);
    assert_false(refresh_elsewhere(&b.r, &b.plan, b.now));
    no_answer(&b, PROBE_TIMEOUT);
    assert_int_equal(b.plan.primary, 2);
    no_answer(&b, PROBE_TIMEOUT);
    assert_int_equal(b.plan.primary, 0); /* better than nobody */
    assert_false(refresh_elsewhere(&b.r, &b.plan, b.now));
    answer(&b, 10);
    assert_int_equal(b.plan.step, REFRESH_WAIT);
    /* The next round does not begin with it, and does not get to it once somebody has answered. */
    pass(&b, 7200 * S);
    b.plan = refresh_wake(&b.r, b.now);
    assert_int_equal(b.plan.primary, 1);
    answer(&b, 10);
    while (b.plan.step != REFRESH_WAIT) {
        assert_int_not_equal(b.plan.primary, 0);
        answer(&b, 10);
    }
    refresh_done(&b.r);
}

static void silence_stops_nobody_who_must_ask(void **state)
{
    struct bench b = bench_of(1);

    (void)state;
    refresh_set_silent(&b.r, 1); /* there is no other */
    assert_false(refresh_elsewhere(&b.r, &b.plan, b.now));
    answer(&b, 10);
    refresh_done(&b.r);
    b = bench_of(2);
    answer(&b, 10);
    while (b.plan.step != REFRESH_WAIT)
        answer(&b, 10);
    refresh_set_silent(&b.r, 1);
    pass(&b, 600 * S);
    notify(&b, 0, 11); /* it has just spoken */
    if (b.plan.step == REFRESH_WAIT)
        wake(&b);
    assert_int_equal(b.plan.primary, 0);
    assert_false(refresh_elsewhere(&b.r, &b.plan, b.now));
    answer(&b, 10);
    while (b.plan.step != REFRESH_WAIT)
        answer(&b, 10);
    refresh_set_silent(&b.r, 1);
    b.plan = refresh_asked(&b.r, false, true, b.now); /* an operator wants to know */
    refresh_set_silent(&b.r, 1);
    assert_int_equal(b.plan.primary, 0);
    assert_false(refresh_elsewhere(&b.r, &b.plan, b.now));
    refresh_done(&b.r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ours_has_time_to_get_it_too),
        cmocka_unit_test(test_a_restart_forgets_nothing),
        cmocka_unit_test(test_then_it_comes_whole_from_elsewhere),
        cmocka_unit_test(test_what_the_operator_wants_does_not_wait),
        cmocka_unit_test(test_who_falls_back_again_is_not_waited_for),
        cmocka_unit_test(test_up_to_date),
        cmocka_unit_test(test_a_primary_that_is_a_secondary),
        cmocka_unit_test(test_a_version_from_a_secondary),
        cmocka_unit_test(test_newer_is_fetched),
        cmocka_unit_test(test_jitter_shortens_by_a_tenth),
        cmocka_unit_test(test_bounds_of_the_policy),
        cmocka_unit_test(test_retry_doubles_up_to_refresh),
        cmocka_unit_test(test_first_transfer_is_quick_and_patient),
        cmocka_unit_test(test_primaries_in_turn),
        cmocka_unit_test(test_a_stuck_primary_hides_nothing),
        cmocka_unit_test(test_failed_transfer_falls_to_the_next),
        cmocka_unit_test(test_older_serial),
        cmocka_unit_test(test_behind_and_current),
        cmocka_unit_test(test_refused_content_is_not_fetched_again),
        cmocka_unit_test(test_refused_first_content_is_probed),
        cmocka_unit_test(test_expiry),
        cmocka_unit_test(test_expiry_is_not_before_a_failure),
        cmocka_unit_test(test_held_zones_do_not_expire),
        cmocka_unit_test(test_notify_while_idle),
        cmocka_unit_test(test_notify_while_running_is_kept),
        cmocka_unit_test(test_a_serial_that_stays_back_is_accepted),
        cmocka_unit_test(test_who_has_our_serial_ends_the_time_of_one_that_is_back),
        cmocka_unit_test(test_no_older_serial_is_taken_without_that),
        cmocka_unit_test(test_notify_ahead_of_its_primary),
        cmocka_unit_test(test_notify_of_what_we_have),
        cmocka_unit_test(test_notify_raises_what_is_queued),
        cmocka_unit_test(test_lanes_of_who_asks),
        cmocka_unit_test(test_retransfer),
        cmocka_unit_test(test_increments_of_no_use_are_followed_by_the_whole_zone),
        cmocka_unit_test(test_conflict_is_tried_again),
        cmocka_unit_test(test_our_disk_is_full),
        cmocka_unit_test(test_start_from_stored_timers),
        cmocka_unit_test(who_is_silent_is_asked_last),
        cmocka_unit_test(silence_stops_nobody_who_must_ask),
    };

    return cmocka_run_group_tests_name("syncd/refresh", tests, NULL, NULL);
}
