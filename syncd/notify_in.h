/* NOTIFY from a primary (RFC 1996): may it be believed, what does it say, and the reply to it.
 *
 * Believed is, for a zone of ours, what access.h lets through. Everything else is answered REFUSED,
 * for a name that is no zone of ours NOTAUTH, and changes nothing. The serial in it is a hint that
 * is never trusted further than "look now".
 */
#ifndef ZL_SYNCD_NOTIFY_IN_H
#define ZL_SYNCD_NOTIFY_IN_H

#include "lib/base/config.h"
#include "lib/net/handover.h"
#include "syncd/access.h"
#include "syncd/keyring.h"

enum notify_verdict {
    NOTIFY_ACCEPTED,
    NOTIFY_NEW_ZONE, /* no zone of ours, but it may become one: NOERROR */
    NOTIFY_REFUSED,  /* not allowed for this zone */
    NOTIFY_NOT_OURS, /* no such zone with primaries: NOTAUTH */
    NOTIFY_BAD_TSIG, /* NOTAUTH, with the TSIG error */
    NOTIFY_MALFORMED,
    NOTIFY_DROPPED, /* no reply at all: it is a response, or shorter than a header */
};
#define NOTIFY_VERDICTS (NOTIFY_DROPPED + 1)

struct notify_env {
    const struct config *config;
    const struct keyring *keys;
    /* The configuration of a zone (folded name); NULL if it has no primaries here. */
    const struct config_zone *(*find)(void *ctx, const uint8_t *zone);
    /* Whether a zone that find does not have may be announced by this client (autoprimary.h); if
     * not, *e says why. */
    enum err (*may_appear)(void *ctx, const uint8_t *zone, const struct access_client *who,
                           struct errinfo *e);
    void *ctx;
    struct wall now;
};

struct notify_result {
    enum notify_verdict verdict;
    bool has_zone;
    uint8_t zone[NAME_MAX_OCTETS]; /* folded */
    int primary;                   /* index into the zone's primaries, -1: by key, from elsewhere */
    int key;                       /* index into config.keys, -1: unsigned */
    bool has_serial;
    struct serial serial;
    struct errinfo why; /* unless accepted */
};

/* Judges the message and appends the reply to it, signed if the NOTIFY was. */
void notify_in(struct notify_result *out, const struct notify_env *env, const struct ho_frame *m,
               struct buf *reply);

/* ---- How many a source may send ---- */

struct notify_limiter;

/* `key` is random, so that nobody chooses whose allowance he uses up. */
struct notify_limiter *notify_limiter_new(const uint8_t key[16]);
void notify_limiter_free(struct notify_limiter *l);

/* False if this source has used up its allowance: 20 a second; 1000 for an address that `known`
 * says is a primary's, as one with many zones sends many at once. */
bool notify_limiter_take(struct notify_limiter *l, const struct addr *source, bool known,
                         struct mono now);

#endif
