/* For check.c and repair.c. */
#ifndef ZL_JOURNAL_CHECK_H
#define ZL_JOURNAL_CHECK_H

#include "journal/journal_internal.h"
#include "journal/oidmap.h"
#include "journal/repair.h"

struct journal_check {
    struct journal *j;
    struct packer *p;    /* lent; objects on their way count as there; NULL: none */
    struct oidmap whole; /* commits, trees and blobs with all below them */
    struct oidmap bad;   /* objects that no pack has whole */
    char (*damaged)[PACK_NAME_MAX];
    size_t damaged_count, damaged_cap;
};

MUST_USE enum err check_tree(struct journal_check *c, const struct journal_oid *tree,
                             struct errinfo *e);
MUST_USE enum err check_blob(struct journal_check *c, const struct journal_oid *oid,
                             struct errinfo *e);

#endif
