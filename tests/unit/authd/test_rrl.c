/* Rates, networks, names, slips and a full table, by a clock of our own; and many threads at once.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "authd/rrl.h"

#define SECOND UINT64_C(1000000000)
#define THREADS 4
#define ROUNDS 5000

static uint64_t now = 1000 * SECOND;

static struct config settings(uint32_t rate)
{
    return (struct config){.rrl = true,
                           .rrl_rate = rate,
                           .rrl_negative_rate = rate,
                           .rrl_referral_rate = rate,
                           .rrl_error_rate = rate,
                           .rrl_slip = 2,
                           .rrl_ipv4_prefix = 24,
                           .rrl_ipv6_prefix = 56};
}

static struct addr address(const char *text)
{
    struct addr a;

    assert_int_equal(addr_from_text(&a, text, 53, NULL), OK);
    return a;
}

static enum rrl_verdict check(struct rrl *r, const struct config *c, const char *source,
                              enum answer_kind kind, const char *name)
{
    struct addr a = address(source);
    struct rrl_answer answer = {.source = &a, .kind = kind, .name = (const uint8_t *)name};

    return rrl_check(r, c, &answer, now);
}

static enum rrl_verdict data(struct rrl *r, const struct config *c, const char *source)
{
    return check(r, c, source, ANSWER_DATA, "\1a\4test");
}

/* How many of n answers pass now. */
static unsigned passes(struct rrl *r, const struct config *c, const char *source, unsigned n)
{
    unsigned k = 0;

    while (n-- > 0)
        k += data(r, c, source) == RRL_PASS;
    return k;
}

static void a_bucket_holds_a_second_and_fills_at_the_rate(void **state)
{
    static const uint32_t rates[] = {1, 3, 10, 200, 1000, 100000};

    (void)state;
    for (size_t i = 0; i < sizeof(rates) / sizeof(rates[0]); i++) {
        struct rrl *r = rrl_new(512, clock_real());
        struct config c = settings(rates[i]);
        /* 64 ns are a cost's grain: 0.16% at the largest rate */
        unsigned slack = rates[i] / 500;
        unsigned n = passes(r, &c, "192.0.2.1", rates[i] * 2);

        assert_in_range(n, rates[i], rates[i] + slack);
        assert_int_equal(passes(r, &c, "192.0.2.1", 5), 0);
        now += SECOND / 2;
        n = passes(r, &c, "192.0.2.1", rates[i] * 2);
        assert_in_range(n, rates[i] / 2, rates[i] / 2 + slack);
        now += 3600 * SECOND; /* it holds no more, however long it waits */
        n = passes(r, &c, "192.0.2.1", rates[i] * 2);
        assert_in_range(n, rates[i], rates[i] + slack);
        rrl_free(r);
    }
    rrl_free(NULL);
}

static void what_stays_below_the_rate_always_passes(void **state)
{
    struct rrl *r = rrl_new(512, clock_real());
    struct config c = settings(10);

    (void)state;
    /* Over a day, and so over the wrap of the time in a bucket. */
    for (unsigned i = 0; i < 86400 * 10; i += 10) {
        assert_int_equal(passes(r, &c, "192.0.2.1", 10), 10);
        now += SECOND;
    }
    rrl_free(r);
}

