#include "lib/net/handover.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define HO_VERSION 2
#define MESSAGE_MAX 65535

static void encode_addr(struct buf *out, const struct addr *a)
{
    buf_u8(out, a->family);
    buf_u16(out, a->port);
    buf_put(out, a->ip, sizeof(a->ip));
}

static void decode_addr(struct addr *a, struct reader *r)
{
    const uint8_t *ip;

    a->family = read_u8(r);
    a->port = read_u16(r);
    ip = read_bytes(r, sizeof(a->ip));
    if (ip)
        memcpy(a->ip, ip, sizeof(a->ip));
    if (a->family != 0 && a->family != 4 && a->family != 6)
        reader_fail(r);
}

static void encode_wire(struct buf *out, const uint8_t *wire, uint32_t len)
{
    buf_u32(out, len);
    buf_put(out, wire, len);
}

static const uint8_t *decode_wire(struct reader *r, uint32_t *len, uint32_t max)
{
    const uint8_t *p;

    *len = read_u32(r);
    if (*len > max)
        reader_fail(r);
    p = read_bytes(r, *len);
    if (r->failed)
        *len = 0;
    return *len ? p : NULL;
}

void ho_encode(struct buf *out, const struct ho_frame *f)
{
    buf_u8(out, HO_VERSION);
    buf_u8(out, (uint8_t)f->type);
    buf_u16(out, 0);
    buf_u64(out, f->id);
    switch (f->type) {
    case HO_HELLO:
        buf_u8(out, (uint8_t)f->role);
        break;
    case HO_MESSAGE:
    case HO_STREAM:
        buf_u8(out, (uint8_t)f->transport);
        encode_addr(out, &f->source);
        encode_addr(out, &f->destination);
        buf_u16(out, (uint16_t)f->identity_len);
        buf_put(out, f->identity, f->identity_len);
        encode_wire(out, f->wire, f->wire_len);
        if (f->type == HO_MESSAGE)
            encode_wire(out, f->answer, f->answer_len);
        break;
    case HO_REPLY:
        encode_wire(out, f->wire, f->wire_len);
        break;
    case HO_HINT:
        buf_u64(out, f->seq);
        break;
    case HO_ASK:
        buf_put(out, f->zone, name_len(f->zone));
        break;
    case HO_TELL:
        buf_u8(out, (uint8_t)f->state);
        buf_u32(out, f->serial.v);
        buf_u64(out, f->version);
        buf_u64(out, f->seq);
        buf_u64(out, f->records);
        buf_put(out, f->sha256, sizeof(f->sha256));
        break;
    }
}

static void decode_identity(struct ho_frame *f, struct reader *r)
{
    size_t n = read_u16(r);
    const uint8_t *p = read_bytes(r, n);
    struct reader part = reader_of(p, p ? n : 0);
    struct tls_identity id;

    if (n && (f->transport != HO_TLS || !p || !tls_identity_decode(&id, &part)))
        reader_fail(r);
    else if (n) {
        f->identity = p;
        f->identity_len = (uint32_t)n;
    }
}

void ho_identity(struct tls_identity *out, const struct ho_frame *f)
{
    struct reader r = reader_of(f->identity, f->identity_len);

    (void)tls_identity_decode(out, &r); /* it was decoded before */
}

static void decode_message(struct ho_frame *f, bool stream, struct reader *r)
{
    uint8_t transport = read_u8(r);

    if (transport < (stream ? HO_TCP : HO_UDP) || transport > HO_TLS)
        reader_fail(r);
    f->transport = (enum ho_transport)transport;
    decode_addr(&f->source, r);
    decode_addr(&f->destination, r);
    decode_identity(f, r);
    f->wire = decode_wire(r, &f->wire_len, stream ? HO_STREAM_MAX : MESSAGE_MAX);
    if (!stream)
        f->answer = decode_wire(r, &f->answer_len, MESSAGE_MAX);
}

static void decode_tell(struct ho_frame *f, struct reader *r)
{
    uint8_t state = read_u8(r);
    const uint8_t *sha;

    if (state > HO_EXPIRED)
        reader_fail(r);
    f->state = (enum ho_zone_state)state;
    f->serial.v = read_u32(r);
    f->version = read_u64(r);
    f->seq = read_u64(r);
    f->records = read_u64(r);
    sha = read_bytes(r, sizeof(f->sha256));
    if (sha)
        memcpy(f->sha256, sha, sizeof(f->sha256));
}

