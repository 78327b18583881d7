/* echo PORT: sends every datagram back as it came, in batches, and does nothing else.
 *
 * What a server can reach at best with recvmmsg and sendmmsg on the machine that it runs on:
 * `make bench` sets every server's figures beside its.
 */
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#define BATCH 32
#define OCTETS 1500

static _Noreturn void die(const char *what)
{
    perror(what);
    exit(1);
}

static int listen_on(const char *port)
{
    struct sockaddr_in sin = {.sin_family = AF_INET,
                              .sin_addr = {htonl(INADDR_LOOPBACK)},
                              .sin_port = htons((uint16_t)atoi(port))};
    int fd = socket(AF_INET, SOCK_DGRAM, 0), octets = 4 << 20;

    (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &octets, sizeof(octets));
    if (fd < 0 || bind(fd, (struct sockaddr *)&sin, sizeof(sin)) != 0)
        die(port);
    return fd;
}

int main(int argc, char **argv)
{
    static uint8_t octets[BATCH][OCTETS];
    static struct sockaddr_in from[BATCH];
    struct mmsghdr m[BATCH] = {0};
    struct iovec iov[BATCH];
    int fd;

    if (argc != 2) {
        (void)fprintf(stderr, "usage: echo PORT\n");
        return 2;
    }
    fd = listen_on(argv[1]);
    for (;;) {
        int n;

        for (unsigned i = 0; i < BATCH; i++) {
            iov[i] = (struct iovec){.iov_base = octets[i], .iov_len = OCTETS};
            m[i].msg_hdr = (struct msghdr){.msg_iov = &iov[i],
                                           .msg_iovlen = 1,
                                           .msg_name = &from[i],
                                           .msg_namelen = sizeof(from[i])};
        }
        if ((n = recvmmsg(fd, m, BATCH, MSG_WAITFORONE, NULL)) < 0)
            die("recvmmsg");
        for (int i = 0; i < n; i++)
            iov[i].iov_len = m[i].msg_len;
        (void)sendmmsg(fd, m, (unsigned)n, 0);
    }
}
