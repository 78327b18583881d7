/* What the files of a worker share. */
#ifndef ZL_AUTHD_WORKER_INTERNAL_H
#define ZL_AUTHD_WORKER_INTERNAL_H

#include <event2/event.h>
#include <pthread.h>

#include "authd/answer.h"
#include "authd/handover_client.h"
#include "authd/worker.h"

#define TCP_READ_BYTES 16384 /* from one connection at a time */

struct udp_batch;

struct udp_socket {
    struct worker *worker;
    int fd;
    struct addr local; /* may be a wildcard */
    struct event *event;
};

struct tcp_listener {
    struct worker *worker;
    bool is_tls;
    int fd;
    struct event *event;
    struct event *resume; /* accepting pauses when descriptors run out */
};

struct worker {
    struct shared *shared;
    size_t seat; /* its number, on the idle board too */
    pthread_t thread;
    bool started;
    struct event_base *base;
    int stop_fd;
    struct event *stop_event;

    struct answerer *answerer;
    struct handover_client *handover;
    struct udp_batch *batch;
    struct udp_socket *udp;
    size_t udp_count;
    struct tcp_listener *tcp;
    size_t tcp_count;
    struct tcp_conn *conns; /* open ones, and closed ones that syncd still owes a reply */
    struct tcp_conn *idle_oldest, *idle_newest;
    struct event *evict_event; /* another worker wants the oldest idle one closed */
    unsigned handshake_steps;  /* made in this round of the event loop */
    struct event *handshake_round;
    struct mono accept_warned; /* when running out of descriptors was logged last */
    uint8_t answer[MSG_MAX_OCTETS];
    uint8_t input[2 + MSG_MAX_OCTETS + TCP_READ_BYTES];

    uint64_t batch_ns; /* when the batch of datagrams that is being answered came */
    struct wall batch_wall;
    struct counters *counters;
};

/* ---- A message, however it came (worker.c) ---- */

struct message {
    const uint8_t *wire;
    size_t len;
    const struct way_back *back;
    struct addr source, destination;
    const struct buf *identity;       /* that the client has shown in TLS; NULL: none */
    const struct answer_ahead *ahead; /* NULL: none */
    struct mono mono;                 /* when it came; of a batch, when the batch did */
    struct wall wall;
};

enum message_outcome {
    MESSAGE_ANSWERED, /* the answer is in `out` */
    MESSAGE_WAITS,    /* syncd has it; the reply comes by udp_reply or tcp_reply */
    MESSAGE_TRANSFER, /* its connection shall go to syncd (worker_give), message and all */
    MESSAGE_DROPPED,
};

/* The settings of now. The caller is inside a grace period. */
static inline const struct config *worker_config(const struct worker *w)
{
    return atomic_load_explicit(&w->shared->config, memory_order_acquire);
}

/* The caller is inside a grace period. */
enum message_outcome worker_message(struct worker *w, const struct message *m, uint8_t *out,
                                    size_t cap, size_t *len);

/* The answer to a message that asks for a transfer and gets none; counts it and gives its length.
 */
size_t worker_refuse(struct worker *w, const struct ho_frame *stream, uint16_t rcode, uint8_t *out,
                     size_t cap);

/* Gives syncd a connection whose next message, at the beginning of `octets`, asks for a transfer.
 * False: syncd is away, or busy; SERVFAIL to that message is in `out` then (empty: it is none). */
bool worker_give(struct worker *w, const struct ho_frame *stream, int connection, uint8_t *out,
                 size_t cap, size_t *len);

/* ---- Load balancers in front (balancer.c) ---- */

/* Is what comes from there to begin with a PROXY header? */
bool balancer_is(const struct config *c, const struct addr *peer);
/* A datagram from a balancer: takes the header off and puts the client's addresses in. False: drop
 * it, the header is wrong. What is from elsewhere stays as it is. */
bool balancer_unwrap(const struct config *c, struct message *m);

/* ---- UDP (udp.c) ---- */

struct udp_batch *udp_batch_new(void);
/* Starts answering on a bound socket. */
bool udp_start(struct udp_socket *s);
void udp_stop(struct udp_socket *s);
void udp_reply(const struct way_back *back, const uint8_t *wire, size_t len);

/* ---- TCP: listening (tcp.c), one connection (tcp_conn.c and beside it) ---- */

bool tcp_start(struct tcp_listener *l);
void tcp_stop(struct tcp_listener *l);

/* An accepted socket, and what is known of it by then. */
struct tcp_arrival {
    int fd;
    bool is_tls;
    bool from_balancer;
    struct addr source, destination;
    struct addr place; /* under which its place in the quota is taken */
};

void tcp_conn_open(struct worker *w, const struct tcp_arrival *a);
void tcp_conn_free_all(struct worker *w);
/* A reply from syncd; len 0: none. */
void tcp_reply(struct tcp_conn *c, const uint8_t *wire, size_t len);

/* The event loop has gone round: handshakes may go on. */
void tcp_open_round(struct worker *w);

/* A place for a new connection; if there is none left, the one that has been idle longest, whosever
 * it is, is closed for it. False: there is none. */
bool tcp_idle_take_place(struct worker *w, const struct addr *source);
/* Closes as many idle ones as the others have asked for, or asks on if another worker's have been
 * idle longer; none that is not in anybody's way. */
void tcp_idle_asked(struct worker *w);

#endif
