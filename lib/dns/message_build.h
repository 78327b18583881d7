/* Messages that a secondary sends: SOA, AXFR and IXFR queries, and NOTIFY. */
#ifndef ZL_DNS_MESSAGE_BUILD_H
#define ZL_DNS_MESSAGE_BUILD_H

#include "lib/dns/message.h"

struct msg_query_spec {
    const uint8_t *qname;
    uint16_t qtype;
    uint16_t qclass;              /* 0 means IN */
    uint16_t id;                  /* from clock_random */
    bool recursion_desired;       /* our queries to primaries leave it off */
    const struct edns_reply *opt; /* NULL: without EDNS */

    const uint8_t *ixfr_soa; /* for IXFR (RFC 1995 3): RDATA of the SOA we have, else NULL */
    size_t ixfr_soa_len;
};

/* Writes a query into buf; returns its length, or 0 if `cap` is too small (512 always suffices
 * without ixfr_soa and options; each name adds at most 255). */
size_t msg_build_query(uint8_t *buf, size_t cap, const struct msg_query_spec *spec);

/* NOTIFY, RFC 1996 3.6-3.7: with the new SOA as a hint in the answer section unless `soa` is NULL.
 */
size_t msg_build_notify(uint8_t *buf, size_t cap, uint16_t id, const uint8_t *zone,
                        const uint8_t *soa, size_t soa_len, uint32_t soa_ttl);

/* The short reply to a query of any opcode: header with QR, the query's ID, opcode and RD, the
 * rcode, and the question if one was read. For FORMERR, NOTIMP, BADVERS, REFUSED, SERVFAIL, and
 * NOTIFY's acknowledgement (with MSG_AA in `flags`). `opt` NULL: without EDNS; the rcode may exceed
 * 15 only with it. Returns the length, 0 if `cap` is too small. */
struct query;
size_t msg_build_reply(uint8_t *buf, size_t cap, const struct query *q, uint16_t rcode,
                       uint16_t flags, const struct edns_reply *opt);

#endif
