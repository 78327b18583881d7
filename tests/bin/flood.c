/* A generator of queries by UDP that costs less than any server: batches through one connected
 * socket, a bounded number on the way.
 *
 *     flood ADDRESS PORT FILE SECONDS [WINDOW [do]]
 *
 * FILE has a name and a type in each line, as dnsperf takes them; "do" asks for signatures. Prints:
 * queries answered, seconds, lost ones, and answers by rcode 0, 3 and others.
 */
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "lib/base/addr.h"
#include "lib/base/mem.h"
#include "lib/dns/message_build.h"
#include "lib/dns/rr.h"

#define BATCH 32
#define SAMPLES_MAX 1000000
#define ANSWER_OCTETS 1500
#define PATIENCE_MS 200

struct sample {
    uint16_t len;
    uint8_t wire[126];
};

struct flood {
    struct sample *samples;
    size_t n;
    size_t next;
    int fd;
    unsigned window;
    bool dnssec;
    unsigned out; /* on the way */
    uint64_t answered, lost;
    uint64_t rcodes[3];
};

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static double seconds(void)
{
    struct timespec ts;

    (void)clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static bool sample_read(struct sample *s, const char *line, bool dnssec)
{
    uint8_t wire[MSG_MAX_OCTETS], name[NAME_MAX_OCTETS];
    struct edns_reply opt = {.udp_size = EDNS_UDP_DEFAULT, .dnssec_ok = dnssec};
    struct msg_query_spec spec = {.qname = name, .qclass = CLASS_IN, .opt = &opt};
    char owner[512], type[32];
    size_t len;

    if (sscanf(line, "%511s %31s", owner, type) != 2 ||
        name_from_text(name, owner, strlen(owner), NULL, NULL) ||
        !type_from_text(&spec.qtype, type, strlen(type)))
        return false;
    len = msg_build_query(wire, sizeof(wire), &spec);
    if (len == 0 || len > sizeof(s->wire))
        return false;
    s->len = (uint16_t)len;
    memcpy(s->wire, wire, len);
    return true;
}

static void samples_read(struct flood *f, const char *path)
{
    FILE *in = fopen(path, "r");
    char line[1024];

    if (!in)
        die(path);
    f->samples = xcalloc(SAMPLES_MAX, sizeof(f->samples[0]));
    while (f->n < SAMPLES_MAX && fgets(line, sizeof(line), in))
        f->n += sample_read(&f->samples[f->n], line, f->dnssec);
    (void)fclose(in);
    if (f->n == 0)
        die("no queries");
}

static void connect_to(struct flood *f, const char *ip, const char *port)
{
    struct sockaddr_storage ss;
    struct addr a;
    struct errinfo e = {{0}};
    int octets = 4 << 20;

    if (addr_from_text(&a, ip, (uint16_t)atoi(port), &e)) {
        (void)fprintf(stderr, "%s: %s\n", ip, e.text);
        exit(1);
    }
    f->fd = socket(a.family == 6 ? AF_INET6 : AF_INET, SOCK_DGRAM, 0);
    (void)setsockopt(f->fd, SOL_SOCKET, SO_RCVBUF, &octets, sizeof(octets));
    if (f->fd < 0 || connect(f->fd, (struct sockaddr *)&ss, addr_to_sockaddr(&ss, &a)) != 0)
        die(ip);
}

static void send_batch(struct flood *f)
{
    struct mmsghdr m[BATCH] = {0};
    struct iovec iov[BATCH];
    unsigned n = f->window - f->out;
    int sent;

    if (n > BATCH)
        n = BATCH;
    for (unsigned i = 0; i < n; i++) {
        struct sample *s = &f->samples[f->next];

        f->next = f->next + 1 < f->n ? f->next + 1 : 0;
        iov[i] = (struct iovec){.iov_base = s->wire, .iov_len = s->len};
        m[i].msg_hdr = (struct msghdr){.msg_iov = &iov[i], .msg_iovlen = 1};
    }
    sent = sendmmsg(f->fd, m, n, 0);
    if (sent > 0)
        f->out += (unsigned)sent;
}

static void count(struct flood *f, const uint8_t *answer)
{
    unsigned rcode = answer[3] & 15u;

    f->answered++;
    f->rcodes[rcode == 0 ? 0 : rcode == 3 ? 1 : 2]++;
}

static void receive_batch(struct flood *f)
{
    static uint8_t answers[BATCH][ANSWER_OCTETS];
    struct pollfd p = {.fd = f->fd, .events = POLLIN};
    struct mmsghdr m[BATCH] = {0};
    struct iovec iov[BATCH];
    int n;

    for (unsigned i = 0; i < BATCH; i++) {
        iov[i] = (struct iovec){.iov_base = answers[i], .iov_len = ANSWER_OCTETS};
        m[i].msg_hdr = (struct msghdr){.msg_iov = &iov[i], .msg_iovlen = 1};
    }
    n = recvmmsg(f->fd, m, BATCH, MSG_DONTWAIT, NULL);
    if (n <= 0 && poll(&p, 1, PATIENCE_MS) == 0) {
        f->lost += f->out;
        f->out = 0;
    }
    for (int i = 0; i < n; i++)
        count(f, answers[i]);
    if (n > 0)
        f->out -= (unsigned)n < f->out ? (unsigned)n : f->out;
}

int main(int argc, char **argv)
{
    struct flood f = {.window = argc > 5 ? (unsigned)atoi(argv[5]) : 500,
                      .dnssec = argc > 6 && strcmp(argv[6], "do") == 0};
    double start, end;

    if (argc < 5) {
        (void)fprintf(stderr, "usage: flood ADDRESS PORT FILE SECONDS [WINDOW [do]]\n");
        return 2;
    }
    samples_read(&f, argv[3]);
    connect_to(&f, argv[1], argv[2]);
    start = seconds();
    end = start + atof(argv[4]);
    while (seconds() < end) {
        if (f.window - f.out >= BATCH)
            send_batch(&f);
        if (f.window - f.out < BATCH || f.out >= f.window / 2)
            receive_batch(&f);
    }
    printf("%llu %.3f %llu %llu %llu %llu\n", (unsigned long long)f.answered, seconds() - start,
           (unsigned long long)f.lost, (unsigned long long)f.rcodes[0],
           (unsigned long long)f.rcodes[1], (unsigned long long)f.rcodes[2]);
    (void)close(f.fd);
    free(f.samples);
    return 0;
}
