#include "syncd/commit_version.h"

#include <stdio.h>
#include <string.h>

static enum origin_kind origin_of(const char *name)
{
    for (int k = ORIGIN_AXFR; k <= ORIGIN_UNDELETE; k++) {
        if (strcmp(origin_name((enum origin_kind)k), name) == 0)
            return (enum origin_kind)k;
    }
    return ORIGIN_API; /* of a newer release */
}

void version_of_commit(struct store_version *v, const struct journal_commit *c)
{
    *v = (struct store_version){.version = c->version,
                                .seq = c->seq,
                                .has_from = c->has_from,
                                .from = c->from,
                                .serial = c->to,
                                .ours = c->ours,
                                .theirs = c->theirs,
                                .at = c->at,
                                .added = c->added,
                                .removed = c->removed,
                                .waiting = c->waiting,
                                .quarantined = c->quarantined,
                                .journaled = true};
    v->origin.kind = origin_of(c->origin);
    (void)snprintf(v->origin.who, sizeof(v->origin.who), "%s", c->author);
    (void)snprintf(v->origin.source, sizeof(v->origin.source), "%s", c->source);
    (void)snprintf(v->origin.key, sizeof(v->origin.key), "%s", c->key);
    (void)snprintf(v->origin.transport, sizeof(v->origin.transport), "%s", c->transport);
    (void)snprintf(v->origin.reason, sizeof(v->origin.reason), "%s", c->reason);
    memcpy(v->oid, c->commit.id, sizeof(v->oid));
    memcpy(v->content_oid, c->content_id.id, sizeof(v->content_oid));
}
