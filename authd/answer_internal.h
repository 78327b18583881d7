/* What the files of answer.c share. */
#ifndef ZL_AUTHD_ANSWER_INTERNAL_H
#define ZL_AUTHD_ANSWER_INTERNAL_H

#include "authd/answer.h"

/* ---- Where a name is in its zone (answer_place.c) ---- */

enum place_kind {
    PLACE_NODE,    /* the name owns records, `node` */
    PLACE_EMPTY,   /* it owns none, but names below it do (RFC 4592 2.2.2) */
    PLACE_CUT,     /* it lies at or below a delegation: `node` owns the NS RRset */
    PLACE_DNAME,   /* it lies below a `node` that owns a DNAME */
    PLACE_MISSING, /* it isn't there */
};

struct place {
    enum place_kind kind;
    struct node node;
    unsigned step; /* of the path: the name itself, the cut, the DNAME, the closest encloser */
    const uint8_t *name; /* there: a part of the name that was looked for */
};

/* `name` is the path's, in the case of the question. `above_cut`: at a cut, the parent's side is
 * wanted (DS). */
void place_find(struct place *out, const struct zone_path *p, const uint8_t *name, bool above_cut);

/* ---- Putting RRsets (answer_put.c) ---- */

/* Puts an RRset, and with DO its signatures from the same node, whole or not at all. */
bool put_rrset(struct answerer *a, enum section section, const uint8_t *owner,
               const struct node *node, const struct rrset *s);
/* The same for one that must be there: sets `truncated` if it does not fit. */
bool put_required(struct answerer *a, enum section section, const uint8_t *owner,
                  const struct node *node, const struct rrset *s);
/* The SOA of a negative answer, with the TTL of RFC 2308 3. */
void put_negative_soa(struct answerer *a, const struct zone *z);

/* Puts an RRset with another TTL; does not remember it, so that `owner` may go afterwards. */
bool put_signed(struct answerer *a, enum section section, const uint8_t *owner,
                const struct node *node, const struct rrset *s, uint32_t ttl);

/* ---- Denial of existence (answer_proof.c): without DO or signatures nothing happens ---- */

/* NXDOMAIN; `encloser` is a part of `name`, here and below. */
void prove_no_name(struct answerer *a, const struct zone *z, const uint8_t *name,
                   const uint8_t *encloser);
/* `name` lacks the type that was asked for, or DS at a cut; `node` NULL: it owns nothing. */
void prove_no_type(struct answerer *a, const struct zone *z, const uint8_t *name,
                   const struct node *node);
/* The wildcard below `encloser` stands for `name`. */
void prove_expanded(struct answerer *a, const struct zone *z, const uint8_t *name,
                    const uint8_t *encloser);
/* The same, but it lacks the type; `node` NULL: it owns nothing. */
void prove_expanded_no_type(struct answerer *a, const struct zone *z, const uint8_t *name,
                            const uint8_t *encloser, const struct node *node);
/* Puts what was noted into the authority section, and forgets it. */
void proofs_put(struct answerer *a);

/* ---- The additional section (answer_additional.c) ---- */

/* Remembers an RRset of the answer; its names get their addresses at the end. */
void additional_note(struct answerer *a, const uint8_t *owner, const struct rrset *s);
/* Adds addresses for what was noted, as far as there is room. */
void additional_put(struct answerer *a);
/* Glue of a referral: what lies at or below the cut must be there (RFC 9471), the rest may. */
void additional_put_glue(struct answerer *a, const struct zone *z, const uint8_t *cut,
                         const struct rrset *ns);

/* ---- EDNS options (answer_edns.c) ---- */

/* Looks at what the query's options say of the client. */
void options_read(struct answerer *a, const struct answer_client *client, const uint8_t *query);
/* The rcode that the cookie alone gives (RFC 7873 5.2.2, 5.4); false: the question decides. */
bool options_rcode(uint16_t *rcode, const struct answerer *a);
/* Keeps room for OPT and for those options that the client can count on. */
void options_begin(struct answerer *a, const struct config *c);
/* Writes OPT, with all options that have a place. */
void options_finish(struct answerer *a, const struct config *c);

/* ---- Class CHAOS (answer_chaos.c) ---- */

void answer_chaos(struct answerer *a, const struct config *c);

#endif
