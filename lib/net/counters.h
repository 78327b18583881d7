/* What authd counts: one struct counters for each worker, in memory that syncd reads too (stats.h).
 *
 * Written by its worker alone, read by anybody: relaxed loads and stores, no read-modify-write, no
 * cache line that two threads write. The names, labels and help of all of them are rows of a table
 * in stats_rows.c, from which JSON and metrics are made.
 */
#ifndef ZL_NET_COUNTERS_H
#define ZL_NET_COUNTERS_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

/* How a message came. */
enum counted_way { WAY_UDP4, WAY_UDP6, WAY_TCP, WAY_TLS, WAYS };

/* What an answer is, whatever stands in it: the classes of response-rate limiting too. */
enum answer_kind {
    ANSWER_DATA,     /* what was asked for, or an alias */
    ANSWER_NO_TYPE,  /* the name is there, the type isn't */
    ANSWER_NO_NAME,  /* NXDOMAIN */
    ANSWER_REFERRAL, /* to the servers of a delegated zone */
    ANSWER_ERROR,    /* all other rcodes */
    ANSWER_KINDS
};

#define COUNTED_RCODES 25 /* the last one takes all above */
#define COUNTED_TYPES 21  /* the last one takes all others */
#define COUNTED_SIZES 11  /* bucket i holds up to 64 << i octets */
#define COUNTED_TIMES 24  /* bucket i holds up to 1024 << i ns; the last one all above */
#define COUNTED_STREAMS 2 /* datagrams, streams */

struct counters {
    /* by enum counted_way */
    _Alignas(64) _Atomic(uint64_t) queries[WAYS];
    _Atomic(uint64_t) answers[WAYS][COUNTED_RCODES];
    _Atomic(uint64_t) dropped[WAYS]; /* not worth an answer */

    _Atomic(uint64_t) types[COUNTED_TYPES]; /* of questions */
    _Atomic(uint64_t) kinds[ANSWER_KINDS];  /* of answers that we made ourselves */

    /* datagrams, streams */
    _Atomic(uint64_t) truncated; /* of datagrams, as they were made: slipped ones are apart */
    _Atomic(uint64_t) sizes[COUNTED_STREAMS][COUNTED_SIZES];
    _Atomic(uint64_t) octets[COUNTED_STREAMS];

    /* UDP: from the return of recvmmsg to the return of sendmmsg, for each answer of a batch */
    _Atomic(uint64_t) times[COUNTED_TIMES];
    _Atomic(uint64_t) time_ns;

    _Atomic(uint64_t) rate_limited; /* answers over the limit, whatever became of them */
    _Atomic(uint64_t) rate_dropped;
    _Atomic(uint64_t) rate_slipped;

    _Atomic(uint64_t) cookies_new;  /* queries with a client's cookie alone, */
    _Atomic(uint64_t) cookies_good; /* with one of ours that is right, */
    _Atomic(uint64_t) cookies_bad;  /* that is not, or is none */

    _Atomic(uint64_t) unsent;        /* UDP answers the system did not take */
    _Atomic(uint64_t) handed_notify; /* messages for syncd */
    _Atomic(uint64_t) handed_update;
    _Atomic(uint64_t) handed_signed;
    _Atomic(uint64_t) handed_transfer;   /* connections with AXFR or IXFR */
    _Atomic(uint64_t) handover_failures; /* of those, answered with SERVFAIL by ourselves */
    _Atomic(uint64_t) tcp_accepted;
    _Atomic(uint64_t) tcp_refused; /* beyond the limits */
    _Atomic(uint64_t) tcp_timed_out;
    _Atomic(uint64_t) tcp_evicted;    /* idle longest when a new one came */
    _Atomic(uint64_t) tls_accepted;   /* of tcp_accepted */
    _Atomic(uint64_t) tls_handshakes; /* that ended well */
    _Atomic(uint64_t) tls_resumed;    /* of those */
    _Atomic(uint64_t) tls_failed;     /* handshakes; not those that timed out */
    _Atomic(uint64_t) proxy_refused;  /* no or wrong PROXY header from a balancer */
};

/* One cache line a zone and worker. */
struct zone_counters {
    _Alignas(64) _Atomic(uint64_t) kinds[ANSWER_KINDS];
    _Atomic(uint64_t) truncated;
    _Atomic(uint64_t) rate_limited;
    _Atomic(uint64_t) octets;
};

_Static_assert(sizeof(struct zone_counters) == 64, "one cache line");

static inline void count_many(_Atomic(uint64_t) *c, uint64_t n)
{
    atomic_store_explicit(c, atomic_load_explicit(c, memory_order_relaxed) + n,
                          memory_order_relaxed);
}

static inline void count_one(_Atomic(uint64_t) *c)
{
    count_many(c, 1);
}

static inline void count_answer(struct counters *c, enum counted_way way, uint16_t rcode,
                                size_t octets)
{
    size_t stream = way >= WAY_TCP;
    size_t size = octets <= 64 ? 0 : 32 - (size_t)__builtin_clz((unsigned)(octets - 1) >> 6);

    count_one(&c->answers[way][rcode < COUNTED_RCODES ? rcode : COUNTED_RCODES - 1]);
    count_one(&c->sizes[stream][size < COUNTED_SIZES ? size : COUNTED_SIZES - 1]);
    count_many(&c->octets[stream], octets);
}

/* n answers that took so long each. */
static inline void count_time(struct counters *c, uint64_t ns, uint64_t n)
{
    uint64_t above = ns > 0 ? (ns - 1) >> 10 : 0;
    size_t i = above ? 64 - (size_t)__builtin_clzll(above) : 0;

    count_many(&c->times[i < COUNTED_TIMES ? i : COUNTED_TIMES - 1], n);
    count_many(&c->time_ns, ns * n);
}

/* Where a type of question is counted. */
size_t counted_type(uint16_t qtype);

#endif
