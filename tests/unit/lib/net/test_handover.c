#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/net/handover.h"

static const uint8_t zone[] = "\7example\4test";
static const uint8_t message[] = {1, 2, 3, 4, 5};

/* vouched for, a pin, two names */
static const uint8_t identity[1 + TLS_PIN_OCTETS + 1 + 4] = {
    1, [1 + TLS_PIN_OCTETS] = 2, 1, 'a', 1, 'b'};

static const struct ho_frame frames[] = {
    {.type = HO_HELLO, .role = HO_WORKER},
    {.type = HO_HELLO, .id = 9, .role = HO_UPDATER},
    {.type = HO_MESSAGE,
     .id = UINT64_MAX,
     .transport = HO_TCP,
     .source = {.family = 4, .port = 53, .ip = {192, 0, 2, 1}},
     .destination = {.family = 6, .port = 5353, .ip = {0x20, 1, 0xd, 0xb8}},
     .wire = message,
     .wire_len = sizeof(message),
     .answer = message,
     .answer_len = 2},
    {.type = HO_MESSAGE, .transport = HO_UDP, .wire = message, .wire_len = 5},
    {.type = HO_STREAM,
     .transport = HO_TLS,
     .source = {.family = 4, .port = 40000, .ip = {192, 0, 2, 1}},
     .identity = identity,
     .identity_len = sizeof(identity),
     .wire = message,
     .wire_len = 5},
    {.type = HO_REPLY, .id = 3, .wire = message, .wire_len = 5},
    {.type = HO_REPLY, .id = 4},
    {.type = HO_HINT, .seq = UINT64_C(1) << 40},
    {.type = HO_TELL,
     .state = HO_EXPIRED,
     .serial = {UINT32_MAX},
     .version = 7,
     .seq = 8,
     .records = 9,
     .sha256 = {1, 2, 3}},
};

static void assert_same(const struct ho_frame *a, const struct ho_frame *b)
{
    struct buf x = BUF_INIT;
    struct buf y = BUF_INIT;

    ho_encode(&x, a);
    ho_encode(&y, b);
    assert_int_equal(x.len, y.len);
    assert_memory_equal(x.data, y.data, x.len);
    buf_free(&x);
    buf_free(&y);
}

static struct ho_frame ask_frame(void)
{
    struct ho_frame f = {.type = HO_ASK, .id = 5};

    (void)name_copy(f.zone, zone);
    return f;
}

static void each_frame_comes_back_as_it_was(void **state)
{
    struct ho_frame ask = ask_frame();

    (void)state;
    for (size_t i = 0; i <= sizeof(frames) / sizeof(frames[0]); i++) {
        const struct ho_frame *f = i < sizeof(frames) / sizeof(frames[0]) ? &frames[i] : &ask;
        struct buf b = BUF_INIT;
        struct ho_frame got;

        ho_encode(&b, f);
        assert_int_equal(ho_decode(&got, b.data, b.len, NULL), OK);
        assert_same(f, &got);
        buf_free(&b);
    }
}

static void a_frame_cut_or_lengthened_is_refused(void **state)
{
    struct ho_frame ask = ask_frame();

    (void)state;
    for (size_t i = 0; i <= sizeof(frames) / sizeof(frames[0]); i++) {
        const struct ho_frame *f = i < sizeof(frames) / sizeof(frames[0]) ? &frames[i] : &ask;
        struct buf b = BUF_INIT;
        struct ho_frame got;
        struct errinfo e = {{0}};

        ho_encode(&b, f);
        for (size_t n = 0; n < b.len; n++) {
            uint8_t *cut = malloc(n ? n : 1); /* exact size, so that a read beyond it is seen */
            memcpy(cut, b.data, n);
            assert_int_equal(ho_decode(&got, cut, n, &e), ERR_FORMAT);
            free(cut);
        }
        buf_u8(&b, 0);
        assert_int_equal(ho_decode(&got, b.data, b.len, &e), ERR_FORMAT);
        assert_non_null(strstr(e.text, "malformed hand-over frame"));
        buf_free(&b);
    }
}

static void odd_values_are_refused(void **state)
{
    static const struct {
        size_t at;
        uint8_t value;
    } cases[] = {{0, 1}, {1, 0}, {1, 77}, {12, 0}, {12, 4}, {13, 5}, {52, 1}};
    struct ho_frame got;

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct buf b = BUF_INIT;

        ho_encode(&b, &frames[2]);
        b.data[cases[i].at] = cases[i].value;
        assert_int_equal(ho_decode(&got, b.data, b.len, NULL), ERR_FORMAT);
        buf_free(&b);
    }
}

