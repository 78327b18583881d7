/* What a primary is asked: for the SOA, for the zone, for what has changed. Each question asks how
 * long the zone is good for there, too (EXPIRE, RFC 7314), and is signed if there is a key. By TLS
 * it is padded (RFC 7830) to whole blocks of 128 octets (RFC 8467 4.1), so that its length does not
 * tell which zone it is for. Threads: any.
 */
#ifndef ZL_SYNCD_QUESTION_H
#define ZL_SYNCD_QUESTION_H

#include "lib/dns/message_build.h"
#include "lib/dns/tsig.h"

struct question {
    struct msg_query_spec query; /* `opt` is put in here */
    bool plain;                  /* without EDNS: the primary has never heard of it */
    bool padded;
    struct tsig_key *key; /* NULL: unsigned. Lent. */
};

/* Writes it to buf and gives its length; 0 if it does not fit. *t knows how to judge the answer, if
 * it is signed. */
MUST_USE size_t question_write(uint8_t *buf, size_t cap, const struct question *q, struct tsig *t,
                               struct wall now);

#endif
