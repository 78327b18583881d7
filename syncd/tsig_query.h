/* A signed plain query that authd handed over with its ready, unsigned answer: authd knows no
 * keys, so the signature is checked and made here (RFC 8945 5.2 to 5.4).
 */
#ifndef ZL_SYNCD_TSIG_QUERY_H
#define ZL_SYNCD_TSIG_QUERY_H

#include "lib/dns/query.h"
#include "lib/net/handover.h"
#include "syncd/keyring.h"

/* Appends the message to send. An answer that has no room for the signature is replaced by one
 * with TC; a bad signature is answered NOTAUTH with the TSIG error; a query without a ready answer
 * is REFUSED. `udp_payload` is the largest UDP answer we give. */
void tsig_query_answer(const struct keyring *keys, const struct ho_frame *m, uint32_t udp_payload,
                       struct wall now, struct buf *reply);

/* The short reply with this rcode to any request, signed if the request was signed well. */
void tsig_query_refuse(const struct keyring *keys, const struct ho_frame *m, uint16_t rcode,
                       uint32_t udp_payload, struct wall now, struct buf *reply);

/* The short reply to a request that was read and whose signature was checked: header, question,
 * OPT, and the signature or the TSIG error. */
void tsig_query_reply(struct tsig *t, const struct query *q, uint16_t rcode, uint16_t flags,
                      uint32_t udp_payload, struct wall now, struct buf *reply);

#endif
