/* What each worker counts. Written by its worker alone, read by anybody: relaxed atomics. */
#ifndef ZL_AUTHD_COUNTERS_H
#define ZL_AUTHD_COUNTERS_H

#include <stdatomic.h>
#include <stdint.h>

#include "lib/net/handover.h"

#define COUNTERS_RCODES 24 /* the last one takes all above */
#define COUNTERS_TRANSPORTS 4

struct counters {
    /* by enum ho_transport */
    _Atomic(uint64_t) queries[COUNTERS_TRANSPORTS];
    _Atomic(uint64_t) answers[COUNTERS_TRANSPORTS][COUNTERS_RCODES];
    _Atomic(uint64_t) dropped[COUNTERS_TRANSPORTS]; /* not worth an answer */

    _Atomic(uint64_t) unsent;            /* UDP answers the system did not take */
    _Atomic(uint64_t) handed_over;       /* messages for syncd */
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

static inline void count_one(_Atomic(uint64_t) *c)
{
    atomic_store_explicit(c, atomic_load_explicit(c, memory_order_relaxed) + 1,
                          memory_order_relaxed);
}

static inline void count_answer(struct counters *c, enum ho_transport t, uint16_t rcode)
{
    count_one(&c->answers[t][rcode < COUNTERS_RCODES ? rcode : COUNTERS_RCODES - 1]);
}

#endif
