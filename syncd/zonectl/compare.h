/* Nodes that zonectl compare asks for content ids. */
#ifndef ZL_SYNCD_ZONECTL_COMPARE_H
#define ZL_SYNCD_ZONECTL_COMPARE_H

#include "lib/base/addr.h"
#include "lib/dns/content_query.h"
#include "lib/dns/tsig.h"
#include "syncd/zonectl/zonectl.h"

/* ---- compare_dns.c: by DNS ---- */

/* The key of this name in a configuration, with the secret from its file. */
MUST_USE enum err compare_key_load(struct tsig_key **out, const char *config, const char *name,
                                   struct errinfo *e);

/* Asks over UDP, three times before it gives up. *there false: refused, which is what a node says
 * that does not serve the zone, too. `key` NULL: unsigned. ERR_TIMEOUT, ERR_IO, ERR_AUTH (its
 * signature, or ours for it), ERR_FORMAT (an answer of another kind). */
MUST_USE enum err compare_dns_ask(struct content_answer *out, bool *there, const struct addr *node,
                                  struct tsig_key *key, const uint8_t *zone, struct errinfo *e);

/* ---- compare_node.c: a node, whichever way ---- */

struct compare_id {
    char *zone; /* presentation form */
    struct content_answer has;
};

struct compare_node {
    const char *name; /* as the operator wrote it; lent */
    char *socket;     /* or https://HOST:PORT; NULL: by DNS */
    struct addr address;
    struct tsig_key *key;
    const struct options *opt; /* lent */
    struct compare_id *ids;    /* by zone, in strcmp's order */
    size_t count, cap;
};

/* A text with a slash is https://HOST:PORT, a run-dir or a control socket, any other
 * ADDRESS[@PORT]. */
MUST_USE enum err compare_node_init(struct compare_node *n, const char *text,
                                    const struct options *opt, struct tsig_key *key,
                                    struct errinfo *e);
void compare_node_done(struct compare_node *n);

/* All zones that a node with a socket serves, into its ids. Exit code; says itself what failed. */
int compare_node_list(struct compare_node *n);
/* One zone; *there: it has it. Exit code; says itself what failed. */
int compare_node_ask(struct content_answer *out, bool *there, const struct compare_node *n,
                     const char *zone);
const struct compare_id *compare_node_find(const struct compare_node *n, const char *zone);

/* The zone as it is served there, a record a line; with a socket only. Exit code, as above. */
int compare_node_records(struct buf *out, const struct compare_node *n, const char *zone);

/* ---- compare_records.c ---- */

/* {"removed": [...], "added": [...]}: lines of a that b lacks, and the other way round. Sorts both
 * texts' lines in place. */
json_t *compare_records(struct buf *a, struct buf *b);

#endif
