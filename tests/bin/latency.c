/* latency PORT RATE SECONDS FILE: how long each of many answers takes.
 *
 * Asks 127.0.0.1 PORT by UDP at a steady RATE, whether answers come or not, with the queries of
 * FILE (a line each: name and type, as dnsperf reads them) in turn. Each time is from just before
 * the datagram is sent to its answer's arrival in our socket, which the kernel stamps: so what
 * holds us up is not counted. Prints one line: queries sent, lost (no answer within a second),
 * with another rcode than NOERROR and NXDOMAIN, microseconds for the median, 99 and 99.9 of 100
 * and the longest, and the longest delay of our own.
 */
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>

#include "lib/base/addr.h"
#include "lib/base/mem.h"
#include "lib/dns/message.h"

#define IDS 65536u
#define LOST_NS UINT64_C(1000000000)
#define WIRE_MAX (MSG_HEADER_OCTETS + NAME_MAX_OCTETS + 4)

struct question {
    uint16_t len;
    uint8_t wire[WIRE_MAX];
};

struct asker {
    int fd;
    struct question *questions;
    size_t count, cap;

    uint64_t sent_at[IDS]; /* by id, 0: answered, or never sent */
    uint32_t *took;        /* microseconds */
    size_t answered, took_cap;
    uint64_t sent, bad, own_delay_ns;
};

static _Noreturn void fail(const char *text)
{
    (void)fprintf(stderr, "latency: %s\n", text);
    exit(1);
}

/* The kernel stamps datagrams by the wall clock; both ends are read from it here. */
static uint64_t wall_ns(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_REALTIME, &t);
    return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static void question_add(struct asker *a, const char *name, const char *type_text)
{
    struct question *q;
    uint16_t type;

    a->questions = xgrow(a->questions, &a->cap, a->count + 1, sizeof(*a->questions));
    q = &a->questions[a->count];
    memset(q, 0, sizeof(*q));
    q->wire[5] = 1; /* one question */
    if (name_from_text(q->wire + MSG_HEADER_OCTETS, name, strlen(name), (const uint8_t *)"",
                       NULL) ||
        !type_from_text(&type, type_text, strlen(type_text)))
        fail("a line is no name and type");
    q->len = (uint16_t)(MSG_HEADER_OCTETS + name_len(q->wire + MSG_HEADER_OCTETS));
    put_u16(q->wire + q->len, type);
    put_u16(q->wire + q->len + 2, CLASS_IN);
    q->len = (uint16_t)(q->len + 4);
    a->count++;
}

static void questions_read(struct asker *a, const char *path)
{
    FILE *in = fopen(path, "r");
    char name[1024], type[32];

    if (!in)
        fail("no such file");
    while (fscanf(in, "%1023s %31s", name, type) == 2)
        question_add(a, name, type);
    (void)fclose(in);
    if (a->count == 0)
        fail("no questions");
}

static void open_socket(struct asker *a, const char *port)
{
    struct sockaddr_storage sa;
    struct addr to;
    char text[32];
    socklen_t n;
    int on = 1, room = 4 << 20;

    (void)snprintf(text, sizeof(text), "127.0.0.1@%s", port);
    if (addr_from_text(&to, text, 53, NULL))
        fail("that is no port");
    n = addr_to_sockaddr(&sa, &to);
    a->fd = socket(sa.ss_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (a->fd < 0 || connect(a->fd, (struct sockaddr *)&sa, n) != 0 ||
        setsockopt(a->fd, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof(on)) != 0)
        fail("no socket");
    (void)setsockopt(a->fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof(room));
}

static void ask_one(struct asker *a)
{
    struct question *q = &a->questions[a->sent % a->count];
    uint16_t id = (uint16_t)a->sent;

    put_u16(q->wire, id);
    a->sent_at[id] = wall_ns();
    (void)!send(a->fd, q->wire, q->len, 0); /* refused: lost */
    a->sent++;
}

static uint64_t arrival(struct msghdr *mh)
{
    struct timespec t;

    for (struct cmsghdr *c = CMSG_FIRSTHDR(mh); c; c = CMSG_NXTHDR(mh, c)) {
        if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_TIMESTAMPNS) {
            memcpy(&t, CMSG_DATA(c), sizeof(t));
            return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
        }
    }
    return wall_ns();
}

