/* Who makes room when all places for TCP connections are taken. Two workers, no sockets. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "authd/idle_board.h"
#include "authd/tcp_internal.h"
#include "lib/base/mem.h"

#define PLACES 4

struct house {
    struct shared shared;
    struct counters counters;
    struct worker *workers[2];
};

static const struct addr nobody;

static int setup(void **state)
{
    struct house *h = xcalloc(1, sizeof(*h));

    h->shared.quota = tcp_quota_new(PLACES, PLACES, clock_real());
    assert_int_equal(idle_board_new(&h->shared.idle_board, 2, NULL), OK);
    for (size_t i = 0; i < 2; i++) {
        h->workers[i] = xcalloc(1, sizeof(*h->workers[i]));
        h->workers[i]->shared = &h->shared;
        h->workers[i]->seat = i;
        h->workers[i]->counters = &h->counters;
    }
    *state = h;
    return 0;
}

static int teardown(void **state)
{
    struct house *h = *state;

    for (size_t i = 0; i < 2; i++) {
        tcp_conn_free_all(h->workers[i]);
        free(h->workers[i]);
    }
    assert_int_equal(tcp_quota_count(h->shared.quota), 0);
    tcp_quota_free(h->shared.quota);
    idle_board_free(h->shared.idle_board);
    free(h);
    return 0;
}

/* Somebody has come, and has been silent since then. */
static void come(struct house *h, size_t seat, int64_t since)
{
    struct worker *w = h->workers[seat];
    struct tcp_conn *c = xcalloc(1, sizeof(*c));

    assert_true(tcp_idle_take_place(w, &nobody));
    c->worker = w;
    c->fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    c->next = w->conns;
    if (w->conns)
        w->conns->prev = c;
    w->conns = c;
    tcp_idle_enter(c, (struct mono){since});
}

/* Since when those of a worker are idle, oldest first, as text. */
static const char *idle(const struct house *h, size_t seat)
{
    static char text[128];
    size_t n = 0;

    text[0] = '\0';
    for (const struct tcp_conn *c = h->workers[seat]->idle_oldest; c; c = c->newer)
        n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%lld", n ? " " : "",
                              (long long)c->idle_since.ms);
    return text;
}

/* The oldest goes, whosever it is. */
static void test_the_oldest_makes_room(void **state)
{
    struct house *h = *state;

    come(h, 0, 1);
    come(h, 1, 2);
    come(h, 1, 3);
    come(h, 0, 4);
    come(h, 1, 5); /* asks worker 0, which has not heard yet */
    assert_string_equal(idle(h, 0), "1 4");
    tcp_idle_asked(h->workers[0]);
    assert_string_equal(idle(h, 0), "4");
    come(h, 1, 6); /* its own */
    assert_string_equal(idle(h, 1), "3 5 6");
    assert_int_equal(tcp_quota_count(h->shared.quota), PLACES);
}

/* A worker that had to wait for a processor is asked several times for the one old connection it
 * has; meanwhile somebody new comes to it, who is not the one to go. */
static void test_a_late_worker_keeps_who_has_just_come(void **state)
{
    struct house *h = *state;

    come(h, 0, 1);
    come(h, 1, 2);
    come(h, 1, 3);
    come(h, 1, 4);
    come(h, 1, 5);
    come(h, 1, 6);
    come(h, 1, 7);
    come(h, 0, 8);
    tcp_idle_asked(h->workers[0]);
    assert_string_equal(idle(h, 0), "8");
    tcp_idle_asked(h->workers[1]); /* what worker 0 asked on for */
    assert_string_equal(idle(h, 1), "5 6 7");
}

/* Who has gone by himself needs nobody to go for him. */
static void test_no_more_go_than_must(void **state)
{
    struct house *h = *state;

    come(h, 0, 1);
    come(h, 0, 2);
    come(h, 1, 3);
    come(h, 1, 4);
    come(h, 1, 5);
    come(h, 1, 6);
    tcp_conn_close(h->workers[1]->idle_newest);
    tcp_conn_close(h->workers[1]->idle_newest);
    tcp_idle_asked(h->workers[0]);
    assert_string_equal(idle(h, 0), "1 2");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_the_oldest_makes_room, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_late_worker_keeps_who_has_just_come, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_no_more_go_than_must, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
