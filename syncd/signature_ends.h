/* When the signatures of zones end that serve an old version: those that are held, and those with a
 * quarantined version. Nobody re-signs what they serve, so it ends, and an operator must act
 * before.
 *
 * The log says so once when it is near, once more when it has come, and once when the zone itself
 * is about to expire. Looks once a minute, and soon after each commit that makes or changes such a
 * zone; in the pool, and at the content of each version once.
 */
#ifndef ZL_SYNCD_SIGNATURE_ENDS_H
#define ZL_SYNCD_SIGNATURE_ENDS_H

#include "lib/base/config.h"
#include "lib/store/store_readers.h"
#include "syncd/commit.h"
#include "syncd/loop.h"

struct signature_ends;

/* `loop` and `readers` are lent. Loop thread, as all but signature_ends_find. */
struct signature_ends *signature_ends_new(struct loop *loop, struct store_readers *readers,
                                          const struct config *config);
/* No timer runs any more; to be freed when the loop's threads have ended. NULL is fine. */
void signature_ends_stop(struct signature_ends *s);
void signature_ends_free(struct signature_ends *s);
void signature_ends_reload(struct signature_ends *s, const struct config *config);

/* These jobs have been committed (linked by next). */
void signature_ends_committed(struct signature_ends *s, const struct commit_job *jobs);

/* Of what a zone serves; false if it waits for nobody, has no signatures, or was not looked at yet.
 * Any thread. */
bool signature_ends_find(struct signature_ends *s, const struct store_zone *row, struct wall *end);

/* The first of all; false if there is none. */
bool signature_ends_first(const struct signature_ends *s, struct wall *end);

/* ---- What is worth a line in the log; pure, for tests ---- */

enum end_news {
    END_NOTHING,
    END_NEAR, /* signatures end within the time given */
    END_OVER, /* they have ended */
};

/* `said`: the last news that were told of this version. */
enum end_news signature_end_news(struct wall end, struct wall now, uint32_t warn_s,
                                 enum end_news said);

#endif