static void a_network_is_what_the_prefix_says(void **state)
{
    struct rrl *r = rrl_new(512, clock_real());
    struct config c = settings(1);

    (void)state;
    assert_int_equal(data(r, &c, "192.0.2.1"), RRL_PASS);
    assert_int_equal(data(r, &c, "192.0.2.255"), RRL_DROP);
    assert_int_equal(data(r, &c, "192.0.3.1"), RRL_PASS);
    assert_int_equal(data(r, &c, "2001:db8:0:1200::1"), RRL_PASS);
    assert_int_equal(data(r, &c, "2001:db8:0:12ff:ffff::"), RRL_DROP);
    assert_int_equal(data(r, &c, "2001:db8:0:1300::1"), RRL_PASS);
    c.rrl_ipv4_prefix = 32;
    c.rrl_ipv6_prefix = 61;
    assert_int_equal(data(r, &c, "192.0.2.1"), RRL_PASS);
    assert_int_equal(data(r, &c, "192.0.2.2"), RRL_PASS);
    assert_int_equal(data(r, &c, "192.0.2.2"), RRL_DROP);
    assert_int_equal(data(r, &c, "2001:db8:0:1208::"), RRL_PASS);
    assert_int_equal(data(r, &c, "2001:db8:0:120f::"), RRL_DROP);
    assert_int_equal(data(r, &c, "2001:db8:0:1210::"), RRL_PASS);
    c.rrl_ipv4_prefix = 1;
    assert_int_equal(data(r, &c, "10.0.0.1"), RRL_PASS);
    assert_int_equal(data(r, &c, "127.0.0.1"), RRL_DROP);
    assert_int_equal(data(r, &c, "128.0.0.1"), RRL_PASS);
    rrl_free(r);
}

static void kinds_and_names_are_apart(void **state)
{
    struct rrl *r = rrl_new(512, clock_real());
    struct config c = settings(1);
    const char *net = "192.0.2.1";

    (void)state;
    assert_int_equal(check(r, &c, net, ANSWER_DATA, "\1a\4test"), RRL_PASS);
    assert_int_equal(check(r, &c, net, ANSWER_DATA, "\1b\4test"), RRL_PASS);
    assert_int_equal(check(r, &c, net, ANSWER_REFERRAL, "\1a\4test"), RRL_PASS);
    assert_int_equal(check(r, &c, net, ANSWER_NO_NAME, "\4test"), RRL_PASS);
    assert_int_equal(check(r, &c, net, ANSWER_NO_TYPE, "\4test"), RRL_DROP);
    assert_int_equal(check(r, &c, net, ANSWER_NO_NAME, "\5other"), RRL_PASS);
    assert_int_equal(check(r, &c, net, ANSWER_ERROR, NULL), RRL_PASS);
    assert_int_equal(check(r, &c, net, ANSWER_ERROR, NULL), RRL_DROP);
    assert_int_equal(check(r, &c, net, ANSWER_DATA, "\1a\4test"), RRL_DROP);

    /* Each kind has its rate, and 0 is any number. */
    now += 10 * SECOND;
    c.rrl_negative_rate = 0;
    c.rrl_referral_rate = 2;
    for (int i = 0; i < 100; i++)
        assert_int_equal(check(r, &c, net, ANSWER_NO_NAME, "\4test"), RRL_PASS);
    assert_int_equal(check(r, &c, net, ANSWER_REFERRAL, "\1a\4test"), RRL_PASS);
    assert_int_equal(check(r, &c, net, ANSWER_REFERRAL, "\1a\4test"), RRL_PASS);
    assert_int_equal(check(r, &c, net, ANSWER_REFERRAL, "\1a\4test"), RRL_DROP);
    c.rrl = false;
    assert_int_equal(check(r, &c, net, ANSWER_REFERRAL, "\1a\4test"), RRL_PASS);
    rrl_free(r);
}

static void each_nth_slips(void **state)
{
    static const uint32_t slips[] = {0, 1, 2, 3, 15};

    (void)state;
    for (size_t i = 0; i < sizeof(slips) / sizeof(slips[0]); i++) {
        struct rrl *r = rrl_new(512, clock_real());
        struct config c = settings(1);

        c.rrl_slip = slips[i];
        assert_int_equal(data(r, &c, "192.0.2.1"), RRL_PASS);
        for (uint32_t n = 1; n <= 60; n++) {
            bool slip = slips[i] > 0 && n % slips[i] == 0;

            assert_int_equal(data(r, &c, "192.0.2.1"), slip ? RRL_SLIP : RRL_DROP);
        }
        rrl_free(r);
    }
}

