/* What the journal thread does about retention: it records what is to go, marks it in the store,
 * and then has packs made without it. In small steps, between the drains; a crash after any of them
 * leaves a history that is whole, and the next time goes on.
 */
#ifndef ZL_SYNCD_THINNER_H
#define ZL_SYNCD_THINNER_H

#include "syncd/commit.h"
#include "syncd/packmerge.h"
#include "syncd/thin_plan.h"

/* Zones and what holds for them. */
struct thin_wish {
    struct thin_zone {
        int64_t id;
        struct config_retention policy;
    } * zones;
    size_t n, cap;
    struct wall now;
};
void thin_wish_free(struct thin_wish *w); /* NULL is fine */

struct thinner;

struct thinner *thinner_new(struct store *reader, struct committer *committer,
                            struct packmerge *merge);
void thinner_free(struct thinner *t);

/* Takes the wish over, in the place of one that is not done yet. Any thread. */
void thinner_want(struct thinner *t, struct thin_wish *wish);
/* One step; false if there is nothing to do. Journal thread. */
bool thinner_step(struct thinner *t, struct journal *j);
/* New packs took the place of old ones, or could not: asks whether there is more. Journal thread.
 */
void thinner_packed(struct thinner *t, enum err rc);
/* Notes when all is over. Journal thread. */
void thinner_look(struct thinner *t);

struct thinner_status {
    bool busy;
    uint64_t thinned; /* versions, since the start */
    uint64_t runs;    /* that are over */
};
/* Any thread. */
void thinner_status(struct thinner *t, struct thinner_status *out);

#endif