static void decode_body(struct ho_frame *f, uint8_t type, struct reader *r)
{
    uint8_t role;

    switch (type) {
    case HO_HELLO:
        role = read_u8(r);
        if (role != HO_WORKER && role != HO_UPDATER)
            reader_fail(r);
        f->role = (enum ho_role)role;
        break;
    case HO_MESSAGE:
    case HO_STREAM:
        decode_message(f, type == HO_STREAM, r);
        break;
    case HO_REPLY:
        f->wire = decode_wire(r, &f->wire_len, MESSAGE_MAX);
        break;
    case HO_HINT:
        f->seq = read_u64(r);
        break;
    case HO_ASK:
        (void)read_name_plain(r, f->zone);
        break;
    case HO_TELL:
        decode_tell(f, r);
        break;
    default:
        reader_fail(r);
    }
}

enum err ho_decode(struct ho_frame *out, const uint8_t *p, size_t n, struct errinfo *e)
{
    struct reader r = reader_of(p, n);
    struct ho_frame f = {0};
    uint8_t version = read_u8(&r);
    uint8_t type = read_u8(&r);

    (void)read_u16(&r);
    f.id = read_u64(&r);
    decode_body(&f, type, &r);
    f.type = (enum ho_type)type;
    if (version != HO_VERSION)
        return err_set(ERR_FORMAT, e, "hand-over frame of version %u, ours is %u", version,
                       HO_VERSION);
    if (r.failed || reader_left(&r) > 0)
        return err_set(ERR_FORMAT, e, "malformed hand-over frame of type %u, %zu octets", type, n);
    *out = f;
    return OK;
}

static enum err ho_path(struct sockaddr_un *sun, const char *run_dir, struct errinfo *e)
{
    int n;

    memset(sun, 0, sizeof(*sun));
    sun->sun_family = AF_UNIX;
    n = snprintf(sun->sun_path, sizeof(sun->sun_path), "%s/handover.sock", run_dir);
    if (n < 0 || (size_t)n >= sizeof(sun->sun_path))
        return err_set(ERR_LIMIT, e, "run-dir '%s' is too long for a socket's path", run_dir);
    return OK;
}

void ho_prepare(int fd)
{
    int bytes = 4 * HO_FRAME_MAX; /* a frame must fit the socket's buffer whole */

    (void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes));
}

enum err ho_listen(int *fd, const char *run_dir, struct errinfo *e)
{
    struct sockaddr_un sun;
    enum err rc = ho_path(&sun, run_dir, e);
    int s;

    if (rc)
        return rc;
    s = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (s < 0)
        return err_sys(errno, e, "hand-over socket");
    (void)unlink(sun.sun_path);
    if (bind(s, (struct sockaddr *)&sun, sizeof(sun)) < 0 || chmod(sun.sun_path, 0660) < 0 ||
        listen(s, 64) < 0) {
        rc = err_sys(errno, e, "hand-over socket %s", sun.sun_path);
        (void)close(s);
        return rc;
    }
    *fd = s;
    return OK;
}

enum err ho_connect(int *fd, const char *run_dir, struct errinfo *e)
{
    struct sockaddr_un sun;
    enum err rc = ho_path(&sun, run_dir, e);
    int s;

    if (rc)
        return rc;
    s = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (s < 0)
        return err_sys(errno, e, "hand-over socket");
    if (connect(s, (struct sockaddr *)&sun, sizeof(sun)) < 0) {
        (void)err_sys(errno, e, "hand-over socket %s", sun.sun_path);
        (void)close(s);
        return ERR_CLOSED;
    }
    ho_prepare(s);
    *fd = s;
    return OK;
}

static enum err send_frame(int fd, const struct ho_frame *f, int connection, struct errinfo *e)
{
    _Alignas(struct cmsghdr) uint8_t control[CMSG_SPACE(sizeof(int))] = {0};
    struct buf b = BUF_INIT;
    struct iovec iov;
    struct msghdr mh = {.msg_iov = &iov, .msg_iovlen = 1};
    ssize_t n;
    int errnum;

