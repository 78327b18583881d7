/* What remotes have: refs that the helper reads from them (`git ls-remote`) and hands over in
 * pieces. One question to a remote at a time. Loop thread.
 */
#ifndef ZL_SYNCD_REMOTE_LISTS_H
#define ZL_SYNCD_REMOTE_LISTS_H

#include "lib/base/bytes.h"
#include "syncd/remote_helper.h"

struct remote_list;

struct remote_lists {
    struct remote_list *first;
};

/* Called once: `refs`, lent, has a line "ID TAB REF LF" for each ref; on an error it is NULL and
 * `why` is a sentence. */
typedef void remote_list_fn(void *ctx, const struct buf *refs, const char *why);

/* A question was asked. ERR_BUSY if one to this remote is under way. */
MUST_USE enum err remote_lists_add(struct remote_lists *l, const char *name, remote_list_fn *f,
                                   void *ctx, struct errinfo *e);
/* A piece of the answer. */
void remote_lists_piece(struct remote_lists *l, const struct remote_piece *p);
/* The end of the answer. */
void remote_lists_end(struct remote_lists *l, const struct remote_result *result);
/* Ends one question, or all (NULL). */
void remote_lists_fail(struct remote_lists *l, const char *name, const char *why);

#endif
