/* A connection that syncd goes on with: octets go both ways, bounded, and ends are passed on. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "authd/grace.h"
#include "authd/tcp_internal.h"
#include "lib/base/mem.h"

#define MUCH (1u << 20)

struct world {
    struct shared shared;
    struct worker *w;
    struct config config;
    int client; /* its end of the connection */
    int syncd;  /* its end of the pair */
};

static uint8_t sample[MUCH];

static int begin(void **state)
{
    struct world *x = xcalloc(1, sizeof(*x));
    struct tcp_arrival a = {.source = {.family = 4}, .destination = {.family = 4}};
    int ends[2];

    for (size_t i = 0; i < MUCH; i++)
        sample[i] = (uint8_t)(i * 31 >> 4);
    grace_register();
    x->config = (struct config){.tcp_write_ms = 10000, .tcp_pipeline = 10, .tcp_first_ms = 10000};
    x->shared.clock = clock_real();
    x->shared.quota = tcp_quota_new(10, 10, clock_real());
    assert_int_equal(idle_board_new(&x->shared.idle_board, 1, NULL), OK);
    atomic_init(&x->shared.config, &x->config);
    atomic_init(&x->shared.tls, NULL);
    x->w = xcalloc(1, sizeof(*x->w));
    x->w->shared = &x->shared;
    x->w->base = event_base_new();
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
    a.fd = ends[0];
    a.place = a.source;
    x->client = ends[1];
    assert_int_equal(tcp_quota_take(x->shared.quota, &a.place, 0), TCP_PLACE_TAKEN);
    tcp_conn_open(x->w, &a);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
    x->syncd = ends[1];
    assert_true(tcp_relay_start(x->w->conns, ends[0]));
    tcp_conn_relay(x->w->conns);
    *state = x;
    return 0;
}

static int finish(void **state)
{
    struct world *x = *state;

    tcp_conn_free_all(x->w);
    event_base_free(x->w->base);
    free(x->w);
    (void)close(x->client);
    (void)close(x->syncd);
    assert_int_equal(tcp_quota_count(x->shared.quota), 0);
    tcp_quota_free(x->shared.quota);
    idle_board_free(x->shared.idle_board);
    free(x);
    grace_unregister();
    return 0;
}

static void turn(struct world *x)
{
    assert_true(event_base_loop(x->w->base, EVLOOP_NONBLOCK) >= 0);
}

/* Sends all of the sample from one end, reads it at the other. */
static void carry(struct world *x, int from, int to)
{
    static uint8_t got[MUCH];
    size_t sent = 0, have = 0;

    while (have < MUCH) {
        ssize_t k = sent < MUCH ? send(from, sample + sent, MUCH - sent, MSG_DONTWAIT) : 0;

        sent += k > 0 ? (size_t)k : 0;
        turn(x);
        k = recv(to, got + have, MUCH - have, MSG_DONTWAIT);
        have += k > 0 ? (size_t)k : 0;
    }
    assert_memory_equal(got, sample, MUCH);
}

static bool at_end(int fd)
{
    uint8_t octet;

    return recv(fd, &octet, 1, MSG_DONTWAIT) == 0;
}

static void octets_go_both_ways(void **state)
{
    struct world *x = *state;

    carry(x, x->client, x->syncd);
    carry(x, x->syncd, x->client);
    assert_false(x->w->conns->idle); /* nobody makes it give way */
}

static void who_does_not_read_stops_the_other(void **state)
{
    struct world *x = *state;
    size_t sent = 0;
    ssize_t k;

    for (int still = 0; still < 50; still++) { /* until nothing moves any more */
        while ((k = send(x->syncd, sample, sizeof(sample), MSG_DONTWAIT)) > 0) {
            sent += (size_t)k;
            still = 0;
        }
        turn(x);
        assert_true(x->w->conns->out.len <= (64u << 10) + TCP_READ_BYTES);
    }
    assert_true(sent < 8 * MUCH);
    while (sent > 0) {
        k = recv(x->client, sample, sizeof(sample), MSG_DONTWAIT);
        sent -= k > 0 ? (size_t)k : 0;
        turn(x);
    }
    assert_non_null(x->w->conns);
}

static void syncd_ends(void **state)
{
    struct world *x = *state;
    char buf[8];

    assert_int_equal(send(x->syncd, "the end", 7, 0), 7);
    assert_int_equal(shutdown(x->syncd, SHUT_RDWR), 0);
    turn(x);
    turn(x);
    assert_int_equal(recv(x->client, buf, sizeof(buf), 0), 7);
    assert_true(at_end(x->client));
    assert_int_equal(x->w->conns->phase, TCP_LINGER);
    assert_int_equal(send(x->client, "late", 4, 0), 4);
    assert_int_equal(shutdown(x->client, SHUT_WR), 0);
    for (int i = 0; i < 4; i++)
        turn(x);
    assert_null(x->w->conns);
}

static void the_client_ends(void **state)
{
    struct world *x = *state;
    char buf[8];

    assert_int_equal(send(x->client, "query", 5, 0), 5);
    assert_int_equal(shutdown(x->client, SHUT_WR), 0);
    turn(x);
    turn(x);
    assert_int_equal(recv(x->syncd, buf, sizeof(buf), 0), 5);
    assert_true(at_end(x->syncd));
    assert_int_equal(send(x->syncd, "answer", 6, 0), 6); /* half-closed: it still gets it */
    assert_int_equal(shutdown(x->syncd, SHUT_WR), 0);
    turn(x);
    turn(x);
    assert_int_equal(recv(x->client, buf, sizeof(buf), 0), 6);
    assert_true(at_end(x->client));
    assert_null(x->w->conns);
}

static void the_client_breaks(void **state)
{
    struct world *x = *state;

    (void)close(x->client);
    x->client = -1;
    assert_int_equal(send(x->syncd, "x", 1, 0), 1);
    for (int i = 0; i < 4; i++)
        turn(x);
    assert_null(x->w->conns);
    assert_int_equal(send(x->syncd, "x", 1, MSG_NOSIGNAL), -1);
    assert_int_equal(errno, EPIPE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(octets_go_both_ways, begin, finish),
        cmocka_unit_test_setup_teardown(who_does_not_read_stops_the_other, begin, finish),
        cmocka_unit_test_setup_teardown(syncd_ends, begin, finish),
        cmocka_unit_test_setup_teardown(the_client_ends, begin, finish),
        cmocka_unit_test_setup_teardown(the_client_breaks, begin, finish),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
