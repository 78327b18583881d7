/* From a client's message to the answer: RFC 1034 4.3.2 as amended by 2181 (RRsets, truncation),
 * 2308 (negative answers), 4035 and 5155 (signatures and denial), 4592 (wildcards), 6604 (rcode of
 * a chain), 6672 (DNAME), 6891 (EDNS), 8482 (ANY), 8906 (odd messages) and 9471 (glue).
 *
 * A pure function of the zones, the settings, the client and the octets: no socket, no clock, no
 * allocation.
 * The caller is inside a grace period (grace.h) from the call until it has no more use for what it
 * returned; only the octets in `out` outlive it.
 *
 * What ANY gives: one RRset, the first by type number that is not a signature (RFC 8482 4.1).
 * A chain of CNAME and DNAME is followed through all zones that are served, CHAIN_MAX steps, and
 * ends with what there is: also where it leaves what we serve, or comes back to itself.
 *
 * EDNS options that are answered (answer_edns.c): NSID (RFC 5001), EXPIRE (7314), COOKIE (7873,
 * 9018), TCP keepalive (7828), padding (7830, 8467), extended errors (8914), ZONEVERSION (9660).
 */
#ifndef ZL_AUTHD_ANSWER_H
#define ZL_AUTHD_ANSWER_H

#include "authd/zonedb.h"
#include "lib/base/addr.h"
#include "lib/base/clock.h"
#include "lib/base/config.h"
#include "lib/dns/cookie.h"
#include "lib/dns/msgwriter.h"
#include "lib/dns/query.h"
#include "lib/net/counters.h"
#include "lib/net/handover.h"
#include "lib/zone/zone_look.h"

#define ANSWER_CHAIN_MAX 16
#define ANSWER_OWNERS_MAX 64 /* (owner, type) pairs remembered, to say nothing twice */
/* A chain's every link may be made by a wildcard, and its end needs three more. */
#define ANSWER_PROOFS_MAX (ANSWER_CHAIN_MAX + 3)
#define ANSWER_NSID_MAX 255
#define ANSWER_PADDING_BLOCK 468 /* RFC 8467 4.1 */
/* COOKIE, keepalive, NSID, EXPIRE, ZONEVERSION, extended error, padding. */
#define ANSWER_OPTIONS_MAX (28 + 6 + 4 + ANSWER_NSID_MAX + 8 + 10 + 6 + 4 + ANSWER_PADDING_BLOCK)

enum answer_action {
    ANSWER_DROP,      /* say nothing */
    ANSWER_SEND,      /* the answer is in `out` */
    ANSWER_HAND_OVER, /* for syncd: NOTIFY and UPDATE (out is empty), or a query that is signed, or
                         for a private zone, with its ready but unsigned answer in `out` */
    ANSWER_TRANSFER,  /* for syncd, with its connection: AXFR, IXFR */
};

struct answer_ahead;

/* Who asks, how and when. */
struct answer_client {
    enum ho_transport transport;
    const struct addr *source;
    const struct cookie_secrets *cookies; /* NULL: nobody looks at cookies */
    const struct answer_ahead *ahead;     /* NULL: nobody has looked at the query before */
    struct wall wall;                     /* for cookies */
    struct mono mono;                     /* for EXPIRE */
};

struct answer_made {
    enum answer_action action;
    enum cookie_state cookie;
    size_t len;
    uint16_t rcode; /* the whole one, with EDNS bits */
};

/* An (owner, type) that stands in the answer already; lent from the query or a zone. */
struct answer_owner {
    const uint8_t *name;
    uint16_t type;
};

/* An RRset whose names deserve addresses in the additional section. */
struct answer_source {
    const uint8_t *owner;
    struct rrset rrset;
};

/* An NSEC or NSEC3 that goes into the authority section. */
struct answer_proof {
    const struct zone *zone;
    struct node node;
    uint16_t type;
};

/* Working space of one thread, about 20 KiB. Nothing in it outlives a call but what is kept for
 * speed, and, until the next call: for limits and counters query, truncated, kind, limit_name,
 * served; for answer_short and answer_empty what is known of the client. */
struct answerer {
    const struct zonedb *db;

    const struct answer_ahead *ahead; /* of the question; NULL: there is none, or it is used up */

    struct query query;
    const struct name_steps *steps; /* of the name that is looked for, */
    const uint8_t *apex;            /* and that part of it which is its zone's apex */
    struct name_steps own_steps;
    bool stream; /* TCP or TLS */
    bool tls;
    struct mono now;
    enum cookie_state cookie;
    uint8_t cookie_reply[COOKIE_OCTETS];

    bool dnssec; /* DO: signatures go with what they sign */
    uint16_t rcode;
    bool authoritative;
    bool truncated; /* something that had to be there did not fit */
    uint16_t extended_error;
    size_t signature; /* octets that syncd will put behind */
    enum answer_kind kind;
    const uint8_t *limit_name; /* lower case: what rates are counted for (rrl.h); NULL: nothing */
    const struct served_zone *served; /* that the question fell into; NULL: none */

    struct answer_owner owners[ANSWER_OWNERS_MAX];
    unsigned owner_count;
    struct answer_source sources[ANSWER_CHAIN_MAX];
    unsigned source_count;
    struct answer_proof proofs[ANSWER_PROOFS_MAX];
    unsigned proof_count;
    uint8_t made_names[ANSWER_CHAIN_MAX][NAME_MAX_OCTETS]; /* targets that DNAMEs made */
    unsigned made_count;

    uint8_t options[ANSWER_OPTIONS_MAX];
    struct writer options_writer;
    size_t options_room; /* reserved in `w` */
    struct msg_writer w;
};

/* What is found out about the queries of a batch before the first is answered, so that the memory
 * they need is fetched for all at once. */
struct answer_ahead {
    bool known;                     /* else the rest says nothing */
    struct name_steps steps;        /* of QNAME */
    const struct served_zone *zone; /* the deepest that has it; NULL: none */
    struct zone_hint hint;
};

/* A look at a message: takes its name apart and begins to fetch what finds its zone. The same grace
 * period must last until the answer. */
void answer_look_ahead(struct answer_ahead *out, const struct zonedb *db, const uint8_t *query,
                       size_t len);
/* Goes on with `n` of them, whose places in `list` are in `at`: all zones, then all records. */
void answer_fetch(struct answer_ahead *list, const size_t *at, size_t n, const struct zonedb *db);

/* Heap memory; free() it. */
struct answerer *answerer_new(const struct zonedb *db);

/* Answers one message. By TCP and TLS, `cap` alone bounds the answer; by UDP EDNS does as well.
 * `cap` is 512 at least. Of the configuration, udp_payload, version_text, server_id and tcp_idle_ms
 * count. */
struct answer_made answer_make(struct answerer *a, const struct config *c,
                               const struct answer_client *client, const uint8_t *query, size_t len,
                               uint8_t *out, size_t cap);

/* This rcode to the message that answer_make looked at last, which was ANSWER_HAND_OVER or
 * ANSWER_TRANSFER: SERVFAIL for when syncd is away. Unsigned, as authd knows no keys. */
size_t answer_short(struct answerer *a, const struct config *c, uint16_t rcode, uint8_t *out,
                    size_t cap);

/* An empty answer with TC to the message that answer_make looked at last, which was ANSWER_SEND:
 * the client shall come by TCP. */
size_t answer_empty(struct answerer *a, const struct config *c, uint8_t *out, size_t cap);

#endif
