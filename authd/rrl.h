/* Response-rate limiting: what one network gets of one kind of answer in a second, so that nobody
 * can use us to flood somebody whose address he writes into his queries.
 *
 * Each (client's network, kind of answer, name) has a token bucket: it holds what may be sent in a
 * second and fills at that rate. The name is that which strangers can't vary at will: the owner of
 * the data, or the parent of the wildcard that made it; the delegated zone of a referral; the zone
 * of NXDOMAIN and NODATA; none for errors.
 *
 *   sets     cache lines of eight buckets; a bucket's hash (SipHash with a random key) gives its
 *            set and a tag of 20 bits
 *   bucket   one word of 64 bits: tag 20, limited answers since the last that slipped 4, and 40 of
 *            time: when the bucket will be full again, in units of 64 ns. A bucket that is full
 *            says nothing and is free to be taken by another; if none of the eight is full, the
 *            fullest goes, so that the most active stay.
 *
 * A wrong match of tags (one in 130,000 for each pair of a flood and a client) makes a client share
 * the flood's bucket until it ends. Time wraps after 19 hours; what lies further ahead than a
 * second is a bucket that was left behind, and full.
 *
 * One table for all workers: a flood may come to one of them or to all, and the configured rate is
 * the rate of the server. Threads: any; a bucket changes by compare and swap. No allocation, no
 * lock.
 */
#ifndef ZL_AUTHD_RRL_H
#define ZL_AUTHD_RRL_H

#include "lib/base/addr.h"
#include "lib/base/clock.h"
#include "lib/base/config.h"
#include "lib/net/counters.h"

#define RRL_LOG_PERIOD_S 60

struct rrl;

/* `buckets` is rounded up to a power of two. The clock gives the key. */
struct rrl *rrl_new(uint64_t buckets, const struct clock *clock);
void rrl_free(struct rrl *r); /* NULL is fine */

/* An answer that is ready to go by UDP. */
struct rrl_answer {
    const struct addr *source;
    enum answer_kind kind;
    const uint8_t *name; /* in lower case, see above; NULL: none */
};

enum rrl_verdict {
    RRL_PASS,
    RRL_OVER, /* over the rate, but only to be counted */
    RRL_DROP,
    RRL_SLIP, /* send an empty one with TC, so that a real client comes by TCP */
};

/* Takes a token. `now_ns` is any clock that does not go back. Writes to the log once a minute and
 * network, 1024 lines a minute at most. */
enum rrl_verdict rrl_check(struct rrl *r, const struct config *c, const struct rrl_answer *a,
                           uint64_t now_ns);

#endif
