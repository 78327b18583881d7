/* For repair.c: one zone. */
#ifndef ZL_SYNCD_REPAIR_ZONE_H
#define ZL_SYNCD_REPAIR_ZONE_H

#include "syncd/repair.h"

/* That a version is lost, or is here again. */
struct repair_mark {
    int64_t zone_id;
    uint64_t version;
    bool lost;
};

struct repair {
    const struct repair_env *env;
    const struct repair_wish *wish;
    struct repair_report *report;
    struct journal *from; /* NULL: there is none */
    struct journal_check *check;
    struct journal_again *again;

    struct journal_oid *cuts; /* commits that are here, with a parent that is lost */
    size_t cut_count, cut_cap;
    struct repair_mark *marks;
    size_t mark_count, mark_cap;
};

MUST_USE enum err repair_zone(struct repair *r, int64_t zone_id, struct errinfo *e);

/* Has the marks stored, some time soon: the next repair would find the same. */
void repair_marks_send(struct repair *r);

#endif
