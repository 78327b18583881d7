/* A zone's row as the replicator keeps it: a struct store_zone without the room that its texts
 * mostly don't use, since there may be a million of them. Wherever a row goes elsewhere, it is a
 * struct store_zone again.
 */
#ifndef ZL_SYNCD_ZONE_ROW_H
#define ZL_SYNCD_ZONE_ROW_H

#include "lib/store/store.h"

struct zone_row {
    int64_t id; /* 0: not stored yet */
    uint8_t *name;
    enum zone_kind kind;
    enum zone_source source;
    bool has_content, expired, removed, held, orphan, quarantine_rejected, staged_rejected;
    bool has_primary_serial, ours, hold_has_serial;
    struct serial serial;
    struct serial theirs, hold_serial;
    struct serial primary_serial;
    uint32_t failures;
    uint64_t version, last_version, seq, records, held_version;
    uint64_t quarantine_version, staged_version;
    struct wall held_at, hold_until, quarantine_at;
    struct wall last_check, last_success, next_check, expires_at, unserved_since;
    uint8_t tip_oid[STORE_OID_BYTES];

    uint8_t *catalog;    /* NULL: none */
    uint8_t *member;     /* NULL: none */
    uint8_t *nameserver; /* NULL: none */
    char *account;       /* NULL is "", as for all that follow */
    char *file;
    char *held_by, *held_reason;
    char *quarantine_reason;
    char *last_error, *last_primary;
};

/* What *to held before is freed; zeroed is fine. */
void zone_row_set(struct zone_row *to, const struct store_zone *from);
void zone_row_get(struct store_zone *to, const struct zone_row *from);
void zone_row_done(struct zone_row *row);

/* Its catalog and the label there (copied); NULL, the root name, an empty label: none. */
void zone_row_catalog(struct zone_row *row, const uint8_t *catalog, const uint8_t *member);

/* Sets one of the texts; cut to what struct store_zone has room for when it gets there. */
void zone_row_text(char **field, const char *text);

#endif