/* Sends a frame with two descriptors, as no honest peer does. */
static void send_two(int fd, const struct ho_frame *f, int one)
{
    _Alignas(struct cmsghdr) uint8_t control[CMSG_SPACE(2 * sizeof(int))] = {0};
    struct cmsghdr *c = (struct cmsghdr *)(void *)control;
    const int both[2] = {one, one};
    struct buf b = BUF_INIT;
    struct iovec iov;
    struct msghdr mh = {.msg_iov = &iov,
                        .msg_iovlen = 1,
                        .msg_control = control,
                        .msg_controllen = sizeof(control)};

    ho_encode(&b, f);
    iov = (struct iovec){.iov_base = b.data, .iov_len = b.len};
    *c = (struct cmsghdr){
        .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(sizeof(both))};
    memcpy(CMSG_DATA(c), both, sizeof(both));
    assert_int_equal(sendmsg(fd, &mh, 0), b.len);
    buf_free(&b);
}

/* An updater's HELLO may bring one; of two, none is left open behind our back. */
static void hello_may_bring_a_descriptor(int client, int server, uint8_t *buf)
{
    struct ho_frame f = {.type = HO_HELLO, .role = HO_UPDATER};
    struct ho_frame worker = {.type = HO_HELLO, .role = HO_WORKER};
    struct ho_frame got;
    int passed = 99;
    int ends[2];
    int next;
    char c = 0;

    assert_int_equal(pipe(ends), 0);
    assert_int_equal(ho_send_stream(client, &f, ends[1], NULL), OK);
    assert_int_equal(ho_recv(&got, server, buf, &passed, NULL), OK);
    assert_true(passed >= 0 && passed != ends[1]);
    assert_int_equal(write(passed, "x", 1), 1);
    assert_int_equal(read(ends[0], &c, 1), 1);
    (void)close(passed);
    assert_int_equal(ho_send(client, &f, NULL), OK);
    assert_int_equal(ho_recv(&got, server, buf, &passed, NULL), OK);
    assert_int_equal(passed, -1);

    next = dup(0); /* the lowest that is free */
    (void)close(next);
    assert_int_equal(ho_send_stream(client, &worker, ends[1], NULL), OK);
    assert_int_equal(ho_recv(&got, server, buf, &passed, NULL), ERR_FORMAT);
    send_two(client, &f, ends[1]);
    if (ho_recv(&got, server, buf, &passed, NULL) == OK && passed >= 0)
        (void)close(passed);
    assert_int_equal(dup(0), next);
    (void)close(next);
    (void)close(ends[0]);
    (void)close(ends[1]);
}

static void a_frame_crosses_a_socket(void **state)
{
    char dir[] = "/tmp/zl-ho-XXXXXX";
    char path[64];
    uint8_t *buf = malloc(HO_FRAME_MAX);
    uint8_t *big = calloc(1, 65535);
    struct ho_frame f = {.type = HO_MESSAGE,
                         .transport = HO_TCP,
                         .wire = big,
                         .wire_len = 65535,
                         .answer = big,
                         .answer_len = 65535};
    struct ho_frame got;
    int listener, client, server;

    (void)state;
    assert_non_null(mkdtemp(dir));
    assert_int_equal(ho_connect(&client, dir, NULL), ERR_CLOSED);
    assert_int_equal(ho_listen(&listener, dir, NULL), OK);
    assert_int_equal(ho_connect(&client, dir, NULL), OK);
    server = accept(listener, NULL, NULL);
    assert_true(server >= 0);
    ho_prepare(server);
    assert_int_equal(ho_recv(&got, server, buf, NULL, NULL), ERR_BUSY);
    assert_int_equal(ho_send(client, &f, NULL), OK);
    assert_int_equal(ho_recv(&got, server, buf, NULL, NULL), OK);
    assert_same(&f, &got);

    hello_may_bring_a_descriptor(client, server, buf);

    /* A full socket is busy, not broken. */
    while (ho_send(client, &f, NULL) == OK)
        ;
    assert_int_equal(ho_send(client, &f, NULL), ERR_BUSY);
    (void)close(client);
    while (ho_recv(&got, server, buf, NULL, NULL) == OK)
        ;
    assert_int_equal(ho_recv(&got, server, buf, NULL, NULL), ERR_CLOSED);
    (void)close(server);
    (void)close(listener);
    (void)snprintf(path, sizeof(path), "%s/handover.sock", dir);
    (void)unlink(path);
    (void)rmdir(dir);
    free(buf);
    free(big);
}

