/* A zone's content id over DNS (lib/dns/content_query.h): authd hands the question over, and here
 * it is answered to those who may transfer the zone, and to them alone; to others as if there were
 * no such zone. Loop thread only.
 */
#ifndef ZL_SYNCD_CONTENT_QUERY_H
#define ZL_SYNCD_CONTENT_QUERY_H

#include "lib/store/store_readers.h"
#include "syncd/front.h"
#include "syncd/private_query.h"

/* All lent; outlives the loop, whose pool reads the store. */
struct content_queries {
    struct loop *loop;
    struct front *front;
    struct store_readers *readers;
    unsigned busy; /* on their way; more than a few get SERVFAIL */
};

/* False: the message is something else. Else the answer is in `reply`, or comes later by the front.
 */
bool content_query(struct content_queries *s, const struct private_query_env *env,
                   const struct ho_frame *m, struct buf *reply);

#endif
