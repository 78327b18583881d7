/* From a zone file's text to the next version of a zone of our own: what `zonectl import` and
 * watched directories have in common. Threads: any.
 */
#ifndef ZL_SYNCD_IMPORT_H
#define ZL_SYNCD_IMPORT_H

#include "lib/base/clock.h"
#include "lib/base/config.h"
#include "lib/dns/zonefile.h"
#include "lib/zone/changeset.h"
#include "lib/zone/zone.h"
#include "syncd/commit.h"

/* The zone that a text makes, checked as any version is. opts->origin is its name.
 * ERR_FORMAT with path:line:column, ERR_CHECK (with path:line:column, or about the whole zone),
 * ERR_LIMIT, ERR_DENIED, ERR_NOT_FOUND, ERR_IO (about an $INCLUDE). */
MUST_USE enum err import_zone(struct zone **out, const char *text, size_t len,
                              const struct zonefile_opts *opts, const struct zone_limits *limits,
                              struct errinfo *e);

struct import_wish {
    enum config_serial serial;
    bool force; /* with keep: the file's serial, newer or not */
    bool bare;  /* with keep: a newer serial is a change, though nothing else is */
    struct wall now;
};

/* The serial of the next version. `current`: of the one that is served, NULL if there is none.
 * ERR_SERIAL (keep alone; the text names both serials). */
MUST_USE enum err import_serial(struct serial *out, const struct import_wish *wish,
                                const struct serial *current, struct serial file,
                                struct errinfo *e);

/* What leads from the served version to that of the file. */
struct import_step {
    struct zone *next;         /* with the serial that it gets */
    struct changeset *changes; /* NULL for a first version */
    bool changed; /* false: it has what is served already, but perhaps for its serial */
};
void import_step_done(struct import_step *s);

/* `current` may be NULL. ERR_SERIAL as above, and only if there is other content. */
MUST_USE enum err import_step(struct import_step *out, struct zone *current, struct zone *file,
                              const struct import_wish *wish, struct errinfo *e);

/* The zone is our own from now on, read from this file ("": from none), whatever it was before. */
void import_claim(struct commit_job *job, const char *file);

/* True if the change set does nothing but move the serial: one SOA out, one in, alike but for it.
 */
bool import_only_serial(const struct changeset *cs);

#endif