/* Takes all answers that are there. */
static void hear(struct asker *a)
{
    uint8_t wire[4096];
    char control[128];
    ssize_t n;

    for (;;) {
        struct iovec iov = {wire, sizeof(wire)};
        struct msghdr mh = {.msg_iov = &iov,
                            .msg_iovlen = 1,
                            .msg_control = control,
                            .msg_controllen = sizeof(control)};
        uint64_t at, took;
        uint16_t id;

        if ((n = recvmsg(a->fd, &mh, 0)) < MSG_HEADER_OCTETS)
            return;
        id = get_u16(wire);
        at = arrival(&mh);
        if (a->sent_at[id] == 0)
            continue;
        took = at > a->sent_at[id] ? at - a->sent_at[id] : 0;
        a->sent_at[id] = 0;
        if (took > LOST_NS)
            continue;
        if ((wire[3] & MSG_RCODE_MASK) != RCODE_NOERROR &&
            (wire[3] & MSG_RCODE_MASK) != RCODE_NXDOMAIN)
            a->bad++;
        a->took = xgrow(a->took, &a->took_cap, a->answered + 1, sizeof(*a->took));
        a->took[a->answered++] = (uint32_t)(took / 1000);
    }
}

static void wait_until(const struct asker *a, uint64_t ns)
{
    struct pollfd p = {.fd = a->fd, .events = POLLIN};
    uint64_t now = wall_ns();
    struct timespec left = {0};

    if (now >= ns)
        return;
    left.tv_nsec = (long)(ns - now > 999999999 ? 999999999 : ns - now);
    (void)ppoll(&p, 1, &left, NULL);
}

static void run(struct asker *a, uint64_t rate, uint64_t seconds)
{
    uint64_t begin = wall_ns(), all = rate * seconds;

    while (a->sent < all) {
        uint64_t due = begin + a->sent * 1000000000 / rate, now = wall_ns();

        if (now < due) {
            wait_until(a, due);
        } else {
            if (now - due > a->own_delay_ns)
                a->own_delay_ns = now - due;
            ask_one(a);
        }
        hear(a);
    }
    begin = wall_ns();
    while (a->answered < a->sent && wall_ns() < begin + LOST_NS) {
        wait_until(a, begin + LOST_NS);
        hear(a);
    }
}

static int by_size(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    return (x > y) - (x < y);
}

static uint32_t quantile(const struct asker *a, size_t thousandths)
{
    return a->took[(a->answered - 1) * thousandths / 1000];
}

int main(int argc, char **argv)
{
    static struct asker a;

    if (argc != 5) {
        (void)fprintf(stderr, "usage: latency PORT RATE SECONDS FILE\n");
        return 2;
    }
    (void)prctl(PR_SET_TIMERSLACK, 1);
    questions_read(&a, argv[4]);
    open_socket(&a, argv[1]);
    run(&a, strtoul(argv[2], NULL, 10), strtoul(argv[3], NULL, 10));
    if (a.answered == 0)
        fail("no answers");
    qsort(a.took, a.answered, sizeof(*a.took), by_size);
    (void)printf("sent %" PRIu64 " lost %" PRIu64 " bad %" PRIu64 " p50 %" PRIu32 " p99 %" PRIu32
                 " p999 %" PRIu32 " max %" PRIu32 " own %" PRIu64 "\n",
                 a.sent, a.sent - a.answered, a.bad, quantile(&a, 500), quantile(&a, 990),
                 quantile(&a, 999), a.took[a.answered - 1], a.own_delay_ns / 1000);
    free(a.took);
    free(a.questions);
    return 0;
}
