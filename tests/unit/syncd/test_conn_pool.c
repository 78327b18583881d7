/* Connections that stay open for the next question: against a small server that answers each
 * message. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/base/bytes.h"
#include "syncd/conn_pool.h"

enum habit {
    HABIT_KEEPS,
    HABIT_CLOSES,    /* after each answer */
    HABIT_ONE_ONLY,  /* drops a connection on which it is asked again */
    HABIT_SAYS_MORE, /* sends something that nobody asked for, a little later */
};

#define CONNS 8

struct world {
    struct loop *loop;
    struct conn_pool *pool;
    enum habit habit;
    int listener;
    struct event *accepting, *reading[CONNS];
    int conns[CONNS];
    unsigned accepted, answers[CONNS];
    struct tcpconn_spec spec;

    /* one question */
    struct tcpconn *conn;
    bool reused, answered, failed;
};

/* ---- The server ---- */

static void on_question(evutil_socket_t fd, short what, void *ctx)
{
    struct world *w = ctx;
    uint8_t wire[64];
    ssize_t n = recv(fd, wire, sizeof(wire), 0);
    unsigned i = 0;

    (void)what;
    while (w->conns[i] != fd)
        i++;
    if (n <= 0 || (w->habit == HABIT_ONE_ONLY && w->answers[i] == 1)) {
        (void)event_del(w->reading[i]);
        (void)shutdown(fd, SHUT_RDWR);
        return;
    }
    w->answers[i]++;
    assert_int_equal(send(fd, wire, (size_t)n, MSG_NOSIGNAL), n);
    if (w->habit == HABIT_CLOSES)
        (void)shutdown(fd, SHUT_WR);
    if (w->habit == HABIT_SAYS_MORE)
        (void)!send(fd, wire, (size_t)n, MSG_NOSIGNAL);
}

static void on_accept(evutil_socket_t fd, short what, void *ctx)
{
    struct world *w = ctx;
    unsigned i = w->accepted++;

    (void)what;
    assert_true(i < CONNS);
    w->conns[i] = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    assert_true(w->conns[i] >= 0);
    w->reading[i] =
        event_new(loop_base(w->loop), w->conns[i], EV_READ | EV_PERSIST, on_question, w);
    assert_int_equal(event_add(w->reading[i], NULL), 0);
}

static void world_start(struct world *w, enum habit habit)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t n = sizeof(in);

    *w = (struct world){.habit = habit};
    assert_int_equal(loop_new(&w->loop, clock_real(), 1, NULL), OK);
    w->pool = conn_pool_new(w->loop);
    w->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(w->listener, (struct sockaddr *)&in, n), 0);
    assert_int_equal(listen(w->listener, 5), 0);
    assert_int_equal(getsockname(w->listener, (struct sockaddr *)&in, &n), 0);
    assert_true(addr_from_sockaddr(&w->spec.peer, (struct sockaddr *)&in));
    w->spec.connect_ms = w->spec.idle_ms = 5000;
    w->accepting = event_new(loop_base(w->loop), w->listener, EV_READ | EV_PERSIST, on_accept, w);
    assert_int_equal(event_add(w->accepting, NULL), 0);
}

static void world_stop(struct world *w)
{
    conn_pool_free(w->pool);
    event_free(w->accepting);
    for (unsigned i = 0; i < w->accepted; i++) {
        event_free(w->reading[i]);
        (void)close(w->conns[i]);
    }
    (void)close(w->listener);
    loop_free(w->loop);
}

/* ---- Asking ---- */

static void on_ready(void *ctx)
{
    struct world *w = ctx;

    tcpconn_send(w->conn, (const uint8_t *)"question", 8);
}

static bool on_answer(void *ctx, const uint8_t *wire, size_t len)
{
    struct world *w = ctx;

    assert_int_equal(len, 8);
    assert_memory_equal(wire, "question", 8);
    w->answered = true;
    conn_pool_give(w->pool, w->conn);
    w->conn = NULL;
    loop_stop(w->loop);
    return false;
}

static void on_over(void *ctx, enum err rc, const struct errinfo *e)
{
    struct world *w = ctx;

    (void)rc;
    (void)e;
    w->failed = true;
    tcpconn_close(w->conn);
    w->conn = NULL;
    loop_stop(w->loop);
}

/* True: answered. */
static bool ask(struct world *w)
{
    static const struct tcpconn_events events = {on_ready, on_answer, on_over};

    w->answered = w->failed = false;
    w->conn = conn_pool_take(w->pool, w->loop, &w->spec, &events, w, &w->reused);
    if (w->reused)
        on_ready(w);
    loop_run(w->loop);
    assert_true(w->answered != w->failed);
    return w->answered;
}

/* What is on its way has come. */
static void settle(struct world *w)
{
    for (int i = 0; i < 20; i++)
        (void)event_base_loop(loop_base(w->loop), EVLOOP_NONBLOCK);
}

/* ---- Stories ---- */

static void test_many_questions_one_connection(void **state)
{
    struct world w;

    (void)state;
    world_start(&w, HABIT_KEEPS);
    for (int i = 0; i < 20; i++) {
        assert_true(ask(&w));
        assert_int_equal(w.reused, i > 0);
    }
    assert_int_equal(w.accepted, 1);
    conn_pool_clear(w.pool);
    assert_true(ask(&w));
    assert_false(w.reused);
    assert_int_equal(w.accepted, 2);
    world_stop(&w);
}

static void test_other_source_other_connection(void **state)
{
    struct world w;

    (void)state;
    world_start(&w, HABIT_KEEPS);
    assert_true(ask(&w));
    assert_int_equal(addr_from_text(&w.spec.source, "127.0.0.2", 0, NULL), OK);
    assert_true(ask(&w));
    assert_false(w.reused);
    world_stop(&w);
}

static void test_closed_while_it_waited(void **state)
{
    struct world w;

    (void)state;
    world_start(&w, HABIT_CLOSES);
    for (int i = 0; i < 3; i++) {
        assert_true(ask(&w));
        assert_false(w.reused);
        settle(&w);
    }
    world_stop(&w);
}

static void test_what_nobody_asked_for(void **state)
{
    struct world w;

    (void)state;
    world_start(&w, HABIT_SAYS_MORE);
    for (int i = 0; i < 3; i++) {
        assert_true(ask(&w));
        assert_false(w.reused);
        settle(&w);
    }
    world_stop(&w);
}

static void test_one_question_only(void **state)
{
    struct world w;

    (void)state;
    world_start(&w, HABIT_ONE_ONLY);
    assert_true(ask(&w));
    for (int i = 0; i < 2; i++) {
        assert_false(ask(&w)); /* on the one that waited */
        assert_true(w.reused);
        conn_pool_failed(w.pool, &w.spec);
        assert_true(ask(&w));
        assert_false(w.reused);
        if (i == 0)
            continue;
        assert_true(ask(&w)); /* by now it is known */
        assert_false(w.reused);
    }
    world_stop(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_many_questions_one_connection),
                                       cmocka_unit_test(test_other_source_other_connection),
                                       cmocka_unit_test(test_closed_while_it_waited),
                                       cmocka_unit_test(test_what_nobody_asked_for),
                                       cmocka_unit_test(test_one_question_only)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
