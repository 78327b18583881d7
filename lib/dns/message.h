/* DNS messages as they come (RFC 1035 4): constants, the header, and reading record by record.
 *
 * Nothing is built from a message: a reader walks over it, a record's RDATA stays where it lies
 * as a reader of its own, and is expanded by rdata_read only when somebody wants it. Before any
 * record is believed, msg_layout_read walks the message once, checks its frame and says where the
 * sections begin and where OPT and TSIG are.
 *
 * Companions: query.h (what a server makes of a message), response.h (what a client makes of it),
 * msgwriter.h (writing), message_build.h (queries and NOTIFY ready to send), edns.h, tsig.h.
 * Threads: pure functions. Memory: none is allocated. Cost: in proportion to the octets.
 */
#ifndef ZL_DNS_MESSAGE_H
#define ZL_DNS_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/bytes.h"
#include "lib/dns/edns.h"
#include "lib/dns/name.h"
#include "lib/dns/rr.h"

#define MSG_HEADER_OCTETS 12
#define MSG_MAX_OCTETS 65535
#define MSG_UDP_MIN_OCTETS 512 /* what fits without EDNS, RFC 1035 4.2.1 */

/* Bits of the header's flags word. */
#define MSG_QR 0x8000u
#define MSG_AA 0x0400u
#define MSG_TC 0x0200u
#define MSG_RD 0x0100u
#define MSG_RA 0x0080u
#define MSG_Z 0x0040u
#define MSG_AD 0x0020u
#define MSG_CD 0x0010u
#define MSG_OPCODE_MASK 0x7800u
#define MSG_RCODE_MASK 0x000fu

enum {
    OPCODE_QUERY = 0,
    OPCODE_IQUERY = 1,
    OPCODE_STATUS = 2,
    OPCODE_NOTIFY = 4,
    OPCODE_UPDATE = 5,
    OPCODE_DSO = 6
};

/* Codes over 15 need EDNS (RFC 6891 6.1.3), or stand in a TSIG's error field. */
enum {
    RCODE_NOERROR = 0,
    RCODE_FORMERR = 1,
    RCODE_SERVFAIL = 2,
    RCODE_NXDOMAIN = 3,
    RCODE_NOTIMP = 4,
    RCODE_REFUSED = 5,
    RCODE_YXDOMAIN = 6,
    RCODE_YXRRSET = 7,
    RCODE_NXRRSET = 8,
    RCODE_NOTAUTH = 9,
    RCODE_NOTZONE = 10,
    RCODE_DSOTYPENI = 11,
    RCODE_BADVERS = 16, /* in OPT */
    RCODE_BADSIG = 16,  /* in TSIG */
    RCODE_BADKEY = 17,
    RCODE_BADTIME = 18,
    RCODE_BADMODE = 19,
    RCODE_BADNAME = 20,
    RCODE_BADALG = 21,
    RCODE_BADTRUNC = 22,
    RCODE_BADCOOKIE = 23
};

#define RCODE_TEXT_MAX 16

/* "NOERROR", "REFUSED", "RCODE1234". 16 is BADVERS here; tsig.h has its own names. */
void rcode_to_text(char out[RCODE_TEXT_MAX], uint16_t rcode);
/* "QUERY", "NOTIFY", "OPCODE9". */
void opcode_to_text(char out[RCODE_TEXT_MAX], uint8_t opcode);

enum section { SECTION_QUESTION, SECTION_ANSWER, SECTION_AUTHORITY, SECTION_ADDITIONAL };

struct msg_header {
    uint16_t id;
    uint16_t flags;     /* the whole word, with opcode and rcode */
    uint16_t counts[4]; /* by enum section */
};

static inline uint8_t msg_opcode(const struct msg_header *h)
{
    return (uint8_t)((h->flags & MSG_OPCODE_MASK) >> 11);
}

static inline uint8_t msg_rcode(const struct msg_header *h)
{
    return (uint8_t)(h->flags & MSG_RCODE_MASK);
}

/* False (and the reader failed) if there are fewer than 12 octets. */
bool msg_read_header(struct msg_header *out, struct reader *r);

struct msg_question {
    uint8_t name[NAME_MAX_OCTETS]; /* case as it came */
    uint16_t type;
    uint16_t qclass;
};

bool msg_read_question(struct msg_question *out, struct reader *r);

/* One record; `rdata` is a reader over exactly its RDATA, with the message behind it for
 * compression pointers: rdata_read(&buf, &rr.rdata, rr.type, rr.rdlen, e) expands it. */
struct msg_rr {
    uint8_t owner[NAME_MAX_OCTETS]; /* expanded, case as it came */
    size_t at;                      /* where the record begins in the message */
    struct reader rdata;
    uint32_t ttl; /* 0 where the top bit is set (RFC 2181 8), but as it came for OPT */
    uint16_t type;
    uint16_t rclass;
    uint16_t rdlen;
};

/* False, with the reader failed, if the record is cut off or its owner is no name. */
bool msg_read_rr(struct msg_rr *out, struct reader *r);

/* Steps over a record without following its names, and gives its type if `type` isn't NULL. A
 * compression pointer must point behind the header and before itself. */
bool msg_skip_rr(struct reader *r, uint16_t *type);
/* The same for a name. */
bool msg_skip_name(struct reader *r);

/* The frame of a whole message. */
struct msg_layout {
    struct msg_header header;
    uint16_t sections[4]; /* offset at which each section begins, by enum section */
    uint16_t records_end; /* offset behind the last record that isn't a TSIG */
    uint16_t tsig;        /* offset of the TSIG record, 0: there is none */
    uint16_t opt;         /* offset of the OPT record, 0: there is none */
    struct edns edns;
};

/* Walks a message of `len` octets once. True if every record is whole, nothing follows the last
 * one, OPT and TSIG stand in the additional section, each at most once, the TSIG as last record of
 * all (RFC 8945 5.1), and the OPT is well formed and owned by the root (RFC 6891 6.1.1). If it
 * is false, the header is valid if len >= 12, and the rest isn't. Names are only stepped over:
 * msg_read_rr may still refuse an owner. */
bool msg_layout_read(struct msg_layout *out, const uint8_t *wire, size_t len);

/* A reader at the beginning of a section; it ends where the message ends. */
struct reader msg_section(const struct msg_layout *m, const uint8_t *wire, size_t len,
                          enum section section);

#endif
