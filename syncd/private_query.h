/* Queries for zones that not everybody may ask: catalog zones, which tell what else is here (RFC
 * 9432 7). authd answers none of them itself: it hands each over with its ready answer, and here it
 * is passed on to those who may transfer the zone, signed if they signed, and REFUSED to others, as
 * if there were no such zone.
 */
#ifndef ZL_SYNCD_PRIVATE_QUERY_H
#define ZL_SYNCD_PRIVATE_QUERY_H

#include "lib/base/clock.h"
#include "lib/net/handover.h"
#include "syncd/keyring.h"

struct private_query_env {
    const struct config *config;
    struct keyring *keys;
    struct wall now;
    /* The section of `config` that holds for a zone, or NULL. */
    const struct config_zone *(*section)(void *ctx, const uint8_t *zone);
    void *ctx;
};

/* Appends the answer. False: the message is something else, or signed and for a public zone. */
bool private_query(const struct private_query_env *env, const struct ho_frame *m,
                   struct buf *reply);

#endif
