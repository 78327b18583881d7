/* follow PORT FIRST ZONES VERSION SECONDS: how long until a server gives what its primary has.
 *
 * Asks 127.0.0.1 PORT by UDP for h5.zNNNNNN.fleet.test A, for so many ZONES from number FIRST on,
 * until it answers 10.VERSION.0.5; then that zone is there, data and all. Zones that are not there
 * yet are asked again in turn, with a rest where none was, so that the asking costs little. Prints
 * one line: seconds until all were there, and how many never were within SECONDS.
 */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "lib/base/addr.h"
#include "lib/base/mem.h"
#include "lib/dns/message.h"
#include "lib/dns/name.h"

#define BATCH 128u
#define WAIT_MS 4
#define REST_US 4000
#define WIRE_MAX 512

struct follow {
    int fd;
    uint32_t *left; /* numbers of the zones that are not there yet */
    uint32_t count;
    uint32_t at;           /* asked up to here in this round */
    uint32_t asked[BATCH]; /* places in `left`, by id */
    uint8_t want[4];
    uint32_t found; /* in this round */
};

static _Noreturn void fail(const char *text)
{
    (void)fprintf(stderr, "follow: %s\n", text);
    exit(1);
}

static double now_s(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static size_t question(uint8_t wire[WIRE_MAX], uint16_t id, uint32_t zone)
{
    uint8_t header[MSG_HEADER_OCTETS] = {0, 0, 0, 0, 0, 1};
    uint8_t name[NAME_MAX_OCTETS];
    char text[64];
    size_t n;

    (void)snprintf(text, sizeof(text), "h5.z%06u.fleet.test", (unsigned)zone);
    if (name_from_text(name, text, strlen(text), NULL, NULL) != OK)
        fail("a zone's name");
    n = name_len(name);
    put_u16(header, id);
    memcpy(wire, header, sizeof(header));
    memcpy(wire + sizeof(header), name, n);
    put_u16(wire + sizeof(header) + n, RR_A);
    put_u16(wire + sizeof(header) + n + 2, CLASS_IN);
    return sizeof(header) + n + 4;
}

/* Asks for the next zones; how many. */
static uint32_t ask_some(struct follow *f)
{
    uint32_t n = 0;

    for (; n < BATCH && f->at < f->count; n++, f->at++) {
        uint8_t wire[WIRE_MAX];
        size_t len = question(wire, (uint16_t)n, f->left[f->at]);

        f->asked[n] = f->at;
        (void)!send(f->fd, wire, len, 0);
    }
    return n;
}

/* Takes answers for a while; a zone that is there is marked. */
static void take_answers(struct follow *f, uint32_t n)
{
    struct pollfd p = {.fd = f->fd, .events = POLLIN};
    uint32_t got = 0;

    while (got < n && poll(&p, 1, WAIT_MS) > 0) {
        uint8_t wire[WIRE_MAX];
        ssize_t len = recv(f->fd, wire, sizeof(wire), MSG_DONTWAIT);
        uint16_t id;

        if (len < MSG_HEADER_OCTETS)
            continue;
        got++;
        id = get_u16(wire);
        if (id >= n || get_u16(wire + 6) == 0 ||
            !memmem(wire, (size_t)len, f->want, sizeof(f->want)) ||
            f->left[f->asked[id]] == UINT32_MAX)
            continue;
        f->left[f->asked[id]] = UINT32_MAX;
        f->found++;
    }
}

static void forget_found(struct follow *f)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < f->count; i++) {
        if (f->left[i] != UINT32_MAX)
            f->left[n++] = f->left[i];
    }
    f->count = n;
    f->at = 0;
}

int main(int argc, char **argv)
{
    struct follow f = {.count = 0};
    struct sockaddr_storage ss;
    struct addr server;
    double begin, until;
    uint32_t first;
    socklen_t n;
    char text[64];

    if (argc != 6)
        fail("usage: follow PORT FIRST ZONES VERSION SECONDS");
    (void)snprintf(text, sizeof(text), "127.0.0.1@%s", argv[1]);
    if (addr_from_text(&server, text, 53, NULL) != OK)
        fail("the port");
    f.count = (uint32_t)strtoul(argv[3], NULL, 10);
    first = (uint32_t)strtoul(argv[2], NULL, 10);
    memcpy(f.want, (uint8_t[]){10, (uint8_t)strtoul(argv[4], NULL, 10), 0, 5}, 4);
    f.left = xcalloc(f.count, sizeof(*f.left));
    for (uint32_t i = 0; i < f.count; i++)
        f.left[i] = first + i;
    n = addr_to_sockaddr(&ss, &server);
    f.fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (f.fd < 0 || connect(f.fd, (struct sockaddr *)&ss, n) != 0)
        fail("the socket");
    begin = now_s();
    until = begin + strtod(argv[5], NULL);
    while (f.count > 0 && now_s() < until) {
        uint32_t before = f.found;

        take_answers(&f, ask_some(&f));
        if (f.found == before)
            (void)usleep(REST_US);
        if (f.at >= f.count)
            forget_found(&f);
    }
    forget_found(&f);
    (void)printf("%.3f %u\n", now_s() - begin, (unsigned)f.count);
    free(f.left);
    (void)close(f.fd);
    return 0;
}