    ho_encode(&b, f);
    iov = (struct iovec){.iov_base = b.data, .iov_len = b.len};
    if (connection >= 0) {
        struct cmsghdr *c = (struct cmsghdr *)(void *)control;

        *c = (struct cmsghdr){
            .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(sizeof(int))};
        memcpy(CMSG_DATA(c), &connection, sizeof(int));
        mh.msg_control = control;
        mh.msg_controllen = sizeof(control);
    }
    do
        n = sendmsg(fd, &mh, MSG_NOSIGNAL | MSG_DONTWAIT);
    while (n < 0 && errno == EINTR);
    errnum = errno;
    buf_free(&b);
    if (n >= 0)
        return OK;
    if (errnum == EAGAIN || errnum == EWOULDBLOCK || errnum == ENOBUFS || errnum == ETOOMANYREFS)
        return err_set(ERR_BUSY, e, "hand-over socket is full");
    (void)err_sys(errnum, e, "hand-over socket");
    return ERR_CLOSED;
}

enum err ho_send(int fd, const struct ho_frame *f, struct errinfo *e)
{
    return send_frame(fd, f, -1, e);
}

enum err ho_send_stream(int fd, const struct ho_frame *f, int connection, struct errinfo *e)
{
    return send_frame(fd, f, connection, e);
}

/* The descriptor that came along, or -1. */
static int take_descriptor(struct msghdr *mh)
{
    struct cmsghdr *c = CMSG_FIRSTHDR(mh);
    int fd = -1;

    if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS &&
        c->cmsg_len == CMSG_LEN(sizeof(int)))
        memcpy(&fd, CMSG_DATA(c), sizeof(int));
    return fd;
}

/* Whether a frame may come with, or without, a descriptor. */
static bool fits(const struct ho_frame *f, bool passed)
{
    if (f->type == HO_HELLO && f->role == HO_UPDATER)
        return true;
    return (f->type == HO_STREAM) == passed;
}

static enum err receive(struct msghdr *mh, int fd, size_t *len, struct errinfo *e)
{
    bool was_reset = false;
    bool again;
    ssize_t n;

    /* If the other side closes while something of ours is unread there, the kernel says so before
     * it gives what was sent to us (unix(7)): once. Those answers count. */
    do {
        n = recvmsg(fd, mh, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
        again = n < 0 && (errno == EINTR || (errno == ECONNRESET && !was_reset));
        was_reset = was_reset || (n < 0 && errno == ECONNRESET);
    } while (again);
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
        return ERR_BUSY;
    if (n < 0) {
        (void)err_sys(errno, e, "hand-over socket");
        return ERR_CLOSED;
    }
    if (n == 0)
        return err_set(ERR_CLOSED, e, "the other side closed the hand-over socket");
    *len = (size_t)n;
    return OK;
}

enum err ho_recv(struct ho_frame *out, int fd, uint8_t *buf, int *connection, struct errinfo *e)
{
    _Alignas(struct cmsghdr) uint8_t control[CMSG_SPACE(sizeof(int))];
    struct iovec iov = {.iov_base = buf, .iov_len = HO_FRAME_MAX};
    /* Without control space, descriptors that a peer might pass are dropped by the kernel. */
    struct msghdr mh = {.msg_iov = &iov,
                        .msg_iovlen = 1,
                        .msg_control = connection ? control : NULL,
                        /* For one, without the padding in which a second would find room: the
                         * kernel drops what is beyond. */
                        .msg_controllen = connection ? CMSG_LEN(sizeof(int)) : 0};
    int passed = -1;
    size_t n = 0;
    enum err rc = receive(&mh, fd, &n, e);

    if (rc)
        return rc;
    if (connection)
        passed = take_descriptor(&mh);
    if (mh.msg_flags & MSG_TRUNC)
        rc = err_set(ERR_FORMAT, e, "hand-over frame is too long");
    else if ((rc = ho_decode(out, buf, n, e)) == OK && !fits(out, passed >= 0))
        rc = err_set(ERR_FORMAT, e, "a hand-over frame of type %u %s a descriptor",
                     (unsigned)out->type, passed >= 0 ? "with" : "without");
    if (rc && passed >= 0)
        (void)close(passed);
    else if (connection)
        *connection = passed;
    return rc;
}
