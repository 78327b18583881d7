/* The answer to AXFR or IXFR as a stream of messages (RFC 5936, 1995), judged one message at a
 * time.
 *
 *    FIRST_SOA ──apex SOA──▶ RECORDS ──any record of the zone──▶ RECORDS
 *                               └──the same SOA again──▶ DONE ──anything──▶ BROKEN
 *
 * What follows the opening SOA of an answer to IXFR says which it is: the SOA we have, and it is
 * incremental (ixfr.h); anything else, and it is the whole zone; nothing, and we are up to date.
 *
 * Records go into a zone_builder, far away from what is served. Nothing of a stream may be used
 * before xfrin_stream_feed said XFRIN_DONE: both SOAs are there and equal (but for the case of
 * their names, which compression may change); the last message was signed, if the request was; and
 * nothing follows in it. If anything follows later, xfrin_stream_take gives nothing.
 * Memory: the builder's, within the limits. Threads: one owner.
 */
#ifndef ZL_SYNCD_XFRIN_STREAM_H
#define ZL_SYNCD_XFRIN_STREAM_H

#include "lib/base/clock.h"
#include "lib/dns/tsig.h"
#include "lib/zone/zone.h"
#include "syncd/ixfr.h"

enum axfr_state { AXFR_FIRST_SOA, AXFR_RECORDS, AXFR_DONE, AXFR_BROKEN };

/* What a record is to the stream. */
enum axfr_record {
    AXFR_RR_OPENING, /* a SOA at the apex, with the RDATA of the first one (or the first one) */
    AXFR_RR_SOA,     /* any other SOA */
    AXFR_RR_OTHER,
};

/* Pure: the state behind a record. */
enum axfr_state axfr_next(enum axfr_state state, enum axfr_record kind);

enum xfrin_step {
    XFRIN_MORE,    /* go on reading */
    XFRIN_DONE,    /* complete and proven */
    XFRIN_FAILED,  /* transport, protocol, TSIG, or the primary said no */
    XFRIN_REFUSED, /* well formed, but beyond our limits or with content we don't take */
};

/* What is wrong with a transfer, in so many kinds as can be counted. */
enum xfrin_fault {
    XFRIN_SOUND,
    XFRIN_FAULT_CONNECTION, /* there is none, or it was closed */
    XFRIN_FAULT_TIMEOUT,    /* silence, or too slow */
    XFRIN_FAULT_RCODE,      /* the primary says no */
    XFRIN_FAULT_SIGNATURE,  /* ours or theirs does not hold */
    XFRIN_FAULT_PROTOCOL,   /* what came is no transfer */
    XFRIN_FAULT_CONTENT,    /* a zone that we don't take, or changes that do not fit ours */
    XFRIN_FAULT_LIMIT,      /* too large */
    XFRIN_FAULT_GUARD,      /* a zone that our guards keep aside */
    XFRIN_FAULT_STORE,      /* not the primary's: our own store is in trouble */
};
#define XFRIN_FAULTS (XFRIN_FAULT_STORE + 1)

/* "timeout" and so on, for logs and metrics. */
const char *xfrin_fault_text(enum xfrin_fault f);

struct xfrin_stream;

/* `query` is the request as it was sent (copied); `tsig` the exchange it was signed in, or NULL;
 * it is lent. `limits` may be NULL. `have`: IXFR from this serial was asked for; NULL: AXFR. */
struct xfrin_stream *xfrin_stream_new(const uint8_t *apex, const uint8_t *query, size_t query_len,
                                      struct tsig *tsig, const struct zone_limits *limits,
                                      const struct serial *have);
void xfrin_stream_free(struct xfrin_stream *s);

/* One message. After anything but XFRIN_MORE the stream is over, and each further call fails.
 * The text says what is wrong, with the number of message and record. */
enum xfrin_step xfrin_stream_feed(struct xfrin_stream *s, const uint8_t *wire, size_t len,
                                  struct wall now, struct errinfo *e);

struct xfrin_counts {
    uint64_t messages, records, octets;
    bool unserved; /* the primary says that the zone is none of its own */
    bool no_edns;  /* it answers FORMERR, as one that has never heard of EDNS does (RFC 6891 7) */
    bool has_left; /* it says how long the zone is good for there (RFC 7314) */
    uint32_t left_s;
    enum xfrin_fault fault; /* after XFRIN_FAILED and XFRIN_REFUSED */
};
struct xfrin_counts xfrin_stream_counts(const struct xfrin_stream *s);

/* The opening SOA, once it came. */
bool xfrin_stream_soa(const struct xfrin_stream *s, struct soa *out);

/* After XFRIN_DONE, in any other state NULL: the builder of a whole zone, which the caller frees.
 */
struct zone_builder *xfrin_stream_take(struct xfrin_stream *s);
/* The same for an incremental answer. If both are NULL, the primary says that we are up to date. */
struct ixfr *xfrin_stream_take_ixfr(struct xfrin_stream *s);

#endif
