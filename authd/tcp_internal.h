/* What the files of TCP connections share: tcp.c accepts, tcp_conn.c takes messages and answers
 * them, tcp_open.c is what comes before messages (PROXY header, TLS handshake), tcp_stream.c moves
 * octets with and without TLS, tcp_transfer.c gives connections to syncd, tcp_time.c knows
 * deadlines, tcp_idle.c who is idle. */
#ifndef ZL_AUTHD_TCP_INTERNAL_H
#define ZL_AUTHD_TCP_INTERNAL_H

#include "authd/worker_internal.h"
#include "lib/base/bytes.h"
#include "lib/net/tls_server.h"

#define TCP_QUEUE_PAUSE_BYTES (128u << 10) /* of answers that wait: reading pauses */
#define TCP_QUEUE_MAX_BYTES (1u << 20)     /* the connection is closed */
#define TCP_LINGER_MS 2000

enum tcp_phase {
    TCP_PROXY,     /* a balancer's header comes first */
    TCP_HANDSHAKE, /* TLS */
    TCP_OPEN,      /* messages */
    TCP_RELAY,     /* a transfer over TLS: syncd talks, we carry */
    TCP_LINGER,    /* all is said; the peer's last octets are thrown away until it closes too */
};

struct tcp_conn {
    struct worker *worker;
    bool is_tls;
    struct event *readable, *writable, *timer;
    struct tcp_conn *prev, *next; /* of all */

    enum tcp_phase phase;
    int fd;                          /* -1: closed */
    struct addr source, destination; /* the client's, also behind a balancer */
    struct addr place;               /* under which it is counted; family 0: nobody's yet */
    struct tls_stream *tls;          /* from the handshake on */
    struct buf identity;             /* that the client has shown (tls_identity.h) */
    struct tcp_relay *relay;         /* in TCP_RELAY */

    struct buf in; /* octets that make no whole message, or may not be read yet */
    struct buf out;
    size_t out_pos;
    unsigned waiting; /* messages that syncd has */
    uint32_t taken;   /* messages */
    bool eof;         /* the peer has sent all it wants to */
    bool transfer;   /* the next message asks for one: syncd gets the connection when it is quiet */
    bool reading;    /* the event is added */
    bool writing;    /* so is that one */
    bool draining;   /* `out` holds something */
    bool want_write; /* TLS has something of its own to send */

    struct mono began;          /* this phase */
    struct mono last;           /* message taken, or reply come */
    struct mono message_began;  /* the one in `in` */
    uint64_t sent;              /* octets of `out`, ever */
    uint64_t write_mark;        /* `sent` must reach it ... */
    struct mono write_deadline; /* ... until then */
    struct mono timer_at;       /* when `timer` goes off, if it is pending */

    bool idle; /* is in the worker's list */
    struct mono idle_since;
    struct tcp_conn *older, *newer;
};

static inline struct mono tcp_now(const struct tcp_conn *c)
{
    return clock_mono(c->worker->shared->clock);
}

static inline size_t tcp_queued(const struct tcp_conn *c)
{
    return c->out.len - c->out_pos;
}

/* ---- tcp_conn.c ---- */

/* Ends it at once. It stays as an empty shell until syncd's replies to it are in, since tickets
 * point to it. */
void tcp_conn_close(struct tcp_conn *c);

/* Something has happened in TCP_RELAY. */
void tcp_conn_relay(struct tcp_conn *c);

/* ---- tcp_open.c ---- */

/* Enters TCP_HANDSHAKE. False: it is not possible. */
bool tcp_open_handshake(struct tcp_conn *c);
/* Goes on in TCP_PROXY or TCP_HANDSHAKE, and enters the next phase when this one is over. False:
 * the connection is to be closed. */
bool tcp_open_step(struct tcp_conn *c);

/* ---- tcp_stream.c ---- */

enum tcp_input {
    TCP_INPUT_SOME,
    TCP_INPUT_LATER, /* when the socket is readable again */
    TCP_INPUT_END,
    TCP_INPUT_FAILED,
};

enum tcp_input tcp_stream_read(struct tcp_conn *c, uint8_t *buf, size_t cap, size_t *n);
/* Is there input that no event will tell of? */
bool tcp_stream_holds_input(const struct tcp_conn *c);
/* Sends what it can of `out`. False: the connection is not worth keeping. */
bool tcp_stream_flush(struct tcp_conn *c);
/* Says good-bye, and that nothing more comes from us. */
void tcp_stream_end(struct tcp_conn *c);

/* ---- tcp_transfer.c ---- */

enum tcp_gift {
    TCP_GIFT_TAKEN,   /* it is syncd's now; what is left here is to be closed */
    TCP_GIFT_RELAYED, /* syncd's, but TLS is ours: phase TCP_RELAY */
    TCP_GIFT_REFUSED, /* not possible now: the answer is in the worker's `answer` */
};

/* Gives the connection to syncd, with the n octets at p that begin with the message which asks for
 * a transfer. */
enum tcp_gift tcp_transfer_give(struct tcp_conn *c, const uint8_t *p, size_t n, size_t *len);

/* Enters TCP_RELAY with our end of a pair of sockets, which is the relay's from now on. False: the
 * connection is to be closed. */
bool tcp_relay_start(struct tcp_conn *c, int ours);
void tcp_relay_free(struct tcp_relay *r); /* NULL is fine */
/* Carries what can be carried now. False: one side is gone. */
bool tcp_relay_move(struct tcp_conn *c);
bool tcp_relay_wants_input(const struct tcp_conn *c);
/* Has syncd said all? */
bool tcp_relay_is_ending(const struct tcp_conn *c);

/* ---- tcp_time.c ---- */

/* Sees to it that tcp_time_is_over is asked in time. Inside a grace period. */
void tcp_time_arm(struct tcp_conn *c);
bool tcp_time_is_over(const struct tcp_conn *c);

/* ---- tcp_idle.c ---- */

/* It has nothing to do since `since`: becomes the worker's newest idle one. */
void tcp_idle_enter(struct tcp_conn *c, struct mono since);
void tcp_idle_leave(struct tcp_conn *c);

#endif
