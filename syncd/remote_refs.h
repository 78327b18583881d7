/* The list of refs that a remote gave: `git ls-remote`, "ID TAB REF LF". What is no such line is
 * left out. */
#ifndef ZL_SYNCD_REMOTE_REFS_H
#define ZL_SYNCD_REMOTE_REFS_H

#include "journal/journal.h"

struct remote_ref {
    const char *name; /* "refs/heads/example.org" */
    const char *hex;
    struct journal_oid oid;
    bool known; /* for the caller */
};

struct remote_refs {
    struct remote_ref *list; /* by name; owns its texts with `text` */
    size_t n, cap;
    char *text;
};

void remote_refs_read(struct remote_refs *out, const uint8_t *data, size_t len);
void remote_refs_done(struct remote_refs *r);
/* NULL: it has none of this name. */
struct remote_ref *remote_refs_find(const struct remote_refs *r, const char *name);
/* The first one whose name is not before this one. */
size_t remote_refs_from(const struct remote_refs *r, const char *name);

#endif
