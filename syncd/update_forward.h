/* UPDATEs for zones of others, passed to a primary as they are and answered with what it says
 * (RFC 2136 6). The signature is the client's and is checked by the primary: we need not know its
 * key. Primaries are asked in order until one can be reached. Loop thread only.
 */
#ifndef ZL_SYNCD_UPDATE_FORWARD_H
#define ZL_SYNCD_UPDATE_FORWARD_H

#include "lib/base/config.h"
#include "lib/net/handover.h"
#include "syncd/front.h"
#include "syncd/keyring.h"
#include "syncd/loop.h"

#define FORWARDS_MAX 200 /* on their way */

struct forwarder;

struct forwarder *forwarder_new(struct loop *loop);
/* Gives up what is on its way: SERVFAIL, as if no primary could be reached. */
void forwarder_close(struct forwarder *f);
void forwarder_free(struct forwarder *f); /* what is on its way gets no answer */

/* True if there is room for one more. */
bool forwarder_has_room(const struct forwarder *f);

/* Passes a message on to the primaries of `section`, which is of `config`, as are `keys`.
 * `servfail` is the answer if none can be reached; both are copied. Takes over `later`. */
void forwarder_pass(struct forwarder *f, const struct ho_frame *m, struct config *config,
                    struct keyring *keys, const struct config_zone *section,
                    const uint8_t *servfail, size_t servfail_len, struct front_later *later);

#endif