static void exempt_networks_and_log_only(void **state)
{
    struct rrl *r = rrl_new(512, clock_real());
    struct config c = settings(1);
    struct addr_prefix list[2];

    (void)state;
    assert_int_equal(addr_prefix_from_text(&list[0], "198.51.100.0/25", NULL), OK);
    assert_int_equal(addr_prefix_from_text(&list[1], "2001:db8::/32", NULL), OK);
    c.rrl_exempt = list;
    c.rrl_exempt_count = 2;
    assert_int_equal(passes(r, &c, "198.51.100.1", 50), 50);
    assert_int_equal(passes(r, &c, "2001:db8::1", 50), 50);
    assert_int_equal(passes(r, &c, "198.51.100.200", 50), 0); /* its /24 has had its share */
    c.rrl_log_only = true;
    assert_int_equal(data(r, &c, "198.51.100.200"), RRL_OVER);
    rrl_free(r);
}

/* However many networks there are: the flood's bucket stays, and new ones are let pass. */
static void a_full_table_keeps_the_most_active(void **state)
{
    struct rrl *r = rrl_new(512, clock_real());
    struct config c = settings(10);
    unsigned passed = 0;

    (void)state;
    assert_int_equal(passes(r, &c, "192.0.2.1", 100), 10);
    for (unsigned i = 0; i < 100000; i++) {
        struct addr a = {.family = 4, .ip = {10, (uint8_t)(i >> 8), (uint8_t)i, 1}};
        struct rrl_answer answer = {
            .source = &a, .kind = ANSWER_DATA, .name = (const uint8_t *)"\4test"};

        a.ip[0] = (uint8_t)(10 + (i >> 16));
        passed += rrl_check(r, &c, &answer, now) == RRL_PASS;
    }
    assert_in_range(passed, 99900, 100000); /* a tag may be met twice */
    assert_int_equal(passes(r, &c, "192.0.2.1", 100), 0);
    now += SECOND;
    assert_int_equal(passes(r, &c, "192.0.2.1", 100), 10);
    rrl_free(r);
}

/* A worker's look at the clock may be a batch older than another's. */
static void a_clock_a_little_behind_empties_nothing(void **state)
{
    struct rrl *r = rrl_new(512, clock_real());
    struct config c = settings(10);

    (void)state;
    assert_int_equal(passes(r, &c, "192.0.2.1", 20), 10);
    now -= SECOND / 100;
    assert_int_equal(passes(r, &c, "192.0.2.1", 20), 0);
    now += SECOND / 100;
    rrl_free(r);
}

struct flood {
    struct rrl *r;
    const struct config *c;
    unsigned passed;
};

static void *flood(void *ctx)
{
    struct flood *f = ctx;
    struct addr a = {.family = 4, .ip = {192, 0, 2, 1}};
    struct rrl_answer answer = {
        .source = &a, .kind = ANSWER_DATA, .name = (const uint8_t *)"\4test"};

    for (int i = 0; i < ROUNDS; i++)
        f->passed += rrl_check(f->r, f->c, &answer, 5000 * SECOND) == RRL_PASS;
    return NULL;
}

/* The rate is the server's, not a worker's: exactly so, since a token is taken by one alone. */
static void threads_share_one_rate(void **state)
{
    struct rrl *r = rrl_new(512, clock_real());
    struct config c = settings(1000);
    pthread_t threads[THREADS];
    struct flood floods[THREADS];
    unsigned passed = 0;

    (void)state;
    for (int i = 0; i < THREADS; i++) {
        floods[i] = (struct flood){.r = r, .c = &c};
        assert_int_equal(pthread_create(&threads[i], NULL, flood, &floods[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        passed += floods[i].passed;
    }
    assert_int_equal(passed, 1000);
    rrl_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_bucket_holds_a_second_and_fills_at_the_rate),
        cmocka_unit_test(what_stays_below_the_rate_always_passes),
        cmocka_unit_test(a_network_is_what_the_prefix_says),
        cmocka_unit_test(kinds_and_names_are_apart),
        cmocka_unit_test(each_nth_slips),
        cmocka_unit_test(exempt_networks_and_log_only),
        cmocka_unit_test(a_full_table_keeps_the_most_active),
        cmocka_unit_test(a_clock_a_little_behind_empties_nothing),
        cmocka_unit_test(threads_share_one_rate),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
