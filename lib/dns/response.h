/* What a client makes of an answer: is it one to our query, and is its frame sound?
 *
 * Nothing here is authenticated: check the TSIG (tsig.h) before you believe any of it.
 */
#ifndef ZL_DNS_RESPONSE_H
#define ZL_DNS_RESPONSE_H

#include "lib/dns/message.h"

enum response_outcome {
    RESPONSE_OK,           /* ours, whole; look at rcode */
    RESPONSE_TRUNCATED,    /* ours, TC is set: ask again by TCP; all fields are valid */
    RESPONSE_FORMAT,       /* too short, or msg_layout_read refuses it */
    RESPONSE_NOT_RESPONSE, /* QR is 0 */
    RESPONSE_OTHER_ID,     /* ID is not our query's */
    RESPONSE_OTHER_OPCODE,
    RESPONSE_OTHER_QUESTION, /* another name, type or class, more than one, or none though needed */
};

/* "has another ID", for logs. */
const char *response_outcome_text(enum response_outcome o);

struct response {
    struct msg_layout layout;
    uint16_t rcode; /* with the upper bits from OPT */
    bool has_question;
};

/* What kind of message to expect. */
enum response_kind {
    RESPONSE_SINGLE, /* the only one, or the first of a transfer: repeats the question (it may be
                        missing where rcode isn't NOERROR: some servers answer so to what they
                        can't read) */
    RESPONSE_NEXT,   /* a later message of a transfer: may come without it (RFC 5936 2.2.1) */
};

/* Compares a message with the query as it was sent (its first question; ASCII case ignored).
 * *out is valid for OK and TRUNCATED. Over UDP, drop whatever is not one of these two and wait
 * on: it may be a forgery. */
enum response_outcome response_check(struct response *out, enum response_kind kind,
                                     const uint8_t *query, size_t query_len, const uint8_t *wire,
                                     size_t len);

#endif
