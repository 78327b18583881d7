/* Asks one primary for a zone's SOA: twice by UDP, then by TCP (also when the answer is truncated,
 * or of a kind that a forger might have sent). One that is reached by TLS is asked by that alone.
 * One socket a probe, with a port and an ID of its own; only an answer with our ID and question,
 * from the primary's address, and signed if we sign, counts. Loop thread only.
 */
#ifndef ZL_SYNCD_PROBE_H
#define ZL_SYNCD_PROBE_H

#include "lib/base/addr.h"
#include "lib/base/serial.h"
#include "lib/dns/response.h"
#include "lib/dns/tsig.h"
#include "lib/net/tls_peer.h"
#include "syncd/conn_pool.h"
#include "syncd/loop.h"

enum probe_outcome {
    PROBE_SOA,         /* an authoritative answer with the SOA */
    PROBE_NOT_AUTH,    /* it isn't authoritative for the zone, or says NOTAUTH */
    PROBE_REFUSED,     /* rcode REFUSED */
    PROBE_SERVFAIL,    /* rcode SERVFAIL: the zone is expired there, say */
    PROBE_BROKEN,      /* an answer that makes no sense */
    PROBE_BAD_TSIG,    /* unsigned or wrongly signed, or the primary refuses our signature */
    PROBE_TIMEOUT,     /* nothing came */
    PROBE_UNREACHABLE, /* the network says no */
};
#define PROBE_OUTCOMES (PROBE_UNREACHABLE + 1)

/* "up to date" and so on, for logs. */
const char *probe_outcome_text(enum probe_outcome o);

struct probe_spec {
    uint8_t zone[NAME_MAX_OCTETS];
    struct addr address;
    struct addr source;      /* family 0: any */
    struct tsig_key *key;    /* NULL: unsigned; a reference is taken */
    struct tls_peer *tls;    /* NULL: without; a reference is taken */
    struct conn_pool *conns; /* lent; NULL: a connection of its own */
    uint32_t timeout_ms;     /* of each try */
    bool tcp;                /* not by UDP at all */
};

struct probe_report {
    enum probe_outcome outcome;
    struct serial serial; /* these only with PROBE_SOA */
    uint32_t refresh_s, retry_s, expire_s;
    bool has_left; /* the primary is a secondary itself and says how long it vouches (RFC 7314) */
    uint32_t left_s;

    uint32_t ms;
    const char *transport;
    struct errinfo error; /* unless PROBE_SOA */
};

/* Pure: what the answer `wire`, which response_check passed, says about `zone`. */
void probe_judge(struct probe_report *out, const uint8_t *zone, const struct response *response,
                 const uint8_t *wire, size_t len);

struct probe;
typedef void probe_done_fn(void *ctx, const struct probe_report *report);

/* `done` is called once, later, never from within probe_start; the probe is gone then. */
struct probe *probe_start(struct loop *loop, const struct probe_spec *spec, probe_done_fn *done,
                          void *ctx);
/* `done` is not called. */
void probe_cancel(struct probe *p);

#endif
