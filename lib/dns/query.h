/* What a server makes of a message from outside (RFC 1035, 1996, 2136, 6891, 8906, 9619).
 *
 * One call, made for the hot path: one walk over the message, no allocation, no name followed
 * but QNAME. It decides what must be decided before looking at any zone; what the question means
 * is for the caller.
 */
#ifndef ZL_DNS_QUERY_H
#define ZL_DNS_QUERY_H

#include "lib/dns/message.h"

enum query_outcome {
    QUERY_OK,      /* opcode QUERY, NOTIFY or UPDATE with one question; all fields are valid */
    QUERY_DROP,    /* shorter than a header, or a response: never answer, or two servers might talk
                      for ever; nothing else is valid */
    QUERY_FORMERR, /* answer FORMERR: header fields are valid, question fields if has_question */
    QUERY_NOTIMP,  /* an opcode we don't do: answer NOTIMP with the header alone, as the rest of
                      the message may mean anything (RFC 8906 3.1.4); only header fields are valid */
    QUERY_BADVERS, /* EDNS version over 0: answer BADVERS with version 0; all fields are valid */
};

struct query {
    uint16_t id;
    uint16_t flags; /* the header's whole word */
    uint8_t opcode;

    bool only_edns;    /* QUERY_FORMERR, but for no other reason than that there is no question: a
                          server that does cookies has an answer to that (RFC 7873 5.4) */
    bool has_question; /* one question was read: the fields down to qname are valid */
    uint8_t qname_len; /* octets with the root label */
    uint16_t qtype;
    uint16_t qclass;
    uint16_t question_end; /* offset behind the question: octets 12 to here can be copied as they
                              are into an answer; they hold no compression pointer */

    uint16_t answer;    /* offset of the answer section (NOTIFY: SOA hint; UPDATE: prerequisites) */
    uint16_t authority; /* offset of the authority section (IXFR: the client's SOA) */
    uint16_t additional; /* offset of the additional section */
    uint16_t answer_count;
    uint16_t authority_count;
    uint16_t additional_count;
    uint16_t tsig; /* offset of the TSIG record, which is the last one; 0: not signed */
    struct edns edns;

    uint8_t qname[NAME_MAX_OCTETS];     /* folded to lower case, for looking up */
    uint8_t qname_raw[NAME_MAX_OCTETS]; /* case as it came, to give back */
};

/* Reads a message of `len` octets (any number). For opcode QUERY the message must have one question
 * (RFC 9619), no answer records, and no authority records unless QTYPE is IXFR; NOTIFY and UPDATE
 * must have one question (RFC 1996 3.7, RFC 2136 2.3). */
enum query_outcome query_parse(struct query *q, const uint8_t *wire, size_t len);

#endif
