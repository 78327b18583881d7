/* For tests of authd's answers: zones from text, one query, the answer as text. */
#ifndef ZL_TESTS_TOOLS_ANSWER_FIXTURE_H
#define ZL_TESTS_TOOLS_ANSWER_FIXTURE_H

#include "authd/answer.h"

/* A zone from the text of a zone file; origin is the apex ("example."). It must pass zone_check. */
struct zone *text_zone(const char *apex, const char *text);

/* A database with zones; the pairs end with NULL. */
struct zonedb *text_zonedb(const char *const (*zones)[2], size_t n);

/* The configuration that counts: udp_payload 1232, version "zl", server-id "node-1", limits. */
const struct config *plain_config(void);

/* answer_make for a client at 192.0.2.99 that has no cookies, at second 10 of both clocks. */
struct answer_made answer_octets(struct answerer *a, const struct config *c, const uint8_t *query,
                                 size_t len, bool stream, uint8_t *out, size_t cap);

/* How a query is asked. Zeroed: UDP, no EDNS, class IN, opcode QUERY. */
struct ask {
    const char *qname;
    const char *qtype;
    bool tcp;
    bool edns;
    bool dnssec;
    uint16_t udp_size; /* with edns; 0: 1232 */
    uint16_t qclass;   /* 0: IN */
    uint16_t flags;    /* of the header, opcode included */
};

/* The query's octets; returns their number. `out` holds 65535. */
size_t ask_build(uint8_t *out, const struct ask *q);

/* An answer as text, one line each: "NOERROR aa tc", then for each record "an ", "ns " or "ar " and
 * the record (behind "CH: " if it is not of class IN); OPT as "opt SIZE [do]". Aborts if the octets
 * are not a message. */
char *answer_text(const uint8_t *wire, size_t len);

/* Asks and gives the answer's text (free it), "(drop)" or "(hand over)". Checks size and that the
 * question came back as it was. */
char *ask_text(struct answerer *a, const struct ask *q);

#endif
