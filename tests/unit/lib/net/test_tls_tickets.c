#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <string.h>

#include "lib/net/tls_tickets.h"

static struct mono now;
static uint8_t counter;

static struct mono fake_mono(void *ctx)
{
    (void)ctx;
    return now;
}

static struct wall fake_wall(void *ctx)
{
    (void)ctx;
    return (struct wall){0};
}

static void fake_random(void *ctx, void *out, size_t n)
{
    (void)ctx;
    memset(out, ++counter, n);
}

static const struct clock fake = {.mono = fake_mono, .wall = fake_wall, .random = fake_random};

static void a_key_opens_for_two_periods(void **state)
{
    struct tls_tickets *t = tls_tickets_new(&fake);
    struct tls_ticket_key first, second, got;
    bool old = true;

    (void)state;
    tls_tickets_newest(t, &first);
    now.ms += TLS_TICKET_KEY_MS - 1;
    tls_tickets_newest(t, &got);
    assert_memory_equal(&got, &first, sizeof(got));
    assert_true(tls_tickets_find(t, first.name, &got, &old));
    assert_false(old);

    now.ms += 1;
    tls_tickets_newest(t, &second);
    assert_memory_not_equal(second.name, first.name, sizeof(first.name));
    assert_memory_not_equal(second.cipher, first.cipher, sizeof(first.cipher));
    assert_true(tls_tickets_find(t, first.name, &got, &old));
    assert_true(old);
    assert_memory_equal(&got, &first, sizeof(got));
    assert_true(tls_tickets_find(t, second.name, &got, &old));
    assert_false(old);

    now.ms += TLS_TICKET_KEY_MS;
    assert_false(tls_tickets_find(t, first.name, &got, &old));
    assert_true(tls_tickets_find(t, second.name, &got, &old));
    assert_true(old);
    tls_tickets_free(t);
}

static void after_a_long_silence_all_are_old(void **state)
{
    struct tls_tickets *t = tls_tickets_new(&fake);
    struct tls_ticket_key first, got;
    bool old;

    (void)state;
    tls_tickets_newest(t, &first);
    now.ms += INT64_C(2) * TLS_TICKET_KEY_MS;
    assert_false(tls_tickets_find(t, first.name, &got, &old));
    tls_tickets_free(t);
    tls_tickets_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_key_opens_for_two_periods),
                                       cmocka_unit_test(after_a_long_silence_all_are_old)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