/* How many descriptors we have: none may be left behind. */
static unsigned descriptors(void)
{
    unsigned n = 0;

    for (int fd = 0; fd < 256; fd++)
        n += fcntl(fd, F_GETFD) >= 0;
    return n;
}

static void a_connection_goes_with_a_stream_and_with_nothing_else(void **state)
{
    struct ho_frame stream = {
        .type = HO_STREAM, .transport = HO_TCP, .wire = message, .wire_len = 5};
    struct ho_frame hint = {.type = HO_HINT, .seq = 1};
    uint8_t *buf = malloc(HO_FRAME_MAX);
    unsigned before = descriptors();
    struct ho_frame got;
    int ends[2], passed[2];
    int connection = -2;
    char c = 0;

    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends), 0);
    assert_int_equal(pipe(passed), 0);
    assert_int_equal(ho_send_stream(ends[0], &stream, passed[0], NULL), OK);
    assert_int_equal(ho_recv(&got, ends[1], buf, &connection, NULL), OK);
    assert_same(&stream, &got);
    assert_true(connection >= 0);
    assert_int_equal(write(passed[1], "x", 1), 1);
    assert_int_equal(read(connection, &c, 1), 1);
    assert_int_equal(c, 'x');
    (void)close(connection);

    assert_int_equal(ho_send(ends[0], &hint, NULL), OK);
    assert_int_equal(ho_recv(&got, ends[1], buf, &connection, NULL), OK);
    assert_int_equal(connection, -1);
    assert_int_equal(ho_send(ends[0], &stream, NULL), OK);
    assert_int_equal(ho_recv(&got, ends[1], buf, &connection, NULL), ERR_FORMAT);
    assert_int_equal(ho_send_stream(ends[0], &hint, passed[0], NULL), OK);
    assert_int_equal(ho_recv(&got, ends[1], buf, &connection, NULL), ERR_FORMAT);
    assert_int_equal(ho_send_stream(ends[0], &stream, passed[0], NULL), OK);
    assert_int_equal(ho_recv(&got, ends[1], buf, NULL, NULL), ERR_FORMAT); /* nobody takes it */

    for (int i = 0; i < 2; i++) {
        (void)close(ends[i]);
        (void)close(passed[i]);
    }
    assert_int_equal(descriptors(), before);
    free(buf);
}

/* One side answers and ends while it has not read all that it was sent: the answer arrives. */
static void an_answer_before_the_end_counts(void **state)
{
    struct ho_frame ask = {.type = HO_MESSAGE, .transport = HO_UDP, .wire = message, .wire_len = 5};
    struct ho_frame answer = {.type = HO_REPLY, .id = 3, .wire = message, .wire_len = 5};
    uint8_t *buf = malloc(HO_FRAME_MAX);
    struct ho_frame got;
    int pair[2];

    (void)state;
    assert_non_null(buf);
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
    assert_int_equal(ho_send(pair[0], &ask, NULL), OK);
    assert_int_equal(ho_send(pair[0], &ask, NULL), OK);
    assert_int_equal(ho_recv(&got, pair[1], buf, NULL, NULL), OK);
    assert_int_equal(ho_send(pair[1], &answer, NULL), OK);
    (void)close(pair[1]);
    assert_int_equal(ho_recv(&got, pair[0], buf, NULL, NULL), OK);
    assert_int_equal(got.id, 3);
    assert_int_equal(ho_recv(&got, pair[0], buf, NULL, NULL), ERR_CLOSED);
    (void)close(pair[0]);
    free(buf);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_frame_comes_back_as_it_was),
        cmocka_unit_test(a_frame_cut_or_lengthened_is_refused),
        cmocka_unit_test(odd_values_are_refused),
        cmocka_unit_test(a_frame_crosses_a_socket),
        cmocka_unit_test(an_answer_before_the_end_counts),
        cmocka_unit_test(a_connection_goes_with_a_stream_and_with_nothing_else),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
