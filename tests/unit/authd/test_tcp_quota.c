/* The places for TCP connections. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "authd/tcp_quota.h"

static struct addr addr_of(const char *text)
{
    struct addr a;

    assert_int_equal(addr_from_text(&a, text, 1000, NULL), OK);
    return a;
}

static void test_quota(void **state)
{
    struct tcp_quota *q = tcp_quota_new(5, 2, clock_real());
    struct addr a = addr_of("192.0.2.1"), a2 = addr_of("192.0.2.1@7"), b = addr_of("192.0.2.2");
    struct addr x = addr_of("2001:db8:0:1::1"), y = addr_of("2001:db8:0:1:ffff::2");
    struct addr z = addr_of("2001:db8:0:2::1");

    (void)state;
    assert_int_equal(tcp_quota_take(q, &a, 0), TCP_PLACE_TAKEN);
    assert_int_equal(tcp_quota_take(q, &a2, 0), TCP_PLACE_TAKEN); /* the port does not count */
    assert_int_equal(tcp_quota_take(q, &a, 0), TCP_PLACE_SOURCE_FULL);
    assert_int_equal(tcp_quota_take(q, &x, 0), TCP_PLACE_TAKEN);
    assert_int_equal(tcp_quota_take(q, &y, 0), TCP_PLACE_TAKEN); /* of the same /64 */
    assert_int_equal(tcp_quota_take(q, &x, 0), TCP_PLACE_SOURCE_FULL);
    assert_int_equal(tcp_quota_take(q, &z, 0), TCP_PLACE_TAKEN);
    assert_int_equal(tcp_quota_count(q), 5);
    assert_int_equal(tcp_quota_take(q, &b, 0), TCP_PLACE_NONE); /* the total */
    tcp_quota_give(q, &a);
    assert_int_equal(tcp_quota_take(q, &b, 0), TCP_PLACE_TAKEN);
    tcp_quota_limit(q, 1, 1); /* who is in stays in */
    assert_int_equal(tcp_quota_count(q), 5);
    tcp_quota_give(q, &a2);
    tcp_quota_give(q, &b);
    tcp_quota_give(q, &x);
    tcp_quota_give(q, &y);
    assert_int_equal(tcp_quota_take(q, &a, 0), TCP_PLACE_NONE);
    assert_int_equal(tcp_quota_take(q, &z, 0), TCP_PLACE_SOURCE_FULL); /* for whom none is freed */
    assert_int_equal(tcp_quota_take(q, &a, 1), TCP_PLACE_TAKEN);       /* one is being freed */
    assert_int_equal(tcp_quota_take(q, &b, 1), TCP_PLACE_NONE);
    tcp_quota_give(q, &z);
    tcp_quota_give(q, &a);
    assert_int_equal(tcp_quota_count(q), 0);
    tcp_quota_free(q);
}

/* A connection that comes through a balancer is nobody's until its header is there. */
static void test_quota_claim(void **state)
{
    struct tcp_quota *q = tcp_quota_new(4, 1, clock_real());
    struct addr a = addr_of("192.0.2.1");
    struct addr nobody = {.family = 0};

    (void)state;
    for (int i = 0; i < 4; i++)
        assert_int_equal(tcp_quota_take(q, &nobody, 0), TCP_PLACE_TAKEN);
    assert_int_equal(tcp_quota_take(q, &nobody, 0), TCP_PLACE_NONE);
    assert_true(tcp_quota_claim(q, &a));
    assert_false(tcp_quota_claim(q, &a));
    assert_int_equal(tcp_quota_count(q), 4);
    tcp_quota_give(q, &nobody);
    assert_int_equal(tcp_quota_take(q, &a, 0), TCP_PLACE_SOURCE_FULL);
    tcp_quota_give(q, &a);
    assert_int_equal(tcp_quota_take(q, &a, 0), TCP_PLACE_TAKEN);
    tcp_quota_give(q, &a);
    tcp_quota_give(q, &nobody);
    tcp_quota_give(q, &nobody);
    assert_int_equal(tcp_quota_count(q), 0);
    tcp_quota_free(q);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_quota),
        cmocka_unit_test(test_quota_claim),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
