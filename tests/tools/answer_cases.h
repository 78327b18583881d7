/* For tests that ask a few zones many questions: the answers as text, or which proofs they hold. */
#ifndef ZL_TESTS_TOOLS_ANSWER_CASES_H
#define ZL_TESTS_TOOLS_ANSWER_CASES_H

#include "tests/tools/answer_fixture.h"

/* Zones and somebody who answers from them. */
struct answer_world {
    struct zonedb *db;
    struct answerer *a;
};

struct answer_world answer_world_of(const char *const (*zones)[2], size_t n);
/* One zone "example.". */
struct answer_world answer_world_of_text(const char *text);
void answer_world_done(struct answer_world *w);

/* A question and its answer: text as of answer_text, or proofs as of answer_proofs. */
struct answer_case {
    const char *qname, *qtype, *want;
};

/* Fails the test if the answer's text is another. */
void answer_check(struct answer_world *w, const struct ask *q, const char *want);
/* Each by TCP and without EDNS. */
void answer_check_all(struct answer_world *w, const struct answer_case *cases, size_t n);

/* Which NSEC and NSEC3 an answer's authority section holds: its rcode and the owners, of an NSEC3
 * the first four digits, of others what is below "example.", or "@": "NXDOMAIN b4um 0p9m". */
void answer_proofs(char *out, size_t size, const char *answer);
/* Asks by TCP with DO, and without: then no proof nor signature may come. */
void answer_check_proofs(struct answer_world *w, const struct answer_case *c);
void answer_check_all_proofs(const char *zone, const struct answer_case *cases, size_t n);

#define CASES(table) (table), sizeof(table) / sizeof((table)[0])

#endif
