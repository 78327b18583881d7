#include "authd/idle_board.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "lib/base/mem.h"

/* On cache lines of their own: a seat is written for each message on TCP. */
struct seat {
    _Alignas(64) _Atomic(int64_t) since_ms;
    int fd;
};

struct idle_board {
    size_t count;
    struct seat *seats;
};

enum err idle_board_new(struct idle_board **out, size_t seats, struct errinfo *e)
{
    struct idle_board *b = xcalloc(1, sizeof(*b));

    b->seats = aligned_alloc(_Alignof(struct seat), seats * sizeof(struct seat));
    if (!b->seats)
        abort();
    for (; b->count < seats; b->count++) {
        struct seat *s = &b->seats[b->count];

        atomic_init(&s->since_ms, IDLE_NONE);
        s->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
        if (s->fd < 0) {
            enum err rc = err_sys(errno, e, "eventfd");

            idle_board_free(b);
            return rc;
        }
    }
    *out = b;
    return OK;
}

void idle_board_free(struct idle_board *b)
{
    if (!b)
        return;
    for (size_t i = 0; i < b->count; i++)
        (void)close(b->seats[i].fd);
    free(b->seats);
    free(b);
}

void idle_board_show(struct idle_board *b, size_t seat, int64_t since_ms)
{
    atomic_store_explicit(&b->seats[seat].since_ms, since_ms, memory_order_relaxed);
}

bool idle_board_oldest(struct idle_board *b, size_t *seat)
{
    int64_t oldest = IDLE_NONE;

    for (size_t i = 0; i < b->count; i++) {
        int64_t since = atomic_load_explicit(&b->seats[i].since_ms, memory_order_relaxed);

        if (since < oldest) {
            oldest = since;
            *seat = i;
        }
    }
    return oldest != IDLE_NONE;
}

void idle_board_ask(struct idle_board *b, size_t seat)
{
    static const uint64_t one = 1;

    (void)!write(b->seats[seat].fd, &one, sizeof(one)); /* fails at 2^64 - 1 alone */
}

int idle_board_fd(const struct idle_board *b, size_t seat)
{
    return b->seats[seat].fd;
}

uint64_t idle_board_asked(struct idle_board *b, size_t seat)
{
    uint64_t n = 0;

    return read(b->seats[seat].fd, &n, sizeof(n)) == (ssize_t)sizeof(n) ? n : 0;
}
