#include "authd/listen.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <unistd.h>

#define UDP_BUFFER_BYTES (1 << 20)
#define TCP_BACKLOG 1024
#define TCP_UNSENT_BYTES (64 << 10)

static bool set(int fd, int level, int option, int value)
{
    return setsockopt(fd, level, option, &value, sizeof(value)) == 0;
}

static bool set_family_options(int fd, const struct addr *a, int type)
{
    if (a->family == 6 && !set(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1))
        return false;
    if (type != SOCK_DGRAM)
        return true;
    /* Never believe a path MTU that anybody may have forged (RFC 9715 3.1); and fail quietly where
     * a kernel does not know these. */
    if (a->family == 6) {
        (void)set(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_OMIT);
        return set(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1);
    }
    (void)set(fd, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_OMIT);
    return set(fd, IPPROTO_IP, IP_PKTINFO, 1);
}

static enum err open_bound(int *fd, const struct addr *a, int type, bool shared, struct errinfo *e)
{
    struct sockaddr_storage sa;
    socklen_t len = addr_to_sockaddr(&sa, a);
    char text[ADDR_TEXT_MAX];
    enum err rc;
    int s = socket(sa.ss_family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    addr_to_text(text, a);
    if (s < 0)
        return err_sys(errno, e, "socket for %s", text);
    /* REUSEADDR for TCP only: old connections in TIME_WAIT don't hold the address. For UDP it
     * would let two share it. */
    if ((type == SOCK_STREAM && !set(s, SOL_SOCKET, SO_REUSEADDR, 1)) ||
        (shared && !set(s, SOL_SOCKET, SO_REUSEPORT, 1)) || !set_family_options(s, a, type) ||
        bind(s, (struct sockaddr *)&sa, len) != 0) {
        rc = err_sys(errno, e, "cannot bind %s to %s", type == SOCK_DGRAM ? "UDP" : "TCP", text);
        (void)close(s);
        return rc;
    }
    *fd = s;
    return OK;
}

enum err listen_probe(const struct addr *a, bool udp, struct errinfo *e)
{
    static const int types[] = {SOCK_STREAM, SOCK_DGRAM};

    for (size_t i = 0; i < (udp ? 2 : 1); i++) {
        int fd = -1;
        enum err rc = open_bound(&fd, a, types[i], false, e);

        if (rc)
            return rc;
        (void)close(fd);
    }
    return OK;
}

enum err listen_udp(int *fd, const struct addr *a, struct errinfo *e)
{
    enum err rc = open_bound(fd, a, SOCK_DGRAM, true, e);

    if (rc)
        return rc;
    (void)set(*fd, SOL_SOCKET, SO_RCVBUF, UDP_BUFFER_BYTES); /* the kernel may give less */
    (void)set(*fd, SOL_SOCKET, SO_SNDBUF, UDP_BUFFER_BYTES);
    return OK;
}

enum err listen_tcp(int *fd, const struct addr *a, struct errinfo *e)
{
    enum err rc = open_bound(fd, a, SOCK_STREAM, true, e);

    if (rc)
        return rc;
    /* Connections inherit these. What a peer does not take stays in our queue, which has a bound
     * and a deadline, and not in megabytes of the system's memory. */
    (void)set(*fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, TCP_UNSENT_BYTES);
    (void)set(*fd, IPPROTO_TCP, TCP_NODELAY, 1);
    if (listen(*fd, TCP_BACKLOG) != 0) {
        rc = err_sys(errno, e, "listen");
        (void)close(*fd);
        return rc;
    }
    return OK;
}
