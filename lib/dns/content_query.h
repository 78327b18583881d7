/* How one asks a nameserver of ours for a zone's content id over DNS: a TXT query in class CHAOS
 * for the zone's name with the label "_content-id" in front of it. The answer is one TXT record of
 * three character-strings: "serial=42" "version=7" "content-id=<40 hex digits>". Only who may
 * transfer the zone gets one. Pure.
 */
#ifndef ZL_DNS_CONTENT_QUERY_H
#define ZL_DNS_CONTENT_QUERY_H

#include "lib/base/bytes.h"
#include "lib/base/serial.h"
#include "lib/dns/query.h"

#define CONTENT_ID_HEX_MAX 41 /* with its NUL */

struct content_answer {
    struct serial serial;
    uint64_t version;
    char id[CONTENT_ID_HEX_MAX];
};

/* Is it such a question? The zone's name is then name_parent(q->qname). */
bool content_query_is(const struct query *q);

/* The name to ask for. False if it would be too long for a name. */
bool content_query_name(uint8_t out[NAME_MAX_OCTETS], const uint8_t *zone);

/* The TXT record's RDATA, appended; and read again: false if it is anything else. */
void content_answer_put(struct buf *rdata, const struct content_answer *a);
bool content_answer_read(struct content_answer *out, const uint8_t *rdata, size_t len);

#endif
