/* axfrtime PORT ZONE RECORDS: takes the zone of 127.0.0.1 PORT by AXFR and throws it away.
 *
 * Reads messages until the answer has that many records and the closing SOA. Prints one line:
 * seconds from the connection to the last octet, seconds to the first message, messages, octets.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "lib/base/addr.h"
#include "lib/base/mem.h"
#include "lib/dns/message.h"
#include "lib/dns/message_build.h"

#define IN_BYTES (1u << 20)

static _Noreturn void fail(const char *text)
{
    (void)fprintf(stderr, "axfrtime: %s\n", text);
    exit(1);
}

static double now_s(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int connected(const char *port)
{
    struct sockaddr_storage ss;
    struct addr server;
    socklen_t n;
    char text[64];
    int fd;

    (void)snprintf(text, sizeof(text), "127.0.0.1@%s", port);
    if (addr_from_text(&server, text, 53, NULL) != OK)
        fail("the port");
    n = addr_to_sockaddr(&ss, &server);
    fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&ss, n) != 0)
        fail("the connection");
    return fd;
}

static void ask(int fd, const char *zone)
{
    uint8_t name[NAME_MAX_OCTETS], wire[2 + 512];
    struct msg_query_spec q = {.qname = name, .qtype = RR_AXFR, .id = 4711};
    size_t len;

    if (name_from_text(name, zone, strlen(zone), NULL, NULL) != OK)
        fail("the zone's name");
    len = msg_build_query(wire + 2, sizeof(wire) - 2, &q);
    put_u16(wire, (uint16_t)len);
    if (send(fd, wire, len + 2, MSG_NOSIGNAL) != (ssize_t)(len + 2))
        fail("sending");
}

int main(int argc, char **argv)
{
    uint8_t *in = xmalloc(IN_BYTES);
    size_t have = 0;
    uint64_t records = 0, want, messages = 0, octets = 0;
    double begin, first = 0;
    int fd;

    if (argc != 4)
        fail("usage: axfrtime PORT ZONE RECORDS");
    want = strtoull(argv[3], NULL, 10) + 1; /* the SOA twice */
    begin = now_s();
    fd = connected(argv[1]);
    ask(fd, argv[2]);
    while (records < want) {
        ssize_t n = recv(fd, in + have, IN_BYTES - have, 0);
        size_t at = 0;

        if (n <= 0)
            fail("the server closed the connection");
        have += (size_t)n;
        octets += (size_t)n;
        while (have - at >= 2 && have - at - 2 >= get_u16(in + at)) {
            size_t len = get_u16(in + at);

            if (len < MSG_HEADER_OCTETS || (in[at + 2 + 3] & 15) != 0)
                fail("the server says no");
            records += get_u16(in + at + 2 + 6);
            if (messages++ == 0)
                first = now_s();
            at += 2 + len;
        }
        memmove(in, in + at, have - at);
        have -= at;
    }
    (void)printf("%.3f %.3f %llu %llu\n", now_s() - begin, first - begin,
                 (unsigned long long)messages, (unsigned long long)octets);
    (void)close(fd);
    free(in);
    return 0;
}
